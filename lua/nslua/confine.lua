-- SPDX-License-Identifier: MIT
-- What only some children are given: clocks, ids, capabilities, limits. Each
-- becomes steps of the child, in the order that the kernel wants; options.lua
-- asks for them. time_namespaces(7), setrlimit(2), capabilities(7).

local sys = require "nslua.sys"

local confine = {}


local function fail(fmt, ...)
  sys.raise(fmt:format(...))
end

local function add(steps, ...)
  steps[#steps + 1] = { ... }
end

local function offset(seconds, clock)
  if not seconds then return "" end
  if type(seconds) ~= "number" or seconds ~= seconds
    or math.abs(seconds) > 9e9 then
    fail("%s is a number of seconds", clock)
  end
  local whole = math.floor(seconds)
  return ("%s %d %d\n"):format(clock, whole,
    math.floor((seconds - whole) * 1e9))
end

-- The offsets of a new time namespace, before the first child in it.
function confine.clocks(steps, opts, is_function)
  local text = offset(opts.monotonic, "monotonic")
    .. offset(opts.boottime, "boottime")
  add(steps, "unshare", "time")
  if text ~= "" then add(steps, "write", "/proc/self/timens_offsets", text) end
  if is_function then add(steps, "enter_time") end
end


local function integer(value, name)
  if math.type(value) ~= "integer" or value < 0 or value > 0xffffffff then
    fail("%s is an integer from 0 to 4294967295", name)
  end
  return value
end

local RLIMITS = {
  cpu = 0, fsize = 1, data = 2, stack = 3, core = 4, rss = 5, nproc = 6,
  nofile = 7, memlock = 8, as = 9, locks = 10, sigpending = 11,
  msgqueue = 12, nice = 13, rtprio = 14, rttime = 15,
}

local function unknown_limit(word)
  local list = {}
  for name in pairs(RLIMITS) do list[#list + 1] = name end
  table.sort(list)
  local near = sys.nearest(word, list)
  fail("unknown limit %s%s", sys.quote(word),
    near and (' (did you mean "%s"?)'):format(near) or "")
end

-- limits: name -> soft and hard limit, or { soft, hard }
function confine.limits(steps, limits)
  for name, value in pairs(limits) do
    if not RLIMITS[name] then unknown_limit(tostring(name)) end
    local soft = type(value) == "table" and value[1] or value
    local hard = type(value) == "table" and value[2] or soft
    add(steps, "setrlimit", RLIMITS[name], soft == "unlimited" and -1
      or integer(soft, name), hard == "unlimited" and -1
      or integer(hard, name))
  end
end


-- Ids last but for capabilities: every step before may need the rights.
function confine.ids(steps, opts, map)
  local uid, gid = opts.uid, opts.gid
  if opts.groups then
    add(steps, "setgroups", opts.groups)
  elseif uid and uid ~= 0 and not map and sys.is_admin() then
    add(steps, "setgroups", {})
  end
  if opts.caps and uid then add(steps, "prctl", 8, 1) end -- PR_SET_KEEPCAPS
  if gid then add(steps, "setresgid", integer(gid, "gid")) end
  if uid then add(steps, "setresuid", integer(uid, "uid")) end
  if opts.caps then
    local ok, mask = pcall(sys.capability_mask, opts.caps)
    if not ok then fail("caps: %s", mask:match "%((.*)%)$" or mask) end
    add(steps, "caps", mask)
  end
  if opts.no_new_privs then add(steps, "prctl", 38, 1) end
end


-- A map of several ids may leave our own id out: act as its root then. It is
-- the child's own, or that of where the child is put.
function confine.map_root(steps, opts, child)
  local map = opts.map or child.map
  local maps = require "nslua.maps"
  local problem
  map, problem = maps.resolve(map)
  if not map then fail("map: %s", problem) end
  if opts.map then opts.map = map end
  local uid, gid = maps.needs_root(map)
  if gid then add(steps, "setresgid", 0) end
  if uid then add(steps, "setresuid", 0) end
end


return confine
