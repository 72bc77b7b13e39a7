-- SPDX-License-Identifier: MIT
-- Locals that outlive their line: one variable for all closures of a session,
-- as if the session were one chunk.

local repl = require "nslua.repl"

-- A session with globals of its own; feed(line...) gives the text of the last.
local function start(opts)
  opts = opts or {}
  opts.env = opts.env or setmetatable({}, { __index = _G })
  local session = repl.new(opts)
  local function feed(...)
    local outcome
    for _, line in ipairs { ... } do outcome = session:feed(line) end
    return outcome.text, outcome
  end
  return session, feed
end

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
    assert.is_nil((session.locals:get "c"))
    assert.same({}, order)
    session:close()
    assert.same({ "b", "a" }, order)
    assert.equal("", session:close())
  end)

  it("is what it would be in one chunk", function()
    local random = 1
    local function pick(list)
      random = (random * 1103515245 + 12345) % 2147483648
      return list[random // 65536 % #list + 1]
    end
    local names, statements = { "a", "b", "c" }, {
      "local X = Y", "local X, Y = Y, X", "X = (X or 0) + 1", "local X <const> = 7", "local X",
      "function f() X = (X or 0) + 10 return Y end", "local function f() X = Y return X end",
      "local t = { get = function() return X end }", "do local X = 5 Y = X end",
      "for X = 1, 2 do Y = X end", "local X = function() return Y end X = X()",
      "local g = f", "if g then X = g() end", "if t then X = t.get() end", "if f then f() end",
    }
    for _ = 1, 100 do
      local lines = {}
      for i = 1, 25 do
        local line = pick(statements):gsub("X", pick(names)):gsub("Y", pick(names))
        lines[i] = line .. " out(a, b, c)"
        -- A constant cannot be assigned to: not what this is about.
        if not load(table.concat(lines, "\n")) then lines[i] = "out(a, b, c)" end
      end
      local function run(each)
        local seen = {}
        each(setmetatable({ out = function(...) seen[#seen + 1] = table.pack(...) end }, { __index = _G }))
        return seen
      end
      local function compare(v) return type(v) == "function" and "function" or v end
      local whole = run(function(env) pcall(load(table.concat(lines, "\n"), "=whole", "t", env)) end)
      local typed = run(function(env)
        local session = repl.new { env = env }
        for _, line in ipairs(lines) do
          if not session:feed(line).ok then break end
        end
      end)
      assert.equal(#whole, #typed, table.concat(lines, "\n"))
      for i, values in ipairs(whole) do
        for j = 1, 3 do
          assert.equal(compare(values[j]), compare(typed[i][j]), table.concat(lines, "\n", 1, i))
        end
      end
    end
  end)

  it("may be called _ENV", function()
    local _, feed = start()
    assert.equal("7", (feed("local _ENV = { seven = 7 }", "seven")))
  end)
end)
