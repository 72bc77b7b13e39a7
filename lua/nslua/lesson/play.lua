-- SPDX-License-Identifier: MIT
-- A lesson on the screen: what the keys do. It runs on the stage; what needs
-- another stage or the real host (again, edit, another lesson) is written down
-- for the front, and the stage ends.

local sys = require "nslua.sys"
local keys = require "nslua.lesson.keys"
local panes = require "nslua.lesson.panes"
local screen = require "nslua.lesson.screen"
local stage = require "nslua.stage"
local text = require "nslua.text"
local views = require "nslua.lesson.views"
local ns = require "nslua"

local play = {}

local PANES = { ps = true, hostname = true, mounts = true }


-- -- a step is run ------------------------------------------------------------

local function show_step(game, index)
  local step = game.run.lesson.steps[index]
  game.shown = { step = step, result = game.results[index], hints = 0, guess = game.guesses[index],
    view_is_pane = PANES[step.show] or false, note = game.note, facts = index == 1 and game.facts or nil }
  game.note = nil
end

local function run_step(game, step)
  local run = game.run
  screen.running(step)
  local result = run:step(step)
  local kind = type(step.show) == "string" and step.show or "ps"
  result.panes = PANES[kind] and panes.of(run, kind)
  local ok, now = pcall(panes.count, run) -- a step may end the host
  if ok then
    result.changed = panes.changed(game.counted, now)
    game.counted = now
  end
  game.results[step.index] = result
  game.write_down(result)
  return result
end

local function read_guess()
  local rows = screen.size()
  io.write(("\27[%d;1H\27[K your guess: "):format(rows))
  io.stdout:flush()
  local fd <close> = ns.fd(0)
  return fd:read "l" or ""
end

-- The act of an exercise is the learner's: until its claims hold, or the
-- solution was shown, it is not run for them. What was done by hand is not done
-- once more.
local function judge_exercise(game, shown)
  screen.running(shown.step)
  local failing = {}
  for claim, ok in pairs(game.run:held(shown.step)) do
    if not ok then failing[#failing + 1] = claim.text end
  end
  if #failing > 0 then
    table.sort(failing)
    shown.note = "Not yet: " .. table.concat(failing, "; ")
    return false
  end
  return true
end

local function act(game)
  local shown = game.shown
  local step = shown.step
  if step.ask and not shown.guess then
    shown.guess = read_guess()
    game.guesses[step.index] = shown.guess
  end
  local solution = step.act
  if step.solution then
    local by_hand = judge_exercise(game, shown)
    if not by_hand and not shown.solution then return end
    step.act = not by_hand and solution or nil
  end
  shown.note = nil
  shown.result = run_step(game, step)
  step.act = solution
  shown.offset = math.huge
end


-- -- what keys do -----------------------------------------------------------------

local on = {}

local function leave(game, action)
  action.step = action.step or game.shown.step.index
  game.write_down { action = action }
  return 0
end

-- Who leaves early has done nothing wrong: only a claim that failed is a failure.
local function finish(game)
  for _, result in ipairs(game.results) do
    if not result.ok then return 1 end
  end
  return 0
end

function on.enter(game)
  local shown = game.shown
  if shown.overlay then
    shown.overlay, shown.offset = nil, 0
  elseif not shown.result then
    act(game)
  elseif shown.step.index == #game.run.lesson.steps or shown.result.problem then
    return finish(game)
  else
    show_step(game, shown.step.index + 1)
    if not shown.result.ok then game.shown.note = nil end
  end
end

on[" "] = function(game)
  local shown = game.shown
  local before = shown.offset or 0
  shown.offset = before + shown.room - 2
  local rows, columns = screen.size()
  screen.compose(shown, rows, columns)
  if shown.offset == before and not shown.overlay then return on.enter(game) end
end

function on.down(game) game.shown.offset = (game.shown.offset or 0) + 1 end

function on.up(game) game.shown.offset = (game.shown.offset or 0) - 1 end

function on.pagedown(game) game.shown.offset = (game.shown.offset or 0) + game.shown.room - 2 end

function on.pageup(game) game.shown.offset = (game.shown.offset or 0) - game.shown.room + 2 end

function on.quit(game) return finish(game) end

function on.interrupt() return 130 end

function on.q(game) return finish(game) end

function on.r(game) return leave(game, { name = "again", run = game.shown.result ~= nil }) end

function on.e(game) return leave(game, { name = "edit", run = game.shown.result ~= nil }) end

function on.l(game) return leave(game, { name = "list", run = game.shown.result ~= nil }) end

function on.g(game)
  if game.resume then return leave(game, { name = "again", step = game.resume }) end
end

function on.b(game)
  local index = game.shown.step.index
  if index > 1 then show_step(game, index - 1) end
end

function on.h(game)
  local shown = game.shown
  local hints = shown.step.hint or {}
  if shown.hints < #hints then
    shown.hints = shown.hints + 1
  elseif shown.step.solution then
    shown.solution = true
  else
    shown.note = #hints == 0 and "There is no hint for this step." or "That was the last hint."
  end
  shown.offset = math.huge
end

function on.m(game)
  game.shown.overlay = { heading = "who shares what: the same letter is the same namespace",
    block = views.namespaces(game.run.t) }
  game.shown.offset = 0
end

function on.k(game)
  local result = game.shown.result
  local calls = result and result.calls
  game.shown.overlay = { heading = "the system calls of this step",
    block = calls and calls ~= "" and calls or "none so far" }
  game.shown.offset = 0
end

on["?"] = function(game)
  game.shown.overlay, game.shown.offset = "keys", 0
end


-- Ctrl-Z: the whole job stops, the stage and who watches it, and goes on with fg.
-- The terminal is not raw here.
function on.suspend()
  io.write "\27[H\27[J"
  io.stdout:flush()
  local terminal <close> = ns.fd(0)
  pcall(ns.killpg, terminal:tcgetpgrp(), "TSTP")
  sys.await_foreground(terminal)
end


-- -- a shell, a prompt ----------------------------------------------------------------

local function aside(game, heading, fn)
  game.shown.note = nil
  io.write("\27[H\27[J", heading, "\n\n")
  io.stdout:flush()
  local ok, err = pcall(fn)
  if not ok then game.shown.note = tostring(err) end
end

function on.s(game)
  local name, box = game.run:box()
  if not box then
    game.shown.note = "There is no box yet."
    return
  end
  local which = name == "box" and "" or " " .. text.clean(name)
  local heading = ("A shell in the box%s. exit comes back to the lesson."):format(which)
  aside(game, heading, function() box:enter() end)
end

-- The lesson's t, such that Tab finds what is in it: Tab follows tables only.
local function t_of(run)
  return setmetatable({}, { __index = run.fields, __newindex = run.t,
    __pairs = function() return next, run.fields, nil end })
end

function on.p(game)
  if not sys.prompt then
    game.shown.note = "This program has no prompt."
    return
  end
  aside(game, "The prompt, with t and ns of the lesson. Ctrl-D comes back.", function()
    local before = { t = rawget(_G, "t"), ns = rawget(_G, "ns") }
    rawset(_G, "t", t_of(game.run))
    rawset(_G, "ns", ns)
    game.run.on_step { index = 0 } -- os.exit in there is no step's doing
    stage.undisturbed(sys.prompt)
    rawset(_G, "t", before.t)
    rawset(_G, "ns", before.ns)
  end)
end


-- -- the loop ----------------------------------------------------------------------------

-- Draws, and waits for a key; draws again when the size has changed meanwhile.
local function next_key(game)
  local raw <close> = keys.raw()
  local rows, columns
  while true do
    local r, c = screen.size()
    if r ~= rows or c ~= columns then
      rows, columns = r, c
      screen.draw(game.shown)
    end
    local key = keys.read(raw, 0.5)
    if key then return key end
  end
end

local function replay(game, last)
  for i = 1, last do
    if run_step(game, game.run.lesson.steps[i]).problem then return end
  end
end


---Plays the lesson from a step on.
---@param run table  before its first step
---@param start { step: integer, run: boolean?, resume: integer?, note: string?, facts: string[][]? }
---@param write_down fun(value: table)
---@return integer status
function play.lesson(run, start, write_down)
  local game = { run = run, results = {}, guesses = {}, write_down = write_down, note = start.note,
    resume = start.resume, facts = start.facts }
  run.tracing = true
  game.counted = panes.count(run)
  local first = math.max(1, math.min(start.step, #run.lesson.steps))
  replay(game, first - 1)
  show_step(game, math.min(first, #game.results + 1))
  if start.run and not game.shown.step.ask then
    act(game)
    game.shown.note = game.shown.note or start.note
  end
  while true do
    local fn = on[next_key(game)]
    local status = fn and fn(game)
    if status then return status end
  end
end


return play
