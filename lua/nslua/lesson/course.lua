-- SPDX-License-Identifier: MIT
-- Lessons on the screen, as their front sees them: again on a fresh stage,
-- the editor, another lesson. All that happens on the real host, with the
-- rights of the user.

local sys = require "nslua.sys"
local lesson = require "nslua.lesson"
local load_ = require "nslua.lesson.load"
local outside = require "nslua.lesson.outside"
local plain = require "nslua.lesson.plain"
local play = require "nslua.lesson.play"
local progress = require "nslua.lesson.progress"
local runner = require "nslua.lesson.runner"
local text = require "nslua.text"
local ns = require "nslua"

local course = {}


local function clear()
  io.write "\27[H\27[J"
  io.stdout:flush()
end

-- Single quotes for sh.
local function quote(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

local function read_line(prompt)
  io.write(prompt)
  io.stdout:flush()
  local fd <close> = ns.fd(0)
  return fd:read "l"
end


-- -- what ends a stage ----------------------------------------------------------

local acts = {}

function acts.again(one, action)
  return one, { step = action.step, run = action.run }
end

-- The editor, then the file as it is now; a mistake is shown and edited again.
function acts.edit(one, action)
  if not ns.access(one.file, "w") then
    return one, { step = action.step, run = action.run,
      note = ("%s is no file that you can write to: copy it, or begin with nslua --new FILE"):format(one.file) }
  end
  while true do
    clear()
    local editor = os.getenv "VISUAL" or os.getenv "EDITOR" or "vi"
    os.execute(("%s +%d %s"):format(editor, one.steps[action.step] and one.steps[action.step].line or 1,
      quote(one.file)))
    local new, problem = load_.file(one.file)
    if new then return new, { step = action.step, run = action.run } end
    clear()
    lesson.complain(problem)
    local answer = read_line "\nEnter: edit again   q: leave it and quit  "
    if not answer or answer:find "^%s*[qQ]" then return nil end
  end
end

function acts.list(one, action)
  clear()
  require("nslua.lesson.list").main({}, {})
  local answer = read_line "\nWhich lesson? (Enter: back to this one)  "
  local id = answer and answer:match "%S+"
  if not id then return one, { step = action.step, run = action.run } end
  local new, problem = load_.file(id)
  if new then return new, course.start_of(new) end
  return one, { step = action.step, run = action.run, note = tostring(problem) }
end


-- -- a lesson after another -------------------------------------------------------------

---Where a lesson begins: at its first step; who was further is told how to go on.
---@param one nslua.Lesson
---@return { step: integer, resume: integer?, note: string? }
function course.start_of(one)
  local reached = progress.get(one.id)
  if not reached or reached < 2 or reached > #one.steps then return { step = 1 } end
  return { step = 1, resume = reached,
    note = ("You were at step %d: g goes on there."):format(reached) }
end

local function keep_progress(one, outcome)
  local count = #outcome.results
  if count == 0 then return end
  if count == #one.steps then progress.forget(one.id) else progress.set(one.id, count + 1) end
end

-- Runs the lesson once on one stage.
local function once(one, options, root, start)
  local action
  start.facts = runner.facts(one, root)
  local status, outcome = runner.record(one, options, root, function(run, write_down)
    return play.lesson(run, start, write_down)
  end)
  for i = #outcome.results, 1, -1 do
    if outcome.results[i].action then action = table.remove(outcome.results, i).action end
  end
  keep_progress(one, outcome)
  return status, outcome, action
end

-- A lesson until it is left; returns the next one and where it starts.
local function until_left(one, options, root, start)
  while true do
    local status, outcome, action = once(one, options, root, start)
    if not action then return status, outcome end
    local same = one
    one, start = acts[action.name](one, action)
    if not one then return 1, { results = {} } end
    if one.id ~= same.id or one.file ~= same.file or one.needs.rootfs ~= same.needs.rootfs then
      return nil, nil, one, start
    end
  end
end

---Plays lessons on the screen, beginning with one.
---@param one nslua.Lesson
---@param options table<string, any>
---@return integer status
function course.main(one, options)
  local start = course.start_of(one)
  while true do
    local began, before = ns.clock(), outside.look()
    plain.title(one, {})
    local root, failed, why = runner.prepare(one, options)
    if failed then
      if why then lesson.complain(("%s: %s"):format(sys.clean(one.file), why)) end
      return failed
    end
    local status, outcome, next_one, next_start
    do
      local _ <close> = root
      status, outcome, next_one, next_start = until_left(one, options, root, start)
    end
    if not next_one then
      io.write(text.color() and "\27[J\n" or "\n")
      if outcome.cut then lesson.complain(outcome.cut) end
      if status ~= runner.CANNOT then
        plain.summary(one, runner.sum_up(outcome.results, began), status, (outside.say(before)))
      end
      return status
    end
    one, start = next_one, next_start
  end
end


return course
