-- SPDX-License-Identifier: MIT
-- Steps that do what no author should: whatever they do to the process that
-- runs them, the lesson is told as it was, and nothing is played twice.
local helpers = require "spec.helpers"
local ns = require "nslua"

local dir

local function write(act)
  local path = dir .. "/evil.lua"
  local file <close> = assert(io.open(path, "w"))
  file:write(([[
    local ns = require "nslua"
    return ns.lesson { id = "evil", title = "Evil", box = { "uts" },
      { "First", run = function(t) t.first = 1 end,
        check = { ["first"] = function(t) return t.first == 1 end } },
      { "Evil", run = function(t) %s end,
        check = { ["second"] = function(t) return t.box.running end } },
      { "Last", run = function(t) ns.poll({}, 0.3) end,
        check = { ["third"] = function(t) return t.box.running end } } }]]):format(act))
  return path
end

local function batch(act)
  local path = write(act)
  local out, err, status = helpers.nslua { "--batch", path }
  return out, err, status, path
end

local function count(s, word) return select(2, s:gsub(word, "")) end

describe("a step that", function()
  lazy_setup(function() dir = ns.mkdtemp "/tmp/nslua-spec-XXXXXX" end)

  lazy_teardown(function() helpers.run { "rm", "-rf", dir } end)

  local function stage_it(name, fn) return helpers.ns_it("user mnt uts", name, fn) end

  for act, said in pairs {
    ["os.exit(0)"] = "by itself", ["os.exit(77)"] = "by itself", ["os.exit(true, true)"] = "by itself",
    ["ns.exec { 'true' }"] = "by itself", ["ns.kill(ns.getpid(), 'KILL')"] = "by signal 9",
  } do
    stage_it("calls " .. act .. " ends the lesson, which is no success then", function()
      local out, err, status, path = batch(act)
      assert.equal(said == "by itself" and 1 or 137, status)
      assert.equal(("nslua: %s:5: step 2 (Evil) ended the lesson, %s\n"):format(path, said), err)
      assert.truthy(out:find("1 of 3 steps", 1, true), out)
      local _, lint_err, lint_status = helpers.nslua { "--lint", path }
      assert.equal(1, lint_status)
      assert.equal(err, lint_err)
      local _, tap_err, tap_status = helpers.nslua { "--batch=tap", path }
      assert.same({ err, status }, { tap_err, tap_status })
    end)
  end

  stage_it("takes away what the runner needs is named after the reason", function()
    local _, err, status, path = batch "ns.mount('tmpfs', '/proc', 'tmpfs')"
    assert.equal(1, status)
    assert.truthy(err:find("No /proc is mounted in this root", 1, true), err)
    assert.truthy(err:find(path .. ":5: step 2 (Evil) ended the lesson", 1, true), err)
    assert.falsy(err:find "traceback")
  end)

  stage_it("forks and comes back twice is played once", function()
    for _, act in ipairs { "ns.fork()", "if ns.fork() == 0 then error 'in the child' end" } do
      local out, err, status = batch(act)
      assert.same({ "", 0 }, { err, status }, out)
      for _, claim in ipairs { "first", "second", "third" } do assert.equal(1, count(out, "✔ " .. claim), out) end
      assert.truthy(out:find "all 3 claims held", out)
    end
  end)

  stage_it("writes somewhere else, or closes what it has, leaves the others their output", function()
    for _, act in ipairs { "io.output('/tmp/elsewhere')", "ns.fd(1):close() ns.fd(2):close()", "ns.fd(0):close()" } do
      local out, err, status = batch(act)
      assert.same({ "", 0 }, { err, status }, act)
      assert.equal(1, count(out, "✔ third"), act)
    end
  end)

  stage_it("puts something in the place of t.host is told so, at its line", function()
    local out, _, status, path = batch "t.host = nil"
    assert.equal(1, status)
    assert.truthy(out:gsub("%s+", " "):find(path .. ":5: t.host is the lesson's own: choose another name", 1, true), out)
  end)

  stage_it("raises what names no place is told with its line", function()
    for act, said in pairs { ["error()"] = ":5: nil", ["coroutine.yield()"] = ":5: attempt to yield" } do
      local out, _, status, path = batch(act)
      assert.equal(1, status)
      assert.truthy(out:find(path .. said, 1, true), out)
    end
  end)

  stage_it("prints without end is cut, and says how much more there was", function()
    local out, _, status = batch "for _ = 1, 1000 do print(('x'):rep(999)) end"
    assert.equal(0, status)
    assert.truthy(out:find("... and 934464 bytes more", 1, true), out:sub(-400))
    assert.is_true(#out < 100000)
  end)
end)
