-- SPDX-License-Identifier: MIT
-- What `show = "hostname"` and its like show: the same thing on the host and
-- in each box. All of it is looked at from outside.

local matrix = require "nslua.matrix"
local sys = require "nslua.sys"
local text = require "nslua.text"
local ns = require "nslua"

local views = {}


---Is this a box that ns.box made?
---@param value any
---@return boolean
function views.is_box(value)
  return getmetatable(value) == "nslua.Proc" and sys.fields(value).options ~= nil
end


local function sorted_names(list, is_wanted)
  local names = {}
  for name, value in pairs(list) do
    if type(name) == "string" and is_wanted(value) then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- The places of a lesson: { name, Proc }, the host first; then the boxes that
-- run, those that the lesson declares before those that its steps made.
local function places(t)
  local list, known = { { "host", t.host } }, {}
  local function add(name, proc)
    if not known[proc] and proc.running then list[#list + 1] = { name, proc } end
    known[proc] = true
  end
  if t.box then add("box", t.box) end
  for _, name in ipairs(sorted_names(t.boxes or {}, views.is_box)) do add(name, t.boxes[name]) end
  for _, name in ipairs(sorted_names(t, views.is_box)) do add(name, t[name]) end
  return list
end

local TYPES = { "user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time" }

-- All namespaces of a process in one word; nil when they cannot be read.
local function where(proc)
  local inodes = {}
  local ok = pcall(function()
    for i, type in ipairs(TYPES) do inodes[i] = ns.access("/proc/self/ns/" .. type) and proc:ns(type).inode or 0 end
  end)
  return ok and table.concat(inodes, " ") or nil
end

local function is_proc(value) return getmetatable(value) == "nslua.Proc" end


---The places of a lesson, and every other process in its t that stands where
---none of them does: one that ns.clone made.
---@param t table
---@return { [1]: string, [2]: nslua.Proc }[]
function views.everybody(t)
  local list, taken, known = places(t), {}, {}
  for _, place in ipairs(list) do
    taken[where(place[2]) or ""], known[place[2]] = true, true
  end
  for _, name in ipairs(sorted_names(t, is_proc)) do
    local proc = t[name]
    local there = not known[proc] and proc.running and where(proc)
    if there and not taken[there] then
      list[#list + 1] = { name, proc }
      taken[there] = true
    end
  end
  return list
end

-- One line for each place, or its name and an indented block.
local function each(t, fn)
  local lines, wide = {}, 0
  local list = places(t)
  for _, place in ipairs(list) do wide = math.max(wide, text.width(place[1])) end
  for _, place in ipairs(list) do
    local said = fn(place[2])
    local first, more = said:match "^([^\n]*)\n(.*)"
    lines[#lines + 1] = text.pad(place[1], wide) .. "  " .. (first or said)
    if more then
      lines[#lines + 1] = (" "):rep(wide + 2) .. more:gsub("\n", "\n" .. (" "):rep(wide + 2))
    end
  end
  return table.concat(lines, "\n")
end


---@param t table
---@return string
function views.hostname(t)
  return each(t, function(proc) return text.clean(proc:hostname()) end)
end


---The ids of each place: how they are mapped to those outside.
---@param t table
---@return string
function views.ids(t)
  return each(t, function(proc)
    local lines = {}
    for _, kind in ipairs { "uid_map", "gid_map" } do
      for line in io.lines(("/proc/%d/%s"):format(proc.pid, kind)) do
        lines[#lines + 1] = kind .. line:gsub("%s+", " ")
      end
    end
    return table.concat(lines, "\n")
  end)
end


---Who is in there: the processes that each box sees, by both numbers.
---@param t table
---@return string
function views.ps(t)
  local lines = {}
  for _, place in ipairs(places(t)) do
    if place[2] ~= t.host then
      lines[#lines + 1] = tostring(ns.ps { "pid", "inpid", "args", inside = place[2] })
    end
  end
  return table.concat(lines, "\n")
end


-- The last mounts of a table: what came with the lesson stands at its end.
local function last_mounts(proc)
  local rows, lines = proc:mounts(), {}
  for i = math.max(1, #rows - 2), #rows do
    lines[#lines + 1] = ("%s on %s"):format(rows[i].type, text.clean(rows[i].mountpoint))
  end
  return ("%d mounts, the last of them\n%s"):format(#rows, table.concat(lines, "\n"))
end

---@param t table
---@return string
function views.mounts(t) return each(t, last_mounts) end


---Who shares what: the same letter for the same namespace.
---@param t table
---@return string
function views.namespaces(t)
  local procs, names = {}, {}
  for i, place in ipairs(views.everybody(t)) do
    procs[i] = place[2]
    names[place[2].pid] = place[1]
  end
  return tostring(matrix.named(procs, names))
end


return views
