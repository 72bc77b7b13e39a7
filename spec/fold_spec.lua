-- SPDX-License-Identifier: MIT
-- Long lines, broken between words.

local helpers = require "spec.helpers"
local fold = require "nslua.fold"

describe("a long line", function()
  helpers.adds_no_global "nslua.fold"

  it("is broken between words, the rest below its beginning", function()
    assert.equal("one two\nthree", fold.text("one two three", 9))
    assert.equal("  one two\n  three", fold.text("  one two three", 9))
    assert.equal("note: one\n      two", fold.text("note: one two", 12))
    assert.equal("lessons  one, two,\n         three", fold.text("lessons  one, two, three", 18))
    assert.equal("  why  one two\n       three", fold.text("  why  one two three", 14))
    assert.equal(":do X   a  bc\n        def", fold.text(":do X   a  bc def", 16))
    assert.equal("(one two\n three)", fold.text("(one two three)", 9))
  end)

  it("stays when it fits, and where a word is too long", function()
    assert.equal("one two\n\nthree", fold.text("one two\n\nthree", 7))
    assert.equal("one\nhttps://long.example/x\ntwo", fold.text("one https://long.example/x two", 10))
    assert.equal("", fold.text("", 0))
  end)

  it("is measured in cells", function()
    assert.equal("äöü äöü\nß", fold.text("äöü äöü ß", 7))
    assert.equal("日本\n語", fold.text("日本 語", 6))
  end)

  it("of prose has its paragraph set anew, and examples keep their lines", function()
    local s = "one two three\nfour.\n\n    code that is long\n    more\n\nfive\nsix"
    assert.equal(s, fold.prose(s, 21))
    assert.equal("one two\nthree\nfour.\n\n    code that is long\n    more\n\nfive six", fold.prose(s, 8))
  end)
end)
