-- SPDX-License-Identifier: MIT
-- A lesson from top to bottom as text: for a pipe, a log, a screen reader, a
-- terminal without colours.

local out = require "nslua.lesson.out"
local text = require "nslua.text"

local plain = {}

local NARROW, WIDE = 40, 80


local function width()
  return math.max(NARROW, math.min(WIDE, text.columns() or WIDE)) - 1
end

local function say(...)
  io.write(table.concat { ... }, "\n")
end


-- -- lines ------------------------------------------------------------------

-- Words of a paragraph in lines of at most `room` cells.
local function fill(paragraph, room)
  local lines, line = {}, nil
  for word in paragraph:gmatch "%S+" do
    if line and text.width(line) + 1 + text.width(word) > room then
      lines[#lines + 1], line = line, nil
    end
    line = line and line .. " " .. word or word
  end
  lines[#lines + 1] = line
  return lines
end

plain.fill = fill

-- Paragraphs are parted by an empty line.
local function paragraphs(long, indent)
  local first = true
  for paragraph in (long .. "\n\n"):gmatch "(.-)\n%s*\n" do
    if paragraph:find "%S" then
      if not first then say() end
      first = false
      for _, line in ipairs(fill(text.clean((paragraph:gsub("%s+", " "))), width() - #indent)) do
        say(indent, line)
      end
    end
  end
end

---A line that is too long, in pieces; parted at spaces where there are some.
---@param line string
---@param room integer  cells
---@return string[]
function plain.fold(line, room)
  local pieces = {}
  while text.width(line) > room do
    local head = text.cut(line, room, "")
    local space = head:match "^.*%S()%s+%S*$"
    if space and space > room // 2 then head = line:sub(1, space - 1) end
    pieces[#pieces + 1] = head
    line = "  " .. line:sub(#head + 1):gsub("^%s+", "")
  end
  pieces[#pieces + 1] = line
  return pieces
end

-- Lines as they are; tabs become spaces, what could move the cursor is shown.
local function verbatim(long, indent)
  for line in (long:gsub("%s+$", "") .. "\n"):gmatch "([^\n]*)\n" do
    line = line:gsub("\r$", "")
    line = line:gsub("([^\t]*)\t", function(s) return s .. (" "):rep(8 - text.width(s) % 8) end)
    for _, piece in ipairs(plain.fold(text.clean(line), width() - #indent)) do
      say(piece == "" and "" or indent .. piece)
    end
  end
end

local function block(heading, content)
  say()
  say("  ", text.paint(heading, "cyan"))
  verbatim(content, "    ")
end

local function both_ends(left, right, style)
  left, right = text.clean(left), text.clean(right)
  local gap = math.max(2, width() - text.width(left) - text.width(right))
  say(text.paint(left, style), (" "):rep(gap), right)
end


-- -- a lesson ---------------------------------------------------------------


---The title, and what the lesson stands on.
---@param lesson nslua.Lesson
---@param facts string[][]  name and text
function plain.title(lesson, facts)
  both_ends(lesson.title, lesson.id, "bold")
  say(text.symbol("line"):rep(width()))
  for _, fact in ipairs(facts) do
    local lines = fill(text.clean(fact[2]), width() - 7)
    for i, line in ipairs(lines) do say(text.pad(i == 1 and fact[1] or "", 7), line) end
  end
  out.flush()
end


---A step before it runs: what it is about, the code, the same by hand.
---@param step table
---@param count integer  of steps
function plain.before(step, count)
  say()
  both_ends(("%s  %s"):format(step.id, step.title), ("%d/%d"):format(step.index, count), "bold")
  if step.say then
    say()
    paragraphs(step.say, "  ")
  end
  if step.code then
    block(step.solution and "a solution" or "this runs", step.code)
  elseif step.act then
    block("this runs", "(its source is not at hand)")
  else
    say()
    say("  ", text.paint("nothing runs: we only look", "cyan"))
  end
  if step.shell then block("the same by hand", step.shell) end
  if step.ask then
    say()
    paragraphs("Before it runs: " .. step.ask[1], "  ")
  end
  out.flush()
end


local function say_claim(claim)
  local mark = claim.ok and text.paint(text.symbol "yes", "green") or text.paint(text.symbol "no", "red bold")
  local lines = fill(text.clean(claim.text), width() - 4)
  for i, line in ipairs(lines) do say("  ", i == 1 and mark or " ", " ", line) end
  if claim.kind == "expect" and claim.ok then verbatim(claim.why, "    ") end
  if claim.ok then return end
  if claim.why then verbatim(claim.why, "      ") end
  say("      at ", text.clean(claim.where), claim.code and ":" or "")
  if claim.code then verbatim(claim.code, "        ") end
end


---What came of a step.
---@param step table
---@param result table
---@param options table<string, any>
function plain.after(step, result, options)
  if result.output:find "%S" then block("output", result.output) end
  if result.view and result.view:find "%S" then block("to be seen", result.view) end
  if result.answer then
    say()
    paragraphs("The answer: " .. result.answer, "  ")
  end
  say()
  for _, claim in ipairs(result.claims) do say_claim(claim) end
  if result.problem then
    say("  ", text.paint(text.symbol "no", "red bold"), " the step could not run")
    verbatim(result.problem, "      ")
    if options.traceback then verbatim(result.traceback, "      ") end
    for i, hint in ipairs(step.hint or {}) do paragraphs(("hint %d: %s"):format(i, hint), "      ") end
  end
  out.flush()
end


local function count_of(sum)
  if sum.claims == 0 then return "nothing was claimed" end
  if sum.failed == 0 then return sum.claims == 1 and "its claim held" or ("all %d claims held"):format(sum.claims) end
  return ("%d of %d claims failed (%s)"):format(sum.failed, sum.claims, table.concat(sum.where, ", "))
end


---What became of the lesson.
---@param lesson nslua.Lesson
---@param sum { claims: integer, failed: integer, steps: integer, seconds: number, where: string[] }
---@param status integer
---@param proof string  what became of the machine outside the stage
function plain.summary(lesson, sum, status, proof)
  local all = sum.steps == #lesson.steps
  local steps = ("%d of %d steps"):format(sum.steps, #lesson.steps)
  if all then
    steps = ("%d step%s"):format(sum.steps, sum.steps == 1 and "" or "s")
  end
  if sum.skipped > 0 then steps = ("%s, %d of them skipped here"):format(steps, sum.skipped) end
  local mark = status == 0 and text.paint(text.symbol(all and "yes" or "to"), "green")
    or text.paint(text.symbol "no", "red bold")
  local early = status == 130 and "interrupted after " or not all and status == 0 and "left after " or ""
  say()
  local told = ("%s: %s%s, %s, %.2f s"):format(text.clean(lesson.id), early, steps, count_of(sum), sum.seconds)
  for i, line in ipairs(fill(told, width() - 2)) do say(i == 1 and mark or " ", " ", line) end
  paragraphs(proof, "  ")
  if status == 0 and all and lesson.done then paragraphs(lesson.done, "  ") end
  out.flush()
end


return plain
