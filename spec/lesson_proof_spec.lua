-- SPDX-License-Identifier: MIT
-- No lesson of the course writes a file on the host: on a throw-away host whose
-- root is an overlay, the upper layer holds nothing afterwards but nslua's own
-- folders.
local helpers = require "spec.helpers"
local sys = require "nslua.sys"
local ns = require "nslua"

local OWN = "/xdg" -- where all folders of the XDG specification are

-- Makes a root that is an overlay of the host's, and goes there. Returns the
-- upper layer, which has no name any more.
local function enter_overlay()
  ns.unshare("mnt", "uts")
  ns.mount("none", "/", nil, "rprivate")
  ns.mount("none", "/mnt", "tmpfs")
  for _, name in ipairs { "upper", "work", "root" } do ns.mkdir("/mnt/" .. name) end
  ns.mount("none", "/mnt/root", "overlay", nil, "lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work")
  local upper = ns.open("/mnt/upper", "path,directory")
  for _, dir in ipairs { "proc", "dev", "sys" } do ns.mount("/" .. dir, "/mnt/root/" .. dir, nil, "rbind") end
  ns.chdir "/mnt/root"
  ns.pivot_root(".", ".")
  ns.umount(".", "detach")
  ns.chdir "/"
  ns.mkdir(OWN)
  return upper
end

-- What the layer holds, but for our own folders and for folders alone.
local function changes(dir, path, found)
  for _, name in ipairs(ns.readdir(dir)) do
    local here = path .. "/" .. name
    local st = ns.lstat(dir .. "/" .. name)
    if here == OWN then
      found.own = true
    elseif st.type == "dir" then
      found.dirs[#found.dirs + 1] = here
      changes(dir .. "/" .. name, here, found)
    else
      found[#found + 1] = here .. " (" .. st.type .. ")"
    end
  end
  return found
end

local function look(upper)
  return changes("/proc/self/fd/" .. upper:fileno(), "", { dirs = {} })
end

local ENV = { HOME = "/root", XDG_CACHE_HOME = OWN .. "/cache", XDG_STATE_HOME = OWN .. "/state",
  XDG_CONFIG_HOME = OWN .. "/config", XDG_DATA_HOME = OWN .. "/data", NSLUA_CACHE = false, NSLUA_DEV = false }

local function run_on_overlay(code_or_words)
  return helpers.in_child(function()
    local upper = enter_overlay()
    local before = #ns.readdir "/dev"
    local out, err, status = helpers.nslua(code_or_words, { env = ENV })
    local found = look(upper)
    assert.equal(before, #ns.readdir "/dev")
    for _, dir in ipairs(found.dirs) do
      if not ns.access(dir) then found[#found + 1] = dir .. " (gone)" end
    end
    return table.concat(found, "\n"), table.concat(found.dirs, " "), out .. err, status
  end)
end

describe("on a host that is an overlay", function()
  helpers.root_it("a file that is written is found", function()
    local files, dirs = run_on_overlay [[
      io.open("/var/evil", "w"):write "x":close() require("nslua").mkdir "/etc/evil"]]
    assert.equal("/var/evil (file)", files)
    assert.truthy(dirs:find("/etc/evil", 1, true))
  end)

  for _, id in ipairs(require "nslua.lesson.load".course) do
    if sys.embedded(("scripts/%s.lua"):format(id)) then
      helpers.root_it(("nothing is written by the lesson %s"):format(id), function()
        local files, dirs, said, status = run_on_overlay { "--batch", id }
        assert.equal(0, status, said)
        assert.equal("", files)
        assert.equal("", dirs)
      end)
    end
  end
end)
