-- SPDX-License-Identifier: MIT
-- The claims of a step, tried in the kernel: what holds, what does not and why,
-- the refusal that had to come, and the question with its answer here.

local catch = require "nslua.lesson.catch"
local source = require "nslua.lesson.source"
local sys = require "nslua.sys"

local claims = {}


---An error as a learner reads it, to whom frames of ours say nothing.
---@param problem { err: any }
---@return string
function claims.tell(problem)
  local text = tostring(problem.err):gsub("\nin the box: .*", "")
  return text
end

---The same with the line of the lesson that it came from: error() and
---error({}) name none.
---@param problem { err: any, traceback: string }
---@param lesson nslua.Lesson
---@return string
function claims.tell_where(problem, lesson)
  local text, file = claims.tell(problem), lesson.file
  if text:find(file .. ":", 1, true) then return text end
  local at = problem.traceback:find(file .. ":", 1, true)
  local place = at and problem.traceback:match("^:%d+", at + #file)
  return place and ("%s%s: %s"):format(file, place, text) or text
end

local function is_refusal(err)
  return debug.getmetatable(err) == sys.error_type
end

---Does a claim hold now, and why not?
---@param run table
---@param claim table
---@return boolean held
---@return string? why
function claims.try(run, claim)
  local ok, answer, why = catch.call(run, claim.fn, run.t)
  if not ok then return false, claims.tell(answer) end
  if answer then return true end
  return false, type(why) == "string" and why or nil
end

local function code_of(claim)
  local _, body = source.of(claim.fn)
  return body
end

---All claims of a step after its act.
---@param run table
---@param step table
---@param before table<table, boolean>  which of them held before it
---@param reasons table<table, string>  why the others did not
---@return table[] results
function claims.judge(run, step, before, reasons)
  local results = {}
  for _, claim in ipairs(step.claims) do
    local ok, why = claims.try(run, claim)
    if ok and before[claim] == false then
      ok, why = false, "it did not hold before the act" .. (reasons[claim] and ": " .. reasons[claim] or "")
    end
    results[#results + 1] = { text = claim.text, kind = claim.kind, ok = ok, why = why,
      where = ("%s:%d"):format(step.lesson.file, claim.line), code = not ok and code_of(claim) or nil }
  end
  return results
end

---The refusal that must come, as a claim like the others.
---@param step table
---@param problem { err: any }?
---@return table result
function claims.judge_refusal(step, problem)
  local claim = { text = "refused with " .. step.expect, kind = "expect", ok = false,
    where = ("%s:%d"):format(step.lesson.file, step.line) }
  local err = problem and problem.err
  if not problem then
    claim.why = "nothing was refused"
  elseif is_refusal(err) and err.name == step.expect then
    claim.ok, claim.why, claim.call = true, err.message, err.call
  else
    claim.why = claims.tell(problem)
  end
  return claim
end

---Puts the question of a step, and its answer here, into the result.
---@param run table
---@param step table
---@param result table
function claims.ask(run, step, result)
  if not step.ask then return end
  local answer = step.ask.answer
  if type(answer) == "function" then
    local ok, value = catch.call(run, answer, run.t)
    answer = ok and value or nil
  end
  result.question, result.answer = step.ask[1], answer ~= nil and tostring(answer) or nil
end


return claims
