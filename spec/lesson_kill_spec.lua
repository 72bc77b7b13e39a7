-- SPDX-License-Identifier: MIT
-- kill -9 of the front, the janitor or the runner of a lesson at its system
-- calls: the host is as it was, and nobody is left. A sample here, the same each
-- time; all of them with NSLUA_KILLS=all (make check).
local helpers = require "spec.helpers"
local ns = require "nslua"
local sys = require "nslua.sys"

local ALL = os.getenv "NSLUA_KILLS" == "all"
local SAMPLE = 12
local SEED = tonumber(os.getenv "NSLUA_SEED") or 20240229
local LIMIT = tonumber(os.getenv "NSLUA_KILL_LIMIT") or 1 -- seconds until nothing is left

local AT = helpers.program:match "^(.*)/" .. "/build/kill-at"
local LESSON = { helpers.program, "--batch", "uts" }

local function world()
  local lines = { ns.gethostname(), ns.getdomainname() }
  for _, m in ipairs(ns.mounts()) do lines[#lines + 1] = ("%s %s %s"):format(m.mountpoint, m.source, m.options) end
  for _, folder in ipairs { "/sys/class/net", "/run/netns" } do
    local names = ns.access(folder) and ns.readdir(folder) or {}
    table.sort(names)
    lines[#lines + 1] = table.concat(names, " ")
  end
  return table.concat(lines, "\n")
end

-- One lesson, one death: what the killer says, and how long anybody was left.
local function trial(generation, stop)
  local r, w = ns.pipe()
  ns.fork(function()
    w:dup2(1)
    ns.open("/dev/null", "w"):dup2(2)
    ns.exec { AT, tostring(generation), tostring(stop), table.unpack(LESSON) }
  end)
  w:close()
  local said = r:read "l" or "nothing"
  local started = ns.clock()
  local left
  repeat
    left = 0
    for _, pid in ipairs(sys.children()) do
      if select(2, ns.try(ns.wait, pid, 0)) == "timeout" then left = left + 1 end
    end
    if left > 0 then ns.poll({}, 0.002) end
  until left == 0 or ns.clock() - started > LIMIT
  r:close()
  if left > 0 then
    local rest = helpers.run { "ps", "-o", "pid,ppid,stat,args", "--ppid", tostring(ns.getpid()) }
    error(("%s at stop %d: %d processes are left after %.2f s\n%s"):format(said, stop, left, LIMIT, rest), 0)
  end
  return said
end

-- How many stops there are when nobody is killed.
local function count(generation)
  local most = 0
  for _ = 1, 3 do -- a busy machine may end one early
    local out = helpers.run { AT, tostring(generation), "100000000", table.unpack(LESSON) }
    most = math.max(most, math.tointeger(out:match "ended (%d+)") or 0)
  end
  return most
end

local function stops_of(total)
  local list = {}
  if ALL then
    for i = 1, total do list[i] = i end
    return list
  end
  for i = 1, SAMPLE do list[i] = math.random(total) end
  return list
end

describe("nothing is left of a lesson", function()
  lazy_setup(function()
    local _, err, status = helpers.run({ "make", "-s", "--no-print-directory", "build/kill-at" }, { limit = 300 })
    assert(status == 0, err)
  end)

  -- Some of the stops, in a child that is the parent of all that is left.
  local function try(generation, stops)
    return helpers.in_child(function()
      ns.subreaper()
      local killed = 0
      for _, stop in ipairs(stops) do
        if trial(generation, stop):find "^killed" then killed = killed + 1 end
      end
      return killed
    end)
  end

  for generation, who in pairs { [0] = "front", [1] = "janitor", [2] = "runner" } do
    helpers.ns_it("user mnt uts pid", ("whatever call the %s dies at"):format(who), function()
      math.randomseed(SEED, generation)
      local before, killed = world(), 0
      local total = count(generation)
      assert(total > 50, "the " .. who .. " makes no calls")
      local stops = stops_of(total)
      for first = 1, #stops, 50 do
        killed = killed + try(generation, table.move(stops, first, math.min(first + 49, #stops), 1, {}))
      end
      assert.is_true(killed > #stops // 2, killed .. " were killed")
      assert.equal(before, world())
    end)
  end
end)
