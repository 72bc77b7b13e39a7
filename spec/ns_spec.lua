-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

local TYPES = { "user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time" }

-- What the kernel shows, without our own handles.
local function link(type, pid)
  return ns.readlink(("/proc/%s/ns/%s"):format(pid or "self", type))
end

local refusal = helpers.refusal

-- Descriptors that 100 refused calls leave open while nothing is collected.
local function growth(f, ...)
  local args = table.pack(...)
  return helpers.in_child(function()
    pcall(f, table.unpack(args, 1, args.n)) -- what is made once is made now
    collectgarbage(); collectgarbage "stop"
    local before = helpers.fds()
    for _ = 1, 100 do
      assert.is_false(pcall(f, table.unpack(args, 1, args.n)))
    end
    return helpers.fds() - before
  end)
end

describe("ns", function()
  helpers.adds_no_global "nslua"

  it("refuses wrong arguments before the kernel hears of them", function()
    helpers.in_child(function()
      -- where a mistake would do no harm
      ns.unshare(table.unpack(ns.geteuid() == 0 and { "uts", "mnt" } or { "user", "uts", "mnt" }))
      helpers.badargs(ns.unshare, "word ?word", "uts", "ipc")
      helpers.badargs(ns.setns, "any ?word", "/proc/self/ns/uts", "uts")
      helpers.badargs(ns.of, "any ?word", nil, "uts")
      local uts <close> = ns.of(nil, "uts")
      helpers.badargs(uts.pin, "any path", uts, "/no/such/place")
      for _, v in ipairs { -1, 0, 1.5, 2 ^ 40, true, {}, print, io.stdout, "a\0b" } do
        for _, f in ipairs { ns.of, ns.setns } do
          local ok, err = pcall(f, v)
          assert.is_false(ok)
          assert.not_equal("EPERM", type(err) == "table" and err.name)
        end
      end
      for _, v in ipairs { { monotonic = "x" }, { monotonic = 0 / 0 }, { boottime = 1e300 },
        { monotnic = 1 }, { 1 }, 1, "boottime" } do
        assert.equal("string", type(select(2, pcall(ns.timens_offsets, v))))
      end
      for _, v in ipairs { 1, "x", print, { uts = print, root = 1 } } do
        assert.equal(type(v) == "table", (pcall(ns.back, v)))
      end
    end)
  end)

  it("names the type that may have been meant", function()
    local _, err = pcall(ns.unshare, "uds")
    assert.matches('unknown namespace type "uds" %(did you mean "uts"%?%)', err)
    _, err = pcall(ns.unshare)
    assert.matches("namespace type expected", err)
  end)

  it("takes every name of a type, and its number", function()
    for word, type in pairs { mount = "mnt", network = "net", CLONE_NEWNS = "mnt", NEWUTS = "uts",
      [0x08000000] = "ipc", time = "time" } do
      assert.equal(type, ns.of(nil, word).type)
    end
  end)

  for _, type in ipairs(TYPES) do
    helpers.ns_it({ type }, "unshare " .. type .. " moves exactly what the man page says", function()
      helpers.in_child(function()
        local before = {}
        for _, t in ipairs(TYPES) do before[t] = link(t) end
        ns.unshare(type)
        local children = type == "pid" or type == "time"
        for _, t in ipairs(TYPES) do
          assert.equal(t == type and not children, link(t) ~= before[t])
        end
        if children then -- those get there
          local there = ns.fork(function() ns.poll({}, 30) end)
          assert.not_equal(before[type], link(type, there.pid))
          there:close()
        end
      end)
    end)
  end

  it("gives all eight at once to somebody without any right", function()
    local out, err = helpers.as_nobody([[
      local ns = require "nslua"
      local before = ns.of()
      ns.unshare("user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time")
      for name, there in pairs(ns.of()) do
        if (there ~= before[name]) == (name == "pid" or name == "time") then print("wrong", name) end
      end
      ns.map(nil, "root")
      ns.sethostname("box") ns.lo_up() ns.mount("none", "/", nil, "rprivate")
      ns.timens_offsets { boottime = 86400 }
      io.write(ns.getuid(), ns.gethostname(), "\n") io.flush()
      ns.fork(function() io.write(ns.getpid(), "\n") end):wait()]])
    assert.equal("", err)
    assert.equal("0box\n1\n", out)
  end)

  it("is refused what it has no right to", function()
    local out = helpers.as_nobody([[
      local ns = require "nslua"
      for _, t in ipairs { "mnt", "pid", "uts", "ipc", "net", "cgroup", "time" } do
        local _, _, number, err = ns.try(ns.unshare, t)
        io.write(err.name, " ", err.call, " ", err.args[1], "\n")
      end
      io.write(select(2, ns.try(ns.setns, ns.of(nil, "uts"))), "\n")]])
    for word in ("NEWNS NEWPID NEWUTS NEWIPC NEWNET NEWCGROUP NEWTIME"):gmatch "%u+" do
      assert.matches("EPERM unshare CLONE_" .. word .. "\n", out, 1, true)
    end
    assert.matches("setns%(%d+, 0%): Operation not permitted %(EPERM%)", out)
  end)

  helpers.root_it("says EINVAL to a second pid namespace, and which earlier call is to blame", function()
    helpers.in_child(function()
      ns.unshare("pid")
      assert.equal("EINVAL", refusal(ns.unshare, "pid"))
      assert.equal("EINVAL", refusal(ns.setns, ns.of(nil, "uts"), "net"))
      assert.equal("EINVAL", refusal(ns.setns, ns.getpid(), "user"))
    end)
  end)

  it("answers ENOSPC 32 levels deep, not with a crash", function()
    local level = helpers.in_child(function()
      for i = 1, 40 do
        local name = refusal(function() ns.unshare("user") ns.map(nil, "root") end)
        if name ~= "no refusal" then return i .. name end
      end
    end)
    assert.matches("^3[2-4]ENOSPC$", level)
  end)

  describe("a handle", function()
    it("shows what /proc shows", function()
      for name, n in pairs(ns.of()) do
        assert.equal(link(name), tostring(n))
        assert.equal(name, n.type)
        assert.equal(ns.stat("/proc/self/ns/" .. name).ino, n.inode)
      end
    end)

    it("is equal to every other on the same namespace, whatever way it came", function()
      local uts = ns.of(nil, "uts")
      local fd <close> = ns.open("/proc/self/ns/uts")
      local me <close> = ns.pidfd_open(ns.getpid())
      for _, same in ipairs { ns.of("/proc/self/ns/uts"), ns.of(fd), ns.of(uts), ns.of(me, "uts"),
        ns.of(ns.getpid(), "uts"), ns.of().uts } do
        assert.is_true(uts == same)
      end
      assert.is_false(uts == ns.of(nil, "net"))
    end)

    helpers.ns_it("user uts", "keeps a namespace without processes, and knows its owner", function()
      helpers.in_child(function()
        local r, w = ns.pipe()
        local child = ns.fork(function()
          ns.unshare("user", "uts") ns.map(nil, "root") ns.sethostname "kept"
          w:write("x") ns.poll({}, 30)
        end)
        r:read(1)
        local uts, user = ns.of(child, "uts"), ns.of(child, "user")
        child:close()
        assert.is_true(uts:owner() == user)
        assert.is_true(user:parent() == ns.of(nil, "user"))
        assert.equal(ns.geteuid(), user:owner_uid())
        assert.equal("EINVAL", refusal(uts.parent, uts))
        assert.equal("EINVAL", refusal(uts.owner_uid, uts))
        ns.setns(user, "user") ns.setns(uts)
        assert.equal("kept", ns.gethostname())
        assert.is_nil(ns.of(nil, "user"):parent()) -- now out of sight
      end)
    end)

    it("is found by its number, as long as a process is in it", function()
      local uts = ns.of(nil, "uts")
      assert.is_true(ns.of(uts.inode) == uts)
      assert.equal("ENOENT", select(2, pcall(ns.of, 2 ^ 40 | 0)).name)
    end)

    it("is found by its id, and by a row that names it", function()
      local uts = ns.of(nil, "uts")
      if not uts.id then return helpers.absent("ns.of{id}", "NS_GET_ID is of Linux 6.18") end
      for _, row in ipairs { { id = uts.id }, { id = uts.id, type = "uts" }, { ns = uts.inode },
        { inode = uts.inode, id = uts.id, type = "uts" } } do
        assert.is_true(ns.of(row) == uts)
      end
      assert.equal("ENOENT", select(2, pcall(ns.of, { id = uts.id, type = "net" })).name)
      assert.equal("ENOENT", select(2, pcall(ns.of, { id = math.maxinteger })).name)
      for _, row in ipairs { {}, { id = 0 }, { id = "1" }, { id = 1.5 }, { ns = -1 }, { id = 1, type = "x" } } do
        local ok, err = pcall(ns.of, row)
        assert.is_false(ok)
        assert.truthy(err:find("bad argument #1", 1, true), err)
      end
    end)

    it("has an id that is never used again", function()
      local uts = ns.of(nil, "uts")
      if not uts.id then return helpers.absent("ns.id", "NS_GET_ID is of Linux 6.18") end
      local other = helpers.in_child(function() ns.unshare("user", "uts") return ns.of(nil, "uts").id end)
      local third = helpers.in_child(function() ns.unshare("user", "uts") return ns.of(nil, "uts").id end)
      assert.is_true(uts.id ~= other and other ~= third and uts.id ~= third)
    end)

    it("says that it is closed", function()
      local n = ns.of(nil, "net")
      n:close() n:close()
      assert.matches("^net:%[%d+%] %(closed%)$", tostring(n))
      assert.matches("the handle is closed", refusal(n.owner, n))
      assert.is_nil(n.id)
    end)

    helpers.root_it("pins a namespace to a file, and takes the file away when it cannot", function()
      helpers.in_child(function()
        ns.unshare("mnt") ns.mount("none", "/", nil, "rprivate")
        ns.mount("tmpfs", "/tmp", "tmpfs")
        local old <close> = ns.of(nil, "net")
        ns.unshare("net")
        local net = ns.of(nil, "net")
        net:pin "/tmp/blue"
        ns.setns(old)
        net:close()
        ns.setns("/tmp/blue", "net")
        assert.is_false(ns.of(nil, "net") == old)
        local mnt = ns.of(nil, "mnt")
        assert.equal("EINVAL", refusal(mnt.pin, mnt, "/tmp/self")) -- into itself
        assert.is_false(ns.access "/tmp/self")
        ns.mount("tmpfs", "/tmp", "tmpfs", "remount,ro")
        assert.equal("EROFS", refusal(old.pin, old, "/tmp/red"))
      end)
    end)
  end)

  it("gives every descriptor of a refused call back at once", function()
    assert.equal(0, growth(ns.of, "/etc/passwd"))
    assert.equal(0, growth(ns.of, ns.open "/etc/passwd"))
    assert.equal(0, growth(ns.setns, "/proc/self/ns/uts", "net"))
    assert.equal(0, growth(ns.setns, "/etc/passwd", "net"))
    assert.equal(0, growth(function() ns.setns(ns.getpid(), "user") end))
    assert.equal(0, growth(ns.of, 4194304, "uts"))
    assert.equal(0, growth(ns.timens_offsets, { monotonic = 1 }))
  end)

  it("tells a process that has ended from one that lacks a type", function()
    helpers.in_child(function()
      local pid = ns.fork() -- a zombie: nobody waits yet
      if pid == 0 then ns._exit(0) end
      ns.poll({ ns.pidfd_open(pid) }, 5)
      assert.equal("ESRCH", refusal(ns.of, pid, "uts"))
      ns.wait(pid)
      assert.equal("ESRCH", refusal(ns.of, pid, "uts"))
    end)
  end)
end)
