-- SPDX-License-Identifier: MIT
-- What a list costs, in system calls: a number that no busy machine changes.
local helpers = require "spec.helpers"
local world = require "spec.world"
local ns = require "nslua"

local needs = ns.geteuid() == 0 and "mnt pid" or "user mnt pid"

local function has_strace()
  local _, _, status = helpers.run { "strace", "-o", "/dev/null", "true" }
  return status == 0
end

-- The system calls of a fresh program that runs this code, by name; "all".
local function calls(code)
  local file = ns.mkdtemp "/tmp/nslua-cost-XXXXXX" .. "/calls"
  local _, err, status = helpers.run { "strace", "-o", file, helpers.program, "-e", code }
  assert.equal(0, status, err)
  local count = { all = 0 }
  for line in io.lines(file) do
    local name = line:match "^([%w_]+)%("
    if name then
      count[name] = (count[name] or 0) + 1
      count.all = count.all + 1
    end
  end
  helpers.run { "rm", "-r", file:match "^(.*)/" }
  return count
end

local LIST = [[for _, r in ipairs(require "nslua".list(%s)) do local _ = r.type, r.nprocs, r.user end]]

describe("the cost of a list", function()
  if not has_strace() then return pending "strace is not installed or may not trace" end

  helpers.ns_it(needs, "is at most 8.5 calls for a process and 18 for a namespace, and 200", function()
    world.run(function()
      local kept = {}
      for i = 1, 300 do
        kept[i] = world.sleeper(i % 10 == 0 and function()
          if ns.geteuid() == 0 then ns.unshare("uts", "ipc", "net", "mnt", "cgroup") else ns.unshare("user", "uts") end
        end or nil)
      end
      local processes, namespaces = #ns.ps { "pid" } + 2, #ns.list()
      assert.is_true(processes > 300 and namespaces > 60)
      local n = calls(LIST:format "").all
      assert.is_true(n <= 8.5 * processes + 18 * namespaces + 200,
        ("%d calls for %d processes and %d namespaces"):format(n, processes, namespaces))
    end)
  end)

  helpers.ns_it(needs, "is one call for a process when one type is asked for", function()
    world.run(function()
      local kept = {}
      for i = 1, 200 do kept[i] = world.sleeper() end
      local processes = #ns.ps { "pid" } + 2
      local n = calls(LIST:format '"uts"').readlinkat
      assert.is_true(n <= processes + 10, n .. " readlinkat for " .. processes)
      assert.is_true(n >= 200)
    end)
  end)

  helpers.root_it("is one call for each name of a network namespace", function()
    world.run(function()
      ns.mount("none", "/run", "tmpfs")
      local empty = calls [[print(require "nslua".netns.list())]].all
      for i = 1, 50 do ns.netns.add("n" .. i) end
      local full = calls [[print(require "nslua".netns.list())]].all
      assert.is_true(full - empty <= 50 + 30, full - empty .. " calls more")
    end)
  end)
end)

describe("the cost of a lab", function()
  if not has_strace() then return pending "strace is not installed or may not trace" end

  helpers.ns_it(ns.geteuid() == 0 and "net" or "user net", "is two calls for an echo, and 45 for a host and its cable", function()
    local count = calls [[
      local ns = require "nslua"
      local t = { bridge = {} }
      for i = 1, 30 do
        t["h" .. i] = { "10.0.0." .. i .. "/24" }
        t.bridge[i] = "h" .. i
      end
      local lab <close> = ns.lab(t)
      assert(lab:pingall({ timeout = 10 }).sent == 870)]]
    assert.is_true(count.setsockopt <= 30 * 6, count.setsockopt .. " setsockopt")
    assert.is_true(count.all <= 870 * 2.5 + 30 * 45 + 200, count.all .. " calls")
  end)
end)
