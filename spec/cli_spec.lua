-- SPDX-License-Identifier: MIT
-- The --words of our own on the command line.

local helpers = require "spec.helpers"

local words = {
  "batch", "color", "doctor", "export", "forget", "frozen", "help", "lint", "list", "new", "plain", "rootfs",
  "traceback", "version",
}

-- A lesson engine that tells what it was given and ends with 77.
local told = [[
  package.preload["nslua.lesson"] = function()
    return { main = function(options, lessons)
      local out = {}
      for name, value in pairs(options) do out[#out + 1] = name .. "=" .. tostring(value) end
      table.sort(out)
      print(table.concat(out, " "))
      for _, lesson in ipairs(lessons) do
        print(type(lesson) == "table" and "lesson " .. lesson.id or lesson)
      end
      return 77
    end }
  end]]

local function nslua(...) return helpers.nslua { "-e", told, ... } end

-- The name of a file with this text.
local function script(text)
  local name = os.tmpname()
  local f <close> = assert(io.open(name, "w"))
  f:write(text)
  finally(function() os.remove(name) end)
  return name
end

describe("nslua.cli", function()
  it("adds no global", function() helpers.adds_no_global "nslua.cli" end)

  it("--help explains every word, on standard output", function()
    local out, err, status = helpers.nslua { "--help" }
    for _, word in ipairs(words) do assert.truthy(out:find("--" .. word, 1, true), word) end
    for word in out:gmatch "%-%-(%a+)" do
      local _, message = helpers.nslua { "--" .. word .. "=no", "--help" }
      assert.is_nil(message:find "unrecognized", word)
    end
    assert.same({ "", 0 }, { err, status })
    for line in out:gmatch "[^\n]+" do assert.is_true(#line < 80, line) end
  end)

  it("--version tells ours and Lua's", function()
    local out, _, status = helpers.nslua { "--version" }
    assert.matches("^nslua %d+%.%d+%.%d+ %(Lua 5%.4%.%d+%)\nLua 5%.4", out)
    assert.equal(0, status)
  end)

  local wrong = {
    { "--batch needs a lesson", "--batch" },
    { "--export needs a value: --export=md|html|cast", "--export", "x.lua" },
    { "--export cannot be 'pdf'", "--export=pdf", "x.lua" },
    { "--new needs the name of a file", "--new" },
    { "--new does not know what to do with 'b'", "--new", "a", "b" },
    { "--frozen needs an exported document", "--frozen", "a.md" },
    { "--doctor cannot be 'who'", "--doctor=who" },
    { "--color needs a value: --color=auto|always|never", "--color" },
    { "--color cannot be '\\x1B[0m'", "--color=\27[0m", "-e", "print(1)" },
    { "--rootfs needs a value: --rootfs=SOURCE", "--rootfs", "x.lua" },
    { "--rootfs has an empty value", "--rootfs=" },
    { "--plain takes no value", "--plain=1" },
    { "--list and --lint do not go together", "--list", "--lint", "x.lua" },
  }
  for _, case in ipairs(wrong) do
    it("ends with 2: " .. case[1], function()
      local out, err, status = helpers.nslua { table.unpack(case, 2) }
      assert.truthy(err:find(": " .. case[1], 1, true), err)
      assert.same({ case[1]:find "x1B" and "1\n" or "", 2 }, { out, status })
    end)
  end

  it("a word of nobody's is lua's error, also beside one of ours", function()
    for _, argv in ipairs { { "--bacth", "x" }, { "--batch", "--x" }, { "--batchy", "x" }, { "--=" } } do
      local _, err, status = helpers.nslua(argv)
      assert.matches("unrecognized option '%-%-", err)
      assert.equal(1, status)
    end
  end)

  it("hands every operand to the lessons in their modes", function()
    local out, _, status = nslua("--batch", "--rootfs=a=b", "--plain", "a.lua", "--lint", "-x")
    assert.same({ "batch=true plain=true rootfs=a=b\na.lua\n--lint\n-x\n", 77 }, { out, status })
    assert.equal("list=json\n", (nslua "--list=json"))
    assert.equal("export=md\n-x.lua\n", (nslua("--export=md", "--", "-x.lua")))
  end)

  it("runs -e and -l before, and not when they fail", function()
    local out, _, status = helpers.nslua { "-e", "error 'x'", "--batch", "x.lua" }
    assert.same({ "", 1 }, { out, status })
  end)

  local lesson = "return setmetatable({ id = 'one' }, { __name = 'nslua.lesson' })"

  it("runs the lesson that a script returns, with the options given", function()
    local file = script(lesson)
    local out, _, status = nslua(file)
    assert.same({ "\nlesson one\n", 77 }, { out, status })
    out, _, status = nslua("--rootfs=alpine", "--color=never", file, "--batch")
    assert.same({ "color=never rootfs=alpine\nlesson one\n", 77 }, { out, status })
  end)

  it("runs a lesson from standard input", function()
    local out, _, status = helpers.nslua({ "-e", told, "-" }, { stdin = lesson })
    assert.same({ "\nlesson one\n", 77 }, { out, status })
  end)

  it("leaves what other scripts return alone", function()
    for _, text in ipairs { "return 5", "return {}, 3", "return setmetatable({}, {__name = 'x'})" } do
      assert.same({ "", "", 0 }, { nslua(script(text)) })
    end
  end)

  it("leaves words after the script to the script", function()
    assert.equal("--batch\t--help\n", (nslua("--plain", script "print(...)", "--batch", "--help")))
  end)
end)
