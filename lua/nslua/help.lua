-- SPDX-License-Identifier: MIT
-- Reads the annotations that stand above every public function: those of C in
-- meta/*.lua, those of Lua in their own modules. They are the one source of
-- help at the prompt, of the manual and of the spec that misses nothing.

local annotation = require "nslua.help.annotation"
local sys = require "nslua.sys"

local ns = require "nslua"

local help = {}


-- -- one file ----------------------------------------------------------------

-- Whose function is it? `owner` is the variable before the dot or colon. nil: of
-- our modules among themselves, for a user reaches what ns and the handles have.
local function public_name(file, owner, name)
  local class = file.classes[owner]
  if class == "nslua" then return "ns." .. name end
  if class and not class:find("^nslua%.%l") then
    return class:match("[^.]*$") .. ":" .. name
  end
  local handle = owner:match("%.?(%u%w*)$")
  if handle then return handle .. ":" .. name end
  local module = file.module
  if sys.lazy.names[name] == module then return "ns." .. name end
  for key, path in pairs(sys.lazy.modules) do
    if path == module then return "ns." .. key .. "." .. name end
  end
  return class and class:gsub("^nslua%.", "ns.") .. "." .. name
end


local function add_record(index, file, lines, number, line)
  local owner, name, arguments = line:match("^function ([%w_%.]+)[%.:]([%w_]+)(%b())")
  local public = owner and #lines > 0 and public_name(file, owner, name)
  if not public then return end
  local record = annotation.parse(lines)
  record.name = public
  record.signature = ("%s(%s)"):format(record.name,
    annotation.parameters(record, arguments:sub(2, -2)))
  record.file, record.line, record.module = file.path, number, file.module
  record.lines, record.arguments = lines, arguments:sub(2, -2)
  if not index[record.name] or file.meta then index[record.name] = record end
end


-- "---@class nslua.Fd" names the next local variable.
local function note_class(file, line, pending)
  local class = line:match("^%-%-%-@class ([%w_%.]+)")
  if class then return class end
  local variable = line:match("^local ([%w_]+)%s*=")
  if variable and pending then file.classes[variable] = pending end
  return line:find("^%-%-%-") and pending or nil
end


-- A block that describes a type: the longest one of a name holds its fields.
local function note_type(types, lines)
  for _, line in ipairs(lines) do
    local name = line:match("^@class ([%w_%.]+)") or line:match("^@alias ([%w_%.]+)")
    if name and #lines > #(types[name] or "") then types[name] = lines end
  end
end


local function read_file(index, types, path, module)
  local source = sys.embedded(path)
  if not source then return end
  local file = { path = path, module = module, classes = {},
    meta = path:find("/meta/", 1, true) ~= nil }
  local lines, pending, number = {}, nil, 0
  for line in source:gmatch("([^\n]*)\n") do
    number = number + 1
    pending = note_class(file, line, pending)
    local text = line:match("^%-%-%-(.*)$")
    if text then
      lines[#lines + 1] = text
    else
      add_record(index, file, lines, number, line)
      note_type(types, lines)
      lines = {}
    end
  end
  note_type(types, lines) -- of a file that ends with one
end


local index, types


-- Every module that a public name leads to, and all of meta.
local function read_all()
  if index then return index end
  local modules, result = {}, {}
  types = {}
  for _, path in ipairs(sys.embedded()) do
    if path:find("^lua/nslua/meta/") then read_file(result, types, path, nil) end
  end
  local function want(names)
    for _, module in pairs(names) do modules[module] = true end
  end
  want(sys.lazy.names)
  want(sys.lazy.modules)
  for _, names in pairs(sys.lazy.methods) do want(names) end
  for _, module in ipairs(sys.lazy.documented) do modules[module] = true end
  for module in pairs(modules) do
    local path = "lua/" .. module:gsub("%.", "/")
    local file = path .. ".lua"
    if not sys.embedded(file) then file = path .. "/init.lua" end
    read_file(result, types, file, module)
  end
  index = result
  return result
end

-- -- finding -----------------------------------------------------------------

---Every public function and method that is documented, by its full name:
---"ns.mount", "Proc:wait", "ns.rootfs.get".
---
---    for name, record in pairs(require "nslua.help".all()) do print(name) end
---
---Source: nslua(1)
---@return table<string, table> records
function help.all()
  return read_all()
end


---The types of the annotations (classes, aliases): the lines that describe each.
---
---    print(table.concat(require "nslua.help".types()["nslua.Stat"], "\n"))
---
---Source: nslua(1)
---@return table<string, string[]> types
function help.types()
  read_all()
  return types
end


---Every public name, with what it stands for: functions of ns and of its
---modules, methods of the handles. Loads the modules that have them.
---
---    local names = require "nslua.help".walk()
---
---Source: nslua(1)
---@return table<string, any> values
function help.walk()
  local found = {}
  local function add(prefix, values)
    for name, value in pairs(values) do
      if type(name) == "string" and type(value) == "function" then
        found[prefix .. name] = value
      end
    end
  end
  for name in pairs(sys.lazy.names) do found["ns." .. name] = ns[name] end
  add("ns.", ns)
  for name in pairs(sys.lazy.modules) do add("ns." .. name .. ".", ns[name]) end
  for kind, names in pairs(sys.lazy.methods) do
    for name in pairs(names) do
      found[kind .. ":" .. name] = sys.methods[kind][name]
    end
  end
  for kind, methods in pairs(sys.methods) do add(kind .. ":", methods) end
  return found
end


-- "box:sh" or "sh": any handle's method of that name, if there is one only.
local function by_method(all, name)
  local found
  for full, record in pairs(all) do
    if full:match(":([%w_]+)$") == name then
      if found then return nil end
      found = record
    end
  end
  return found
end


local function by_name(name)
  local all = read_all()
  local method = name:match("^[%w_]*:([%w_]+)$")
  return all[name] or all["ns." .. name] or all[name:gsub("%.", ":")] or
    by_method(all, method or name)
end


local function by_value(value)
  for name, other in pairs(help.walk()) do
    if rawequal(value, other) then return read_all()[name] end
  end
end


---What is known of a function: by its value, or by a name as people write it.
---
---    print(require "nslua.help".of("ns.mount").signature)
---
---Source: nslua(1)
---@param what string|function  "ns.mount", "mount", "Proc:wait", ns.mount
---@return table? record  name, signature, text, example, raises, source, params and
---returns (each with name, type, text, optional), file, line
function help.of(what)
  if type(what) == "string" then return by_name(what) end
  if type(what) == "function" then return by_value(what) end
end


local function add_list(out, title, list)
  for i, item in ipairs(list) do
    local name = item.name and item.name .. (item.optional and "?" or "") .. "  " or ""
    out[#out + 1] = ("%-8s %s%s%s"):format(i == 1 and title or "", name, item.type or "",
      item.text and item.text ~= "" and "  " .. item.text or "")
  end
end


---A record as text for people.
---
---    local help = require "nslua.help"
---    print(help.text(help.of "ns.mount"))
---
---Source: nslua(1)
---@param record table  as help.of gives
---@return string
function help.text(record)
  local out = { record.signature, "", record.text }
  if record.example then
    out[#out + 1] = "\n    " .. record.example:gsub("\n", "\n    ")
  end
  out[#out + 1] = ""
  add_list(out, "takes", record.params)
  add_list(out, "gives", record.returns)
  if record.raises then out[#out + 1] = "raises   " .. record.raises end
  if record.source then out[#out + 1] = "see      " .. record.source end
  return table.concat(out, "\n")
end

return help
