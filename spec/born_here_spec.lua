-- SPDX-License-Identifier: MIT
-- What joins a box from a process that has called unshare("pid"): its own
-- children belong to another pid namespace, and the first is PID 1 there.
local helpers = require "spec.helpers"
local ns = require "nslua"

local needs = ns.geteuid() == 0 and "pid mnt" or "user pid mnt"

local function box_of(...) return ns.box { user = ns.geteuid() ~= 0 or nil, ... } end

local function children_are_elsewhere()
  local ok, there = pcall(ns.readlink, "/proc/self/ns/pid_for_children")
  return not ok or there ~= ns.readlink "/proc/self/ns/pid"
end

describe("after unshare pid", function()
  helpers.root_it("a box is still joined, and the first child is still PID 1", function()
    helpers.in_child(function()
      local box <close> = box_of("pid", "mnt", "uts")
      ns.unshare "pid"
      local fds = helpers.fds()
      for _ = 1, 3 do
        assert.equal(ns.of(box, "pid").inode .. "", box:read("readlink /proc/self/ns/pid"):match "%d+")
        assert.is_true(box:sh "true")
        assert.is_true(children_are_elsewhere())
      end
      assert.is_false(pcall(box.spawn, box, { "/no/such/program" }))
      assert.is_true(children_are_elsewhere())
      collectgarbage()
      assert.equal(fds, helpers.fds())
      local r, w = ns.pipe()
      local first <close> = ns.fork(function() w:write(tostring(ns.getpid())) end)
      assert.equal("1", r:read(10))
      first:wait()
      assert.equal("EAGAIN ENOMEM", select(2, pcall(ns.fork, function() end)).name:gsub("^ENOMEM$", "EAGAIN ENOMEM"))
      assert.is_true(box:sh "true") -- nobody can be born there any more, but here
      assert.equal("ENOMEM", select(2, pcall(ns.fork, function() end)).name)
    end)
  end)

  helpers.root_it("who has no pid namespace of its own is joined beside us", function()
    helpers.in_child(function()
      local box <close> = ns.clone({ "uts" }, { "sleep", "60" })
      ns.unshare "pid"
      assert.equal(ns.readlink "/proc/self/ns/pid", (box:read "readlink /proc/self/ns/pid"):match "%S+")
      local keeper <close> = ns.fork(function() ns.poll({}, 30) end)
      local there = ns.readlink "/proc/self/ns/pid_for_children"
      assert.is_true(box:sh "true")
      assert.equal(there, ns.readlink "/proc/self/ns/pid_for_children")
      assert.is_true(keeper.running)
    end)
  end)

  helpers.ns_it(needs, "what is refused is told, and nothing is used up", function()
    helpers.in_child(function()
      local box <close> = ns.box { "user", "pid", "mnt" }
      ns.unshare("user", "pid")
      local ok = pcall(box.sh, box, "true")
      assert.is_true(ok == false or ok == true)
      assert.is_true(children_are_elsewhere())
    end)
  end)
end)
