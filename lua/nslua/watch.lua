-- SPDX-License-Identifier: MIT
-- Namespaces that come and go. The kernel tells nobody, so one looks again
-- and again; what lives between two looks only is not seen.

local list = require "nslua.list"
local sys = require "nslua.sys"
local ns = sys.primitives

local watch = {}

local KEYS = { type = true, deep = true, proc = true, interval = true, timeout = true }

-- A number that is never used again where the kernel has one: an inode number
-- may come back within a second.
local function key(row)
  return row.id and ("%s %d"):format(row.type, row.id) or ("%s [%d]"):format(row.type, row.ns)
end

local function look(opts)
  local now = {}
  for _, row in ipairs(list.list(opts)) do now[key(row)] = row end
  return now
end

-- Calls fn for what `new` has and `old` lacks; true when fn wants no more.
local function tell(fn, event, new, old)
  local rows = {}
  for id, row in pairs(new) do
    if not old[id] then rows[#rows + 1] = row end
  end
  table.sort(rows, function(a, b) return a.ns < b.ns end)
  for _, row in ipairs(rows) do
    if fn(event, row) then return true end
  end
  return false
end

local function seconds(value, name, default)
  if value == nil then return default end
  if type(value) ~= "number" or value ~= value or value < 0 then
    sys.raise(("bad option '%s' (seconds >= 0 expected)"):format(name))
  end
  return value
end

local function read_options(opts)
  if opts ~= nil and type(opts) ~= "table" then sys.raise("bad argument #2 to 'watch' (table expected)") end
  opts = opts or {}
  list.check_keys("watch", opts, KEYS, 2)
  return { type = opts.type, deep = opts.deep, proc = opts.proc }, seconds(opts.interval, "interval", 0.5),
    seconds(opts.timeout, "timeout", nil)
end


---Calls fn("new", record) for each namespace that comes and fn("gone", record)
---for each that goes, until fn returns true or the time is over.
---
---    ns.watch(function(event, n) print(event, n.type, n.ns, n.command) end)
---
---Source: namespaces(7), proc(5)
---@param fn fun(event: "new"|"gone", row: table): any
---@param opts? { type?: string|string[], deep?: boolean, proc?: string, interval?: number, timeout?: number }
---   interval: seconds between two looks, 0.5; timeout: seconds
---@return boolean stopped  did fn end it?
function watch.watch(fn, opts)
  if type(fn) ~= "function" then sys.raise("bad argument #1 to 'watch' (function expected)") end
  local what, interval, timeout = read_options(opts)
  local stop = timeout and ns.clock() + timeout -- a look takes its time, too
  local before = look(what)
  while not stop or ns.clock() < stop do
    ns.poll({}, stop and math.max(0, math.min(interval, stop - ns.clock())) or interval)
    local now = look(what)
    if tell(fn, "gone", before, now) or tell(fn, "new", now, before) then return true end
    before = now
  end
  return false
end

return watch
