-- SPDX-License-Identifier: MIT
-- What a box was given holds for all that joins it later.
local helpers = require "spec.helpers"
local ns = require "nslua"

local BOX = { "user", "mnt", "pid", "uts" }

local function status(text, field) return text:match(field .. ":%s*([^\n]*)") end

-- What fn(box) says, in a child.
local function with_box(opts, fn)
  return helpers.in_child(function()
    local b <close> = ns.box(opts)
    return fn(b)
  end)
end

describe("what a box was given", function()
  helpers.adds_no_global "nslua.proc"

  helpers.ns_it(BOX, "env: is the environment of spawn, read, run and call, and of what they start", function()
    local got = { with_box({ "pid", env = { FOO = "bar" } }, function(b)
      local child <close> = b:spawn({ "sleep", "60" })
      return b:read 'echo "$FOO$HOME"', child:read 'echo "$FOO$HOME"',
        b:call(os.getenv, "FOO"), b:call(os.getenv, "HOME"),
        select(3, b:run { "sh", "-c", '[ "$FOO" = bar ] && exit 5' }),
        select(3, b:enter { "sh", "-c", '[ "$FOO" = bar ] && exit 6' })
    end) }
    assert.same({ "bar\n", "bar\n", "bar", nil, 5, 6 }, got)
  end)

  helpers.ns_it(BOX, "env: a call's own replaces it", function()
    assert.equal("-baz-", with_box({ "pid", env = { FOO = "bar" } }, function(b)
      local child <close> = b:spawn({ "sh", "-c", "echo -$FOO$BAR-" }, { env = { BAR = "baz" }, stdout = "pipe" })
      return child.stdout:read "a":match "[^\n]*"
    end))
  end)

  helpers.ns_it(BOX, "keep_env: is what the caller has when it calls", function()
    assert.equal("x\n", with_box({ "pid", env = { FOO = "x" }, keep_env = { "PATH" } }, function(b)
      return b:read 'echo "$FOO$HOME"'
    end))
  end)

  helpers.ns_it(BOX, "cwd, caps, no_new_privs and rlimits: hold for what comes later", function()
    local text, limit, cwd = with_box({ "pid", cwd = "/usr", caps = { "chown" }, no_new_privs = true,
      rlimits = { nofile = 77 } }, function(b)
      return b:read "cat /proc/self/status", b:read "ulimit -n", b:read "pwd"
    end)
    for _, set in ipairs { "CapPrm", "CapEff", "CapBnd" } do
      assert.equal(1, tonumber(status(text, set), 16), set)
    end
    assert.equal("1", status(text, "NoNewPrivs"))
    assert.equal("77\n", limit)
    assert.equal("/usr\n", cwd)
  end)

  helpers.ns_it(BOX, "is nothing that a plain process has", function()
    assert.equal("\n", helpers.in_child(function()
      local p <close> = ns.clone({ "user", "uts", map = "root", env = { FOO = "bar" } }, { "sleep", "60" })
      return p:read "echo $FOO"
    end))
  end)

  helpers.root_it("uid, gid and groups: hold for spawn and for functions", function()
    local text, uid, other = with_box({ "pid", uid = 1234, gid = 1235 }, function(b)
      local child <close> = b:spawn({ "id", "-u" }, { uid = 99, stdout = "pipe" })
      return b:read "id -u; id -g; id -G", b:call(ns.getuid), child.stdout:read "a"
    end)
    assert.equal("1234\n1235\n1235\n", text)
    assert.equal(1234, uid)
    assert.equal("99\n", other)
  end)

  helpers.root_it("map: of many ids makes what joins its root, and any id of it can be had", function()
    local map = { uid = { { 0, 100000, 65536 } }, gid = { { 0, 100000, 65536 } } }
    local text, other = with_box({ "user", "pid", map = map }, function(b)
      local child <close> = b:spawn({ "sh", "-c", "id -u; id -g" }, { uid = 5, stdout = "pipe" })
      return b:read "id -u; id -g", child.stdout:read "a"
    end)
    assert.equal("0\n0\n", text)
    assert.equal("5\n0\n", other)
  end)
end)

describe("a pid namespace without a mount namespace", function()
  helpers.ns_it(BOX, "keeps the /proc of outside, as the help of ns.box says; with one it has its own", function()
    assert.truthy(require "nslua.help".of "ns.box".text:find("keeps the%s+/proc of outside"))
    local function numbers(opts)
      return with_box(opts, function(b)
        return b:call(function() return ns.getpid(), tonumber(ns.readlink "/proc/self") end)
      end)
    end
    local inner, shown = numbers { "pid" }
    assert.is_true(inner < 10 and shown > inner)
    inner, shown = numbers { "pid", "mnt" }
    assert.equal(inner, shown)
  end)
end)
