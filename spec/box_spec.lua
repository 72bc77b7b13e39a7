-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"
local sys = require "nslua.sys"

local ALL = { "user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time" }
local BOX = { "user", "mnt", "pid", "uts" }

local refusal = helpers.refusal

local function outcome(...)
  return table.concat({ tostring((...)), select(2, ...) }, " ")
end

-- The last pid that was given away in the box's pid namespace.
local function last_pid(b)
  return b:call(function()
    return tonumber(io.open "/proc/loadavg":read "a":match "(%d+)%s*$")
  end)
end

local function alive(pid) return (pcall(ns.kill, pid, 0)) end

-- fn(box) in a child, so that whatever it does to itself ends there.
local function with_box(opts, fn)
  return helpers.in_child(function()
    local b <close> = ns.box(opts)
    return fn(b)
  end)
end

describe("ns.run", function()
  helpers.adds_no_global "nslua.box"

  helpers.ns_it(BOX, "gives the end of its program in the shapes of os.execute", function()
    for want, program in pairs { ["true exit 0"] = { "true" }, ["nil exit 3"] = { "sh", "-c", "exit 3" },
      ["nil signal 9"] = { "sh", "-c", "kill -9 $$" }, ["nil signal 15"] = { "sh", "-c", "kill $$" },
      ["nil exit 143"] = { "sh", "-c", "exit 143" }, ["nil exit 255"] = { "sh", "-c", "exit 255" } } do
      for _, opts in ipairs { {}, { "uts" }, { "pid" }, { "mnt", "pid", "uts" } } do
        assert.equal(want, outcome(ns.run(opts, program)))
      end
    end
    -- a program that is PID 1 itself does not hear a signal that it does not handle
    assert.equal("nil exit 7", outcome(ns.run({ "pid", init = false }, { "sh", "-c", "kill $$; exit 7" })))
    for want, fn in pairs { ["nil exit 4"] = function() return 4 end, ["true exit 0"] = function() end,
      ["nil exit 1"] = function() return false end } do
      assert.equal(want, outcome(ns.run({ "uts" }, fn)))
      assert.equal(want, outcome(ns.run({ "pid" }, fn)))
    end
  end)

  helpers.ns_it(BOX, "raises for a program that cannot be started, and not for one that fails", function()
    helpers.in_child(function()
      for _, opts in ipairs { {}, { "uts" }, { "pid" }, { "mnt", "pid", init = false } } do
        assert.equal("ENOENT", refusal(ns.run, opts, { "/no/such/program" }))
        assert.equal("ENOENT", refusal(ns.run, opts, { "no-such-program" }))
        assert.equal("EACCES", refusal(ns.run, opts, { "/etc/passwd" }))
      end
      assert.equal("ECHILD", refusal(ns.wait))
    end)
  end)

  helpers.ns_it(BOX, "makes the program PID 2 under the reaper, or PID 1 with init = false", function()
    local function pid(opts)
      local fd <close> = ns.memfd "out"
      opts.stdout = fd
      ns.run(opts, { "sh", "-c", "echo $$" })
      fd:seek("set", 0)
      return fd:read "a"
    end
    assert.equal("2\n", pid { "pid" })
    assert.equal("1\n", pid { "pid", init = false })
  end)

  helpers.ns_it(BOX, "never changes a namespace that it did not make", function()
    helpers.in_child(function()
      local hostname, mounts = ns.gethostname(), #ns.mounts()
      ns.run({ "uts", "mnt", "pid", hostname = "inner", mounts = { { "none", "/tmp", "tmpfs" } } },
        { "sh", "-c", "mount -t tmpfs none /mnt 2>/dev/null; test $(hostname) = inner" })
      assert.equal(hostname, ns.gethostname())
      assert.equal(mounts, #ns.mounts())
    end)
  end)
end)

describe("ns.box", function()
  helpers.ns_it(ALL, "with nothing named has every type that this machine has", function()
    with_box({}, function(b)
      for name, theirs in pairs(b:ns()) do
        if name ~= "user" or not sys.is_admin() then assert.is_false(theirs == ns.of(nil, name)) end
      end
      assert.equal("1\n", (b:read "readlink /proc/1/ns/pid >/dev/null && echo 1"))
    end)
  end)

  helpers.ns_it(ALL, "works for somebody without any right", function()
    local out, err = helpers.as_nobody [[
      local ns = require "nslua"
      local b <close> = ns.box { "mnt", "ipc", hostname = "box", net = "lo" }
      io.write(b:hostname(), " ", b:read { "sh", "-c", "echo $$" }, b:read "id -u", b:call(ns.gethostname), "\n")
      io.write(tostring(b:read "ls /proc | grep -c '^[0-9]'"))]]
    assert.equal("", err)
    assert.equal("box 2\n0\nbox\n", out:match "^.-\n.-\n.-\n")
    assert.is_true(tonumber(out:match "(%d+)\n$") <= 5)
  end)

  helpers.ns_it(BOX, "adds pid, unless that is refused", function()
    with_box({ "uts" }, function(b) assert.is_false(b:ns "pid" == ns.of(nil, "pid")) end)
    with_box({ "uts", pid = false }, function(b) assert.is_true(b:ns "pid" == ns.of(nil, "pid")) end)
  end)

  helpers.ns_it(BOX, "leaves nothing: no process, no descriptor, nothing of what it started", function()
    helpers.in_child(function()
      ns.run({ "pid" }, { "true" }) -- what is made once is made now
      collectgarbage() collectgarbage()
      local fds = helpers.fds()
      local pids = {}
      do
        local b <close> = ns.box { "mnt", "uts" }
        pids[1] = b.pid
        pids[2] = b:spawn({ "sleep", "60" }).pid
        pids[3] = b:spawn({ "sh", "-c", "setsid sleep 60 & sleep 60" }, { session = true }).pid
        pids[4] = b:spawn(function() ns.poll({}, 60) end).pid
        for _, pid in ipairs(pids) do assert.is_true(alive(pid)) end
      end
      for _, pid in ipairs(pids) do assert.is_false(alive(pid)) end
      collectgarbage() collectgarbage()
      assert.equal(fds, helpers.fds())
      assert.equal("ECHILD", refusal(ns.wait))
    end)
  end)

  helpers.ns_it(BOX, "leaves nothing when an error, a break or the collector ends it", function()
    helpers.in_child(function()
      local pid
      pcall(function() local b <close> = ns.box { "uts" } pid = b.pid error "out" end)
      assert.is_false(alive(pid))
      for i = 1, 2 do local b <close> = ns.box { "uts" } pid = b.pid if i == 1 then break end end
      assert.is_false(alive(pid))
      pid = ns.box { "uts" }.pid
      collectgarbage() collectgarbage()
      assert.is_false(alive(pid))
    end)
  end)

  helpers.ns_it(BOX, "ends with its host, however that is killed", function()
    local r, w = ns.pipe()
    local host = ns.fork(function()
      local b = ns.box { "uts", "mnt" }
      local s = b:spawn { "sh", "-c", "trap '' TERM HUP INT; sleep 60" }
      local f = b:spawn(function() ns.poll({}, 60) end)
      w:write(("%d %d %d\n"):format(b.pid, s.pid, f.pid))
      ns.poll({}, 60)
    end)
    local handles = {}
    for pid in r:read "l":gmatch "%d+" do handles[#handles + 1] = ns.pidfd_open(math.tointeger(pid)) end
    host:kill "KILL" host:wait()
    for _, p in ipairs(handles) do assert.equal("exit", select(2, p:wait(2))) end
  end)

  helpers.ns_it(BOX, "takes handles to join, and a type as true, false or a handle", function()
    with_box({ "uts", hostname = "first" }, function(b)
      local user = b:ns "user"
      local opts = { uts = b:ns "uts", pid = true }
      if user ~= ns.of(nil, "user") then opts.user = user end
      local c <close> = ns.box(opts)
      assert.equal("first", c:hostname())
      assert.is_true(c:ns "uts" == b:ns "uts")
      assert.is_false(c:ns "pid" == b:ns "pid")
    end)
  end)

  helpers.ns_it({ "user", "mnt", "pid", "uts", "net" }, "has lo up with net = \"lo\", and down without", function()
    for net, want in pairs { lo = 1, [true] = 0 } do
      with_box({ net = net }, function(b)
        assert.equal(want, b:call(function()
          local n = 0
          for line in io.lines "/proc/net/if_inet6" do if line:find "lo$" then n = n + 1 end end
          return n
        end))
      end)
    end
  end)

  helpers.ns_it(BOX, "shows its own /proc, propagates no mount, and says what it is from outside", function()
    with_box({ "mnt", "uts", hostname = "seen" }, function(b)
      assert.equal("1\n", (b:read "ls /proc | grep -x 1"))
      b:sh "mount -t tmpfs none /tmp"
      for _, m in ipairs(ns.mounts()) do assert.is_false(m.mountpoint == "/tmp" and m.source == "none") end
      for _, m in ipairs(b:mounts()) do assert.equal("private", m.propagation) end
      assert.equal("seen", b:hostname())
      assert.equal(b.pid, b:pids()[1])
      assert.equal(1, b:pids()[2])
      assert.equal(1, b:pid_in(b))
      assert.matches("hostname seen", tostring(b:view()))
      local unshare, nsenter = b:command()
      assert.matches("^unshare .*%-%-uts", unshare)
      assert.matches("^nsenter %-%-target=" .. b.pid, nsenter)
    end)
  end)
end)

describe("in a box", function()
  helpers.ns_it(BOX, "each spawn uses one pid, and looking uses none", function()
    with_box({ "mnt", "uts" }, function(b)
      local before = last_pid(b)
      local p = b:spawn { "sleep", "60" }
      assert.equal(before + 1, b:pids(p) and p:pid_in(b))
      p = b:spawn(function() ns.poll({}, 60) end)
      assert.equal(before + 2, p:pid_in(b))
      b:ps() b:mounts() b:hostname() b:view() b:pids() b:ns()
      assert.equal(before + 3, b:call(ns.getpid))
      b:run { "true" } b:read { "true" } b:run(function() end)
      assert.equal(before + 7, b:call(ns.getpid))
      assert.is_true(ns.dumpable())
    end)
  end)

  helpers.ns_it(BOX, "run, sh and read give output and end exactly", function()
    with_box({ "mnt", "uts" }, function(b)
      assert.equal("nil exit 5", outcome(b:sh "exit 5"))
      assert.equal("nil signal 9", outcome(b:sh "kill -9 $$"))
      assert.equal("true exit 0", outcome(b:run(function() end)))
      local text, ok, how, code = b:read "echo out; exit 6"
      assert.equal("out\n nil exit 6", table.concat({ text, tostring(ok), how, code }, " "))
      assert.equal(("x"):rep(200000), (b:read "head -c 200000 /dev/zero | tr '\\0' x"))
      assert.equal("ENOENT", refusal(b.run, b, { "/no/such" }))
      for _, f in ipairs { "spawn", "run", "read", "sh" } do assert.matches("%s", refusal(b[f], b, 5)) end
      b:close()
      assert.matches("ended", refusal(b.run, b, { "true" }))
    end)
  end)

  -- For root: a child that runs Lua is closed to others of its user.
  helpers.root_it("a process's own root and directory are followed, or not", function()
    with_box({ "mnt", "uts", mounts = { { "none", "/mnt", "tmpfs" } } }, function(b)
      b:call(function() ns.mkdir "/mnt/in" end)
      local p = b:spawn(function() ns.chroot "/mnt" ns.chdir "/in" ns.poll({}, 60) end)
      ns.poll({}, 0.1)
      assert.equal("/in", p:call(ns.getcwd))
      assert.is_false(p:call(ns.access, "/etc"))
      local q <close> = p:spawn(function() return ns.access "/etc" and 3 end, { root = false })
      assert.equal("nil exit 3", outcome(q:wait()))
    end)
  end)

  helpers.ns_it(BOX, "no page of the host's memory can be read", function()
    helpers.in_child(function()
      local b <close> = ns.box { "user", "mnt", "uts" }
      local worker = b:spawn(function() ns.poll({}, 60) end)
      local code = [[for p in /proc/[0-9]*; do cat $p/mem $p/environ $p/maps >/dev/null 2>&1 && echo $p; done]]
      local readable = b:read(code)
      assert.is_nil(readable:find("/proc/" .. worker:pid_in(b), 1, true))
      assert.matches("Permission denied", (b:read(("cat /proc/%d/maps 2>&1"):format(worker:pid_in(b)))))
      assert.equal("nslua-init\n", (b:read "cat /proc/1/comm"))
    end)
  end)
end)
