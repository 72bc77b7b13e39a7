-- SPDX-License-Identifier: MIT
-- The results of --batch=json: one object for each lesson.

local json = require "nslua.json"

local results = {}

local WORDS = { [0] = "passed", [1] = "failed", [2] = "unknown", [77] = "skipped", [130] = "interrupted" }


local function claim_of(claim)
  return { claim = claim.text, kind = claim.kind, ok = claim.ok, why = claim.why, at = claim.where }
end

local function step_of(result)
  local claims = {}
  for i, claim in ipairs(result.claims) do claims[i] = claim_of(claim) end
  return {
    id = result.id, title = result.title, ok = result.ok, seconds = result.seconds, claims = claims,
    output = result.output, view = result.view, question = result.question, answer = result.answer,
    problem = result.problem, skipped = result.skipped,
  }
end

local function lesson_of(one)
  local steps, sum = {}, one.outcome.sum or {}
  for i, result in ipairs(one.outcome.results) do steps[i] = step_of(result) end
  return {
    id = one.name, title = one.lesson and one.lesson.title, file = one.lesson and one.lesson.file,
    result = WORDS[one.status] or "failed", status = one.status, steps = steps,
    claims = sum.claims, failed = sum.failed, seconds = sum.seconds,
    reason = one.outcome.reason or one.problem and tostring(one.problem) or nil,
  }
end


---The results as JSON text.
---@param all table[]  lesson, name, status, outcome, problem
---@return string
function results.format(all)
  local list = {}
  for i, one in ipairs(all) do list[i] = lesson_of(one) end
  return json.encode(list, 2) .. "\n"
end


return results
