-- SPDX-License-Identifier: MIT
-- The way back of the prompt: checkpoints are processes.

local helpers = require "spec.helpers"
local prompts = require "spec.prompts"

local NAME = helpers.run({ "uname", "-n" }):gsub("\n", "")

describe("the way back", function()
  teardown(prompts.clean)
  helpers.adds_no_global "nslua.prompt"

  helpers.ns_it("user uts", "leads to before the process changed for good", function()
    local t = prompts.start()
    prompts.lines(t, "pid, user, x = ns.getpid(), ns.readlink '/proc/self/ns/user', 1", "ns.unshare('user', 'uts') x = 2",
      "print('ids', ns.getpid() == pid, ns.readlink '/proc/self/ns/user' == user, x)")
    t:expect "\nids\tfalse\tfalse\t2\n"
    prompts.lines(t, "x = 3", ":undo")
    t:expect "\nback before ns.unshare\n"
    prompts.lines(t, "print('ids', ns.getpid() == pid, ns.readlink '/proc/self/ns/user' == user, x)")
    t:expect "\nids\ttrue\ttrue\t1\n"
    assert.equal("true exit 0", prompts.leave(t))
  end)

  helpers.ns_it("user mnt uts", "leads back one line after the other", function()
    local t = prompts.start()
    prompts.lines(t, "was = ns.of(nil, 'user')", "ns.unshare('user', 'mnt') ns.unshare('uts') ns.map(ns.getpid(), { uid = '0 0 1' })",
      "ns.chroot '/proc'", "ns.access('/self') and print 'inside'")
    t:expect "\ninside\n"
    prompts.lines(t, ":undo")
    t:expect "\nback before ns.chroot\n"
    prompts.lines(t, "ns.access('/proc/self') and print('user', ns.of(nil, 'user') == was)")
    t:expect "\nuser\tfalse\n"
    prompts.lines(t, ":undo")
    t:expect "\nback before ns.unshare\n"
    prompts.lines(t, "ns.access('/proc/self') and print('user', ns.of(nil, 'user') == was)")
    t:expect "\nuser\ttrue\n"
    prompts.lines(t, ":undo")
    t:expect "nothing to undo\n"
    assert.equal("true exit 0", prompts.leave(t))
  end)

  helpers.ns_it("user uts", "goes past what would hold the chunk up", function()
    for _, code in ipairs {
      "z = 1 print(pcall(ns.unshare, 'user')) z = 2",
      "z = 1 pcall(pcall, ns.unshare, 'user') for i = 1, 3 do print(i) end z = 2",
      "z = 1 coroutine.wrap(function() pcall(ns.unshare, 'user') z = 2 end)() z = 2",
      "z = 1 xpcall(ns.unshare, tostring, 'user') z = 2",
    } do
      local t = prompts.start()
      prompts.lines(t, code, "print('z is ' .. z)")
      t:expect "\nz is 2\n"
      prompts.lines(t, ":undo", "print('z is ' .. z)")
      t:expect "\nz is 1\n"
      assert.equal("true exit 0", prompts.leave(t))
    end
  end)

  helpers.ns_it("user uts mnt", "keeps the boxes from before, and ends those from after", function()
    local t = prompts.start()
    prompts.lines(t, "ns.unshare('user', 'mnt') ns.map(ns.getpid(), true)",
      "b = ns.box { 'uts', hostname = 'before' }", "ns.unshare 'mnt'",
      "print('is ' .. b:hostname())")
    t:expect "\nis before\n"
    prompts.lines(t, "b:sh 'echo in $(uname -n)'")
    t:expect "\nin before\n"
    prompts.lines(t, "c = ns.box { 'uts', hostname = 'after' } print(('pid %d.'):format(c.pid))")
    local pid = t:expect "\npid (%d+)%.\n"
    prompts.lines(t, ":undo")
    t:expect "back before"
    prompts.lines(t, "print('is ' .. b:hostname(), c)")
    t:expect "\nis before\tnil\n"
    local name = helpers.run { "sh", "-c", "cat /proc/" .. pid .. "/stat 2>/dev/null || echo gone" }
    assert.is_truthy(name == "gone\n" or name:find " Z ", name)
    assert.equal("true exit 0", prompts.leave(t))
  end)

  helpers.root_it("boxes from before, and what the line tells, stand a root without /proc", function()
    local t = prompts.start { plain = false }
    t:expect "▸ $" t:type "ns.unshare 'mnt' ns.propagate 'rprivate' ns.mount('tmpfs', '/mnt', 'tmpfs')\r"
    t:expect "▸ $" t:type "b = ns.box { 'uts', hostname = 'before' }\r"
    t:expect "▸ $" t:type "ns.chroot '/mnt'\r"
    t:expect "root%*%] ▸ $" t:type "b:sh 'echo in $(uname -n)'\r"
    t:expect "\nin before\n"
    t:expect "▸ $" t:type "ns.unshare 'pid'\r"
    t:expect "\nnote: pid: only children move"
    t:expect "%+pid [^]]*root%*%] ▸ $"
    t:type "print('is ' .. b:call(ns.gethostname))\r"
    t:expect "\nis before\n"
    t:expect "▸ $" t:type ":undo\r"
    t:expect "\nback before ns.unshare\n"
    t:expect "▸ $" t:type "\4"
    assert.equal("true exit 0", t:outcome())
    t:__close()
  end)

  helpers.ns_it("user uts", "is what the refusal of a box from before points to", function()
    local t = prompts.start()
    prompts.lines(t, "b = ns.box { 'uts', hostname = 'before' }", "ns.unshare 'user'", "b:sh 'true'")
    t:expect "why  This process has left the user namespace"
    t:expect ":undo"
    prompts.lines(t, "ns.setns(b, 'uts')")
    t:expect "why  This process has left the user namespace"
    prompts.lines(t, ":undo", "b:sh 'echo in $(uname -n)'")
    t:expect "\nin before\n"
    assert.equal("true exit 0", prompts.leave(t))
  end)

  helpers.ns_it("user uts", "takes over when the process that went on is killed", function()
    local t = prompts.start()
    prompts.lines(t, "ns.unshare 'user'", "ns.kill(ns.getpid(), 'KILL')")
    t:expect "signal 9 killed the process that was the prompt: back before ns.unshare\n"
    prompts.lines(t, "print('still' .. ' here')")
    t:expect "\nstill here\n"
    assert.equal("true exit 0", prompts.leave(t))
  end)

  helpers.ns_it("user uts", "ends with the process that went on, and as it", function()
    local t = prompts.start()
    prompts.lines(t, "ns.unshare 'user'", "ns.unshare 'mnt'", "os.exit(7)")
    assert.equal("nil exit 7", t:outcome())
    assert.equal(t.modes, t.tty:tcgetattr())
    t:__close()
  end)

  helpers.ns_it("user uts", "Ctrl-Z and fg, Ctrl-C and a lost terminal mean the process that went on", function()
    local t = prompts.start { shell = true }
    prompts.lines(t, "ns.unshare 'user'", "x = 5")
    t:expect "> "
    t:type "\26"
    t:expect "[Ss]topped"
    t:expect "%$ "
    t:type "fg\r"
    prompts.lines(t, "print('x is ' .. x) while true do end")
    t:expect "\nx is 5\n"
    t:type "\3"
    t:expect "interrupted after"
    prompts.lines(t, "print(('pid %d, %d.'):format(ns.getpid(), ns.getppid()))")
    local child, parent = t:expect "\npid (%d+), (%d+)%.\n"
    t.tty:close()
    for _ = 1, 200 do
      local left = helpers.run { "sh", "-c", ("kill -0 %s 2>/dev/null || kill -0 %s 2>/dev/null || echo none"):format(
        child, parent) }
      if left == "none\n" then return t.child:close() end
      helpers.run { "sleep", "0.05" }
    end
    error "somebody is left without a terminal"
  end)

  it("keeps nothing for what setns can take back, and says when there is nothing", function()
    local t = prompts.start()
    prompts.lines(t, "ns.try(ns.unshare, 'ipc')", ":undo", "print('depth', ns.gethostname())")
    t:expect("\ndepth\t" .. NAME:gsub("%p", "%%%0") .. "\n")
    assert.equal("true exit 0", prompts.leave(t))
  end)

  it("makes no checkpoint in children", function()
    local t = prompts.start()
    prompts.lines(t, "print(ns.fork(function() ns.try(ns.unshare, 'user') ns.try(ns.chroot, '/') end):wait())")
    t:expect "\ntrue\texit\t0\n"
    prompts.lines(t, "p = ns.fork() if p == 0 then ns.try(ns.unshare, 'user') else print(ns.wait(p)) end")
    t:expect "\ntrue\texit\t0"
    assert.equal("true exit 0", prompts.leave(t))
  end)
end)
