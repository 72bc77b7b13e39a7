-- SPDX-License-Identifier: MIT
-- The screen of a lesson: what is drawn, and what keys do on a terminal of our
-- own making.
local helpers = require "spec.helpers"
local keybar = require "nslua.lesson.keybar"
local prompts = require "spec.prompts"
local screen = require "nslua.lesson.screen"
local terminal = require "spec.terminal"
local text = require "nslua.text"
local ns = require "nslua"

local PATIENCE = 10 -- seconds until something must be on the screen


-- -- what is drawn -------------------------------------------------------------

local function a_lesson()
  return ns.lesson {
    id = "a", title = "A title", { "The step", say = ("word "):rep(30), shell = "by hand",
      run = function(t) t.box:call(print) end, hint = { "one", "two" },
      check = { ["it holds"] = function() return true end } },
    { "The last", observe = true },
  }
end

local function shown_step()
  local step = a_lesson().steps[1]
  return { step = step, hints = 1, result = { output = "out\twards\n\27[31m", claims = {
    { text = "it holds", ok = true, kind = "check" },
    { text = "it does not", ok = false, kind = "check", why = "because", where = "file:1" } },
    panes = { left = { "HOST", "12/1 sh" }, right = { "BOX", "1 sh" } }, changed = "+1 process" } }
end

local function drawn(shown, rows, columns)
  local lines = {}
  for i, line in ipairs(screen.compose(shown, rows, columns)) do lines[i] = line[1] end
  return table.concat(lines, "\n"), lines
end

describe("the screen", function()
  helpers.adds_no_global "nslua.lesson.screen"

  after_each(function() text.choose { utf8 = false } end)

  it("folds what the keys do between words, and cuts none of it", function()
    local shown = shown_step()
    shown.overlay = "keys"
    local whole = drawn(shown, 40, 50)
    assert.truthy(whole:gsub("%s+", " "):find("up to this step, on a fresh stage", 1, true))
  end)

  it("fills the terminal and no more, whatever its size", function()
    for _, size in ipairs { { 24, 80 }, { 50, 200 }, { 10, 40 }, { 24, 30 } } do
      local _, lines = drawn(shown_step(), size[1], size[2])
      assert.equal(size[1], #lines)
      for _, line in ipairs(lines) do
        assert.is_true(text.width(line) < size[2], ("%d columns: %s"):format(size[2], line))
      end
    end
  end)

  it("shows the code, the same by hand, the output, both sides and the claims", function()
    local all = drawn(shown_step(), 60, 80)
    for _, part in ipairs { "A title", "a/1", "1/2", "t.box:call(print)", "by hand", "out    wards", "\\x1B[31m",
      "HOST", "it holds", "it does not", "because", "at file:1", "since the step before: +1 process",
      "hint 1 of 2: one" } do
      assert.truthy(all:find(part, 1, true), part .. " is not on\n" .. all)
    end
    assert.truthy(all:find "12/1 sh +[|│] 1 sh")
    assert.falsy(all:find "hint 2 of")
  end)

  it("folds code and calls that are too wide, and cuts none of it", function()
    local shown = shown_step()
    shown.step.code = "t.box:call(function() return 'a long line of code', 'and what is at its end' end)"
    assert.truthy(drawn(shown, 60, 40):gsub("%s+", " "):find("and what is at its end' end)", 1, true))
    shown.overlay = { heading = "calls", block = ("mount(%q, 0) = 0"):format("/" .. ("long/"):rep(30)) }
    assert.truthy(drawn(shown, 60, 80):find("= 0", 1, true))
  end)

  it("says what the lesson stands on, until the first step has run", function()
    local shown = shown_step()
    shown.facts = { { "root", "busybox of this machine" }, { "user", "uid 5" } }
    assert.falsy(drawn(shown, 60, 80):find "uid 5")
    shown.result = nil
    assert.truthy(drawn(shown, 60, 80):find " root   busybox of this machine\n user   uid 5\n\n The step")
  end)

  it("puts the sides one below the other when it is narrow", function()
    local all = drawn(shown_step(), 60, 50)
    assert.truthy(all:find " HOST\n 12/1 sh\n BOX\n 1 sh\n")
  end)

  it("is ASCII where UTF-8 is not wanted", function()
    text.choose { utf8 = false }
    assert.falsy(drawn(shown_step(), 60, 80):find "[\128-\255]")
  end)

  it("says in the key bar which hint comes next", function()
    assert.truthy(drawn(shown_step(), 60, 110):find("h hint 2/2  m map", 1, true))
    assert.truthy(drawn(shown_step(), 24, 80):find("h:hint m:map", 1, true))
    text.choose { utf8 = true }
    assert.truthy(drawn(shown_step(), 24, 80):find("h:hint 2/2 m:map", 1, true))
  end)

  it("names every key in the bar, however narrow the terminal is", function()
    for _, utf8_too in ipairs { true, false } do
      text.choose { utf8 = utf8_too }
      for columns = 30, 120 do
        local _, lines = drawn(shown_step(), 24, columns)
        for key in ("r e p s h m k b l ? q"):gmatch "%S" do
          assert.truthy((lines[24] .. " "):find(" " .. key .. "[ :]"), ("%s at %d: %s"):format(key, columns, lines[24]))
        end
        assert.truthy(columns < 80 or lines[24]:find("k:sys", 1, true) or lines[24]:find "k.calls", lines[24])
      end
    end
  end)

  it("says while a step runs which one it is, in one line", function()
    local step = shown_step().step
    assert.equal(" running a/1 ...   Ctrl-C ends the lesson", keybar.running(step, 79))
    assert.equal(20, text.width(keybar.running(step, 20)))
  end)

  it("goes down when there is more", function()
    local shown = shown_step()
    assert.truthy(drawn(shown, 16, 80):find "space: more")
    shown.offset = math.huge
    local all = drawn(shown, 16, 80)
    assert.falsy(all:find "space: more")
    assert.truthy(all:find "hint 1 of 2")
  end)

  it("hides the solution of an exercise until it is asked for", function()
    local shown = shown_step()
    shown.result, shown.step.solution = nil, shown.step.run
    assert.falsy(drawn(shown, 40, 80):find "t.box:call")
    assert.truthy(drawn(shown, 40, 80):find "Enter:check" or drawn(shown, 40, 80):find "⏎:check")
    shown.solution = true
    assert.truthy(drawn(shown, 40, 80):find("t.box:call", 1, true))
  end)
end)


-- -- what keys do ------------------------------------------------------------------

local session = {}
session.__index = session

function session.start(home, argv, env)
  local master, slave = ns.pty(40, 80)
  local self = setmetatable({ master = master, slave = slave, raw = "", shown = "", seen = 1 }, session)
  self.modes = slave:tcgetattr()
  local device = ns.readlink("/proc/self/fd/" .. slave:fileno())
  local command = { "env", "TERM=xterm", "NO_COLOR=1", "HOME=" .. home, "SHELL=/bin/sh", "LC_ALL=C.UTF-8",
    table.unpack(env or {}) }
  command[#command + 1] = helpers.program
  table.move(argv, 1, #argv, #command + 1, command)
  self.child = ns.fork(function()
    ns.setsid()
    local tty = ns.open(device, "rdwr") -- becomes the controlling terminal
    for fd = 0, 2 do tty:dup2(fd) end
    ns.exec(command)
  end)
  return self
end

function session:expect(wanted)
  local deadline = os.time() + PATIENCE
  while true do
    local from, to = self.shown:find(wanted, self.seen, true)
    if from then
      self.seen = to + 1
      return
    end
    if #ns.poll({ self.master }, 1) > 0 then
      self.raw = self.raw .. (self.master:read(65536) or "")
      self.shown = self.raw:gsub("\27%[[%d;?]*%a", ""):gsub("[\r\7]", "")
    elseif os.time() > deadline or select(2, self.child:wait(0)) ~= "timeout" then
      error(("%q is not shown after %q"):format(wanted, self.shown:sub(self.seen)), 2)
    end
  end
end

function session:type(keys) self.master:write(keys) end

-- The lesson ends; the terminal is as it was.
function session:ends(status)
  local _, how, code = self.child:wait(PATIENCE)
  assert.same({ "exit", status }, { how, code })
  assert.equal(self.modes, self.slave:tcgetattr())
  self.master:close()
  self.slave:close()
end

describe("a lesson on a terminal", function()
  local home

  before_each(function() home = ns.mkdtemp "/tmp/nslua-spec-XXXXXX" end)

  after_each(function() helpers.run { "rm", "-rf", home } end)

  local function stage_it(name, fn) helpers.ns_it("user mnt uts pid", name, fn) end

  stage_it("is gone through with Enter, and ends with 0", function()
    local s = session.start(home, { "scripts/uts.lua" })
    for step = 1, 5 do
      s:expect(("uts/%d"):format(step))
      s:type "\r"
      s:expect "next"
      s:type "\r"
    end
    s:expect "all 11 claims held"
    s:expect "outside the stage as before"
    s:ends(0)
  end)

  local function slow_lesson(seconds)
    local path = home .. "/slow.lua"
    local file <close> = assert(io.open(path, "w"))
    file:write(([[local ns = require "nslua"
      return ns.lesson { id = "slow", title = "Slow", box = { "uts" },
        { "Rename it, some day",
          run = function(t) ns.poll({}, %d) t.box:call(ns.sethostname, "renamed") end,
          check = { ["it has its name"] = function(t) return t.box:hostname() == "renamed" end } } }
    ]]):format(seconds))
    return path
  end

  stage_it("says that a step runs for as long as it does, and then names the keys again", function()
    local s = session.start(home, { slow_lesson(1) })
    s:expect "q:quit"
    s:type "\r"; s:expect "running slow/1 ...   Ctrl-C ends the lesson"
    s:expect "it has its name"; s:expect "q:quit"
    s:type "q"
    s:ends(0)
  end)

  stage_it("is interrupted with Ctrl-C while a step runs, too", function()
    local s = session.start(home, { slow_lesson(1000) }, { "LC_ALL=C" })
    s:expect "q:quit"
    s:type "\r"; s:expect "running slow/1 ..."
    s:type "\3"
    s:expect "interrupted after 0 of 1 steps"
    s:ends(130)
  end)

  for name, key in pairs { q = "q", ["Ctrl-D"] = "\4" } do
    stage_it("is left with " .. name .. ": no failure, and the terminal is as it was", function()
      local s = session.start(home, { "scripts/uts.lua" })
      s:expect "look"
      s:type(key)
      s:expect "left after 0 of 5 steps"
      s:ends(0)
    end)
  end

  stage_it("is interrupted with Ctrl-C: 130, and the terminal is as it was", function()
    local s = session.start(home, { "scripts/uts.lua" })
    s:expect "look"
    s:type "\3"
    s:expect "interrupted after 0 of 5 steps"
    s:ends(130)
  end)

  stage_it("stops on Ctrl-Z as a job of its shell, and fg draws it again", function()
    local t <close> = terminal.start({ "bash", "--norc", "-i" }, { HOME = home, XDG_STATE_HOME = home, LC_ALL = "C.UTF-8",
      TERM = "xterm", NO_COLOR = "1", SHELL = "/bin/sh" })
    t:expect "%$ "
    t:type(helpers.program .. " scripts/uts.lua\r")
    t:expect "q:quit"
    for _ = 1, 2 do
      t:type "\26"
      t:expect "[Ss]topped"
      t:expect "%$ "
      t:type "stty -a | grep -ow -e '-*icanon'\r"
      t:expect "\nicanon\n"
      t:expect "%$ "
      t:type "bg\r" -- where it wants the terminal, and does not get it
      t:expect "%$ "
      assert.is_false(t:shows("q quit", 0.3))
      t:type "jobs\r"
      t:expect "[Ss]topped"
      t:expect "%$ "
      t:type "fg\r"
      t:expect "q:quit"
    end
    t:type "q"
    t:expect "left after 0 of 5 steps"
    t:expect "%$ "
    t:type "exit 0\r"
    assert.equal("true exit 0", t:outcome())
  end)

  stage_it("is left with 1 when a claim did not hold", function()
    local lesson = home .. "/lesson.lua"
    local file <close> = assert(io.open(lesson, "w"))
    file:write [[return require "nslua".lesson { id = "no", title = "No",
      { "One", observe = true, check = { ["never"] = function() return false end } }, { "Two", observe = true } }]]
    file:close()
    local s = session.start(home, { lesson })
    s:expect "look"
    s:type "\r"; s:expect "never"
    s:type "q"
    s:ends(1)
  end)

  stage_it("runs again on a fresh stage, goes back, shows the map and the calls", function()
    local s = session.start(home, { "scripts/uts.lua" })
    s:expect "look"
    s:type "\r"; s:expect "next"
    s:type "\r"; s:expect "uts/2"
    s:type "\r"; s:expect "it inherited the name"
    local before = s.shown:match "BOX  uts:%[(%d+)%]"
    s:type "r"; s:expect "it inherited the name"
    assert.truthy(before)
    s:type "k"; s:expect "clone3("
    s:type "\r"; s:expect "next"
    s:type "m"; s:expect "user mnt pid uts"
    s:type "\r"; s:expect "next"
    s:type "b"; s:expect "uts/1"
    s:type "h"; s:expect "hint 1 of 1"
    s:type "q"
    s:ends(0)
  end)

  stage_it("has a prompt with t in it, and a shell in the box", function()
    local s = session.start(home, { "scripts/uts.lua" }, { "NSLUA_READLINELIB=" })
    s:expect "look"
    s:type "\r"; s:expect "next"
    s:type "s"; s:expect "There is no box yet."
    s:type "\r"; s:expect "uts/2"
    s:type "\r"; s:expect "it inherited the name"
    s:type "p"; s:expect "Ctrl-D comes back"; s:expect "▸ "
    s:type "print(#t.box:hostname() > 0, 6 * 7)\r"; s:expect "true\t42"
    s:type "t.kept = 6; print(t.kept * 7)\r"; s:expect "42\n"
    s:type "\4"; s:expect "next"
    s:type "s"; s:expect "exit comes back"
    s:type "hostname sh''elled; hostname\r"; s:expect "shelled\n"
    s:type "exit\r"; s:expect "next"
    s:type "\r"; s:expect "uts/3"
    s:type "q"
    s:ends(0)
  end)

  prompts.readline_it("has a prompt whose Tab finds what is in t", function()
    local s = session.start(home, { "scripts/uts.lua" }, { "NSLUA_READLINELIB=" .. prompts.readline })
    s:expect "look"
    s:type "p"; s:expect "Ctrl-D comes back"; s:expect "▸ "
    s:type "#t.host:hostn\t"; s:expect "hostname"
    s:type "() > 0\r"; s:expect "true"; s:expect "▸ "
    s:type "\4"; s:expect "look"
    s:type "q"
    s:ends(0)
  end)

  stage_it("remembers how far somebody came, and forgets it when told", function()
    local s = session.start(home, { "scripts/uts.lua" })
    s:expect "look"
    s:type "\r"; s:expect "next"
    s:type "q"
    s:ends(0)
    s = session.start(home, { "scripts/uts.lua" })
    s:expect "You were at step 2: g goes on there."
    s:type "g"; s:expect "uts/2"
    s:type "q"
    s:ends(0)
    helpers.nslua({ "--forget", "uts" }, { env = { HOME = home } })
    s = session.start(home, { "scripts/uts.lua" })
    s:expect "look"
    assert.falsy(s.shown:find "You were at")
    s:type "q"
    s:ends(0)
  end)

  stage_it("opens the editor and goes on with what was written", function()
    local lesson = home .. "/lesson.lua"
    helpers.nslua { "--new", lesson }
    local editor = home .. "/editor"
    local file <close> = assert(io.open(editor, "w"))
    file:write("#!/bin/sh\nsed -i 's/Rename the box/Call it names/' \"$2\"\n")
    file:close()
    ns.chmod(editor, "755")
    local s = session.start(home, { lesson }, { "VISUAL=" .. editor })
    s:expect "Rename the box, not the host"
    s:type "e"; s:expect "Call it names, not the host"
    s:type "q"
    s:ends(0)
  end)

  stage_it("asks for a guess, and leaves an exercise to the learner", function()
    local lesson = home .. "/lesson.lua"
    local file <close> = assert(io.open(lesson, "w"))
    file:write [[local ns = require "nslua"
      return ns.lesson { id = "ex", title = "Exercise", box = { "uts" },
        { "Guess", run = function(t) t.box:call(ns.sethostname, "blue") end,
          ask = { "Which colour?", answer = function(t) return t.box:hostname() end } },
        { "Do", solution = function(t) t.box:call(ns.sethostname, "red") end, hint = { "a hint" },
          check = { ["it is red"] = function(t) return t.box:hostname() == "red" end } } }]]
    file:close()
    local s = session.start(home, { lesson })
    s:expect "Which colour?"
    s:type "\r"; s:expect "your guess: "
    s:type "green\r"; s:expect "your guess: green   the answer: blue"
    s:type "\r"; s:expect "your turn"
    s:type "\r"; s:expect "Not yet: it is red"
    s:type "h"; s:expect "hint 1 of 1: a hint"
    s:type "h"; s:expect "a solution"
    s:type "\r"; s:expect "it is red"; s:expect "next"
    s:type "\r"; s:expect "its claim held"
    s:ends(0)
  end)

  stage_it("does not do once more what the learner has done after a look at the solution", function()
    local lesson = home .. "/lesson.lua"
    local file <close> = assert(io.open(lesson, "w"))
    file:write [[local ns = require "nslua"
      return ns.lesson { id = "ex", title = "Exercise",
        { "Make it", solution = function() ns.mkdir "/tmp/made" end,
          check = { ["it is made"] = function() return ns.access "/tmp/made" end } } }]]
    file:close()
    local s = session.start(home, { lesson }, { "NSLUA_READLINELIB=" })
    s:expect "your turn"
    s:type "h"; s:expect "a solution"
    s:type "p"; s:expect "▸ "
    s:type "ns.mkdir '/tmp/made'\r"; s:expect "▸ "
    s:type "\4"; s:expect "quit"
    s:type "\r"; s:expect "✔ it is made"
    s:type "q"
    s:ends(0)
  end)

  stage_it("says which step ended it, and goes on when one ends the host", function()
    local lesson = home .. "/lesson.lua"
    local file <close> = assert(io.open(lesson, "w"))
    file:write [[return require "nslua".lesson { id = "out", title = "Out",
      { "Host", run = function(t) t.host:kill "KILL" t.host:wait() end },
      { "Exit", run = function() os.exit(0) end } }]]
    file:close()
    local s = session.start(home, { lesson })
    s:expect "run"
    s:type "\r"; s:expect "next"
    s:type "\r"; s:expect "run"
    s:type "\r"; s:expect(("\nnslua: %s:3: step 2 (Exit) ended the lesson, by itself\n"):format(lesson))
    s:ends(1)
  end)

  stage_it("leaves Ctrl-C to its prompt, and is ended by it afterwards", function()
    local s = session.start(home, { "scripts/uts.lua" }, { "NSLUA_READLINELIB=" })
    s:expect "look"
    s:type "p"; s:expect "▸ "
    s:type "\3"; s:expect "▸ "
    s:type "while true do end\r"; s:expect "end\n"
    ns.poll({}, 0.3)
    s:type "\3"; s:expect "interrupted after"; s:expect "▸ "
    s:type "print(6 * 7)\r"; s:expect "42\n"
    s:type "\4"; s:expect "look"
    s:type "\3"; s:expect "interrupted after 0 of 5 steps"
    s:ends(130)
  end)

  stage_it("ends as its prompt is told to, and blames no step", function()
    local s = session.start(home, { "scripts/uts.lua" }, { "NSLUA_READLINELIB=" })
    s:expect "look"
    s:type "\r"; s:expect "next"
    s:type "p"; s:expect "▸ "
    s:type "os.exit(4)\r"; s:expect "outside the stage as before"
    s:ends(4)
    assert.falsy(s.shown:find "ended the lesson")
  end)

  stage_it("shows the boxes that its steps made, by their names, and opens a shell in the last", function()
    local lesson = home .. "/lesson.lua"
    local file <close> = assert(io.open(lesson, "w"))
    file:write [[local ns = require "nslua"
      return ns.lesson { id = "two", title = "Two",
        { "Make", show = "hostname", run = function(t)
            t.ann = ns.box { hostname = "ann", pid = false }
            t.bob = ns.box { hostname = "bob", pid = false }
          end },
        { "Look", observe = true } }]]
    file:close()
    local s = session.start(home, { lesson })
    s:expect "run"
    s:type "\r"; s:expect "BOB  uts:"
    s:type "m"; s:expect "user mnt pid uts"; s:expect "A    A   A   B"; s:expect "A    A   A   C"
    s:type "\r"; s:expect "next"
    s:type "s"; s:expect "A shell in the box bob"
    s:type "hostname\r"; s:expect "bob\n"
    s:type "exit\r"; s:expect "next"
    s:type "q"
    s:ends(0)
  end)

  stage_it("says at every step why it cannot edit, and which lesson is not there", function()
    local lesson = home .. "/lesson.lua"
    local file <close> = assert(io.open(lesson, "w"))
    file:write(assert(io.open "scripts/uts.lua"):read "a")
    file:close()
    local s = session.start(home, { lesson })
    s:expect "look"
    os.remove(lesson)
    s:type "\r"; s:expect "next"
    s:type "e"; s:expect "no file that you can write to"
    s:type "l"; s:expect "Which lesson?"
    s:type "nosuch\r"; s:expect "✔ we are in the host's UTS namespace"; s:expect "there is no lesson"
    s:type "q"
    s:ends(0)
  end)

  stage_it("is plain with --plain, with a key after each step", function()
    local s = session.start(home, { "--plain", "scripts/uts.lua" })
    s:expect "we are in the host's UTS namespace"
    s:expect "next"
    s:type "\r"; s:expect "uts/2"; s:expect "next"
    assert.falsy(s.raw:find "\27%[H")
    s:type "q"
    s:ends(0)
  end)
end)
