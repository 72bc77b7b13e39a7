-- SPDX-License-Identifier: MIT
-- The lessons that the program brought, as texts: which uses a name. Nothing
-- is loaded or run.

local sys = require "nslua.sys"
local text = require "nslua.text"

local lessons = {}

local known


-- A tool among the scripts returns no lesson.
local function read(path)
  local source = sys.embedded(path)
  if not source or not source:find("ns.lesson", 1, true) then return nil end
  return { name = path:match "([^/]+)%.lua$", source = source,
    title = source:match "title%s*=%s*\"([^\"\n]*)\"" or "" }
end

---All lessons: name, title and source.
---@return { name: string, title: string, source: string }[]
function lessons.all()
  if known then return known end
  known = {}
  for _, path in ipairs(sys.embedded()) do
    if path:find "^scripts/[^/]+%.lua$" then known[#known + 1] = read(path) end
  end
  return known
end

---@return string[]
function lessons.names()
  local names = {}
  for i, one in ipairs(lessons.all()) do names[i] = one.name end
  return names
end

---One line for each lesson.
---@return string
function lessons.overview()
  local rows = {}
  for i, one in ipairs(lessons.all()) do rows[i] = { one.name, text.clean(one.title) } end
  local lines = text.table({ { title = "LESSON" }, { title = "" } }, rows)
  lines[#lines + 1] = ":lesson NAME starts one"
  return table.concat(lines, "\n")
end

---The lessons whose code calls a function: "ns.unshare", "Proc:sh".
---@param name string
---@return string[] names
function lessons.using(name)
  local owner, separator, last = name:match "^(.-)([.:])([%w_]+)$"
  if not owner then return {} end
  local pattern = separator == ":" and ":" .. last .. "%f[^%w_]"
    or "%f[%w_]" .. name:gsub("%.", "%%.") .. "%f[^%w_]"
  local found = {}
  for _, one in ipairs(lessons.all()) do
    if one.source:find(pattern) then found[#found + 1] = one.name end
  end
  return found
end

return lessons
