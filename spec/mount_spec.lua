-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

local dir = ns.mkdtemp "/tmp/nslua-mount-XXXXXX"

-- Runs fn in a child with a mount table of its own, in an empty tmpfs.
local function inside(fn, ...)
  return helpers.in_child(function(...)
    ns.unshare("user", "mnt")
    ns.map(nil, "root")
    ns.mount(nil, "/", nil, "rprivate")
    ns.mount("none", dir, "tmpfs", nil, "mode=755")
    ns.chdir(dir)
    for _, name in ipairs { "a", "b", "c" } do ns.mkdir(name) end
    ns.open("file", "w"):close()
    return fn(...)
  end, ...)
end

local function it_mounts(name, fn) return helpers.ns_it("user mnt", name, fn) end

local name_of = helpers.refusal

local row_at = helpers.mount_at

describe("mounts:", function()
  teardown(function() ns.rmdir(dir) end)

describe("mount", function()
  it("refuses wrong arguments before the kernel hears of them", function()
    local none = "/no/such/place"
    helpers.badargs(ns.mount, "?path path ?path ?flags ?path", "x", none, "tmpfs", "ro", "size=1m")
    helpers.badargs(ns.umount, "path ?flags", none, "detach")
    helpers.badargs(ns.chroot, "path", none)
    helpers.badargs(ns.pivot_root, "path ?path", none, none)
    for _, v in ipairs { true, "a\0b", -1, 1.5, {}, print } do
      assert.is_false(pcall(ns.chdir, v))
    end
    local ok, err = pcall(ns.mount, "x", none)
    assert.is_false(ok)
    assert.matches("#3.*wants a file system type", err)
    ok, err = pcall(ns.mount, "x", none, "tmpfs", nil, ("x"):rep(4096))
    assert.is_false(ok)
    assert.matches("#5.*4095", err)
    ok, err = pcall(ns.mount, "x", none, "tmpfs", "nosiud")
    assert.is_false(ok)
    assert.matches('did you mean "nosuid"', err)
  end)

  it_mounts("tells the exact refusal", function()
    local cases = {
      { "ENOENT", ns.mount, "x", "none", "tmpfs" },
      { "ENOENT", ns.mount, "none", "a", nil, "bind" },
      { "ENODEV", ns.mount, "x", "a", "no such type" },
      { "ENOTDIR", ns.mount, "x", "file", "tmpfs" },
      { "ENOTDIR", ns.mount, "file", "a", nil, "bind" },
      { "ENOTDIR", ns.mount, "a", "file", nil, "bind" },
      { "EINVAL", ns.mount, "x", "a", "tmpfs", nil, "size=what" },
      { "EINVAL", ns.mount, nil, "a", nil, "remount" },
      { "EINVAL", ns.mount, nil, "a", nil, "rprivate" },
      { "EINVAL", ns.mount, nil, dir, nil, "shared,private" },
      { "EPERM", ns.mount, "/dev/no such disk", "a", "ext4" },
      { "ENAMETOOLONG", ns.mount, "x", ("x"):rep(300), "tmpfs" },
      { "EINVAL", ns.umount, "a" }, { "ENOENT", ns.umount, "none" },
      { "EBUSY", ns.umount, dir }, { "EINVAL", ns.umount, dir, "detach,expire" },
      { "EINVAL", ns.umount, "/proc" }, -- locked: it came from the parent
      { "ENOENT", ns.chroot, "none" }, { "ENOTDIR", ns.chroot, "file" },
      { "ENOENT", ns.chdir, "none" }, { "ENOTDIR", ns.chdir, "file" },
      { "EBADF", ns.chdir, 1 << 20 },
      { "EINVAL", ns.pivot_root, "a" }, { "ENOENT", ns.pivot_root, "none" },
      { "ENOTDIR", ns.pivot_root, "file" }, { "ENOENT", ns.pivot_root, dir, "none" },
    }
    for i, case in ipairs(cases) do
      local got = inside(function() return name_of(table.unpack(case, 2, 7)) end)
      if case[1] == "EPERM" and got == "ENOENT" then got = "EPERM" end -- the disk is looked up first
      assert.equal(case[1], got, ("case %d: %s"):format(i, tostring(case[3])))
    end
  end)

  it("is refused to those who have no right", function()
    local out, err = helpers.as_nobody [[
      local ns = require "nslua"
      for _, f in ipairs { function() ns.mount("x", "/tmp", "tmpfs") end, function() ns.umount "/proc" end,
          function() ns.chroot "/" end, function() ns.pivot_root "/" end } do
        local _, e = pcall(f)
        io.write(e.name, " ")
      end]]
    assert.same({ "EPERM EPERM EPERM EPERM ", "" }, { out, err })
  end)

  it_mounts("mounts, with one call, and takes away", function()
    local lines, shown, mode, row, gone = inside(function()
      local lines = {}
      ns.trace(function(line) lines[#lines + 1] = line end)
      local m = ns.mount("here", "a", "tmpfs", "nosuid,noexec", "mode=711,size=64k")
      ns.trace(false)
      local row = row_at(dir .. "/a")
      local shown = tostring(m)
      local mode = ns.stat("a").mode
      assert.is_true(m:umount())
      return table.concat(lines, "\n"), shown, mode, row.source .. " " .. row.type .. " " .. row.options,
        row_at(dir .. "/a") == nil
    end)
    assert.equal('mount("here", "a", "tmpfs", MS_NOSUID|MS_NOEXEC, "mode=711,size=64k") = 0', lines)
    assert.equal("mount " .. dir .. "/a (tmpfs)", shown)
    assert.equal(tonumber("711", 8), mode)
    assert.equal("here tmpfs rw,nosuid,noexec,relatime", row)
    assert.is_true(gone)
  end)

  it_mounts("is one system call, and no other as long as nobody uses the handle", function()
    local out, err = helpers.run { "strace", "-qq", "-e", "trace=%file", "-e", "signal=none", helpers.program, "-e", [[
      local ns = require "nslua"
      ns.unshare("user", "mnt")
      ns.chdir "/"
      ns.mount("x", "/tmp", "tmpfs")
      ns.umount "/tmp"]] }
    assert.equal("", out)
    local tail = err:match 'chdir%("/"%)[^\n]*\n(.*)' -- who has no strace has no such line
    if not tail then pending "absent: no strace here" end
    assert.same({ "mount", "umount2" }, { tail:match "^(%w+)[^\n]*\n(%w+)[^\n]*\n$" }, tail)
  end)

  it_mounts("knows its number before another mount can take its place", function()
    assert.same({ false, false, false, "second" }, { inside(function()
      local first = ns.mount("first", "a", "tmpfs")
      local elsewhere = ns.mount("elsewhere", "b", "tmpfs")
      ns.umount(elsewhere)
      ns.umount "./a"
      ns.mount("second", "a", "tmpfs")
      local late = ns.mount("late", "b", "tmpfs")
      ns.fork(function() ns.umount "b" end):wait()
      return first == elsewhere, first:umount(), late:umount(), row_at(dir .. "/a").source
    end) })
  end)

  it_mounts("answers true when it only changes a mount", function()
    assert.same({ true, true, "ro,relatime shared:" }, { inside(function()
      local a = ns.mount(nil, dir, nil, "remount,bind,ro")
      local b = ns.mount(nil, dir, nil, "shared")
      local row = row_at(dir)
      return a, b, row.options .. " " .. row.propagation:match "^shared:"
    end) })
  end)

  it_mounts("moves", function()
    assert.same({ "nil", "tmpfs" }, { inside(function()
      ns.mount("x", "a", "tmpfs")
      ns.mount("a", "b", nil, "move")
      return tostring(row_at(dir .. "/a")), row_at(dir .. "/b").type
    end) })
  end)
end)

describe("a Mount", function()
  it_mounts("goes with its block, on any exit of it", function()
    inside(function()
      do
        local m <close> = ns.mount("x", "a", "tmpfs")
        ns.open("a/busy", "w"):close()
        assert.is_truthy(row_at(dir .. "/a"))
        assert.equal(dir .. "/a", m.target)
        assert.equal("tmpfs", m.type)
        assert.equal("x", m.source)
      end
      assert.is_nil(row_at(dir .. "/a"))
      local ok, err = pcall(function()
        local m <close> = ns.mount("x", "a", "tmpfs") -- luacheck: ignore m
        error("why", 0)
      end)
      assert.is_false(ok)
      assert.equal("why", err)
      assert.is_nil(row_at(dir .. "/a"))
    end)
  end)

  it_mounts("stays when it is only forgotten", function()
    inside(function()
      ns.mount("x", "a", "tmpfs")
      collectgarbage()
      collectgarbage()
      assert.is_truthy(row_at(dir .. "/a"))
    end)
  end)

  it_mounts("never takes away another mount at its place", function()
    inside(function()
      local m = ns.mount("mine", "a", "tmpfs")
      ns.umount "a"
      local other = ns.mount("other", "a", "tmpfs")
      assert.not_equal(m, other)
      assert.is_false(m:umount())
      assert.equal("other", row_at(dir .. "/a").source)
      assert.matches("unmounted", tostring(m))
      assert.is_true(other:umount())
      assert.is_false(other:umount())
    end)
  end)

  it_mounts("does nothing in a forked child nor in another namespace", function()
    inside(function()
      local m <close> = ns.mount("x", "a", "tmpfs")
      local child = ns.fork(function() assert(m:umount() == false) end)
      assert.is_true(child:wait())
      assert.is_truthy(row_at(dir .. "/a"))
      ns.unshare "mnt"
      assert.is_false(m:umount())
      assert.is_truthy(row_at(dir .. "/a"))
    end)
  end)

  it_mounts("refuses what umount2 refuses and can be tried again", function()
    inside(function()
      local m = ns.mount("x", "a", "tmpfs")
      local fd = ns.open("a/file", "w")
      assert.equal("EBUSY", name_of(m.umount, m, "nofollow"))
      fd:close()
      assert.is_true(m:umount "nofollow")
      assert.is_false(pcall(m.umount, m, "no such flag"))
    end)
  end)
end)

describe("the root", function()
  it_mounts("changes by pivot_root, and the old one is gone", function()
    local lines, names, cwd, table_size = inside(function()
      local lines = {}
      ns.open("marker", "w"):close()
      ns.trace(function(line) lines[#lines + 1] = line end)
      ns.pivot_root(dir)
      ns.trace(false)
      local names = ns.readdir "/"
      table.sort(names)
      return table.concat(lines, "\n"), table.concat(names, " "), ns.getcwd(), #ns.mounts()
    end)
    assert.equal(table.concat({
      ('chdir("%s") = 0'):format(dir), 'pivot_root(".", ".") = 0',
      'umount2(".", MNT_DETACH) = 0', 'chdir("/") = 0' }, "\n"), lines)
    assert.equal("a b c file marker", names)
    assert.equal("/", cwd)
    assert.equal(1, table_size)
  end)

  it_mounts("stays, and the directory too, when pivot_root is refused", function()
    inside(function()
      assert.equal("EINVAL", name_of(ns.pivot_root, "a"))
      assert.equal(dir, ns.getcwd())
      assert.is_true(ns.access("/proc/self"))
    end)
  end)

  it_mounts("keeps the old one where pivot_root is told to", function()
    inside(function()
      ns.pivot_root(dir, dir .. "/a")
      assert.is_true(ns.access "/a/proc/self")
    end)
  end)

  it_mounts("changes by chroot, and an open folder leads out", function()
    inside(function()
      local out = ns.open("/", "path,directory")
      local before = ns.stat "/"
      ns.chroot "a"
      assert.not_equal(before.ino .. ":" .. before.dev, ns.stat("/").ino .. ":" .. ns.stat("/").dev)
      ns.chdir(out)
      assert.equal(before.ino, ns.stat(".").ino)
    end)
  end)
end)
end)
