-- SPDX-License-Identifier: MIT
-- Routes by rtnetlink, beside what `ip route` says of them.

local helpers = require "spec.helpers"
local ns = require "nslua"

local has_ip = os.execute "command -v ip >/dev/null"

local probe = helpers.probe("links", function()
  local box <close> = ns.box { user = true, net = true }
  ns.link.add { kind = "veth", name = "a", ns = box }
end)

local function it_in_box(name, fn)
  helpers.need_it(probe, name, function()
    helpers.in_child(function()
      local box <close> = ns.box { user = true, net = "lo" }
      ns.link.add { kind = "veth", name = "a", ns = box, up = true, address = "10.0.0.1/24",
        peer = { name = "b", up = true, address = "10.0.5.2/24" } }
      fn(box)
    end)
  end)
end

local function refusal(name, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal(name, type(err) == "table" and err.name or err)
  assert.is_truthy(err.why)
end

local function same_as_ip(box, command, list)
  if not has_ip then return end
  local text = box:read(command):gsub("[ \t]+\n", "\n"):gsub("%s+$", "")
  assert.equal(text, tostring(list))
end

describe("routes", function()
  helpers.adds_no_global "nslua.route"

  it("are refused by wrong arguments", function()
    for _, bad in ipairs { { "x y" }, { "10.0.0.0/8", { vai = "10.0.0.1" } }, { 7 }, { "default", { via = 7 } },
      { "default", { table = "mian" } }, { "10.0.0.0/8", { type = "nonsense", dev = "lo" } },
      { "default", { via = "10.0.0.300" } }, { "10.0.0.0/8", {} }, { "10.0.0.0/8", { via = "fd00::1" } },
      { "10.0.0.0/8", { dev = "lo", metric = -1 } }, { "10.0.0.0/8", { dev = "lo", metric = 1 << 40 } } } do
      local ok, err = pcall(ns.route.add, bad[1], bad[2])
      assert.is_false(ok)
      assert.equal("string", type(err), tostring(err))
    end
  end)

  it_in_box("are listed as ip lists them, both families", function(box)
    ns.route.add("default", { via = "10.0.0.254", ns = box })
    ns.route.add("10.7.0.0/16", { dev = "b", ns = box, metric = 7, src = "10.0.5.2" })
    ns.route.add("10.8.0.0/16", { type = "blackhole", ns = box })
    same_as_ip(box, "ip route", ns.route.list { ns = box, family = "inet" })
    assert.is_truthy(tostring(box:routes()):find "blackhole 10.8.0.0/16\n") -- no scope, as of ip(8)
    local routes = box:routes()
    assert.equal("default via 10.0.0.254 dev a", tostring(routes):match "^[^\n]+")
    assert.same({ "default", "10.0.0.254", "a", "inet" },
      { routes[1].to, routes[1].via, routes[1].dev, routes[1].family })
    assert.is_true(#ns.route.list { ns = box, table = "all" } > #routes)
    assert.is_true(#ns.route.list { ns = box, table = "local" } > 0)
  end)

  it_in_box("of IPv6 are routes too", function(box)
    local a = ns.link.get("a", { ns = box })
    local ok, err = pcall(a.add_address, a, "fd00::1/64", { nodad = true })
    if not ok and err.name == "EOPNOTSUPP" then return helpers.absent("IPv6 routes", "no IPv6") end
    ns.route.add("default", { via = "fd00::9", ns = box })
    ns.route.add("fd01::/64", { via = "fd00::8", dev = a })
    local text = tostring(ns.route.list { ns = box, family = "inet6" })
    assert.is_truthy(text:find("fd01::/64 via fd00::8 dev a metric 1024 pref medium", 1, true), text)
    assert.is_truthy(text:find("default via fd00::9 dev a metric 1024 pref medium", 1, true), text)
  end)

  it_in_box("come and go, and say why they are refused", function(box)
    assert.is_true(ns.route.add("10.7.0.0/16", { via = "10.0.0.9", ns = box }))
    refusal("EEXIST", ns.route.add, "10.7.0.0/16", { via = "10.0.0.9", ns = box })
    refusal("ENETUNREACH", ns.route.add, "default", { via = "192.168.7.7", ns = box })
    refusal("ENODEV", ns.route.add, "10.9.0.0/16", { dev = "nolink", ns = box })
    refusal("EINVAL", ns.route.add, "10.9.0.1/16", { dev = "a", ns = box })
    assert.is_false(pcall(ns.route.list, { family = "v4", ns = box }))
    assert.is_true(ns.route.delete("10.7.0.0/16", { ns = box }))
    refusal("ESRCH", ns.route.delete, "10.7.0.0/16", { ns = box })
    assert.is_nil(tostring(box:routes()):find "10.7.")
  end)
end)
