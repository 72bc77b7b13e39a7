-- SPDX-License-Identifier: MIT
-- Runs lessons: one by hand at a terminal, or any number one after another,
-- with their results as text, as TAP or as JSON.

local sys = require "nslua.sys"
local lesson = require "nslua.lesson"
local load_ = require "nslua.lesson.load"
local out = require "nslua.lesson.out"
local plain = require "nslua.lesson.plain"
local runner = require "nslua.lesson.runner"
local ns = require "nslua"

local batch = {}


-- -- who reports ------------------------------------------------------------

local function nothing() end

local silent = { title = nothing, before = nothing, after = nothing, summary = nothing }

local function in_text(options, count)
  return {
    title = plain.title,
    before = function(step) plain.before(step, count) end,
    after = function(step, result) plain.after(step, result, options) end,
    summary = plain.summary,
  }
end

-- Line by line, with a key after each step.
local function by_hand(options, count)
  local reporter = in_text(options, count)
  reporter.wait = require "nslua.lesson.keys".wait
  return reporter
end


-- -- many lessons -----------------------------------------------------------

local formats = { tap = "nslua.lesson.tap", json = "nslua.lesson.results" }

-- The worst of them: interrupted, failed, wrong use, could not, well.
local ORDER = { [0] = 0, [77] = 1, [2] = 2, [1] = 3, [130] = 4 }

local function worse(a, b)
  return (ORDER[a] or 3) >= (ORDER[b] or 3) and a or b
end

local function run_one(one, options, make)
  local reporter = make(options, #one.steps)
  local ok, status, outcome = pcall(runner.run, one, options, reporter)
  if not ok then
    if lesson.interrupted(status) then
      return runner.INTERRUPTED, { results = {} }
    end
    error(status, 0)
  end
  if outcome.reason then lesson.complain(("%s: %s"):format(sys.clean(one.file), outcome.reason)) end
  return status, outcome
end

local function interactive(options, operands)
  return not options.batch and #operands == 1 and ns.isatty(0) and ns.isatty(1)
end

local function on_screen(options)
  local term = os.getenv "TERM"
  return not options.plain and term and term ~= "" and term ~= "dumb"
end


---Runs each lesson.
---@param options table<string, any>
---@param operands (string|nslua.Lesson)[]
---@return integer status  0: every claim held; 1, 2, 77, 130
function batch.main(options, operands)
  local format = formats[options.batch] and require(formats[options.batch])
  local make = format and function() return silent end
    or interactive(options, operands) and by_hand or in_text
  if make == by_hand and on_screen(options) then
    local one, problem, status = load_.operand(operands[1])
    if one then return require("nslua.lesson.course").main(one, options) end
    lesson.complain(problem)
    return status
  end
  local worst, all = 0, {}
  for i, operand in ipairs(operands) do
    local one, problem, status = load_.operand(operand)
    local outcome
    if one then
      if i > 1 and not format then io.write "\n\n" end
      status, outcome = run_one(one, options, make)
    else
      lesson.complain(problem)
    end
    all[i] = { lesson = one, name = one and one.id or operand, problem = problem, status = status,
      outcome = outcome or { results = {} } }
    worst = worse(worst, status)
    if status == runner.INTERRUPTED then break end
  end
  if format then out.write(format.format(all)) end
  return worst
end


return batch
