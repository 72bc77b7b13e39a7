-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local world = require "spec.world"
local ns = require "nslua"

local needs = ns.geteuid() == 0 and "mnt pid" or "user mnt pid"

local function message(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return tostring(err)
end

describe("ns.list", function()
  it("has a record for each of the caller's own namespaces", function()
    local at = world.by_name(ns.list())
    for word, handle in pairs(ns.of()) do
      local row = at[word .. " " .. handle.inode]
      assert.equal(word, row.type)
      assert.equal(handle.id, row.id)
      assert.is_true(row.nprocs >= 1)
      assert.is_truthy(row.kept_by:find "^processes")
      local owner = handle:owner()
      if word ~= "user" then assert.equal(owner and owner.inode, row.ons) end
    end
  end)

  it("takes one type, several, and a process", function()
    for _, row in ipairs(ns.list "uts") do assert.equal("uts", row.type) end
    local seen = {}
    for _, row in ipairs(ns.list { type = { "net", "ipc" } }) do seen[row.type] = true end
    assert.same({ net = true, ipc = true }, seen)
    local child <close> = world.sleeper()
    local mine = ns.list { pid = child }
    assert.equal(8, #mine)
    for _, row in ipairs(mine) do assert.equal(ns.of(child, row.type).inode, row.ns) end
    assert.equal(8, #ns.list { pid = child.pid })
  end)

  it("names the nearest for an unknown type, option or column", function()
    assert.is_truthy(message(ns.list, "utz"):find('unknown namespace type "utz" (did you mean "uts"?)', 1, true))
    assert.is_truthy(message(ns.list, { tpye = "uts" }):find("unknown option 'tpye', did you mean 'type'?", 1, true))
    assert.is_truthy(message(tostring, ns.list():show("ns", "nproc")):find("did you mean 'nprocs'?", 1, true))
    assert.is_truthy(message(ns.list, 7):find "bad argument #1 to 'list'")
    assert.is_truthy(message(ns.list, { pid = -1 }):find "bad option 'pid'")
    assert.is_truthy(message(function() ns.list():tree "owned" end):find("did you mean 'owner'?", 1, true))
  end)

  it("says that a pid is gone, or that its namespaces are not to be seen", function()
    local child = world.sleeper()
    local pid = child.pid
    child:close()
    local ok, err = pcall(ns.list, { pid = pid })
    assert.is_false(ok)
    assert.equal("ESRCH", err.name)
    assert.is_truthy(tostring(err):find "no process has this pid")
    local out = helpers.as_nobody [[
      local ns = require "nslua"
      local ok, err = pcall(ns.list, { pid = ns.getppid() })
      print(ok, err and err.name)]]
    if ns.geteuid() == 0 then assert.equal("false\tEACCES\n", out) end
  end)

  it("keeps its shape through :where and :show", function()
    local all = ns.list()
    local uts = all:where(function(n) return n.type == "uts" end)
    assert.equal(all.hidden, uts.hidden)
    assert.is_true(#uts >= 1 and #uts < #all)
    local lines = {}
    for line in tostring(uts:show("type", "ns")):gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal("TYPE         NS", lines[1])
    assert.equal(("uts  %d"):format(uts[1].ns), lines[2])
  end)

  it("shows a command line with escape sequences and newlines harmlessly", function()
    local child <close> = ns.clone({ stdout = "null" }, { "sh", "-c", "sleep 100; # \27[31m\7evil\nNEXT\255" })
    for _ = 1, 100 do
      if ns.ps { "args", pid = child }[1].args:find "evil" then break end
      ns.poll({}, 0.02)
    end
    local text = tostring(ns.ps { "pid", "args", pid = child })
    assert.is_nil(text:find "[\0-\9\11-\31\127\255]")
    assert.is_truthy(text:find("\\x1B[31m\\x07evil\\nNEXT\\xFF", 1, true), text)
    assert.is_truthy(tostring(ns.matrix { child }):find("\\x1B[31m", 1, true))
    assert.is_truthy(ns.ps { "pid", "args", pid = child }:json():find("\\u001b[31m\\u0007evil\\nNEXT\u{fffd}", 1, true))
  end)

  helpers.ns_it(needs, "works without /proc: the caller's own, and says so", function()
    local n, note = helpers.in_child(function()
      if ns.geteuid() == 0 then ns.unshare "mnt" else world.become_root "mnt" end
      ns.mount("", "/", "none", "private,rec")
      ns.mount("none", "/proc", "tmpfs")
      local rows = ns.list()
      return #rows, tostring(rows), ns.list("uts")[1].type
    end)
    assert.is_true(n >= 7)
    assert.is_truthy(note:find "no /proc is mounted here")
  end)

  helpers.ns_it(needs, "says when /proc is of another pid namespace", function()
    local note = helpers.in_child(function()
      if ns.geteuid() == 0 then ns.unshare "pid" else world.become_root "pid" end
      return helpers.in_child(function() return tostring(ns.list()) end)
    end)
    assert.is_truthy(note:find "another pid namespace")
  end)

  helpers.ns_it(needs, "says when /proc hides the processes of others", function()
    local note = world.run(function()
      ns.mount("proc", "/proc", "proc", "remount", "hidepid=2")
      return tostring(ns.list())
    end)
    assert.is_truthy(note:find "hidepid")
  end)

  it("leaves no descriptor and no memory behind", function()
    for _ = 1, 50 do ns.list "uts" end
    collectgarbage() collectgarbage()
    local fds, memory = helpers.fds(), collectgarbage "count"
    for _ = 1, 2000 do ns.list "uts" end
    assert.equal(fds, helpers.fds())
    collectgarbage() collectgarbage()
    assert.is_true(collectgarbage "count" < memory + 200)
    for _ = 1, 100 do pcall(ns.list, "utz") pcall(ns.list, { proc = "/tmp" }) pcall(ns.scan_processes, { "x" }) end
    assert.equal(fds, helpers.fds())
  end)
end)

describe("ns.list { deep = true }", function()
  helpers.ns_it(ns.geteuid() == 0 and "net uts" or "user net uts",
    "finds what only an open descriptor keeps, and whose it is", function()
      local child = world.sleeper(function()
        if ns.geteuid() == 0 then ns.unshare("net", "uts") else ns.unshare("user", "net", "uts") end
      end)
      local net, uts = ns.of(child, "net"), ns.of(child, "uts")
      child:close()
      assert.is_nil(world.by_name(ns.list())["net " .. net.inode])
      local at = world.by_name(ns.list { deep = true })
      for _, handle in ipairs { net, uts } do
        local row = at[handle.type .. " " .. handle.inode]
        assert.equal(0, row.nprocs)
        assert.is_truthy(row.kept_by:find("descriptor %d+ of " .. ns.getpid()))
        assert.equal(handle.id, row.id)
        assert.equal(handle, ns.of(row.path))
      end
    end)

  helpers.root_it("finds one whose descriptor was opened by a mount point that is gone", function()
    world.run(function()
      ns.mount("none", "/tmp", "tmpfs")
      local child = world.sleeper(function() ns.unshare "ipc" end)
      ns.of(child, "ipc"):pin "/tmp/ipc"
      local handle = ns.of "/tmp/ipc"
      ns.umount("/tmp/ipc", "detach")
      child:close()
      collectgarbage()
      local row = world.by_name(ns.list { deep = true })["ipc " .. handle.inode]
      assert.is_truthy(row.kept_by:find "^descriptor")
    end)
  end)

  helpers.root_it("finds the pid namespace that a process has chosen for its children", function()
    world.run(function()
      -- PID 1 of the new namespace has ended: nobody is in it, nobody can be.
      local child = world.sleeper(function()
        ns.unshare "time"
      end)
      local future = tonumber(ns.readlink(("/proc/%d/ns/time_for_children"):format(child.pid)):match "%d+")
      local row = world.by_name(ns.list { deep = true })["time " .. future]
      assert.equal(0, row.nprocs)
      assert.equal("future children of " .. child.pid, row.kept_by)
      assert.is_nil(world.by_name(ns.list())["time " .. future])
    end)
  end)

  -- Walking all mount namespaces is for root of the first pid namespace.
  local function sees_all()
    if ns.geteuid() ~= 0 then return false, "needs root" end
    if ns.of(ns.getpid(), "pid").inode ~= 0xEFFFFFFC then
      return false, "this pid namespace is not the kernel's first", "absent"
    end
    return true
  end

  helpers.need_it(sees_all, "finds a mount namespace that is in nobody's hands but the kernel's", function()
    local found = helpers.in_child(function()
      local child <close> = world.sleeper(function() ns.unshare "mnt" end)
      local handle = ns.of(child, "mnt")
      local inode, a, b = handle.inode, ns.socketpair()
      a:send("x", { handle }) -- in flight, until b receives it
      handle:close()
      child:close()
      local row = world.by_name(ns.list { deep = true })["mnt " .. inode]
      return row ~= nil and row.nprocs == 0 and row.kept_by, b ~= nil
    end)
    assert.equal("something unseen", found)
  end)
end)
