-- SPDX-License-Identifier: MIT
-- Values as Lua that a person can read: tables with their ends cut and their
-- cycles named, strings without a raw control byte, lists as they print.

local sys = require "nslua.sys"
local ending = require "nslua.repl.ending"
local lexer = require "nslua.lexer"
local text = require "nslua.text"

local value = {}

local DEEPEST = 5
local MOST_ITEMS = 100    -- of one table
local MOST_SHOWN = 1000   -- of all tables of a value
local MOST_SORTED = 20000 -- keys that are looked at for their order
local LONGEST = 10000     -- bytes of a string that stands by itself
local LONGEST_INSIDE = 400

local rawget, next, type = rawget, next, type
local getmetatable = debug.getmetatable


-- -- strings -----------------------------------------------------------------

-- Cut at a character; what is left out is said.
local function shorten(s, most)
  if #s <= most then return s, "" end
  local cut = s:sub(1, most):gsub("[\192-\255][\128-\191]*$", "")
  return cut, (" %s %d bytes in all"):format(text.symbol "more", #s)
end

local function quoted(s, most)
  local cut, rest = shorten(s, most)
  return sys.quote(cut) .. rest
end

-- Text of several lines, each harmless.
local function clean_lines(s)
  if not s:find "[^\n -~]" then return s end
  local out = {}
  for line in (s .. "\n"):gmatch "([^\n]*)\n" do
    out[#out + 1] = text.clean((line:gsub("\t", "        ")))
  end
  return table.concat(out, "\n")
end

value.clean = clean_lines

local WORDS = { ["nil"] = true, ["true"] = true, ["false"] = true }

-- Does a string need its quotes to be told from other values?
local function unclear(s)
  return s == "" or WORDS[s] or tonumber(s) ~= nil or s:find "^%s" or s:find "%s$"
    or s:gsub("[\n\t]", ""):find "%c" or not utf8.len(s)
end

-- A string that stands by itself reads as print shows it, when that is clear.
local function plain_string(s)
  if s:find "\n$" and not unclear(s:sub(1, -2)) then s = s:sub(1, -2) end
  if unclear(s) then return quoted(s, LONGEST) end
  local cut, rest = shorten(s, LONGEST)
  return clean_lines(cut) .. rest
end


-- -- one value that is no table ----------------------------------------------

local function parameters(fn)
  local names, info = {}, debug.getinfo(fn, "u")
  for i = 1, info.nparams do names[i] = debug.getlocal(fn, i) or "_" end
  if info.isvararg then names[#names + 1] = "..." end
  return table.concat(names, ", ")
end

local LIBRARIES = { "_G", "nslua", "string", "table", "math", "io", "os", "utf8", "coroutine",
  "debug", "package" }

-- The name that a function of a library goes by.
local function library_name(fn)
  for _, module in ipairs(LIBRARIES) do
    for name, other in next, package.loaded[module] or {} do
      if rawequal(other, fn) and type(name) == "string" then
        if module ~= "_G" then return (module == "nslua" and "ns" or module) .. "." .. name end
        if require "nslua.repl.manual".all()[name] then return name end -- no variable that holds it
      end
    end
  end
end

value.library_name = library_name

local function function_text(fn, alone)
  local info = debug.getinfo(fn, "S")
  local name = alone and library_name(fn)
  if name and (info.what == "C" or name:find "^ns%.") then
    return ("function: %s   (?%s explains it)"):format(name, name)
  end
  if info.what == "C" then return (tostring(fn):gsub("builtin: ", "")) end
  return ("function(%s)  %s:%d"):format(parameters(fn), text.clean(info.short_src), info.linedefined)
end

local function number_text(n)
  if n ~= n then return "0/0" end
  if n == math.huge then return "math.huge" end
  if n == -math.huge then return "-math.huge" end
  return tostring(n)
end

-- What the value's own __tostring says, or nil.
local function own_text(v)
  local mt = getmetatable(v)
  if type(mt) ~= "table" or not rawget(mt, "__tostring") then return nil end
  local ok, said = pcall(tostring, v)
  if not ok then return ("(error in its __tostring: %s)"):format(text.clean(said)) end
  local name = rawget(mt, "__name")
  if type(name) == "string" and name:find "^nslua%." then return said end
  return clean_lines(said)
end

local function plain(v, alone)
  local kind = type(v)
  if kind == "string" then return alone and plain_string(v) or quoted(v, LONGEST_INSIDE) end
  if kind == "number" then return alone and tostring(v) or number_text(v) end
  if kind == "function" then return function_text(v, alone) end
  return kind == "userdata" and alone and ending.box_text(v) or own_text(v) or clean_lines(tostring(v))
end


-- -- tables ------------------------------------------------------------------

local RANK = { number = 1, string = 2, boolean = 3 }

local function before(a, b)
  local ka, kb = type(a), type(b)
  if ka ~= kb then return (RANK[ka] or 4) < (RANK[kb] or 4) end
  if ka == "number" or ka == "string" then return a < b end
  return tostring(a) < tostring(b)
end

-- How long the list in a table is, without asking its metatable.
local function list_length(t)
  local n = 0
  while rawget(t, n + 1) ~= nil do n = n + 1 end
  return n
end

-- The keys that are not in the list, in order, and how many were not looked at.
local function other_keys(t, length)
  local keys, more = {}, 0
  for key in next, t do
    if not (math.type(key) == "integer" and key >= 1 and key <= length) then
      if #keys < MOST_SORTED then keys[#keys + 1] = key else more = more + 1 end
    end
  end
  table.sort(keys, before)
  return keys, more
end

local function is_word(key)
  return type(key) == "string" and key:find "^[%a_][%w_]*$" and not lexer.keywords[key]
end

local render

local function key_text(key)
  if is_word(key) then return key end
  if type(key) == "table" then return ("[%s]"):format(tostring(key)) end
  return ("[%s]"):format((plain(key)))
end

-- The items of a table as texts, and how many were left out.
local function items_of(t, state, path)
  local items, length = {}, list_length(t)
  local shown = 0
  local function room()
    shown = shown + 1
    state.shown = state.shown + 1
    return shown <= MOST_ITEMS and state.shown <= MOST_SHOWN
  end
  for i = 1, length do
    if not room() then break end
    items[i] = render(rawget(t, i), state, ("%s[%d]"):format(path, i))
  end
  local listed = #items
  local keys, more = other_keys(t, length)
  for _, key in ipairs(keys) do
    if not room() then break end
    local name = key_text(key)
    local where = is_word(key) and path .. "." .. name or path .. name
    items[#items + 1] = name .. " = " .. render(rawget(t, key), state, where)
  end
  return items, listed, length + #keys + more - #items
end

local function indent(s) return (s:gsub("\n", "\n  ")) end

-- Short items of a list share lines.
local function lines_of(items, listed, width)
  local lines, line = {}, ""
  for i, item in ipairs(items) do
    item = indent(item) .. ","
    local fits = i <= listed and not item:find "\n" and #line + #item + 1 <= width
    if fits and line ~= "" then
      line = line .. " " .. item
    else
      if line ~= "" then lines[#lines + 1] = line end
      line = item
    end
    if i >= listed then
      lines[#lines + 1], line = line, ""
    end
  end
  if line ~= "" then lines[#lines + 1] = line end
  return lines
end

local function table_text(t, state, path)
  state.depth = state.depth + 1
  local items, listed, left_out = items_of(t, state, path)
  state.depth = state.depth - 1
  local rest = left_out > 0 and ("%s %d more"):format(text.symbol "more", left_out)
  local width = state.columns - 2 * state.depth
  local line = table.concat(items, ", ") .. (rest and (#items > 0 and ", " or "") .. rest or "")
  if line == "" then return "{}" end
  if #line + 4 <= width and not line:find "\n" then return "{ " .. line .. " }" end
  local lines = lines_of(items, listed, width - 3)
  if rest then lines[#lines + 1] = rest end
  return "{\n  " .. table.concat(lines, "\n  ") .. "\n}"
end

-- Something with a text of its own, within a table: one line of it.
local function brief(v, said)
  if not said:find "\n" and #said <= 120 then return said end
  local mt = getmetatable(v)
  local name = type(rawget(mt, "__name")) == "string" and mt.__name or type(v)
  local n = type(v) == "table" and rawlen(v) or 0
  return ("%s%s"):format(text.clean(name), n > 0 and (" of %d"):format(n) or "")
end

function render(v, state, path)
  if type(v) == "userdata" then return brief(v, plain(v)) end
  if type(v) ~= "table" then return (plain(v)) end
  if rawequal(v, sys.primitives) then return "ns: Linux namespaces   (?ns lists what is there)" end
  local said = own_text(v)
  if said and state.depth == 0 then return said end
  if said then return brief(v, said) end
  if state.path[v] then
    return ("<cycle: %s>"):format(state.path[v] == "" and "the whole" or state.path[v])
  end
  if state.depth >= DEEPEST then return next(v) == nil and "{}" or "{ " .. text.symbol "more" .. " }" end
  state.path[v] = path
  local result = table_text(v, state, path)
  state.path[v] = nil
  return result
end


---One value as text: tables as Lua, lists of namespaces, processes and mounts
---as their tables, everything without control bytes.
---
---    print(require "nslua.repl.value".text({ 1, { x = "a\n" } }, 80))
---
---@param v any
---@param columns? integer  the default is 80
---@return string
function value.text(v, columns)
  if type(v) ~= "table" then return plain(v, true) end
  return render(v, { columns = columns or 80, depth = 0, shown = 0, path = {} }, "")
end


---Several values, as the prompt shows the results of one line: side by side
---when each is short.
---
---    print(require "nslua.repl.value".list(table.pack(1, "two"), 80))
---
---@param values table  as table.pack gives
---@param columns? integer
---@return string
function value.list(values, columns)
  local out, flat, room = {}, true, (columns or 80) - 1
  for i = 1, values.n do
    out[i] = value.text(values[i], columns)
    room = room - #out[i] - 8
    if out[i]:find "\n" then flat = false end
  end
  if room < -8 then flat = false end
  return table.concat(out, flat and "\t" or "\n")
end

return value
