-- SPDX-License-Identifier: MIT
-- Filters over lists, as lsns takes them: 'type == "net" && nprocs > 1'.
-- Lua's operators are known as well. lsns(8), scols-filter(5).
--
--   or   := and { ("or" | "||") and }         loosest
--   and  := not { ("and" | "&&") not }
--   not  := ("not" | "!") not | compare
--   compare := value [operator value]
--   value   := number | string | true | false | COLUMN | "(" or ")"

local sys = require "nslua.sys"
local ns = sys.primitives

local filter = {}

local DEEPEST = 100 -- of parentheses and nots, on the way down
local MEANS = {
  ["&&"] = "and", ["||"] = "or", ["!"] = "not", ["="] = "==", eq = "==", ["!="] = "~=", ne = "~=",
  lt = "<", le = "<=", gt = ">", ge = ">=",
}
local OPERATORS = { ["=="] = true, ["~="] = true, ["<"] = true, ["<="] = true, [">"] = true, [">="] = true,
  ["=~"] = true, ["!~"] = true }

local function fail(fmt, ...)
  sys.raise(("bad filter: " .. fmt):format(...))
end


-- -- words -------------------------------------------------------------------

local ESCAPES = { n = "\n", t = "\t" }

-- A string in either kind of quotes from `at` on; and where it ends.
local function read_string(source, at)
  local quote, out, i = source:sub(at, at), {}, at + 1
  while true do
    local stop = source:find("[\\" .. quote .. "]", i)
    if not stop then fail("the string that begins with %s has no end", sys.clean(source:sub(at, at + 20))) end
    out[#out + 1] = source:sub(i, stop - 1)
    if source:sub(stop, stop) == quote then return table.concat(out), stop + 1 end
    local escaped = source:sub(stop + 1, stop + 1)
    out[#out + 1] = ESCAPES[escaped] or escaped
    i = stop + 2
  end
end

-- { kind =, value = } for each word: number, string, name, or the operator.
local function split(source)
  local words, at = {}, source:find "%S" or #source + 1
  while at <= #source do
    local kind, value, after
    if source:find("^['\"]", at) then
      kind, value, after = "string", read_string(source, at)
    elseif source:find("^%.?%d", at) then
      value, after = source:match("^([%w.]+)()", at)
      kind, value = "number", tonumber(value) or fail("%s is no number", value)
    elseif source:find("^[%a_]", at) then
      value, after = source:match("^([%w_]+)()", at)
      value = value:lower()
      local means = MEANS[value] or value
      kind = (OPERATORS[means] or means == "and" or means == "or" or means == "not") and means or "name"
    else
      kind, after = source:match("^([=~!<>&|][=~&|])()", at)
      if not OPERATORS[kind] and not MEANS[kind or ""] then kind, after = source:match("^(.)()", at) end
      kind = MEANS[kind] or kind
      if not OPERATORS[kind] and not kind:find "^[()]$" and not kind:find "^%a+$" then
        fail("%s cannot stand here: %s", sys.clean(kind), sys.clean(source:sub(at, at + 20)))
      end
    end
    words[#words + 1] = { kind = kind, value = value, at = at }
    at = source:find("%S", after) or #source + 1
  end
  return words
end


-- -- meaning -----------------------------------------------------------------

local ORDER = {
  ["=="] = function(a, b) return a == b end, ["~="] = function(a, b) return a ~= b end,
  ["<"] = function(a, b) return a < b end, ["<="] = function(a, b) return a <= b end,
  [">"] = function(a, b) return a > b end, [">="] = function(a, b) return a >= b end,
  ["=~"] = ns.matches, ["!~"] = function(a, b) return not ns.matches(a, b) end,
}

-- Numbers when both are, else texts. What a row lacks is only unlike.
local function compare(operator, a, b)
  if a == nil or b == nil then return (operator == "~=" or operator == "!~") and a ~= b end
  local matching = operator:find "~$"
  local x, y = not matching and tonumber(a), not matching and tonumber(b)
  if x and y then return ORDER[operator](x, y) end
  return ORDER[operator](tostring(a), tostring(b))
end

-- A wrong pattern is told before the first row.
local function check_pattern(pattern)
  local ok, why = pcall(ns.matches, "", pattern)
  if not ok then
    fail("\"%s\" is no regular expression: %s", sys.clean(pattern), tostring(why):match "%((.*)%)$" or tostring(why))
  end
end

local function truth(value) return value ~= nil and value ~= false and value ~= 0 and value ~= "" end

local function field(name)
  return function(row)
    local value = row[name]
    if name == "netnsid" and value == -1 then return "unassigned" end
    return type(value) == "table" and table.concat(value, "/") or value
  end
end


-- -- grammar -----------------------------------------------------------------

-- `self`: words, at (the next one), known (columns), depth.
local parser = {}
parser.__index = parser

function parser:take(kind)
  local word = self.words[self.at]
  if not word or word.kind ~= kind then return nil end
  self.at = self.at + 1
  return word
end

function parser:wrong(wanted)
  local word = self.words[self.at]
  fail("%s expected %s", wanted, word and "at: " .. sys.clean(self.source:sub(word.at, word.at + 20)) or "at the end")
end

function parser:column(name)
  if self.known and not self.known[name] then
    local names = {}
    for known in pairs(self.known) do names[#names + 1] = known end
    table.sort(names)
    local near = sys.nearest(name, names)
    fail("no column has the name %s%s", name, near and (" (did you mean %s?)"):format(near) or "")
  end
  return field(name)
end

function parser:value()
  local literal = self:take "number" or self:take "string"
  if literal then return function() return literal.value end end
  local name = self:take "name"
  if name and (name.value == "true" or name.value == "false") then
    return function() return name.value == "true" end
  end
  if name then return self:column(name.value) end
  if not self:take "(" then self:wrong "a column, number or string" end
  local inner = self:any()
  if not self:take ")" then self:wrong ")" end
  return inner
end

function parser:compare()
  local left = self:value()
  local word = self.words[self.at]
  if not word or not OPERATORS[word.kind] then return left end
  self.at = self.at + 1
  local right, literal = self:value(), self.words[self.at - 1]
  if word.kind:find "~$" and word.kind ~= "~=" and literal.kind == "string" then
    check_pattern(literal.value)
  end
  return function(row) return compare(word.kind, left(row), right(row)) end
end

function parser:negation()
  if not self:take "not" then return self:compare() end
  self:deeper(1)
  local inner = self:negation()
  self:deeper(-1)
  return function(row) return not truth(inner(row)) end
end

function parser:deeper(by)
  self.depth = self.depth + by
  if self.depth > DEEPEST then fail "it is nested too deeply" end
end

function parser:all()
  local parts = { self:negation() }
  while self:take "and" do parts[#parts + 1] = self:negation() end
  if #parts == 1 then return parts[1] end
  return function(row)
    for _, part in ipairs(parts) do
      if not truth(part(row)) then return false end
    end
    return true
  end
end

function parser:any()
  self:deeper(1)
  local parts = { self:all() }
  while self:take "or" do parts[#parts + 1] = self:all() end
  self:deeper(-1)
  if #parts == 1 then return parts[1] end
  return function(row)
    for _, part in ipairs(parts) do
      if truth(part(row)) then return true end
    end
    return false
  end
end


---A filter as a function over rows. Names are the columns, in any case;
---`== != < <= > >=` (and `eq ne lt le gt ge`) compare as numbers where both
---are, `=~` and `!~` match regular expressions, `&& || !` are Lua's `and or
---not`.
---@param source string
---@param known? table<string, any>  the columns; nil: any name is one
---@return fun(row: table): boolean
function filter.compile(source, known)
  local self = setmetatable({ source = source, words = split(source), at = 1, known = known, depth = 0 }, parser)
  local whole = self:any()
  if self.words[self.at] then self:wrong "&& or ||" end
  return function(row) return truth(whole(row)) end
end

return filter
