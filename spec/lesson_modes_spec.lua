-- SPDX-License-Identifier: MIT
-- --list, --lint, --new, and the formats of --batch.
local helpers = require "spec.helpers"
local ns = require "nslua"

local dir

local function write(text, name)
  local path = dir .. "/" .. (name or "lesson.lua")
  local file <close> = assert(io.open(path, "w"))
  file:write("local ns = require 'nslua'\nreturn ns.lesson { id = 'a', title = 'A', done = 'x',\n", text, " }\n")
  return path
end

-- A step that has all that a step should have but what it does.
local function step(rest)
  return "{ 'Step', say = 'x', shell = 'y', hint = { 'z' },\n" .. rest .. " }"
end

describe("lessons on the command line", function()
  helpers.adds_no_global "nslua.lesson.lint"

  lazy_setup(function()
    dir = ns.mkdtemp "/tmp/nslua-spec-XXXXXX"
  end)

  lazy_teardown(function() helpers.run { "rm", "-rf", dir } end)

  local function stage_it(name, fn) return helpers.ns_it("user mnt uts", name, fn) end

  stage_it("do not run a script that makes no lesson, and go on with the others", function()
    local tool = dir .. "/tool.lua"
    do
      local file <close> = assert(io.open(tool, "w"))
      file:write 'print "did its work"\nos.exit(3)\n'
    end
    local out, err, status = helpers.nslua { "--batch", tool, "uts" }
    assert.same({ ("nslua: %s returns no lesson (return ns.lesson { ... })\n"):format(tool), 2 }, { err, status })
    assert.truthy(out:find("uts: 5 steps, all", 1, true), out)
    assert.falsy(out:find("did its work", 1, true))
  end)

  -- -- list -----------------------------------------------------------------

  it("lists the course in the order of learning", function()
    local out, err, status = helpers.nslua { "--list" }
    assert.same({ "", 0 }, { err, status })
    assert.truthy(out:find "LESSON +TITLE +STEPS +MIN +NEEDS +HERE\n")
    assert.is_true(out:find "\nuts " < out:find "\npid ")
  end)

  it("lists a file as JSON, with the reason why it does not run here", function()
    local file = write("needs = { 'cgroup.nosuchthing' }, { 'Step', observe = true }")
    local out, _, status = helpers.nslua { "--list=json", file }
    assert.equal(0, status)
    assert.truthy(out:find('"id": "a"', 1, true))
    assert.truthy(out:find('"runs": false', 1, true))
    assert.truthy(out:find('"reason": "no cgroup.nosuchthing', 1, true))
  end)

  it("ends with 77 when the machine lacks what a lesson needs, and says what", function()
    local file = write("needs = { 'cgroup.nosuchthing' }, { 'Step', observe = true }")
    local out, err, status = helpers.nslua { "--batch", file }
    assert.same({ "", 77 }, { out, status })
    assert.truthy(err:find("no cgroup.nosuchthing", 1, true))
  end)

  it("ends with 77 when the part of nslua is missing that a lesson needs", function()
    helpers.run { "cp", helpers.program, dir .. "/nslua" }
    local out, err, status = helpers.run { dir .. "/nslua", "--batch", "scripts/net.lua" }
    assert.same({ "", 77 }, { out, status })
    assert.truthy(err:find("no links: nslua/net.so cannot be opened (built where libnl-route-3 is", 1, true), err)
    out = helpers.run { dir .. "/nslua", "--list=json", "scripts/net.lua" }
    assert.truthy(out:find('"reason": "no links: ', 1, true), out)
  end)

  -- -- lint -----------------------------------------------------------------

  local function lint(text)
    local file = write(text)
    local out, err, status = helpers.nslua { "--lint", file }
    assert.equal("", err)
    return out:gsub(dir:gsub("%p", "%%%0") .. "/", ""), status
  end

  it("says what is missing, with its line", function()
    local out, status = lint "{ 'One', run = function() end },\n { 'Two' }"
    assert.equal(1, status)
    for _, line in ipairs {
      "lesson.lua:3: step 1 (One): it explains nothing (no say)", "lesson.lua:3: step 1 (One): it has no hint",
      "lesson.lua:3: step 1 (One): it has no shell: how is it done by hand?",
      "lesson.lua:3: step 1 (One): it claims nothing",
      "lesson.lua:4: step 2 (Two): it does nothing: give it a run, or say observe = true",
    } do assert.truthy(out:find(line .. "\n", 1, true), line .. " is not in " .. out) end
  end)

  it("finds a next lesson that is not there", function()
    local good = write("{ 'S', observe = true }", "other.lua")
    local file = dir .. "/next.lua"
    do
      local text <close> = assert(io.open(file, "w"))
      text:write("return require 'nslua'.lesson { id = 'a', title = 'A', done = 'Next: nslua scripts/uts.lua, nslua ",
        good, ", see gone.lua', { 'S', observe = true } }")
    end
    local out, _, status = helpers.nslua { "--lint", file }
    assert.equal(1, status)
    assert.truthy(out:find("`done` names gone.lua, and there is no such file\n", 1, true), out)
    assert.equal(1, select(2, out:gsub("no such file", "")))
  end)

  stage_it("finds a check that holds without the act", function()
    local out, status = lint(step [[run = function(t) t.x = 1 end,
      check = { ["of course"] = function() return true end }]])
    assert.same({ "lesson.lua:5: step 1 (Step): no check can fail: all of them hold without the act\n", 1 },
      { out, status })
  end)

  stage_it("is content when one check of a step can fail", function()
    local out, status = lint(step [[run = function(t) t.x = 1 end,
      check = { ["of course"] = function() return true end,
        ["done"] = function(t) return t.x == 1 end }]])
    assert.equal(0, status, out)
    assert.truthy(out:find "nothing to complain of, 2 claims proved")
  end)

  stage_it("finds a keep that the act cannot break, and one that it does", function()
    local act = "box = { 'uts' }, " .. step [[run = function(t) t.box:call(ns.sethostname, "box") end,
      check = { ["renamed"] = function(t) return t.box:hostname() == "box" end },
      keep = { ["%s"] = function(t) return %s end }]]
    local out, status = lint(act:format("it is a host", "t.host"))
    assert.same({ 'lesson.lua:6: step 1 (Step): keep "it is a host" cannot fail: '
      .. "it holds with the act done on the host too\n", 1 }, { out, status })
    out, status = lint(act:format("not box", "t.host:hostname() ~= 'box'"))
    assert.equal(0, status, out)
  end)

  stage_it("finds a refusal that comes from somewhere else", function()
    local act = step [[run = function(t)
        %s
        ns.mknod("/tmp/node", "char", "600", 1, 3)
      end,
      expect = "EPERM"]]
    local out, status = lint(act:format 'ns.mount("proc", "/tmp", "proc")')
    assert.equal(1, status)
    assert.truthy(out:find("EPERM comes without the call of mount too: something else is refused", 1, true))
    out, status = lint(act:format "")
    assert.equal(0, status, out)
  end)

  stage_it("tells a claim that does not hold, at its line", function()
    local out, status = lint(step [[run = function() end,
      check = {
        ["no"] = function() return false, "because" end }]])
    assert.equal(1, status)
    assert.truthy(out:find('lesson.lua:6: step 1 (Step): "no" does not hold: because\n', 1, true))
  end)

  stage_it("leaves out calls by whatever name a lesson makes them", function()
    local act = step [[run = function(t)
        %s
        ns.umount "/tmp/no"
      end,
      expect = "ENOENT"]]
    local out, status = lint(act:format "")
    assert.equal(0, status, out)
    out, status = lint(step [[run = function()
        ns.exec { "/no/such/program" }
      end,
      expect = "ENOENT"]])
    assert.equal(1, status, out)
    assert.truthy(out:find("ENOENT comes from execve, which a lesson cannot leave out: it is not proved", 1, true), out)
  end)

  stage_it("finds a view that fails and a question without an answer", function()
    local out, status = lint [[{ 'View', say = 'x', hint = { 'z' }, observe = true,
      show = function() error "oh" end,
      check = { ["c"] = function() return true end } },
    { 'Ask', say = 'x', hint = { 'z' }, observe = true,
      ask = { "what?", answer = function() end },
      check = { ["c"] = function() return true end } }]]
    assert.equal(1, status)
    assert.truthy(out:find("lesson.lua:3: step 1 (View): show fails: lesson.lua:4: oh\n", 1, true), out)
    assert.truthy(out:find("lesson.lua:6: step 2 (Ask): the question has no answer: what?\n", 1, true), out)
  end)

  it("finds a lesson that leads nowhere, and every word that nobody knows", function()
    local file = dir .. "/end.lua"
    local handle <close> = assert(io.open(file, "w"))
    handle:write [[return require "nslua".lesson { id = "a", title = "A",
      { "S", observe = true, say = "x", hint = { "y" },
        check = { ["c"] = function() return true end } } }]]
    handle:close()
    local out, _, status = helpers.nslua { "--lint", file }
    assert.equal(1, status)
    assert.truthy(out:find("end.lua:1: a dead end: `done` says where to go from here\n", 1, true), out)
    local _, err
    _, err, status = helpers.nslua { "--lint", write("bxo = 1, { 'S', obsrve = true }") }
    assert.equal(1, status)
    assert.truthy(err:find('lesson.lua:3: nobody knows the key "bxo" (did you mean "box"?)', 1, true), err)
    assert.truthy(err:find('nobody knows the key "obsrve" (did you mean "observe"?)', 1, true), err)
  end)

  -- -- new ------------------------------------------------------------------

  stage_it("writes a lesson that has nothing to complain of, and never over another", function()
    local file = dir .. "/my new-lesson.lua"
    local _, err, status = helpers.nslua { "--new", file }
    assert.same({ "", 0 }, { err, status })
    local out
    out, err, status = helpers.nslua { "--lint", file }
    assert.same({ "", 0 }, { err, status }, out)
    out = helpers.nslua { "--batch", file }
    assert.truthy(out:find "my%-new%-lesson: 1 step, all 2 claims held")
    _, err, status = helpers.nslua { "--new", file }
    assert.equal(1, status)
    assert.truthy(err:find "is there already: it stays as it is")
  end)

  -- -- formats --------------------------------------------------------------

  local mixed = step [[run = function(t) t.x = 1 end,
    check = { ["good"] = function(t) return t.x end,
      ["bad # not"] = function() return nil, "why\nnot" end }]]
    .. ",\n{ 'Boom', run = function() error 'boom' end }"

  stage_it("reports as TAP", function()
    local out, _, status = helpers.nslua { "--batch=tap", write(mixed), "uts" }
    assert.equal(1, status)
    assert.truthy(out:find "^TAP version 13\n# A\nok 1 %- a/1 good\nnot ok 2 %- a/1 bad \\# not\n  %-%-%-\n"
      , out)
    assert.truthy(out:find('\n  message: "why\\nnot"\n', 1, true))
    assert.truthy(out:find("\nnot ok 3 - a/2 Boom: the step could not run\n", 1, true))
    assert.truthy(out:find "\nok 4 %- uts/1 ")
    local last = out:match "\nok (%d+) [^\n]*\n1%.%.%d+\n$"
    assert.truthy(out:find("\n1.." .. last .. "\n", 1, true))
  end)

  it("marks what this machine cannot run as skipped", function()
    local file = write("needs = { 'cgroup.nosuchthing' }, { 'Step', observe = true }")
    local out, _, status = helpers.nslua { "--batch=tap", file }
    assert.equal(77, status)
    assert.truthy(out:find "\nok 1 %- a # SKIP no cgroup%.nosuchthing[^\n]*\n1%.%.1\n$", out)
  end)

  stage_it("reports as JSON", function()
    local out, _, status = helpers.nslua { "--batch=json", write(mixed) }
    assert.equal(1, status)
    for _, part in ipairs { '"result": "failed"', '"claim": "good"', '"why": "why\\nnot"', '"claims": 3',
      '"failed": 2', '"id": "a/2"' } do
      assert.truthy(out:find(part, 1, true), part .. " is not in " .. out)
    end
  end)
end)
