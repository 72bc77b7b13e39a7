-- SPDX-License-Identifier: MIT
-- What no function may stumble over: wrong types, numbers at the edges,
-- strings with control bytes, tables without end, metamethods that raise,
-- handles that are closed, ended or another process's. And what works, to be
-- mixed with it.

local ns = require "nslua"

local values = {}


local function raiser()
  local function raise() error("a metamethod was asked", 0) end
  return setmetatable({}, { __index = raise, __newindex = raise, __len = raise, __tostring = raise,
    __call = raise, __name = 7, __pairs = raise, __eq = raise, __lt = raise, __concat = raise, __close = raise,
    __unm = raise, __add = raise, __metatable = raise })
end

local function deep(levels)
  local t = {}
  for _ = 1, levels do t = { t, x = t } end
  return t
end

local function cyclic()
  local t = {}
  t[1], t.x, t[t] = t, t, t
  return setmetatable(t, { __index = t })
end

local function closed_file()
  local file = io.open "/dev/null"
  file:close()
  return file
end


---Handles that a child must not be able to use: made before it was born.
function values.foreign()
  local child = ns.clone({}, { "sleep", "600" })
  return { Fd = ns.open "/dev/null", Ns = ns.of(nil, "uts"), Proc = child, Mount = nil }
end


-- Handles of this process that are no use any more.
local function spent()
  local r, w = ns.pipe()
  r:close() w:close()
  local uts = ns.of(nil, "uts")
  uts:close()
  local p = ns.clone({}, { "true" })
  p:wait()
  local q = ns.clone({}, { "true" })
  q:close()
  return { closed_fd = r, closed_ns = uts, ended_proc = p, closed_proc = q }
end


---The pool as a list of { label, value }.
function values.junk(foreign)
  local old = spent()
  local list = {
    { "false", false }, { "true", true }, { "-1", -1 }, { "-2^31", -2 ^ 31 | 0 }, { "2^31", 2 ^ 31 | 0 },
    { "2^32", 2 ^ 32 | 0 }, { "mininteger", math.mininteger }, { "maxinteger", math.maxinteger },
    { "1.5", 1.5 }, { "1e300", 1e300 }, { "inf", math.huge }, { "-inf", -math.huge }, { "nan", 0 / 0 },
    { "NUL", "\0" }, { "a NUL b", "a\0b" }, { "control", "/no/such\27[2J\n\x9b\xff" }, { "%s%n", "/no/such/%s%n" },
    { "70000 x", ("x"):rep(70000) }, { "print", print }, { "raising function", function() error({}, 0) end },
    { "thread", coroutine.create(print) }, { "{}", {} }, { "{no_such_key=1}", { no_such_key = 1 } },
    { "cyclic", cyclic() }, { "deep", deep(20000) }, { "raiser", raiser() }, { "sparse", { [2 ^ 53 | 0] = 1, [-1] = 2 } },
    { "{NUL}", { "a\0b", x = "\0" } }, { "{{}}", { {}, {} } }, { "{raiser}", { raiser(), n = 1e300 } },
    { "closed file", closed_file() }, { "light", debug.upvalueid(raiser, 1) },
  }
  for label, value in pairs(old) do list[#list + 1] = { label, value } end
  for label, value in pairs(foreign) do list[#list + 1] = { "foreign " .. label, value } end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end


---What is right in many places; each is made when it is used.
values.good = {
  { "path", function() return "/no/such/path" end }, { "uts", function() return "uts" end },
  { "program", function() return { "true" } end }, { "function", function() return function() end end },
  { "options", function() return { "uts" } end }, { "Fd", function() return ns.open("/dev/null", "rdwr") end },
  { "Ns", function() return ns.of(nil, "uts") end }, { "64", function() return 64 end },
  { "folder", function() return "/tmp" end }, { "command", function() return "exit 3" end },
}


---A live handle of each type, to call methods on.
values.live = {
  Fd = function() return ns.open("/dev/null", "rdwr") end,
  Ns = function() return ns.of(nil, "uts") end,
  Proc = function() return ns.clone({}, { "sleep", "600" }) end,
  Mount = function() return ns.bind("/tmp", "/tmp") end,
  Rootfs = function() return require "nslua.rootfs.handle".new { directory = "/no/such/root", label = "x" } end,
  List = function() return ns.list { type = "uts" } end,
  Error = function() return select(4, ns.try(ns.readlink, "/no/such/path")) end,
}


-- Other ones for methods that would wait for ever.
values.brief = {
  ["Proc:wait"] = function() return ns.clone({}, { "true" }) end,
}


local MINE = { ["nslua.Fd"] = true, ["nslua.Ns"] = true, ["nslua.Proc"] = true, ["nslua.Mount"] = true }

---Closes every handle in what a call gave, or was given for it alone.
---@param kept table  values that stay as they are
function values.close(value, kept, depth)
  depth = depth or 0
  if value == nil or value ~= value or kept[value] then return end
  if io.type(value) == "file" then
    if value ~= io.stdout and value ~= io.stderr and value ~= io.stdin then pcall(value.close, value) end
  elseif type(value) == "userdata" and MINE[getmetatable(value)] then
    pcall(value.close, value)
  elseif type(value) == "table" and depth < 3 then
    local mt = debug.getmetatable(value)
    if mt and rawget(mt, "__close") then pcall(mt.__close, value) end
    for _, item in next, value do values.close(item, kept, depth + 1) end
  end
end

return values
