-- SPDX-License-Identifier: MIT
-- A session without a terminal: what a line means, errors, the prompt.

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

describe("a session", function()
  local WORDS = { "local", "x", "=", "function", "end", "(", ")", "{", "}", "'", '"', "[[", "]]", "--", "\n", ",", ":",
    ".", "..", "1", "0x", "return", "if", "then", "do", "<close>", "<const>", "nil", "ns", "#", "y", "?", "??", "!",
    ":time", ":trace", "_", "\0", "\255", "\27", "[", "]", "a.b", "box{", "::", "help" }

  it("takes whatever is typed, and answers with clean text", function()
    local session, random = start(), 7
    local function pick(n)
      random = (random * 1103515245 + 12345) % 2147483648
      return random // 65536 % n + 1
    end
    for _ = 1, 3000 do
      local words = {}
      for i = 1, pick(10) do words[i] = WORDS[pick(#WORDS)] end
      local line = table.concat(words, pick(2) == 1 and " " or "")
      assert.is_table(session:complete(line, pick(#line + 1) - 1).items)
      local outcome = session:feed(line)
      if outcome.more then
        if pick(3) == 1 then session:abandon() end
      else
        assert.is_truthy(utf8.len(outcome.text), line)
        assert.is_nil(outcome.text:find "[%z\1-\8\27\127]", line)
      end
    end
  end)
end)

describe("a name that is not there", function()
  local function said(line)
    local session = start()
    session:feed "local boxes = { first = 1 }"
    return session:feed(line)
  end

  it("comes with the one that may have been meant", function()
    for line, hint in pairs {
      ["ns.hostname()"] = "ns has no hostname; did you mean ns.gethostname?",
      ["return ns.readlnk '/x'"] = "ns has no readlnk; did you mean ns.readlink?",
      ["unshare 'uts'"] = "there is no unshare; did you mean ns.unshare?",
      ["boxs.first = 1"] = "there is no boxs; did you mean boxes?",
      ["boxes.frist()"] = "boxes has no frist; did you mean boxes.first?",
      ["p = ns.fork(function() end) p:wiat()"] = "p has no wiat; did you mean p:wait?",
      ["('x'):rpe(3)"] = "there is no rpe; did you mean rep?",
      ["prnt(1)"] = "there is no prnt; did you mean print?",
    } do
      local outcome = said(line)
      assert.equal(hint, outcome.meant)
      assert.matches("^stdin:1: attempt to %l+ a nil value %(%l+ '%w+'%)\n" .. hint:gsub("%p", "%%%0") .. "$", outcome.text)
    end
    assert.same({ "ns has no hostname; did you mean ns.gethostname?" }, said("ns.hostname").notes)
  end)

  it("comes alone when nothing is near, and when the words are somebody else's", function()
    for _, line in ipairs { "zzzzqq()", "f()", "boxes.zzzzqq()", "boxes.first()", "error 'attempt to call a nil value'",
      "error { 'x' }", "local n; n()" } do
      assert.is_nil(said(line).meant)
    end
    assert.same({}, said("ns.zzzzqq").notes)
    assert.equal("nil\tnil", said("nil, ns.nosuch").text)
    assert.same({}, said("boxes.frist").notes)
  end)
end)

describe("a person at a prompt", function()
  it("may call variables what Lua's libraries are called", function()
    local out = helpers.nslua([[
      ns = require "nslua"
      local session, write, find = require "nslua.repl".new {}, io.write, string.find
      for _, line in ipairs { "table, type, string = {}, 'uts', 5", "local n = 1", "next = pairs pairs = nil pcall = 1",
        "ipairs, select, error, tostring, math, load, rawget = nil", "debug, os, io, utf8, require, _G = nil",
        "getmetatable, setmetatable = nil", "{ n, { type } }", "x.y.z", "{ 1, 2", "}", "ns.list { type = type }[1].type",
        "ns.unshare 'nosuch'" } do
        local outcome = session:feed(line)
        if not outcome.more then write(outcome.text, "\n") end
      end
      write(find(session:feed "?ns.box".text, "^ns%.box%(") and "helps\n" or "", find(session:feed ":time 1".text, "^1\n") and
        "times\n" or "", session:complete("ns.unsh", 7).items[1].text, "\n", session:close())
    ]])
    assert.equal("\n\n\n\n\n\n{ 1, { \"uts\" } }\nstdin:1: attempt to index a nil value (global 'x')\n{ 1, 2 }\nuts\n"
      .. "stdin:1: bad argument #1 to 'unshare' (unknown namespace type \"nosuch\")\nhelps\ntimes\nunshare\n", out)
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
