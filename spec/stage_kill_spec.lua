-- SPDX-License-Identifier: MIT
-- kill -9 of the front, the janitor or the runner of a lesson, at random but
-- repeatable moments: a quarter of a second later nothing is left.
local helpers = require "spec.helpers"
local ns = require "nslua"
local sys = require "nslua.sys"

local MOMENTS = tonumber(os.getenv "NSLUA_MOMENTS") or 12
local SEED = tonumber(os.getenv "NSLUA_SEED") or 20240229
local LIMIT = 0.25 -- seconds that it may take until nothing is left

-- A lesson that is never at rest: boxes come and go, some processes leave their
-- session, the terminal is raw, the stage has another name and more mounts.
local LESSON = [[
  local ns, stage = require "nslua", require "nslua.stage"
  os.exit(stage.run({ net = NET }, function(host)
    ns.fd(0):raw()
    while true do
      ns.sethostname "changed"
      ns.mount("none", "/mnt", "tmpfs")
      local box <close> = ns.box { "uts", "mnt", "pid", hostname = "box" }
      box:spawn { "sh", "-c", "trap '' TERM HUP INT; sleep 60 & sleep 60" }
      box:spawn(function() ns.setsid() ns.poll({}, 60) end)
      ns.fork(function() ns.setsid() ns.fork(function() ns.setsid() ns.poll({}, 60) end) end):wait()
      host:spawn { "sleep", "60" }
      box:run { "sh", "-c", "stty raw -echo; :" }
      host:call(function() ns.mount("none", "/mnt", "tmpfs") end)
      ns.umount("/mnt", "detach")
    end
  end))]]

local function children(pid)
  local file = io.open(("/proc/%d/task/%d/children"):format(pid, pid))
  local text = file and file:read "a" or ""
  if file then file:close() end
  return text:match "%d+"
end

-- The pid of the victim as soon as there is one; nil when the lesson is over.
local function find(who, front, leader)
  for _ = 1, 1000 do
    local pid = children(leader)
    if not pid then return nil end
    pid = tostring(front)
    if who ~= "front" then pid = children(pid) end
    if who == "runner" and pid then pid = children(pid) end
    if pid then return math.tointeger(pid) end
    ns.poll({}, 0.001)
  end
end

-- How many are left beside `keep`? We are the subreaper of all that a lesson
-- starts.
local function wait_alone(keep)
  local left
  for _ = 1, LIMIT * 200 do
    left = 0
    for _, pid in ipairs(sys.children()) do
      if pid ~= keep and select(2, ns.try(ns.wait, pid, 0)) == "timeout" then left = left + 1 end
    end
    if left == 0 and not children(keep) and #sys.children() == 1 then return 0 end
    ns.poll({}, 0.005)
  end
  return left + (children(keep) and 1 or 0)
end

local function world()
  local lines = { ns.gethostname() }
  for _, m in ipairs(ns.mounts()) do lines[#lines + 1] = ("%s %s %s"):format(m.mountpoint, m.source, m.options) end
  lines[#lines + 1] = ns.access "/run/netns" and table.concat(ns.readdir "/run/netns", " ") or ""
  return table.concat(lines, "\n")
end

-- One lesson, one death. Returns what is wrong afterwards, or nil.
local function trial(who, moment, command)
  local master <close>, slave = ns.pty()
  local _ <close> = slave
  local modes = slave:tcgetattr()
  local name = ns.readlink("/proc/self/fd/" .. slave:fileno())
  -- The leader of the session is not the one that dies: a hang-up would be
  -- another lesson.
  local r, w = ns.pipe()
  local leader <close> = ns.fork(function()
    ns.setsid()
    local tty = ns.open(name, "rdwr")
    for fd = 0, 2 do tty:dup2(fd) end
    local front = ns.fork(function() ns.exec(command) end)
    w:write(front.pid .. "\n")
    front:wait()
    ns.poll({}, 60)
  end)
  local front = math.tointeger(r:read "l")
  r:close() w:close()
  ns.poll({}, moment)
  local victim = find(who, front, leader.pid)
  if not victim then return nil end
  local ok, err = pcall(ns.kill, victim, "KILL")
  if not ok and err.name ~= "ESRCH" then error(err) end
  local left = wait_alone(leader.pid)
  if left > 0 then
    return left .. " processes are left: " .. helpers.run { "ps", "-o", "pid,ppid,args", "--ppid", tostring(ns.getpid()) }
  end
  if slave:tcgetattr() ~= modes then return "the terminal is raw" end
  return nil, true
end

-- Kills `who` at some moments. pick() gives a command and a table that keeps
-- how long it takes.
local function kill_some(who, pick, moments, seed)
  ns.subreaper()
  math.randomseed(SEED, seed)
  local killed = 0
  while killed < moments do
    local command, it = pick()
    local moment = math.random() * it.longest
    local wrong, done = trial(who, moment, command)
    if wrong then
      error(("%s of %s killed after %.4f s (moment %d): %s"):format(who, command[#command], moment, killed, wrong), 0)
    end
    if done then killed = killed + 1 else it.longest = it.longest * 0.9 end -- it was over already
    assert.is_true(it.longest > 0.01, "it ends too soon")
  end
end

local AT_ONCE = 25 -- in one child, which may not take too long

local function trials(pick)
  for _, who in ipairs { "front", "janitor", "runner" } do
    helpers.ns_it("user mnt uts pid net", ("whatever moment the %s dies at"):format(who), function()
      local before = world()
      for first = 0, MOMENTS - 1, AT_ONCE do
        helpers.in_child(kill_some, who, pick, math.min(AT_ONCE, MOMENTS - first), first + #who)
      end
      assert.equal(before, world())
    end)
  end
end

describe("nothing is left of a busy stage", function()
  local stage = { longest = 0.15 }
  trials(function() return { helpers.program, "-e", (LESSON:gsub("NET", "false")) }, stage end)
end)

describe("nothing is left of some lesson", function()
  local ids, times = {}, {}
  for _, id in ipairs(require "nslua.lesson.load".course) do
    if sys.embedded(("scripts/%s.lua"):format(id)) then
      ids[#ids + 1], times[id] = id, { longest = 0.25 }
    end
  end
  trials(function()
    local id = ids[math.random(#ids)]
    return { helpers.program, "--batch", id }, times[id]
  end)
end)
