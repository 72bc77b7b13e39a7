-- SPDX-License-Identifier: MIT
-- The prompt on a terminal of our own making, with each line editor that is
-- installed and without one.

local helpers = require "spec.helpers"
local prompts = require "spec.prompts"
local terminal = require "spec.terminal"

local CTRL_C, CTRL_D, CTRL_Z = "\3", "\4", "\26"

local function leave(t) assert.equal("true exit 0", prompts.leave(t)) end

-- What holds with every kind of input: name, function(editor).
local habits = {}

local function habit(name, fn) habits[#habits + 1] = { name, fn } end

habit("runs lines, prints expressions, and has ns", function(editor)
  local t = prompts.start { editor = editor }
  prompts.lines(t, "x = 41", "x + 1")
  t:expect "\n42\n"
  prompts.lines(t, "ns == require 'nslua'")
  t:expect "\ntrue\n"
  leave(t)
end)

habit("reads on while a chunk is incomplete", function(editor)
  local t = prompts.start { editor = editor }
  prompts.lines(t, "for i = 7, 8 do")
  t:expect ">> "
  t:type "print('i' .. i) end\r"
  t:expect "\ni7\ni8\n"
  leave(t)
end)

habit("shows an error and goes on", function(editor)
  local t = prompts.start { editor = editor }
  prompts.lines(t, "error 'wrong'")
  t:expect "\nstdin:1: wrong\n"
  prompts.lines(t, "x y")
  t:expect "syntax error near 'y'\n"
  leave(t)
end)

habit("gives a line up on Ctrl-C, at once", function(editor)
  local t = prompts.start { editor = editor }
  t:expect "> "
  t:type "some rubbish"
  t:expect "rubbish"
  t:type(CTRL_C)
  t:expect "\n"
  prompts.lines(t, "print('o' .. 'n')")
  t:expect "\non\n"
  leave(t)
end)

habit("gives a continuation up on Ctrl-C and on Ctrl-D", function(editor)
  local t = prompts.start { editor = editor }
  for _, key in ipairs { CTRL_C, CTRL_D } do
    prompts.lines(t, "print(")
    t:expect ">> "
    t:type(key)
    t:expect "\n"
    prompts.lines(t, "print('fre' .. 'sh')")
    t:expect "\nfresh\n"
  end
  leave(t)
end)

habit("interrupts a chunk on Ctrl-C, however often, and goes on", function(editor)
  local t = prompts.start { editor = editor }
  for _, code in ipairs {
    "while true do end",
    "while not pcall(function() while true do end end) do if x then break end x = true end while true do end",
    "coroutine.wrap(function() while true do end end)()",
    "while not coroutine.resume(coroutine.create(function() coroutine.wrap(function() while true do end end)() end)) "
      .. "do while true do end end",
    "table.sort({ 1, 2, 3 }, function() while true do end end)",
    "os.execute 'sleep 60' while true do end",
    "io.read()",
    "ns.wait(ns.fork(function() ns.poll({}, 60) end)) while true do end",
    "setmetatable({}, { __tostring = function() while true do end end })",
  } do
    prompts.lines(t, "x = nil print('go' .. 'es') " .. code:gsub("^setmeta", "return setmeta"))
    t:expect "\ngoes\n"
    for _ = 1, 100 do
      t:type(CTRL_C)
      if t:shows("interrupted after %d+%.%d s[^\n]*\n", 0.1) or t:shows("> $", 0) then break end
    end
  end
  leave(t)
end)

habit("says what cannot be interrupted, and waits for its end", function(editor)
  local t = prompts.start { editor = editor }
  prompts.lines(t, "print('go' .. 'es') print(#string.rep('x', 100), (('a'):rep(60)):find(('a*'):rep(5) .. 'b'))")
  t:expect "\ngoes\n"
  t:type(CTRL_C)
  if not t:shows("interrupted after", 0.2) then t:type(CTRL_C) end
  t:expect "> $"
  leave(t)
end)

habit("leaves the terminal to what a chunk reads", function(editor)
  local t = prompts.start { editor = editor }
  prompts.lines(t, "print 'ask' answer = io.read()")
  t:expect "\nask\n"
  t:type "typed\r"
  prompts.lines(t, "print(answer:upper())")
  t:expect "\nTYPED\n"
  leave(t)
end)

habit("takes bytes that are no UTF-8, and long lines", function(editor)
  local t = prompts.start { editor = editor }
  prompts.lines(t, "print(#'\xff\xfeb')")
  t:expect(editor == prompts.libedit and "\n" or "\n3\n") -- which drops them
  prompts.lines(t, "print(#'" .. ("x"):rep(3000) .. "')")
  t:expect "\n3000\n"
  leave(t)
end)

habit("stops on Ctrl-Z and goes on with fg, the terminal in order both times", function(editor)
  local t = prompts.start { editor = editor, shell = true }
  prompts.lines(t, "x = 7")
  for _, busy in ipairs { false, true } do
    t:expect "> "
    if busy then
      t:type "print('go' .. 'es') while true do end\r"
      t:expect "\ngoes\n"
    end
    t:type(CTRL_Z)
    t:expect "[Ss]topped"
    t:expect "%$ "
    t:type "stty -a | grep -ow -e '-*icanon'\r"
    t:expect "\nicanon\n"
    t:expect "%$ "
    t:type "fg\r"
    t:expect "nslua\n"
    if busy then
      for _ = 1, 50 do -- the shell says so before it is so
        t:type(CTRL_C)
        if t:shows("interrupted after", 0.2) then break end
      end
    end
    prompts.lines(t, "print('x' .. x)")
    t:expect "\nx7\n"
  end
  t:expect "> "
  t:type(CTRL_D)
  t:expect "%$ "
  t:type "exit 0\r"
  assert.equal("true exit 0", t:outcome())
  t:__close()
end)

habit("ends when its terminal goes away, and when it is told to", function(editor)
  local t = prompts.start { editor = editor }
  t:expect "> "
  t.tty:close()
  assert.is_truthy(({ ["true exit 0"] = true, ["nil exit 129"] = true })[t:outcome()])
  t.child:close()
  t = prompts.start { editor = editor }
  prompts.lines(t, "b = ns.fork(function() ns.poll({}, 60) end)")
  t:expect "> "
  t.child:kill "TERM"
  assert.equal("nil exit 143", t:outcome())
  assert.equal(t.modes, t.tty:tcgetattr())
  t:expect "1 process ended"
  t:__close()
end)

habit("the child of a fork leaves the prompt to its parent", function(editor)
  local t = prompts.start { editor = editor }
  prompts.lines(t, "pid = ns.fork() if pid == 0 then print 'child' else print(ns.wait(pid)) end")
  t:expect "\nchild\n"
  t:expect "true\texit\t0"
  leave(t)
end)

habit("works on a terminal that can do nothing, and on one without a size", function(editor)
  for _, size in ipairs { 80, 0, 12 } do
    local t = prompts.start { editor = editor, env = { TERM = size == 80 and "dumb" or "xterm" } }
    t.tty:winsize(size > 0 and 24 or 0, size)
    prompts.lines(t, "x = 41")
    t:expect "> "
    t:type "print(x + 1)\r"
    t:expect "\n42\n"
    t:expect "> "
    t:type(CTRL_D)
    assert.equal("true exit 0", t:outcome())
    if size == 80 then assert.is_nil(t.raw:find("\27", 1, true)) end
    t:__close()
  end
end)

local function behaves(editor, one)
  for _, one_habit in ipairs(habits) do
    one(one_habit[1], function() one_habit[2](editor) end)
  end
end

describe("the prompt without a line editor", function()
  teardown(prompts.clean)
  behaves("", it)

  it("says so when the one that was asked for is not there", function()
    local t = prompts.start { editor = "libnosuch.so.1" }
    assert.is_true(t:shows("> $", 10))
    assert.is_truthy(t.shown:find("NSLUA_READLINELIB: no such line editor; plain input\n", 1, true))
    leave(t)
  end)
end)

for _, library in ipairs { prompts.readline, prompts.libedit } do
  describe("the prompt with " .. library, function()
    teardown(prompts.clean)
    local function editor_it(name, fn) helpers.need_it(prompts.can_open(library), name, fn) end
    behaves(library, editor_it)
  end)
end

describe("the prompt after a script", function()
  teardown(prompts.clean)

  it("keeps what the script made, a variable ns too", function()
    local t = prompts.start { argv = { "-e", "ns = 'mine'", "-i" } }
    prompts.lines(t, "print(ns:upper())")
    t:expect "\nMINE\n"
    leave(t)
  end)

  it("is lua's where its output goes into a pipe, and where its input comes from one", function()
    for _, command in ipairs { "%s | cat", "(echo '1 + 1'; echo ns) | %s -i" } do
      local t = terminal.start({ "sh", "-c", command:format(helpers.program) }, { NSLUA_READLINELIB = "", LUA_INIT = "" })
      local typed = command:find "cat"
      if typed then
        t:expect "> "
        t:type "1 + 1\r"
        t:expect "\n2\n> "
        t:type "ns\r"
        t:expect "\nnil\n> "
        t:type "\4"
      else
        t:expect "\n2\n.*nil\n"
      end
      assert.equal("true exit 0", t:outcome())
      assert.is_nil(t.shown:find("?name", 1, true))
      t:__close()
    end
  end)

  it("is not for a terminal that only hears: no ns in a pipe", function()
    local out = helpers.nslua({ "-i" }, { stdin = "ns\n" })
    assert.matches("\n> ns\nnil\n> \n$", out)
  end)
end)
