-- SPDX-License-Identifier: MIT
-- The prompt without a terminal: a session takes lines and gives back text.
-- It reads and prints nothing itself, so an editor or a web page can have one.

local sys = require "nslua.sys"
local ending = require "nslua.repl.ending"
local evaluate = require "nslua.repl.evaluate"
local failure = require "nslua.repl.failure"
local locals = require "nslua.repl.locals"
local place = require "nslua.repl.place"
local style = require "nslua.repl.style"
local value = require "nslua.repl.value"
local text = require "nslua.text"
local ns = require "nslua"

local xpcall = xpcall

local repl = {}

---@class nslua.Session
local Session = {}
Session.__index, Session.__name = Session, "nslua.Session"


-- -- errors ------------------------------------------------------------------

local function interrupt_text(self, seconds)
  local alive = ending.boxes(ending.children(self.inherited))
  return ("interrupted after %.1f s%s"):format(seconds,
    alive > 0 and ("; %d %s still alive"):format(alive, alive == 1 and "box" or "boxes") or "")
end

local function failed(self, caught, seconds)
  local err = caught.err
  self.last_error = caught
  local outcome = { ok = false, error = err, seconds = seconds, values = { n = 0 } }
  if failure.is_interrupt(err) then
    outcome.interrupted = true
    outcome.text = interrupt_text(self, seconds)
  else
    outcome.text = style.within(self, failure.text, self.number, err, style.columns(self))
    outcome.meant = require "nslua.repl.meant".by(self, err)
    if outcome.meant then outcome.text = outcome.text .. "\n" .. outcome.meant end
  end
  return outcome
end


---The text and the traceback of the last error, that of a box included; ""
---when there was none.
---
---    print(session:traceback())
---
---@return string
function Session:traceback()
  sys.self(self, "Session")
  local last = self.last_error
  if not last then return "" end
  local said = style.within(self, failure.text, self.number, last.err, style.columns(self))
  return failure.traceback(said, last)
end


-- -- running -----------------------------------------------------------------

---Runs a function as a line of the session would run, errors and interrupts
---included.
---@param fn function
---@return table outcome  ok, values or error, seconds
function Session:call(fn, ...)
  sys.self(self, "Session")
  local began = style.quietly(ns.clock)
  local results = table.pack(xpcall(fn, failure.catch, ...))
  local seconds = style.quietly(ns.clock) - began
  if not results[1] then return style.quietly(failed, self, results[2], seconds) end
  table.move(results, 2, results.n + 1, 1)
  results.n = results.n - 1
  return { ok = true, values = results, seconds = seconds }
end

---Compiles a line that is complete; the same for `:time` and its like.
---@param code string
---@return function?
---@return string? problem
function Session:compile(code)
  self.number = self.number + 1
  self.locals.declared_now = nil
  local name = ("=stdin#%d"):format(self.number)
  local fn, problem = self.locals:compile(code, name)
  if fn then self.chunks[name:sub(2)] = code end
  return fn, problem
end

---Takes one line, or a pasted block. What it means is told by its beginning:
---`?name`, `??name`, `:command`, `!shell`, else Lua.
---
---    local session = require "nslua.repl".new { columns = 80 }
---    print(session:feed "1 + 1".text)
---
---@param line string
---@return table outcome  more=true while a block is incomplete; else ok, values
---(as table.pack gives), text (what to show), notes (a list), and perhaps leave
---(end the prompt), interrupted, meant (what a name that is not there may have
---been), action (what the owner of the terminal is to do:
---kind = "shell", "lesson", "undo", with command, proc, name)
function Session:feed(line)
  sys.self(self, "Session")
  line = line:gsub("\r\n", "\n"):gsub("\n$", "")
  if not self.pending then
    if not line:find "%S" then return { ok = true, values = { n = 0 }, text = "", notes = {} } end
    local special = line:find "^%s*[?!]" or line:find "^%s*:%a"
    if special and line:find("\n", 1, true) then return evaluate.by_lines(self, line) end
    if special then
      return require("nslua.repl.commands").run(self, line)
    end
  end
  local outcome = evaluate.line(self, line)
  outcome.notes = outcome.notes or {}
  return outcome
end


---Forgets the lines of a block that is incomplete (Ctrl-C).
---
---    session:abandon()
---
function Session:abandon() self.pending = nil end


-- -- the prompt --------------------------------------------------------------

---What to ask the next line with, and what a line that goes on with a block.
---
---    io.write((session:prompt()))
---
---@return string prompt
---@return string continuation
function Session:prompt()
  sys.self(self, "Session")
  local env = self.env
  local own, own2 = rawget(env, "_PROMPT"), rawget(env, "_PROMPT2")
  local marks = place.marks(self.start, self.here)
  local head = self.name .. (#marks > 0 and "[" .. table.concat(marks, " ") .. "]" or "")
  local sign, more = "▸", "…"
  if self.ascii then sign, more = ">", ">>" end
  local prompt = self.ascii and head .. "> " or head .. " " .. sign .. " "
  local margin = (" "):rep(text.width(prompt) - #more:gsub("…", ".") - 1)
  return own ~= nil and tostring(own) or prompt, own2 ~= nil and tostring(own2) or margin .. more .. " "
end


---What is there now is none of the session's business: for one that goes on in a
---child, where the boxes are its parent's.
function Session:adopt() self.inherited = ending.inherited() end


---Calls f(...) with the session's width and signs, and out of any trace.
---@param f fun(...): any
---@return any ...
function Session:styled(f, ...) return style.within(self, f, ...) end


---How many cells a line has now.
---@return integer
function Session:width() return style.columns(self) end


---Looks again where the process is: for a change that no line of the session
---made (an undone one).
---@return table
function Session:refresh()
  self.here = style.quietly(place.look)
  return self.here
end


-- -- values, help, completion ------------------------------------------------

---A value as the session prints it.
---
---    session:print { 1, 2 }
---
---@param v any
---@return string
function Session:print(v)
  sys.self(self, "Session")
  return style.within(self, value.text, v, style.columns(self))
end

---Several values, as table.pack gives them.
---@param values table
---@return string
function Session:print_all(values)
  sys.self(self, "Session")
  return style.within(self, value.list, values, style.columns(self))
end


---The help on a name (what people write behind `?`) or on a value.
---
---    session:help "ns.box"
---
---@param what any
---@return string
function Session:help(what)
  sys.self(self, "Session")
  return style.within(self, require("nslua.repl.help").text, self, what)
end


---The source of a function, by name or value.
---
---    session:source "ns.box"
---
---@param what any
---@return string
function Session:source(what)
  sys.self(self, "Session")
  return style.within(self, require("nslua.repl.help").source, self, what)
end


---What may stand at the cursor.
---
---    session:complete("ns.un", 5)
---
---@param line string
---@param cursor? integer  bytes before it; default: all
---@return table found  from: the byte where the word begins; items: each with text
---and help, one line
function Session:complete(line, cursor)
  sys.self(self, "Session")
  return style.within(self, require("nslua.repl.complete").at, self, line, cursor or #line)
end


---The value of a name of the session: a local, else a global.
---@param name string
---@return any
function Session:value(name)
  sys.self(self, "Session")
  local v, found = self.locals:get(name)
  if found and not (self.locals.cells[name].builtin and rawget(self.env, name) ~= nil) then
    return v
  end
  return rawget(self.env, name)
end


-- -- the end -----------------------------------------------------------------

---Ends the session: closes its <close> variables, ends its boxes and other
---children. Says what it ended, "" for nothing.
---
---    print(session:close())
---
---@return string
function Session:close()
  sys.self(self, "Session")
  if self.closed then return "" end
  self.closed = true
  local said, children = {}, ending.children(self.inherited)
  for _, problem in ipairs(self.locals:close()) do
    said[#said + 1] = "error in __close: " .. self:print(problem)
  end
  local same_mounts = self.start.mnt == self.here.mnt
  for _, line in ipairs(ending.close(self.inherited, children, same_mounts)) do
    said[#said + 1] = line
  end
  return table.concat(said, ", ")
end

Session.__close = Session.close

-- `help(x)` is there as long as nobody else defines it.
local function add_help(self)
  self.locals:set("help", setmetatable({}, {
    __name = "nslua.help",
    __tostring = function() return self:help() end,
    __call = function(_, what)
      return setmetatable({ text = self:help(what) }, {
        __name = "nslua.help", __tostring = function(t) return t.text end,
      })
    end,
  }), "help(x): what is known of x")
end

-- And so is ns, where the owner of the globals did not ask for it by that name.
local function add_ns(self)
  if rawget(_G, "ns") == nil then self.locals:set("ns", ns, "Linux namespaces: ?ns lists what is there") end
end


---A new session. It owns no terminal: lines go in, text comes back.
---
---    local repl = require "nslua.repl"
---    local session = repl.new { env = setmetatable({}, { __index = _G }) }
---    for line in io.lines() do
---      local outcome = session:feed(line)
---      if not outcome.more then print(outcome.text) end
---    end
---    print(session:close())
---
---@param opts? { env?: table, columns?: integer|fun(): integer, ascii?: boolean, color?: boolean, name?: string }
---   env: the globals (_G); columns: how wide (80); ascii: no other signs;
---   color: lists may be coloured; name: what the prompt begins with ("host")
---@return nslua.Session
function repl.new(opts)
  opts = opts or {}
  local env = opts.env or _G
  if rawequal(env, _G) then sys.own_globals() end
  local start = place.look()
  local self = setmetatable({
    env = env, columns = opts.columns, ascii = opts.ascii, color = opts.color,
    name = opts.name or "host", locals = locals.new(env), good = {}, past = {},
    number = 0, chunks = {}, start = start, here = start,
    inherited = ending.inherited(),
  }, Session)
  add_help(self)
  add_ns(self)
  return self
end

return repl
