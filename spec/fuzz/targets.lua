-- SPDX-License-Identifier: MIT
-- Every function that a script can reach, found by looking: all of ns with
-- what is loaded late, all methods and metamethods of the handles, and the
-- functions of every module of ours. A new function is found by itself.

local help = require "nslua.help"
local library = require "nslua.library"
local ns = require "nslua"
local sys = require "nslua.sys"
local values = require "spec.fuzz.values"

local targets = {}

-- What ends or changes the process because that is its whole purpose, or may
-- wait for ever when it is told to. Each with the reason.
targets.left_out = {
  ["ns.fork"] = "without a function it is fork(2) and returns twice",
  ["ns._exit"] = "ends the process at once; a status is all it takes",
  ["Proc:__gc"] = "a child whose handle is dropped runs on",
  ["ns.watch"] = "looks again and again, until it is interrupted",
  ["ns.wait"] = "waits for anybody's process as long as that lives",
  ["nslua.repl.value.list"] = "counts to the n of table.pack, whatever it is",
  ["nslua.lesson.keys.read"] = "waits for a key as long as it is told to",
  ["ns.poll"] = "waits as long as it is told to (file_wait_spec has its arguments)",
}

local KINDS = { "nil", "boolean", "number", "string", "table", "function", "userdata", "thread" }

-- The Lua types that an annotation takes; nil: any.
local function kinds_of(param)
  local text = param.type
  if not text or text:find "any" or text:match "^%u$" then return nil end
  local takes = { ["nil"] = param.optional or text:find "nil" ~= nil }
  takes.boolean = text:find "boolean" or text:find "true" or text:find "false"
  takes.number = text:find "integer" or text:find "number" or text:find "string" -- a number is a string to C
  takes.string = text:find "string" or text:find '"' or text:find "integer" or text:find "number"
  takes["function"] = text:find "fun%("
  takes.table = text:find "table" or text:find "%[%]" or text:find "{" or text:find "nslua%."
  takes.userdata = text:find "nslua%." or text:find "userdata" or text:find "file"
  return takes
end

-- The types that the first argument of a documented function cannot have.
local function wrong_kinds(name, is_method)
  local record = not is_method and help.all()[name]
  local takes = record and record.params[1] and record.params[1].name ~= "..." and kinds_of(record.params[1])
  if not takes then return {} end
  local wrong = {}
  for _, kind in ipairs(KINDS) do
    if not takes[kind] then wrong[kind] = true end
  end
  return wrong
end

local function sorted_functions(t)
  local names = {}
  for name, value in next, t do
    if type(name) == "string" and type(value) == "function" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function places(fn)
  local info = debug.getinfo(fn, "uS")
  if info.what == "C" or info.isvararg then return 4 end
  return info.nparams
end

local function add(list, seen, group, name, fn, self)
  if seen[fn] then return end
  seen[fn] = true
  if targets.left_out[name] or group:find "^nslua%.applets" then return end -- applets are programs: they exit
  list[#list + 1] = { name = name, group = group, fn = fn, self = self, places = places(fn),
    wrong = wrong_kinds(name, self), public = self ~= nil or not group:find "^nslua" }
end

local function add_public(list, seen)
  local public = help.walk()
  for _, full in ipairs(sorted_functions(public)) do
    local value = public[full]
    local kind, name = full:match "^(%u%w*):(.*)$"
    if not kind then
      add(list, seen, full:match "^(.*)%.[^.]*$", full, value)
    else
      add(list, seen, kind, kind .. ":" .. name, value, kind)
    end
  end
end

-- The metamethods of the handles, and the methods of what is a table.
local function add_types(list, seen)
  for _, kind in ipairs(sorted_functions(values.live)) do
    local make = values.live[kind]
    local live <close> = setmetatable({}, { __close = function(t) values.close(t.value, {}) end })
    local mt = debug.getregistry()["nslua." .. kind] -- a handle's, whoever may make one
    live.value = not mt and make() or nil
    mt = mt or debug.getmetatable(live.value) or {}
    for _, name in ipairs(sorted_functions(mt)) do add(list, seen, kind, kind .. ":" .. name, mt[name], kind) end
    if type(mt.__index) == "table" then
      for _, name in ipairs(sorted_functions(mt.__index)) do
        add(list, seen, kind, kind .. ":" .. name, mt.__index[name], kind)
      end
    end
  end
end

local function add_table(list, seen, group, prefix, t, depth)
  if type(t) == "function" then add(list, seen, group, prefix, t) end
  if type(t) ~= "table" or seen[t] then return end
  seen[t] = true
  for _, name in ipairs(sorted_functions(t)) do add(list, seen, group, prefix .. "." .. name, t[name]) end
  for name, value in next, t do
    if type(name) == "string" and type(value) == "table" and depth < 3 then
      add_table(list, seen, group, prefix .. "." .. name, value, depth + 1)
    end
  end
end

local function add_modules(list, seen)
  for _, path in ipairs(sys.embedded()) do
    local name = path:match "^lua/(nslua.*)%.lua$"
    if name and not name:find "^nslua/meta/" then
      name = name:gsub("/init$", ""):gsub("/", ".")
      add_table(list, seen, name, name, require(name), 1)
    end
  end
  add_table(list, seen, "nslua.sys", "nslua.sys", sys, 1)
  for _, name in ipairs { "fetch", "archive", "feed", "ring", "net" } do
    local ok, part = pcall(library.open, name)
    if ok then add_table(list, seen, "nslua." .. name, "nslua." .. name, part, 1) end
  end
end

---All functions, in the same order each time.
---@return table[] list  name, group, fn, self, places, wrong (types), public, index
function targets.all()
  local list, seen = {}, { [ns] = true, [_G] = true }
  add_public(list, seen)
  add_types(list, seen)
  add_modules(list, seen)
  table.sort(list, function(a, b)
    if a.group ~= b.group then return a.group < b.group end
    return a.name < b.name
  end)
  for index, target in ipairs(list) do target.index = index end
  return list
end

return targets
