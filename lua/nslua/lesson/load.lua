-- SPDX-License-Identifier: MIT
-- Finds lessons: files by their names, and those that the program carries.

local sys = require "nslua.sys"
local lesson = require "nslua.lesson"
local source = require "nslua.lesson.source"

local load_ = {}

-- The course in the order of learning.
load_.course = {
  "list", "uts", "pid", "mnt", "ipc", "user", "net", "bridge", "cgroup", "time", "chroot",
  "pivot_root", "overlay", "init", "container",
}


-- The text of a file, or of one that the program carries under that name or
-- as the lesson of that id. Returns the text and the name of the chunk.
local function find(name, carried)
  local file <close> = not carried and io.open(name, "rb") or nil
  local text = file and file:read "a"
  if text then return text, "@" .. name end
  local id = name:match "^[%w_-]+$"
  local path = sys.embedded(name) and name or id and ("scripts/%s.lua"):format(id)
  text = path and sys.embedded(path)
  if text then return text, "=" .. path end
end


-- A script that makes no lesson is not run to see what it returns: a tool would
-- do its work, and end the program.
local function speaks_of_lessons(text)
  for _, token in ipairs(source.tokens(text)) do
    if token.text:find "lesson" then return true end
  end
end


---Loads a lesson from a file, or from the program itself by its id or path.
---@param name string
---@param carried? boolean  look for no file
---@return nslua.Lesson? lesson
---@return string|table? problem  a message, or lesson.mistake
---@return integer? status  1: it is broken; 2: there is no such lesson
function load_.file(name, carried)
  local text, chunk = find(name, carried)
  if not text then return nil, ("there is no lesson %s"):format(sys.quote(name)), 2 end
  source.remember(chunk, text)
  local fn, message = load((text:gsub("^#[^\n]*", "")), chunk, "t")
  if not fn then return nil, message, 1 end
  local no_lesson = ("%s returns no lesson (return ns.lesson { ... })"):format(sys.clean(name))
  if not speaks_of_lessons(text) then return nil, no_lesson, 2 end
  source.loading = chunk
  local ok, value = pcall(fn, name)
  source.loading = nil
  if not ok and lesson.interrupted(value) then error(value, 0) end
  if not ok then return nil, value, 1 end
  if not lesson.is(value) then
    return nil, no_lesson, 2
  end
  return value
end


---What an operand of the command line stands for.
---@param operand string|nslua.Lesson
---@param carried? boolean  look for no file
---@return nslua.Lesson? lesson
---@return string|table? problem
---@return integer? status
function load_.operand(operand, carried)
  if lesson.is(operand) then return operand end
  return load_.file(operand, carried)
end


return load_
