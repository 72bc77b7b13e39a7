-- SPDX-License-Identifier: MIT
-- Lists: arrays of plain records that print themselves; and the list of all
-- namespaces. The scan is C (scan.c); how it looks is in view.lua.

local sys = require "nslua.sys"
local ns = sys.primitives

local list = {}

list.types = { "mnt", "uts", "ipc", "net", "pid", "user", "cgroup", "time" }


-- -- what a list can do ------------------------------------------------------

---@class nslua.Lines: string[]  tostring joins them

---@class nslua.List: table[]  records; tostring makes a table of them
local methods = {}

-- A list whose rows have a line each, not columns.
local function plain_lines(self)
  local lines = {}
  for i, row in ipairs(self) do lines[i] = self.format(row) end
  return lines
end

local function plain_text(self)
  return #self == 0 and self.nothing or table.concat(plain_lines(self), "\n")
end

-- Records with a name ("namespaces", "processes"), columns, and what else is
-- known of the whole, which `list.hidden` and its like answer.
local function make(rows, name, columns, about)
  about.name, about.columns = name, columns
  return setmetatable(rows, {
    __name = "nslua.List",
    __index = function(_, key) return methods[key] or about[key] end,
    __tostring = about.format and plain_text or function(self) return require "nslua.view".text(self) end,
  })
end

list.make = make


-- The same list with other records.
local function alike(self, rows, columns, shown)
  return make(rows, self.name, columns, { hidden = self.hidden, hidden_descriptors = self.hidden_descriptors,
    noproc = self.noproc, gone = self.gone, proc = self.proc, foreign = self.foreign, format = self.format,
    shown = shown })
end


---The records for which fn says true, as a list; or those that an expression
---over the columns selects, as `lsns --filter` has it: `== != < <= > >=` (or
---`eq ne lt le gt ge`), `=~` and `!~` (regex(7)), `&& || !` (or `and or not`).
---
---    print(ns.list():where(function(n) return n.nprocs == 1 end))
---    print(ns.list():where [[type == "net" && command !~ "^/sbin"]])
---
---Raises: an error in the expression, a name that is no column.
---@param fn string|fun(row: table): any
---@return nslua.List
function methods:where(fn)
  sys.self(self, "List")
  if type(fn) ~= "string" and type(fn) ~= "function" then
    sys.raise("bad argument #1 to 'where' (function or expression expected)")
  end
  if type(fn) == "string" then
    fn = require "nslua.filter".compile(fn, require "nslua.view".fields(self))
  end
  local rows = {}
  for _, row in ipairs(self) do
    if fn(row) then rows[#rows + 1] = row end
  end
  return alike(self, rows, self.columns, self.shown)
end


---The same records with other columns on the screen, in a tree and in JSON.
---
---    print(ns.list():show("ns", "type", "kept_by"))
---
---@param ... string
---@return nslua.List
function methods:show(...)
  sys.self(self, "List")
  if select("#", ...) == 0 then sys.raise("bad argument #1 to 'show' (column expected)") end
  if self.format then sys.raise(("%s have a line each, and no columns to choose"):format(self.name)) end
  return alike(self, table.move(self, 1, #self, 1, {}), { ... }, true)
end


---The lines of the list as a table, without what it could not show.
---
---    for _, line in ipairs(ns.list():lines { headings = false }) do print(line) end
---
---@param opts? { headings?: boolean, width?: integer|false, raw?: boolean, tree?: string }
---   width: the terminal's unless given, false: whole lines; raw: one space
---   between columns and none within; tree: with branches by "owner", "parent"
---   or "process"
---@return string[]
function methods:lines(opts)
  sys.self(self, "List")
  opts = opts or {}
  local width = opts.width
  if width == nil then width = require "nslua.text".columns() end
  if opts.tree then
    return require "nslua.branches".lines(self, opts.tree, { headings = opts.headings, width = width or nil })
  end
  if self.format then return plain_lines(self) end
  return require "nslua.view".lines(self, { headings = opts.headings, raw = opts.raw, width = width or nil })
end


---What the list could not show, and why: a line for each reason.
---
---    for _, note in ipairs(ns.list():notes(2, "list: ")) do io.stderr:write(note, "\n") end
---
---@param fd? integer  where that is a terminal: in lines that fit it
---@param before? string  what stands in front of each
---@return string[]
function methods:notes(fd, before)
  sys.self(self, "List")
  local notes, width = require "nslua.view".notes(self), fd and require "nslua.text".columns(fd)
  for i, note in ipairs(notes) do
    note = (before or "") .. note
    notes[i] = width and require "nslua.fold".text(note, width - 1) or note
  end
  return notes
end


---A tree of namespaces: by "owner" (the user namespace that each belongs to;
---the default), "parent" (user and pid namespaces), or "process" (who
---started whom). Of processes: by "process"; of mounts: by "parent".
---
---    print(ns.list():tree "parent")
---
---@param by? "owner"|"parent"|"process"
---@return nslua.Lines
function methods:tree(by)
  sys.self(self, "List")
  return require "nslua.branches".tree(self, by)
end


---The records as JSON text: an array of objects with all fields, or with the
---columns that `show` chose (null where a record lacks one). With a relation
---each has those below it in `children`, as `tree` draws them.
---
---    print(ns.list{ type = "uts" }:json(2))
---    print(ns.list():show("ns", "pid"):json(2, "owner"))
---
---@param indent? integer  spaces for each level; nil is one line
---@param by? "owner"|"parent"|"process"
---@return string
function methods:json(indent, by)
  sys.self(self, "List")
  if indent ~= nil and (math.type(indent) ~= "integer" or indent < 0) then
    sys.raise("bad argument #1 to 'json' (a number of spaces expected)")
  end
  local branches = by ~= nil and require "nslua.branches"
  local rows = branches and branches.nested(self, by) or require "nslua.view".records(self)
  return require "nslua.json".encode(rows, indent)
end


local function check_graph(self)
  if self.name ~= "namespaces" then sys.raise(("%s have no graph; ns.list() has one"):format(self.name)) end
end

---The graph of namespaces in Graphviz's language: `| dot -Tsvg`.
---
---    io.open("/tmp/ns.dot", "w"):write(ns.list():dot()):close()
---
---@return string
function methods:dot()
  sys.self(self, "List")
  check_graph(self)
  return require "nslua.graph".dot(self)
end


---The graph of namespaces as a picture that needs nothing else.
---
---    io.open("/tmp/ns.svg", "w"):write(ns.list():svg()):close()
---
---@return string
function methods:svg()
  sys.self(self, "List")
  check_graph(self)
  return require "nslua.graph".svg(self)
end


-- -- options -----------------------------------------------------------------

local function unknown_key(what, key, known, arg)
  local names, named = {}, type(key) == "string"
  for name in pairs(known) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  local near = named and sys.nearest(key, names)
  local shown = named and "'" .. sys.clean(key) .. "'" or ("[%s]"):format(math.type(key) and key or type(key))
  local rest = named and "" or ": it has names only, " .. table.concat(names, " ")
  if near then rest = (", did you mean '%s'?"):format(near) end
  sys.raise(("bad argument #%d to '%s' (unknown option %s%s)"):format(arg or 1, what, shown, rest))
end

-- Raises for a key that is none, and names the nearest. `what` is the function,
-- `arg` where the options stand; known[1]: a list may stand among them.
local function check_keys(what, opts, known, arg)
  for key in pairs(opts) do
    if not (known[key] or known[1] and math.type(key) == "integer") then unknown_key(what, key, known, arg) end
  end
end

list.check_keys = check_keys

-- Calls a primitive; a mistake in its arguments is told as ours.
local function call_as(what, kind, primitive, ...)
  local result = table.pack(pcall(primitive, ...))
  if result[1] then return table.unpack(result, 2, result.n) end
  local err = result[2]
  if type(err) == "string" then
    err = err:gsub("to '[%w_.?]+'", "to '" .. what .. "'"):gsub("unknown flag", "unknown " .. kind)
  end
  error(err, 0)
end

-- A pid of a pid or Proc.
local function number_of(what)
  if math.type(what) == "integer" and what > 0 then return what end
  if getmetatable(what) == "nslua.Proc" then return what.pid end
  sys.raise(("bad option 'pid' (Proc or pid > 0 expected, got %s)"):format(sys.clean(tostring(what))))
end


list.call_as, list.number_of = call_as, number_of


-- -- namespaces --------------------------------------------------------------

local LIST_KEYS = { true, type = true, pid = true, deep = true, persistent = true, proc = true }

-- Only these types, in lsns's order.
local function sorted(rows, types)
  local wanted, some = sys.nstypes(types), {}
  for _, row in ipairs(rows) do
    if wanted[row.type] then some[#some + 1] = row end
  end
  table.sort(some, function(a, b) return a.ns < b.ns end)
  return some
end

-- Without /proc: what is known of one process, and what is mounted.
local function scan_without(types, pid)
  local bare = require "nslua.bare"
  local rows = bare.of(pid or ns.getpid())
  if not pid then bare.add_mounts(rows) end
  return sorted(rows, types), { processes = 1, hidden = 0, noproc = true }
end

local function scan(types, opts, pid)
  local ok, rows, about = pcall(call_as, "list", "namespace type", ns.scan_namespaces, types, opts.deep, opts.proc)
  if not ok then
    if type(rows) ~= "table" or opts.proc or rows.name ~= "ENOENT" then error(rows, 0) end
    return scan_without(types, pid)
  end
  if about.unseen_mounts then
    for _, row in ipairs(rows) do rows[row.type .. " " .. row.ns] = row end
    require "nslua.bare".add_mounts(rows)
    rows = sorted(rows, types)
  end
  return rows, about
end

-- Raises for a process that was asked for and is not in this procfs.
function list.absent(pid, proc, foreign)
  local where = sys.quote(("%s/%d"):format(proc, pid))
  if foreign then
    error(sys.error(3, "openat", where, "this /proc is of another pid namespace, where no process has this pid: "), 0)
  end
  local _, _, errno = ns.try(ns.kill, pid, 0)
  if errno ~= 3 then error(sys.error(13, "openat", where, "the process is there, and this /proc hides it: "), 0) end
  error(sys.error(3, "openat", where, "no process has this pid: "), 0)
end

-- The namespace numbers of one process, by type.
local function numbers_of(pid, proc, foreign)
  local columns = { "ppid" }
  for _, word in ipairs(list.types) do columns[#columns + 1] = word .. "ns" end
  local found, hidden = ns.scan_processes(columns, proc, { pid })
  if not found[1] then list.absent(pid, proc, foreign) end
  if hidden > 0 then
    error(sys.error(13, "readlinkat", sys.quote(("%s/%d/ns"):format(proc, pid)),
      "the kernel shows the namespaces of a process only to its user and to root: "), 0)
  end
  return found[1]
end


---Every namespace that has a process, is bind-mounted where the caller can see
---it, or owns or bore one of these. The list prints itself as lsns does; its
---records have lsns's names (ns type path nprocs pid ppid command uid user
---netnsid nsfs pns ons)
---and `id` (never used again, where the kernel has it), `owner_uid` (of user
---namespaces) and `kept_by`, words that say what keeps it alive. `hidden`
---counts the processes whose namespaces the caller may not see.
---
---    print(ns.list())
---    for _, n in ipairs(ns.list { type = "uts" }) do print(n.ns, n.nprocs) end
---
---Source: lsns(8), namespaces(7)
---@param opts? string|table  a type, or a table of types with these keys,
---   type: only these; pid: only those of this process; deep: also those kept
---   by descriptors, threads, mounts that others see, for future children, and
---   all mount namespaces; persistent: only those without a process; proc: another procfs
---@return nslua.List
function list.list(opts)
  if type(opts) == "string" then opts = { type = opts } end
  if opts ~= nil and type(opts) ~= "table" then
    sys.raise("bad argument #1 to 'list' (table or namespace type expected)")
  end
  opts = opts or {}
  check_keys("list", opts, LIST_KEYS)
  local pid = opts.pid and number_of(opts.pid)
  if opts[1] and opts.type then
    sys.raise "bad argument #1 to 'list' (types by position and type= do not go together)"
  end
  local types = opts[1] and table.move(opts, 1, #opts, 1, {}) or opts.type
  local rows, about = scan(types, opts, pid)
  about.proc = opts.proc or "/proc"
  local result = make(rows, "namespaces", nil, about)
  if pid and not about.noproc then
    local only = numbers_of(pid, about.proc, about.foreign)
    result = result:where(function(n) return only[n.type .. "ns"] == n.ns end)
  end
  if opts.persistent then result = result:where(function(n) return n.nprocs == 0 end) end
  return result
end

return list
