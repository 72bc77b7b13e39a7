-- SPDX-License-Identifier: MIT
-- --lint: what is missing in a lesson, told like a compiler; then the proof
-- that its claims say something. A check that also holds without the act, or
-- a keep that the same act cannot break when it is done on the host, is a
-- sentence that is true of every lesson.

local lesson = require "nslua.lesson"
local load_ = require "nslua.lesson.load"
local out = require "nslua.lesson.out"
local proof = require "nslua.lesson.proof"
local runner = require "nslua.lesson.runner"
local sys = require "nslua.sys"
local text = require "nslua.text"
local ns = require "nslua"

local lint = {}

local WIDEST = 76 -- of code and commands: what 80 columns show


local function add(findings, line, step, fmt, ...)
  local where = step and ("step %d (%s): "):format(step.index, text.clean(step.title)) or ""
  findings[#findings + 1] = { line = line, text = where .. fmt:format(...) }
end

local function check_width(findings, step, name, block)
  for line in (block or ""):gmatch "[^\n]+" do
    if text.width(text.clean(line)) > WIDEST then
      return add(findings, step.line, step, "%s is wider than %d columns: %s", name, WIDEST,
        text.cut(text.clean(line), 40))
    end
  end
end

local function check_step(findings, step)
  if not step.act and not step.observe then
    add(findings, step.line, step, "it does nothing: give it a run, or say observe = true")
  end
  if not step.say then add(findings, step.line, step, "it explains nothing (no say)") end
  if not step.hint then add(findings, step.line, step, "it has no hint") end
  if step.act and not step.shell then
    add(findings, step.line, step, "it has no shell: how is it done by hand?")
  end
  if #step.claims == 0 and not step.expect then add(findings, step.line, step, "it claims nothing") end
  check_width(findings, step, "the code", step.code)
  check_width(findings, step, "shell", step.shell)
end


-- `done` names the lesson that comes next: it must be there, as it is written or
-- beside this one.
local function check_next(findings, one)
  local folder = one.file:match "^(.*/)" or ""
  for path in (one.done or ""):gmatch "[%w_./-]+%.lua%f[^%w_-]" do
    local itself = one.file:sub(-#path) == path
    if not (itself or sys.embedded(path) or ns.access(path) or ns.access(folder .. path:match "[^/]+$")) then
      add(findings, one.line, nil, "`done` names %s, and there is no such file", text.clean(path))
    end
  end
end


---What a reading of the lesson finds.
---@param one nslua.Lesson
---@return { line: integer, text: string }[]
function lint.read(one)
  local findings = {}
  if not one.done then add(findings, one.line, nil, "a dead end: `done` says where to go from here") end
  check_next(findings, one)
  for _, step in ipairs(one.steps) do check_step(findings, step) end
  return findings
end


local function say(one, findings)
  table.sort(findings, function(a, b)
    if a.line ~= b.line then return a.line < b.line end
    return a.text < b.text
  end)
  for _, finding in ipairs(findings) do
    out.say(("%s:%d: %s"):format(text.clean(one.file), finding.line, finding.text))
  end
end

local function lint_one(one, options)
  if not out.flush() then return runner.FAILED end
  local findings = lint.read(one)
  local root, status, reason = runner.prepare(one, options)
  local proved
  if not status then
    local _ <close> = root
    status, proved = proof.add(one, options, root, findings)
  end
  say(one, findings)
  if #findings > 0 then return runner.FAILED end
  if status ~= 0 then
    if reason then lesson.complain(("%s: %s"):format(text.clean(one.file), reason)) end
    return status
  end
  out.say(("%s %s: nothing to complain of, %d claims proved"):format(text.symbol "yes",
    text.clean(one.file), proved))
  return 0
end


---@param options table<string, any>
---@param operands (string|nslua.Lesson)[]
---@return integer status
function lint.main(options, operands)
  local worst = 0
  for _, operand in ipairs(operands) do
    local one, problem, status = load_.operand(operand)
    if one then
      status = lint_one(one, options)
    else
      lesson.complain(problem)
    end
    if status == runner.INTERRUPTED then return status end
    if worst == 0 or status == runner.FAILED then worst = status end
  end
  return worst
end


return lint
