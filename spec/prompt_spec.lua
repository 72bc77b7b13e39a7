-- SPDX-License-Identifier: MIT
-- What the prompt on a terminal adds to a session: history, paste, Tab, shells,
-- boxes, lessons.

local helpers = require "spec.helpers"
local prompts = require "spec.prompts"
local ns = require "nslua"

local CTRL_R, UP, RESIZED = "\18", "\27[A", 100
local readline, libedit = prompts.readline, prompts.libedit

local function leave(t) assert.equal("true exit 0", prompts.leave(t)) end

local function text_of(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- Types more than a terminal holds while somebody reads along.
local function pour(t, text)
  return ns.fork(function() t.tty:write(text) end)
end

-- A history of two prompts at once, in the folder $XDG_STATE_HOME.
local TWO = [[
  local history = require "nslua.prompt.history"
  local a, b = history.open(), history.open()
  local function told(past)
    local list = {}
    for entry in past:entries() do list[#list + 1] = entry end
    return table.concat(list, ",")
  end
]]

local function of_two(code)
  local state = prompts.folder()
  local out = helpers.run({ "env", "XDG_STATE_HOME=" .. state, helpers.program, "-e", TWO .. code })
  return out
end

describe("the history of the prompt", function()
  it("of two at once is told in whole lines", function()
    assert.equal("a long one of b,a\n", of_two [[
      b:add "a long one of b" a:add "a" print(told(a))]])
    assert.equal("\nb\n", of_two 'a:add "a" print(told(a)) b:entries() b:add "b" print(told(a))')
  end)

  helpers.root_it("goes on in a line of its own after a full disk took half of one", function()
    local out = of_two [[
      local ns = require "nslua"
      ns.unshare "mnt" ns.propagate "rprivate"
      local state = os.getenv "XDG_STATE_HOME"
      ns.mount("tmpfs", state, "tmpfs", 0, "size=8k")
      local past = history.open()
      local file = ns.open(state .. "/fill", "wronly,creat")
      file:write(("x"):rep(4096))
      past:add(("y"):rep(4090)) past:add(("torn"):rep(10))
      file:close() ns.unlink(state .. "/fill")
      past:add "whole"
      local last
      for entry in history.open():entries() do last = entry end
      print(last)]]
    assert.equal("whole\n", out)
  end)

  teardown(prompts.clean)

  it("is a file of the user's, written line by line, one for all prompts", function()
    local state = prompts.folder()
    local t, other = prompts.start { state = state }, prompts.start { state = state }
    prompts.lines(t, "x = 1", "for i = 1, 2 do")
    t:expect ">> "
    t:type "print('\\n') end\r"
    prompts.lines(other, "y = 2", "y = 2")
    other:expect "> "
    t:expect "> $"
    local path = state .. "/nslua/history"
    local lines = {}
    for line in text_of(path):gmatch "[^\n]+" do lines[#lines + 1] = line end
    table.sort(lines)
    assert.same({ "for i = 1, 2 do\\nprint('\\\\n') end", "x = 1", "y = 2" }, lines)
    assert.equal(tonumber("600", 8), ns.stat(path).mode & 4095)
    leave(t)
    leave(other)
  end)

  for _, editor in ipairs { readline, libedit } do
    helpers.need_it(prompts.can_open(editor), "comes back, with " .. editor, function()
      local state = prompts.folder()
      local t = prompts.start { state = state, editor = editor }
      prompts.lines(t, "print('first ' .. 1)", "x = 2")
      leave(t)
      t = prompts.start { state = state, editor = editor }
      t:expect "> "
      t:type(UP .. UP .. "\r")
      t:expect "\nfirst 1\n"
      leave(t)
    end)
  end

  prompts.readline_it("can be searched", function()
    local t = prompts.start { editor = readline }
    prompts.lines(t, "print('nee' .. 'dle')", "x = 2", "y = 3")
    t:expect "> "
    t:type(CTRL_R .. "nee")
    t:expect "search"
    t:type "\r"
    t:expect "\nneedle\n"
    leave(t)
  end)

  for _, editor in ipairs { readline, libedit } do
    helpers.need_it(prompts.can_open(editor), "search ends with Ctrl-C at once, and the next line is whole: " .. editor, function()
      local t = prompts.start { editor = editor }
      prompts.lines(t, "print('nee' .. 'dle')")
      t:expect "\nneedle\n> "
      t:type(CTRL_R .. "nee")
      t:expect(editor == readline and "search" or "bck")
      assert.is_true(t:shows("dle'", 5))
      t:type "\3"
      t:expect "%^C[^\n]*\n"
      t:expect "> $"
      t:type "print('wh' .. 'ole')\r"
      t:expect "\nwhole\n"
      assert.is_true(editor == libedit or not t.shown:find("> > ", 1, true))
      leave(t)
    end)
  end

  for _, editor in ipairs { readline, libedit } do
    helpers.need_it(prompts.can_open(editor), "a line ends with a Ctrl-C right behind its last key: " .. editor, function()
      local t = prompts.start { editor = editor }
      for _ = 1, 30 do
        t:expect "> $"
        t:type "half"
        t:type "\3"
        t:expect "%^C[^\n]*\n"
      end
      leave(t)
    end)
  end

  helpers.ns_it("user mnt", "goes on in another root", function()
    local state = prompts.folder()
    local t = prompts.start { state = state }
    prompts.lines(t, "ns.unshare('user', 'mnt') ns.map(ns.getpid(), { uid = '0 " .. ns.getuid() .. " 1' })",
      "ns.chroot '/proc'", "inside = true")
    leave(t)
    assert.matches("\ninside = true\n$", text_of(state .. "/nslua/history"))
  end)

  it("that cannot be written is told once, and that is all", function()
    local t = prompts.start { state = "/proc/nowhere" }
    t:expect "note: the history is not kept: .-\n"
    prompts.lines(t, "print('o' .. 'n')")
    t:expect "\non\n"
    assert.is_nil(t.shown:find("history", t.seen, true))
    leave(t)
  end)
end)

describe("what is pasted", function()
  teardown(prompts.clean)
  local block = { "function f()" }
  for i = 1, 196 do block[#block + 1] = ("\tlocal a%d = %d"):format(i, i) end
  for _, line in ipairs { "\treturn a1 + a196", "end", "print('sum ' .. f())" } do block[#block + 1] = line end

  prompts.readline_it("between brackets is one chunk, 200 lines of it", function()
    local t = prompts.start { editor = readline }
    t:expect "> "
    local _ <close> = pour(t, "\27[200~" .. table.concat(block, "\n") .. "\27[201~\r")
    t:expect "sum 197\n"
    leave(t)
  end)

  -- Only when it is asked to does a terminal put the brackets there.
  prompts.readline_it("has its brackets asked for while a line is read, not while it runs", function()
    local t = prompts.start { editor = readline }
    prompts.lines(t, "print('ra' .. 'n')")
    t:expect "\nran\n> "
    assert.matches("\27%[%?2004h> print.*\27%[%?2004l\r?.-ran.*\27%[%?2004h> ", t.raw)
    leave(t)
  end)

  helpers.need_it(prompts.can_open(libedit), "may be more than libedit has room for", function()
    local t = prompts.start { editor = libedit }
    t:expect "> "
    local _ <close> = pour(t, "print(#'" .. ("x"):rep(6000) .. "')\r")
    assert.is_true(t:shows("\n6000\n", 60)) -- it draws the line for each key
    t:expect "> "
    t:type "\27[A\t\3"
    prompts.lines(t, "print('on' .. 'ward')")
    t:expect "\nonward\n"
    leave(t)
  end)

  for _, editor in ipairs { "", libedit } do
    helpers.need_it(editor == "" and function() return true end or prompts.can_open(editor),
      "without brackets goes on line by line, 200 of them: " .. (editor == "" and "no editor" or editor), function()
      local t = prompts.start { editor = editor }
      t:expect "> "
      local _ <close> = pour(t, table.concat(block, "\n") .. "\n")
      t:expect "sum 197\n"
      leave(t)
    end)
  end

  prompts.readline_it("may be a megabyte", function()
    local t = prompts.start { editor = readline }
    t:expect "> "
    local _ <close> = pour(t, "\27[200~print(#'" .. ("x"):rep(1000000) .. "')\27[201~\r")
    assert.is_true(t:shows("\n1000000\n", 60)) -- it is read byte by byte
    leave(t)
  end)

  prompts.readline_it("may be typed, a megabyte without brackets", function()
    local t = prompts.start { editor = readline }
    t:expect "> "
    local _ <close> = pour(t, "print(#'" .. ("x"):rep(1000000) .. "')\r")
    assert.is_true(t:shows("\n1000000\n", 60)) -- it is read byte by byte
    leave(t)
  end)
end)

describe("the Tab key", function()
  teardown(prompts.clean)
  local tab = require "nslua.prompt.tab"

  it("replaces what the editor takes for the word", function()
    local found = { from = 4, items = { { text = "unshare", help = "leaves" } } }
    assert.same({ "unshare" }, (tab.fit(found, "ns.un", 3)))
    assert.same({ "ns.unshare" }, (tab.fit(found, "ns.un", 0)))
    assert.same({ "share" }, (tab.fit(found, "ns.un", 5)))
  end)

  it("shows a line of help each, nothing wider than the terminal", function()
    local list, help = { "a", "bb" }, { a = "the first", bb = ("long "):rep(40) }
    for _, line in ipairs { tab.listed(list, help, 39):match "^(.-)\n(.-)\n$" } do assert.is_true(utf8.len(line) <= 39) end
    assert.matches("^a   the first\nbb  long", tab.listed(list, help, 39))
    local many = {}
    for i = 1, 60 do many[i] = "name" .. i end
    assert.matches("^name1 +name21", tab.listed(many, { name1 = "x" }, 30))
    assert.is_nil(tab.listed({ "\27[2J" }, {}, 30):find("\27", 1, true))
  end)

  for _, editor in ipairs { readline, libedit } do
    helpers.need_it(prompts.can_open(editor), "completes with " .. editor, function()
      local t = prompts.start { editor = editor }
      t:expect "> "
      t:type "print(ns.gethostn\t"
      t:expect "ostname"
      t:type(t.shown:find("gethostname%($") and ") == ns.gethostname())\r" or "() == ns.gethostname())\r")
      t:expect "\ntrue\n"
      leave(t)
    end)
  end

  helpers.need_it(prompts.can_open(libedit), "lists many candidates without a question that waits", function()
    local t = prompts.start { editor = libedit }
    t:expect "> "
    t:type "ns.\t\t"
    t:expect "unshare"
    assert.is_nil(t.shown:find("possibilities", 1, true))
    t:type "\3"
    t:expect "%^C[^\n]*\n"
    prompts.lines(t, "print('on' .. 'ward')")
    t:expect "\nonward\n"
    leave(t)
  end)

  prompts.readline_it("lists candidates with their help, and puts a tab where a line begins", function()
    local t = prompts.start { editor = readline }
    t:expect "> "
    t:type "ns.gethos\t\t"
    t:expect "ostname"
    t:type "\21ns.uns\t\21ns.set\t\t"
    t:expect "\nsethostname +%S[^\n]+\n"
    t:type "\21\tprint(8)\r"
    t:expect "\n8\n"
    leave(t)
  end)
end)

describe("from the prompt", function()
  teardown(prompts.clean)

  it("a shell is one sign away, and gives the terminal back", function()
    local t = prompts.start()
    prompts.lines(t, "!echo on $((40 + 2)); exit 3")
    t:expect "\non 42\n%(exit 3%)\n"
    prompts.lines(t, "!stty raw -echo; kill -9 $$")
    t:expect "%(signal 9%)\n"
    prompts.lines(t, "!")
    t:expect "[$#] "
    t:type "echo in $0\n"
    t:expect "\nin /bin/sh\n"
    t:type "exit\n"
    leave(t)
  end)

  helpers.ns_it("user pid mnt", "a shell gives the terminal back in a pid namespace of somebody else's making, too", function()
    local t = prompts.start { shell = true, before = "unshare -Urmfp --mount-proc " }
    prompts.lines(t, "ns.unshare 'pid'")
    assert.is_truthy(t:shows("only children move", 10))
    for _ = 1, 2 do
      prompts.lines(t, "!true", "print('still ' .. 'here')")
      t:expect "\nstill here\n"
      prompts.lines(t, "ns.back()")
    end
    assert.is_nil(t.shown:find("only children move", t.seen, true))
    t:expect "> "
    t:type "\4"
    t:expect "%$ "
    t:type "exit 0\r"
    assert.equal("true exit 0", t:outcome())
    t:__close()
  end)

  helpers.ns_it("user pid uts mnt", "boxes have shells and prompts, and end with it", function()
    local t = prompts.start { plain = false }
    t:expect "host ▸ "
    t:type "n = 5 b = ns.box { 'uts', 'mnt', hostname = 'inner' }\r"
    t:expect "host ▸ "
    t:type "!b echo in $(uname -n)\r"
    t:expect "\nin inner\n"
    t:type "b:enter()\r"
    t:expect "[$#] "
    t:type "exit\n"
    t:expect "true\texit\t0\n"
    t:type "local m = 6\rb:repl()\r"
    t:expect "b:repl%(%).*nslua %d[^\n]*\n"
    t:expect "box ▸ "
    t:type "print(n + m, ns.gethostname()) ns.sethostname 'changed'\r"
    t:expect "\n11\tinner\n"
    t:expect "box ▸ "
    t:type "\4"
    assert.is_nil(t:expect("(.-)true\texit\t0\n"):find "ended") -- the box is not its own
    t:expect "host ▸ "
    t:type "print(b:hostname())\r"
    t:expect "\nchanged\n"
    t:expect "host ▸ "
    t:type "\4"
    t:expect "\n1 box ended, 0 mounts left, history saved\n"
    assert.equal("true exit 0", t:outcome())
    assert.equal(t.modes, t.tty:tcgetattr())
    t:__close()
  end)

  helpers.ns_it("user pid uts", "a box may die under its shell", function()
    local t = prompts.start()
    prompts.lines(t, "b = ns.box { 'uts', hostname = 'inner' } print(('pid %d.'):format(b.pid))")
    local pid = t:expect "\npid (%d+)%."
    prompts.lines(t, "b:enter()")
    t:expect "[$#] "
    t:type "stty raw -echo; echo up\n"
    t:expect "\nup"
    ns.kill(math.tointeger(pid), "KILL")
    t:expect "signal\t9\n"
    prompts.lines(t, "print('still ' .. 'here')")
    t:expect "\nstill here\n"
    prompts.lines(t, "!b true")
    t:expect "rocess [%d ]*has ended%p?\n" -- the kernel says so first, or we
    prompts.lines(t, "b")
    t:expect "\nbox %d+[^\n]*: new [^\n]*; it has ended\n"
    prompts.lines(t, "b:repl()")
    t:expect "\nstdin:1: the process has ended: %d+\n"
    leave(t)
    assert.is_nil(t.shown:find("stack traceback", 1, true))
  end)

  helpers.ns_it("user mnt uts", "a lesson runs and comes back", function()
    local t = prompts.start { env = { HOME = prompts.folder() } }
    prompts.lines(t, ":lesson uts")
    t:expect "1/%d"
    t:type "q"
    t:expect "> "
    t:type "print('ba' .. 'ck')\r"
    t:expect "\nback\n"
    leave(t)
  end)

  prompts.readline_it("a new size is followed, at the prompt and in a chunk", function()
    local t = prompts.start { editor = readline }
    t:expect "> "
    t:type "x = 'some text'"
    t:expect "text'"
    t.tty:winsize(30, 40)
    t:type("-- " .. ("y"):rep(60) .. "\r")
    prompts.lines(t, "print(ns.fd(1):winsize())")
    t:expect "\n30\t40\n"
    prompts.lines(t, "print('re' .. 'ady') io.read() print(x)")
    t:expect "\nready\n"
    t.tty:winsize(20, RESIZED)
    t:type "\r"
    t:expect "\nsome text\n"
    leave(t)
  end)

  prompts.readline_it("says nothing of the size in the environment, which would outlive it in a shell", function()
    local t = prompts.start { editor = readline, env = { LINES = "", COLUMNS = "" } }
    prompts.lines(t, "b = ns.box { 'user' }", "b:sh 'echo is ${LINES:-un}${COLUMNS:-set}'")
    t:expect "\nis unset\n"
    leave(t)
  end)

  prompts.readline_it("~/.inputrc counts, with $if lua", function()
    local file = prompts.folder() .. "/inputrc"
    local out <close> = assert(io.open(file, "w"))
    out:write("$if lua\n\"\\C-xp\": \"print('from ' .. 'inputrc')\\C-m\"\n$endif\n"):close()
    local t = prompts.start { editor = readline, env = { INPUTRC = file } }
    t:expect "> "
    t:type "\24p"
    t:expect "\nfrom inputrc\n"
    leave(t)
  end)
end)
