-- SPDX-License-Identifier: MIT
-- What stands at a cursor: in which string, as which argument of which call,
-- behind which name.

local lexer = require "nslua.lexer"

local context = {}


local function is(token, text)
  return token ~= nil and token.text == text and token.kind ~= "string"
end

-- The names that end before word i: "ns.box", { "ns", "box" }; `called` when
-- the last piece is the result of a call.
---@param tokens table[]
---@param i integer  the last word that belongs to it
---@return table? chain  names, separators (before each but the first), called;
---   base: the chain in front, when that is no name
function context.chain(tokens, i)
  local names, separators = {}, {}
  local token = tokens[i]
  if token and (is(token, ")") or is(token, "}") or token.kind == "string") then
    local open = i
    if token.kind ~= "string" then
      local depth = 0
      for j = i, 1, -1 do
        depth = depth + lexer.depth(tokens[j])
        if depth == 0 then open = j break end
      end
      if depth ~= 0 then return nil end
    end
    local callee = context.chain(tokens, open - 1)
    if callee then return { names = {}, called = callee } end
    local inner = tokens[i].kind == "string" and tokens[i] or tokens[i - 1]
    return inner.kind == "string" and open >= i - 2 and { names = {}, string = true } or nil
  end
  while tokens[i] and tokens[i].kind == "name" do
    table.insert(names, 1, tokens[i].text)
    local before = tokens[i - 1]
    if not (is(before, ".") or is(before, ":")) then return { names = names, separators = separators } end
    table.insert(separators, 1, before.text)
    i = i - 2
    if tokens[i] and tokens[i].kind ~= "name" then
      local base = context.chain(tokens, i)
      return base and { names = names, separators = separators, base = base }
    end
  end
  return nil
end

-- The bracket that the end of the text stands in, with the number of the
-- argument or item, and the bracket around that one.
local function innermost(tokens)
  local stack = {}
  for i, token in ipairs(tokens) do
    if token.kind == "sign" then
      local depth = lexer.depth(token)
      if depth == 1 then
        stack[#stack + 1] = { open = i, argument = 1 }
      elseif depth == -1 then
        stack[#stack] = nil
      elseif token.text == "," and stack[#stack] then
        local frame = stack[#stack]
        frame.argument, frame.comma = frame.argument + 1, i
      end
    end
  end
  return stack[#stack], stack[#stack - 1]
end

-- Whose table or arguments these are: "f(", "f{", "f({", "f(x, {", "key = {".
local function owner_of(tokens, frame, outer)
  local before = tokens[frame.open - 1]
  if not is(tokens[frame.open], "{") then return context.chain(tokens, frame.open - 1) end
  if is(before, "=") then return context.chain(tokens, frame.open - 2) end
  if outer and is(tokens[outer.open], "(") and (is(before, "(") or is(before, ",")) then
    return context.chain(tokens, outer.open - 1)
  end
  return context.chain(tokens, frame.open - 1)
end

---What the end of a text stands in.
---@param tokens table[]
---@return { call: table?, argument: integer?, in_table: boolean?, key: string? }
function context.call(tokens)
  local last = tokens[#tokens]
  if last and last.kind == "string" and last.open then
    -- f "word
    local before = tokens[#tokens - 1]
    if before and before.kind == "name" then
      return { call = context.chain(tokens, #tokens - 1), argument = 1 }
    end
  end
  local frame, outer = innermost(tokens)
  if not frame then return {} end
  local found = { call = owner_of(tokens, frame, outer), argument = frame.argument }
  if is(tokens[frame.open], "{") then
    found.in_table = true
    local key = (frame.comma or frame.open) + 1
    if tokens[key] and tokens[key].kind == "name" and is(tokens[key + 1], "=") then
      found.key = tokens[key].text
      found.at_value = true
    end
  end
  return found
end

return context
