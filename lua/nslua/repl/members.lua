-- SPDX-License-Identifier: MIT
-- Where a chain of names leads, and what its end has: fields, methods. Nothing
-- is run: tables are read raw, and only tables among __index are followed.

local sys = require "nslua.sys"
local annotations = require "nslua.help"
local help = require "nslua.repl.help"
local lexer = require "nslua.lexer"
local offers = require "nslua.repl.offers"
local words = require "nslua.repl.words"
local ns = sys.primitives

local members = {}

local rawget, next, type = rawget, next, type
local getmetatable = debug.getmetatable


local function module_hint(name) return "ns." .. name .. ": ?ns." .. name .. " lists it" end

local function offer_ns(found)
  offers.documented(found, "ns.")
  for name in pairs(sys.lazy.modules) do offers.add(found, name, module_hint(name)) end
  for name, v in next, ns do
    if type(name) == "string" then offers.add(found, name, type(v)) end
  end
end

-- -- values ------------------------------------------------------------------

local LIBRARIES = { "string", "table", "math", "io", "os", "utf8", "coroutine", "debug", "package" }

local function library_of(t)
  for _, name in ipairs(LIBRARIES) do
    if rawequal(package.loaded[name], t) then return name end
  end
  if rawequal(t, _G) then return "_G" end
end

-- The tables that a value's fields come from: itself and what __index leads to.
local function index_tables(v)
  local tables = {}
  for _ = 1, 10 do
    if type(v) == "table" then tables[#tables + 1] = v end
    local mt = getmetatable(v)
    v = type(mt) == "table" and rawget(mt, "__index")
    if type(v) ~= "table" then break end
  end
  return tables
end

local function raw_field(v, name)
  for _, t in ipairs(index_tables(v)) do
    local found = rawget(t, name)
    if found ~= nil then return found end
  end
end

local function lookup(session, name)
  local v = session:value(name)
  if v == nil then v = raw_field(session.env, name) end
  return v
end

-- "Proc" for a handle, "List" for a list of ours.
local function class_of(v)
  local handle = help.handle_name(v)
  if handle or type(v) ~= "table" then return handle end
  local mt = getmetatable(v)
  local name = type(mt) == "table" and rawget(mt, "__name")
  return type(name) == "string" and name:match "^nslua%.(%u%w*)$" or nil
end

local resolve

-- The class of what a call gives, as its annotation says: "Proc".
local function class_of_call(session, chain)
  local names, count = chain.names, #chain.names
  if count == 0 then return nil end
  local full = table.concat(names, ".")
  if chain.base and count > 1 then return nil end
  if chain.separators[#chain.separators] == ":" then
    local base = chain.base or { names = table.move(names, 1, count - 1, 1, {}), separators = {} }
    local v, class = resolve(session, base)
    full = (class or class_of(v) or "box") .. ":" .. names[count]
  elseif rawequal(lookup(session, names[1]), ns) then
    full = "ns." .. table.concat(names, ".", 2)
  end
  local record = annotations.of(full)
  local result = record and record.returns[1]
  return result and (result.type .. (result.text or "")):match "nslua%.(%u%w*)"
end

-- Where a chain of names leads: a value, or the class of one.
function resolve(session, chain)
  if chain.string then return "" end
  if chain.base then return nil end
  if not chain.names[1] and not chain.called then return nil end
  if chain.called then return nil, class_of_call(session, chain.called) end
  local v = lookup(session, chain.names[1])
  for i = 2, #chain.names do
    if v == nil then return nil end
    local name = chain.names[i]
    if rawequal(v, ns) and rawget(v, name) == nil and sys.lazy.modules[name] then
      return nil, nil, "ns." .. name .. "."
    end
    v = raw_field(v, name)
  end
  return v
end

function members.fields(found, session, chain, separator)
  local v, class, prefix = resolve(session, chain)
  class = class or class_of(v)
  if class then
    if separator == "." then offers.list(found, words.properties[class] or {}) end
    if separator == ":" then offers.documented(found, class .. ":") end
  elseif prefix then
    offers.documented(found, prefix)
  elseif rawequal(v, ns) then
    offer_ns(found)
  else
    for name in pairs(sys.lazy.modules) do
      if v ~= nil and rawequal(rawget(ns, name), v) then offers.documented(found, "ns." .. name .. ".") end
    end
  end
  for _, t in ipairs(index_tables(v)) do
    if not rawequal(t, ns) then offers.fields(found, t, library_of(t), separator == ":") end
  end
end

function members.names(found, session)
  for name, cell in pairs(session.locals.cells) do
    local _, v = debug.getupvalue(cell.fn, cell.index)
    offers.add(found, name, cell.builtin or "local, " .. offers.hint(v))
  end
  for _, t in ipairs(index_tables(session.env)) do offers.fields(found, t, library_of(t) or "_G") end
  for word in pairs(lexer.keywords) do offers.add(found, word, "a word of Lua") end
end

return members
