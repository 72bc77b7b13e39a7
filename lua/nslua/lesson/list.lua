-- SPDX-License-Identifier: MIT
-- --list: the lessons, what they need, and whether they run here.

local sys = require "nslua.sys"
local json = require "nslua.json"
local lesson = require "nslua.lesson"
local load_ = require "nslua.lesson.load"
local needs = require "nslua.lesson.needs"
local out = require "nslua.lesson.out"
local text = require "nslua.text"

local list = {}

local WORDS_A_MINUTE, STEP = 130, 0.4


-- How long a reader needs, roughly: the words, and a while for each step.
local function minutes(one)
  local words = 0
  for _, step in ipairs(one.steps) do
    words = words + select(2, (step.say or ""):gsub("%S+", ""))
  end
  return math.ceil(words / WORDS_A_MINUTE + #one.steps * STEP)
end

local function row_of(one)
  local reason = needs.reason(one)
  return {
    id = one.id, title = one.title, steps = #one.steps, minutes = minutes(one), file = one.file,
    needs = { table.unpack(one.needs) }, runs = reason == nil, reason = reason,
  }
end

local columns = {
  { title = "LESSON", whole = true }, { title = "TITLE" }, { title = "STEPS", right = true, whole = true },
  { title = "MIN", right = true, whole = true }, { title = "NEEDS" }, { title = "HERE", whole = true },
}

local function show(rows)
  local cells = {}
  for i, row in ipairs(rows) do
    cells[i] = { text.clean(row.id), text.clean(row.title), tostring(row.steps), tostring(row.minutes),
      table.concat(row.needs, " "), text.symbol(row.runs and "yes" or "no") }
  end
  for _, line in ipairs(text.table(columns, cells, { width = text.columns(), style = "bold" })) do
    out.say(line)
  end
  for _, row in ipairs(rows) do
    if row.reason then out.say(("%s  %s"):format(text.clean(row.id), text.clean(row.reason))) end
  end
end

-- Without names: the course, as far as the program carries it.
local function wanted(operands)
  if #operands > 0 then return operands end
  local names = {}
  for _, id in ipairs(load_.course) do
    if sys.embedded(("scripts/%s.lua"):format(id)) then names[#names + 1] = id end
  end
  return names
end


---@param options table<string, any>
---@param operands (string|nslua.Lesson)[]
---@return integer status
function list.main(options, operands)
  local rows, worst = {}, 0
  for _, operand in ipairs(wanted(operands)) do
    local one, problem, status = load_.operand(operand, #operands == 0)
    if one then
      rows[#rows + 1] = row_of(one)
    else
      lesson.complain(problem)
      worst = math.max(worst, status)
    end
  end
  if options.list == "json" then
    out.say(json.encode(rows, 2))
  elseif #rows > 0 then
    show(rows)
  end
  return worst
end


return list
