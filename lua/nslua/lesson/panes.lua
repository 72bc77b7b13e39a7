-- SPDX-License-Identifier: MIT
-- Host and box side by side: the same question answered on both sides, the
-- same process marked in both; and what has changed since the last step. All
-- of it is looked at from outside.

local text = require "nslua.text"
local ns = require "nslua"

local panes = {}


-- -- processes of the lesson ----------------------------------------------------

-- Our processes with their depth, parents before children.
local function family()
  local children, found = {}, {}
  local rows = ns.ps { "pid", "ppid", "args" }
  for _, row in ipairs(rows) do
    children[row.ppid] = children[row.ppid] or {}
    table.insert(children[row.ppid], row)
    if row.pid == ns.getpid() then found[1] = { row = row, depth = 0 } end
  end
  local function add(pid, depth)
    for _, row in ipairs(children[pid] or {}) do
      found[#found + 1] = { row = row, depth = depth }
      add(row.pid, depth + 1)
    end
  end
  add(ns.getpid(), 1)
  return found
end

-- pid -> number inside, and the newest of them: the one to look at.
local function insiders(box)
  local numbers, newest = {}, nil
  for _, row in ipairs(ns.ps { "pid", "inpid", inside = box }) do
    numbers[row.pid] = row.inpid
    if not newest or row.inpid > numbers[newest] then newest = row.pid end
  end
  return numbers, newest
end

local function command(row) return text.clean(row.args) end

local function mark(here) return here and " " .. text.symbol "here" or "" end

-- Both numbers of a process, where it has another inside.
local function host_lines(numbers, newest)
  local lines, labels, width = {}, {}, 0
  local all = family()
  for i, one in ipairs(all) do
    local pid, number = one.row.pid, numbers[one.row.pid]
    labels[i] = number and number ~= pid and ("%d/%d"):format(pid, number) or tostring(pid)
    width = math.max(width, #labels[i])
  end
  for i, one in ipairs(all) do
    local branch = one.depth > 0 and ("  "):rep(one.depth - 1) .. text.symbol "last" .. " " or ""
    lines[i] = ("%s %s%s%s"):format(text.pad(labels[i], width), branch, command(one.row),
      mark(one.row.pid == newest))
  end
  return lines
end

local function box_lines(numbers, newest)
  local rows, lines = {}, {}
  for _, one in ipairs(family()) do
    if numbers[one.row.pid] then rows[#rows + 1] = one.row end
  end
  table.sort(rows, function(a, b) return numbers[a.pid] < numbers[b.pid] end)
  for i, row in ipairs(rows) do
    lines[i] = ("%5d %s%s"):format(numbers[row.pid], command(row), mark(row.pid == newest))
  end
  return lines
end


-- -- the sides ------------------------------------------------------------------

local TYPE = { ps = "pid", hostname = "uts", mounts = "mnt" }

local function heading(name, proc, host, type)
  local handle, theirs = proc:ns(type), host:ns(type)
  local shared = proc == host and "" or handle == theirs and "   shared" or "   NEW"
  return ("%s  %s:[%d]%s"):format(name, type, handle.inode, shared)
end

local sides = {}

function sides.ps(_, host, box)
  if box:ns "pid" == host:ns "pid" then
    local numbers = { [box.pid] = box.pid }
    return host_lines(numbers, box.pid), box_lines(numbers, box.pid)
  end
  local numbers, newest = insiders(box)
  return host_lines(numbers, newest), box_lines(numbers, newest)
end

function sides.hostname(_, host, box)
  return { text.clean(host:hostname()) }, { text.clean(box:hostname()) }
end

local function name_of(m) return m.type .. " on " .. text.clean(m.mountpoint) end

local function new_mounts(run, proc)
  local lines, known = {}, run.mounts_at_start
  local rows = proc:mounts()
  for _, m in ipairs(rows) do
    if not known[name_of(m)] then lines[#lines + 1] = name_of(m) end
  end
  if #lines == 0 then lines[1] = ("%d mounts, none of them new"):format(#rows) end
  return lines
end

function sides.mounts(run, host, box)
  return new_mounts(run, host), new_mounts(run, box)
end


---Both sides, or nil while there is no box.
---@param run table
---@param kind "ps"|"hostname"|"mounts"
---@return { left: string[], right: string[] }?  the heading of each first
function panes.of(run, kind)
  local t = run.t
  local name, box = run:box()
  if not box then return nil end
  name = text.clean(name):upper()
  local ok, left, right = pcall(sides[kind], run, t.host, box)
  if not ok then return nil end
  table.insert(left, 1, heading("HOST", t.host, t.host, TYPE[kind]))
  table.insert(right, 1, heading(name, box, t.host, TYPE[kind]))
  return { left = left, right = right }
end


-- -- what has changed -----------------------------------------------------------------


---What there is now: processes of ours, mounts and name of the host.
---@param run table
---@return { processes: integer, mounts: integer, hostname: string }
function panes.count(run)
  local host = run.t.host
  local mounts = host:mounts()
  if not run.mounts_at_start then
    run.mounts_at_start = {}
    for _, m in ipairs(mounts) do run.mounts_at_start[name_of(m)] = true end
  end
  return { processes = #family(), mounts = #mounts, hostname = host:hostname() }
end

local function add_difference(words, n, one, many)
  if n ~= 0 then words[#words + 1] = ("%+d %s"):format(n, math.abs(n) == 1 and one or many) end
end


---The same in words.
---@param before table
---@param after table
---@return string
function panes.changed(before, after)
  local words = {}
  add_difference(words, after.processes - before.processes, "process", "processes")
  add_difference(words, after.mounts - before.mounts, "mount on the host", "mounts on the host")
  if before.hostname ~= after.hostname then
    words[#words + 1] = "the host is called " .. text.clean(after.hostname)
  end
  return #words > 0 and table.concat(words, ", ") or "nothing on the host"
end


return panes
