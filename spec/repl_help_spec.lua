-- SPDX-License-Identifier: MIT
-- What a session does besides running Lua: help and sources, :commands,
-- actions for the prompt, scripts, the end. And in a stock Lua with a pipe.

local helpers = require "spec.helpers"
local ns = require "nslua"
local repl = require "nslua.repl"

local function start(opts)
  opts = opts or {}
  opts.env = opts.env or setmetatable({ ns = ns }, { __index = _G })
  local session = repl.new(opts)
  return session, function(...)
    local outcome
    for _, line in ipairs { ... } do outcome = session:feed(line) end
    return outcome.text, outcome
  end
end

describe("help at the prompt", function()
  helpers.adds_no_global "nslua.repl.help"

  it("has signature, text, example, errors, manual page and lesson", function()
    local _, feed = start()
    local text = feed "?ns.sethostname"
    assert.matches("^ns.sethostname%(name%)\n\n%u", text)
    assert.matches("\n    ns.unshare.*sethostname", text)
    assert.matches("\nraises   .*EPERM", text)
    assert.matches("\nsee      .*sethostname%(2%)", text)
    assert.matches("\nlessons  :lesson .*uts", text)
    assert.equal(text, (feed "help(ns.sethostname)"))
    assert.equal(text, (feed "help 'ns.sethostname'"))
    assert.equal(text, (feed "? sethostname"))
    assert.equal(text, (feed ":help ns.sethostname"))
  end)

  it("is on methods, Lua's own library, tables, lessons, commands", function()
    local _, feed = start()
    assert.matches("^Proc:sh%(command%)", (feed "?box:sh"))
    assert.matches("^string.rep%(s, n %[, sep%]%)\n", (feed "?string.rep"))
    assert.matches("string.rep%(s, n", (feed "?string"))
    assert.matches("^print%(%.%.%.%)", (feed "help(print)"))
    assert.matches("ns.unshare", (feed "?ns"))
    assert.matches("ns.rootfs.get", (feed "?ns.rootfs"))
    assert.matches(":lesson uts", (feed "?uts"))
    assert.matches("^:save FILE", (feed "?:save"))
    assert.matches(":undo", (feed "?"))
    assert.equal((feed "?"), (feed "help"))
    assert.equal((feed "?"), (feed ":help"))
  end)

  it("is on what the session made", function()
    local _, feed = start()
    feed("local n = 5", "function double(a)", "  return a * 2", "end", "list = { 1, x = 2 }")
    assert.matches("^Fd:close%(%)", (feed("local null <close> = ns.open '/dev/null'", "?null:close")))
    assert.matches("a Fd%. Its methods:\nFd:close", (feed "?null"))
    assert.equal("a number: 5", (feed "?n"))
    assert.matches("^function%(a%)", (feed "?double"))
    assert.equal("a table of 2: x", (feed "?list"))
    assert.matches("^help%(", (feed("help = function() return 'help(mine)' end", "help()")))
  end)

  it("finds what was meant", function()
    local _, feed = start()
    assert.matches("nothing is known of \"ns.unshar\".*%?ns.unshare", (feed "?ns.unshar"))
    assert.is_nil((feed "?a\27b"):find "\27")
  end)

  it("?? shows a source", function()
    local _, feed = start()
    feed("x = 1", "function double(a)", "  return a * 2", "end")
    assert.equal("-- stdin#2:1\nfunction double(a)\n  return a * 2\nend", (feed "??double"))
    assert.matches("^%-%- lua/nslua/box.lua:%d+\nfunction box.box%(opts%)\n.*\nend$", (feed "??ns.box"))
    assert.matches("^%-%- lua/nslua/proc.lua:%d+\nfunction Proc:sh", (feed "??box:sh"))
    assert.matches("written in C.*mount%(2%)", (feed "??ns.mount"))
    assert.matches("no function", (feed "??nothing"))
  end)
end)

describe("a command of the prompt", function()
  it("that nobody knows names the nearest", function()
    local _, feed = start()
    local text, outcome = feed ":tarce x"
    assert.equal('there is no :tarce (did you mean "trace"?); :help lists all', text)
    assert.is_false(outcome.ok)
    assert.matches('no lesson "utz" %(did you mean "uts"%?%)', (feed ":lesson utz"))
  end)

  it(":time says how long an expression takes", function()
    local _, feed = start()
    assert.matches("^3\n%d[%d.]* [mu]?s %(.* on the processor%)$", (feed("local n = 3", ":time n")))
    assert.matches("s %(", (feed ":time for i = 1, 10 do end"))
    assert.equal("stdin:1: x", (feed ":time error 'x'"))
    assert.matches("wants an expression", (feed ":time"))
    assert.matches("unexpected symbol", (feed ":time )"))
  end)

  it(":trace shows the system calls, and no longer afterwards", function()
    local _, feed = start()
    local text = feed ":trace ns.stat '/'"
    assert.matches("^%l+%(.*\"/\".*%) = 0\n", text)
    assert.matches("ENOENT.*\nstdin:1: ", (feed ":trace ns.chdir '/no/such'"))
    assert.equal("(no system call of a primitive)\n2", (feed ":trace 1 + 1"))
    assert.is_false(ns.trace(false))
  end)

  it(":diff shows what changed, in the kernel", function()
    local uts, name, mount, none, box, inner = helpers.in_child(function()
      local _, feed = start()
      if ns.geteuid() ~= 0 then ns.unshare "user" ns.map(nil, "root") end
      local uts = feed ":diff ns.unshare('uts', 'mnt')"
      local name = feed ":diff ns.sethostname 'diffed'"
      ns.mount(nil, "/", nil, "rprivate")
      return uts, name, (feed ":diff ns.mount('none', '/tmp', 'tmpfs')"), (feed ":diff 1"),
        (feed ":diff b = ns.box { 'ipc', 'uts', 'mnt' }"),
        (feed ":diff b:call(ns.sethostname, 'inner')")
    end)
    assert.matches("this process\n  ~ mnt mnt:.* → mnt:.*\n  ~ uts uts:%[%d+%] → uts:%[%d+%]$", uts)
    assert.matches("^namespaces\n  %+ ipc:.*\nchildren\n  %+ process %d+", box)
    assert.matches("^true\nin boxes\n  ~ box %d+ hostname diffed → inner$", inner)
    assert.matches("names\n  ~ hostname .* → diffed$", name)
    assert.matches("mounts\n  %+ /tmp.* none %(tmpfs", mount)
    assert.equal("1\nnothing changed", none)
    local compare = require "nslua.repl.diff".compare
    local function ids(map) return { {}, { uid_map = map }, {}, {}, {}, {}, {}, {} } end
    assert.same({ "ids", "  ~ uid_map 0 0 1 → none" }, compare(ids "0 0 1", ids ""))
  end)

  it(":save writes a script that runs by itself", function()
    local path = os.tmpname()
    os.remove(path)
    local session, feed = start()
    session.env.print = function() end -- the script's own is meant
    feed("local n = 1", "function up()", " n = n + 1 return n", "end", "up()", "bad(", ")", "error 'x'", "print('said')")
    feed("n -- last", "_ + 1", "local c <const> = 'c' return c", "!true")
    local text = feed(":save " .. path)
    finally(function() os.remove(path) end)
    assert.matches("^%d+ lines saved to ", text)
    local out, err, status = helpers.nslua { path }
    assert.equal("2\nsaid\n2\n3\nc\n", out)
    assert.equal("", err)
    assert.equal(0, status)
    assert.matches("lines saved", (feed(":save " .. path)))
    assert.matches("is there already", (feed ":save /etc/hostname"))
    assert.matches("nothing to save", (select(2, start())) ":save /tmp/x")
  end)

  it("that needs a terminal or another process is an action", function()
    local _, feed = start()
    local function action(line) return select(2, feed(line)).action end
    assert.same({ kind = "shell", command = "ls -l /" }, action "!ls -l /")
    assert.same({ kind = "shell" }, action "!")
    assert.same({ kind = "lesson", name = "uts" }, action ":lesson uts")
    assert.same({ kind = "undo" }, action ":undo")
    assert.is_true(select(2, feed ":quit").leave)
    local kind, command, same = helpers.in_child(function()
      local session, feed_box = start()
      feed_box "local b = ns.box { 'user' }"
      local found = select(2, feed_box "!b hostname -f").action
      local same = rawequal(found.proc, session:value "b")
      session:close()
      return found.kind, found.command, same
    end)
    assert.same({ "shell", "hostname -f", true }, { kind, command, same })
  end)
end)

describe("the end of a session", function()
  it("ends its boxes, and only its own", function()
    local said, mine, theirs, note = helpers.in_child(function()
      local before = ns.box { "user" }
      local session, feed = start()
      local _, outcome = feed "b = ns.box { 'user', 'uts' }"
      local pid = session.env.b.pid
      local said = session:close()
      return said, ns.access("/proc/" .. pid), before.running, outcome.notes[1]
    end)
    assert.equal("1 box ended, 0 mounts left", said)
    assert.is_false(mine)
    assert.is_true(theirs)
    assert.matches("^box %d+.*: new user pid uts; ends with this session$", note)
  end)
end)

describe("a box of a session", function()
  it("says what it is, and when it is no more", function()
    local alive, inside, ended = helpers.in_child(function()
      local _, feed = start()
      feed "b = ns.box { 'user', 'uts' }"
      return feed "b", feed "{ b }", feed "b:close() return b"
    end)
    assert.matches("^box %d+/1: new user pid uts$", alive)
    assert.matches("^{ process %d+ }$", inside)
    assert.matches("^box %d+: new user pid uts; it has ended$", ended)
  end)

  it("that is a local <close> ends with it, and is counted", function()
    assert.equal("2 boxes ended, 0 mounts left", helpers.in_child(function()
      local session, feed = start()
      feed("local a <close> = ns.box { 'user' }", "local b = ns.box { 'user' }")
      assert(feed "a.running" == "true")
      return session:close()
    end))
  end)
end)

describe("a session of somebody else's", function()
  it("needs nothing loaded before, and has ns where the globals have none", function()
    local out = helpers.nslua [[
      local repl = require "nslua.repl"
      local session = repl.new { env = {} }
      print(session:feed("x.y = 1").text)
      print(session:feed("ns.unshar = nil").ok)
      print(session:feed("ns.gethostname() ~= nil").text)
      print(session:complete("ns.unshar").items[1].text .. " | " .. session:complete("n").items[3].help)
      session:feed "ns = 3"
      print(session:feed("ns").text .. " | " .. tostring(rawget(_G, "ns")))
      ns = "mine"
      print(repl.new {}:feed("ns").text .. " | " .. repl.new { env = setmetatable({}, { __index = _G }) }:feed("ns").text)
    ]]
    assert.equal([[
stdin:1: attempt to index a nil value (global 'x')
true
true
unshare | Linux namespaces: ?ns lists what is there
3 | nil
mine | mine
]], out)
  end)
end)

describe("a session in a stock Lua, with a pipe", function()
  it("needs no terminal and prints nothing itself", function()
    local code = [[
      require "nslua"
      local session = require "nslua.repl".new { columns = 60 }
      for line in io.lines() do
        local outcome = session:feed(line)
        io.write(outcome.more and "more" or outcome.text, "\n")
      end
      io.write(#session:complete("string.", 7).items, "|", session:close(), "\n")
    ]]
    local preload = os.getenv "NSLUA_PRELOAD"
    local out, err, status = helpers.run({ "env", "LUA_CPATH_5_4=build/?.so",
      preload and "LD_PRELOAD=" .. preload or "NONE=", "lua5.4", "-e", code },
      { stdin = "local x = 41\nx + 1\nfor i = 1, 2 do\nend\nx y\n?string.rep\n" })
    assert.equal("", err)
    assert.equal(0, status)
    assert.matches("^\n42\nmore\n\nstdin:1: syntax error near 'y'\nstring.rep%(.*\n17|\n$", out)
  end)
end)
