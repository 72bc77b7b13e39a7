-- SPDX-License-Identifier: MIT
-- Help at the prompt: on names and on values, from the annotations that the
-- manual is made of.

local sys = require "nslua.sys"
local fold = require "nslua.fold"
local help = require "nslua.help"
local lessons = require "nslua.repl.lessons"
local manual = require "nslua.repl.manual"
local text = require "nslua.text"
local value = require "nslua.repl.value"

local repl_help = {}

local rawget = rawget
local getmetatable = debug.getmetatable

local OVERVIEW = [[
?name      what a function does: ?ns.box  ?box:sh  ?string.rep   (?ns lists all)
??name     its source
Tab        completes names, fields, methods, options, type and flag words
!cmd       a shell command on the host     !box cmd   in the box of that name
_          the last result                 _1  the one before it
Ctrl-C     ends what runs, or a block that is not finished      Ctrl-D  leaves
]]


local function room() return (text.columns() or 80) - 1 end

local function folded(s) return fold.text(s, room()) end


---What the prompt can do.
---@return string
local function overview()
  local words, rows = require "nslua.repl.commands".words, {}
  local names = require "nslua.repl.commands".names()
  for i, name in ipairs(names) do
    rows[i] = { ":" .. name .. (words[name][1] ~= "" and " " .. words[name][1] or ""), words[name][2] }
  end
  local columns = { { title = "" }, { title = "" } }
  return folded(OVERVIEW .. table.concat(text.table(columns, rows, { headings = false }), "\n"))
end

local function first_sentence(s)
  return (s or ""):gsub("\n.*", function(rest)
    return rest:find "^\n\n" and "" or rest
  end):gsub("%s+", " "):match "^(.-[.:;])%f[%s\0]" or s:gsub("%s+", " ")
end

repl_help.first_sentence = first_sentence


-- -- finding -----------------------------------------------------------------

-- a.b.c through plain tables; what a table has not loaded yet is loaded, when
-- it is one of ours.
local function follow(session, path)
  local names = {}
  for name in path:gmatch "[^.]+" do names[#names + 1] = name end
  local v = session:value(names[1])
  for i = 2, #names do
    if type(v) ~= "table" then return nil end
    local ours = rawequal(v, sys.primitives) and (sys.lazy.names[names[i]] or sys.lazy.modules[names[i]])
    if ours then v = v[names[i]] else v = rawget(v, names[i]) end
  end
  return v
end

local HANDLES = { ["nslua.Proc"] = "Proc", ["nslua.Ns"] = "Ns", ["nslua.Fd"] = "Fd",
  ["nslua.Mount"] = "Mount" }

local function handle_name(v)
  local mt = type(v) == "userdata" and getmetatable(v)
  return mt and HANDLES[rawget(mt, "__name")]
end

repl_help.handle_name = handle_name


-- The record of a name; "b:close" is of the class that the variable b has.
local function record_of(session, name)
  local object, method = name:match "^([%a_][%w_.]*):([%w_]+)$"
  local class = object and handle_name(follow(session, object))
  return class and help.of(class .. ":" .. method) or help.of(name)
end


-- -- what is said ------------------------------------------------------------

local function record_text(record)
  local said = help.text(setmetatable({ text = fold.prose(record.text, room()) }, { __index = record }))
  local used = lessons.using(record.name)
  if #used > 0 then said = said .. "\nlessons  :lesson " .. table.concat(used, ", ") end
  return folded(said)
end

-- All records that begin with a prefix, a line for each.
local function list_of(prefix, title)
  local rows = {}
  for name, record in pairs(help.all()) do
    local rest = name:sub(#prefix + 1)
    if name:sub(1, #prefix) == prefix and not rest:find "[.:]" then
      rows[#rows + 1] = { record.signature, first_sentence(record.text) }
    end
  end
  if #rows == 0 then return nil end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  local columns = { { title = "", least = 20 }, { title = "" } }
  local lines = text.table(columns, rows, { headings = false, width = room() })
  return title .. "\n" .. table.concat(lines, "\n")
end

-- The library tables of Lua.
local function library_text(name)
  local rows = {}
  for full, entry in pairs(manual.all()) do
    if full:sub(1, #name + 1) == name .. "." then rows[#rows + 1] = { entry.signature, entry.text } end
  end
  if #rows == 0 then return nil end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  return table.concat(text.table({ { title = "" }, { title = "" } }, rows, { headings = false }), "\n")
end

local function manual_text(name)
  local entry = manual.all()[name]
  if not entry then return nil end
  local listed = library_text(name)
  return entry.signature .. "\n\n" .. entry.text .. (listed and "\n\n" .. listed or "")
    .. "\n\nsee      https://www.lua.org/manual/5.4/"
end

local function comment_above(fn)
  local info = debug.getinfo(fn, "S")
  return ("%s\n\ndefined at %s:%d; ?? shows its source"):format(value.text(fn),
    text.clean(info.short_src), info.linedefined)
end

local function function_text(v)
  local record = help.of(v)
  if record then return record_text(record) end
  local name = value.library_name(v)
  return name and manual_text(name) or comment_above(v)
end

local function table_text(v)
  local mt = getmetatable(v)
  local name = type(mt) == "table" and rawget(mt, "__name")
  local class = type(name) == "string" and name:match "^nslua%.(%u%w*)$"
  local listed = class and list_of(class .. ":", "its methods:")
  if listed then return ("a %s of %d\n%s"):format(name, #v, listed) end
  local count, fields = 0, {}
  for key in next, v do
    count = count + 1
    if type(key) == "string" and #fields < 200 then fields[#fields + 1] = key end
  end
  table.sort(fields)
  local names = #fields > 0 and ": " .. text.clean(table.concat(fields, ", ", 1, math.min(#fields, 20)))
  return ("a table of %d%s"):format(count, (names or "") .. (#fields > 20 and ", ..." or ""))
end

---Help on a value.
local function value_text(v)
  if type(v) == "function" then return function_text(v) end
  local handle = handle_name(v)
  if handle then
    return list_of(handle .. ":", ("%s: a %s. Its methods:"):format(text.clean(tostring(v)), handle))
  end
  if rawequal(v, sys.primitives) then
    return list_of("ns.", "Linux namespaces; ?ns.NAME says more.")
  end
  if type(v) == "table" then
    for name in pairs(sys.lazy.modules) do
      if rawequal(rawget(sys.primitives, name), v) then return list_of("ns." .. name .. ".", "ns." .. name) end
    end
    return table_text(v)
  end
  return ("a %s: %s"):format(type(v), value.text(v))
end

local function lesson_text(name)
  for _, one in ipairs(lessons.all()) do
    if one.name == name then
      return ("%s: %s\n\n:lesson %s starts it"):format(name, text.clean(one.title), name)
    end
  end
end

local function command_text(name)
  local word = name:match "^:(%w+)$"
  local known = word and require "nslua.repl.commands".words[word]
  return known and (":%s %s\n\n%s"):format(word, known[1], known[2])
end

local function nothing(name)
  local names = {}
  for full in pairs(help.all()) do names[#names + 1] = full end
  for full in pairs(manual.all()) do names[#names + 1] = full end
  table.sort(names)
  local near = sys.nearest(name, names) or sys.nearest("ns." .. name, names)
  return ("nothing is known of %s%s"):format(sys.quote(name),
    near and (" (did you mean ?%s)"):format(near) or "")
end

local function name_text(session, name)
  name = name:gsub("%s*%b()%s*$", "")
  local v = name:find "^[%a_][%w_.]*$" and follow(session, name)
  local record = record_of(session, name)
  -- A variable of the user's goes before a function of the same name.
  if v ~= nil and type(v) ~= "function" then
    local library = type(v) == "table" and not rawequal(v, sys.primitives) and manual_text(name)
    return library or value_text(v)
  end
  if record then return record_text(record) end
  return (v ~= nil and value_text(v)) or manual_text(name) or command_text(name)
    or list_of("ns." .. name .. ".", "ns." .. name) or lesson_text(name) or nothing(name)
end


---Help as text: on a name, on a value, on the prompt itself.
---@param session nslua.Session
---@param what any  nil: the prompt
---@return string
function repl_help.text(session, what)
  if what == nil then return overview() end
  if type(what) == "string" then return name_text(session, what) end
  return value_text(what)
end


-- -- ?? ----------------------------------------------------------------------

-- From a line to the `end` that closes its function.
local function cut(source, line)
  local lexer = require "nslua.lexer"
  local tokens, at = lexer.tokens(source), 1
  while tokens[at] and not (tokens[at].line >= line and tokens[at].text == "function"
    and tokens[at].kind == "keyword") do
    at = at + 1
  end
  if not tokens[at] then return nil end
  local from = tokens[at].at
  local stop = tokens[lexer.closing(tokens, at)].stop
  local begin = source:sub(1, from):match ".*\n()" or 1
  return source:sub(begin, stop)
end

local function read(session, chunk)
  local name = chunk:sub(2)
  if chunk:sub(1, 1) == "=" then return session.chunks[name] end
  if chunk:sub(1, 1) ~= "@" then return chunk end
  local embedded = sys.embedded("lua/" .. name)
  if embedded then return embedded end
  local file <close> = io.open(name, "rb")
  return file and file:read "a"
end

local function source_of(session, fn)
  local info = debug.getinfo(fn, "S")
  local record = help.of(fn)
  if record and record.line and not record.file:find("/meta/", 1, true) then
    return cut(sys.embedded(record.file), record.line), record.file, record.line
  end
  if info.what == "C" then return nil end
  local source = read(session, info.source)
  return source and cut(source, info.linedefined), info.short_src, info.linedefined
end

---The source of a function, by name or value.
---@param session nslua.Session
---@param what any
---@return string
function repl_help.source(session, what)
  local v = what
  if type(what) == "string" then
    v = follow(session, what)
    if type(v) ~= "function" then
      local record = record_of(session, what)
      v = record and help.walk()[record.name]
    end
  end
  if type(v) ~= "function" then
    return ("%s is no function that is known"):format(type(what) == "string" and sys.quote(what) or "this")
  end
  local source, file, line = source_of(session, v)
  if source then return ("-- %s:%d\n%s"):format(text.clean(file), line, value.clean(source)) end
  local record = help.of(v)
  return record and ("%s is written in C\nsee      %s"):format(record.name, record.source or "")
    or "its source is not at hand: it is written in C"
end

return repl_help
