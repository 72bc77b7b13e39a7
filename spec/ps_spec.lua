-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local world = require "spec.world"
local ns = require "nslua"

local needs = ns.geteuid() == 0 and "mnt pid" or "user mnt pid"

-- What ps says, by pid; the last column may hold spaces. ps itself is left out.
local function ps(columns)
  local out = helpers.run { "ps", "-ww", "-e", "-o", columns }
  local rows, names = {}, {}
  for name in columns:gmatch "[^,]+" do names[#names + 1] = name:match "^%a+" end
  for line in out:match "^[^\n]*\n(.*)$":gmatch "[^\n]+" do
    local row, at = {}, 1
    for i, name in ipairs(names) do
      local _, stop, word = line:find(i == #names and "^%s*(.-)%s*$" or "^%s*(%S+)%s", at)
      row[name], at = word, stop + 1
    end
    if not row[names[#names]]:find "^ps " then rows[tonumber(row.pid)] = row end
  end
  return rows
end

-- Compares what both have; returns how many processes both had.
local function compare(theirs, ours, columns)
  local count = 0
  for _, row in ipairs(ours) do
    local their = theirs[row.pid]
    if their then
      for _, name in ipairs(columns) do
        local mine = row[name] == nil and (name == "tty" and "?" or "-") or tostring(row[name])
        assert.equal(their[name], mine, ("%s of %d"):format(name, row.pid))
      end
      count = count + 1
    end
  end
  return count
end

describe("ns.ps", function()
  helpers.adds_no_global "nslua.ps"

  it("refuses what it does not know, and names the nearest", function()
    local function message(...)
      local ok, err = pcall(ns.ps, ...)
      assert.is_false(ok)
      return tostring(err)
    end
    assert.is_truthy(message { "pdi" }:find('unknown column "pdi" (did you mean "pid"?)', 1, true))
    assert.is_truthy(message { "pid", "netsn" }:find('"netns"', 1, true))
    assert.is_truthy(message { 7 }:find "columns are words")
    assert.is_truthy(message { pids = 1 }:find("did you mean 'pid'?", 1, true))
    assert.is_truthy(message(7):find "table of columns expected")
    assert.is_truthy(message { inside = ns.of(nil, "net") }:find "pid namespace" )
  end)

  it("gives the asked columns and no others, in ascending order of pid", function()
    local rows, last = ns.ps { "pid", "comm" }, 0
    for _, row in ipairs(rows) do
      assert.is_true(row.pid > last)
      last = row.pid
      for key in pairs(row) do assert.is_true(key == "pid" or key == "comm", key) end
    end
    assert.equal("args", (ns.ps_column "cmd"))
    assert.is_string(ns.ps("pid,cmd")[1].args)
  end)

  it("knows its own process", function()
    local row = ns.ps { "ppid", "uid", "nspid", "pidns", "netns", "state", "comm", "pgid", "sid", pid = ns.getpid() }[1]
    assert.equal(ns.getppid(), row.ppid)
    assert.equal(ns.geteuid(), row.uid)
    assert.equal(ns.getpid(), row.nspid[1])
    assert.equal(ns.of(nil, "pid").inode, row.pidns)
    assert.equal(ns.of(nil, "net").inode, row.netns)
    assert.equal("R", row.state)
  end)

  it("says that a pid is gone: an error alone, a note among others", function()
    local child = world.sleeper()
    local pid = child.pid
    assert.equal(1, #ns.ps { "args", pid = child })
    child:close()
    for _, columns in ipairs { "args", "pid", "pidns" } do -- the last two read nothing else of it
      local ok, err = pcall(ns.ps, { columns, pid = pid })
      assert.is_false(ok)
      assert.equal("ESRCH", err.name)
      local rows = ns.ps { columns, pid = { pid, ns.getpid() } }
      assert.equal(1, #rows)
      assert.is_truthy(tostring(rows):find("not in this /proc: pid " .. pid, 1, true))
    end
    assert.equal("ESRCH", select(2, pcall(ns.matrix, { pid })).name)
    assert.is_truthy(tostring(ns.matrix { pid, ns.getpid() }):find("not in this /proc: pid " .. pid, 1, true))
    assert.same({}, { table.unpack(ns.ps { pid = {} }) })
  end)

  it("agrees with ps on this machine, kernel threads included", function()
    local columns = { "pid", "ppid", "pgid", "sid", "tty", "uid", "comm", "args" }
    local both = compare(ps "pid,ppid,pgid,sid,tty,uid,comm:64", ns.ps(columns),
      { "pid", "ppid", "pgid", "sid", "tty", "uid" })
    assert.is_true(both >= 2)
    compare(ps "pid,user:32,args", ns.ps { "pid", "user", "args" }, { "user" })
  end)

  helpers.ns_it(needs, "agrees with ps on namespaces, zombies and command lines", function()
    local both = world.run(function()
      local kept = { world.zombie(), world.sleeper(function()
        if ns.geteuid() == 0 then ns.unshare("uts", "net", "ipc", "cgroup") end
        ns.setname "a) b (c"
      end) }
      local out = 0
      local names = { "pidns", "netns", "utsns", "ipcns", "mntns", "userns", "cgroupns", "comm", "args", "user" }
      for _, name in ipairs(names) do
        out = out + compare(ps("pid," .. name .. ":99"), ns.ps { "pid", name }, { name })
      end
      assert.equal(2, #kept)
      return out
    end)
    assert.equal(30, both)
  end)

  helpers.ns_it(needs, "tells what another pid namespace sees, with its numbers", function()
    local inner, outer, nested, hidden = helpers.in_child(function()
      if ns.geteuid() == 0 then ns.unshare "pid" else world.become_root "pid" end
      local first <close> = world.sleeper(function()
        local second = world.sleeper()
        ns.unshare "pid"
        local third = world.sleeper()
        return second, third
      end)
      local rows = ns.ps { inside = first }
      local numbers = {}
      for i, row in ipairs(rows) do numbers[i] = row.inpid end
      return table.concat(numbers, " "), rows[1].pid == first.pid, #first:ps(), first:ps { "pid", "ppid" }[2].ppid
    end)
    assert.equal("1 2 3", inner)
    assert.is_true(outer)
    assert.equal(3, nested)
    assert.equal(1, hidden)
  end)

  it("prints itself as ps does", function()
    local row = ns.ps { "pid", "tty", "comm", pid = ns.getpid() }
    local heading, line = tostring(row):match "^([^\n]*)\n([^\n]*)$"
    assert.is_truthy(heading:find "^%s*PID TTY%s+COMMAND$")
    assert.is_truthy(line:find("^%s*" .. ns.getpid() .. " "))
  end)

  it("draws who started whom, and what is new at each step", function()
    local child <close> = world.sleeper(function() if ns.geteuid() == 0 then ns.unshare "uts" end end)
    local tree = tostring(ns.ps { "pid", pid = { ns.getpid(), child } }:tree())
    assert.is_truthy(tree:find(child.pid .. " [└`][^\n]*" .. (ns.geteuid() == 0 and "%[%+uts%] " or "")), tree)
  end)
end)
