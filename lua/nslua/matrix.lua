-- SPDX-License-Identifier: MIT
-- Who shares what: processes by namespaces.

local text = require "nslua.text"
local processes = require "nslua.ps"
local view = require "nslua.view"

local matrix = {}

-- 1 -> A, 26 -> Z, 27 -> AA
local function letters(n)
  local s = ""
  while n > 0 do
    s = string.char(65 + (n - 1) % 26) .. s
    n = (n - 1) // 26
  end
  return s
end

local COLUMNS = { "user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time" }

-- Rows that share everything, as one: its first process and how many.
local function grouped(rows)
  local groups, at = {}, {}
  for _, row in ipairs(rows) do
    local parts = {}
    for i, word in ipairs(COLUMNS) do parts[i] = tostring(row[word .. "ns"] or "?") end
    local key = table.concat(parts, " ")
    if not at[key] then
      at[key] = { row = row, count = 0 }
      groups[#groups + 1] = at[key]
    end
    at[key].count = at[key].count + 1
  end
  return groups
end

local function matrix_row(group, seen, counts, names, whole)
  local row, cells = group.row, {}
  cells[1] = tostring(row.pid)
  for i, word in ipairs(COLUMNS) do
    local number = row[word .. "ns"]
    if not number then
      cells[i + 1] = "?"
    else
      if not seen[word][number] then
        counts[word] = (counts[word] or 0) + 1
        seen[word][number] = letters(counts[word])
      end
      cells[i + 1] = seen[word][number]
    end
  end
  local more = not whole and group.count > 1 and (" and %d more"):format(group.count - 1) or ""
  local name = names[row.pid] and (" (%s)"):format(text.clean(names[row.pid])) or ""
  cells[#cells + 1] = text.clean(row.args) .. name .. more
  return cells
end


---Who shares what: a row for each process, a column for each type, and the
---same letter for the same namespace. Without pids: every process, those that
---share all eight in one row.
---
---    print(ns.matrix { ns.getpid(), box })
---
---Raises: ESRCH (none of the processes is there).
---Source: namespaces(7), proc(5)
---@param pids? (integer|nslua.Proc)[]
---@return nslua.Lines
function matrix.matrix(pids)
  return matrix.named(pids, {})
end


---The same with a name beside the command of a process: "nslua-init (box)".
---@param pids? (integer|nslua.Proc)[]
---@param names table<integer, string>  by pid
---@return nslua.Lines
function matrix.named(pids, names)
  local asked = { "args" }
  for _, word in ipairs(COLUMNS) do asked[#asked + 1] = word .. "ns" end
  asked.pid = pids
  local list, groups = processes.ps(asked), {}
  if pids then
    for i, row in ipairs(list) do groups[i] = { row = row, count = 1 } end
  else
    groups = grouped(list)
  end
  local columns, seen, counts, rows = { { title = "PID", right = true, whole = true } }, {}, {}, {}
  for i, word in ipairs(COLUMNS) do
    columns[i + 1] = { title = word, whole = true }
    seen[word] = {}
  end
  columns[#columns + 1] = { title = "COMMAND" }
  for i, group in ipairs(groups) do rows[i] = matrix_row(group, seen, counts, names, pids ~= nil) end
  local width = text.columns()
  local lines = text.table(columns, rows, { width = width })
  for _, remark in ipairs(view.remarks(list, width)) do lines[#lines + 1] = remark end
  return text.lines(lines)
end

return matrix
