-- SPDX-License-Identifier: MIT
-- The first lessons through the built program, from a checkout under $HOME and
-- one under /tmp, and what is left of them afterwards: nothing. All of the
-- course is in course_spec.lua.
local helpers = require "spec.helpers"
local sys = require "nslua.sys"
local ns = require "nslua"

local LESSONS = { "uts", "pid" }

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- What a lesson must leave as it was.
local function host_state()
  local mounts = {}
  for _, m in ipairs(ns.mounts()) do mounts[#mounts + 1] = m.mountpoint .. " " .. m.type end
  return { hostname = ns.gethostname(), mounts = table.concat(mounts, "\n"),
    links = table.concat(ns.readdir "/sys/class/net", " ") }
end

-- Orphans of the program come to the child that is their subreaper here.
local function run_and_count(argv)
  return helpers.in_child(function()
    ns.subreaper(true)
    local out, err, status = helpers.nslua(argv)
    return #sys.children(), out, err, status
  end)
end

-- A checkout in a folder that everybody may read.
local function checkout(place)
  local dir = ns.mkdtemp(place .. "/nslua-spec-XXXXXX")
  ns.chmod(dir, "755")
  local home = helpers.program:match "^(.*)/"
  local _, err, status = helpers.run { "sh", "-c", [[cp "$1/nslua" "$2/" && cp -r "$1/scripts" "$2/" &&
    mkdir "$2/build" && cp -r "$1/build/nslua" "$2/build/" && chmod -R a+rX "$2"]], "sh", home, dir }
  assert(status == 0, err)
  return dir
end

local function remove(dir) helpers.run { "rm", "-rf", dir } end

local function passes(out, err, status, name)
  assert.equal(0, status, name .. ": " .. out .. err)
  assert.equal("", err)
  assert.truthy(out:find("all %d+ claims held"), out)
  assert.falsy(out:find "✘")
end

describe("scripts", function()
  for _, name in ipairs(LESSONS) do
    local file = ("scripts/%s.lua"):format(name)

    it(name .. " begins with what it is for, and is not long", function()
      local text = read(file)
      assert.truthy(text:find "^%-%- %u")
      assert.truthy(text:find "\n%-%- Man pages: ")
      assert.truthy(text:find("nslua " .. file, 1, true))
      assert.is_true(select(2, text:gsub("\n", "")) < 200)
    end)

    it(name .. " needs nothing but nslua", function()
      for module in read(file):gmatch "require *%(?[\"']([^\"']+)" do assert.equal("nslua", module) end
    end)

    helpers.ns_it("user mnt uts pid", name .. " holds every claim and leaves nothing", function()
      local before = host_state()
      local orphans, out, err, status = run_and_count { "--batch", file }
      passes(out, err, status, name)
      assert.same(before, host_state())
      assert.equal(0, orphans)
    end)

    helpers.ns_it("user mnt uts pid", name .. " does so without --batch and without a terminal, embedded, as nobody",
      function()
        local out, err, status = helpers.nslua({ file }, { stdin = "" })
        passes(out, err, status, name)
        out, err, status = helpers.as_nobody({ "--batch", name })
        passes(out, err, status, name)
      end)

    helpers.ns_it("user mnt uts pid", name .. " fits into 80 columns", function()
      local out = helpers.nslua({ "--batch", file }, { env = { LC_ALL = "C", NO_COLOR = "1" } })
      for line in out:gmatch "[^\n]+" do assert.is_true(#line <= 80, line) end
      assert.falsy(out:find "[\27\128-\255]")
    end)

    helpers.ns_it("user mnt uts pid", name .. " runs from a checkout under $HOME and one under /tmp", function()
      for _, place in ipairs { os.getenv "HOME", "/tmp" } do
        local dir = checkout(place)
        local out, err, status = helpers.run({ "./nslua", file }, { cwd = dir, stdin = "" })
        remove(dir)
        passes(out, err, status, place .. " " .. name)
      end
    end)
  end

  -- A root for --rootfs: what busybox gives.
  local function small_root()
    local dir = ns.mkdtemp "/tmp/nslua-spec-XXXXXX"
    ns.chmod(dir, "755")
    local root = ns.rootfs.get(nil, { rung = "busybox" })
    helpers.run { "cp", "-a", root:path(), dir .. "/tree" }
    helpers.run { "tar", "-C", dir .. "/tree", "-czf", dir .. "/root.tar.gz", "." }
    return dir
  end

  local function has_busybox()
    local ok = pcall(ns.rootfs.get, nil, { rung = "busybox" })
    if not ok then return false, "no static busybox" end
    return helpers.probe("user mnt uts pid", function() ns.unshare("user", "mnt", "uts", "pid") end)()
  end

  helpers.need_it(has_busybox, "pid takes its root from --rootfs: a folder, an archive, a file URL", function()
    local dir = small_root()
    for _, source in ipairs { dir .. "/tree", dir .. "/root.tar.gz", "file://" .. dir .. "/root.tar.gz" } do
      local out, err, status = helpers.nslua { "--batch", "--rootfs=" .. source, "scripts/pid.lua" }
      passes(out, err, status, source)
    end
    remove(dir)
  end)

  helpers.ns_it("user mnt uts pid", "pid runs on the lowest rungs of the ladder too", function()
    for _, rung in ipairs { "host", "self" } do
      local out, err, status = helpers.nslua { "-e", ([[local ns = require "nslua"
        local get = ns.rootfs.get
        ns.rootfs.get = function() return get(nil, { rung = %q }) end]]):format(rung), "--batch", "scripts/pid.lua" }
      passes(out, err, status, rung)
    end
  end)

  it("pid says which --rootfs is not there, and ends with 2", function()
    local out, err, status = helpers.nslua { "--batch", "--rootfs=/no/such/root", "scripts/pid.lua" }
    assert.same({ "", 2 }, { out, status })
    assert.truthy(err:find "/no/such/root: there is no such file or directory")
  end)
end)
