-- SPDX-License-Identifier: MIT
-- How lists of namespaces and processes look as tables, and what they could
-- not show. Everything is text; what came from a process or a file name is
-- shown harmlessly.

local fold = require "nslua.fold"
local json = require "nslua.json"
local text = require "nslua.text"
local sys = require "nslua.sys"
local ns = sys.primitives

local view = {}

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
function view.namespace_cell(row, name)
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

local function no_column(name, columns)
  local known = {}
  for word in pairs(columns) do known[#known + 1] = word end
  table.sort(known)
  local near = sys.nearest(tostring(name), known)
  error(("unknown column '%s' (%s)"):format(text.clean(name), near and ("did you mean '%s'?"):format(near)
    or "there are " .. table.concat(known, " ")), 0)
end

-- Mounts: their fields; numbers stand on the right.
local MOUNT = { mountpoint = {}, type = {}, source = {}, options = {}, root = {}, propagation = {}, super_options = {},
  id = { right = true }, parent = { right = true }, major = { right = true }, minor = { right = true } }

local function mount_layout(self)
  local names, columns = self.columns or { "mountpoint", "type", "source", "options" }, {}
  for i, name in ipairs(names) do
    local column = MOUNT[name] or no_column(name, MOUNT)
    columns[i] = { title = name:gsub("_", " "):upper(), right = column.right }
  end
  return names, columns
end

local function mount_cell(row, name) return text.clean(row[name]) end

local function cell_of(self)
  return self.name == "namespaces" and view.namespace_cell or self.name == "mounts" and mount_cell or process_cell
end

local function process_title(name)
  local ok, wrong, title = pcall(ns.ps_column, name)
  if not ok then error(text.clean(wrong:match "%((unknown column.*)%)$" or wrong), 0) end
  return title
end

-- The columns of a list for text.table; the last one may be cut.
local function layout(self)
  if self.name == "mounts" then return mount_layout(self) end
  local names = self.columns or default_columns(self)
  local columns = {}
  for i, name in ipairs(names) do
    if self.name == "namespaces" then
      local column = NAMESPACE[name]
      if not column then no_column(name, NAMESPACE) end
      columns[i] = { title = column[1], right = column[2] }
    else
      local title = name == "inpid" and "INSIDE" or process_title(name)
      columns[i] = { title = title, right = RIGHT[name] or name:find "ns$" ~= nil }
    end
    columns[i].whole = columns[i].right or name == "type"
  end
  return names, columns
end

---The columns of a list, its cells in their order, for each row.
---@param self nslua.List
---@return table[] columns  for text.table
---@return string[] names
---@return fun(row: table, name: string): string cell
function view.layout(self)
  local names, columns = layout(self)
  return columns, names, cell_of(self)
end


---The names that a filter over the list may use; nil: those of its records.
---@param self nslua.List
---@return table<string, any>?
function view.fields(self)
  if self.name == "namespaces" then return NAMESPACE end
  if self.name == "mounts" then return MOUNT end
  if self.name ~= "processes" then return nil end
  local known = { pid = true }
  for _, name in ipairs(self.columns) do known[name] = true end
  return known
end


---A record for JSON: all of it, or the columns that `show` chose.
---@param self nslua.List
---@param row table
---@return table
function view.record(self, row)
  if not self.shown then return row end
  local out = {}
  for _, name in ipairs(self.columns) do
    out[name] = row[name]
    if name == "netnsid" and row[name] == -1 then out[name] = "unassigned" end
    if row[name] == nil then out[name] = json.null end
  end
  return out
end


---All records for JSON.
---@param self nslua.List
---@return table[]
function view.records(self)
  if self.shown then layout(self) end -- an unknown column is an error here, too
  local rows = {}
  for i, row in ipairs(self) do rows[i] = view.record(self, row) end
  return rows
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
    notes[1] = ("%d process%s hidden: the kernel shows the namespaces of a process only to those who may trace it: " ..
      "its user and root"):format(self.hidden, self.hidden == 1 and " is" or "es are")
  end
  if (self.hidden_descriptors or 0) > 0 then
    notes[#notes + 1] = ("the descriptors of %d processes could not be read"):format(self.hidden_descriptors)
  end
  if self.noproc then
    notes[#notes + 1] = "no /proc is mounted here: only the namespaces of one process are known, and those mounted"
  end
  if self.foreign then
    notes[#notes + 1] = "this /proc belongs to another pid namespace: its pids are not ours"
  end
  if self.gone and #self.gone > 0 then
    notes[#notes + 1] = "not in this /proc: pid " .. table.concat(self.gone, ", ")
  end
  if self.proc and hides(self.proc) then
    notes[#notes + 1] = "this /proc is mounted with hidepid: processes that the caller may not trace are not in it"
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
  local cell = cell_of(self)
  local rows = {}
  for i, row in ipairs(self) do
    local cells = {}
    for j, name in ipairs(names) do cells[j] = cell(row, name) end
    rows[i] = cells
  end
  if opts and opts.raw then return raw_lines(columns, rows, opts) end
  return text.table(columns, rows, opts)
end


---The notes as they stand below a table, in lines of this width.
---@param self nslua.List
---@param width? integer
---@return string[]
function view.remarks(self, width)
  local lines = view.notes(self)
  for i, note in ipairs(lines) do
    note = "(" .. note .. ")"
    lines[i] = width and fold.text(note, width - 1) or note
  end
  return lines
end


---A list as text, as wide as the terminal, with what it could not show.
---@param self nslua.List
---@return string
function view.text(self)
  local width = text.columns()
  local lines = view.lines(self, { width = width })
  for _, remark in ipairs(view.remarks(self, width)) do lines[#lines + 1] = remark end
  return table.concat(lines, "\n")
end

return view
