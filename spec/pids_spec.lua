-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local pids = require "nslua.pids"
local world = require "spec.world"
local ns = require "nslua"

-- A process three pid namespaces down, with a /proc of ours that shows all.
-- fn gets the outermost child and the deepest one's pid, as we see them.
local function deep(fn)
  return world.run(function()
    local function down(levels)
      if ns.geteuid() == 0 then ns.unshare "pid" else world.become_root("pid", "mnt") end
      return world.sleeper(levels > 1 and function()
        if ns.geteuid() ~= 0 then ns.mount("proc", "/proc", "proc") end
        down(levels - 1)
      end or nil)
    end
    local top = world.sleeper(function() down(3) end)
    local rows = ns.ps { "nspid" }
    return fn(top, rows[#rows])
  end)
end

local needs = ns.geteuid() == 0 and "mnt pid" or "user mnt pid"

describe("a process's numbers", function()
  helpers.adds_no_global "nslua.pids"

  it("refuse what is no pid and no pid namespace", function()
    for _, bad in ipairs { 0, -1, 1.5, "1", {}, true } do
      assert.is_false(pcall(ns.pid_in, bad, ns.getpid()))
      assert.is_false(pcall(ns.pid_in, ns.getpid(), bad))
      assert.is_false(pcall(ns.pid_from, bad, ns.getpid()))
    end
    local ok, err = pcall(ns.pid_in, ns.getpid(), ns.of(nil, "net"))
    assert.is_false(ok)
    assert.is_truthy(err:find("this is a net namespace", 1, true))
    helpers.badargs(ns.nspid, "pid", ns.getpid())
    helpers.badargs(ns.translate_pid, "handle word int", ns.of(nil, "pid"), "in", 1)
    helpers.badargs(ns.scan_visible, "handle ?path", ns.of(nil, "pid"), "/proc")
  end)

  it("are the same for one in our own namespace", function()
    local child <close> = world.sleeper()
    assert.equal(child.pid, child:pids()[1])
    assert.equal(child.pid, child:pid_in(ns.getpid()))
    assert.equal(child.pid, ns.pid_from(child.pid, child))
    assert.is_nil(ns.pid_in(4194304, ns.getpid()))
  end)

  it("raise ESRCH for a pid that is gone", function()
    local ok, err = pcall(ns.nspid, 4194304)
    assert.is_false(ok)
    assert.equal("ESRCH", err.name)
  end)

  helpers.ns_it(needs, "translate both ways, at every level, as NSpid has them", function()
    local depth = deep(function(_, last)
      local handle, level = ns.of(last.pid, "pid"), #last.nspid
      while level > 1 do
        local there = ns.pid_in(last.pid, handle)
        assert.equal(last.nspid[level], there)
        assert.equal(last.pid, ns.pid_from(there, handle))
        handle, level = handle:parent(), level - 1
      end
      return #last.nspid
    end)
    assert.equal(4, depth)
  end)

  helpers.ns_it(needs, "are nothing where the process is not to be seen", function()
    deep(function(_, last)
      assert.is_nil(ns.pid_in(ns.getpid(), last.pid))
      assert.is_nil(ns.pid_from(77, last.pid))
    end)
  end)

  helpers.ns_it(needs, "are found by the NSpid line where the kernel lacks the ioctl", function()
    deep(function(top, last)
      local handle = ns.of(last.pid, "pid")
      local up = handle:parent()
      for _, target in ipairs { handle, up, ns.of(nil, "pid") } do
        local there = pids.fallback.pid_in(last.pid, target)
        assert.equal(ns.pid_in(last.pid, target), there)
        assert.equal(last.pid, pids.fallback.pid_from(there, target))
      end
      assert.is_nil(pids.fallback.pid_in(top.pid, handle))
      assert.is_nil(pids.fallback.pid_from(77, handle))
    end)
  end)

  helpers.ns_it(needs, "of a box that has ended are refused in words", function()
    helpers.in_child(function()
      local box <close> = ns.box { user = ns.geteuid() ~= 0 or nil, "pid" }
      box:kill()
      box:wait()
      local ok, err = pcall(box.ps, box)
      assert.is_false(ok)
      assert.equal("ESRCH", err.name)
      assert.is_truthy(tostring(err):find("the process has ended", 1, true))
    end)
  end)

  it("of the members of a namespace", function()
    local child <close> = world.sleeper()
    local members, hidden = ns.of(child, "uts"):members()
    local found = false
    for _, pid in ipairs(members) do found = found or pid == child.pid end
    assert.is_true(found)
    assert.is_true(hidden >= 0)
  end)

  helpers.ns_it("user uts", "of a namespace of one", function()
    local child <close> = world.sleeper(function() ns.unshare("user", "uts") end)
    assert.same({ child.pid }, (ns.of(child, "uts"):members()))
    assert.same({ child.pid }, (ns.of(child, "user"):members()))
  end)
end)
