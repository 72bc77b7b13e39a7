-- SPDX-License-Identifier: MIT
-- What may stand at the cursor, each with a line of help: told by the string,
-- the call or the table that the cursor is in. Looking never runs anything.

local context = require "nslua.repl.context"
local help = require "nslua.repl.help"
local lexer = require "nslua.lexer"
local members = require "nslua.repl.members"
local offers = require "nslua.repl.offers"
local words = require "nslua.repl.words"

local complete = {}

local next, type = next, type
local sub, find = string.sub, string.find


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
    offers.modules(found)
  elseif kind and kind ~= "file" and words[kind] then
    local word = inside:match "[^, ]*$"
    found.prefix, found.n = word, #word
    offers.list(found, words[kind])
  elseif kind == "file" or find(inside, "^[/.~]") then
    if find(inside, "^~/") and os.getenv "HOME" then inside = os.getenv "HOME" .. sub(inside, 2) end
    offers.files(found, inside)
  end
end

-- The names of a table's keys, at the beginning of an item.
local function offer_keys(found, at)
  local name = at.in_table and not at.at_value and at.call and at.call.names
    and at.call.names[#at.call.names]
  local keys = name and words.tables[name]
  if keys then offers.list(found, words[keys]) end
  return keys ~= nil
end

local function in_code(found, session, tokens)
  local last = tokens[#tokens]
  local has_word = last and (last.kind == "name" or last.kind == "keyword") and last.stop == found.stop
  local before = has_word and #tokens - 1 or #tokens
  local separator = tokens[before]
  if separator and separator.kind == "sign" and find(separator.text, "^[.:]$") then
    local chain = context.chain(tokens, before - 1)
    if chain then members.fields(found, session, chain, separator.text) end
    return
  end
  local inner = {}
  table.move(tokens, 1, before, 1, inner)
  local at = context.call(inner)
  local keys = offer_keys(found, at)
  if wanted(at) == "pid" and not has_word then offers.pids(found) end
  if not (keys and found.prefix == "") and not found.numeric then members.names(found, session) end
end

-- Lua up to the cursor; `pending` are the lines before.
local function lua_at(session, before)
  local pending = session.pending and session.pending .. "\n" or ""
  local code = pending .. before
  local tokens = lexer.tokens(code)
  local last = tokens[#tokens]
  local found = offers.new(before:match "[%a_][%w_]*$" or "")
  found.stop = #code
  if last and last.kind == "comment" then return found end
  if last and last.kind == "string" and last.open then
    in_string(found, last, context.call(tokens))
  elseif last and last.kind == "number" and last.stop == #code then
    found.prefix, found.n = last.text, #last.text
    tokens[#tokens] = nil
    if wanted(context.call(tokens)) == "pid" then offers.pids(found) end
  else
    in_code(found, session, tokens)
  end
  return found
end


-- -- lines that are no Lua ---------------------------------------------------

local function names_and_lessons(session, rest)
  local found = lua_at({ locals = session.locals, env = session.env, value = function(_, name)
    return session:value(name) end }, rest)
  if find(rest, "^%s*[%w_-]*$") then offers.lessons(found) end
  return found
end

local function shell_at(session, rest)
  local word = rest:match "%S*$"
  local found = offers.new(word)
  if not find(rest, "%S%s") then
    for name, v in next, session.env do
      if type(name) == "string" and help.handle_name(v) == "Proc" then offers.add(found, name, "in this box") end
    end
    for name in pairs(session.locals.cells) do
      if help.handle_name((session.locals:get(name))) == "Proc" then offers.add(found, name, "in this box") end
    end
  end
  offers.files(found, word)
  return found
end

local function command_at(session, word, rest)
  if rest == "" then
    local found = offers.new(word)
    for name, about in pairs(require "nslua.repl.commands".words) do offers.add(found, name, about[2]) end
    return found
  end
  local argument = rest:match "^%s*(.*)$"
  if word == "lesson" then
    local found = offers.new(argument)
    offers.lessons(found)
    if find(argument, "[./]") then offers.files(found, argument) end
    return found
  elseif word == "save" then
    local found = offers.new(argument)
    offers.files(found, argument)
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
  for i = #items, offers.most + 1, -1 do items[i] = nil end
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
