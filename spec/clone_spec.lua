-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

local TYPES = { "user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time" }

local refusal = helpers.refusal

local function outcome(...)
  return table.concat({ tostring((...)), select(2, ...) }, " ")
end

-- What a child made by these options prints.
local function output(opts, program, ...)
  local copy = { stdout = "pipe" }
  for k, v in pairs(opts) do copy[k] = v end
  local p <close> = ns.clone(copy, program, ...)
  local text = p.stdout:read "a"
  p.stdout:close()
  p:wait()
  return text
end

describe("ns.clone", function()
  helpers.adds_no_global "nslua"

  it("refuses options that mean nothing, by name and with the nearest", function()
    helpers.in_child(function()
      for text, opts in pairs {
        ['unknown option "hostnam" %(did you mean "hostname"%?%)'] = { hostnam = "x" },
        ['unknown namespace type "utz"'] = { "utz" },
        ["hostname needs a uts namespace, which uts = false refuses"] = { hostname = "x", uts = false },
        ["hostname is a"] = { hostname = 5 },
        ["option %[1%] is a table"] = { {} },
      } do
        assert.matches(text, refusal(ns.clone, opts, { "true" }))
      end
      for _, opts in ipairs { 1, "x", print, { [1.5] = 1 }, { uid = -1 }, { uid = 1.5 }, { cwd = "a\0b" },
        { hostname = "a\0" }, { groups = { "x" } }, { stdin = "x" }, { stdin = {} }, { rlimits = { no = 1 } },
        { rlimits = { nofile = -1 } }, { env = { 1 } }, { caps = "no_such_cap" }, { boottime = 0 / 0 },
        { mounts = { 1 } }, { net = "up" }, { user = "x" }, { die_with_parent = "NOSIG" }, { map = "rot" },
        { uts = ns.of(nil, "net") }, { cgroup = print } } do
        local name = refusal(ns.clone, opts, { "true" })
        assert.matches("%s", name, nil, "option " .. _)
      end
      for _, program in ipairs { 1, "true", {}, { print }, { "a\0b" } } do
        assert.matches("%s", refusal(ns.clone, {}, program))
      end
      assert.matches("wants a program or a function", refusal(ns.clone, {}))
    end)
  end)

  for _, type in ipairs(TYPES) do
    helpers.ns_it({ type }, "makes a child in a new " .. type .. " namespace, program or function", function()
      local mine = ns.readlink("/proc/self/ns/" .. type)
      local there = { "readlink", "/proc/self/ns/" .. type }
      local text = output({ type }, there)
      assert.matches("^" .. type .. ":%[%d+%]\n$", text)
      assert.not_equal(mine .. "\n", text)
      text = output({ type }, function() io.write(ns.readlink("/proc/self/ns/" .. type)) end)
      assert.matches("^" .. type .. ":%[%d+%]$", text)
      assert.not_equal(mine, text)
      assert.equal(mine, ns.readlink("/proc/self/ns/" .. type))
    end)
  end

  helpers.ns_it(TYPES, "makes one in all eight at once, as nobody too", function()
    local out, err = helpers.as_nobody [[
      local ns = require "nslua"
      local code = [=[for t in user mnt pid uts ipc net cgroup time; do readlink /proc/self/ns/$t; done; id -u; hostname]=]
      ns.run({ "user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time", hostname = "all" }, { "sh", "-c", code })
      for name, n in pairs(ns.of()) do print(n) end]]
    assert.equal("", err)
    local seen, count = {}, 0
    for name in out:gmatch "%l+:%[%d+%]" do
      assert.is_nil(seen[name])
      seen[name] = true
      count = count + 1
    end
    assert.equal(16, count)
    assert.matches("\n0\nall\n", out)
  end)

  it("is refused what unshare is refused", function()
    local out = helpers.as_nobody [[
      local ns = require "nslua"
      for _, t in ipairs { "mnt", "pid", "uts", "ipc", "net", "cgroup", "time" } do
        print(t, select(4, ns.try(ns.clone, { t }, { "true" })).name)
      end
      print(select(2, ns.try(ns.clone, { "uts" }, { "true" })))]]
    assert.equal(7, select(2, out:gsub("EPERM\n", "")))
    assert.matches("clone3%(CLONE_NEWUTS%): Operation not permitted %(EPERM%)", out)
  end)

  it("takes as many arguments as the kernel does, and no more", function()
    local argv = { "sh", "-c", "test $# -eq 100000", "sh" }
    for i = #argv + 1, #argv + 100000 do argv[i] = "x" end
    assert.is_true((ns.run({}, argv)))
    local endless = {} -- by its border: no memory holds that many
    for i = 0, 61 do endless[1 << i] = "x" end
    assert.is_false((pcall(ns.run, {}, endless)))
    local ok, err = pcall(ns.run, {}, { "sh", nil, "x" })
    assert.is_false(ok)
    assert.truthy(err:find("spec/clone_spec.lua:%d+: argv%[2%] is nil, not a string"), err)
  end)

  it("raises when the program cannot be started, and leaves no child", function()
    helpers.in_child(function()
      assert.equal("ENOENT", refusal(ns.clone, {}, { "/no/such" }))
      assert.equal("ENOENT", refusal(ns.clone, {}, { "no-such-program-anywhere" }))
      assert.equal("ENOENT", refusal(ns.clone, {}, { "" }))
      assert.equal("ENAMETOOLONG", refusal(ns.clone, {}, { ("x"):rep(300) }))
      assert.equal("EACCES", refusal(ns.clone, {}, { "/etc/passwd" }))
      assert.equal("E2BIG", refusal(ns.clone, {}, { "true", ("x"):rep(200000) }))
      local _, err = pcall(ns.clone, {}, { "/no/such" })
      assert.equal('execve("/no/such"): No such file or directory (ENOENT)', err.message)
      assert.equal("in the new process: ", err.step)
      assert.equal("ECHILD", refusal(ns.wait))
    end)
  end)

  helpers.ns_it("user uts mnt", "names the step that was refused", function()
    helpers.in_child(function()
      for call, opts in pairs { sethostname = { hostname = ("x"):rep(65) }, chdir = { cwd = "/no/such" },
        mount = { "mnt", mounts = { { "none", "/no/such", "tmpfs" } } }, chroot = { chroot = "/etc/passwd" } } do
        opts.user, opts.map = true, "root"
        for _, program in ipairs { { "true" }, function() end } do
          local ok, err = pcall(ns.clone, opts, program)
          assert.is_false(ok)
          assert.equal(call, err.call)
          assert.matches("^in the new process", err.step)
        end
      end
      assert.equal("ECHILD", refusal(ns.wait))
    end)
  end)

  it("hands over streams, crossed over too, and no other descriptor", function()
    local out = helpers.nslua([[
      local ns = require "nslua"
      local r, w = ns.pipe() r:dup2(7) -- inherited by a plain exec
      ns.clone({ stdout = 2, stderr = 1 }, { "sh", "-c", "echo out; echo err >&2; ls /proc/self/fd | wc -l >&2" }):wait()]])
    assert.equal("err\n4\n", out) -- three, and the folder
    assert.equal("", output({ stdin = "null" }, { "cat" }))
    local p <close> = ns.clone({ stdin = "pipe", stdout = "pipe" }, { "cat" })
    p.stdin:write "through" p.stdin:close()
    assert.equal("through", p.stdout:read "a")
    p.stdout:close()
    local fd <close> = ns.memfd "target"
    ns.clone({ stdout = fd }, { "echo", "kept" }):wait()
    fd:seek("set", 0)
    assert.equal("kept\n", fd:read "a")
  end)

  it("gives environment, directory, limits, session and names", function()
    assert.equal("A=1\n", output({ env = { A = 1 } }, { "/usr/bin/env" }))
    assert.equal("/\n", output({ cwd = "/" }, { "pwd" }))
    assert.equal("77 99\n", output({ rlimits = { nofile = { 77, 99 } } }, { "sh", "-c", "echo $(ulimit -Sn) $(ulimit -Hn)" }))
    local text = output({ env = { HOME = "x" }, keep_env = { "PATH" } }, { "env" })
    assert.matches("PATH=" .. os.getenv "PATH", text, 1, true)
    assert.equal(2, select(2, text:gsub("\n", "")))
    local sid, pid = output({ session = true }, { "sh", "-c", "cut -d' ' -f6 /proc/self/stat; echo $$" }):match "(%d+)\n(%d+)"
    assert.equal(sid, pid)
  end)

  helpers.root_it("gives ids, groups, capabilities and no new privileges", function()
    local text = output({ uid = 7, gid = 8 }, { "sh", "-c", "id -u; id -g; id -G; grep -E 'CapEff|NoNew' /proc/self/status" })
    assert.matches("^7\n8\n8\nCapEff:\t0+\nNoNewPrivs:\t0\n$", text)
    text = output({ uid = 7, gid = 8, groups = { 9 }, caps = "net_raw", no_new_privs = true },
      { "grep", "-E", "Groups|Cap|NoNew", "/proc/self/status" })
    assert.matches("Groups:\t9", text)
    for _, set in ipairs { "Inh", "Prm", "Eff", "Bnd", "Amb" } do
      assert.matches("Cap" .. set .. ":\t0000000000002000\n", text)
    end
    assert.matches("NoNewPrivs:\t1", text)
  end)

  helpers.root_it("writes maps of many ids, and our memory stays our own", function()
    helpers.in_child(function()
      local opts = { "user", map = { uid = { { 0, 100000, 10 }, { 10, 0, 1 } }, gid = { 0, 100000, 10 } } }
      assert.equal("0 100000 10 10 0 1\n0 0\n",
        output(opts, { "sh", "-c", "echo $(cat /proc/self/uid_map); echo $(id -u) $(id -g)" }))
      assert.is_true(ns.dumpable())
      for _, more in ipairs { { uid = 7 }, { uid = 7, caps = {} }, { groups = {} }, {} } do
        ns.clone(more, { "true" }):wait()
        assert.is_true(ns.dumpable())
        ns.clone(more, function() end):wait()
        assert.is_true(ns.dumpable())
      end
      assert.equal("ENOENT", refusal(ns.clone, { uid = 7 }, { "/no/such" }))
      assert.is_true(ns.dumpable())
      assert.equal("EINVAL", refusal(ns.clone, { "user", map = { uid = { { 0, 0, 5 }, { 1, 9, 5 } } } }, { "true" }))
      ns.dumpable(false)
      ns.clone({ uid = 7 }, { "true" }):wait()
      assert.is_false(ns.dumpable()) -- as it was, not as we like it
    end)
  end)

  helpers.ns_it("user net uts", "joins namespaces that exist, several at once", function()
    helpers.in_child(function()
      local a <close> = ns.clone({ "user", "net", map = "root" }, { "sleep", "60" })
      local there = { user = ns.of(a, "user"), net = ns.of(a, "net"), uts = true, hostname = "new" }
      local text = output(there, { "sh", "-c", "readlink /proc/self/ns/user /proc/self/ns/net; hostname" })
      assert.equal(("%s\n%s\nnew\n"):format(there.user, there.net), text)
      text = output({ there.user, there.net }, function() io.write(ns.readlink "/proc/self/ns/net") end)
      assert.equal(tostring(there.net), text)
      assert.is_true(ns.dumpable())
      there.net:close()
      assert.matches("closed", refusal(ns.clone, there, { "true" }))
    end)
  end)

  helpers.ns_it("user uts ipc", "joins nothing where it is already, so that nobody may stay in his own", function()
    local out, err = helpers.as_nobody [[
      local ns = require "nslua"
      local box <close> = ns.box { uts = ns.of(nil, "uts"), "ipc" }
      print(box:ns "uts" == ns.of(nil, "uts"), box:ns "ipc" == ns.of(nil, "ipc"), box:ns "user" == ns.of(nil, "user"))]]
    assert.same({ "true\tfalse\tfalse\n", "" }, { out, err })
  end)

  helpers.ns_it("user time", "moves clocks for a program and for a function", function()
    local uptime = io.open "/proc/uptime":read "n"
    for _, program in ipairs { { "cat", "/proc/uptime" }, function() io.write(io.open "/proc/uptime":read "a") end } do
      local text = output({ "user", map = "root", boottime = 86400.25, monotonic = -1 }, program)
      assert.is_true(math.abs(tonumber(text:match "^%S+") - uptime - 86400) < 10)
    end
  end)

  it("does not copy a heap that the program will never see", function()
    helpers.in_child(function()
      local function cost()
        local best = math.huge
        for _ = 1, 20 do
          local before = os.clock()
          local p = ns.clone({}, { "true" })
          best = math.min(best, os.clock() - before)
          p:wait()
        end
        return best
      end
      local small = cost()
      local heap = {}
      for i = 1, 200 do heap[i] = ("x"):rep(2 ^ 20) .. i end
      assert.is_true(cost() < 4 * small + 0.001)
    end)
  end)

  it("ends its child when the parent is killed, if asked to", function()
    local r, w = ns.pipe()
    local host = ns.fork(function()
      local p = ns.clone({ die_with_parent = true, stdout = w }, { "sh", "-c", "echo $$; exec sleep 60" })
      ns.poll({ p }, 60)
    end)
    local orphan <close> = ns.pidfd_open(math.tointeger(r:read "l"))
    host:kill "KILL" host:wait()
    assert.equal("nil exit -1", outcome(orphan:wait(5)))
  end)

  it("does not let a signal in between birth and program", function()
    helpers.in_child(function()
      local p <close> = ns.clone({ stdout = "pipe" }, { "grep", "SigBlk", "/proc/self/status" })
      assert.equal("SigBlk:\t0000000000000000\n", p.stdout:read "a")
    end)
  end)

  helpers.ns_it("user uts pid", "does without clone3 where an outer container filters it away", function()
    local out, err = helpers.filtered(435, "0x50026", { helpers.program, "-e", [[
      local ns = require "nslua"
      ns.run({ "user", "uts", hostname = "old" }, { "hostname" })
      ns.run({ "user", "uts", hostname = "way" }, function() print(ns.gethostname()) end)
      local b <close> = ns.box { "user", "uts", "pid", hostname = "box" }
      io.write(b:read "hostname", b:call(ns.gethostname), "\n")
      print(select(4, ns.try(ns.clone, { "user", "time" }, { "true" })).name)]] })
    assert.equal("", err)
    assert.equal("old\nway\nbox\nbox\nENOSYS\n", out)
  end)
end)
