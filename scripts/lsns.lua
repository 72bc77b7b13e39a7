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
--                         user,netnsid,nsfs,pns,ons,id,kept_by,owner_uid;
--                         +COLS: beside the usual ones
--       --output-all      all of them
--   -T, --tree[=REL]      a tree by owner (default), parent or process
--   -l, --list            no tree: else the usual columns have one by process
--   -J, --json            JSON;  --dot  Graphviz;  --svg  a picture
--   -m, --matrix          who shares what
--   -n, --noheadings      no first line
--   -r, --raw             one space between columns and none within
--   -u, --notruncate      never cut to the width of the terminal
--   -H, --list-columns    the names of all columns
--   -W, --nowrap          for lsns's sake: no cell has two lines anyway
--   -V, --version         -h, --help
--
-- NAMESPACE is the number of one: the processes in it.

local ns = require "nslua"

local COLUMNS = { "ns", "type", "path", "nprocs", "pid", "ppid", "command", "uid", "user", "netnsid", "nsfs", "pns",
  "ons", "id", "kept_by", "owner_uid" }

-- Letter and name; "=" wants a value, "?" may have one.
local OPTIONS = { "t type=", "p task=", "P persistent", "d deep", "Q filter=", "o output=", "- output-all", "T tree?",
  "l list", "J json", "- dot", "- svg", "m matrix", "n noheadings", "r raw", "u notruncate", "H list-columns",
  "W nowrap", "V version", "h help" }

local function fail(fmt, ...)
  io.stderr:write("lsns: ", (fmt:format(...):gsub("[^\n\x20-\x7e\x80-\xff]", "?")), "\n")
  os.exit(2)
end

-- A full disk is an error, too.
local function say(...)
  local text = table.concat { ... }
  local ok, why = io.stdout:write(text, text:sub(-1) == "\n" and "" or "\n")
  if ok then ok, why = io.stdout:flush() end
  if not ok then error("write error: " .. why, 0) end
end


-- -- the command line --------------------------------------------------------

-- The option of a letter.
local function by_letter(letter)
  for _, option in ipairs(OPTIONS) do
    if option:sub(1, 1) == letter and letter ~= "-" then return option:match "^. ([%w-]+)(.?)$" end
  end
  fail("unknown option -%s", letter)
end

-- The option of a word, or of the beginning of one where that is enough.
local function by_word(word)
  local found = {}
  for _, option in ipairs(OPTIONS) do
    local name, kind = option:match "^. ([%w-]+)(.?)$"
    if name == word then return name, kind end
    if name:sub(1, #word) == word then found[#found + 1] = { name, kind } end
  end
  if #found == 1 then return table.unpack(found[1]) end
  for i, option in ipairs(found) do found[i] = "--" .. option[1] end
  fail(#found == 0 and "unknown option --%s" or "--%s may be %s", word, table.concat(found, " or "))
end

local function store(opts, name, value)
  if value == "" and name ~= "tree" then fail("--%s wants a value", name) end
  if name == "type" then
    opts.type[#opts.type + 1] = value
  else
    opts[name] = value
  end
end

-- --name, --name=value, --name value; returns how many words it took.
local function read_long(opts, word, following)
  local name, kind = by_word(word:match "^%-%-([^=]*)")
  local value = word:match "=(.*)$"
  if kind == "" and value then fail("--%s takes no value", name) end
  if kind == "=" and not value then
    store(opts, name, following or "")
    return 2
  end
  store(opts, name, value or true)
  return 1
end

-- -nr, -tuts, -t uts
local function read_short(opts, word, following)
  for i = 2, #word do
    local name, kind = by_letter(word:sub(i, i))
    local rest = word:sub(i + 1)
    if kind == "=" and rest == "" then
      store(opts, name, following or "")
      return 2
    elseif kind == "=" or (kind == "?" and rest ~= "") then
      store(opts, name, kind == "?" and rest:gsub("^=", "") or rest)
      return 1
    end
    store(opts, name, true)
  end
  return 1
end

-- What does not go together.
local function check(opts)
  local pairs_of = { { "json", "raw" }, { "persistent", "task" }, { "list", "tree" }, { "task", "namespace" } }
  for _, pair in ipairs(pairs_of) do
    if opts[pair[1]] and opts[pair[2]] then fail("%s and %s do not go together", pair[1], pair[2]) end
  end
  return opts
end

local function read_arguments(args)
  local opts, i, bare = { type = {} }, 1, false
  while i <= #args do
    local word = args[i]
    if not bare and word == "--" then
      bare, i = true, i + 1
    elseif not bare and word:find "^%-%-" then
      i = i + read_long(opts, word, args[i + 1])
    elseif not bare and word:find "^%-." then
      i = i + read_short(opts, word, args[i + 1])
    else
      if opts.namespace then fail("one namespace, not also %s", word) end
      opts.namespace = math.tointeger(tonumber(word)) or fail("not a namespace number: %s", word)
      i = i + 1
    end
  end
  return check(opts)
end


-- -- what is asked for -------------------------------------------------------

local function usual(opts)
  if opts.namespace then return "pid,ppid,user,args," end
  local net = ("," .. table.concat(opts.type, ",") .. ","):find(",net,", 1, true)
  return "ns,type,nprocs,pid,user," .. (net and "netnsid,nsfs," or "") .. "command,"
end

local function columns_of(opts)
  if opts["output-all"] then return COLUMNS end
  local columns = {}
  for word in (opts.output or "+"):gsub("^%+", usual(opts)):gmatch "[^,%s]+" do columns[#columns + 1] = word:lower() end
  if not columns[1] then fail "--output wants columns" end
  return columns
end

-- The processes in a namespace, where one was named.
local function members(opts, rows)
  local row = rows:where(function(n) return n.ns == opts.namespace end)[1]
    or error(("there is no namespace %d to be seen"):format(opts.namespace), 0)
  local asked = columns_of(opts)
  asked.pid = ns.scan_members(row.type, row.ns)
  return ns.ps(asked)
end

local function collect(opts)
  local types = #opts.type > 0 and opts.type or nil
  local pid = opts.task and (math.tointeger(tonumber(opts.task)) or fail("not a pid: %s", opts.task))
  local rows = ns.list { type = types, pid = pid, persistent = opts.persistent, deep = opts.deep }
  rows = opts.namespace and members(opts, rows) or rows:show(table.unpack(columns_of(opts)))
  return opts.filter and rows:where(opts.filter) or rows
end

-- As lsns: a tree by process, unless it is told otherwise.
local function relation_of(opts)
  if opts.tree then return opts.tree == true and "owner" or opts.tree end
  return not opts.list and not opts["output-all"] and "process" or nil
end

local function print_table(rows, opts)
  local width = nil -- the terminal's
  if opts.notruncate then width = false end
  local lines = rows:lines { headings = not opts.noheadings, width = width, raw = opts.raw,
    tree = not opts.raw and relation_of(opts) or nil }
  if lines[1] then say(table.concat(lines, "\n")) end
  for _, note in ipairs(rows:notes(2, "lsns: ")) do io.stderr:write(note, "\n") end
end

local function help()
  for line in io.lines(arg[0]) do
    if not line:find "^%-%-" then return end
    if not line:find "SPDX" then print((line:gsub("^%-%- ?", ""))) end
  end
end

local function main(opts)
  if opts.help then return help() end
  if opts.version then return say("lsns from ", ns.version) end
  if opts["list-columns"] then return say((table.concat(COLUMNS, "\n"):upper())) end
  if opts.matrix then return say(tostring(ns.matrix())) end
  local rows = collect(opts)
  if opts.json then
    return say('{"namespaces": ', rows:json(2, not opts.namespace and relation_of(opts) or nil), "}")
  end
  if opts.dot then return say(rows:dot()) end
  if opts.svg then return say(rows:svg()) end
  print_table(rows, opts)
end

local ok, err = pcall(main, read_arguments(arg))
if not ok then
  if type(err) == "table" then err.where = "" end -- the line of this script helps nobody
  io.stderr:write("lsns: ", (tostring(err):gsub("^[^\n]-%.lua:%d+: ", "")), "\n")
  os.exit(1)
end
