-- SPDX-License-Identifier: MIT
-- What is made of the annotations: the manual page and what editors read.

local helpers = require "spec.helpers"
local help = require "nslua.help"


local function made(form)
  local process <close> = assert(io.popen("./nslua .ci/manual.lua " .. form))
  return process:read "a"
end


local function public_names()
  local names = {}
  for name in pairs(help.all()) do
    if name:find "^ns%." or name:find "^%u%w*:" then names[#names + 1] = name end
  end
  return names
end


describe("the manual page nslua(3)", function()
  helpers.adds_no_global "nslua.help"

  it("has every public function, and roff finds no fault in it", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(made "man")
    file:close()
    local process <close> = io.popen(("groff -man -Tutf8 -ww -b -z %s 2>&1; groff -man -Tutf8 -P-cbou -rLL=200n %s")
      :format(path, path))
    local text = process:read "a":gsub("\u{2010}", "-"):gsub("\u{2212}", "-")
    os.remove(path)
    assert.is_nil(text:match "^[^\n]*warning[^\n]*")
    local missing = {}
    for _, name in ipairs(public_names()) do
      if not text:find("\n   " .. name .. "(", 1, true) then missing[#missing + 1] = name end
    end
    assert.same({}, missing)
  end)
end)


describe("the manual page nslua(1)", function()
  it("has every option of --help, and roff finds no fault in it", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(made "program")
    file:close()
    local process <close> = io.popen(("groff -man -Tutf8 -ww -b -z %s 2>&1; groff -man -Tutf8 -P-cbou -rLL=80n %s")
      :format(path, path))
    local text = process:read "a":gsub("\u{2010}", "-"):gsub("\u{2212}", "-")
    os.remove(path)
    assert.is_nil(text:match "^[^\n]*warning[^\n]*")
    local usage, count = helpers.run { helpers.program, "--help" }, 0
    for option in usage:gmatch "%f[%S]%-%-?%w[%w]*" do
      count = count + 1
      assert.is_truthy(text:find(option, 1, true), option)
    end
    assert.is_true(count > 20)
    for line in text:gmatch "[^\n]+" do assert.is_true(utf8.len(line) <= 80, line) end
    assert.is_truthy(text:find("EXIT STATUS\n", 1, true))
    assert.is_truthy(text:find("\n       --batch[=tap|json] lesson...\n", 1, true), text)
  end)
end)


describe("the definitions for editors", function()
  it("are Lua, and have every public function", function()
    local text = made "stubs"
    assert(load(text, "=stubs"))
    local missing = {}
    for _, name in ipairs(public_names()) do
      if not text:find("\nfunction " .. name .. "(", 1, true) then missing[#missing + 1] = name end
    end
    assert.same({}, missing)
  end)

  it("define each type that they name", function()
    local text, unknown = made "stubs", {}
    for name in text:gmatch "nslua%.%u%w*" do
      if not text:find("---@class " .. name .. "%f[^%w]") and not text:find("---@alias " .. name .. "%f[^%w]") then
        unknown[name] = true
      end
    end
    assert.same({}, unknown)
  end)

  it("give a value for each class that has methods", function()
    local environment = { ns = {} }
    assert.has_no_error(assert(load(made "stubs", "=stubs", "t", environment)))
  end)
end)
