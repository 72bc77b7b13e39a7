-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

describe("ns.watch", function()
  helpers.adds_no_global "nslua.watch"

  it("refuses what is no function and no option", function()
    assert.is_false(pcall(ns.watch, 1))
    assert.is_false(pcall(ns.watch, print, 1))
    assert.is_false(pcall(ns.watch, print, { interval = -1 }))
    local ok, err = pcall(ns.watch, print, { timeot = 1 })
    assert.is_false(ok)
    assert.is_truthy(err:find("did you mean 'timeout'?", 1, true))
  end)

  it("ends when its time is over", function()
    local start = ns.clock()
    assert.is_false(ns.watch(function() end, { type = "time", interval = 60, timeout = 0.1 }))
    assert.is_true(ns.clock() - start < 30)
    assert.is_false(ns.watch(function() end, { type = "time", interval = 0.01, timeout = 0.05 }))
  end)

  helpers.ns_it("user uts", "tells of one that comes and goes, and ends when told to", function()
    local r, w = ns.pipe()
    local child <close> = ns.fork(function()
      ns.poll({}, 0.2)
      ns.unshare("user", "uts")
      w:write(tostring(ns.of(nil, "uts").inode) .. "\n")
      ns.poll({}, 0.3)
    end)
    local events, wanted = {}, nil
    local stopped = ns.watch(function(event, row)
      if not wanted then wanted = tonumber(r:read(32)) end
      if row.ns ~= wanted then return end -- somebody else's
      events[#events + 1] = event .. " " .. row.type
      return event == "gone"
    end, { type = "uts", interval = 0.05, timeout = 20 })
    assert.is_true(stopped)
    assert.same({ "new uts", "gone uts" }, events)
    assert.is_true(child.pid > 0)
  end)
end)
