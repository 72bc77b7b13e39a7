-- SPDX-License-Identifier: MIT
-- What may stand at the cursor, each with a line of help. Looking never runs
-- anything: tables are read raw, and only tables among __index are followed.

local sys = require "nslua.sys"
local context = require "nslua.repl.context"
local help = require "nslua.repl.help"
local lexer = require "nslua.lexer"
local lessons = require "nslua.repl.lessons"
local manual = require "nslua.repl.manual"
local text = require "nslua.text"
local words = require "nslua.repl.words"
local annotations = require "nslua.help"
local ns = sys.primitives

local complete = {}

local MOST = 1000   -- candidates that are given
local MOST_FULL = 200 -- of which each has more than its type for help

local rawget, next, type = rawget, next, type
local getmetatable = debug.getmetatable
local sub, find = string.sub, string.find


-- -- collecting --------------------------------------------------------------

local function new(prefix) return { prefix = prefix, n = #prefix, items = {}, seen = {} } end

local function offer(found, word, hint)
  if sub(word, 1, found.n) ~= found.prefix or found.seen[word] then return end
  found.seen[word] = true
  found.items[#found.items + 1] = { text = word, help = hint or "" }
end

local function offer_list(found, list)
  for _, item in ipairs(list) do offer(found, item.text, item.help) end
end

-- Documented names that begin so: "ns.", "Proc:".
local function offer_documented(found, prefix)
  for name, record in pairs(annotations.all()) do
    if sub(name, 1, #prefix) == prefix then
      local rest = sub(name, #prefix + 1)
      if not find(rest, "[.:]") then
        local arguments = record.signature:match "%b()" or ""
        offer(found, rest, ("%s%s  %s"):format(rest, arguments, help.first_sentence(record.text)))
      end
    end
  end
end

local function module_hint(name) return "ns." .. name .. ": ?ns." .. name .. " lists it" end

local function offer_ns(found)
  offer_documented(found, "ns.")
  for name in pairs(sys.lazy.modules) do offer(found, name, module_hint(name)) end
  for name, v in next, ns do
    if type(name) == "string" then offer(found, name, type(v)) end
  end
end

-- A word on what a value is, cheap and without its metamethods.
local function hint_of(v)
  local kind = type(v)
  if kind == "string" then return #v <= 40 and sys.quote(v) or ("string of %d bytes"):format(#v) end
  if kind == "number" or kind == "boolean" then return tostring(v) end
  if kind == "function" then
    local info = debug.getinfo(v, "S")
    if info.what ~= "C" then return ("function at %s:%d"):format(text.clean(info.short_src), info.linedefined) end
  end
  local mt = getmetatable(v)
  local name = type(mt) == "table" and rawget(mt, "__name")
  return type(name) == "string" and text.clean(name) or kind
end

local function offer_fields(found, t, full, only_functions)
  local entries, matching = manual.all(), {}
  for key, v in next, t do
    if type(key) == "string" and sub(key, 1, found.n) == found.prefix
      and (not only_functions or type(v) == "function") then
      matching[#matching + 1] = key
    end
  end
  table.sort(matching)
  for i = 1, math.min(#matching, MOST) do
    local key = matching[i]
    local v = rawget(t, key)
    local entry = full and entries[full == "_G" and key or full .. "." .. key]
    if find(key, "^[%a_][%w_]*$") and not lexer.keywords[key] then
      offer(found, key, entry and ("%s  %s"):format(entry.signature, entry.text)
        or #matching > MOST_FULL and type(v) or hint_of(v))
    end
  end
end


-- -- values ------------------------------------------------------------------

local LIBRARIES = { "string", "table", "math", "io", "os", "utf8", "coroutine", "debug", "package" }

local function library_of(t)
  for _, name in ipairs(LIBRARIES) do
    if rawequal(package.loaded[name], t) then return name end
  end
  if rawequal(t, _G) then return "_G" end
end

-- The tables that a value's fields come from: itself and what __index leads to.
local function index_tables(v)
  local tables = {}
  for _ = 1, 10 do
    if type(v) == "table" then tables[#tables + 1] = v end
    local mt = getmetatable(v)
    v = type(mt) == "table" and rawget(mt, "__index")
    if type(v) ~= "table" then break end
  end
  return tables
end

local function raw_field(v, name)
  for _, t in ipairs(index_tables(v)) do
    local found = rawget(t, name)
    if found ~= nil then return found end
  end
end

local function lookup(session, name)
  local v = session:value(name)
  if v == nil then v = raw_field(session.env, name) end
  return v
end

-- The class of what a call gives, as its annotation says: "Proc".
local function class_of_call(session, chain)
  local name = chain.names[#chain.names]
  local v = lookup(session, chain.names[1])
  local full = #chain.names == 1 and name or (rawequal(v, ns) and "ns." or "")
    .. table.concat(chain.names, ".", rawequal(v, ns) and 2 or 1)
  if chain.separators[#chain.separators] == ":" then full = "box:" .. name end
  local record = annotations.of(full)
  local result = record and record.returns[1]
  return result and result.type:match "nslua%.(%u%w*)"
end

-- Where a chain of names leads: a value, or the class of one.
local function resolve(session, chain)
  if chain.string then return "" end
  if chain.called then return nil, class_of_call(session, chain.called) end
  local v = lookup(session, chain.names[1])
  for i = 2, #chain.names do
    if v == nil then return nil end
    local name = chain.names[i]
    if rawequal(v, ns) and rawget(v, name) == nil and sys.lazy.modules[name] then
      return nil, nil, "ns." .. name .. "."
    end
    v = raw_field(v, name)
  end
  return v
end

local function offer_members(found, session, chain, separator)
  local v, class, prefix = resolve(session, chain)
  class = class or help.handle_name(v)
  local mt = v ~= nil and getmetatable(v)
  local list = type(mt) == "table" and rawget(mt, "__name")
  class = class or type(list) == "string" and type(v) == "table" and list:match "^nslua%.(%u%w*)$" or nil
  if class then
    if separator == "." then offer_list(found, words.properties[class] or {}) end
    if separator == ":" then offer_documented(found, class .. ":") end
  elseif prefix then
    offer_documented(found, prefix)
  elseif rawequal(v, ns) then
    offer_ns(found)
  else
    for name in pairs(sys.lazy.modules) do
      if v ~= nil and rawequal(rawget(ns, name), v) then offer_documented(found, "ns." .. name .. ".") end
    end
  end
  for _, t in ipairs(index_tables(v)) do
    if not rawequal(t, ns) then offer_fields(found, t, library_of(t), separator == ":") end
  end
end

local function offer_names(found, session)
  for name, cell in pairs(session.locals.cells) do
    local _, v = debug.getupvalue(cell.fn, cell.index)
    offer(found, name, cell.builtin and "help(x): what is known of x" or "local, " .. hint_of(v))
  end
  for _, t in ipairs(index_tables(session.env)) do offer_fields(found, t, library_of(t) or "_G") end
  for word in pairs(lexer.keywords) do offer(found, word, "a word of Lua") end
end


-- -- what the machine has ----------------------------------------------------

local function read_start(path)
  local file <close> = io.open(path, "rb")
  return file and file:read(200) or ""
end

-- Processes with a command line, that is: not the kernel's own.
local function offer_pids(found)
  local ok, names = pcall(ns.readdir, "/proc")
  for _, name in ipairs(ok and names or {}) do
    if find(name, "^%d+$") and sub(name, 1, found.n) == found.prefix then
      local command = read_start("/proc/" .. name .. "/cmdline"):gsub("%z+$", ""):gsub("%z", " ")
      if command ~= "" then offer(found, name, text.clean(command)) end
    end
  end
  found.numeric = true
end

local function offer_files(found, path)
  local folder, base = path:match "^(.*/)([^/]*)$"
  folder, base = folder or "", base or path
  found.prefix, found.n = base, #base
  local ok, names = pcall(ns.readdir, folder == "" and "." or folder)
  for _, name in ipairs(ok and names or {}) do
    local hidden = sub(name, 1, 1) == "." and sub(base, 1, 1) ~= "."
    if not hidden and sub(name, 1, found.n) == base and #found.items < MOST and utf8.len(name)
      and not find(name, "%c") then
      local known, about = pcall(ns.stat, folder .. name)
      local kind = known and about.type or "link"
      offer(found, kind == "dir" and name .. "/" or name, kind)
    end
  end
  return #folder
end

local function offer_modules(found)
  for name in next, package.preload do offer(found, name, "built in") end
  for name in next, package.loaded do offer(found, name, "loaded") end
end

local function offer_lessons(found)
  for _, one in ipairs(lessons.all()) do offer(found, one.name, text.clean(one.title)) end
end


-- -- in a string, in a table, anywhere ----------------------------------------

-- What the argument at the cursor is: a name in nslua.repl.words.
local function wanted(at)
  if at.key then return words.values[at.key] or (words.type_keys and words.type_keys[at.key]) end
  local name = at.call and at.call.names and at.call.names[#at.call.names]
  if not name then return nil end
  if at.in_table then return words.tables[name] and "type" end
  local kinds = words.calls[name]
  local argument = at.argument or 1
  -- box:kill("TERM"): the process is in front.
  if kinds and name == "kill" and at.call.separators[#at.call.separators] == ":" then argument = argument + 1 end
  return kinds and kinds[argument]
end

-- Words within the quotes; returns how far they begin behind the quote.
local function in_string(found, token, at)
  local inside = token.text:gsub("^%[=*%[", ""):gsub("^[\"']", "")
  local kind = wanted(at)
  if kind == "module" then
    found.prefix, found.n = inside, #inside
    offer_modules(found)
  elseif kind and kind ~= "file" and words[kind] then
    local word = inside:match "[^, ]*$"
    found.prefix, found.n = word, #word
    offer_list(found, words[kind])
  elseif kind == "file" or find(inside, "^[/.~]") then
    if find(inside, "^~/") and os.getenv "HOME" then inside = os.getenv "HOME" .. sub(inside, 2) end
    offer_files(found, inside)
  end
end

-- The names of a table's keys, at the beginning of an item.
local function offer_keys(found, at)
  local name = at.in_table and not at.at_value and at.call and at.call.names
    and at.call.names[#at.call.names]
  local keys = name and words.tables[name]
  if keys then offer_list(found, words[keys]) end
  return keys ~= nil
end

local function in_code(found, session, tokens)
  local last = tokens[#tokens]
  local has_word = last and (last.kind == "name" or last.kind == "keyword") and last.stop == found.stop
  local before = has_word and #tokens - 1 or #tokens
  local separator = tokens[before]
  if separator and separator.kind == "sign" and find(separator.text, "^[.:]$") then
    local chain = context.chain(tokens, before - 1)
    if chain then offer_members(found, session, chain, separator.text) end
    return
  end
  local inner = {}
  table.move(tokens, 1, before, 1, inner)
  local at = context.call(inner)
  local keys = offer_keys(found, at)
  if wanted(at) == "pid" and not has_word then offer_pids(found) end
  if not (keys and found.prefix == "") and not found.numeric then offer_names(found, session) end
end

-- Lua up to the cursor; `pending` are the lines before.
local function lua_at(session, before)
  local pending = session.pending and session.pending .. "\n" or ""
  local code = pending .. before
  local tokens = lexer.tokens(code)
  local last = tokens[#tokens]
  local found = new(before:match "[%a_][%w_]*$" or "")
  found.stop = #code
  if last and last.kind == "comment" then return found end
  if last and last.kind == "string" and last.open then
    in_string(found, last, context.call(tokens))
  elseif last and last.kind == "number" and last.stop == #code then
    found.prefix, found.n = last.text, #last.text
    tokens[#tokens] = nil
    if wanted(context.call(tokens)) == "pid" then offer_pids(found) end
  else
    in_code(found, session, tokens)
  end
  return found
end


-- -- lines that are no Lua ---------------------------------------------------

local function names_and_lessons(session, rest)
  local found = lua_at({ locals = session.locals, env = session.env, value = function(_, name)
    return session:value(name) end }, rest)
  if find(rest, "^%s*[%w_-]*$") then offer_lessons(found) end
  return found
end

local function shell_at(session, rest)
  local word = rest:match "%S*$"
  local found = new(word)
  if not find(rest, "%S%s") then
    for name, v in next, session.env do
      if type(name) == "string" and help.handle_name(v) == "Proc" then offer(found, name, "in this box") end
    end
    for name in pairs(session.locals.cells) do
      if help.handle_name((session.locals:get(name))) == "Proc" then offer(found, name, "in this box") end
    end
  end
  offer_files(found, word)
  return found
end

local function command_at(session, word, rest)
  if rest == "" then
    local found = new(word)
    for name, about in pairs(require "nslua.repl.commands".words) do offer(found, name, about[2]) end
    return found
  end
  local argument = rest:match "^%s+(.*)$"
  if word == "lesson" then
    local found = new(argument)
    offer_lessons(found)
    if find(argument, "[./]") then offer_files(found, argument) end
    return found
  elseif word == "save" then
    local found = new(argument)
    offer_files(found, argument)
    return found
  elseif word == "help" then
    return names_and_lessons(session, argument)
  end
  return lua_at(session, argument)
end


local function sorted(found)
  local items = found.items
  if found.numeric then
    table.sort(items, function(a, b) return (tonumber(a.text) or 0) < (tonumber(b.text) or 0) end)
  else
    table.sort(items, function(a, b) return a.text < b.text end)
  end
  for i = #items, MOST + 1, -1 do items[i] = nil end
  return items
end

---What may stand at the cursor.
---@param session nslua.Session
---@param line string
---@param cursor integer  bytes before it
---@return { from: integer, items: { text: string, help: string }[] }
function complete.at(session, line, cursor)
  local before = sub(line, 1, cursor)
  local found
  if session.pending then
    found = lua_at(session, before)
  elseif find(before, "^%s*:%a*") and not find(before, "^%s*::") then
    local word, rest = before:match "^%s*:(%a*)(.*)$"
    found = command_at(session, word, rest)
  elseif find(before, "^%s*%?") then
    found = names_and_lessons(session, before:match "^%s*%?+%s*(.*)$")
  elseif find(before, "^%s*!") then
    found = shell_at(session, before:match "^%s*!%s*(.*)$")
  else
    found = lua_at(session, before)
  end
  return { from = cursor - found.n + 1, items = sorted(found) }
end

return complete
