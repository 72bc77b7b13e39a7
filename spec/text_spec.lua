-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local text = require "nslua.text"

-- What an expression gives in a fresh program with this environment.
local function under(env, expression)
  local all = { LC_ALL = false, LC_CTYPE = false, LANG = false, NO_COLOR = false, CLICOLOR_FORCE = false,
    FORCE_COLOR = false }
  for k, v in pairs(env) do all[k] = v end
  return (helpers.nslua(("local text = require 'nslua.text' io.write(tostring(%s))"):format(expression), { env = all }))
end

describe("text", function()
  helpers.adds_no_global "nslua.text"

  it("is made harmless", function()
    assert.equal("plain", text.clean "plain")
    assert.equal("a\\x1B[31mb\\n\\x00", text.clean "a\27[31mb\n\0")
    assert.equal("é 日本", text.clean "é 日本")
    assert.equal("\\xFF\\xC2\\x9B", text.clean "\xff\xc2\x9b") -- C1 is a control character
    assert.equal("\\xE2\\x80\\xAE", text.clean "\u{202e}") -- turns the line around
    assert.equal("\\xE2\\x81\\xA6", text.clean "\u{2066}") -- so does this
    assert.equal("\\xEF\\xBF\\xBF\u{fffd}", text.clean "\u{ffff}\u{fffd}") -- no character, in XML an error
    assert.equal("7", text.clean(7))
  end)

  it("is as wide as the terminal draws it", function()
    assert.equal(5, text.width "plain")
    assert.equal(1, text.width "é")
    assert.equal(1, text.width "e\u{301}")
    assert.equal(4, text.width "日本")
    assert.equal(2, text.width "😀")
    assert.equal(0, text.width "")
  end)

  it("is cut and padded by cells, not bytes", function()
    text.choose { utf8 = true }
    finally(function() text.choose { utf8 = nil } end)
    assert.equal("abc", text.cut("abc", 3))
    assert.equal("ab…", text.cut("abcd", 3))
    assert.equal("日…", text.cut("日本語", 4))
    assert.equal("", text.cut("abc", 0))
    assert.equal("日  ", text.pad("日", 4))
    assert.equal("  日", text.pad("日", 4, true))
  end)

  it("has ASCII signs without UTF-8", function()
    assert.equal("├─", under({ LC_ALL = "C.UTF-8" }, "text.symbol 'branch'"))
    assert.equal("|-", under({ LC_ALL = "C" }, "text.symbol 'branch'"))
    assert.equal("|-", under({}, "text.symbol 'branch'"))
    assert.equal("|-", under({ LC_ALL = "C", LANG = "en_US.UTF-8" }, "text.symbol 'branch'"))
    assert.equal("ab+", under({}, "text.cut('abcd', 3)"))
  end)

  it("has colours where they are wanted", function()
    assert.equal("false", under({}, "text.color()")) -- no terminal
    assert.equal("true", under({ CLICOLOR_FORCE = "1" }, "text.color()"))
    assert.equal("false", under({ CLICOLOR_FORCE = "0" }, "text.color()"))
    assert.equal("true", under({ FORCE_COLOR = "1" }, "text.color()"))
    assert.equal("false", under({ FORCE_COLOR = "1", NO_COLOR = "1" }, "text.color()"))
    assert.equal("true", under({ FORCE_COLOR = "1", NO_COLOR = "" }, "text.color()"))
    assert.equal("true", under({ NO_COLOR = "1" }, "text.choose { color = 'always' } or text.color()"))
    assert.equal("x", under({ NO_COLOR = "1" }, "text.paint('x', 'bold red')"))
    assert.equal("\27[1;31mx\27[0m", under({ FORCE_COLOR = "1" }, "text.paint('x', 'bold red')"))
  end)

  it("stands in columns that line up and fit", function()
    local columns = { { title = "PID", right = true, whole = true }, { title = "NAME" }, { title = "COMMAND" } }
    local rows = { { "1", "日本", "sh" }, { "1000", "é", "a rather long command line" } }
    assert.same({
      " PID NAME COMMAND",
      "   1 日本 sh",
      "1000 é    a rather long command line",
    }, text.table(columns, rows))
    for _, line in ipairs(text.table(columns, rows, { width = 24 })) do
      assert.is_true(text.width(line) <= 24, line)
    end
    assert.same({ "   1 日本 sh", "1000 é    a rather long command line" },
      text.table(columns, rows, { headings = false }))
    assert.same({ " PID NAME COMMAND" }, { text.table(columns, { rows[2] })[1] })
    assert.same({ "PID NAME COMMAND" }, text.table(columns, {}))
  end)
end)
