-- SPDX-License-Identifier: MIT
-- The keys of a lesson: what each does, and the bar below the screen, which
-- names all of them however narrow it is.

local plain = require "nslua.lesson.plain"
local text = require "nslua.text"

local keybar = {}

-- The key, its word in the bar, a shorter one, and what it does.
local KEYS = {
  { "r", "again", "redo", "again from the start of the lesson up to this step, on a fresh stage" },
  { "e", "edit", "edit", "edit the lesson, then run up to this step" },
  { "p", "play", "play", "the prompt, with t and ns of the lesson; Ctrl-D comes back" },
  { "s", "shell", "sh", "a shell in the box; exit comes back" },
  { "h", "hint", "hint", "a hint, then the next" },
  { "m", "map", "map", "the map: who shares which namespace" },
  { "k", "calls", "sys", "the system calls of this step" },
  { "b", "back", "back", "back: look at the step before" },
  { "l", "list", "list", "the other lessons" },
  { "?", "keys", "", "this page" },
  { "q", "quit", "quit", "quit" },
}

local ENTER = {
  { "Enter", "run the step; go on to the next" }, { "space", "further down on this screen (also arrows)" },
}


---What each key does, as lines.
---@param width integer
---@return string[]
function keybar.help(width)
  local lines = {}
  local function add(key, what)
    for i, line in ipairs(plain.fill(what, width - 10)) do
      lines[#lines + 1] = text.cut(("  %-7s %s"):format(i == 1 and key or "", line), width)
    end
  end
  for _, key in ipairs(ENTER) do add(key[1], key[2]) end
  for _, key in ipairs(KEYS) do add(key[1], key[4]) end
  return lines
end


-- What Enter does here.
local function enter_word(shown)
  if shown.overlay then return "back" end
  return shown.result and "next" or shown.step.solution and not shown.solution and "check"
    or shown.step.act and "run" or "look"
end

-- Which hint comes next, of how many.
local function hint_count(shown)
  local count = #(shown.step.hint or {})
  return count == 0 and "" or (" %d/%d"):format(math.min(shown.hints + 1, count), count)
end

-- column: of KEYS; glue: between a key and its word; count: of the hints.
local function join(enter, column, glue, gap, count)
  local list = { enter }
  for _, key in ipairs(KEYS) do
    local word = column and key[column] or ""
    local item = word == "" and key[1] or key[1] .. glue .. word
    list[#list + 1] = key[1] == "h" and item .. count or item
  end
  return table.concat(list, gap)
end


---The bar: with words where they fit, shorter and closer, or the keys alone.
---@param shown table  step, result, hints, overlay ...
---@param width integer
---@return string
function keybar.line(shown, width)
  local key, word, count = text.utf8() and "⏎" or "Enter", enter_word(shown), hint_count(shown)
  if shown.overlay then return " " .. key .. " " .. word end
  local short = join(key .. ":" .. word, 3, ":", " ", "")
  for _, line in ipairs {
    " " .. join(key .. " " .. word, 2, " ", "  ", count),
    " " .. join(key .. ":" .. word, 2, ":", " ", count),
    " " .. join(key .. ":" .. word, 3, ":", " ", count), " " .. short, short,
    (" %s %s  r e p s h m k b l  ? keys  q quit"):format(key, word),
  } do
    if text.width(line) <= width then return line end
  end
  return text.cut(join(key, nil, "", " ", ""), width)
end


---The bar while a step runs: no key is read, and Ctrl-C is a signal.
---@param step table
---@param width integer
---@return string
function keybar.running(step, width)
  return text.cut((" running %s ...   Ctrl-C ends the lesson"):format(text.clean(step.id)), width)
end


return keybar
