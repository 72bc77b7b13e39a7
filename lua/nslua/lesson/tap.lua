-- SPDX-License-Identifier: MIT
-- The results of --batch=tap: one test for each claim, as the Test Anything
-- Protocol (version 13) has it.

local json = require "nslua.json"
local text = require "nslua.text"

local tap = {}


-- A description ends where a # begins a directive.
local function describe(s) return (text.clean(s):gsub("#", "\\#")) end

local function emit(out, ok, name, directive)
  out.count = out.count + 1
  out[#out + 1] = ("%s %d - %s%s"):format(ok and "ok" or "not ok", out.count, describe(name),
    directive and " # " .. directive or "")
end

-- What helps to understand a failure, as YAML (of which JSON is a part).
local function explain(out, fields)
  out[#out + 1] = "  ---"
  for _, field in ipairs(fields) do
    if field[2] then out[#out + 1] = ("  %s: %s"):format(field[1], json.encode(field[2])) end
  end
  out[#out + 1] = "  ..."
end

local function add_step(out, result)
  for _, claim in ipairs(result.claims) do
    emit(out, claim.ok, ("%s %s"):format(result.id, claim.text))
    if not claim.ok then
      explain(out, { { "message", claim.why }, { "at", claim.where }, { "code", claim.code } })
    end
  end
  if result.problem then
    emit(out, false, ("%s %s: the step could not run"):format(result.id, result.title))
    explain(out, { { "message", result.problem } })
  elseif result.skipped then
    emit(out, true, ("%s %s"):format(result.id, result.title), "SKIP " .. text.clean(result.skipped))
  elseif #result.claims == 0 then
    emit(out, true, ("%s %s (it claims nothing)"):format(result.id, result.title))
  end
end

local function add_lesson(out, one)
  local results = one.outcome.results
  out[#out + 1] = "# " .. text.clean(one.lesson and one.lesson.title or one.name)
  for _, result in ipairs(results) do add_step(out, result) end
  if not one.lesson then
    emit(out, false, one.name .. " is no lesson that can be run")
    explain(out, { { "message", tostring(one.problem) } })
  elseif one.status == 77 then
    emit(out, true, one.name, "SKIP " .. text.clean(one.outcome.reason or "this machine cannot"))
  elseif #results < #one.lesson.steps and not (results[#results] or {}).problem then
    emit(out, false, ("%s ended after %d of %d steps"):format(one.name, #results, #one.lesson.steps))
  end
end


---The results as TAP.
---@param all table[]  lesson, name, status, outcome, problem
---@return string
function tap.format(all)
  local out = { "TAP version 13", count = 0 }
  for _, one in ipairs(all) do add_lesson(out, one) end
  out[#out + 1] = "1.." .. out.count
  return table.concat(out, "\n") .. "\n"
end


return tap
