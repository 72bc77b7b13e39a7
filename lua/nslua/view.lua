-- SPDX-License-Identifier: MIT
-- How lists of namespaces and processes look: tables, trees, and who shares
-- what. Everything is text; what came from a process or a file name is shown
-- harmlessly.

local text = require "nslua.text"
local list = require "nslua.list"
local sys = require "nslua.sys"
local ns = sys.primitives

local view = {}

-- Lines that print themselves.
local function lines_of(lines)
  return setmetatable(lines, {
    __name = "nslua.Lines",
    __tostring = function(self) return table.concat(self, "\n") end,
  })
end


-- -- columns -----------------------------------------------------------------

-- Titles of ns.list's columns, numbers on the right as lsns has them.
local NAMESPACE = {
  ns = { "NS", true }, type = { "TYPE" }, path = { "PATH" }, nprocs = { "NPROCS", true },
  pid = { "PID", true }, ppid = { "PPID", true }, command = { "COMMAND" }, uid = { "UID", true },
  user = { "USER" }, netnsid = { "NETNSID", true }, nsfs = { "NSFS" }, pns = { "PNS", true },
  ons = { "ONS", true }, id = { "ID", true }, kept_by = { "KEPT BY" }, owner_uid = { "OWNER", true },
}

view.namespace_columns = NAMESPACE

local RIGHT = { pid = true, ppid = true, pgid = true, sid = true, uid = true, inpid = true }

-- What stands in a cell of a namespace.
local function namespace_cell(row, name)
  local value = row[name]
  if name == "netnsid" then
    if row.type ~= "net" or not value then return "" end
    return value == -1 and "unassigned" or tostring(value)
  end
  if name == "command" and not value and row.nprocs == 0 then
    return "(" .. text.clean(row.kept_by) .. ")"
  end
  if name == "nsfs" and value then return text.clean((value:gsub("\n", ","))) end
  return value == nil and "" or text.clean(value)
end

local function process_cell(row, name)
  local value = row[name]
  if name == "nspid" and value then return table.concat(value, "/") end
  if value == nil then return name == "tty" and "?" or "-" end
  return text.clean(value)
end

local function default_columns(rows)
  local net = #rows > 0
  for _, row in ipairs(rows) do net = net and row.type == "net" end
  if net then return { "ns", "type", "nprocs", "pid", "user", "netnsid", "nsfs", "command" } end
  return { "ns", "type", "nprocs", "pid", "user", "command" }
end

-- The columns of a list for text.table; the last one may be cut.
local function layout(self)
  local names = self.columns or default_columns(self)
  local columns = {}
  for i, name in ipairs(names) do
    if self.name == "namespaces" then
      local column = NAMESPACE[name]
      if not column then
        local known = {}
        for word in pairs(NAMESPACE) do known[#known + 1] = word end
        table.sort(known)
        local near = sys.nearest(tostring(name), known)
        error(("unknown column '%s'%s"):format(text.clean(name),
          near and (" (did you mean '%s'?)"):format(near) or ""), 0)
      end
      columns[i] = { title = column[1], right = column[2] }
    else
      local title = name == "inpid" and "INSIDE" or select(2, ns.ps_column(name))
      columns[i] = { title = title, right = RIGHT[name] or name:find "ns$" ~= nil }
    end
    columns[i].whole = columns[i].right or name == "type"
  end
  return names, columns
end


-- -- what was not seen -------------------------------------------------------

local function hides(proc)
  local file = io.open(proc .. "/self/mountinfo")
  if not file then return false end
  local found = false
  for line in file:lines() do
    local where, options = line:match "^%S+ %S+ %S+ %S+ (%S+) .* %- proc %S+ (%S+)"
    if where == proc and options:find "hidepid=[^0o]" then found = true end
  end
  file:close()
  return found
end


---What the list could not show, and why: a line for each reason.
---@param self nslua.List
---@return string[]
function view.notes(self)
  local notes = {}
  if (self.hidden or 0) > 0 then
    notes[1] = ("%d process%s hidden: the kernel shows the namespaces of a process only to its user and to root")
      :format(self.hidden, self.hidden == 1 and " is" or "es are")
  end
  if (self.hidden_descriptors or 0) > 0 then
    notes[#notes + 1] = ("the descriptors of %d processes could not be read"):format(self.hidden_descriptors)
  end
  if self.noproc then
    notes[#notes + 1] = "no /proc is mounted here: only this process's own namespaces are known"
  end
  if self.foreign then
    notes[#notes + 1] = "this /proc belongs to another pid namespace: its pids are not ours"
  end
  if self.proc and hides(self.proc) then
    notes[#notes + 1] = "this /proc is mounted with hidepid: processes of other users are not in it"
  end
  return notes
end


-- -- tables ------------------------------------------------------------------


local function raw_lines(columns, rows, opts)
  local lines, titles = {}, {}
  for i, column in ipairs(columns) do titles[i] = column.title:gsub(" ", "_") end
  if opts.headings ~= false then lines[1] = table.concat(titles, " ") end
  for _, cells in ipairs(rows) do
    for i, s in ipairs(cells) do cells[i] = s:gsub(" ", "\\x20") end
    lines[#lines + 1] = table.concat(cells, " ")
  end
  return lines
end


---The lines of a list's table. raw: one space between columns and none within.
---@param self nslua.List
---@param opts? { width?: integer, headings?: boolean, raw?: boolean }
---@return string[]
function view.lines(self, opts)
  local names, columns = layout(self)
  local cell = self.name == "namespaces" and namespace_cell or process_cell
  local rows = {}
  for i, row in ipairs(self) do
    local cells = {}
    for j, name in ipairs(names) do cells[j] = cell(row, name) end
    rows[i] = cells
  end
  if opts and opts.raw then return raw_lines(columns, rows, opts) end
  return text.table(columns, rows, opts)
end


---A list as text, as wide as the terminal, with what it could not show.
---@param self nslua.List
---@return string
function view.text(self)
  local lines = view.lines(self, { width = text.columns() })
  for _, note in ipairs(view.notes(self)) do lines[#lines + 1] = "(" .. note .. ")" end
  return table.concat(lines, "\n")
end


-- -- trees -------------------------------------------------------------------

-- Lines for the children of each root: `kids[key]` are rows, key(row) its key.
local function draw(out, rows, kids, key, prefix, seen)
  for i, row in ipairs(rows) do
    local last = i == #rows
    local here = prefix == nil and "" or prefix .. text.symbol(last and "last" or "branch")
    out[#out + 1] = { row = row, lead = here }
    local own = kids[key(row)]
    if own and not seen[row] then
      seen[row] = true -- a pid may have come back as its own grandchild
      local below = prefix == nil and "" or prefix .. text.symbol(last and "gap" or "pass")
      draw(out, own, kids, key, below, seen)
    end
  end
end

-- Parts rows into roots and children: above(row) is the key of a row's parent.
local function arrange(rows, key, above)
  local known, kids, roots = {}, {}, {}
  for _, row in ipairs(rows) do known[key(row)] = true end
  for _, row in ipairs(rows) do
    local up = above(row)
    if up and known[up] and up ~= key(row) then
      kids[up] = kids[up] or {}
      table.insert(kids[up], row)
    else
      roots[#roots + 1] = row
    end
  end
  local out = {}
  draw(out, roots, kids, key, nil, {})
  return out
end

-- The namespace of the same type that the parent of its first process is in:
-- one more look at /proc.
local function started_from(self)
  local field = {}
  for _, word in ipairs(list.types) do field[word] = word .. "ns" end
  local asked, parents = { "ppid" }, {}
  for _, row in ipairs(self) do
    if (row.ppid or 0) > 0 then parents[#parents + 1] = row.ppid end
  end
  for _, word in ipairs(list.types) do asked[#asked + 1] = word .. "ns" end
  local at = {}
  for _, row in ipairs((ns.scan_processes(asked, self.proc, parents))) do at[row.pid] = row end
  return function(row)
    local parent = at[row.ppid]
    return parent and parent[field[row.type]]
  end
end

local ABOVE = {
  owner = function() return function(row) return row.type == "user" and row.pns or row.ons end end,
  parent = function() return function(row) return row.pns end end,
  process = started_from,
}

local function namespace_tree(self, by)
  local tree = arrange(self, function(row) return row.ns end, ABOVE[by](self))
  local rows = {}
  for i, node in ipairs(tree) do
    local row = node.row
    rows[i] = {
      node.lead .. ("%s:[%d]"):format(row.type, row.ns), tostring(row.nprocs), tostring(row.pid or ""),
      text.clean(row.user or ""), namespace_cell(row, "command"),
    }
  end
  return text.table({
    { title = "NAMESPACE", whole = true }, { title = "NPROCS", right = true }, { title = "PID", right = true },
    { title = "USER" }, { title = "COMMAND" },
  }, rows, { width = text.columns() })
end

-- "[+pid +mnt] " for what a process does not share with its parent.
local function news(row, parent)
  local new = {}
  for _, word in ipairs(list.types) do
    local mine, theirs = row[word .. "ns"], parent and parent[word .. "ns"]
    if mine and theirs and mine ~= theirs then new[#new + 1] = "+" .. word end
  end
  return #new > 0 and "[" .. table.concat(new, " ") .. "] " or ""
end

local function process_tree(self)
  local asked, pids = { "ppid", "args" }, {}
  for _, word in ipairs(list.types) do asked[#asked + 1] = word .. "ns" end
  for i, row in ipairs(self) do pids[i] = row.host or row.pid end
  local full, at = ns.scan_processes(asked, self.proc, pids), {}
  for _, row in ipairs(full) do at[row.pid] = row end
  local rows = {}
  for i, node in ipairs(arrange(full, function(row) return row.pid end, function(row) return row.ppid end)) do
    local row = node.row
    rows[i] = { tostring(row.pid), node.lead .. news(row, at[row.ppid]) .. text.clean(row.args) }
  end
  return text.table({ { title = "PID", right = true, whole = true }, { title = "COMMAND" } }, rows,
    { width = text.columns() })
end


---A list as a tree.
---@param self nslua.List
---@param by? "owner"|"parent"|"process"
---@return nslua.Lines
function view.tree(self, by)
  if self.name == "processes" then
    by = by or "process"
    if by ~= "process" then sys.raise("bad argument #1 to 'tree' (processes have a tree by 'process' only)") end
    return lines_of(process_tree(self))
  end
  by = by or "owner"
  if not ABOVE[by] then
    local near = sys.nearest(tostring(by), { "owner", "parent", "process" })
    sys.raise(("bad argument #1 to 'tree' (unknown relation '%s'%s)"):format(text.clean(by),
      near and (", did you mean '%s'?"):format(near) or ""))
  end
  return lines_of(namespace_tree(self, by))
end


-- -- who shares what ---------------------------------------------------------

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

local function matrix_row(group, seen, counts, whole)
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
  cells[#cells + 1] = text.clean(row.args) .. more
  return cells
end


---Who shares what: a row for each process, a column for each type, and the
---same letter for the same namespace. Without pids: every process, those that
---share all eight in one row.
---
---    print(ns.matrix { ns.getpid(), box })
---
---@param pids? (integer|nslua.Proc)[]
---@return nslua.Lines
function view.matrix(pids)
  local asked = { "args" }
  for _, word in ipairs(COLUMNS) do asked[#asked + 1] = word .. "ns" end
  asked.pid = pids
  local groups = {}
  if pids then
    for i, row in ipairs(list.ps(asked)) do groups[i] = { row = row, count = 1 } end
  else
    groups = grouped(list.ps(asked))
  end
  local columns, seen, counts, rows = { { title = "PID", right = true, whole = true } }, {}, {}, {}
  for i, word in ipairs(COLUMNS) do
    columns[i + 1] = { title = word, whole = true }
    seen[word] = {}
  end
  columns[#columns + 1] = { title = "COMMAND" }
  for i, group in ipairs(groups) do rows[i] = matrix_row(group, seen, counts, pids ~= nil) end
  return lines_of(text.table(columns, rows, { width = text.columns() }))
end

return view
