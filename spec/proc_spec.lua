-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

local refusal = helpers.refusal

local function outcome(...)
  return table.concat({ tostring((...)), select(2, ...) }, " ")
end

local function sleeper() return ns.fork(function() ns.poll({}, 60) end) end

local function status(label, pid)
  for line in io.lines(("/proc/%s/status"):format(pid or "self")) do
    local rest = line:match("^" .. label .. ":%s*(.-)%s*$")
    if rest then return rest end
  end
end

-- Is there such a process, dead ones included?
local function exists(pid) return (pcall(ns.stat, "/proc/" .. pid)) end

describe("processes", function()
  helpers.adds_no_global "nslua"

  it("refuse wrong arguments before the kernel hears of them", function()
    helpers.in_child(function()
      helpers.badargs(ns.kill, "pid ?word", 4194304, "TERM")
      helpers.badargs(ns.killpg, "pid ?word", 4194304, "TERM")
      helpers.badargs(ns.wait, "?pid ?seconds", 4194304, 0)
      helpers.badargs(ns.pidfd_open, "pid", 4194304)
      helpers.badargs(ns.setname, "path", "x")
      helpers.badargs(ns.pdeathsig, "?word", "TERM")
      for _, v in ipairs { true, 1, "x", {}, io.stdout } do
        assert.matches("bad argument #1", refusal(ns.fork, v))
      end
      for _, v in ipairs { -1, 256, 1.5, "x", {}, math.huge } do
        assert.matches("bad argument #1", refusal(ns._exit, v))
      end
      for _, argv in ipairs { {}, { "a\0b" }, { true }, { {} }, { "true", print } } do
        assert.equal("string", type(select(2, pcall(ns.exec, argv))))
      end
      for _, env in ipairs { { "x" }, { [""] = "x" }, { ["a=b"] = "x" }, { a = true }, { ["a\0"] = "x" },
        { a = "x\0y" }, 1, "x" } do
        assert.equal("string", type(select(2, pcall(ns.exec, { "true" }, env))))
      end
      assert.matches("group > 1 is wanted", refusal(ns.killpg, 1, 0))
    end)
  end)

  describe("a forked function", function()
    it("gives its status in the shapes of os.execute", function()
      for want, fn in pairs {
        ["true exit 0"] = function() end, ["nil exit 3"] = function() return 3 end,
        ["nil exit 1"] = function() return false end, ["nil exit 255"] = function() return -1 end,
        ["nil exit 7"] = function() ns._exit(7) end, ["nil signal 9"] = function() ns.kill(ns.getpid(), "KILL") end,
        ["nil signal 15"] = function() ns.kill(ns.getpid()) ns.poll({}, 9) end,
      } do
        assert.equal(want, outcome(ns.fork(fn):wait()))
      end
      assert.equal("true exit 0", outcome(ns.fork(function(...) return select("#", ...) == 3 end, nil, 1, nil):wait()))
    end)

    it("never comes back into the script of its parent", function()
      local out, err, code = helpers.nslua [[
        local ns = require "nslua"
        local guard <close> = setmetatable({}, { __close = function() io.write "closed\n" end })
        pcall(function() ns.fork(function() error "lost" end):wait() end)
        coroutine.wrap(function() ns.fork(function() io.write "child\n" end):wait() end)()
        ns.fork(function() coroutine.yield(1) end):wait()
        io.write "parent\n"]]
      assert.equal("child\nparent\nclosed\n", out)
      assert.matches("lost\nstack traceback:", err)
      assert.matches("yield", err)
      assert.equal(0, code)
    end)

    it("is seen to have ended by whoever looks, without waiting", function()
      local r, w = ns.pipe()
      local p <close> = ns.fork(function() w:close() r:read(1) end)
      local also <close> = ns.pidfd_open(p.pid)
      assert.same({ true, true }, { p.running, also.running })
      w:close() r:close()
      for _ = 1, 500 do if p.running then ns.poll({}, 0.01) end end
      assert.same({ false, false }, { p.running, also.running })
      assert.equal("exit", select(2, p:wait()))
    end)

    it("writes what was buffered once", function()
      local out = helpers.nslua [[
        local ns = require "nslua"
        io.stdout:setvbuf "full" io.write "before "
        ns.fork(function() io.write "inside " end):wait()
        ns.run({}, { "true" }) ns.clone({}, function() io.write "cloned " end):wait()
        if ns.fork() == 0 then io.write "twice " else ns.wait() io.write "after" end]]
      assert.equal("before inside cloned twice after", out)
    end)

    it("tells any error, whatever it is made of", function()
      local _, err = helpers.nslua [[
        local ns = require "nslua"
        local function try(v) print(ns.fork(function() error(v) end):wait()) end
        try { 1 } try(nil) try(setmetatable({}, { __tostring = function() error "again" end }))
        try(select(2, pcall(ns.sethostname, ("x"):rep(70))))]]
      assert.matches("nslua: table: 0x", err)
      assert.matches("nslua: nil", err)
      assert.matches("sethostname", err)
    end)

    it("shows control bytes of an error, and leaves its lines", function()
      local _, err = helpers.nslua [[
        local ns = require "nslua"
        local named = load("local f = ... f()", "=\27[2Jchunk")
        for _, v in ipairs { "a\27[31m\r\b\x9b \xff\xc2\x9b é\tb\nc", setmetatable({}, { __name = "\27]0;title\7" }) } do
          ns.fork(named, function() error(v, 0) end):wait()
        end]]
      assert.truthy(err:find("nslua: a\\x1B[31m\\x0D\\x08\\x9B \\xFF\\xC2\\x9B é\tb\nc\nstack traceback:\n\t", 1, true), err)
      assert.truthy(err:find("nslua: \\x1B]0;title\\x07: 0x", 1, true), err)
      assert.truthy(err:find("\\x1B[2Jchunk:1: in ", 1, true), err)
      assert.is_nil(err:find "[^\n\t\32-\126\128-\255]")
    end)

    it("starts with default signals and the mask of its parent", function()
      local caught = ns.fork(function() return tonumber(status "SigCgt", 16) & 2 == 0 and status "SigBlk" == ("0"):rep(16) end)
      assert.equal("true exit 0", outcome(caught:wait()))
    end)

    it("only closes the handles of its parent", function()
      helpers.in_child(function()
        local p = sleeper()
        local b = ns.run and ns.clone({}, { "sleep", "60" })
        ns.fork(function()
          do local _ <close> = p; local _ <close> = b end
          p, b = nil, nil
          collectgarbage() collectgarbage()
        end):wait()
        assert.is_true(ns.kill(p, 0))
        assert.is_true(ns.kill(b, 0))
        p:close() b:close()
      end)
    end)
  end)

  it("fork twice when no function is given, and end with the main chunk", function()
    local out, _, code = helpers.nslua [[
      local ns = require "nslua"
      local pid = ns.fork()
      if pid == 0 then io.write("child ", ns.generation(), "\n") return end
      ns.wait(pid) io.write("parent ", ns.generation(), "\n")]]
    assert.equal("child 1\nparent 0\n", out)
    assert.equal(0, code)
  end)

  describe("waiting", function()
    it("ends in time, and the same end is told again", function()
      local p <close> = sleeper()
      assert.equal("nil timeout", outcome(p:wait(0)))
      assert.equal("nil timeout", outcome(ns.wait(p, 0.02)))
      assert.equal("nil timeout", outcome(ns.wait(p.pid, 0.02)))
      p:kill "KILL"
      assert.equal("nil signal 9", outcome(p:wait(5)))
      assert.equal("nil signal 9", outcome(ns.wait(p)))
      assert.is_false(p.running)
      assert.matches("%(signal 9%)$", tostring(p))
      assert.matches("the process has ended", refusal(p.kill, p))
    end)

    it("for anybody tells the handle too", function()
      helpers.in_child(function()
        assert.equal("ECHILD", refusal(ns.wait))
        local p = ns.fork(function() return 5 end)
        assert.equal("nil exit 5 " .. p.pid, outcome(ns.wait()))
        assert.is_false(p.running)
        assert.equal("nil exit 5", outcome(p:wait()))
        assert.equal(1, #ns.poll({ p }, 0)) -- its end is known
        p = sleeper()
        assert.equal("nil timeout", outcome(ns.wait(nil, 0)))
        p:close()
        assert.is_false(exists(p.pid))
      end)
    end)

    it("for a stranger knows only that it ended", function()
      helpers.in_child(function()
        ns.subreaper()
        local r, w = ns.pipe()
        ns.fork(function() w:write(sleeper().pid .. "\n") end):wait()
        local pid = math.tointeger(r:read "l")
        local other = ns.fork(function()
          local p <close> = ns.pidfd_open(pid)
          p:kill "KILL"
          return outcome(p:wait(5)) == "nil exit -1"
        end)
        assert.equal("true exit 0", outcome(other:wait()))
        assert.equal("ECHILD", refusal(ns.wait, ns.getppid()))
        assert.equal("nil signal 9 " .. pid, outcome(ns.wait(pid))) -- ours by inheritance
      end)
    end)
  end)

  it("are killed and collected at the end of their block, opened ones are not", function()
    local pid
    do
      local p <close> = sleeper()
      pid = p.pid
      do local _ <close> = ns.pidfd_open(pid) end
      assert.is_true(ns.kill(pid, 0))
    end
    assert.is_false(exists(pid))
    assert.equal("ESRCH", refusal(ns.kill, pid, 0))
  end)

  it("live on when only the handle is forgotten, and are collected later", function()
    helpers.in_child(function()
      local function forgotten()
        local pid = sleeper().pid
        collectgarbage() collectgarbage()
        assert.is_true(ns.kill(pid, 0))
        return pid
      end
      local pid = forgotten()
      ns.kill(pid, "KILL")
      ns.poll({ ns.pidfd_open(pid) }, 5)
      assert.is_true(exists(pid)) -- a zombie,
      local other = forgotten() -- until the next one
      assert.is_false(exists(pid))
      ns.kill(other, "KILL")
    end)
  end)

  helpers.root_it("that became somebody else are not waited for", function()
    helpers.in_child(function()
      ns.unshare "mnt" ns.mount("none", "/", nil, "rprivate") ns.mount("tmpfs", "/mnt", "tmpfs")
      ns.fork(function() ns.exec { "sh", "-c", "cp $(command -v setpriv) /mnt/become" } end):wait()
      ns.chmod("/mnt/become", "4755") -- a setuid program that nobody else can reach
      ns.setresuid(65534, 65534, 65534)
      local r, w = ns.pipe()
      local stdin, _ <close> = ns.pipe() -- ends it with us
      local p = ns.fork(function()
        stdin:dup2(0)
        w:dup2(1)
        ns.exec { "/mnt/become", "--reuid=0", "sh", "-c", "echo up; read line" }
      end)
      assert.equal("up", r:read "l")
      assert.equal("EPERM", refusal(p.kill, p, "KILL"))
      p:close()
      assert.is_true(exists(p.pid))
    end)
  end)

  it("exec: the program, its environment, exact errors", function()
    local function exec(...)
      local args = table.pack(...)
      return helpers.in_child(function()
        local r, w = ns.pipe()
        ns.fork(function() w:dup2(1) ns.exec(table.unpack(args, 1, args.n)) end):wait()
        w:close()
        return r:read "a"
      end)
    end
    assert.equal("a b\n", exec { "echo", "a b" })
    assert.equal("X=1\n", exec({ "env" }, { X = 1 }))
    assert.equal("5\n", exec { "echo", 5 })
    assert.equal("ENOENT", refusal(ns.exec, { "/no/such/program" }))
    assert.equal("ENOENT", refusal(ns.exec, { "" }))
    assert.equal("EACCES", refusal(ns.exec, { "/etc/passwd" }))
    assert.equal("E2BIG", refusal(ns.exec, { "true", ("x"):rep(200000) }))
    local _, err = pcall(ns.exec, { "/no/such", "an\nargument" })
    assert.equal('"/no/such", ["/no/such", "an\\nargument"]', table.concat(err.args, ", "))
  end)

  it("leave no descriptor behind, done or refused", function()
    assert.equal(0, helpers.in_child(function()
      local gone = ns.fork(function() end)
      gone:wait()
      collectgarbage() collectgarbage "stop"
      local before = helpers.fds()
      for _ = 1, 100 do
        ns.fork(function() end):wait()
        ns.kill(ns.getpid(), 0)
        for _, f in ipairs { ns.kill, ns.pidfd_open, ns.wait, ns.killpg } do assert.is_false(pcall(f, gone.pid, 0)) end
      end
      return helpers.fds() - before
    end))
  end)

  it("are not made when there is no place for their handle", function()
    helpers.in_child(function()
      local r, w = ns.pipe()
      local full = {}
      local limit = #ns.readdir "/proc/self/fd" + 20
      ns.rlimit("nofile", limit)
      local name = "no refusal"
      while name == "no refusal" do name = refusal(function() full[#full + 1] = ns.fd(r) end) end
      assert.equal("EMFILE", name)
      assert.equal("EMFILE", refusal(ns.fork, function() w:write "ran" end))
      full = nil
      collectgarbage()
      w:close()
      assert.equal("", r:read "a" or "")
      assert.equal("ECHILD", refusal(ns.wait))
    end)
  end)

  it("get signals that are told by name, for they are numbers and no bits", function()
    helpers.in_child(function()
      local lines = {}
      local child <close> = ns.fork(function() ns.poll({}, 60) end)
      ns.trace(function(line) lines[#lines + 1] = line:gsub("%d+, ", "N, ", 1) end)
      child:kill "TERM"
      ns.kill(child, 0)
      ns.try(ns.killpg, 4194304, 35)
      ns.pdeathsig "TERM"
      ns.trace(false)
      assert.same({ "pidfd_send_signal(N, SIGTERM) = 0", "pidfd_send_signal(N, 0) = 0",
        "killpg(N, 35) = -1 ESRCH", "prctl(PR_SET_PDEATHSIG, SIGTERM) = 0" }, lines)
    end)
  end)

  it("have limits that are told by name, of a child too", function()
    helpers.in_child(function()
      local text = ""
      ns.trace(function(line) text = text .. line .. "\n" end)
      ns.rlimit "nofile"
      ns.clone({ rlimits = { nofile = 32, cpu = 9 } }, { "true" }):wait()
      ns.trace(false)
      for _, call in ipairs { "getrlimit(RLIMIT_NOFILE) ", "setrlimit(RLIMIT_NOFILE, 32, 32) ",
        "setrlimit(RLIMIT_CPU, 9, 9) " } do
        assert.is_truthy(text:find(call, 1, true), text)
      end
    end)
  end)

  it("have the small questions and settings of prctl", function()
    helpers.in_child(function()
      assert.equal(ns.readlink "/proc/self", tostring(ns.getpid()))
      assert.equal(status "PPid", tostring(ns.getppid()))
      ns.setname "a rather long name"
      assert.equal("a rather long n", status "Name")
      assert.is_true(ns.dumpable())
      assert.is_false(ns.dumpable(false))
      assert.is_true(ns.dumpable(true))
      assert.equal(ns.getpid(), ns.setsid())
      assert.equal("EPERM", refusal(ns.setsid))
      local r, w = ns.pipe()
      local parent = ns.fork(function()
        local c = ns.fork(function() ns.pdeathsig "KILL" w:write(ns.getpid() .. "\n") ns.poll({}, 60) end)
        ns.poll({ c }, 60)
      end)
      local orphan = ns.pidfd_open(math.tointeger(r:read "l"))
      parent:close()
      assert.equal("nil exit -1", outcome(orphan:wait(5)))
    end)
  end)
end)
