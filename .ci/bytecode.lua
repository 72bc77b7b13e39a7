-- bytecode.lua DIR FILE... - compiles Lua modules into DIR, with their line
-- numbers, under the names that embedded modules have in error messages. The
-- names of local variables and upvalues are left out: to read them is a good
-- part of what loading costs, and only a mistake of ours would show them.

local ns = require "nslua"

local function make_folders(path)
  local made = ""
  for part in path:gmatch "([^/]+)/" do
    made = made .. part .. "/"
    if not ns.access(made) then ns.mkdir(made) end
  end
end


-- -- the format of ldump.c, Lua 5.4: each skip returns the place after --------

local HEADER = 31 -- signature, version, check data, sizes; then one byte
local CONSTANTS = { [3] = 8, [19] = 8 } -- integer, float; 4 and 20 are strings

local function number(s, at)
  local n, byte = 0
  repeat
    byte = s:byte(at)
    n, at = n << 7 | byte & 0x7f, at + 1
  until byte & 0x80 ~= 0
  return n, at
end

local function skip_string(s, at)
  local size, after = number(s, at)
  return after + math.max(size - 1, 0)
end

local function skip_list(s, at, skip)
  local n
  n, at = number(s, at)
  for _ = 1, n do at = skip(s, at) end
  return at
end

local function bytes(n)
  return function(_, at) return at + n end
end

local function skip_number(s, at)
  return select(2, number(s, at))
end

local function skip_constant(s, at)
  local kind = s:byte(at)
  if kind == 4 or kind == 20 then return skip_string(s, at + 1) end
  return at + 1 + (CONSTANTS[kind] or 0)
end

local function skip_pair(s, at)
  return skip_number(s, skip_number(s, at))
end

local function skip_local(s, at)
  return skip_pair(s, skip_string(s, at))
end

-- Puts a function into `out` piece by piece, its names as two empty lists.
local function copy_function(s, at, out)
  local from = at
  at = skip_pair(s, skip_string(s, at)) + 3 -- source, lines, three bytes
  at = skip_list(s, at, bytes(4)) -- code
  at = skip_list(s, at, skip_constant)
  at = skip_list(s, at, bytes(3)) -- upvalues
  local count
  count, at = number(s, at)
  for _ = 1, count do
    out[#out + 1] = s:sub(from, at - 1)
    at = copy_function(s, at, out)
    from = at
  end
  at = skip_list(s, skip_list(s, at, bytes(1)), skip_pair) -- lines
  out[#out + 1] = s:sub(from, at - 1) .. "\x80\x80"
  at = skip_list(s, at, skip_local)
  return skip_list(s, at, skip_string) -- names of upvalues
end

local function without_names(s)
  local out = { s:sub(1, HEADER + 1) }
  assert(copy_function(s, HEADER + 2, out) == #s + 1, "the dump has another format")
  return table.concat(out)
end


local dir = arg[1]
for i = 2, #arg do
  local path = arg[i]
  local source = assert(io.open(path)):read "a"
  local chunk = assert(load(source, "@" .. path:gsub("^lua/", "")))
  local target = dir .. "/" .. path
  make_folders(target)
  local out = assert(io.open(target, "wb"))
  local binary = without_names(string.dump(chunk))
  assert(load(binary, path, "b"))
  out:write(binary)
  out:close()
end
