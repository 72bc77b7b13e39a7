-- SPDX-License-Identifier: MIT
-- Bind mounts through which owners look different, judged by stat on both
-- sides and by what reaches the file system.

local helpers = require "spec.helpers"
local ns = require "nslua"

-- A tmpfs with /mnt/disk, a file of 33:34 in it, and /mnt/seen, in a mount
-- namespace of its own.
local function prepare()
  ns.unshare "mnt"
  ns.propagate "rprivate"
  ns.mount("tmpfs", "/mnt", "tmpfs")
  ns.mkdir "/mnt/disk"
  ns.mkdir "/mnt/seen"
  io.open("/mnt/disk/f", "w"):close()
  ns.chown("/mnt/disk/f", 33, 34)
end

local function owner(path)
  local record = ns.stat(path)
  return record.uid .. ":" .. record.gid
end

local function idmap_it(name, fn)
  return helpers.need_it(function()
    if ns.geteuid() ~= 0 then return false, "needs root" end
    return helpers.probe("idmapped mounts", function()
      prepare()
      ns.bind("/mnt/disk", "/mnt/seen", { idmap = { 0, 100000, 65536 } })
    end)()
  end, name, function() helpers.in_child(function() prepare() fn() end) end)
end

local function refusal(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return type(err) == "table" and err.name or err, err
end

describe("ns.bind with idmap", function()
  helpers.adds_no_global "nslua.idmapped"

  it("refuses what is no map before anything is mounted", function()
    helpers.in_child(function()
      for _, idmap in ipairs { 1, print, "rot", { 1 }, { uid = -1 }, io.stdout } do
        local ok, err = pcall(ns.bind, "/", "/no/such/place", { idmap = idmap })
        assert.is_false(ok)
        assert.not_equal("ENOENT", type(err) == "table" and err.name)
      end
    end)
  end)

  idmap_it("shows owners as the map has them, while the folder itself keeps its own", function()
    local _ <close> = ns.bind("/mnt/disk", "/mnt/seen", { idmap = { 0, 100000, 65536 } })
    assert.equal("100033:100034", owner "/mnt/seen/f")
    assert.equal("100000:100000", owner "/mnt/seen")
    assert.equal("33:34", owner "/mnt/disk/f")
  end)

  idmap_it("takes uid and gid apart, and what the map leaves out is nobody's", function()
    local _ <close> = ns.bind("/mnt/disk", "/mnt/seen", { idmap = { uid = { 33, 7, 1 }, gid = { 34, 8, 1 } } })
    assert.equal("7:8", owner "/mnt/seen/f")
    assert.equal("65534:65534", owner "/mnt/seen")
  end)

  idmap_it("a box with the same map sees and writes plain ids through it", function()
    local _ <close> = ns.bind("/mnt/disk", "/mnt/seen", { idmap = { 0, 100000, 65536 } })
    local box <close> = ns.box { "user", map = { 0, 100000, 65536 } }
    assert.equal("33:34 65534:65534", box:call(function()
      io.open("/mnt/seen/new", "w"):close()
      return owner "/mnt/seen/f" .. " " .. owner "/mnt/disk/f"
    end))
    assert.equal("0:0", owner "/mnt/disk/new") -- what reached the file system
    assert.equal("100000:100000", owner "/mnt/seen/new")
  end)

  idmap_it("takes the map of a process, and of a user namespace", function()
    local box <close> = ns.box { "user", map = { 0, 500, 1000 } }
    do
      local _ <close> = ns.bind("/mnt/disk", "/mnt/seen", { idmap = box })
      assert.equal("533:534", owner "/mnt/seen/f")
    end
    local user <close> = box:ns "user"
    local _ <close> = ns.bind("/mnt/disk", "/mnt/seen", { idmap = user, ro = true })
    assert.equal("533:534", owner "/mnt/seen/f")
    assert.equal(0, user:owner_uid()) -- still ours to use
    assert.is_nil(io.open("/mnt/seen/x", "w"))
    local name = refusal(ns.bind, "/mnt/disk", "/mnt/seen", { idmap = ns.of(nil, "net") })
    assert.matches("that is a net namespace", name)
  end)

  idmap_it("leaves no process, no descriptor and no mount behind, refused or not", function()
    local function rows() return #ns.mounts() end
    ns.bind("/mnt/disk", "/mnt/seen", { idmap = { 0, 1, 1 } }):umount()
    local fds, mounts = helpers.fds(), rows()
    for _ = 1, 5 do
      ns.bind("/mnt/disk", "/mnt/seen", { idmap = { 0, 100000, 65536 } }):umount()
      refusal(ns.bind, "/mnt/disk", "/mnt/none", { idmap = { 0, 100000, 65536 } })
      refusal(ns.bind, "/proc", "/mnt/seen", { idmap = { 0, 100000, 65536 } })
    end
    assert.equal(fds, helpers.fds())
    assert.equal(mounts, rows())
    assert.equal("", io.open(("/proc/self/task/%d/children"):format(ns.getpid())):read "a")
  end)

  idmap_it("a file system that cannot, and a second map, say why", function()
    local name, err = refusal(ns.bind, "/proc", "/mnt/seen", { idmap = { 0, 100000, 65536 } })
    assert.equal("EINVAL", name)
    assert.matches("cannot be mounted with a map", err.why)
    local _ <close> = ns.bind("/mnt/disk", "/mnt/seen", { idmap = { 0, 100000, 65536 } })
    ns.mkdir "/mnt/more"
    name, err = refusal(ns.bind, "/mnt/seen", "/mnt/more", { idmap = { 0, 100000, 65536 } })
    assert.equal("EPERM", name)
    assert.matches("once for each mount", err.why)
  end)

  helpers.ns_it("user mnt", "is refused for the host's file systems to somebody without rights, with the reason", function()
    local out = helpers.as_nobody [[
      local ns = require "nslua"
      ns.unshare("user", "mnt") ns.map(nil, "root")
      local _, _, _, e = ns.try(ns.bind, "/etc", "/mnt", { idmap = "root" })
      print(e.call, e.name, e.why)]]
    assert.matches("^mount_setattr\tEPERM\tOwners may be read through a map by", out)
  end)
end)
