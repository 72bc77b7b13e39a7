-- SPDX-License-Identifier: MIT
-- Processes as a list, with the columns of ps and their namespaces.

local list = require "nslua.list"
local sys = require "nslua.sys"
local ns = sys.primitives

local processes = {}

local PS_KEYS = { true, pid = true, proc = true, inside = true }

local function check_columns(opts)
  local columns, words = {}, {}
  for _, word in ipairs(opts) do
    if type(word) ~= "string" then sys.raise("bad argument #1 to 'ps' (columns are words)") end
    for one in word:gmatch "[^,%s]+" do words[#words + 1] = one end
  end
  for i, word in ipairs(words) do
    columns[i] = word == "inpid" and word or (list.call_as("ps", "column", ns.ps_column, word))
  end
  return columns
end

-- The processes that a pid namespace can see, with their numbers there.
local function look_inside(target)
  if getmetatable(target) == "nslua.Ns" then
    if target.type ~= "pid" then
      sys.raise(("bad option 'inside' (a pid namespace expected, this is a %s namespace)"):format(target.type))
    end
    return ns.scan_visible(target)
  end
  local handle <close> = ns.of(list.number_of(target), "pid")
  return ns.scan_visible(handle)
end

local function some_pids(what)
  if what == nil then return nil end
  if type(what) ~= "table" then what = { what } end
  local pids = {}
  for i, one in ipairs(what) do pids[i] = list.number_of(one) end
  return pids
end

-- Those that were asked for and are not there: a note, or an error where that
-- is all.
local function missing(pids, rows, proc, foreign)
  local there, gone = {}, {}
  for _, row in ipairs(rows) do there[row.pid] = true end
  for _, pid in ipairs(pids) do
    if not there[pid] then gone[#gone + 1] = pid end
  end
  if #rows == 0 and #gone > 0 then list.absent(gone[1], proc, foreign) end
  return gone
end


---The processes, with any of these columns: pid ppid pgid sid user uid tty
---state comm args nspid, and mntns utsns ipcns netns pidns userns cgroupns
---timens. The list prints itself as ps does.
---
---    print(ns.ps())
---    print(ns.ps { "pid", "pidns", "args" })
---    print(ns.ps { inside = box })    -- also `inpid`, the number in there
---
---Raises: ESRCH (none of the processes that `pid` names is there), EACCES (they
---are hidden), ENOENT (no procfs).
---Source: ps(1), proc(5)
---@param opts? string|table  columns ("pid,args" or a list), and the keys
---   pid: only these; inside: only those which that pid namespace can see;
---   proc: another procfs
---@return nslua.List
function processes.ps(opts)
  if type(opts) == "string" then opts = { opts } end
  if opts ~= nil and type(opts) ~= "table" then
    sys.raise("bad argument #1 to 'ps' (table of columns expected)")
  end
  opts = opts or {}
  list.check_keys("ps", opts, PS_KEYS)
  local columns = check_columns(opts)
  if #columns == 0 then
    columns = opts.inside and { "inpid", "pid", "user", "args" } or { "pid", "ppid", "user", "args" }
  end
  local pids, inner = some_pids(opts.pid), nil
  if opts.inside then pids, inner = look_inside(opts.inside) end
  local asked = {}
  for _, word in ipairs(columns) do
    if word ~= "inpid" then asked[#asked + 1] = word end
  end
  local proc = opts.proc or "/proc"
  local rows, hidden, foreign = ns.scan_processes(asked, proc, pids)
  local gone = pids and not inner and missing(pids, rows, proc, foreign) or nil
  for _, row in ipairs(rows) do
    if inner then row.inpid = inner[row.pid] end
  end
  return list.make(rows, "processes", columns, { hidden = hidden, foreign = foreign or nil, gone = gone, proc = proc })
end

return processes
