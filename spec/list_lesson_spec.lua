-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

local function run(program)
  return program { "--batch", "scripts/list.lua" }
end

-- Nothing of the lesson may be found on the machine afterwards.
local function left()
  return ns.access "/run/netns/blue" or ns.access "/tmp/kept"
end

describe("the lesson list.lua", function()
  helpers.ns_it("user mnt uts net pid", "holds every claim", function()
    local out, err, status = run(helpers.nslua)
    assert.equal("", err)
    assert.equal(0, status, out)
    assert.is_truthy(out:find("all 20 claims held", 1, true))
    assert.is_false(left())
  end)

  helpers.root_it("holds them for an ordinary user, too", function()
    local dir = ns.mkdtemp "/tmp/nslua-list-XXXXXX" -- a checkout may be closed to others
    finally(function() helpers.run { "rm", "-rf", dir } end)
    helpers.run { "sh", "-c", 'cp scripts/list.lua "$1" && chmod -R a+rX "$1"', "sh", dir }
    local out, _, status = helpers.as_nobody { "--batch", dir .. "/list.lua" }
    assert.equal(0, status, out)
    assert.is_truthy(out:find("all 20 claims held", 1, true))
    assert.is_false(left())
  end)
end)
