-- SPDX-License-Identifier: MIT
-- What may have been meant by a name that is not there: for an error that says
-- "attempt to call a nil value (field 'hostname')".

local sys = require "nslua.sys"
local lexer = require "nslua.lexer"
local ns = sys.primitives

local meant = {}

local rawget = rawget

local LEAST = 4 -- letters of a name that is looked for within others


-- The name that is nearest, else the shortest that it is a part of.
local function near(name, names)
  local found = sys.nearest(name, names)
  if found or #name < LEAST then return found end
  for _, one in ipairs(names) do
    if one:find(name, 1, true) and not (found and #found <= #one) then found = one end
  end
  return found
end

-- All that may stand at the end of a text, in order.
local function offered(session, before)
  local names = {}
  for _, item in ipairs(session:complete(before).items) do
    local name = item.text:match "^[%w_]+" or ""
    if not lexer.keywords[name] then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- The code in front of a name that is a field or method, up to its sign.
local function in_front(code, name)
  local tokens = lexer.tokens(code)
  for i = 3, #tokens do
    local sign = tokens[i - 1]
    if tokens[i].text == name and sign.kind == "sign" and (sign.text == "." or sign.text == ":") then
      return code:sub(1, sign.stop), sign.text
    end
  end
end

local function member(session, name, code)
  local before, sign = in_front(code, name)
  if not before then return nil end
  local owner = before:match "([%a_][%w_.]*)[.:]$"
  local other = near(name, offered(session, before))
  if not other then return nil end
  if not owner then return ("there is no %s; did you mean %s?"):format(name, other) end
  return ("%s has no %s; did you mean %s%s%s?"):format(owner, name, owner, sign, other)
end

local function variable(session, name)
  if rawget(ns, name) ~= nil or sys.lazy.names[name] or sys.lazy.modules[name] then
    return ("there is no %s; did you mean ns.%s?"):format(name, name)
  end
  local other = near(name, offered(session, ""))
  return other and ("there is no %s; did you mean %s?"):format(name, other)
end


---A line on a field of ns that is nil, when that was the whole expression.
---@param session nslua.Session
---@param code string
---@return string?
function meant.nothing(session, code)
  local owner, name = code:match "^return%s+([%a_][%w_]*)%.([%a_][%w_]*)%s*$"
  if owner and rawequal(session:value(owner), ns) then return member(session, name, code) end
end


---A line on the name that an error is about, or nil.
---@param session nslua.Session
---@param err any
---@return string?
function meant.by(session, err)
  if type(err) ~= "string" then return nil end
  local chunk, kind, name = err:match "^(stdin#%d+):%d+: attempt to %l+ a nil value %((%l+) '([%a_][%w_]*)'%)$"
  if kind == "global" then return variable(session, name) end
  if kind == "field" or kind == "method" then return member(session, name, session.chunks[chunk] or "") end
end

return meant
