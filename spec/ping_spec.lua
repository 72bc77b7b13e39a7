-- SPDX-License-Identifier: MIT
-- Echoes of our own: answered, lost, refused.

local helpers = require "spec.helpers"
local ns = require "nslua"

local probe = helpers.probe("echo", function()
  local box <close> = ns.box { user = true, net = "lo" }
  assert(box:ping("127.0.0.1").ok)
end)

local function it_in_box(name, fn)
  helpers.need_it(probe, name, function()
    helpers.in_child(function()
      local box <close> = ns.box { user = true, net = "lo" }
      fn(box)
    end)
  end)
end

describe("ping", function()
  helpers.adds_no_global "nslua.ping"

  it("is refused by wrong arguments", function()
    for _, bad in ipairs { { "localhost" }, { 7 }, {}, { "10.0.0.1", { cuont = 1 } }, { "10.0.0.1", { count = 0 } },
      { "10.0.0.1", { count = 1.5 } }, { "10.0.0.1", { timeout = -1 } }, { "10.0.0.1", { timeout = 0 / 0 } },
      { "10.0.0.1", { interval = "x" } }, { "999.0.0.1" }, { "10.0.0.1", 7 } } do
      local ok, err = pcall(ns.ping, bad[1], bad[2])
      assert.is_false(ok)
      assert.equal("string", type(err), tostring(err))
    end
  end)

  it_in_box("is answered by the loopback device, IPv4 and IPv6", function(box)
    local result = box:ping("127.0.0.1", { count = 3, interval = 0.01 })
    assert.same({ 3, 3, 0, true }, { result.sent, result.received, result.lost, result.ok })
    assert.is_true(result.min <= result.avg and result.avg <= result.max and result.max < 10)
    assert.is_truthy(tostring(result):find "^127.0.0.1: 3 sent, 3 received, 0%% lost, [%d.]+/[%d.]+/[%d.]+ ms$")
    assert.is_true(not ns.access "/proc/net/if_inet6" or box:ping("::1").ok)
  end)

  it_in_box("is lost where nobody answers, after the timeout", function(box)
    ns.link.add { kind = "veth", name = "a", ns = box, up = true, address = "10.0.0.1/24",
      peer = { name = "b", up = true } }
    local result = box:ping("10.0.0.9", { count = 2, interval = 0.01, timeout = 0.2 })
    assert.same({ 2, 0, 1, false }, { result.sent, result.received, result.lost, result.ok })
    assert.equal("10.0.0.9: 2 sent, 0 received, 100% lost", tostring(result))
  end)

  it_in_box("names the error where no route leads", function(box)
    assert.equal("ENETUNREACH", box:ping("10.9.0.9", { timeout = 0.1 }).error)
  end)

  it_in_box("leaves no descriptor, and does not let a hook wait", function(box)
    box:ping "127.0.0.1"
    local before = helpers.fds()
    for _ = 1, 5 do box:ping "127.0.0.1" end
    assert.equal(before, helpers.fds())
    local started = os.time()
    debug.sethook(function()
      if os.time() - started < 1 then return end
      debug.sethook()
      error "enough"
    end, "", 10)
    local ok, err = pcall(box.ping, box, "127.0.0.1", { count = 2, interval = 50 })
    assert.is_false(ok)
    assert.is_truthy(tostring(err):find "enough")
  end)

  it("needs no right in a network of one's own", function()
    local out, err, status = helpers.as_nobody [[
      local ns = require "nslua"
      local made, box = pcall(ns.box, { net = "lo" })
      if not made then return print "no box" end
      print(box:ping("127.0.0.1").ok)
      box:close()
      local ok, e = pcall(ns.ping, "127.0.0.1")
      print(ok and "allowed" or e.why ~= nil)]]
    assert.same({ "", 0 }, { err, status })
    if out ~= "no box\n" then assert.is_truthy(out:find "^true\n[ta]") end
  end)
end)
