-- SPDX-License-Identifier: MIT
-- Values between two processes: nil, booleans, numbers, strings, tables
-- without cycles, and descriptors. Anything else is refused by the path to it.

local wire = {}

local MOST_DEPTH = 180 -- well inside what a Lua stack holds


local function key_path(path, key)
  if type(key) == "string" and key:find("^[%a_][%w_]*$") then
    return path .. "." .. key
  end
  return ("%s[%s]"):format(path, type(key) == "string" and ("%q"):format(key)
    or tostring(key))
end

local function refuse(path, why)
  error({ refused = ("%s %s"):format(path, why) }, 0)
end

local encode

-- A table that is met again is sent as its number: what was shared stays so.
local function encode_table(out, value, path, depth)
  local number = out.numbers[value]
  if number and out.open[value] then refuse(path, "is part of a cycle") end
  if number then
    out[#out + 1] = string.pack("<c1I4", "r", number)
    return
  end
  if depth > MOST_DEPTH then refuse(path, "is nested too deeply") end
  out.tables = out.tables + 1
  out.numbers[value], out.open[value] = out.tables, true
  out[#out + 1] = "{"
  for k, v in next, value do
    if type(k) == "table" or type(k) == "userdata" then
      refuse(path, "has a " .. type(k) .. " as a key")
    end
    encode(out, k, path .. "'s key", depth + 1)
    encode(out, v, key_path(path, k), depth + 1)
  end
  out[#out + 1] = "}"
  out.open[value] = nil
end

local function encode_descriptor(out, value, path)
  local kind = getmetatable(value)
  if kind ~= "nslua.Fd" then
    kind = type(kind) == "string" and kind:match "^nslua%.(%a+)$"
      or io.type(value) and "file" or "foreign"
    refuse(path, ("is a handle (%s), which stays in its process"):format(kind))
  end
  if not tostring(value):find "^fd %d+$" then refuse(path, "is a closed Fd") end
  local fds = out.fds
  fds[#fds + 1] = value
  out[#out + 1] = string.pack("<c1I4", "f", #fds)
end

function encode(out, value, path, depth)
  local kind = type(value)
  if kind == "nil" then
    out[#out + 1] = "n"
  elseif kind == "boolean" then
    out[#out + 1] = value and "t" or "F"
  elseif kind == "number" then
    out[#out + 1] = math.type(value) == "integer"
      and string.pack("<c1i8", "i", value) or string.pack("<c1d", "d", value)
  elseif kind == "string" then
    out[#out + 1] = string.pack("<c1s8", "s", value)
  elseif kind == "table" then
    encode_table(out, value, path, depth)
  elseif kind == "userdata" then
    encode_descriptor(out, value, path)
  else
    refuse(path, "is a " .. kind .. ", which cannot leave its process")
  end
end


---Packs values, as many as packed.n says.
---@param packed table  from table.pack
---@param name string  what the values are called in errors: "result"
---@return string bytes
---@return nslua.Fd[] fds
function wire.encode(packed, name)
  local out = { fds = {}, tables = 0, numbers = {}, open = {} }
  out[1] = string.pack("<I4", packed.n)
  for i = 1, packed.n do
    local ok, err = pcall(encode, out, packed[i], ("%s[%d]"):format(name, i), 0)
    if not ok then error(type(err) == "table" and err.refused or err, 0) end
  end
  return table.concat(out), out.fds
end


local function decode(bytes, at, fds, tables)
  local tag = bytes:sub(at, at)
  if tag == "n" then return nil, at + 1 end
  if tag == "t" then return true, at + 1 end
  if tag == "F" then return false, at + 1 end
  if tag == "i" then return string.unpack("<i8", bytes, at + 1) end
  if tag == "d" then return string.unpack("<d", bytes, at + 1) end
  if tag == "s" then return string.unpack("<s8", bytes, at + 1) end
  if tag == "f" then
    local index, after = string.unpack("<I4", bytes, at + 1)
    return fds[index], after
  end
  if tag == "r" then
    local number, after = string.unpack("<I4", bytes, at + 1)
    return tables[number], after
  end
  if tag ~= "{" then error("a broken message from another process", 0) end
  local t = {}
  tables[#tables + 1] = t
  at = at + 1
  while bytes:sub(at, at) ~= "}" do
    local k, middle = decode(bytes, at, fds, tables)
    t[k], at = decode(bytes, middle, fds, tables)
  end
  return t, at + 1
end


---Unpacks what wire.encode packed.
---@param bytes string
---@param fds nslua.Fd[]
---@return table packed  with n
function wire.decode(bytes, fds)
  local n, at = string.unpack("<I4", bytes)
  local packed, tables = { n = n }, {}
  for i = 1, n do packed[i], at = decode(bytes, at, fds, tables) end
  return packed
end

return wire
