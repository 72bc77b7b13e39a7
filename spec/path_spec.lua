-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

local function refusal(name, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal(name, err.name)
end

local function octal(text) return tonumber(text, 8) end

describe("names in the file system", function()
  local dir
  local function at(name) return dir .. "/" .. name end

  before_each(function()
    dir = ns.mkdtemp "/tmp/nslua-path-XXXXXX"
    ns.open(at "file", "w", "640"):write "12345"
    ns.mkdir(at "dir", "700")
    ns.symlink("file", at "link")
    ns.symlink("nowhere", at "dangling")
  end)
  after_each(function() helpers.run { "rm", "-rf", dir } end)

  it("refuse wrong arguments before the kernel hears of them", function()
    local none = "/no/such/file"
    helpers.badargs(ns.lstat, "path", none)
    helpers.badargs(ns.is_mount, "path", none)
    helpers.badargs(ns.access, "path ?path", none, "r")
    for _, f in ipairs { ns.readlink, ns.rmdir, ns.unlink, ns.mkdtemp } do
      helpers.badargs(f, "path", none)
    end
    for _, f in ipairs { ns.symlink, ns.hardlink, ns.rename } do
      helpers.badargs(f, "path path", none, none)
    end
    helpers.badargs(ns.mkdir, "path ?mode", none, "755")
    helpers.badargs(ns.chmod, "any mode", none, "755")
    helpers.badargs(ns.chown, "any ?id ?id", none, 1, 1)
    helpers.badargs(ns.lchown, "path ?id ?id", none, 1, 1)
    helpers.badargs(ns.umask, "?mode", "022")
    helpers.badargs(ns.mknod, "path word ?mode int int", none, "char", "600", 1, 3)
    for _, f in ipairs { ns.stat, ns.readdir, ns.chmod } do
      for _, v in ipairs { true, "a\0b", -1, 1.5, {}, print } do
        local ok, err = pcall(f, v, "755")
        assert.is_false(ok)
        assert.matches("bad argument #1", err)
      end
    end
    assert.is_false(pcall(ns.chown, none))
    assert.is_false(pcall(ns.access, none, "rq"))
  end)

  it("tell the exact refusal", function()
    for _, case in ipairs {
      { "ENOENT", ns.stat, at "none" }, { "ENOENT", ns.stat, at "dangling" },
      { "ENOTDIR", ns.stat, at "file/x" }, { "EBADF", ns.stat, 1 << 20 },
      { "ENOENT", ns.lstat, at "none" }, { "ENAMETOOLONG", ns.stat, ("x"):rep(5000) },
      { "EINVAL", ns.readlink, at "file" }, { "ENOENT", ns.readlink, at "none" },
      { "ENOTDIR", ns.readdir, at "file" }, { "ENOENT", ns.readdir, at "none" },
      { "EEXIST", ns.mkdir, at "dir" }, { "ENOENT", ns.mkdir, at "none/x" },
      { "ENOTDIR", ns.mkdir, at "file/x" }, { "EINVAL", ns.mkdtemp, at "x" },
      { "ENOENT", ns.mkdtemp, at "none/XXXXXX" },
      { "ENOTEMPTY", ns.rmdir, dir }, { "ENOTDIR", ns.rmdir, at "file" },
      { "EINVAL", ns.rmdir, at "dir/." }, { ns.geteuid() == 0 and "EBUSY" or "EACCES", ns.rmdir, "/proc" },
      { "EISDIR", ns.unlink, at "dir" }, { "ENOENT", ns.unlink, at "none" },
      { "EEXIST", ns.symlink, "x", at "link" }, { "ENOENT", ns.symlink, "", at "new" },
      { "EEXIST", ns.hardlink, at "file", at "link" }, { "EPERM", ns.hardlink, at "dir", at "new" },
      { "EXDEV", ns.hardlink, "/proc/self/status", at "new" },
      { "ENOENT", ns.rename, at "none", at "new" }, { "EINVAL", ns.rename, at "dir", at "dir/x" },
      { "EISDIR", ns.rename, at "file", at "dir" }, { "ENOTDIR", ns.rename, at "dir", at "file" },
      { "EEXIST", ns.mknod, at "file", "fifo" }, { "EPERM", ns.mknod, at "new", "dir" },
      { "ENOENT", ns.chmod, at "none", "644" }, { "EBADF", ns.chmod, 1 << 20, "644" },
      { "ENOENT", ns.chown, at "dangling", 0, 0 },
    } do
      refusal(table.unpack(case))
    end
    ns.symlink("round", at "round")
    refusal("ELOOP", ns.stat, at "round")
  end)

  it("tell what is there", function()
    local st = ns.stat(at "file")
    assert.equal("file", st.type)
    assert.equal(5, st.size)
    assert.equal(octal "640" & ~ns.umask(), st.mode)
    assert.equal(ns.geteuid(), st.uid)
    assert.is_true(math.abs(st.mtime - os.time()) < 100)
    assert.same(st, ns.stat(at "link"))
    local fd <close> = ns.open(at "file")
    assert.equal(st.ino, ns.stat(fd).ino)
    assert.equal("link", ns.lstat(at "link").type)
    assert.equal("dir", ns.stat(dir).type)
    assert.equal("fifo", ns.stat((ns.pipe())).type)
    assert.equal("socket", ns.stat((ns.socketpair())).type)
    local null = ns.stat "/dev/null"
    assert.same({ "char", 1, 3 }, { null.type, null.major, null.minor })
    assert.equal("file", ns.readlink(at "link"))
  end)

  it("answer whether something may be used", function()
    assert.is_true(ns.access(at "file"))
    assert.is_true(ns.access(at "file", "rw"))
    assert.is_false(ns.access(at "file", "x"))
    assert.is_false(ns.access(at "none"))
    assert.is_false(ns.access(at "dangling"))
    assert.is_true(ns.is_mount "/proc")
    assert.is_false(ns.is_mount "/proc/self")
  end)

  it("list a folder, however large, and leave no descriptor open", function()
    for i = 1, 2000 do ns.open(at("dir/" .. ("x"):rep(90) .. 10000 + i), "w"):close() end
    collectgarbage()
    local before = helpers.fds()
    local names = ns.readdir(at "dir")
    assert.equal(2000, #names)
    local folder <close> = ns.open(at "dir", "directory")
    assert.equal(2000, #ns.readdir(folder))
    assert.same(names, ns.readdir(folder))
    pcall(ns.readdir, at "none")
    assert.equal(before + 1, helpers.fds())
    table.sort(names)
    assert.equal(("x"):rep(90) .. "10001", names[1])
  end)

  it("make, change and remove", function()
    ns.hardlink(at "file", at "second")
    assert.equal(2, ns.stat(at "file").nlink)
    ns.rename(at "second", at "third")
    ns.unlink(at "file")
    assert.is_true(ns.chmod(at "third", "4711"))
    assert.equal(octal "4711", ns.stat(at "third").mode)
    ns.chmod(ns.open(at "third"), octal "600")
    assert.equal(octal "600", ns.stat(at "third").mode)
    ns.mknod(at "fifo", "fifo", "600")
    assert.equal("fifo", ns.stat(at "fifo").type)
    ns.rmdir(at "dir")
    local names = ns.readdir(dir)
    table.sort(names)
    assert.same({ "dangling", "fifo", "link", "third" }, names)
  end)

  it("follow the umask", function()
    local mode, before, now = helpers.in_child(function()
      local old = ns.umask "077"
      ns.mkdir(at "masked")
      return ns.stat(at "masked").mode, old, ns.umask()
    end)
    assert.equal(octal "700", mode)
    assert.equal(ns.umask(), before)
    assert.equal(octal "077", now)
  end)

  helpers.root_it("change owners", function()
    ns.chown(at "link", 1000, nil)
    ns.lchown(at "link", 12, 13)
    ns.chown(ns.open(at "dir"), nil, 4294967294)
    assert.same({ 1000, ns.getegid() }, { ns.stat(at "file").uid, ns.stat(at "file").gid })
    assert.same({ 12, 13 }, { ns.lstat(at "link").uid, ns.lstat(at "link").gid })
    assert.equal(4294967294, ns.stat(at "dir").gid)
  end)

  helpers.ns_it("user", "refuse a device in a user namespace, and an id without a map", function()
    local device, owner = helpers.in_child(function()
      ns.unshare "user"
      local _, a = pcall(ns.mknod, at "null", "char", "666", 1, 3)
      local _, b = pcall(ns.chown, at "file", 12, 12)
      return a.name, b.name
    end)
    assert.same({ "EPERM", "EINVAL" }, { device, owner })
  end)

  it("leave a removed working directory with ENOENT", function()
    assert.equal("ENOENT", helpers.in_child(function()
      ns.chdir(at "dir")
      assert(ns.getcwd() == at "dir")
      ns.rmdir(at "dir")
      local _, err = pcall(ns.getcwd)
      return err.name
    end))
  end)
end)
