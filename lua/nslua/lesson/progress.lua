-- SPDX-License-Identifier: MIT
-- How far somebody came: one small file for each lesson, under the state
-- folder of the XDG specification. What cannot be written is not kept.

local state = require "nslua.state"
local ns = require "nslua"

local progress = {}


local function file_of(id)
  local dir = state.folder()
  return dir and dir .. "/progress/" .. id
end

---The step that was reached, or nil.
---@param id string
---@return integer?
function progress.get(id)
  local path = file_of(id)
  local file <close> = path and io.open(path) or nil
  return file and math.tointeger(file:read "n") or nil
end


---Keeps it.
---@param id string
---@param step integer
function progress.set(id, step)
  local path = file_of(id)
  if not path then return end
  state.make(state.folder() .. "/progress")
  local file <close> = io.open(path, "w")
  if file then file:write(step, "\n") end
end


---Forgets it.
---@param id string
function progress.forget(id)
  local path = file_of(id)
  if path then ns.try(ns.unlink, path) end
end


-----forget: of lessons by file or id.
---@param _ table<string, any>
---@param operands (string|nslua.Lesson)[]
---@return integer status
function progress.main(_, operands)
  local lesson, load_ = require "nslua.lesson", require "nslua.lesson.load"
  local worst = 0
  for _, operand in ipairs(operands) do
    local one, problem, status = load_.operand(operand)
    if one then
      progress.forget(one.id)
    else
      lesson.complain(problem)
      worst = math.max(worst, status)
    end
  end
  return worst
end


return progress
