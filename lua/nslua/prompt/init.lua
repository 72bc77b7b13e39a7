-- SPDX-License-Identifier: MIT
-- The prompt on a terminal: lines come from the editor of the program, what
-- they mean is the business of nslua.repl, and this brings the two together.

local sys = require "nslua.sys"
local fold = require "nslua.fold"
local actions = require "nslua.prompt.actions"
local history = require "nslua.prompt.history"
local tab = require "nslua.prompt.tab"
local repl = require "nslua.repl"
local text = require "nslua.text"
local ns = require "nslua"

local prompt = {}


-- What we do ourselves is not part of anybody's trace.
local function quietly(fn, ...)
  local function settle(trace, ...)
    sys.set_trace(trace)
    return ...
  end
  return settle(sys.set_trace(nil), fn(...))
end

local function say(words)
  if words and words ~= "" then io.write(words, "\n") end
end

local function note_down(self, note) say(fold.text("note: " .. note, self.session:width() - 1)) end

-- In another process: that is where this prompt is, and all it can tell.
local function move_in(session)
  if prompt.generation == ns.generation() then return end
  session.name, session.start = "box", session:refresh()
  session:adopt()
end

-- A prompt within a prompt (box:repl(), a lesson) knows the same values.
local function session_of()
  if prompt.session then move_in(prompt.session) end
  prompt.generation = ns.generation()
  prompt.session = prompt.session or repl.new {
    env = _G, ascii = not text.utf8(), color = true,
    columns = function() return quietly(text.columns, 1) or 80 end,
  }
  return prompt.session
end

local GREETING = "nslua %s  ?name help    Tab complete    !cmd shell    Ctrl-D leave"

local function greet(self)
  say(fold.text(GREETING:format(sys.version), self.session:width() - 1))
  if rawget(_G, "ns") == nil then rawset(_G, "ns", ns) end
  self.past, self.problem = history.open()
  for entry in self.past:entries() do self.editor.remember(entry) end
  if self.problem then note_down(self, "the history is not kept: " .. self.problem) end
end


-- -- lines ----------------------------------------------------------------------

local function remember(self, line, more)
  self.entry = self.entry and self.entry .. "\n" .. line or line
  if more then return end
  local entry = self.entry
  self.entry = nil
  if entry:find "%S" and entry ~= self.last then
    self.last = entry
    self.editor.remember(entry)
    self.past:add(entry)
  end
end


-- -- what came of a line -----------------------------------------------------------

local function tell(self, result)
  say(result.before)
  for _, note in ipairs(result.notes or {}) do note_down(self, note) end
  if result.interrupted then
    say(" " .. result.text) -- behind the ^C of the terminal
  elseif result.ok then
    say(result.text)
  elseif result.text then
    io.stdout:flush()
    io.stderr:write(result.text, "\n")
  end
end

-- The process that went on in our place is gone, and we go on in its.
local RETURNED = {
  undone = function(_, call) say(("back before ns.%s"):format(call)) end,
  killed = function(code, call)
    say(("signal %d killed the process that was the prompt: back before ns.%s"):format(code, call))
  end,
}

local function come_back(self, kind, code, call)
  self.session:abandon()
  self.session:refresh()
  self.entry = nil
  if kind == "left" then
    self.status = code
    return
  end
  for entry in self.past:entries() do self.editor.remember(entry) end
  RETURNED[kind](code, call)
end

-- Runs fn where Ctrl-C is an error. False when that says all.
local function guarded(self, fn, ...)
  local result = table.pack(self.editor.call(fn, ...))
  local kind, code, call = self.editor.checkpoint.returned()
  if kind then
    come_back(self, kind, code, call)
    return false
  end
  if self.editor.forked() then
    self.status = result[1] and 0 or 1
    return false
  end
  return table.unpack(result, 1, result.n)
end

local function act(self, action)
  local ok, problem = guarded(self, actions.run, self, action)
  if not ok and problem and not self.editor.interrupted() then
    local said = tostring(problem):gsub("\nstack traceback:.*", "") -- through us, no concern of anybody
    tell(self, { ok = false, text = fold.text(said, self.session:width() - 1) })
  end
end

-- One line is evaluated; true when there is to be more.
local function feed(self, line)
  local trace = self.trace
  self.editor.checkpoint.begin()
  sys.set_trace(trace)
  local ok, result = guarded(self, self.session.feed, self.session, line)
  self.trace = sys.set_trace(nil)
  if not ok then
    if not result then
      self.trace = trace
      return
    end
    self.session:abandon()
    local seconds = self.editor.interrupted()
    tell(self, { ok = false, interrupted = seconds,
      text = seconds and ("interrupted after %.1f s"):format(seconds) or result })
    return remember(self, line)
  end
  remember(self, line, result.more)
  if result.more then return say(result.before) end
  tell(self, result)
  if result.action then act(self, result.action) end
  if result.leave then self.status = self.status or 0 end
end


-- -- the loop ------------------------------------------------------------------------

local function next_line(self)
  local first, more = quietly(self.session.prompt, self.session)
  local line, why = self.editor.read(self.entry and more or first)
  if line then
    feed(self, line)
    io.stdout:flush()
  elseif why == "interrupted" or why == "end" and self.entry then
    if why == "end" then io.write "\n" end
    self.session:abandon()
    self.entry = nil
  else
    self.status = 0
    if why == "end" then io.write "\n" end
  end
end

local function leave(self, nested)
  if self.editor.forked() then return end
  local words = self.session:close()
  if not nested then prompt.session = nil end
  if words == "" then words = nil end
  if words and self.past.fd and not nested then words = words .. ", history saved" end
  say(words)
  io.stdout:flush()
end


---The prompt, until somebody leaves it.
---@param editor table  what the program gives (repl.c, editor.c, checkpoint.c)
---@return integer status
function prompt.run(editor)
  local nested = prompt.session ~= nil
  local self = { editor = editor, session = session_of(), trace = sys.set_trace(nil) }
  editor.open()
  greet(self)
  tab.bind(self)
  sys.on_departure(editor.checkpoint.keep)
  while not self.status do next_line(self) end
  leave(self, nested)
  if not nested then sys.on_departure(nil) end
  sys.set_trace(self.trace)
  return self.status
end


return prompt
