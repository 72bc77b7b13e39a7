-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local terminal = require "spec.terminal"
local ns = require "nslua"

local refusal = helpers.refusal

-- Lua code of ours that leads a session on a terminal. It prints the modes and
-- the foreground group as `state()` sees them.
local PRELUDE = [[
  local ns = require "nslua"
  local tty = ns.fd(0)
  local function state()
    local sum = 0
    for byte in tty:tcgetattr():gmatch "." do sum = (sum * 31 + byte:byte()) % 2^31 end
    return ("%d/%s"):format(sum, tty:tcgetpgrp() == ns.getpid() and "ours" or tty:tcgetpgrp())
  end
  local before = state()
]]

local function on_terminal(code, env)
  return terminal.start({ helpers.program, "-e", PRELUDE .. code }, env)
end

local SHELL = helpers.run({ "sh", "-c", "command -v bash || command -v dash" }):match "%S+"

describe("a pseudo terminal", function()
  helpers.adds_no_global "nslua"

  it("refuses wrong arguments before the kernel hears of them", function()
    helpers.badargs(ns.pty, "?int ?int", 24, 80)
    local master <close>, slave = ns.pty()
    local _ <close> = slave
    helpers.badargs(master.winsize, "fd int int", master, 1, 1)
    for _, name in ipairs { "raw", "tcgetattr", "tcgetpgrp" } do helpers.badargs(master[name], "fd", master) end
    for _, v in ipairs { "", "x", ("x"):rep(1000), 5, {}, true } do
      assert.matches("bad argument #%d", refusal(master.tcsetattr, master, v))
    end
    for _, v in ipairs { 0, -1, "x", {}, true, 1.5 } do assert.matches("bad argument", refusal(master.tcsetpgrp, master, v)) end
    for _, v in ipairs { -1, 65536, 1.5, "x" } do assert.matches("bad argument", refusal(master.winsize, master, v, 1)) end
  end)

  it("has a size, 24 by 80 unless said otherwise", function()
    local master, slave = ns.pty()
    assert.same({ 24, 80 }, { slave:winsize() })
    assert.is_true(master:winsize(50, 132))
    assert.same({ 50, 132 }, { slave:winsize() })
    local other, end_of_it = ns.pty(0, 65535)
    assert.same({ 0, 65535 }, { end_of_it:winsize() })
    for _, fd in ipairs { master, slave, other, end_of_it } do fd:close() end
  end)

  it("carries what is written, cooked until it is raw", function()
    local master <close>, slave = ns.pty()
    local _ <close> = slave
    master:write "abc\127d\n"
    assert.equal("abd\n", slave:read(100))
    local modes = slave:raw()
    assert.equal(modes, (function() local now = slave:tcgetattr() slave:tcsetattr(modes) local back = slave:tcgetattr()
      slave:tcsetattr(now) return back end)())
    master:write "\3x"
    assert.equal("\3x", slave:read(100)) -- Ctrl-C is a key
    slave:tcsetattr(modes)
    assert.equal(modes, slave:tcgetattr())
  end)

  it("is ENOTTY for what is none, and leaves no descriptor then", function()
    local null <close> = ns.open("/dev/null", "rdwr")
    local before = helpers.fds()
    for _, name in ipairs { "winsize", "tcgetattr", "raw", "tcgetpgrp", "tcsetpgrp" } do
      assert.equal("ENOTTY", refusal(null[name], null))
    end
    assert.equal(before, helpers.fds())
  end)

  it("is close-on-exec and nobody's controlling terminal", function()
    local master <close>, slave = ns.pty()
    local _ <close> = slave
    local listed = helpers.run { "ls", "-l", "/proc/self/fd" }
    assert.is_nil(listed:find("/dev/ptmx", 1, true))
    assert.is_nil(listed:find("/dev/pts/" .. (ns.readlink("/proc/self/fd/" .. slave:fileno()):match "%d+$") .. "\n", 1, true))
    assert.equal("ENOTTY", refusal(slave.tcgetpgrp, slave))
  end)
end)

describe("the terminal after", function()
  helpers.ns_it("user pid uts", "a program that changed it is as it was before", function()
    for _, act in ipairs {
      [[ns.run({ "uts", "pid" }, { "sh", "-c", "stty raw -echo; kill -9 $$" })]],
      [[ns.run({ "uts", "pid", init = false }, { "sh", "-c", "stty raw -echo" })]],
      [[ns.run({ "uts" }, { "sh", "-c", "stty raw -echo" })]],
      [[ns.run({ "uts" }, function() ns.fd(0):raw() end)]],
      [[ns.run({ "pid" }, function() ns.fd(0):raw() end)]],
      [[local b <close> = ns.box { "uts" } b:run { "stty", "raw", "-echo" }]],
      [[local b <close> = ns.box { "uts" } b:sh "stty raw -echo; exec sh -c 'kill -9 $$'"]],
      [[local b <close> = ns.box { "uts" } pcall(b.run, b, { "/no/such/program" })]],
      [[pcall(ns.run, { "uts" }, { "/no/such/program" })]],
      [[pcall(ns.run, { "pid" }, { "/no/such/program" })]],
    } do
      local t <close> = on_terminal(act .. [[
        print(state() == before and "same" or before .. " " .. state())
        print(io.read "l") -- and it can be read from: no SIGTTIN, no EIO
        os.exit(5)]])
      t:expect "same\n"
      t:type "typed\n"
      t:expect "typed\ntyped\n"
      assert.equal("nil exit 5", t:outcome(), act)
    end
  end)

  helpers.ns_it("user pid uts mnt", "an interactive shell in another pid namespace is ours again", function()
    local t <close> = on_terminal([[
      local b <close> = ns.box { "uts", "mnt", hostname = "inner" }
      print(b:enter())
      print(state() == before and "same" or before .. " " .. state())
      print(io.read "l")]], { SHELL = SHELL })
    t:expect "[$#] "
    t:type "hostname; echo pid $$\n"
    t:expect "inner\n"
    t:expect "pid %d+\n"
    t:type "sleep 60\n"
    ns.poll({}, 0.3)
    t:type "\3" -- for sleep alone
    t:expect "[$#] "
    t:type "exit 4\n"
    t:expect "nil\texit\t4\nsame\n"
    t:type "typed\n"
    t:expect "typed\ntyped\n"
    assert.equal("true exit 0", t:outcome())
  end)

  helpers.ns_it("user pid uts", "Ctrl-C belongs to the program, and the host lives on", function()
    for _, opts in ipairs { "{ 'uts' }", "{ 'uts', 'pid' }", "{ 'uts', 'pid', init = false }" } do
      local t <close> = on_terminal(([[
        print(ns.run(%s, { "sh", "-c", "trap 'exit 7' INT; echo up; while :; do sleep 0.05; done" }))
        print(state() == before and "same")]]):format(opts))
      t:expect "up\n"
      t:type "\3"
      t:expect "nil\texit\t7\nsame\n"
      assert.equal("true exit 0", t:outcome())
    end
  end)

  helpers.ns_it("user pid uts", "Ctrl-Z stops program and host as one job, and fg goes on", function()
    for _, opts in ipairs { "{ 'uts' }", "{ 'uts', 'pid' }" } do
      local t <close> = terminal.start({ SHELL, "--norc", "-i" }, { PROGRAM = helpers.program, CODE = ([[
        local ns = require "nslua"
        ns.run(%s, { "sh", "-c", "stty -echo; echo up; read x; echo got $x" })
        print "over"]]):format(opts) })
      t:expect "%$ "
      t:type "$PROGRAM -e \"$CODE\"\n"
      t:expect "up\n"
      ns.poll({}, 0.2)
      t:type "\26"
      t:expect "[Ss]topped"
      t:type "stty -a | grep -ow -e '-*echo'; jobs\n"
      t:expect "\necho\n" -- the modes are the shell's again
      t:expect "[Ss]topped"
      t:type "bg\n" -- where it wants the terminal, and stops again
      t:expect "%$ "
      ns.poll({}, 0.3)
      t:type "jobs; echo the shell''s\n"
      t:expect "[Ss]topped"
      t:expect "the shells\n"
      t:type "fg\n"
      t:expect "PROGRAM"
      ns.poll({}, 0.3)
      t:type "word\n"
      t:expect "got word\n"
      t:expect "over\n"
      t:type "exit\n"
      assert.equal("true exit 0", t:outcome())
    end
  end)

  helpers.ns_it("user pid uts", "a hang-up leaves no process", function()
    local t = on_terminal [[
      ns.run({ "uts", "pid" }, { "sh", "-c", "echo up $(readlink /proc/self/ns/uts); sleep 60" })]]
    local id = t:expect "up uts:%[(%d+)%]"
    t.tty:close()
    local ok, how = t.child:wait(5)
    assert.is_nil(ok)
    assert.not_equal("timeout", how)
    for _ = 1, 50 do
      local left = helpers.run { "sh", "-c", "ls -l /proc/[0-9]*/ns/uts 2>/dev/null | grep -c " .. id }
      if left == "0\n" then return end
      ns.poll({}, 0.02)
    end
    error "somebody is left in the box"
  end)

  it("SIGWINCH reaches the foreground group", function()
    local t <close> = on_terminal [[
      ns.run({}, { "sh", "-c", "trap 'stty size; exit' WINCH; echo up; while :; do sleep 0.05; done" })]]
    t:expect "up\n"
    t.tty:winsize(33, 101)
    t:expect "33 101\n"
  end)

  it("what has no terminal runs without one", function()
    local out, err, code = helpers.nslua([[
      local ns = require "nslua"
      ns.setsid()
      local p = ns.box and ns.run({ "user" }, { "echo", "fine" })]], { stdin = "" })
    assert.equal("fine\n", out)
    assert.equal("", err)
    assert.equal(0, code)
  end)
end)
