-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

local dir = ns.mkdtemp "/tmp/nslua-tree-XXXXXX"

local function inside(fn)
  return helpers.in_child(function()
    ns.unshare("user", "mnt")
    ns.map(nil, "root")
    ns.propagate "rprivate"
    ns.mount("none", dir, "tmpfs")
    ns.chdir(dir)
    for _, name in ipairs { "a", "b" } do ns.mkdir(name) end
    ns.open("file", "w"):close()
    return fn()
  end)
end

local probe = helpers.probe("fsmount and mount_setattr", function()
  inside(function()
    ns.mount_setattr(dir, {})
    ns.fsmount "tmpfs"
  end)
end)

local function it_works(name, fn) return helpers.need_it(probe, name, fn) end

local name_of = helpers.refusal

local row_at = helpers.mount_at

describe("trees as descriptors", function()
  teardown(function() ns.rmdir(dir) end)

  it("refuse wrong arguments before the kernel hears of them", function()
    local none = "/no/such/place"
    helpers.badargs(ns.open_tree, "any ?flags", none, "clone")
    helpers.badargs(ns.move_mount, "any path", none, none)
    helpers.badargs(ns.fsmount, "path ?list ?flags", "no such type", {}, "ro")
    helpers.badargs(ns.mount_setattr, "any options", none, {})
    for _, f in ipairs { ns.open_tree, ns.move_mount, ns.mount_setattr } do
      for _, v in ipairs { true, "a\0b", -1, 1.5, {}, print } do
        local ok, err = pcall(f, v, f == ns.mount_setattr and {} or none)
        assert.is_false(ok)
        assert.matches("bad argument #1", err)
      end
    end
    for _, change in ipairs { { set = "roo" }, { set = {{}} }, { clear = print }, { propagation = "rprivate" },
      { userns = "x" }, { userns = -1 }, { userns = 1.5 }, { sett = "ro" }, { "ro" } } do
      local ok, err = pcall(ns.mount_setattr, none, change)
      assert.is_false(ok)
      assert.matches("bad argument #2", err)
    end
    for _, options in ipairs { { {} }, { "a\0b" }, { size = {} }, { size = "\0" },
      { [true] = "x" }, { [2.5] = "x" } } do
      local ok, err = pcall(ns.fsmount, "tmpfs", options)
      assert.is_false(ok)
      assert.matches("bad argument #2", err)
    end
  end)

  it_works("tell the exact refusal", function()
    inside(function()
      assert.equal("ENOENT", name_of(ns.open_tree, "none"))
      assert.equal("ENOTDIR", name_of(ns.open_tree, "file/x"))
      assert.equal("EINVAL", name_of(ns.open_tree, "a", "recursive"))
      assert.equal("EBADF", name_of(ns.open_tree, 1 << 20))
      assert.equal("ENOENT", name_of(ns.move_mount, "none", "a"))
      assert.equal("EINVAL", name_of(ns.move_mount, "a", "b"))
      assert.equal("ENODEV", name_of(ns.fsmount, "no such type"))
      assert.equal("EINVAL", name_of(ns.mount_setattr, "a", { set = "ro" }))
      assert.equal("ENOENT", name_of(ns.mount_setattr, "none", { set = "ro" }))
      assert.equal("EBADF", name_of(ns.mount_setattr, 1 << 20, { set = "ro" }))
      assert.equal("EINVAL", name_of(ns.mount_setattr, dir, { propagation = "shared,private" }))
      local fd = ns.open("file", "w")
      assert.equal("EBUSY", name_of(ns.mount_setattr, dir, { set = "ro" }))
      fd:close()
    end)
  end)

  it("are refused to those who have no right", function()
    local out = helpers.as_nobody [[
      local ns = require "nslua"
      for _, f in ipairs { function() ns.open_tree("/", "clone") end, function() ns.fsmount "tmpfs" end,
          function() ns.mount_setattr("/", { set = "ro" }) end, function() ns.move_mount("/proc", "/tmp") end } do
        local _, e = pcall(f)
        io.write(e.name, " ")
      end]]
    if not out:find "ENOSYS" then assert.equal("EPERM EPERM EPERM EPERM ", out) end
  end)

  it_works("are made, changed and attached", function()
    inside(function()
      local before = helpers.fds()
      do
        local tree <close> = ns.fsmount("tmpfs", { "mode=711", size = "64k" }, "nosuid,noatime")
        assert.equal(before + 1, helpers.fds())
        assert.is_nil(row_at(dir .. "/a"))
        local m <close> = ns.move_mount(tree, "a")
        local row = row_at(dir .. "/a")
        assert.equal("rw,nosuid,noatime", row.options)
        assert.matches("size=64k", row.super_options)
        assert.equal(tonumber("711", 8), ns.stat("a").mode)
        assert.matches("%(tree%)", tostring(m))
      end
      assert.is_nil(row_at(dir .. "/a"))
      assert.equal(before, helpers.fds())
    end)
  end)

  it_works("let the file system say what is wrong", function()
    inside(function()
      local before = helpers.fds()
      local _, err = pcall(ns.fsmount, "tmpfs", { "nosuch=1" })
      assert.equal("EINVAL", err.name)
      assert.matches("tmpfs: Unknown parameter 'nosuch'", err.message)
      assert.equal("fsconfig", err.call)
      _, err = pcall(ns.fsmount, "tmpfs", { ["no\27[31m"] = "\n" })
      assert.is_nil(err.message:find "%c")
      assert.equal(before, helpers.fds())
    end)
  end)

  it_works("copy a mount with all that is below it", function()
    inside(function()
      ns.mount("none", "a", "tmpfs")
      ns.mkdir "a/deep"
      ns.mount("none", "a/deep", "tmpfs")
      local tree = ns.open_tree("a", "clone,recursive")
      ns.mount_setattr(tree, { set = "ro", recursive = true })
      ns.move_mount(tree, "b")
      assert.matches("^ro", row_at(dir .. "/b/deep").options)
      assert.matches("^rw", row_at(dir .. "/a/deep").options)
      ns.mount_setattr("b", { clear = "ro", set = { "nodev", "strictatime" } })
      assert.equal("rw,nodev", row_at(dir .. "/b").options)
      assert.matches("^ro", row_at(dir .. "/b/deep").options)
      ns.mount_setattr("b", { set = "relatime", propagation = "shared" })
      assert.equal("rw,nodev,relatime", row_at(dir .. "/b").options)
      assert.matches("^shared:", row_at(dir .. "/b").propagation)
    end)
  end)

  helpers.root_it("show other owners through a user namespace", function()
    local uid, inside_uid = helpers.in_child(function()
      ns.unshare "mnt"
      ns.propagate "rprivate"
      ns.mount("none", dir, "tmpfs")
      ns.mkdir(dir .. "/a")
      ns.mkdir(dir .. "/b")
      local r, w = ns.pipe()
      local child <close> = ns.fork(function()
        w:close()
        ns.unshare "user"
        r:read(1)
      end)
      r:close()
      repeat ns.poll({}, 0.01)
      until ns.readlink("/proc/" .. child.pid .. "/ns/user") ~= ns.readlink "/proc/self/ns/user"
      ns.map(child, { uid = { { 0, 100000, 1000 } }, gid = { { 0, 100000, 1000 } } })
      local tree = ns.open_tree(dir .. "/a", "clone")
      local ok, err = pcall(ns.mount_setattr, tree, { userns = ns.of(child, "user") })
      if not ok then return err.name, err.name end
      ns.move_mount(tree, dir .. "/b")
      return ns.stat(dir .. "/b").uid, ns.stat(dir .. "/a").uid
    end)
    assert.same({ 100000, 0 }, { uid, inside_uid })
  end)
end)
