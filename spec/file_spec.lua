-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

local function refusal(name, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal(name, err.name)
  return err
end

local function open_flags(fd)
  for line in io.lines("/proc/self/fdinfo/" .. fd:fileno()) do
    local octal = line:match "^flags:%s*(%d+)"
    if octal then return tonumber(octal, 8) end
  end
end

local CLOEXEC = tonumber("2000000", 8)

describe("descriptors", function()
  local dir

  setup(function() dir = ns.mkdtemp "/tmp/nslua-file-XXXXXX" end)
  teardown(function() helpers.run { "rm", "-rf", dir } end)

  helpers.adds_no_global "nslua"

  it("refuse wrong arguments before the kernel hears of them", function()
    local fd <close> = ns.open "/dev/null"
    local a <close> = ns.socketpair()
    helpers.badargs(ns.open, "path ?flags ?mode", "/no/such/file", "r", "644")
    helpers.badargs(ns.socketpair, "?word", "stream")
    helpers.badargs(ns.fd, "fd", 0)
    helpers.badargs(ns.poll, "list ?seconds", {}, 0)
    helpers.badargs(ns.isatty, "fd", 0)
    helpers.badargs(fd.read, "handle", fd)
    helpers.badargs(fd.write, "handle string", fd, "x")
    helpers.badargs(fd.fileno, "handle", fd)
    helpers.badargs(fd.dup, "handle", fd)
    helpers.badargs(fd.dup2, "handle int", fd, 2 ^ 30)
    helpers.badargs(fd.send, "handle string ?list", a, "x", {})
    helpers.badargs(fd.recv, "handle ?int", a, 1)
    helpers.badargs(fd.seek, "handle ?word ?integer", fd, "cur", 0)
    helpers.badargs(fd.flock, "handle flags", fd, "un")
    helpers.badargs(fd.sync, "handle", fd)
    helpers.badargs(fd.setnonblock, "handle", fd)
    for _, how in ipairs { "x", "", "n", -1, 1.5, 2 ^ 40, {}, print } do
      assert.is_false(pcall(fd.read, fd, how))
    end
  end)

  it("name the nearest word of a mistyped flag", function()
    local _, err = pcall(ns.open, "/", "rdonyl")
    assert.matches('unknown flag "rdonyl" %(did you mean "rdonly"%?%)', err)
    assert.is_false(pcall(ns.open, "/", "wronly,rdwr"))
    assert.is_false(pcall(ns.open, "/", "r,w"))
  end)

  it("tell the exact refusal", function()
    local file = dir .. "/file"
    ns.open(file, "w"):close()
    ns.symlink("loop", dir .. "/loop")
    for _, case in ipairs {
      { "ENOENT", dir .. "/none" },
      { "ENOTDIR", file .. "/x" },
      { "ENOTDIR", file, "directory" },
      { "EEXIST", file, "w,excl" },
      { "EISDIR", dir, "w" },
      { "ELOOP", dir .. "/loop" },
      { "ELOOP", dir .. "/loop", "nofollow" },
      { "ENAMETOOLONG", ("x"):rep(300) },
    } do
      local err = refusal(case[1], ns.open, case[2], case[3])
      assert.equal("open", err.call)
      assert.equal(case[2], (err.args[1]:sub(2, -2)))
    end
    local fd = ns.open(file)
    refusal("EBADF", fd.write, fd, "x")
    refusal("ENOTSOCK", fd.send, fd, "x")
    refusal("ENOTSOCK", fd.recv, fd)
    refusal("EINVAL", fd.seek, fd, "set", -1)
    fd:close()
    local r, w = ns.pipe()
    refusal("EBADF", w.read, w, 1)
    refusal("ESPIPE", r.seek, r)
    refusal("EINVAL", r.sync, r)
    refusal("EBADF", ns.fd, 1 << 20)
    refusal("EBADF", ns.poll, { 1 << 20 })
    refusal("ESOCKTNOSUPPORT", ns.socketpair, 4)
  end)

  it("are all close-on-exec", function()
    local file = ns.open "/dev/null"
    local r, w = ns.pipe()
    local a, b = ns.socketpair()
    a:send("x", { r })
    local _, came = b:recv()
    for _, fd in ipairs { file, r, w, a, b, came[1], r:dup(), ns.fd(0) } do
      assert.not_equal(0, open_flags(fd) & CLOEXEC)
    end
  end)

  it("read and write a file with io's words", function()
    local path = dir .. "/text"
    local fd = ns.open(path, "w", "600")
    assert.is_true(fd:write "one\ntwo")
    fd:close()
    assert.equal(tonumber("600", 8), ns.stat(path).mode)
    ns.open(path, "a"):write "\nthree"
    fd = ns.open(path)
    assert.equal("one", fd:read())
    assert.equal("two\nthree", fd:read "a")
    assert.is_nil(fd:read())
    assert.is_nil(fd:read(1))
    assert.equal("", fd:read "a")
    assert.equal(4, fd:seek("set", 4))
    assert.equal("tw", fd:read(2))
    assert.equal(13, fd:seek "end")
  end)

  it("write all of a text that is larger than a pipe", function()
    local r, w = ns.pipe()
    local child = ns.fork(function()
      r:close()
      w:write(("0123456789"):rep(100000))
    end)
    w:close()
    assert.equal(1000000, #r:read "a")
    assert.is_true(child:wait())
  end)

  it("answer EPIPE and no signal when nobody reads", function()
    for _, make in ipairs { ns.pipe, ns.socketpair } do
      assert.equal("EPIPE", helpers.in_child(function()
        local r, w = make()
        r:close()
        local _, err = pcall(w.write, w, "x")
        return err.name
      end))
    end
  end)

  it("answer EAGAIN when they may not wait", function()
    local r, _w = ns.pipe() -- an unused end would be collected
    r:setnonblock()
    refusal("EAGAIN", r.read, r, 1)
    local a, _b = ns.socketpair()
    a:setnonblock()
    refusal("EAGAIN", a.recv, a)
    a:setnonblock(false)
    assert.same({}, ns.poll({ a }, 0))
  end)

  it("lock a file", function()
    local path = dir .. "/lock"
    local one, two = ns.open(path, "w"), ns.open(path, "w")
    assert.is_true(one:flock "ex")
    refusal("EAGAIN", two.flock, two, "ex,nb")
    one:flock "un"
    assert.is_true(two:flock { "sh", "nb" })
  end)

  it("show, compare and close themselves", function()
    local fd = ns.open("/dev/null", "rdwr")
    assert.equal("fd " .. fd:fileno(), tostring(fd))
    assert.not_equal(fd, fd:dup())
    collectgarbage()
    local before = helpers.fds()
    do
      local other <close> = ns.open("/dev/null", "wronly")
      assert.equal(before + 1, helpers.fds())
      other:write "x"
    end
    assert.equal(before, helpers.fds())
    assert.is_true(fd:close())
    assert.is_true(fd:close())
    assert.equal("fd (closed)", tostring(fd))
    assert.equal(before - 1, helpers.fds())
    local _, err = pcall(fd.read, fd)
    assert.matches("the handle is closed", err)
  end)

  it("survive an exec under a number", function()
    local r, w = ns.pipe()
    local child = ns.fork(function()
      w:dup2(9)
      ns.exec { "sh", "-c", "echo over >&9" }
    end)
    w:close()
    assert.equal("over\n", r:read "a")
    assert.is_true(child:wait())
  end)
end)
