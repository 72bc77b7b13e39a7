-- SPDX-License-Identifier: MIT
-- --export: lessons written down with what they really printed, in a form that
-- is the same tomorrow; --frozen: is it still the same?

local sys = require "nslua.sys"
local lesson = require "nslua.lesson"
local load_ = require "nslua.lesson.load"
local out = require "nslua.lesson.out"
local picture = require "nslua.lesson.picture"
local runner = require "nslua.lesson.runner"
local source = require "nslua.lesson.source"
local stable = require "nslua.lesson.stable"
local text = require "nslua.text"

local export = {}

local writers = {
  md = "nslua.lesson.markdown", html = "nslua.lesson.html", cast = "nslua.lesson.cast",
  svg = "nslua.lesson.html", dot = "nslua.lesson.html",
}


-- -- running and renaming -----------------------------------------------------------

local function nothing() end

local function recorder(kept)
  return {
    title = nothing, before = nothing, after = nothing, tracing = true,
    summary = function(_, sum, _, proof) kept.sum, kept.proof = sum, proof end,
    look = function(run, result)
      result.sides, result.facts = picture.look(run), stable.facts(run)
    end,
  }
end

local function file_of(one)
  local chunk = source.chunk("@" .. one.file) or source.chunk("=" .. one.file)
  return chunk and chunk.text or ""
end

-- The results of a lesson with stable names, or why there are none.
local function record(one, options)
  local kept, asked = { lesson = one }, { hostname = "host" }
  for name, value in pairs(options) do asked[name] = value end
  local status, outcome = runner.run(one, asked, recorder(kept))
  if not kept.sum then
    if outcome.reason then lesson.complain(("%s: %s"):format(sys.clean(one.file), outcome.reason)) end
    return nil, status
  end
  kept.results = outcome.results
  stable.rename(stable.names(file_of(one)), kept.results)
  return kept, status
end

local function complain_of_claims(kept)
  for _, result in ipairs(kept.results) do
    for _, claim in ipairs(result.claims) do
      if not claim.ok then lesson.complain(("%s: %q does not hold"):format(claim.where, claim.text)) end
    end
    if result.problem then lesson.complain(("%s: the step could not run\n%s"):format(result.id, result.problem)) end
  end
end

-- All lessons, or the status that stands in the way.
local function record_all(options, operands)
  local all, worst = {}, 0
  text.choose { utf8 = true, color = "never", width = 80 }
  for _, operand in ipairs(operands) do
    local one, problem, failed = load_.operand(operand)
    if not one then
      lesson.complain(problem)
      return nil, failed
    end
    local kept, status = record(one, options)
    if not kept then return nil, status end
    if status ~= 0 then complain_of_claims(kept) end
    if status ~= 0 and status ~= runner.FAILED then return nil, status end
    if status ~= 0 then worst = status end
    all[#all + 1] = kept
  end
  return all, worst
end

local function write(format, all)
  return require(writers[format])[format](all)
end


-- -- still the same? ------------------------------------------------------------------

local function format_of(document)
  if document:find "^<!DOCTYPE html>" then return "html" end
  if document:find "^{\"version\": ?2," then return "cast" end
  if document:find "^<svg" then return "svg" end
  return document:find "^digraph" and "dot" or "md"
end

local function lines_of(s)
  local lines = {}
  for line in s:gmatch "([^\n]*)\n?" do lines[#lines + 1] = line end
  return lines
end

-- Where two documents part: the lines between what is the same at both ends.
local function difference(old, new)
  local first = 1
  while old[first] and old[first] == new[first] do first = first + 1 end
  local tail = 0
  while tail < #old - first + 1 and tail < #new - first + 1 and old[#old - tail] == new[#new - tail] do
    tail = tail + 1
  end
  return first, #old - tail, #new - tail
end

local MOST = 12 -- lines shown of each side

local function show(sign, lines, first, last)
  for i = first, math.min(last, first + MOST - 1) do out.say(sign .. " " .. text.clean(lines[i])) end
  if last - first + 1 > MOST then out.say(("%s ... and %d more lines"):format(sign, last - first + 1 - MOST)) end
end

local function frozen(options, operands)
  local name = operands[1]
  if type(name) ~= "string" then return runner.USAGE, "--frozen needs an exported document and its lessons" end
  local file <close>, message = io.open(name, "rb")
  local document = file and file:read "a"
  if not document then return runner.USAGE, sys.clean(message or name .. " cannot be read") end
  local all, status = record_all(options, table.move(operands, 2, #operands, 1, {}))
  if not all then return status end
  local now = write(format_of(document), all)
  if now == document then
    out.say(("%s %s: as printed"):format(text.symbol "yes", text.clean(name)))
    return status
  end
  local old, new = lines_of(document), lines_of(now)
  local first, old_last, new_last = difference(old, new)
  out.say(("%s:%d: it is no longer as printed"):format(text.clean(name), first))
  show("-", old, first, old_last)
  show("+", new, first, new_last)
  return runner.FAILED
end


-- -- the command line -------------------------------------------------------------------


---@param options table<string, any>
---@param operands (string|nslua.Lesson)[]
---@return integer status
---@return string? message
function export.main(options, operands)
  if options.frozen then return frozen(options, operands) end
  local all, status = record_all(options, operands)
  if not all then return status end
  out.write(write(options.export, all))
  return status
end


return export
