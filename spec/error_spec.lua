-- SPDX-License-Identifier: MIT
-- The error object: what it holds, how it prints, how it travels, and that
-- asking it why can never make things worse.

local helpers = require "spec.helpers"
local ns = require "nslua"
local sys = require "nslua.sys"

local none = "/no/such/path"

local function refused(fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, "nothing was refused")
  return err
end


describe("a mistake", function()
  it("is told at the line that made it, wherever it is found", function()
    local box <close> = ns.clone({}, { "sleep", "600" })
    local here = "spec/error_spec.lua:"
    for what, fn in pairs {
      ["function expected"] = function() ns.trace(5) end,
      ['unknown namespace type "utx"'] = function() box:ns "utx" end,
      ["a namespace type is a word"] = function() box:ns {} end,
      ["ping wants a table"] = function() box:ping("127.0.0.1", 5) end,
      ["columns are words"] = function() box:ps(5) end,
    } do
      local err = refused(fn)
      assert.equal(here, err:sub(1, #here), err)
      assert.truthy(err:find(what, 1, true), err)
    end
    assert.truthy(refused(ns.setns, {}):find("bad argument #1 to", 1, true))
  end)

  it("is a dot where a method wants a colon: told there, and how it is written", function()
    local tried, bad = 0, {}
    local root <close> = ns.rootfs.get "/"
    local lab <close> = ns.lab { a = {} }
    local one = { List = ns.mounts(), Link = ns.link.get "lo", Rootfs = root, Lab = lab }
    for name in pairs(require "nslua.help".all()) do
      local kind, method = name:match "^(%u%w*):([%w_]+)$"
      if kind and kind ~= "LabHost" then
        for _, code in ipairs { "m()", "m('x')", "m({})" } do
          local call = assert(load("local t = ... t." .. code:gsub("m", method, 1), "=script"))
          -- Not its own type: the method is somebody else's field.
          local err = refused(call, { [method] = (one[kind] or sys.methods[kind])[method] })
          local told = ("^script:1: an? %s is wanted: %%l+:%s%%(%%), with a colon$"):format(kind, method)
          if not tostring(err):find(told) then bad[#bad + 1] = tostring(err) end
          tried = tried + 1
        end
      end
    end
    assert.equal("", table.concat(bad, "\n"))
    assert(tried > 100, tried)
    local owned <close> = ns.open "/dev/null"
    local hidden = { ["\27[31m"] = owned.close }
    assert.truthy(refused(function() hidden["\27[31m"]() end):find("fd:\\x1B[31m(), with", 1, true))
    assert.truthy(refused(owned.close):find("fd:method(), with a colon", 1, true)) -- nobody named it
  end)
end)


describe("the error object", function()
  helpers.adds_no_global "nslua.core"

  it("has the fields that the design promises", function()
    local err = refused(ns.readlink, none)
    assert.equal("readlink", err.call)
    assert.same({ '"' .. none .. '"' }, err.args)
    assert.equal(2, err.errno)
    assert.equal("ENOENT", err.name)
    assert.equal('readlink("/no/such/path"): No such file or directory (ENOENT)', err.message)
    assert.equal("readlink(2)", err.see)
    assert.is_string(err.hint)
    assert.is_nil(err.no_such_field)
    assert.is_nil(err[1])
  end)

  it("prints its place and message on one line, why and fix below it", function()
    local text = tostring(refused(ns.exec, { none }))
    local first, why, fix, rest = text:match "^([^\n]+)\n  why  ([^\n]+)\n  fix  ([^\n]+)(.*)$"
    assert.truthy(first, text)
    assert.truthy(first:find "execve%(\"/no/such/path\", %[\"/no/such/path\"%]%): [^(]+ %(ENOENT%)$", first)
    assert.truthy(#why > 0 and #fix > 0)
    assert.equal("", rest)
  end)

  it("prints one line alone when there is nothing more to say", function()
    local err = sys.error(1, "getpid", "")
    assert.equal("", err.hint)
    assert.is_nil(err.why)
    assert.is_nil(tostring(err):find "\n")
  end)

  it("names the line of the script that made the call", function()
    local _, err, status = helpers.nslua { "-e", "\n\nrequire'nslua'.readlink '/no/such/path'" }
    assert.truthy(err:find("(command line):3: readlink(", 1, true), err)
    assert.equal(1, status)
  end)

  it("says what a call was part of", function()
    local err = sys.error(1, "mount", '"a", "b"', "in the box: ")
    assert.truthy(tostring(err):find('in the box: mount("a", "b")', 1, true))
  end)

  it("lets no control byte of a name into any text", function()
    for _, evil in ipairs { "/\27[2J", "/a\nb\r", "/\x9b31m", "/\xc2\x9b", "/\xff\xfe", "/\127\8" } do
      local err = refused(ns.readlink, evil)
      for _, text in ipairs { tostring(err), err.message, err.args[1], err.hint } do
        assert.is_nil(text:gsub("\n  ", ""):find "%c", evil)
        assert.truthy(utf8.len(text))
        assert.is_nil(text:find "\xc2[\x80-\x9f]")
      end
      local exec = refused(ns.exec, { evil })
      assert.is_nil(tostring(exec):gsub("\n  ", ""):find "%c")
      assert.truthy(utf8.len(tostring(exec)))
    end
  end)

  it("cannot be taken for success by a caller that forgets it", function()
    assert.is_false(pcall(ns.readlink, none))
    local _, err, status = helpers.nslua [[
      local ns = require "nslua"
      ns.readlink "/no/such/path"
      print "the next line ran"]]
    assert.equal(1, status)
    assert.truthy(err:find("ENOENT", 1, true))
  end)
end)


describe("an error object that travels", function()
  it("stays the same object through pcall and error", function()
    local first = refused(ns.readlink, none)
    local ok, second = pcall(error, first)
    assert.is_false(ok)
    assert.is_true(rawequal(first, second))
  end)

  it("stays itself through assert", function()
    local err = refused(ns.readlink, none)
    local ok, again = pcall(_G.assert, false, err)
    assert.is_false(ok)
    assert.is_true(rawequal(err, again))
  end)

  it("comes out of a coroutine", function()
    local ok, err = coroutine.resume(coroutine.create(function() ns.readlink(none) end))
    assert.is_false(ok)
    assert.equal("ENOENT", err.name)
    local wrapped = refused(coroutine.wrap(function() ns.readlink(none) end))
    assert.equal(sys.error_type, getmetatable(wrapped))
  end)

  it("explains itself inside a coroutine too", function()
    local why = coroutine.wrap(function() return refused(ns.exec, { none }).why end)()
    assert.truthy(why:find(none, 1, true))
  end)

  it("is shown by the program, also when it was thrown again", function()
    for _, code in ipairs {
      "require'nslua'.exec{'/no/such/path'}",
      "local ok, e = pcall(require'nslua'.exec, {'/no/such/path'}) error(e)",
      "local ok, e = pcall(require'nslua'.exec, {'/no/such/path'}) assert(ok, e)",
      "coroutine.wrap(function() require'nslua'.exec{'/no/such/path'} end)()",
    } do
      local out, err, status = helpers.nslua(code)
      assert.equal("", out)
      assert.equal(1, status)
      assert.truthy(err:find("(ENOENT)", 1, true), code)
      assert.truthy(err:find("\n  why  ", 1, true), code)
    end
  end)
end)


describe("ns.try", function()
  it("gives what the function gave", function()
    assert.same({ 1, nil, 3, n = 3 }, table.pack(ns.try(function() return 1, nil, 3 end)))
    assert.equal(0, select("#", ns.try(function() end)))
    assert.same({ "a", "b" }, { ns.try(function(...) return ... end, "a", "b") })
  end)

  it("gives a refusal as io.open does, and the object", function()
    local got = table.pack(ns.try(ns.readlink, none))
    assert.equal(4, got.n)
    assert.is_nil(got[1])
    assert.equal('readlink("/no/such/path"): No such file or directory (ENOENT)', got[2])
    assert.equal(2, got[3])
    assert.equal("ENOENT", got[4].name)
  end)

  it("raises what is no refusal, as it was", function()
    local thing = {}
    local ok, err = pcall(ns.try, error, thing)
    assert.is_false(ok)
    assert.is_true(rawequal(thing, err))
    ok, err = pcall(ns.try, ns.readlink, 1, 2, print)
    assert.is_false(ok)
    assert.equal("string", type(err))
    assert.is_false((pcall(ns.try, ns.readlink)))
    assert.is_false((pcall(ns.try)))
  end)
end)


describe("asking why", function()
  -- Runs code with explain replaced by `body`, and returns what it prints.
  local function with_explain(body)
    return helpers.nslua(([[
      local ns, sys = require "nslua", require "nslua.sys"
      local calls = 0
      sys.explain(function(err) calls = calls + 1; %s end)
      local _, _, _, err = ns.try(ns.readlink, "/no/such/path")
      print(err.why, err.hint == "", err.fix, calls)
      print(tostring(err):match "readlink.*")]]):format(body))
  end
  local last = 'readlink("/no/such/path"): No such file or directory (ENOENT)\n'

  it("survives an explanation that raises", function()
    for _, body in ipairs {
      "error 'x'", "error(err)", "error(setmetatable({}, {__tostring=error}))", "local x = nil + 1",
    } do
      local out, err, status = with_explain(body)
      assert.equal("", err)
      assert.equal("nil\ttrue\tnil\t1\n" .. last, out)
      assert.equal(0, status)
    end
  end)

  it("survives an explanation that asks the error again, or never ends its recursion", function()
    for _, body in ipairs {
      "return { why = err.why }", "return { why = tostring(err) and nil }",
      "local function f() return 1 + f() end f()", "ns.readlink '/no/such/path'",
      "local _, _, _, e = ns.try(ns.readlink, '/other'); if calls < 3 then return { why = e.why and nil } end",
    } do
      local out, err = with_explain(body)
      assert.equal("", err)
      assert.truthy(out:find("nil\ttrue\tnil\t", 1, true), body .. ": " .. out)
      assert.truthy(out:find(last, 1, true))
    end
  end)

  it("takes texts only, and asks once", function()
    local out = with_explain "return { why = 'because', fix = 12, hint = print }"
    assert.equal('because\ttrue\tnil\t1\n' .. last:gsub("\n", "") .. "\n  why  because\n", out)
    assert.truthy(with_explain "return 7":find("nil\ttrue", 1, true))
    assert.truthy(with_explain "return":find("nil\ttrue", 1, true))
  end)

  it("is left out by a caller that only tries", function()
    local out = helpers.nslua [[
      local ns, sys = require "nslua", require "nslua.sys"
      sys.explain(function() print "asked" end)
      print(ns.try(ns.readlink, "/no/such/path") == nil)]]
    assert.equal("true\n", out)
  end)
end)


describe("a long error", function()
  it("is shown whole: its text grows while it is put together", function()
    for _, length in ipairs { 900, 1000, 1100, 4000 } do
      local ok, err = pcall(ns.readlink, "/" .. ("x"):rep(length))
      assert.is_false(ok)
      assert.truthy(tostring(err):find(("x"):rep(length), 1, true))
    end
  end)
end)
