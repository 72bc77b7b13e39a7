-- SPDX-License-Identifier: MIT
-- ns.list beside lsns, in worlds made for it.
local helpers = require "spec.helpers"
local world = require "spec.world"
local ns = require "nslua"

local needs = ns.geteuid() == 0 and "mnt pid" or "user mnt pid"

-- Compares every row of lsns with ours; returns how many there were. lsns is
-- one process more in the namespaces that the caller is in.
local function compare(theirs, ours)
  local mine, at, count = {}, world.by_name(ours), 0
  for word, handle in pairs(ns.of()) do mine[word] = handle.inode end
  for name, row in pairs(world.by_name(theirs)) do
    local our = at[name] or error("we lack " .. name)
    local extra = mine[row.type] == row.ns and 1 or 0
    assert.equal(row.nprocs - extra, our.nprocs, name .. " nprocs")
    assert.equal(row.pid, our.pid, name .. " pid")
    assert.equal(row.ppid, our.ppid, name .. " ppid")
    assert.equal(row.uid, our.uid, name .. " uid")
    assert.equal(row.user, our.user, name .. " user")
    assert.equal(row.pns or 0, our.pns or 0, name .. " parent")
    assert.equal(row.ons or 0, our.ons or (our.type == "user" and our.pns) or 0, name .. " owner")
    if row.type == "net" and type(row.netnsid) == "number" then assert.equal(row.netnsid, our.netnsid) end
    assert.equal(row.command, our.command, name .. " command")
    count = count + 1
  end
  return count
end

-- Rows of ours that have a process and that lsns lacks.
local function missing(theirs, ours)
  local at, found = world.by_name(theirs), {}
  for _, row in ipairs(ours) do
    if row.nprocs > 0 and not at[row.type .. " " .. row.ns] then found[#found + 1] = row.type .. " " .. row.ns end
  end
  return table.concat(found, ", ")
end

describe("ns.list beside lsns", function()
  helpers.adds_no_global "nslua.list"

  helpers.ns_it(needs, "agrees in a world with one process", function()
    world.run(function()
      local theirs, ours = world.lsns(), ns.list()
      assert.is_true(compare(theirs, ours) >= 8)
      assert.equal("", missing(theirs, ours))
    end)
  end)

  helpers.root_it("agrees on hundreds of namespaces of every type", function()
    local count = world.run(function()
      local kept = {}
      for i = 1, 36 do
        kept[#kept + 1] = world.sleeper(function()
          ns.unshare("mnt", "uts", "ipc", "net", "cgroup", "time", "pid")
          if i % 3 == 0 then ns.unshare "user" end
          kept = world.sleeper() -- PID 1 in there, and in the time namespace
        end)
      end
      local theirs, ours = world.lsns(), ns.list()
      assert.equal("", missing(theirs, ours))
      return compare(theirs, ours)
    end)
    assert.is_true(count > 250, count .. " namespaces")
  end)

  helpers.ns_it("user mnt pid", "agrees on nested user and pid namespaces, owners and parents", function()
    world.run(function()
      local function deeper(levels)
        world.become_root("pid", "uts", "mnt")
        return world.sleeper(function()
          ns.mount("proc", "/proc", "proc")
          if levels > 1 then deeper(levels - 1) end
        end)
      end
      local top = world.sleeper(function() deeper(5) end)
      local theirs, ours = world.lsns(), ns.list()
      assert.is_true(compare(theirs, ours) >= 8 + 5 + 4)
      assert.equal("", missing(theirs, ours))
      local depth = 0
      local at = world.by_name(ours)
      local uts = ns.of(top, "uts").inode
      local row = at["user " .. at["uts " .. uts].ons]
      while row and row.pns do
        depth, row = depth + 1, at["user " .. row.pns]
      end
      assert.is_true(depth >= 1)
    end)
  end)

  helpers.ns_it(needs, "agrees on zombies, and on one that ends during the scan", function()
    world.run(function()
      local kept = { world.zombie(), world.zombie() }
      local theirs, ours = world.lsns(), ns.list()
      assert.is_true(compare(theirs, ours) >= 8)
      local busy = ns.fork(function()
        local stop = os.time() + 2
        while os.time() < stop do
          local short <close> = ns.fork(function() end)
          short:wait()
        end
      end)
      for _ = 1, 200 do
        for _, row in ipairs(ns.list()) do assert.is_true(row.nprocs >= 0 and row.ns > 0) end
      end
      busy:kill()
      assert.equal(2, #kept)
    end)
  end)

  helpers.root_it("finds what lsns 2.38 leaves out: what only a bind mount keeps", function()
    world.run(function()
      ns.mount("none", "/tmp", "tmpfs")
      local gone = world.sleeper(function() ns.unshare("uts", "net") end)
      ns.of(gone, "uts"):pin "/tmp/uts here"
      ns.of(gone, "net"):pin "/tmp/net"
      ns.of(gone, "net"):pin "/tmp/net2"
      local uts, net = ns.of(gone, "uts").inode, ns.of(gone, "net").inode
      gone:close()
      collectgarbage()
      local theirs, ours = world.by_name(world.lsns()), world.by_name(ns.list())
      assert.is_nil(theirs["uts " .. uts])
      local row = ours["uts " .. uts]
      -- The mount point leads to it: it is there, and ours is right.
      assert.equal(uts, ns.of("/tmp/uts here").inode)
      assert.equal(0, row.nprocs)
      assert.is_nil(row.pid)
      assert.equal("/tmp/uts here", row.nsfs)
      assert.equal("/tmp/uts here", row.path)
      assert.equal("bind mount /tmp/uts here", row.kept_by)
      assert.equal("/tmp/net\n/tmp/net2", ours["net " .. net].nsfs)
      local kept = 0 -- besides what the host itself keeps
      for _, one in ipairs(ns.list { persistent = true }) do
        if one.nsfs:find "^/tmp/" then kept = kept + 1 end
      end
      assert.equal(2, kept)
    end)
  end)

  helpers.ns_it("user mnt pid", "finds a user namespace that lives by what it owns alone", function()
    world.run(function()
      -- The process moves on to a second user namespace; its uts namespace
      -- and the second one still belong to the first.
      local child = world.sleeper(function()
        world.become_root "uts"
        world.become_root()
      end)
      local ours = world.by_name(ns.list())
      local row = ours["user " .. ours["uts " .. ns.of(child, "uts").inode].ons]
      assert.equal(0, row.nprocs)
      assert.equal("child namespace", row.kept_by)
      assert.equal(row.ns, ours["user " .. ns.of(child, "user").inode].pns)
      assert.equal(row.ns, ns.of(child, "uts"):owner().inode)
    end)
  end)

  helpers.root_it("sees as nobody just what lsns sees, and counts the rest", function()
    world.run(function()
      local child = world.sleeper(function()
        ns.unshare("uts", "ipc")
        ns.setgroups {}
        ns.setresgid(65534, 65534, 65534)
        ns.setresuid(65534, 65534, 65534)
        ns.dumpable(true)
      end)
      assert.is_true(child.running)
      local out, err, status = helpers.as_nobody([[
        local ns = require "nslua"
        local rows = ns.list()
        for _, r in ipairs(rows) do
          if r.nprocs > 0 and r.pid ~= ns.getpid() then print(r.type, r.ns, r.pid) end
        end
        print(rows.hidden)]])
      assert.equal("", err)
      assert.equal(0, status)
      local mine = {}
      for name in out:gmatch "(%a+\t%d+)\t%d+\n" do mine[#mine + 1] = name end
      table.sort(mine)
      assert.is_true(#mine >= 2, out)
      assert.is_truthy(out:find("uts\t" .. ns.of(child, "uts").inode .. "\t" .. child.pid, 1, true))
      -- PID 1 is root's
      assert.equal("1", out:match "(%d+)\n$")
    end)
  end)
end)
