-- SPDX-License-Identifier: MIT
-- Values at the prompt: Lua that a person can read, harmless for a terminal.

local helpers = require "spec.helpers"
local ns = require "nslua"
local lexer = require "nslua.lexer"
local repl = require "nslua.repl"
local value = require "nslua.repl.value"

local function show(v, columns) return repl.new({ env = {}, columns = columns or 80 }):print(v) end

describe("a value at the prompt", function()
  helpers.adds_no_global "nslua.repl.value"

  it("that is a string reads as it is, or quoted where that would mislead", function()
    assert.equal("hello", show "hello")
    assert.equal("two\nlines", show "two\nlines\n")
    assert.equal('""', show "")
    assert.equal('"42"', show "42")
    assert.equal('"nil"', show "nil")
    assert.equal('" x"', show " x")
    assert.equal([["a\x1B[31m"]], show "a\27[31m")
    assert.equal([["\xFF\xFE"]], show "\xff\xfe")
    assert.equal("größer", show "größer")
  end)

  it("is cut when it is long, with its length", function()
    local s = show(("x"):rep(1e6))
    assert.is_true(#s < 11000)
    assert.matches("… 1000000 bytes in all$", s)
    assert.is_truthy(utf8.len(show(("ä"):rep(1e5))))
    assert.matches("… 5000 bytes in all", show { ("y"):rep(5000) })
  end)

  it("that is a table is Lua", function()
    assert.equal("{}", show {})
    assert.equal('{ 1, "two", true, { x = 1 } }', show { 1, "two", true, { x = 1 } })
    assert.equal('{ 1, [2.5] = 2, ["a b"] = 3, ["end"] = 4, x = math.huge }',
      show { 1, [2.5] = 2, ["a b"] = 3, ["end"] = 4, x = 1 / 0 })
    local t = { 3, "a\n\0b", { deep = { "x" } }, [-1] = -math.huge, [true] = false }
    assert.same(t, load("return " .. show(t))())
  end)

  it("has its keys in order, whatever their types", function()
    assert.equal("{ [1.5] = 1, a = 1, b = 1, [true] = 1 }", show { b = 1, [true] = 1, [1.5] = 1, a = 1 })
  end)

  it("names its cycles", function()
    local t = { name = "t", inner = { list = { 1 } } }
    t.self, t.inner.up, t.inner.list[2] = t, t.inner, t.inner.list
    local s = show(t)
    assert.matches("self = <cycle: the whole>", s, 1, true)
    assert.matches("up = <cycle: .inner>", s, 1, true)
    assert.matches("<cycle: .inner.list>", s, 1, true)
    local shared = { 1 }
    assert.equal("{ { 1 }, { 1 } }", show { shared, shared })
  end)

  it("is cut in depth and length, with a count", function()
    local deep = {}
    for _ = 1, 100 do deep = { deep } end
    assert.equal("{ { { { { { … } } } } } }", show(deep))
    local long, wide = {}, {}
    for i = 1, 10000 do
      long[i] = i
      wide["k" .. i] = i
    end
    assert.matches(" 100,\n  … 9900 more\n}$", show(long))
    assert.matches("\n  … 9900 more\n}$", show(wide))
    local many = {}
    for i = 1, 100 do many[i] = long end
    assert.is_true(#show(many) < 20000)
  end)

  it("fits the width that there is", function()
    local t = {}
    for i = 1, 60 do t[i] = i * 1000 end
    for _, columns in ipairs { 40, 80, 120 } do
      for line in show(t, columns):gmatch "[^\n]+" do assert.is_true(#line < columns, line) end
    end
  end)

  it("says nothing raw, whatever its names hold", function()
    local evil = setmetatable({}, { __tostring = function() return "\27]0;x\7\nnext\xff" end })
    assert.equal("\\x1B]0;x\\x07\nnext\\xFF", show(evil))
    assert.is_nil(show({ evil, ["\27k"] = "\27v" }):find "[\27\7\xff]")
    assert.matches("error in its __tostring: .*bad", show(setmetatable({}, { __tostring = function() error "bad" end })))
  end)

  it("asks no metamethod but __tostring", function()
    local function refuse() error "asked" end
    local t = setmetatable({ 1, x = 2 }, { __index = refuse, __len = refuse, __pairs = refuse, __eq = refuse, __name = 5 })
    assert.equal("{ 1, x = 2 }", show(t))
    local said = setmetatable({ 1, 2 }, { __len = refuse, __tostring = function() return ("x"):rep(1000) end })
    assert.equal("{ table of 2 }", show { said })
  end)

  it("that is a function says where it is from", function()
    assert.equal("function: string.rep   (?string.rep explains it)", show(string.rep))
    _G._9 = print
    assert.equal("function: print   (?print explains it)", show(print))
    _G._9 = nil
    assert.equal("function: ns.mount   (?ns.mount explains it)", show(ns.mount))
    assert.matches("^function%(a, ...%)  spec/repl_print_spec.lua:%d+$", show(function(a, ...) return a, ... end))
  end)

  it("that is ns says where its help is", function()
    assert.equal("ns: Linux namespaces   (?ns lists what is there)", show(ns))
  end)

  it("that is a list prints as its table, in the session's width", function()
    local s = show(ns.list "uts", 60)
    assert.matches("^ +NS TYPE NPROCS", s)
    assert.is_nil(s:find "\27")
    local row = ns.list("uts")[1]
    assert.matches("^{.*  type = \"uts\",.*}$", show(row))
    local list = ns.list "uts" -- others come and go
    assert.equal("{ nslua.List of " .. #list .. " }", show { list })
    assert.matches("^MOUNTPOINT +TYPE +SOURCE +OPTIONS\n", show(ns.mounts()))
    assert.equal("{ nslua.List of " .. #ns.mounts() .. " }", show { ns.mounts() })
  end)

  it("stands beside others, or below when it has lines", function()
    assert.equal("1\tnil\t{ 2 }", value.list(table.pack(1, nil, { 2 }), 80))
    assert.equal("a\nb\n1", value.list(table.pack("a\nb", 1), 80))
    assert.equal("", value.list(table.pack(), 80))
  end)

  it("is ASCII where nothing else is wanted", function()
    local t = {}
    for i = 1, 200 do t[i] = i end
    assert.matches("%+ 100 more", repl.new({ env = {}, ascii = true }):print(t))
  end)

  it("is quick: ten thousand fields in 100 ms", function()
    local wide = {}
    for i = 1, 10000 do wide["key" .. i] = { i } end
    local began = os.clock()
    show(wide)
    assert.is_true(os.clock() - began < 0.1)
  end)
end)

describe("the lexer", function()
  it("knows Lua's words", function()
    local kinds = {}
    for _, t in ipairs(lexer.tokens "local a<close> = 0x1p-3 ..'s\\'' --[==[ c ]] ]==] .. [=[ l ]] ]=] // 1.5e+2 ... ::x::") do
      kinds[#kinds + 1] = t.kind:sub(1, 1) .. ":" .. t.text
    end
    assert.same({ "k:local", "n:a", "s:<", "n:close", "s:>", "s:=", "n:0x1p-3", "s:..", "s:'s\\''", "s:..",
      "s:[=[ l ]] ]=]", "s://", "n:1.5e+2", "s:...", "s:::", "n:x", "s:::" }, kinds)
  end)

  it("says what does not end", function()
    for _, text in ipairs { "x = 'abc", 'x = "a\\', "x = [==[ ]=]", "--[[ c" } do
      local tokens = lexer.tokens(text)
      assert.is_true(tokens[#tokens].open, text)
      assert.equal(#text, tokens[#tokens].stop)
    end
    assert.equal(3, lexer.tokens("a\n\n  b")[2].line)
  end)
end)
