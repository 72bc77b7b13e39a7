-- SPDX-License-Identifier: MIT
-- PID 1 of a box: what it collects, what it passes on, what it tells.
local helpers = require "spec.helpers"
local ns = require "nslua"

local function outcome(...)
  return table.concat({ tostring((...)), select(2, ...) }, " ")
end

local function box_it(name, fn)
  helpers.ns_it("user mnt pid", name, function() helpers.in_child(fn) end)
end

-- A box whose program is this shell code; what it prints comes line by line.
local function program(code)
  return ns.box { "mnt", argv = { "sh", "-c", code }, stdout = "pipe" }
end

describe("the reaper", function()
  box_it("collects every orphan", function()
    local b <close> = ns.box { "mnt" }
    b:sh "for i in 1 2 3 4 5 6 7 8 9 10; do (sh -c 'exit 1' & sleep 0.01 &) ; done"
    for _ = 1, 100 do
      ns.poll({}, 0.02)
      if not b:read "cat /proc/[0-9]*/stat":find ") Z" then break end
    end
    assert.is_nil(b:read "cat /proc/[0-9]*/stat":find ") Z")
    assert.equal("1\n", (b:read { "sh", "-c", "ls /proc | grep -x '[0-9]*' | grep -vcx \"$$\\|[0-9][0-9]*[0-9]\"" }))
  end)

  box_it("ends with its program, and tells exactly how", function()
    for code, want in pairs { ["exit 0"] = "true exit 0", ["exit 9"] = "nil exit 9", ["kill -9 $$"] = "nil signal 9",
      ["kill -SEGV $$"] = "nil signal 11", ["exit 137"] = "nil exit 137" } do
      local b <close> = program(code)
      assert.equal(want, outcome(b:wait(5)))
      assert.equal(want, outcome(b:wait()))
    end
  end)

  box_it("takes everybody along when its program ends", function()
    local b <close> = program "setsid sleep 60 & echo up; sleep 60"
    b.stdout:read "l"
    local p = b:spawn { "sleep", "60" }
    local other <close> = ns.pidfd_open(p.pid)
    b:kill "TERM"
    assert.equal("nil signal 15", outcome(b:wait(5)))
    assert.equal("nil signal 9", outcome(p:wait(5)))
    assert.equal("exit", select(2, other:wait(5)))
  end)

  box_it("passes signals on to its program", function()
    local b <close> = program "trap 'echo hup' HUP; trap 'echo usr' USR1; trap 'echo term; exit 4' TERM; echo up; while :; do sleep 0.01; done"
    assert.equal("up", b.stdout:read "l")
    for signal, word in pairs { HUP = "hup", USR1 = "usr" } do
      b:kill(signal)
      assert.equal(word, b.stdout:read "l")
    end
    b:kill "TERM"
    assert.equal("term", b.stdout:read "l")
    assert.equal("nil exit 4", outcome(b:wait(5)))
  end)

  box_it("without a program ends at TERM, INT, HUP and QUIT, and ignores the rest", function()
    for signal, number in pairs { TERM = 15, INT = 2, HUP = 1, QUIT = 3 } do
      local b <close> = ns.box {}
      b:kill "USR1" b:kill "WINCH" b:kill "CHLD"
      assert.equal("nil timeout", outcome(b:wait(0.05)))
      b:kill(signal)
      assert.equal("nil exit " .. 128 + number, outcome(b:wait(5)))
    end
  end)

  box_it("cannot be killed from inside", function()
    local b <close> = ns.box { "mnt" }
    b:sh "kill -9 1; kill -STOP 1; kill -SEGV 1"
    assert.equal("nil timeout", outcome(b:wait(0.05)))
    assert.equal("true exit 0", outcome(b:sh "true"))
  end)

  box_it("holds no descriptor but its report, and lets pipes end", function()
    local b <close> = program "echo done; exec >&-; sleep 60"
    assert.equal("done\n", b.stdout:read "a")
    local fds = ns.readdir(("/proc/%d/fd"):format(b.pid))
    assert.equal("3", table.concat(fds, " "))
  end)

  box_it("starts its program with no signal blocked, none more ignored, and a clean name", function()
    local ignored = io.open "/proc/self/status":read "a":match "SigIgn:%s*%x+"
    local b <close> = program "grep -E 'Sig(Blk|Ign)' /proc/self/status; cat /proc/1/comm"
    assert.equal("SigBlk:\t0000000000000000\n" .. ignored .. "\nnslua-init\n", b.stdout:read "a")
  end)

  box_it("finds its program along PATH, past folders that cannot be looked into", function()
    ns.run({ "pid", env = { PATH = "/no/such:/etc/passwd:/bin:/usr/bin" } }, { "true" })
    for path, want in pairs { ["/no/such"] = "ENOENT", ["/etc/passwd"] = "ENOENT" } do
      local _, err = pcall(ns.run, { "pid", env = { PATH = path } }, { "true" })
      assert.equal(want, err.name)
    end
    assert.equal("true exit 0", outcome(ns.run({ "pid", env = {} }, { "true" })))
    local dir <close> = setmetatable({ path = ns.mkdtemp "/tmp/nslua-spec-XXXXXX" },
      { __close = function(d) os.remove(d.path .. "/here") ns.rmdir(d.path) end })
    io.open(dir.path .. "/here", "w"):write("#!/bin/sh\nexit 3\n"):close()
    ns.chmod(dir.path .. "/here", "755")
    assert.equal("nil exit 3", outcome(ns.run({ "pid", cwd = dir.path, env = { PATH = "" } }, { "here" })))
    local _, err = pcall(ns.run, { "pid" }, { ("x"):rep(300) })
    assert.matches("^E", err.name)
  end)

  helpers.ns_it("user uts", "without a pid namespace keeps the orphans of its box", function()
    helpers.in_child(function()
      local b <close> = ns.box { "uts", pid = false }
      b:sh "(sleep 0.02 &)"
      assert.equal("true exit 0", outcome(b:sh "true"))
      assert.is_true(b.running)
    end)
  end)

  helpers.ns_it("user pid", "is a program of a few pages that no process can write to", function()
    helpers.in_child(function()
      local b <close> = ns.box { "user" }
      local exe = ("/proc/%d/exe"):format(b.pid)
      assert.is_true(ns.stat(exe).size < 16384)
      assert.matches("^/memfd:nslua%-init", ns.readlink(exe))
      local ok, _, _, err = ns.try(ns.open, exe, "rdwr")
      assert.is_nil(ok)
      assert.is_true(err.name == "ETXTBSY" or err.name == "EPERM" or err.name == "EACCES")
    end)
  end)
end)
