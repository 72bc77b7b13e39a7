-- SPDX-License-Identifier: MIT
-- A step as a screen: what is said, the code, the same by hand, host and box
-- side by side, the claims, one bar of keys. Lines are made here and drawn
-- from the top; nothing moves, and whatever ends the lesson leaves them there.

local text = require "nslua.text"
local keybar = require "nslua.lesson.keybar"
local plain = require "nslua.lesson.plain"
local ns = require "nslua"

local screen = {}

local LEAST_BESIDE = 64 -- columns; narrower screens stack the panes


-- -- lines: a text and a style ------------------------------------------------------

local function add(lines, s, style) lines[#lines + 1] = { s or "", style } end

local function add_blank(lines)
  if #lines > 0 and lines[#lines][1] ~= "" then add(lines, "") end
end

local function add_text(lines, long, width, indent, style)
  for paragraph in (long .. "\n\n"):gmatch "(.-)\n%s*\n" do
    if paragraph:find "%S" then
      local clean = text.clean((paragraph:gsub("%s+", " ")))
      for _, line in ipairs(plain.fill(clean, width - #indent)) do add(lines, indent .. line, style) end
    end
  end
end

local function split(block)
  local list = {}
  for line in (block:gsub("%s+$", "") .. "\n"):gmatch "([^\n]*)\n" do
    list[#list + 1] = text.clean((line:gsub("\r$", ""):gsub("\t", "    ")))
  end
  return list
end

local function widest(list)
  local most = 0
  for _, line in ipairs(list) do most = math.max(most, text.width(line)) end
  return most
end

local function add_block(lines, heading, block, width)
  add_blank(lines)
  add(lines, " " .. heading, "cyan")
  for _, line in ipairs(type(block) == "table" and block or split(block)) do
    for _, piece in ipairs(plain.fold(line, width - 3)) do add(lines, "   " .. piece) end
  end
end

-- Two blocks side by side when they fit, else one below the other.
local function add_beside(lines, left, right, width)
  local room = math.max(widest(left.block), text.width(left.heading)) + 5
  if not right or width < LEAST_BESIDE or room + widest(right.block) + 5 > width then
    add_block(lines, left.heading, left.block, width)
    if right then add_block(lines, right.heading, right.block, width) end
    return
  end
  room = math.max(room, width // 2)
  if room + widest(right.block) + 3 > width then room = width - widest(right.block) - 3 end
  add_blank(lines)
  add(lines, text.pad(" " .. left.heading, room) .. right.heading, "cyan")
  for i = 1, math.max(#left.block, #right.block) do
    add(lines, text.pad("   " .. (left.block[i] or ""), room) .. "  " .. (right.block[i] or ""))
  end
end

-- Host and box; the headings are their first lines.
local function add_panes(lines, panes, width)
  add_blank(lines)
  if width < LEAST_BESIDE then
    for _, side in ipairs { panes.left, panes.right } do
      for i, line in ipairs(side) do add(lines, " " .. text.cut(line, width - 1), i == 1 and "bold" or nil) end
    end
    return
  end
  local half = (width - 3) // 2
  for i = 1, math.max(#panes.left, #panes.right) do
    local left, right = text.cut(panes.left[i] or "", half - 1), text.cut(panes.right[i] or "", width - half - 3)
    add(lines, text.pad(" " .. left, half) .. " " .. text.symbol "bar" .. " " .. right, i == 1 and "bold" or nil)
  end
end


-- -- parts of a step ----------------------------------------------------------------

local function add_code(lines, step, shown, width)
  local hidden = step.solution and not shown.solution and not shown.result
  local heading = step.solution and "a solution" or shown.result and "it ran" or "about to run"
  local left = step.code and { heading = heading, block = split(step.code) }
  if hidden then
    left = { heading = "your turn", block = { "do it in a shell of the box (s) or at the prompt (p)" } }
  end
  local right = not hidden and step.shell and { heading = "the same by hand", block = split(step.shell) }
  if left then
    add_beside(lines, left, right, width)
  elseif right then
    add_block(lines, "nothing runs, we only look; by hand", right.block, width)
  end
end

local function add_claim(lines, claim, width)
  local mark = text.symbol(claim.ok and "yes" or "no")
  for i, line in ipairs(plain.fill(text.clean(claim.text), width - 4)) do
    add(lines, (" %s %s"):format(i == 1 and mark or " ", line), claim.ok and "green" or "red")
  end
  local why = claim.why and (not claim.ok or claim.kind == "expect") and claim.why
  for _, line in ipairs(why and split(why) or {}) do
    for _, piece in ipairs(plain.fold(line, width - 3)) do add(lines, "   " .. piece) end
  end
  if not claim.ok then add(lines, text.cut("   at " .. text.clean(claim.where), width)) end
end

local function add_result(lines, shown, width)
  local result = shown.result
  if result.output:find "%S" then add_block(lines, "output", result.output, width) end
  if result.view and not (result.panes and shown.view_is_pane) then
    add_block(lines, "to be seen", result.view, width)
  end
  if result.panes then add_panes(lines, result.panes, width) end
  add_blank(lines)
  if result.answer then
    add(lines, (" your guess: %s   the answer: %s"):format(text.clean(shown.guess or "none"),
      text.clean(result.answer)))
  end
  for _, claim in ipairs(result.claims) do add_claim(lines, claim, width) end
  if result.problem then
    add(lines, (" %s the step could not run"):format(text.symbol "no"), "red")
    for _, line in ipairs(split(result.problem)) do add_text(lines, line, width, "   ") end
  end
  if result.changed then add(lines, text.cut(" since the step before: " .. result.changed, width), "dim") end
end

-- What the lesson stands on: its root, the stage, the user.
local function add_facts(lines, facts, width)
  for _, fact in ipairs(facts) do
    for i, line in ipairs(plain.fill(text.clean(fact[2]), width - 9)) do
      add(lines, (" %s %s"):format(text.pad(i == 1 and fact[1] or "", 6), line), "dim")
    end
  end
  add_blank(lines)
end

local function add_hints(lines, step, shown, width)
  if shown.hints == 0 or not step.hint then return end
  add_blank(lines)
  for i = 1, math.min(shown.hints, #step.hint) do
    add_text(lines, ("hint %d of %d: %s"):format(i, #step.hint, step.hint[i]), width, " ", "yellow")
  end
end

local function help_lines(width)
  local lines = {}
  for _, line in ipairs(keybar.help(width)) do add(lines, line) end
  return lines
end

local function listing(heading, block, width)
  local lines = {}
  add_block(lines, heading, block, width)
  return lines
end


---The lines between title and key bar.
---@param shown table  step, result, hints, guess, overlay, facts ...
---@param width integer
---@return { [1]: string, [2]: string? }[]
function screen.body(shown, width)
  local step, lines = shown.step, {}
  if shown.overlay == "keys" then return help_lines(width) end
  if shown.overlay then return listing(shown.overlay.heading, shown.overlay.block, width) end
  if shown.facts and not shown.result then add_facts(lines, shown.facts, width) end
  add(lines, " " .. text.clean(step.title), "bold")
  if step.say then add_text(lines, step.say, width, " ") end
  add_code(lines, step, shown, width)
  if step.ask and not shown.result then
    add_blank(lines)
    add_text(lines, "Your guess, before it runs: " .. step.ask[1], width, " ", "yellow")
  end
  if shown.result then add_result(lines, shown, width) end
  add_hints(lines, step, shown, width)
  if shown.note then
    add_blank(lines)
    add_text(lines, shown.note, width, " ", "yellow")
  end
  return lines
end


-- -- title and keys ---------------------------------------------------------------------

local function title_line(shown, width)
  local step = shown.step
  local count = #step.lesson.steps
  local full = step.index * 18 // count
  local bar = text.symbol "full":rep(full) .. text.symbol "empty":rep(18 - full)
  local right = ("%s   %s  %d/%d"):format(step.id, bar, step.index, count)
  if text.width(right) + text.width(step.lesson.title) + 4 > width then
    right = ("%s  %d/%d"):format(step.id, step.index, count)
  end
  local left = text.cut(" " .. text.clean(step.lesson.title), width - text.width(right) - 2)
  return text.pad(left, width - text.width(right)) .. right
end

-- Between the step and the keys, and whether there is more of the step.
local function rule(width, more)
  local word = more and " space: more " or ""
  return text.symbol("line"):rep(width - #word - (more and 2 or 0)) .. word .. text.symbol("line"):rep(more and 2 or 0)
end


---Everything as lines of the screen, and how far down it begins.
---@param shown table
---@param rows integer
---@param columns integer
---@return { [1]: string, [2]: string? }[] lines
function screen.compose(shown, rows, columns)
  local width = math.max(20, columns - 1)
  local body = screen.body(shown, width)
  local room = math.max(3, rows - 4)
  local last = math.max(0, #body - room)
  shown.offset = math.max(0, math.min(shown.offset or 0, last))
  local lines = { { title_line(shown, width), "bold" }, { text.symbol("line"):rep(width), "dim" } }
  for i = 1, room do lines[#lines + 1] = body[i + shown.offset] or { "" } end
  lines[#lines + 1] = { rule(width, shown.offset < last), "dim" }
  lines[#lines + 1] = { keybar.line(shown, width), nil }
  shown.room = room
  return lines
end


---How many rows and columns the terminal has.
---@return integer rows
---@return integer columns
function screen.size()
  local fd <close> = ns.fd(1)
  local ok, rows, columns = pcall(fd.winsize, fd)
  if not ok or rows == 0 or columns == 0 then return 24, 80 end
  return rows, columns
end


---Draws over what is there, line by line.
---@param shown table
function screen.draw(shown)
  local rows, columns = screen.size()
  local out = { "\27[H" }
  for i, line in ipairs(screen.compose(shown, rows, columns)) do
    out[#out + 1] = (line[2] and text.paint(line[1], line[2]) or line[1]) .. "\27[K"
    if i < rows then out[#out + 1] = "\n" end
    if i == rows then break end
  end
  io.write(table.concat(out), "\27[J")
  io.stdout:flush()
end


---Says in place of the keys that a step runs, which may take a while. All else
---stays as it was drawn: a quick step is drawn over it at once.
---@param step table
function screen.running(step)
  local rows, columns = screen.size()
  local line = keybar.running(step, math.max(20, columns - 1))
  io.write(("\27[%d;1H%s\27[K"):format(rows, text.paint(line, "yellow")))
  io.stdout:flush()
end


return screen
