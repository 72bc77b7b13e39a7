-- SPDX-License-Identifier: MIT
-- From a line to its outcome: is it an expression, statements, or the first of
-- more lines; what it gave, and what it did to the session and to the process.

local ending = require "nslua.repl.ending"
local failure = require "nslua.repl.failure"
local place = require "nslua.repl.place"
local style = require "nslua.repl.style"
local value = require "nslua.repl.value"

local load = load

local evaluate = {}


local function is_incomplete(message)
  return message:find "<eof>$" ~= nil
end

-- The text that is to be compiled, as an expression if it is one. Else nil and
-- the reason, or nil and "more".
local function as_chunk(line)
  local expression = line:gsub("^%s*=", "", 1)
  local code = "return " .. expression
  local fn, problem = load(code, "=stdin", "t", {})
  if fn then return code, true end
  local unfinished = is_incomplete(problem)
  fn, problem = load(line, "=stdin", "t", {})
  if fn then return line, false end
  if unfinished or is_incomplete(problem) then return nil, "more" end
  return nil, problem
end

-- Past results: `_` is the last one, `_1` the one before it, and so on.
local function remember_result(self, result)
  local past = self.past
  table.insert(past, 1, result)
  past[11] = nil
  for i, old in ipairs(past) do
    rawset(self.env, i == 1 and "_" or "_" .. i - 1, old)
  end
end

-- Notes on what the line did to the session and to the process.
local function notes_of(self, before)
  local notes = place.notes(before, self.here)
  if not self.told_locals and next(self.locals.declared_now or {}) then
    self.told_locals = true
    table.insert(notes, 1, ("local %s: kept for this session (plain lua would forget it)")
      :format(table.concat(self.locals.declared_now, ", ")))
  end
  for _, line in ipairs(ending.new_boxes(self.inherited)) do notes[#notes + 1] = line end
  return notes
end

local function refuse(self, problem)
  return { ok = false, error = problem, values = { n = 0 },
    text = failure.own_line(self.number, value.clean(problem)) }
end

local function run(self, line, code)
  local fn, problem = self:compile(code)
  if not fn then return refuse(self, problem) end
  local before = self.here
  local outcome = self:call(fn)
  self:refresh()
  outcome.notes = style.quietly(notes_of, self, before)
  if not outcome.ok then return outcome end
  self.good[#self.good + 1] = { line = line, code = code, silent = outcome.values.n == 0 }
  if outcome.values.n > 0 then
    outcome.text = self:print_all(outcome.values)
    if outcome.values[1] ~= nil then
      remember_result(self, outcome.values[1])
    elseif code:find("ns.", 1, true) then
      outcome.notes[#outcome.notes + 1] = require "nslua.repl.meant".nothing(self, code)
    end
  else
    outcome.text = ""
  end
  return outcome
end

---A pasted block that is no chunk may be many: line by line, to the first error.
---@param self nslua.Session
---@param block string
---@return table outcome
function evaluate.by_lines(self, block)
  local texts, notes, outcome = {}, {}, nil
  for line in (block .. "\n"):gmatch "([^\n]*)\n" do
    outcome = self:feed(line)
    if outcome.text and outcome.text ~= "" then texts[#texts + 1] = outcome.text end
    for _, note in ipairs(outcome.notes or {}) do notes[#notes + 1] = note end
    if outcome.ok == false or outcome.action or outcome.leave then break end
  end
  if not outcome.more then outcome.text = table.concat(texts, "\n") end
  outcome.before = outcome.more and table.concat(texts, "\n") or nil
  outcome.notes = notes
  return outcome
end

---What a line of Lua gives, or that more of it is wanted.
---@param self nslua.Session
---@param line string
---@return table outcome
function evaluate.line(self, line)
  local whole = self.pending and self.pending .. "\n" .. line or line
  local code, kind = as_chunk(whole)
  if not code and kind == "more" then
    self.pending = whole
    return { more = true }
  end
  self.pending = nil
  if code then return run(self, whole, code) end
  if line == whole and line:find("\n", 1, true) then return evaluate.by_lines(self, line) end
  self.number = self.number + 1
  return refuse(self, kind)
end


return evaluate
