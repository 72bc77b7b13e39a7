-- SPDX-License-Identifier: MIT
-- Candidates for completion: words that begin as the one at the cursor does,
-- from lists, tables, the annotations and the machine.

local sys = require "nslua.sys"
local annotations = require "nslua.help"
local help = require "nslua.repl.help"
local lessons = require "nslua.repl.lessons"
local lexer = require "nslua.lexer"
local manual = require "nslua.repl.manual"
local text = require "nslua.text"
local ns = sys.primitives

local offers = {}

local MOST = 1000     -- candidates of one place
local MOST_FULL = 200 -- of which each has more than its type for help

offers.most = MOST

local rawget, next, type = rawget, next, type
local getmetatable = debug.getmetatable
local sub, find = string.sub, string.find


-- -- collecting --------------------------------------------------------------

function offers.new(prefix) return { prefix = prefix, n = #prefix, items = {}, seen = {} } end


function offers.add(found, word, hint)
  if sub(word, 1, found.n) ~= found.prefix or found.seen[word] then return end
  found.seen[word] = true
  found.items[#found.items + 1] = { text = word, help = hint or "" }
end


function offers.list(found, list)
  for _, item in ipairs(list) do offers.add(found, item.text, item.help) end
end


-- Documented names that begin so: "ns.", "Proc:".
function offers.documented(found, prefix)
  for name, record in pairs(annotations.all()) do
    if sub(name, 1, #prefix) == prefix then
      local rest = sub(name, #prefix + 1)
      if not find(rest, "[.:]") then
        local arguments = record.signature:match "%b()" or ""
        offers.add(found, rest, ("%s%s  %s"):format(rest, arguments, help.first_sentence(record.text)))
      end
    end
  end
end


-- A word on what a value is, cheap and without its metamethods.
function offers.hint(v)
  local kind = type(v)
  if kind == "string" then return #v <= 40 and sys.quote(v) or ("string of %d bytes"):format(#v) end
  if kind == "number" or kind == "boolean" then return tostring(v) end
  if kind == "function" then
    local info = debug.getinfo(v, "S")
    if info.what ~= "C" then return ("function at %s:%d"):format(text.clean(info.short_src), info.linedefined) end
  end
  local mt = getmetatable(v)
  local name = type(mt) == "table" and rawget(mt, "__name")
  return type(name) == "string" and text.clean(name) or kind
end


function offers.fields(found, t, full, only_functions)
  local entries, matching = manual.all(), {}
  for key, v in next, t do
    if type(key) == "string" and sub(key, 1, found.n) == found.prefix
      and (not only_functions or type(v) == "function") then
      matching[#matching + 1] = key
    end
  end
  table.sort(matching)
  for i = 1, math.min(#matching, MOST) do
    local key = matching[i]
    local v = rawget(t, key)
    local entry = full and entries[full == "_G" and key or full .. "." .. key]
    if find(key, "^[%a_][%w_]*$") and not lexer.keywords[key] then
      offers.add(found, key, entry and ("%s  %s"):format(entry.signature, entry.text)
        or #matching > MOST_FULL and type(v) or offers.hint(v))
    end
  end
end


-- -- what the machine has ----------------------------------------------------

local function read_start(path)
  local file <close> = io.open(path, "rb")
  return file and file:read(200) or ""
end


-- Processes with a command line, that is: not the kernel's own.
function offers.pids(found)
  local ok, names = pcall(ns.readdir, "/proc")
  for _, name in ipairs(ok and names or {}) do
    if find(name, "^%d+$") and sub(name, 1, found.n) == found.prefix then
      local command = read_start("/proc/" .. name .. "/cmdline"):gsub("%z+$", ""):gsub("%z", " ")
      if command ~= "" then offers.add(found, name, text.clean(command)) end
    end
  end
  found.numeric = true
end


function offers.files(found, path)
  local folder, base = path:match "^(.*/)([^/]*)$"
  folder, base = folder or "", base or path
  found.prefix, found.n = base, #base
  local ok, names = pcall(ns.readdir, folder == "" and "." or folder)
  for _, name in ipairs(ok and names or {}) do
    local hidden = sub(name, 1, 1) == "." and sub(base, 1, 1) ~= "."
    if not hidden and sub(name, 1, found.n) == base and #found.items < MOST and utf8.len(name)
      and not find(name, "%c") then
      local known, about = pcall(ns.stat, folder .. name)
      local kind = known and about.type or "link"
      offers.add(found, kind == "dir" and name .. "/" or name, kind)
    end
  end
  return #folder
end


function offers.modules(found)
  for name in next, package.preload do offers.add(found, name, "built in") end
  for name in next, package.loaded do offers.add(found, name, "loaded") end
end


function offers.lessons(found)
  for _, one in ipairs(lessons.all()) do offers.add(found, one.name, text.clean(one.title)) end
end

return offers
