-- SPDX-License-Identifier: MIT
-- lsns: lists namespaces, as the tool of that name does, and what keeps each
-- of them alive. lsns(8), namespaces(7).
--
--   nslua scripts/lsns.lua [options] [NAMESPACE]
--
--   -t, --type TYPE       only this type (may be repeated, or a,b)
--   -p, --task PID        only the namespaces of this process
--   -P, --persistent      only those without a process
--   -d, --deep            also those kept by descriptors, threads, ...
--   -Q, --filter EXPR     only rows for which this is true: 'nprocs > 1 && user =~ "^ro"'
--   -o, --output COLS     columns: ns,type,path,nprocs,pid,ppid,command,uid,
--                         user,netnsid,nsfs,pns,ons,id,kept_by,owner_uid
--       --output-all      all of them
--   -T, --tree[=REL]      a tree by owner (default), parent or process
--   -J, --json            JSON;  --dot  Graphviz;  --svg  a picture
--   -m, --matrix          who shares what
--   -n, --noheadings      no first line
--   -r, --raw             one space between columns and none within
--   -u, --notruncate      never cut to the width of the terminal
--   -H, --list-columns    the names of all columns
--   -V, --version
--   -l, --list  -W, --nowrap   for lsns's sake: they are how this is anyway

local ns = require "nslua"

local COLUMNS = { "ns", "type", "path", "nprocs", "pid", "ppid", "command", "uid", "user", "netnsid", "nsfs", "pns",
  "ons", "id", "kept_by", "owner_uid" }

-- option -> its name below; "=" wants a value, "?" may have one after "="
local OPTIONS = {
  ["-t"] = "type=", ["--type"] = "type=", ["-p"] = "task=", ["--task"] = "task=", ["-P"] = "persistent",
  ["--persistent"] = "persistent", ["-d"] = "deep", ["--deep"] = "deep", ["-Q"] = "filter=", ["--filter"] = "filter=",
  ["-o"] = "output=", ["--output"] = "output=", ["--output-all"] = "all", ["-T"] = "tree?", ["--tree"] = "tree?",
  ["-J"] = "json", ["--json"] = "json", ["--dot"] = "dot", ["--svg"] = "svg", ["-m"] = "matrix",
  ["--matrix"] = "matrix",
  ["-n"] = "noheadings", ["--noheadings"] = "noheadings", ["-r"] = "raw", ["--raw"] = "raw", ["-u"] = "whole",
  ["--notruncate"] = "whole", ["-l"] = "list", ["--list"] = "list", ["-W"] = "nowrap", ["--nowrap"] = "nowrap",
  ["-H"] = "columns", ["--list-columns"] = "columns", ["-h"] = "help", ["--help"] = "help",
  ["-V"] = "version", ["--version"] = "version",
}

local function fail(fmt, ...)
  io.stderr:write("lsns: ", (fmt:format(...):gsub("[^\n\x20-\x7e\x80-\xff]", "?")), "\n")
  os.exit(2)
end

local function read_arguments(args)
  local opts, i = { type = {} }, 1
  while i <= #args do
    local word, value = args[i], nil
    if word:find "^%-%-[%w-]+=" then word, value = word:match "^([^=]+)=(.*)$" end
    local kind = OPTIONS[word]
    if not kind and word:find "^%-%a." then -- -tuts
      word, value = word:sub(1, 2), word:sub(3)
      kind = OPTIONS[word]
    end
    if kind and kind:sub(-1) == "=" and not value then
      i = i + 1
      value = args[i]
    end
    if kind and kind:sub(-1) == "=" and (value or "") == "" then fail("%s wants a value", word) end
    local name = kind and kind:match "%a+"
    if not kind then
      if word:sub(1, 1) == "-" then fail("unknown option %s", word) end
      opts.namespace = math.tointeger(tonumber(word)) or fail("not a namespace number: %s", word)
    elseif name == "type" then
      opts.type[#opts.type + 1] = value
    else
      opts[name] = value or true
    end
    i = i + 1
  end
  return opts
end

local function columns_of(opts)
  if opts.all then return COLUMNS end
  if not opts.output then return nil end
  local columns = {}
  for word in opts.output:gsub("^%+", "ns,type,nprocs,pid,user,command,"):gmatch "[^,%s]+" do
    columns[#columns + 1] = word:lower()
  end
  return columns
end

local function collect(opts)
  local types = #opts.type > 0 and opts.type or nil
  local pid = opts.task and (math.tointeger(tonumber(opts.task)) or fail("not a pid: %s", opts.task))
  local rows = ns.list { type = types, pid = pid, persistent = opts.persistent, deep = opts.deep }
  if opts.filter then rows = rows:where(opts.filter) end
  if opts.namespace then rows = rows:where(function(n) return n.ns == opts.namespace end) end
  local columns = columns_of(opts)
  return columns and rows:show(table.unpack(columns)) or rows
end

-- With a namespace as argument: the processes in it.
local function members(rows)
  local row = rows[1] or fail("no such namespace is to be seen")
  return ns.ps { "pid", "ppid", "user", "args", pid = (ns.scan_members(row.type, row.ns)) }
end

local function print_table(rows, opts)
  local width = nil -- the terminal's
  if opts.whole then width = false end
  local lines = rows:lines { headings = not opts.noheadings, width = width, raw = opts.raw }
  for _, line in ipairs(lines) do print(line) end
  for _, note in ipairs(rows:notes()) do io.stderr:write("lsns: ", note, "\n") end
end

local function main(opts)
  if opts.help then
    for line in io.lines(arg[0]) do
      if not line:find "^%-%-" then return end
      if not line:find "SPDX" then print((line:gsub("^%-%- ?", ""))) end
    end
  end
  if opts.version then return print("lsns from " .. ns.version) end
  if opts.columns then return print((table.concat(COLUMNS, "\n"):upper())) end
  if opts.matrix then return print(ns.matrix()) end
  local rows = collect(opts)
  local relation = opts.tree == true and "owner" or opts.tree
  if opts.json then return print('{"namespaces": ' .. rows:json(2, relation) .. "}") end
  if opts.dot then return io.write(rows:dot()) end
  if opts.svg then return io.write(rows:svg()) end
  if opts.tree then return print(rows:tree(relation)) end
  print_table(opts.namespace and members(rows) or rows, opts)
end

local ok, err = pcall(main, read_arguments(arg))
if not ok then
  if type(err) == "table" then err.where = "" end -- the line of this script helps nobody
  io.stderr:write("lsns: ", (tostring(err):gsub("^[^\n]-%.lua:%d+: ", "")), "\n")
  os.exit(1)
end
