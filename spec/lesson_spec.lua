-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local source = require "nslua.lesson.source"
local ns = require "nslua"

-- A lesson from the text of a table; what is wrong with it comes as text.
local function lesson_of(text)
  text = "local ns = require 'nslua'\nreturn ns.lesson " .. text
  source.remember("@made.lua", text)
  source.loading = "@made.lua"
  local ok, value = pcall(assert(load(text, "@made.lua")))
  source.loading = nil
  return ok and value or tostring(value)
end

local function body_of(text)
  source.remember("@body.lua", text)
  local _, body = source.of(assert(load(text, "@body.lua"))())
  return body
end

describe("lesson", function()
  helpers.adds_no_global "nslua.lesson"

  describe("source", function()
    it("cuts a function's body and takes the margin off", function()
      assert.equal("local x = 1\nif t then\n  return x\nend", body_of [[
        return function(t)
          local x = 1
          if t then
            return x
          end
        end]])
    end)

    it("is not led astray by strings and comments", function()
      assert.equal([==[-- end
local s = "end" .. 'end\'' .. [=[ end ]] ]=] --[[ function ]]
repeat local d = s until d]==], body_of [==[
return function()
  -- end
  local s = "end" .. 'end\'' .. [=[ end ]] ]=] --[[ function ]]
  repeat local d = s until d
end]==])
    end)

    it("takes the outer function of a line", function()
      assert.equal("return pcall(function() return t end)",
        body_of "return function(t) return pcall(function() return t end) end")
    end)

    it("says nothing about a function of C", function()
      assert.is_nil(source.of(print))
    end)
  end)

  describe("schema", function()
    it("names the line and the nearest word of an unknown key", function()
      assert.equal('made.lua:3: nobody knows the key "titel" (did you mean "title"?)',
        lesson_of [[{ id = "a", title = "b",
  titel = "c",
  { "Step", observe = true } }]])
      assert.equal('made.lua:4: step 1 (Step): nobody knows the key "sheck" (did you mean "check"?)',
        lesson_of [[{ id = "a", title = "b",
  { "Step",
    sheck = {}, observe = true } }]])
    end)

    it("tells all mistakes, in the order of their lines", function()
      local told = lesson_of [[{ id = "a b", title = "", needs = { "utz" }, box = { hostnam = "x" },
  { say = "x", run = 5, expect = "no", hint = {} },
  { "Two", show = "hostnames", check = { "x" }, ask = "?" },
  "three", { 4 } }]]
      local lines = {}
      for line in told:gmatch "[^\n]+" do lines[#lines + 1] = line end
      assert.equal(13, #lines, told)
      for i = 2, #lines do
        assert.is_true(tonumber(lines[i - 1]:match ":(%d+):") <= tonumber(lines[i]:match ":(%d+):"))
      end
    end)

    it("knows the names of errors", function()
      local function said(name)
        local _, problem = pcall(ns.lesson, { id = "a", title = "A", { "S", run = print, expect = name } })
        return tostring(problem)
      end
      assert.truthy(said("EPREM"):find('nobody knows the error EPREM (did you mean "EPERM"?)', 1, true))
      assert.truthy(said("no"):find("expect is the name of an error", 1, true))
      assert.falsy(said("ERANGE"):find "expect")
    end)

    it("refuses two functions that begin on one line", function()
      assert.equal("made.lua:3: step 1 (Step): two functions begin on this line: give each a line of its own",
        lesson_of [[{ id = "a", title = "b",
  { "Step", run = function() end, check = { ["c"] = function() end } } }]])
    end)

    it("wants an id, a title and a step", function()
      assert.equal([[made.lua:2: a lesson has a title: title = "..."
made.lua:2: a lesson has an id: id = "my-uts"
made.lua:2: a lesson has at least one step]], lesson_of "{}")
    end)

    it("refuses what is no table", function()
      assert.has_error(function() ns.lesson(5) end, "bad argument #1 to 'lesson' (table expected, got number)")
    end)

    it("keeps the claims in the order of their lines", function()
      local one = lesson_of [[{ id = "a", title = "b", { "Step", observe = true,
  keep = { ["z"] = function() end,
    ["a"] = function() end },
  check = { ["b"] = print,
    ["c"] = function() end } } }]]
      local texts = {}
      for i, claim in ipairs(one.steps[1].claims) do texts[i] = claim.kind .. " " .. claim.text end
      assert.same({ "keep z", "keep a", "check b", "check c" }, texts)
    end)

    it("runs nothing", function()
      local one = lesson_of [[{ id = "a", title = "b", { "Step",
  run = function() error "ran" end } }]]
      assert.equal("a/1", one.steps[1].id)
      assert.equal("lesson a: b (1 steps)", tostring(one))
    end)
  end)
end)

-- -- running ----------------------------------------------------------------

local dir

local function run(text, words)
  local file <close> = assert(io.open(dir .. "/lesson.lua", "w"))
  file:write("local ns = require 'nslua'\nreturn ns.lesson { id = 'a', title = 'A', ", text, " }")
  file:close()
  local argv = { table.unpack(words or { "--batch" }) }
  argv[#argv + 1] = dir .. "/lesson.lua"
  return helpers.nslua(argv)
end

describe("a lesson in batch", function()
  lazy_setup(function()
    dir = ns.mkdtemp "/tmp/nslua-spec-XXXXXX"
  end)

  lazy_teardown(function()
    os.remove(dir .. "/lesson.lua")
    ns.rmdir(dir)
  end)

  local stage_it = function(name, fn) return helpers.ns_it("user mnt uts", name, fn) end

  stage_it("ends with 0 when every check held, and says so", function()
    local out, err, status = run [[box = { "uts" },
      { "Rename", run = function(t) t.box:call(ns.sethostname, "box") end,
        check = { ["renamed"] = function(t) return t.box:hostname() == "box" end },
        keep = { ["not the host"] = function(t) return t.host:hostname() ~= "box" end } }]]
    assert.same({ "", 0 }, { err, status })
    assert.truthy(out:find("t.box:call(ns.sethostname, \"box\")", 1, true))
    assert.truthy(out:find "all 2 claims held")
  end)

  stage_it("ends with 1 when a check fails, and shows its code", function()
    local out, _, status = run [[{ "Step", observe = true, check = { ["no way"] = function()
      return 1 == 2, "one is not two" end } }]]
    assert.equal(1, status)
    assert.truthy(out:find("one is not two", 1, true))
    assert.truthy(out:find("return 1 == 2", 1, true))
    assert.truthy(out:find("lesson.lua:2", 1, true))
  end)

  stage_it("wants a keep to hold before the act too", function()
    local out, _, status = run [[{ "Step", run = function(t) t.done = true end,
      keep = { ["done"] = function(t) return t.done end } }]]
    assert.equal(1, status)
    assert.truthy(out:find "it did not hold before the act")
  end)

  stage_it("takes the refusal that must come, and no other end", function()
    local text = [[{ "Step", run = function() %s end,
      expect = "EPERM" }]]
    local _, _, status = run(text:format "ns.setns(ns.of(1, 'mnt') or 1, 'mnt')")
    assert.equal(1, status) -- EACCES or nothing, not EPERM
    local out
    out, _, status = run(text:format "ns.mknod('/tmp/x', 'char', '666', 1, 3)")
    assert.equal(0, status, out)
    assert.truthy(out:find "refused with EPERM")
    out, _, status = run(text:format "")
    assert.equal(1, status)
    assert.truthy(out:find "nothing was refused")
  end)

  stage_it("stops at a step that could not run, with its error and its hints", function()
    local out, _, status = run [[{ "One", run = function() error("oh dear") end,
      hint = { "try again" } }, { "Two", observe = true }]]
    assert.equal(1, status)
    assert.truthy(out:find "lesson.lua:2: oh dear")
    assert.truthy(out:find "hint 1: try again")
    assert.truthy(out:find "1 of 2 steps")
    assert.falsy(out:find "A/2")
  end)

  stage_it("catches what programs print, and shows no raw control byte", function()
    local out = run [[{ "One", run = function(t)
      t.host:run { "printf", "\\033[31mred" } io.stderr:write "to stderr\n" end }]]
    assert.truthy(out:find("\n    \\x1B[31mred", 1, true), out)
    assert.truthy(out:find "to stderr")
    assert.falsy(out:find "\27")
  end)

  stage_it("has a process of ns.clone in the map and in the picture, when it stands apart", function()
    local text = [[box = { "uts" }, { "Three", show = "namespaces", run = function(t)
      local sleep = { "sleep", "1000" }
      t.apart = ns.clone({ "user", "uts", die_with_parent = true }, sleep)
      t.same, t.gone = t.box:spawn(sleep), ns.clone({ "user", "uts" }, { "true" })
      t.gone:wait() end }]]
    local out, err, status = run(text)
    assert.same({ "", 0 }, { err, status })
    assert.truthy(out:find "%d A    A   B   B .- nslua%-init %(box%)", out)
    assert.truthy(out:find "%d B    A   A   C .- sleep 1000 %(apart%)", out)
    assert.falsy(out:find "%(same%)" or out:find "%(gone%)", out)
    local dot = run(text, { "--export=dot" })
    assert.truthy(dot:find('"apart" [style=bold]', 1, true), dot)
    assert.falsy(dot:find('"same"', 1, true) or dot:find('"gone"', 1, true), dot)
  end)

  stage_it("closes the handles in t, last first", function()
    local out = run [[{ "One", run = function(t)
      local function handle(name)
        return setmetatable({}, { __close = function()
          local f <close> = io.open("/proc/self/fd/" .. t.keep, "a")
          f:write(name, " ")
        end })
      end
      t.keep = 1
      t.a = handle "first"
      t.b = handle "second"
    end, observe = nil }]]
    assert.truthy(out:find "second first", out)
  end)

  helpers.root_it("says that real root runs it when it needs that", function()
    local out, err, status = run [[needs = { "uid0" }, { "Look", observe = true,
      show = function() return tostring(ns.of(nil, "user")) end }]]
    assert.same({ "", 0 }, { err, status })
    assert.truthy(out:find("user   ROOT, the real one", 1, true), out)
    assert.truthy(out:find(tostring(ns.of(nil, "user")), 1, true), out)
  end)

  it("ends with 2 when there is no such lesson", function()
    local _, err, status = helpers.nslua { "--batch", "/no/such/lesson.lua" }
    assert.same({ 'nslua: there is no lesson "/no/such/lesson.lua"\n', 2 }, { err, status })
  end)

  it("ends with 1 for a lesson with mistakes, told like a compiler", function()
    local _, err, status = run "titel = 1"
    assert.equal(1, status)
    assert.truthy(err:find 'lesson.lua:2: nobody knows the key "titel"')
  end)
end)
