-- SPDX-License-Identifier: MIT
-- A program that leads a session on a terminal of our own, and what it shows.

local assert = require "luassert"
local ns = require "nslua"

local PATIENCE = 10 -- seconds until something must be on the screen

local terminal = {}
terminal.__index = terminal

---Starts a program on a new terminal.
function terminal.start(argv, env)
  local full = { "env", "TERM=xterm", "PS1=$ ", "ENV=" }
  for name, value in pairs(env or {}) do full[#full + 1] = name .. "=" .. value end
  table.move(argv, 1, #argv, #full + 1, full)
  local child = ns.clone({ session = true, stdin = "tty", stdout = "tty", stderr = "tty", die_with_parent = true }, full)
  return setmetatable({ child = child, tty = child.tty, shown = "", seen = 1 }, terminal)
end


-- Reads what there is, for some time at most. What is shown is without the
-- sequences that move the cursor and paint.
local function read_on(self, seconds)
  if #ns.poll({ self.tty }, seconds) == 0 then return end
  local piece = ns.try(self.tty.read, self.tty, 65536) or "" -- EIO: nobody is left on it
  self.raw = (self.raw or "") .. piece
  self.shown = self.shown .. piece:gsub("\27%[[%d;?]*%a", ""):gsub("[\r\7]", "")
end

---Is the pattern shown, behind what was waited for, within so many seconds?
function terminal:shows(pattern, seconds)
  local deadline = ns.clock() + seconds
  repeat
    read_on(self, math.max(0, math.min(0.2, deadline - ns.clock())))
    local _, last = self.shown:find(pattern, self.seen)
    if last then
      self.seen = last + 1
      return true
    end
  until ns.clock() >= deadline
  return false
end


---Reads on until the pattern is shown behind what was waited for before, and
---returns its captures.
function terminal:expect(pattern)
  local deadline = os.time() + PATIENCE
  while true do
    local found = table.pack(self.shown:find(pattern, self.seen))
    if found[1] then
      self.seen = found[2] + 1
      return table.unpack(found, 3, found.n)
    end
    read_on(self, 0.2)
    if os.time() > deadline then
      error(("%q is not shown after %q"):format(pattern, self.shown:sub(self.seen)), 2)
    end
  end
end


function terminal:type(keys)
  self.answered = #self.shown
  self.tty:write(keys)
end


---The end of the program, as Proc:wait gives it.
function terminal:outcome()
  local ok, how, code = self.child:wait(PATIENCE)
  assert.not_equal("timeout", how, self.shown)
  return ("%s %s %d"):format(ok, how, code)
end


function terminal:__close()
  self.child:close()
  self.tty:close()
end

return terminal
