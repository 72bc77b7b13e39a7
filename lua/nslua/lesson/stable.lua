-- SPDX-License-Identifier: MIT
-- What a lesson printed, with all that is this machine's or this moment's
-- under names that stay: the first process to be seen is p1, the next p2. So
-- two exports are equal, unless the kernel answers differently.

local calls = require "nslua.lesson.calls"
local columns = require "nslua.lesson.columns"
local text = require "nslua.text"
local ns = require "nslua"

local stable = {}

local TYPES = { "user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time" }
local SMALL = 300 -- numbers that the kernel gives to no process but the first ones


-- -- what is known on the stage -----------------------------------------------------

local function add_family(pids)
  local children = {}
  for _, row in ipairs(ns.ps { "pid", "ppid" }) do
    children[row.ppid] = children[row.ppid] or {}
    table.insert(children[row.ppid], row.pid)
  end
  local function add(pid)
    pids[#pids + 1] = pid
    for _, child in ipairs(children[pid] or {}) do add(child) end
  end
  add(ns.getpid())
end

-- The number that a process born now has.
local function newest()
  local child <close> = ns.fork(function() end)
  return child.pid
end


local function most_pid()
  local file <close> = io.open "/proc/sys/kernel/pid_max"
  return file and file:read "n" or 1 << 22
end


---Numbers that the step just run may have printed; to be asked on the stage.
---@param run table
---@return { pids: integer[], first: integer, last: integer, most: integer }
function stable.facts(run)
  local facts = { pids = {}, first = ns.getpid(), last = newest(), most = most_pid(),
    root = run.root and run.root:path(), clocks = { ns.clock "realtime", ns.clock "monotonic", ns.clock "boottime" } }
  add_family(facts.pids)
  for _, value in pairs(run.fields) do
    if getmetatable(value) == "nslua.Proc" then facts.pids[#facts.pids + 1] = value.pid end
  end
  return facts
end


-- -- names ----------------------------------------------------------------------------

local Names = {}
Names.__index = Names

-- "p3" for the third process, and so for everything that is counted.
function Names:name(kind, value)
  local known = self.known[kind] or { count = 0 }
  self.known[kind] = known
  if not known[value] then
    known.count = known.count + 1
    known[value] = kind .. known.count
  end
  return known[value]
end

-- A number in the order of the processes that were born meanwhile, and not one
-- that the lesson itself speaks of.
function Names:is_pid(n, facts)
  if n <= SMALL or self.spoken[n] then return self.pids[n] and n > 9 and not self.spoken[n] end
  if self.pids[n] then return true end
  if facts.last >= facts.first then return n >= facts.first and n <= facts.last end
  return n >= facts.first and n <= facts.most or n <= facts.last -- they began anew
end

-- Another word for a path, where that path stands and nothing longer.
local function put_place(s, path, name)
  local out, at = {}, 1
  while true do
    local first, last = s:find(path, at, true)
    if not first then break end
    local whole = not s:sub(first - 1, first - 1):find "[%w_.~/-]" and not s:sub(last + 1, last + 1):find "[%w_.~-]"
    out[#out + 1] = s:sub(at, first - 1) .. (whole and name or path)
    at = last + 1
  end
  return table.concat(out) .. s:sub(at)
end

-- Lines without what could move a cursor, and without a tail.
local function clean(s)
  local lines = {}
  for line in (s:gsub("%s+$", "") .. "\n"):gmatch "([^\n]*)\n" do
    line = line:gsub("%s+$", ""):gsub("([^\t]*)\t", function(part)
      return part .. (" "):rep(8 - text.width(part) % 8)
    end)
    lines[#lines + 1] = text.clean(line)
  end
  return table.concat(lines, "\n")
end

local HEX = "%x%x"
local MAC = "%f[%x]" .. HEX .. (":" .. HEX):rep(5) .. "%f[^%x:]"

-- Times, of a program, of a packet, of the day; and how much there is of what is
-- the machine's.
local TIMES = {
  { "(%d+%.%d+/%d+%.%d+/%d+%.%d+)( ?[mun]?s)%f[^%w]", function(_, unit) return "0.0/0.0/0.0" .. unit end },
  { "(%d+%.%d+)( ?[mun]?s)%f[^%w]", function(_, unit) return "0.0" .. unit end },
  { "%f[%d](%d+)( [mun]s)%f[^%w]", function(_, unit) return "0" .. unit end },
  { "(time ?[=<] ?)(%d+)%f[^%d.]", function(word) return word .. "0" end },
  { "(time )(%d+)(ms)%f[^%w]", function(word, _, unit) return word .. "0" .. unit end },
  { "%f[%d](%d%d:%d%d:%d%d)%f[^%d:]", function() return "00:00:00" end },
  { "(%d+)( days, )(%d+:%d%d)( h)%f[^%w]", function(_, days, _, hours) return "N" .. days .. "0:00" .. hours end },
  { "%f[%d](20%d%d%-[01]%d%-[0-3]%d)%f[^%d-]", function() return "2000-01-01" end },
  { "%f[%d](%d%d+)( mounts)", function(_, word) return "N" .. word end },
  { "(%d+)( processes are hidden)", function(_, word) return "N" .. word end },
  { "(hidden: +)(%d+)", function(word) return word .. "N" end },
}

-- A time that stands in the lesson is the lesson's, and stays.
local function times(names, s)
  for _, pair in ipairs(TIMES) do
    s = s:gsub(pair[1], function(...)
      local whole = table.concat({ ... })
      if names.source:find(whole, 1, true) then return whole end
      return pair[2](...)
    end)
  end
  return s
end

local function numbers(names, s, facts)
  return (s:gsub("%f[%w_]%d+%f[^%w_]", function(digits)
    local n = math.tointeger(digits)
    if not n then return nil end
    if n >= 4026531000 and n <= 4026999999 then return names:name("n", n) end
    return names:is_pid(n, facts) and names:name("p", n) or nil
  end))
end

-- What a clock says, in seconds and their parts, or since 1970.
local NEAR = 300

local function clocks(s, facts)
  return (s:gsub("%f[%w.]%d+%.?%d*%f[^%w]", function(digits)
    local n = tonumber(digits)
    if n < 1e9 and not digits:find ".%.%d" then return nil end
    for _, now in ipairs(facts.clocks or {}) do
      if math.abs(n - now) <= NEAR then return "T" end
    end
  end))
end

local function addresses(names, s)
  s = s:gsub(MAC, function(mac)
    if mac ~= "ff:ff:ff:ff:ff:ff" and mac ~= "00:00:00:00:00:00" then return names:name("mac", mac) end
  end)
  return (s:gsub("%f[%x]fe80::[%x:]+", function(address) return "fe80::" .. names:name("a", address) end))
end


-- -- a lesson's results -----------------------------------------------------------------

---The text with stable names.
---@param s string?
---@param facts table  of stable.facts
---@return string?
function Names:text(s, facts)
  if not s then return nil end
  s = s:gsub("%S*nslua %-%-%l+[^\n]*", "nslua") -- ourselves, as we were called
  for _, pair in ipairs(self.places) do s = put_place(s, pair[1], pair[2]) end
  return columns.rename(clean(s), function(part)
    return (times(self, addresses(self, numbers(self, clocks(part, facts), facts))))
  end)
end


-- Numbers that stand in the lesson: they are its own, and stay.
local function spoken_numbers(file)
  local found = { [65534] = true, [65535] = true, [65536] = true, [1000] = true }
  for digits in file:gmatch "%d+" do
    local n = math.tointeger(digits)
    if n then found[n] = true end
  end
  return found
end


---Names for one lesson.
---@param source string  the text of its file
---@return table
function stable.names(source)
  source = source:gsub("%-%-[^\n]*", "") -- examples in comments are not what it says
  return setmetatable({ known = {}, pids = {}, source = source, spoken = spoken_numbers(source),
    places = {} }, Names)
end


-- Names of places, the longest first.
local function add_places(places, root)
  local function add(what, name)
    if what and #what > 1 then places[#places + 1] = { what, name } end
  end
  add(root, "rootfs")
  add(os.getenv "HOME", "~")
  add(ns.uname().release, "RELEASE")
end


---All that the kernel answered, renamed in place.
---@param names table
---@param results table[]  each with its facts
function stable.rename(names, results)
  add_places(names.places, results[1] and results[1].facts.root)
  for _, result in ipairs(results) do
    for _, pid in ipairs(result.facts.pids) do names.pids[pid] = true end
  end
  for _, result in ipairs(results) do
    local facts = result.facts
    result.calls = result.calls and calls.settle(result.calls)
    for _, key in ipairs { "output", "view", "answer", "problem", "calls" } do
      result[key] = names:text(result[key], facts)
    end
    for _, claim in ipairs(result.claims) do claim.why = names:text(claim.why, facts) end
    for _, side in ipairs(result.sides or {}) do
      for _, type in ipairs(TYPES) do
        side.ns[type] = side.ns[type] and names:name("n", side.ns[type])
      end
      for _, process in ipairs(side.processes) do
        process.pid = names:name("p", process.pid)
        process.args = names:text(process.args, facts)
      end
    end
  end
end


return stable
