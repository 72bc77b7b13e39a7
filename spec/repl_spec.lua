-- SPDX-License-Identifier: MIT
-- The prompt on a terminal of our own making, with each line editor that is
-- installed and without one.

local helpers = require "spec.helpers"
local ns = require "nslua"

local PATIENCE = 10 -- seconds until something must be on the screen

-- One session: keys go in by type(); what it shows collects in `shown`, without
-- the sequences that move the cursor.
local session = {}
session.__index = session

function session.start(editor, argv)
  local master, slave = ns.pty(24, 80)
  local self = setmetatable({ master = master, slave = slave, raw = "", shown = "", seen = 1 }, session)
  self.modes = slave:tcgetattr()
  local terminal = ns.readlink("/proc/self/fd/" .. slave:fileno())
  local command = { "sh", "-c", "trap '' HUP; exec \"$@\"", "sh", "env", "-u", "LUA_INIT", "TERM=xterm",
                    "INPUTRC=/dev/null", helpers.program }
  table.move(argv or {}, 1, #(argv or {}), #command + 1, command)
  if editor then table.insert(command, 8, "NSLUA_READLINELIB=" .. editor) end
  self.child = ns.fork(function()
    ns.setsid()
    local tty = ns.open(terminal, "rdwr") -- becomes the controlling terminal
    for fd = 0, 2 do tty:dup2(fd) end
    ns.exec(command)
  end)
  return self
end

-- Waits until text is shown behind what was waited for before.
function session:expect(text)
  local deadline = os.time() + PATIENCE
  while true do
    local from, to = self.shown:find(text, self.seen, true)
    if from then
      self.seen = to + 1
      return
    end
    if #ns.poll({ self.master }, 1) > 0 then
      self.raw = self.raw .. (self.master:read(65536) or "")
      self.shown = self.raw:gsub("\27%[[%d;?]*%a", ""):gsub("[\r\7]", "")
    elseif os.time() > deadline or select(2, self.child:wait(0)) ~= "timeout" then
      error(("%q is not shown after %q"):format(text, self.shown:sub(self.seen)), 2)
    end
  end
end

function session:type(keys) self.master:write(keys) end

-- Ctrl-D: the prompt ends and leaves the terminal as it was.
function session:leave()
  if not self.shown:find "> $" then self:expect "> " end
  self:type "\4"
  assert.same({ true, "exit", 0 }, { self.child:wait(PATIENCE) })
  assert.equal(self.modes, self.slave:tcgetattr())
  self.master:close()
  self.slave:close()
end

local CTRL_C = "\3"

local function can_open(library)
  return function()
    local out = helpers.nslua(("print(package.loadlib('%s', '*'))"):format(library))
    return out:match "^true" ~= nil, library .. " is not installed"
  end
end

-- What holds with every kind of input.
local habits = {
  { "runs lines, prints expressions, and has ns", function(editor)
    local s = session.start(editor)
    s:expect "Lua 5.4"
    s:expect "nslua "
    s:expect "> "
    s:type "x = 41\r"
    s:expect "> "
    s:type "x + 1\r"
    s:expect "\n42"
    s:expect "> "
    s:type "ns == require 'nslua'\r"
    s:expect "\ntrue"
    s:leave()
  end },

  { "reads on while a chunk is incomplete", function(editor)
    local s = session.start(editor)
    s:type "for i = 7, 8 do\r"
    s:expect ">> "
    s:type "print('i' .. i) end\r"
    s:expect "\ni7"
    s:expect "\ni8"
    s:leave()
  end },

  { "shows an error and goes on", function(editor)
    local s = session.start(editor)
    s:expect "> "
    s:type "error 'wrong'\r"
    s:expect "stdin:1: wrong"
    s:expect "> "
    s:type "x y\r"
    s:expect "syntax error near 'y'"
    s:expect "> "
    s:leave()
  end },

  { "gives a line up on Ctrl-C, at once", function(editor)
    local s = session.start(editor)
    s:expect "> "
    s:type "some rubbish"
    s:expect "rubbish"
    s:type(CTRL_C)
    s:expect "\n"
    s:expect "> "
    s:type "print('on')\r"
    s:expect "\non"
    s:leave()
  end },

  { "gives a continuation up on Ctrl-C", function(editor)
    local s = session.start(editor)
    s:expect "> "
    s:type "print(\r"
    s:expect ">> "
    s:type(CTRL_C)
    s:expect "\n"
    s:expect "> "
    s:type "'fre' .. 'sh'\r"
    s:expect "\nfresh"
    s:leave()
  end },

  { "interrupts a chunk on Ctrl-C and goes on", function(editor)
    local s = session.start(editor)
    s:expect "> "
    s:type "print('go' .. 'es') while true do end\r"
    s:expect "goes"
    s:type(CTRL_C)
    s:expect "interrupted!"
    s:expect "> "
    s:leave()
  end },

  { "leaves the terminal to what a chunk reads", function(editor)
    local s = session.start(editor)
    s:expect "> "
    s:type "print 'ask' answer = io.read()\r"
    s:expect "\nask"
    s:type "typed\r"
    s:expect "> "
    s:type "answer:upper()\r"
    s:expect "\nTYPED"
    s:leave()
  end },

  { "takes bytes that are no UTF-8, and long lines", function(editor)
    local s = session.start(editor)
    s:expect "> "
    s:type "#'\xff\xfeb'\r"
    s:expect(editor == "libedit.so.2" and "\n" or "\n3") -- which drops them
    s:expect "> "
    s:type("#'" .. ("x"):rep(3000) .. "'\r")
    s:expect "\n3000"
    s:leave()
  end },

  { "ends when its terminal goes away", function(editor)
    local s = session.start(editor)
    s:expect "> "
    s.master:close()
    assert.same({ true, "exit", 0 }, { s.child:wait(PATIENCE) })
    s.slave:close()
  end },

  { "the child of a fork leaves the prompt to its parent", function(editor)
    local s = session.start(editor)
    s:expect "> "
    s:type "pid = ns.fork() if pid == 0 then print 'child' else print(ns.wait(pid)) end\r"
    s:expect "\nchild"
    s:expect "\ntrue\texit\t0"
    s:expect "> "
    s:leave()
  end },
}

local function behaves(editor, one)
  for _, habit in ipairs(habits) do
    one(habit[1], function() habit[2](editor) end)
  end
end

describe("the prompt without a line editor", function()
  behaves("", it)

  it("says so when the one that was asked for is not there", function()
    local s = session.start "libnosuch.so.1"
    s:expect "NSLUA_READLINELIB"
    s:expect "> "
    s:leave()
  end)
end)

for _, library in ipairs { "libreadline.so.8", "libedit.so.2" } do
  describe("the prompt with " .. library, function()
    local function editor_it(name, fn) helpers.need_it(can_open(library), name, fn) end
    behaves(library, editor_it)

    editor_it("brings the last chunk back", function()
      local s = session.start(library)
      s:expect "> "
      s:type "n = (n or 4) + 1\r"
      s:expect "> "
      s:type "\27[A\r"
      s:expect "> "
      s:type "n\r"
      s:expect "\n6"
      s:leave()
    end)
  end)
end

describe("the prompt with readline", function()
  local function readline_it(name, fn) helpers.need_it(can_open "libreadline.so.8", name, fn) end

  readline_it("takes a pasted block whole, tabs too", function()
    local s = session.start "libreadline.so.8"
    s:expect "> "
    s:type "\27[200~function f()\n\treturn 'pas' .. 'ted'\nend\nprint(f())\27[201~\r"
    s:expect "\npasted"
    s:leave()
  end)
end)

describe("the prompt after a script", function()
  it("keeps what the script made, a variable ns too", function()
    local s = session.start("", { "-e", "ns = 'mine'", "-i" })
    s:expect "> "
    s:type "ns:upper()\r"
    s:expect "\nMINE"
    s:leave()
  end)

  it("is not for a terminal that only hears: no ns in a pipe", function()
    local out = helpers.nslua({ "-i" }, { stdin = "ns\n" })
    assert.matches("\n> ns\nnil\n> \n$", out)
  end)
end)
