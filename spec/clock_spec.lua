-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

describe("clock", function()
  helpers.adds_no_global "nslua"

  it("refuses a clock that is none", function()
    helpers.badargs(ns.clock, "?word", "monotonic")
    assert.has_error(function() ns.clock "monotonik" end,
      [[bad argument #1 to 'clock' (unknown word "monotonik" (did you mean "monotonic"?))]])
  end)

  it("goes forward by as much as was waited", function()
    local start = ns.clock()
    ns.poll({}, 0.05)
    local passed = ns.clock() - start
    assert.is_true(passed >= 0.05 and passed < 5, "passed: " .. passed)
  end)

  it("knows the time since the machine started, and the time of day", function()
    local file <close> = assert(io.open "/proc/uptime")
    assert.near(file:read "n", ns.clock "boottime", 1)
    assert.near(os.time(), ns.clock "realtime", 2)
    assert.is_true(ns.clock "boottime" + 0.001 >= ns.clock "monotonic")
  end)

  helpers.ns_it("user time", "shows the boot time that a time namespace moved", function()
    local moved = helpers.in_child(function()
      local before = ns.clock "boottime"
      local box <close> = ns.box { "time", boottime = 5000 }
      return box:call(ns.clock, "boottime") - before
    end)
    assert.near(5000, moved, 2)
  end)
end)
