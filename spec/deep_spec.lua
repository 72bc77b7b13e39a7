-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local world = require "spec.world"
local ns = require "nslua"

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

  helpers.ns_it("user mnt uts pid", "finds what is mounted in another mount namespace only", function()
    world.run(function()
      local kept
      local other <close> = world.sleeper(function()
        world.become_root "mnt"
        ns.mount("", "/", "none", "private,rec")
        ns.mount("none", "/tmp", "tmpfs")
        local short <close> = world.sleeper(function() ns.unshare "uts" end)
        ns.of(short, "uts"):pin "/tmp/a b\n\27[31m"
      end)
      for _, types in ipairs { "uts", { "uts", "mnt" } } do
        for _, row in ipairs(ns.list { type = types, deep = true }) do
          if row.type == "uts" and row.kept_by:find "^bind" then kept = row end
        end
        assert.equal(("bind mount /tmp/a b\n\27[31m in the mount namespace of %d"):format(other.pid), kept.kept_by)
        assert.equal(kept.ns, ns.of(kept.path).inode)
        assert.equal(kept.id, ns.of(kept.path).id)
      end
      assert.is_nil(world.by_name(ns.list())["uts " .. kept.ns])
      assert.is_nil(tostring(ns.list { deep = true }):find "\27")
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
