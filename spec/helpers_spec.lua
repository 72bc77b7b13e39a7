-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

describe("the helpers of the specs", function()
  it("bring results back from a child", function()
    local a, b, c, d = helpers.in_child(function(x) return x + 1, "text\0\n", nil, true end, 41)
    assert.same({ 42, "text\0\n", true }, { a, b, d })
    assert.is_nil(c)
  end)

  it("raise a child's failed assertion in the parent", function()
    local ok, err = pcall(helpers.in_child, function() assert.equal("left", "right") end)
    assert.is_false(ok)
    assert.matches("in the child", err)
    assert.matches("left", err)
    assert.matches("helpers_spec.lua:", err)
  end)

  it("say so when a child dies without a word", function()
    local ok, err = pcall(helpers.in_child, function() ns.kill(ns.getpid(), "KILL") ns.poll({}, 5) end)
    assert.is_false(ok)
    assert.matches("signal 9", err)
  end)

  it("do not wait for a grandchild that lives on", function()
    local pid = helpers.in_child(function()
      local p = ns.fork(function() ns.poll({}, 30) end)
      return p.pid
    end)
    ns.kill(pid, "KILL")
  end)

  it("leak no descriptor", function()
    local before = helpers.fds()
    helpers.in_child(function() end)
    pcall(helpers.in_child, error, "x")
    helpers.nslua "print(1)"
    assert.equal(before, helpers.fds())
  end)

  it("run the program and tell what became of it", function()
    assert.same({ "1\n", "", 0 }, { helpers.nslua "print(1)" })
    local out, err, status = helpers.nslua({ "/dev/stdin" }, { stdin = "io.stderr:write 'no' os.exit(3)" })
    assert.same({ "", "no", 3 }, { out, err, status })
    assert.equal("two", (helpers.nslua("io.write(os.getenv 'ONE')", { env = { ONE = "two" } })))
  end)

  it("run the program as nobody", function()
    local out, err, status = helpers.as_nobody "local ns = require 'nslua' print(ns.geteuid())"
    assert.same({ "", 0 }, { err, status })
    assert.equal(ns.geteuid() == 0 and "65534\n" or ns.geteuid() .. "\n", out)
  end)

  it("find a function that takes a wrong argument", function()
    local ok, err = pcall(helpers.badargs, function() end, "path", "/x")
    assert.is_false(ok)
    assert.matches("was taken", err.message or tostring(err))
    ok = pcall(helpers.badargs, function() ns.open "/no/such" end, "path", "/x")
    assert.is_false(ok)
  end)

  it("know what this machine refuses", function()
    local ok, reason, kind = helpers.probe("never", function() ns.open "/no/such" end)()
    assert.is_false(ok)
    assert.matches("ENOENT", reason)
    assert.is_nil(kind)
  end)

  helpers.ns_it("user uts", "unshare in a child", function()
    local before = ns.gethostname()
    assert.equal("inside", helpers.in_child(function()
      ns.unshare("user", "uts")
      ns.sethostname "inside"
      return ns.gethostname()
    end))
    assert.equal(before, ns.gethostname())
  end)

  helpers.root_it("see root", function() assert.equal(0, ns.geteuid()) end)
end)
