-- SPDX-License-Identifier: MIT
-- A session without a terminal: what a line means, locals that last, errors,
-- commands, what is left at the end.

local helpers = require "spec.helpers"
local ns = require "nslua"
local repl = require "nslua.repl"

-- A session with globals of its own; feed(line...) gives the text of the last.
local function start(opts)
  opts = opts or {}
  opts.env = opts.env or setmetatable({ ns = ns }, { __index = _G })
  local session = repl.new(opts)
  local function feed(...)
    local outcome
    for _, line in ipairs { ... } do outcome = session:feed(line) end
    return outcome.text, outcome
  end
  return session, feed
end

describe("a line of a session", function()
  helpers.adds_no_global "nslua.repl"

  it("gives its values and their text", function()
    local _, feed = start()
    local text, outcome = feed "1 + 1, nil, 'x'"
    assert.equal("2\tnil\tx", text)
    assert.same({ 2, nil, "x", n = 3 }, outcome.values)
    assert.is_true(outcome.ok)
    assert.equal("", (feed "y = 5"))
    assert.equal("5", (feed "y"))
    assert.equal("5", (feed "= y"))
    assert.equal("5", (feed "y -- a comment"))
    assert.equal("", (feed "  "))
    assert.equal("", (feed "-- nothing"))
  end)

  it("goes on while a block is incomplete, until it is given up", function()
    local session, feed = start()
    assert.is_true(session:feed("function f()").more)
    assert.is_true(session:feed("  return [[a").more)
    assert.equal("", session:feed("b]] end").text)
    assert.equal("a\nb", (feed "f()"))
    assert.equal("{ 1, 2 }", (feed("{ 1,", "2 }")))
    assert.is_true(session:feed("for i = 1, 2 do").more)
    session:abandon()
    assert.equal("3", (feed "3"))
  end)

  it("takes a pasted block, of one chunk or of many lines", function()
    local _, feed = start()
    assert.equal("7", (feed "local a = 3\nlocal b = 4\nreturn a + b"))
    assert.equal("1\n2", (feed "x = 1\nx\nx + 1\n"))
    local lines = {}
    for i = 1, 300 do lines[i] = ("local v%d = %d"):format(i, i) end
    feed(table.unpack(lines))
    assert.equal("300", (feed "v300"))
    assert.equal("2\nstdin:1: syntax error near 'z'", (feed "x = 2\nx\ny z\nx = 3"))
    assert.equal("2", (feed "x"))
  end)

  it("keeps past results", function()
    local _, feed = start()
    feed("40", "f = 1", "_ + 1")
    assert.equal("41\t40", (feed "_, _1"))
  end)

  it("takes a line of a megabyte and bytes that are no text", function()
    local _, feed = start()
    assert.equal("1000000", (feed("#'" .. ("x"):rep(1e6) .. "'")))
    assert.equal([["\xFF\x1B"]], (feed "'\xff\27'"))
    assert.is_nil((feed "x\27\xff = = 1"):find "[\27\xff]")
  end)
end)

describe("a local of a session", function()
  it("is there on later lines, which is said once", function()
    local _, feed = start()
    local _, first = feed "local n = 3"
    assert.matches("^local n: kept for this session", first.notes[1])
    local _, second = feed "local m = n + 1"
    assert.same({}, second.notes)
    assert.equal("3\t4", (feed "n, m"))
  end)

  it("is no global", function()
    local env = setmetatable({}, { __index = _G })
    local _, feed = start { env = env }
    feed("local n = 3", "n = 4")
    assert.is_nil(rawget(env, "n"))
    assert.equal("4", (feed "n"))
  end)

  it("is one variable for all closures of the session", function()
    local _, feed = start()
    feed("local n = 1", "function up() n = n + 1 end", "local function get() return n end")
    assert.equal("1", (feed "get()"))
    feed("up()", "up()")
    assert.equal("3\t3", (feed "n, get()"))
    feed "n = 10"
    assert.equal("10", (feed "get()"))
    feed("local n = 'another'", "up()")
    assert.equal("11\tanother", (feed "get(), n"))
  end)

  it("may be several, shadow, be constant, be a recursive function", function()
    local _, feed = start()
    assert.equal("1\t2\t3", (feed("local a, b, c <const> = 1, 2, 3; local d = a", "a, b, c")))
    assert.equal("stdin:1: attempt to assign to const variable 'c'", (feed "c = 4"))
    assert.equal("2\t1", (feed("local a = a + 1", "a, d")))
    assert.equal("120", (feed("local function f(n) return n < 2 and 1 or n * f(n - 1) end", "f(5)")))
    assert.equal("nil", (feed("do local inner = 1 end", "inner")))
    assert.equal("5", (feed("local t = { function() local z = 1 return z end, x = (5) }", "local y = t.x", "y")))
    assert.equal("nil\tnil", (feed("local p, q", "p, q")))
  end)

  it("that was declared before an error stays", function()
    local _, feed = start()
    feed "local early = 1; error 'x'"
    assert.equal("1", (feed "early"))
  end)

  it("with <close> lives until the session ends", function()
    local session, feed = start()
    local order = {}
    session.env.closable = function(name)
      return setmetatable({}, { __close = function() order[#order + 1] = name end })
    end
    feed("local a <close> = closable 'a'", "local b <close> = closable 'b'")
    assert.equal("stdin:1: variable 'c' got a non-closable value", (feed "local c <close> = 5"))
    assert.same({}, order)
    session:close()
    assert.same({ "b", "a" }, order)
    assert.equal("", session:close())
  end)

  it("may be called _ENV", function()
    local _, feed = start()
    assert.equal("7", (feed("local _ENV = { seven = 7 }", "seven")))
  end)
end)

describe("an error of a session", function()
  it("has its place on the line; :bt has the traceback", function()
    local session, feed = start()
    assert.equal("", session:traceback())
    assert.equal("stdin:1: wrong", (feed "error 'wrong'"))
    feed("function f()", "error 'deep'", "end")
    assert.matches("^stdin#%d+:2: deep$", (feed "f()"))
    local trace = feed ":bt"
    assert.matches("stdin#%d+:2: in .*'f'\n", trace)
    assert.is_nil(trace:find "nslua/repl")
    assert.equal("error: { code = 1 }", (feed "error { code = 1 }"))
    assert.equal("stdin:1: syntax error near 'y'", (feed "x y"))
  end)

  it("of the kernel has cause, why and fix", function()
    local _, feed = start()
    local text, outcome = feed "ns.chroot '/no/such'"
    assert.matches("^stdin:1: chroot.*ENOENT.*\n  why .*\n  fix ", text)
    assert.equal("ENOENT", outcome.error.name)
    assert.is_false(outcome.ok)
  end)

  it("in a box comes with what happened there", function()
    local text, trace = helpers.in_child(function()
      local session, feed = start()
      feed "b = ns.box { 'user' }"
      local text = feed "b:call(function() error 'inside' end)"
      local trace = feed ":bt"
      session:close()
      return text, trace
    end)
    assert.equal("stdin:1: inside", text)
    assert.matches("in the box:.*in function.*\nhere:\n", trace)
  end)

  it("that is Ctrl-C says how long it took and what lives", function()
    local text, interrupted, after = helpers.in_child(function()
      local _, feed = start()
      feed "b = ns.box { 'user' }"
      local out = helpers.nslua([[
        local session = require "nslua.repl".new {}
        session:feed "ns = require 'nslua'"
        local outcome = session:feed "ns.kill(ns.getpid(), 'INT') while true do end"
        print(outcome.text, outcome.interrupted, session:feed("1 + 1").text)
      ]])
      local text, outcome = feed "error('interrupted!', 0)"
      assert(outcome.interrupted)
      feed "b:close()"
      return text, out
    end)
    assert.matches("^interrupted after %d+%.%d s; 1 box still alive$", text)
    assert.matches("^interrupted after %d+%.%d s\ttrue\t2\n$", interrupted)
    assert.is_nil(after)
  end)
end)

describe("what a session does itself", function()
  it("is not in the trace that a line asked for", function()
    local lines = {}
    local session, feed = start()
    session.env.sink = function(line) lines[#lines + 1] = line end
    feed("ns.trace(sink)", "1", "ns.gethostname()", "{ 1 }", ":time 1", "?ns.box")
    session:complete "ns.of("
    session:prompt()
    feed "ns.trace(false)"
    assert.same({ "uname() = 0" }, lines)
  end)
end)

describe("the prompt of a session", function()
  it("shows what moved", function()
    local found = helpers.in_child(function()
      local session, feed = start()
      local shown = { (session:prompt()) }
      feed "ns.unshare('user', 'uts')"
      shown[2] = session:prompt()
      local _, outcome = feed "ns.unshare 'pid'"
      shown[3] = session:prompt()
      shown[4] = outcome.notes[1]
      return table.concat(shown, "\n")
    end)
    assert.matches("^host ▸ \nhost%[user%* uts%*%] ▸ \nhost%[user%* %+pid uts%*%] ▸ \npid: only children move", found)
  end)

  it("can be ASCII, has a continuation as wide, and is what _PROMPT says", function()
    local session = start { ascii = true, name = "box#1" }
    local first, more = session:prompt()
    assert.equal("box#1> ", first)
    assert.equal("    >> ", more)
    session.env._PROMPT = "mine "
    assert.equal("mine ", (session:prompt()))
  end)
end)
