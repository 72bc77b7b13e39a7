-- SPDX-License-Identifier: MIT
-- Locals that outlive their line. A line is compiled as a function whose free
-- names are upvalues; those that earlier lines declared are joined to the very
-- variables of then. After each `local` of its own a closure is left behind,
-- which holds the new variables: one variable for all closures of a session.

local lexer = require "nslua.lexer"

local getupvalue, upvaluejoin = debug.getupvalue, debug.upvaluejoin
local load, error, type, ipairs = load, error, type, ipairs
local getmetatable, rawget = debug.getmetatable, rawget

local locals = {}

local KEEP = "_nslua_keep" -- its name within a line
-- With a <close> variable about, `return f()` is no tail call: the line keeps
-- its frame, and an error its position.
local FRAME = "local _nslua_frame <close> = nil "
local MOST = 180 -- Lua's limit is 200 variables of a function


-- -- where a statement ends --------------------------------------------------

local UNARY = { ["not"] = true, ["-"] = true, ["#"] = true, ["~"] = true }
local BINARY = {}
for sign in ("+ - * / // ^ % & ~ | << >> .. < <= > >= == ~= and or"):gmatch "%S+" do
  BINARY[sign] = true
end
local CALLS = { ["("] = true, ["{"] = true, ["["] = true }

local function is(token, text)
  return token ~= nil and token.text == text and token.kind ~= "string"
end

-- Behind a name or a bracket: fields, calls.
local function skip_suffixes(tokens, i)
  while tokens[i] do
    local token = tokens[i]
    if is(token, ".") or is(token, ":") then
      i = i + 2
    elseif token.kind == "string" then
      i = i + 1
    elseif token.kind == "sign" and CALLS[token.text] then
      i = lexer.closing(tokens, i) + 1
    else
      return i
    end
  end
  return i
end

local function skip_operand(tokens, i)
  while tokens[i] and tokens[i].kind ~= "string" and UNARY[tokens[i].text] do i = i + 1 end
  local token = tokens[i]
  if not token then return i end
  if token.kind == "name" then return skip_suffixes(tokens, i + 1) end
  if is(token, "(") then return skip_suffixes(tokens, lexer.closing(tokens, i) + 1) end
  if is(token, "function") or is(token, "{") then return lexer.closing(tokens, i) + 1 end
  return i + 1
end

local function skip_expression(tokens, i)
  i = skip_operand(tokens, i)
  while tokens[i] and tokens[i].kind ~= "string" and BINARY[tokens[i].text] do
    i = skip_operand(tokens, i + 1)
  end
  return i
end

-- The number of the first word behind a list of expressions.
local function skip_expressions(tokens, i)
  i = skip_expression(tokens, i)
  while is(tokens[i], ",") do i = skip_expression(tokens, i + 1) end
  return i
end


-- -- what a line declares ----------------------------------------------------

-- "local a <const>, b": what it declares and where it ends. `attributes` are
-- the words that say <close>.
local function read_local(tokens, i)
  local found = { names = {}, const = {}, close = {}, attributes = {} }
  if is(tokens[i + 1], "function") then
    found.names[1] = tokens[i + 2].text
    found.stop = lexer.closing(tokens, i + 1)
    return found
  end
  repeat
    i = i + 1
    local name = tokens[i].text
    found.names[#found.names + 1] = name
    i = i + 1
    if is(tokens[i], "<") then
      found.const[name] = true
      if is(tokens[i + 1], "close") then
        found.close[name] = true
        found.attributes[#found.attributes + 1] = tokens[i + 1]
      end
      i = i + 3
    end
  until not is(tokens[i], ",")
  found.stop = (is(tokens[i], "=") and skip_expressions(tokens, i + 1) or i) - 1
  return found
end

---The `local` statements of a chunk that are in no block of its own.
---@param tokens table[]
---@return table[] declared  names, const, close, stop (the last word's number)
function locals.declared(tokens)
  local declared, depth, i = {}, 0, 1
  while tokens[i] do
    if depth == 0 and is(tokens[i], "local") and tokens[i].kind == "keyword" then
      local found = read_local(tokens, i)
      declared[#declared + 1] = found
      i = found.stop
    else
      depth = depth + lexer.depth(tokens[i])
    end
    i = i + 1
  end
  return declared
end

-- The text with a call of KEEP behind each declaration. <close> becomes
-- <const>, which is as long: the session closes the variable, not the line.
local function rewrite(text, tokens, declared)
  local out, at = {}, 1
  for number, found in ipairs(declared) do
    for _, token in ipairs(found.attributes) do
      out[#out + 1] = text:sub(at, token.at - 1) .. "const"
      at = token.stop + 1
    end
    local stop = tokens[found.stop].stop
    out[#out + 1] = text:sub(at, stop)
    out[#out + 1] = (" %s(%d, function() return %s end);"):format(KEEP, number,
      table.concat(found.names, ", "))
    at = stop + 1
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end


-- -- the variables of a session ----------------------------------------------

local Locals = {}
Locals.__index = Locals

---The variables of a new session.
---@param env table  its globals
---@return table
function locals.new(env)
  return setmetatable({ env = env, cells = {}, closing = {} }, Locals)
end

-- A variable of its own, for a value that the compiler folded away.
local function cell_of(value)
  return function() return value end
end

---Declares a variable with a value; `builtin` is a line on one that a global of
---its name replaces.
function Locals:set(name, value, builtin)
  self.cells[name] = { fn = cell_of(value), index = 1, builtin = builtin }
end

---The value of a variable, and whether there is one of that name.
function Locals:get(name)
  local cell = self.cells[name]
  if not cell then return nil, false end
  local _, value = getupvalue(cell.fn, cell.index)
  return value, true
end

local function check_closable(name, value)
  if value == nil or value == false then return end
  local mt = getmetatable(value)
  if type(mt) ~= "table" or rawget(mt, "__close") == nil then
    error(("variable '%s' got a non-closable value"):format(name), 4)
  end
end

function Locals:keep(found, closure, ...)
  local index = {}
  for i = 1, 255 do
    local name = getupvalue(closure, i)
    if not name then break end
    index[name] = i
  end
  for i, name in ipairs(found.names) do
    if found.close[name] then check_closable(name, (select(i, ...))) end
  end
  self.declared_now = self.declared_now or {}
  for i, name in ipairs(found.names) do
    local value = select(i, ...)
    table.insert(self.declared_now, name)
    self.cells[name] = index[name] and { fn = closure, index = index[name] }
      or { fn = cell_of(value), index = 1 }
    self.cells[name].const = found.const[name]
    if found.close[name] and value then self.closing[#self.closing + 1] = value end
  end
end

-- The names of the session that a line mentions.
local function mentioned(self, tokens)
  local names, seen = {}, {}
  for _, token in ipairs(tokens) do
    local name = token.text
    if token.kind == "name" and self.cells[name] and not seen[name] then
      if not (self.cells[name].builtin and rawget(self.env, name) ~= nil) then
        seen[name] = true
        names[#names + 1] = name
      end
    end
  end
  if self.cells._ENV and not seen._ENV then names[#names + 1] = "_ENV" end
  return names
end

local function prologue(self, names)
  local list = { KEEP }
  for i, name in ipairs(names) do
    list[i + 1] = self.cells[name].const and name .. " <const>" or name
  end
  return ("local %s = ... return function(...) "):format(table.concat(list, ", "))
end

-- Makes the function's free names those of the session.
local function join(self, fn)
  for i = 1, 255 do
    local name = getupvalue(fn, i)
    if not name then return end
    local cell = self.cells[name]
    if cell then upvaluejoin(fn, i, cell.fn, cell.index) end
  end
end

---Compiles a chunk that compiles by itself.
---@param text string
---@param chunk string  its name
---@return function?
---@return string? problem
function Locals:compile(text, chunk)
  local frame = text:find "^return%f[%s(]" and FRAME or ""
  local function plain() return load(frame .. text, chunk, "t", self.env) end
  local has_local = text:find("local", 1, true)
  if not has_local and not next(self.cells) then return plain() end
  local tokens = lexer.tokens(text)
  local declared = has_local and locals.declared(tokens) or {}
  local names = mentioned(self, tokens)
  if #declared == 0 and #names == 0 then return plain() end
  if #names > MOST then return nil, "this line uses too many variables of the session" end
  local code = prologue(self, names) .. frame .. rewrite(text, tokens, declared) .. "\nend"
  local make, problem = load(code, chunk, "t", self.env)
  if not make then return nil, problem end
  local fn = make(function(number, closure)
    self:keep(declared[number], closure, closure())
  end)
  join(self, fn)
  return fn
end

---Closes what was declared <close>, the last one first.
---@return any[] problems
function Locals:close()
  local problems = {}
  for i = #self.closing, 1, -1 do
    local value = table.remove(self.closing, i)
    local ok, err = pcall(getmetatable(value).__close, value, nil)
    if not ok then problems[#problems + 1] = err end
  end
  return problems
end

return locals
