-- SPDX-License-Identifier: MIT
-- Lists where there is no /proc, or somebody else's.
local helpers = require "spec.helpers"
local world = require "spec.world"
local ns = require "nslua"

local needs = ns.geteuid() == 0 and "mnt pid" or "user mnt pid"

describe("where /proc is missing or foreign", function()
  helpers.adds_no_global "nslua.bare"

  -- Runs fn where /proc is an empty folder, and /run another's, too.
  local function without_proc(fn)
    return helpers.in_child(function()
      if ns.geteuid() == 0 then ns.unshare "mnt" else world.become_root "mnt" end
      ns.mount("", "/", "none", "private,rec")
      ns.mount("none", "/run", "tmpfs")
      local child <close> = world.sleeper()
      ns.mount("none", "/proc", "tmpfs")
      return fn(child)
    end)
  end

  helpers.ns_it(needs, "works without /proc: one process's own, and says so", function()
    without_proc(function(child)
      local rows = ns.list()
      local at = world.by_name(rows)
      for word, handle in pairs(ns.of()) do
        local row = at[word .. " " .. handle.inode]
        assert.same({ 1, ns.getpid(), ns.geteuid() }, { row.nprocs, row.pid, row.uid })
      end
      assert.is_truthy(tostring(rows):find "no /proc is mounted here")
      for _, types in ipairs { "uts,ipc", { "ipc", "CLONE_NEWUTS" }, 0x0c000000 } do
        assert.equal(2, #ns.list { type = types })
      end
      assert.equal("mnt", ns.list("mount")[1].type)
      for _, row in ipairs(ns.list { pid = child }) do
        assert.equal(ns.of(child, row.type).inode, row.ns)
        assert.equal(child.pid, row.nprocs == 1 and row.pid or child.pid)
      end
      assert.equal("ESRCH", select(2, pcall(ns.list, { pid = 4194303 })).name)
    end)
  end)

  helpers.root_it("finds without /proc what is mounted, and names of network namespaces", function()
    without_proc(function(child)
      ns.netns.add "blue"
      ns.netns.attach("red", child)
      local names = {}
      for _, row in ipairs(ns.netns.list()) do names[row.name] = row.ns end
      assert.same({ blue = ns.netns.open("blue").inode, red = ns.of(child, "net").inode }, names)
      local at = world.by_name(ns.list())
      local blue = at["net " .. names.blue]
      assert.same({ 0, "/run/netns/blue", "bind mount /run/netns/blue" }, { blue.nprocs, blue.nsfs, blue.kept_by })
      assert.is_truthy(at["net " .. names.red].kept_by:find("processes.*bind mount /run/netns/red"))
      assert.same({ "red" }, ns.netns.identify(child))
      ns.netns.del "blue"
    end)
  end)

  -- /proc is that of a pid namespace below, in which the caller is not.
  local function foreign_proc(fn)
    return helpers.in_child(function()
      ns.unshare "mnt"
      ns.mount("", "/", "none", "private,rec")
      ns.mount("none", "/run", "tmpfs")
      local below <close> = world.sleeper(function()
        ns.unshare "pid"
        world.sleeper(function()
          ns.pdeathsig "KILL" -- gone with the one above it
          ns.mount("proc", "/proc", "proc")
        end)
      end)
      return fn(below)
    end)
  end

  helpers.root_it("says when /proc is of another pid namespace, and lists what it can", function()
    foreign_proc(function()
      ns.netns.add "blue"
      local foreign = "another pid namespace"
      local rows = ns.list()
      assert.is_truthy(tostring(rows):find(foreign))
      assert.equal("/run/netns/blue", world.by_name(rows)["net " .. ns.netns.open("blue").inode].nsfs)
      assert.is_truthy(tostring(ns.ps()):find(foreign))
      assert.is_truthy(tostring(ns.matrix()):find(foreign))
      assert.equal("blue", tostring(ns.netns.list()))
      local child <close> = world.sleeper()
      for _, fn in ipairs {
        function() return ns.list { pid = 4194303 } end, function() return child:ps() end,
        function() return child:pids() end, function() return ns.netns.pids "blue" end,
      } do
        local ok, err = pcall(fn)
        assert.is_false(ok)
        assert.equal("ESRCH", err.name)
        assert.is_truthy(tostring(err):find(foreign))
      end
    end)
  end)
end)
