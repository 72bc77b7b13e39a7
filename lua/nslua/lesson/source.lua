-- SPDX-License-Identifier: MIT
-- The text of a lesson: a small lexer that knows where a function begins and
-- ends and where each entry of a table constructor stands, so that the code
-- on the screen is the code that runs and a mistake is told with its line.

local lexer = require "nslua.lexer"
local sys = require "nslua.sys"

local source = {}


-- -- words ------------------------------------------------------------------

local WORDS = { name = true, keyword = true, number = true }

---The words, strings and signs of a chunk, each with its place and line.
---@param text string
---@return { kind: string, text: string, at: integer, stop: integer, line: integer }[]
function source.tokens(text)
  local tokens = {}
  local code = text:gsub("^#[^\n]*", function(first) return (" "):rep(#first) end)
  for _, token in ipairs(lexer.tokens(code)) do
    if WORDS[token.kind] then token.kind = "word" end
    if token.kind ~= "comment" then tokens[#tokens + 1] = token end
  end
  return tokens
end


local OPENS = { ["function"] = true, ["if"] = true, ["do"] = true, ["repeat"] = true }
local CLOSES = { ["end"] = true, ["until"] = true }
local BRACKETS = { ["("] = 1, ["["] = 1, ["{"] = 1, [")"] = -1, ["]"] = -1, ["}"] = -1 }

-- What a token adds to the depth of blocks and brackets.
local function depth_of(token)
  if token.kind == "sign" then return BRACKETS[token.text] or 0 end
  if token.kind ~= "word" then return 0 end
  return OPENS[token.text] and 1 or CLOSES[token.text] and -1 or 0
end

-- The token that closes what token i opens.
local function closing(tokens, i)
  local depth = 0
  for j = i, #tokens do
    depth = depth + depth_of(tokens[j])
    if depth == 0 then return j end
  end
  return #tokens
end


-- -- table constructors -----------------------------------------------------

local function is_sign(token, text)
  return token ~= nil and token.kind == "sign" and token.text == text
end

local function string_value(token)
  if token and token.kind == "string" then
    local chunk = load("return " .. token.text, "=string", "t", {})
    return chunk and chunk()
  end
end

-- The key before a value: the key, and where the value begins.
local function read_key(tokens, i)
  local token = tokens[i]
  if token.kind == "word" and is_sign(tokens[i + 1], "=") and not is_sign(tokens[i + 2], "=") then
    return token.text, i + 2
  end
  if is_sign(token, "[") then
    local close = closing(tokens, i)
    if is_sign(tokens[close + 1], "=") then
      return close == i + 2 and string_value(tokens[i + 1]) or false, close + 2
    end
  end
  return nil, i
end

local function value_end(tokens, i)
  local depth = 0
  for j = i, #tokens do
    local token = tokens[j]
    if depth == 0 and token.kind == "sign" and token.text:find "^[,;}]$" then return j end
    depth = depth + depth_of(token)
  end
  return #tokens + 1
end


---What stands in the table constructor that begins at a token.
---@param tokens table[]
---@param i integer  the "{"
---@return { line: integer, fields: table<string, table>, items: table[] } shape
---   each entry: line (of its key), order, value (the token), shape (when it is a table)
function source.shape(tokens, i)
  local shape = { line = tokens[i].line, fields = {}, items = {} }
  i = i + 1
  while tokens[i] and not is_sign(tokens[i], "}") do
    local key, value = read_key(tokens, i)
    local stop = value_end(tokens, value)
    local entry = { line = tokens[i].line, order = i, value = tokens[value] }
    if is_sign(tokens[value], "{") and closing(tokens, value) == stop - 1 then
      entry.shape = source.shape(tokens, value)
    end
    if key then
      shape.fields[key] = entry
    elseif key == nil then
      shape.items[#shape.items + 1] = entry
    end
    i = stop
    if tokens[i] and not is_sign(tokens[i], "}") then i = i + 1 end
  end
  return shape
end


---The shape of the table that is given to `name` at a line, or nil when it is
---not written down there.
---@param tokens table[]
---@param name string
---@param line integer
---@return table?
function source.call_shape(tokens, name, line)
  for i, token in ipairs(tokens) do
    if token.kind == "word" and token.text == name and token.line >= line then
      local open = is_sign(tokens[i + 1], "(") and i + 2 or i + 1
      if is_sign(tokens[open], "{") then return source.shape(tokens, open) end
    end
  end
end


-- -- chunks -----------------------------------------------------------------

local known = {} -- chunk name -> { text =, tokens = }, or false


---Remembers the text of a chunk that is no file, or that was read already.
---@param chunk string  the name it was loaded with
---@param text string
function source.remember(chunk, text)
  known[chunk] = { text = text }
end

local function read_chunk(chunk)
  if chunk:sub(1, 1) == "=" then return false end
  if chunk:sub(1, 1) ~= "@" then return { text = chunk } end
  local path = chunk:sub(2)
  local file <close> = io.open(path, "rb")
  local text = file and file:read "a" or sys.embedded(path)
  return text and { text = text } or false
end


---The text and tokens of a chunk; nil when it is not at hand.
---@param chunk string  as debug.getinfo names it in `source`
---@return { text: string, tokens: table[] }?
function source.chunk(chunk)
  if known[chunk] == nil then known[chunk] = read_chunk(chunk) end
  local found = known[chunk] or nil
  if found and not found.tokens then found.tokens = source.tokens(found.text) end
  return found
end


-- -- functions --------------------------------------------------------------

---The functions that begin on a line, those inside another of them left out.
---@param tokens table[]
---@param line integer
---@return { first: integer, last: integer }[]  numbers of tokens
function source.functions_at(tokens, line)
  local found, i = {}, 1
  while tokens[i] and tokens[i].line <= line do
    local token = tokens[i]
    if token.line == line and token.kind == "word" and token.text == "function" then
      local last = closing(tokens, i)
      found[#found + 1] = { first = i, last = last }
      i = last
    end
    i = i + 1
  end
  return found
end

-- Takes off the margin that all lines have. The first line begins anywhere;
-- what stood before it on its line is given as spaces.
local function dedent(text)
  local margin
  for line in text:gmatch "[^\n]+" do
    local space = line:match "^([ \t]*)%S"
    if space and (not margin or #space < #margin) then margin = space end
  end
  margin = margin and #margin or 0
  local lines = {}
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    lines[#lines + 1] = line:find "%S" and line:sub(margin + 1):gsub("%s+$", "") or ""
  end
  return table.concat(lines, "\n")
end

source.dedent = dedent

local function trim_lines(text)
  return (text:gsub("^[ \t]*\n", ""):gsub("%s+$", ""))
end

-- From its keyword to its `end`; the lines after the first keep their margin
-- against the line that the keyword stands on.
local function whole(text, first, last)
  local line_start = text:sub(1, first - 1):match ".*\n()" or 1
  local indent = text:match("^[ \t]*", line_start)
  return dedent(indent .. text:sub(first, last))
end

local function inner(text, tokens, first, last)
  local open = first + 1
  while not is_sign(tokens[open], "(") do open = open + 1 end
  local close = closing(tokens, open)
  return dedent(trim_lines(text:sub(tokens[close].stop + 1, tokens[last].at - 1)))
end

local function place_of(fn)
  local info = debug.getinfo(fn, "S")
  local chunk = info.what ~= "C" and source.chunk(info.source)
  if not chunk then return nil, info end
  for _, place in ipairs(source.functions_at(chunk.tokens, info.linedefined)) do
    if chunk.tokens[place.last].line == info.lastlinedefined then
      return place, info, chunk
    end
  end
  return nil, info
end


---The source of a function: all of it, and what stands between its parameters
---and its `end`. Nil for one that was not written in a text at hand.
---@param fn function
---@return string? whole
---@return string? body
function source.of(fn)
  local place, _, chunk = place_of(fn)
  if not place then return nil end
  local tokens, text = chunk.tokens, chunk.text
  return whole(text, tokens[place.first].at, tokens[place.last].stop),
    inner(text, tokens, place.first, place.last)
end


---Where a function begins, as "file:line", and its line.
---@param fn function
---@return string where
---@return integer line
function source.where(fn)
  local info = debug.getinfo(fn, "S")
  return ("%s:%d"):format(info.short_src, info.linedefined), info.linedefined
end


---Is another function written on the line where this one begins?
---@param fn function
---@return boolean
function source.crowded(fn)
  local info = debug.getinfo(fn, "S")
  local chunk = info.what ~= "C" and source.chunk(info.source)
  if not chunk then return false end
  return #source.functions_at(chunk.tokens, info.linedefined) > 1
end


return source
