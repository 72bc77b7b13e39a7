-- SPDX-License-Identifier: MIT
-- Lessons as a recording for asciinema (asciicast v2): what --plain shows, at
-- the pace of a reader, with a marker at each step. Its clock is made up, so
-- that two recordings are the same.

local json = require "nslua.json"
local plain = require "nslua.lesson.plain"
local text = require "nslua.text"

local cast = {}

local COLUMNS, ROWS = 80, 24
local LINE, WORD, THINK = 0.06, 0.25, 1.5 -- seconds


-- What a function writes.
local function caught(fn, ...)
  local before = io.output()
  local file <close> = assert(io.tmpfile())
  io.output(file)
  fn(...)
  io.output(before)
  file:seek "set"
  return file:read "a"
end

local function event(tape, kind, data)
  tape[#tape + 1] = ('[%.2f, "%s", %s]'):format(tape.now, kind, json.encode(data))
end

local function type_lines(tape, lines)
  for line in lines:gmatch "[^\n]*\n" do
    event(tape, "o", (line:gsub("\n", "\r\n")))
    tape.now = tape.now + LINE
  end
end

local function pause_to_read(tape, long)
  local _, words = (long or ""):gsub("%S+", "")
  tape.now = tape.now + THINK + words * WORD
end

local function record(tape, one)
  type_lines(tape, caught(plain.title, one.lesson, {}))
  for i, step in ipairs(one.lesson.steps) do
    local result = one.results[i]
    if not result then break end
    event(tape, "m", ("%s %s"):format(step.id, text.clean(step.title)))
    type_lines(tape, caught(plain.before, step, #one.lesson.steps))
    pause_to_read(tape, step.say)
    type_lines(tape, caught(plain.after, step, result, {}))
    tape.now = tape.now + THINK
  end
  local done = plain.fill(text.clean(one.lesson.done or ""), COLUMNS - 1)
  if #done > 0 then type_lines(tape, "\n" .. table.concat(done, "\n") .. "\n") end
end


---@param all table[]  lesson, results
---@return string
function cast.cast(all)
  text.choose { color = "always" }
  local titles = {}
  for i, one in ipairs(all) do titles[i] = text.clean(one.lesson.title) end
  local tape = { now = 0, ('{"version": 2, "width": %d, "height": %d, "title": %s}'):format(COLUMNS, ROWS,
    json.encode(table.concat(titles, ", "))) }
  for _, one in ipairs(all) do record(tape, one) end
  text.choose { color = "never" }
  return table.concat(tape, "\n") .. "\n"
end


return cast
