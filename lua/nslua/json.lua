-- SPDX-License-Identifier: MIT
-- Lua values as JSON text.

local json = {}

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(c) return ESCAPES[c] or ("\\u%04x"):format(c:byte()) end

-- JSON is UTF-8: a byte that is none becomes U+FFFD.
local function encode_string(s)
  s = s:gsub('[%c"\\\127]', escape)
  if not utf8.len(s) then
    local out, at = {}, 1
    while at <= #s do
      local good, bad = utf8.len(s, at)
      local stop = good and #s or bad - 1
      out[#out + 1] = s:sub(at, stop)
      if not good then out[#out + 1] = "\u{fffd}" end
      at = stop + 2
    end
    s = table.concat(out)
  end
  return '"' .. s .. '"'
end

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do
    if type(key) ~= "string" then error("a table for JSON has keys of one kind", 0) end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

local encode_value

-- "[a,b]" or "{...}" on one line, or one element a line.
local function join(open, parts, close, indent, level)
  if #parts == 0 then return open .. close end
  if not indent then return open .. table.concat(parts, ",") .. close end
  local outer = "\n" .. (" "):rep(indent * level)
  local inner = outer .. (" "):rep(indent)
  return open .. inner .. table.concat(parts, "," .. inner) .. outer .. close
end

local function encode_table(t, indent, level, seen)
  if seen[t] then error("a table for JSON holds itself", 0) end
  seen[t] = true
  local parts, text = {}
  if #t > 0 or next(t) == nil then
    for i, v in ipairs(t) do parts[i] = encode_value(v, indent, level + 1, seen) end
    text = join("[", parts, "]", indent, level)
  else
    local colon = indent and ": " or ":"
    for i, key in ipairs(sorted_keys(t)) do
      parts[i] = encode_string(key) .. colon .. encode_value(t[key], indent, level + 1, seen)
    end
    text = join("{", parts, "}", indent, level)
  end
  seen[t] = nil
  return text
end

function encode_value(v, indent, level, seen)
  local kind = type(v)
  if kind == "string" then return encode_string(v) end
  if kind == "boolean" or v == nil or v == json.null then return v == json.null and "null" or tostring(v) end
  if kind == "number" then
    if v ~= v or v == math.huge or v == -math.huge then error("JSON has no such number: " .. tostring(v), 0) end
    return math.type(v) == "integer" and tostring(v) or ("%.17g"):format(v)
  end
  if kind == "table" then return encode_table(v, indent, level, seen) end
  error("JSON has no " .. kind, 0)
end


---Stands for JSON's null in a table.
json.null = setmetatable({}, { __tostring = function() return "null" end })


---A value as JSON. Tables with elements 1, 2, ... are arrays (so is an empty
---one), others objects with their keys in order.
---@param value any
---@param indent? integer  spaces for each level; nil is one line
---@return string
function json.encode(value, indent)
  return (encode_value(value, indent, 0, {}))
end

return json
