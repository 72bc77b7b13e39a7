-- SPDX-License-Identifier: MIT
-- Lists as trees: namespaces by owner, parent or process, processes by who
-- started whom.

local list = require "nslua.list"
local sys = require "nslua.sys"
local text = require "nslua.text"
local view = require "nslua.view"
local ns = sys.primitives

local branches = {}

-- Lines for the children of each root: `kids[key]` are rows, key(row) its key.
-- A line's `below` are the lines of its children.
local function draw(out, rows, kids, key, prefix, seen, siblings)
  for i, row in ipairs(rows) do
    local last = i == #rows
    local here = prefix == nil and "" or prefix .. text.symbol(last and "last" or "branch")
    local node = { row = row, lead = here, below = {} }
    out[#out + 1], siblings[i] = node, node
    local own = kids[key(row)]
    if own and not seen[row] then
      seen[row] = true -- a pid may have come back as its own grandchild
      local below = prefix == nil and "" or prefix .. text.symbol(last and "gap" or "pass")
      draw(out, own, kids, key, below, seen, node.below)
    end
  end
end

-- Parts rows into roots and children: above(row) is the key of a row's parent.
-- Returns all lines, and those of the roots.
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
  local out, top = {}, {}
  draw(out, roots, kids, key, nil, {}, top)
  return out, top
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

local function arrange_namespaces(self, by)
  return arrange(self, function(row) return row.ns end, ABOVE[by](self))
end

-- With the list's own columns the branches stand, as lsns has them, in "ns" or
-- else the first one; those by process where one is named, or nowhere.
local PLACE = { owner = { ns = true }, parent = { ns = true }, process = { command = true, args = true } }

local function shown_tree(self, by, nodes, opts)
  local columns, names, cell = view.layout(self)
  local rows, at = {}, by ~= "process" and 1 or nil
  for i, name in ipairs(names) do
    if PLACE[by][name] then at = i end
  end
  if at then columns[at].right = nil end
  for i, node in ipairs(nodes) do
    rows[i] = {}
    for j, name in ipairs(names) do rows[i][j] = (j == at and node.lead or "") .. cell(node.row, name) end
  end
  return text.table(columns, rows, opts)
end

local function namespace_tree(self, by)
  local tree = arrange_namespaces(self, by)
  if self.shown then return shown_tree(self, by, tree, { width = text.columns() }) end
  local rows = {}
  for i, node in ipairs(tree) do
    local row = node.row
    rows[i] = {
      node.lead .. ("%s:[%d]"):format(row.type, row.ns), tostring(row.nprocs), tostring(row.pid or ""),
      text.clean(row.user or ""), view.namespace_cell(row, "command"),
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

local function mount_tree(self)
  local rows = {}
  for i, node in ipairs(arrange(self, function(row) return row.id end, function(row) return row.parent end)) do
    local row = node.row
    rows[i] = { node.lead .. text.clean(row.mountpoint), text.clean(row.type), text.clean(row.source) }
  end
  return text.table({ { title = "MOUNTPOINT" }, { title = "TYPE" }, { title = "SOURCE" } }, rows,
    { width = text.columns() })
end

-- Lists that have one tree only.
local ONE = { processes = { "process", process_tree }, mounts = { "parent", mount_tree } }


local function check_relation(by, what, arg)
  if ABOVE[by] then return by end
  local near = sys.nearest(tostring(by), { "owner", "parent", "process" })
  sys.raise(("bad argument #%d to '%s' (unknown relation '%s'%s)"):format(arg, what, text.clean(by),
    near and (", did you mean '%s'?"):format(near) or ""))
end

local function with_children(self, nodes)
  local rows = {}
  for i, node in ipairs(nodes) do
    local row = {}
    for name, value in pairs(view.record(self, node.row)) do row[name] = value end
    if #node.below > 0 then row.children = with_children(self, node.below) end
    rows[i] = row
  end
  return rows
end


---The records of a list of namespaces, each with those below it.
---@param self nslua.List
---@param by "owner"|"parent"|"process"
---@return table[]
function branches.nested(self, by)
  check_relation(by, "json", 2)
  if self.name ~= "namespaces" then
    sys.raise("bad argument #2 to 'json' (only namespaces have children in JSON)")
  end
  if self.shown then view.layout(self) end -- an unknown column is an error
  local _, top = arrange_namespaces(self, by)
  return with_children(self, top)
end


---The lines of a list's own table, with branches.
---@param self nslua.List
---@param by "owner"|"parent"|"process"
---@param opts { headings?: boolean, width?: integer }
---@return string[]
function branches.lines(self, by, opts)
  check_relation(by, "lines", 1)
  if self.name == "namespaces" then return shown_tree(self, by, arrange_namespaces(self, by), opts) end
  if self.name ~= "processes" or by ~= "process" then
    sys.raise(("bad argument #1 to 'lines' (%s have no tree by '%s')"):format(self.name, by))
  end
  local at, above = {}, {}
  for _, row in ipairs(self) do at[#at + 1] = row.pid end
  for _, row in ipairs((ns.scan_processes({ "ppid" }, self.proc, at))) do above[row.pid] = row.ppid end
  local nodes = arrange(self, function(row) return row.pid end, function(row) return above[row.pid] end)
  return shown_tree(self, by, nodes, opts)
end


---A list as a tree.
---@param self nslua.List
---@param by? "owner"|"parent"|"process"
---@return nslua.Lines
function branches.tree(self, by)
  local one = ONE[self.name]
  if one then
    if by ~= nil and by ~= one[1] then
      sys.raise(("bad argument #1 to 'tree' (%s have a tree by '%s' only)"):format(self.name, one[1]))
    end
    return text.lines(one[2](self))
  end
  if self.name ~= "namespaces" then sys.raise(("%s have no tree"):format(self.name)) end
  return text.lines(namespace_tree(self, check_relation(by or "owner", "tree", 1)))
end

return branches
