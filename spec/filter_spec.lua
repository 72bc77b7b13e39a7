-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local filter = require "nslua.filter"
local ns = require "nslua"

local ROW = { ns = 12, type = "net", nprocs = 3, user = "root", command = "sleep 1000", netnsid = -1, nspid = { 7, 1 } }
local KNOWN = { ns = 1, type = 1, nprocs = 1, user = 1, command = 1, netnsid = 1, nspid = 1, pns = 1 }

local function holds(source) return filter.compile(source, KNOWN)(ROW) end

local function refusal(source)
  local ok, err = pcall(filter.compile, source, KNOWN)
  assert.is_false(ok, source)
  return tostring(err)
end

describe("a filter", function()
  helpers.adds_no_global "nslua.filter"

  it("compares columns, with lsns's operators and with Lua's", function()
    for _, source in ipairs {
      "nprocs == 3", "nprocs = 3", "nprocs eq 3", "NPROCS > 2", "nprocs gt 2", "nprocs >= 3", "nprocs ge 3.0", "nprocs < 10",
      "nprocs lt 10", "nprocs le 3", "nprocs <= 0x3", "nprocs != 4", "nprocs ~= 4", "nprocs ne 4", "3 == nprocs",
      "type == 'net'", 'type == "net"', "type < 'z'", "nprocs == '3'", "netnsid == 'unassigned'", "nspid == '7/1'",
      "type=='net'&&nprocs>1", "type == 'x' || nprocs", "not (type == 'x')", "!(type == 'x')", "not type == 'x'", "! pns",
      "pns != 1", "true", "!false", "type == 'x' or type == 'net' and nprocs > 1", "command == \"sleep 1000\"",
      [[command != 'it\'s']],
    } do
      assert.is_true(holds(source), source)
    end
    for _, source in ipairs { "nprocs == 4", "nprocs > 3", "type > 'z'", "pns == 0", "pns < 1", "pns", "0", "''", "false",
      "(type == 'net' or type == 'uts') and nprocs > 5", "!nprocs", "!!pns" } do
      assert.is_false(holds(source), source)
    end
  end)

  it("matches regular expressions", function()
    assert.is_true(holds "command =~ '^sleep [0-9]+$'")
    assert.is_true(holds "command !~ '^sh' && type =~ 'n.t'")
    assert.is_true(holds "nprocs =~ '^3$'")
    assert.is_false(holds "command =~ 'awake|asleep'")
    assert.is_false(holds "pns =~ '.*'")
    assert.is_true(holds "pns !~ '.*'")
    assert.is_true(ns.matches("a|b", "a\\|b"))
    assert.is_false(ns.matches("", "x"))
  end)

  it("says where an expression is wrong", function()
    assert.is_truthy(refusal("nproc > 1"):find("no column has the name nproc (did you mean nprocs?)", 1, true))
    assert.is_truthy(refusal("nprocs >"):find("expected at the end", 1, true))
    assert.is_truthy(refusal("nprocs 3"):find("&& or || expected at: 3", 1, true))
    assert.is_truthy(refusal("(nprocs"):find(") expected at the end", 1, true))
    assert.is_truthy(refusal("type == 'x"):find("has no end", 1, true))
    assert.is_truthy(refusal("type == 3x"):find("3x is no number", 1, true))
    assert.is_truthy(refusal("type # 3"):find("# cannot stand here", 1, true))
    assert.is_truthy(refusal(""):find("expected at the end", 1, true))
    assert.is_truthy(refusal("user =~ '('"):find('bad filter: "(" is no regular expression', 1, true))
    assert.is_truthy(refusal(("("):rep(100000)):find("nested too deeply", 1, true))
    assert.is_truthy(refusal(("!"):rep(100000) .. "1"):find("nested too deeply", 1, true))
    assert.is_nil(refusal("\27[31m == 1"):find "\27")
    assert.is_false(pcall(ns.matches, "x", ("a"):rep(1001)))
    assert.is_false(pcall(ns.matches, "x", "a\0b"))
    assert.is_false(pcall(ns.matches, "x"))
  end)

  it("selects the rows of any list", function()
    local me = ns.getpid()
    assert.equal(1, #ns.ps({ "pid", "args" }):where("pid == " .. me))
    assert.is_true(#ns.list():where "type == 'uts'" >= 1)
    assert.equal("/proc", ns.mounts():where("mountpoint == '/proc'")[1].mountpoint)
    local ok, err = pcall(function() return ns.ps({ "pid" }):where "args == 'x'" end)
    assert.is_false(ok)
    assert.is_truthy(tostring(err):find("no column has the name args", 1, true))
  end)
end)
