-- SPDX-License-Identifier: MIT
-- Filters and NAT, where libnftables and the kernel have them.

local helpers = require "spec.helpers"
local ns = require "nslua"

-- What the machine lacks is absent, not broken.
local function probe()
  local can, why = ns.can "nftables"
  if can then return true end
  return false, why, "absent"
end

local function it_in_lab(name, fn)
  helpers.need_it(probe, name, function()
    helpers.in_child(function()
      local lab <close> = ns.lab {
        a = { "10.0.0.1/24", default = "10.0.0.254" }, c = { "10.1.0.1/24" },
        r = { "10.0.0.254/24", "10.1.0.254/24", forward = true },
        links = { { "a", "r" }, { "r", "c" } },
      }
      fn(lab)
    end)
  end)
end

describe("nft", function()
  helpers.adds_no_global "nslua.nft"

  it("is refused by wrong arguments", function()
    for _, bad in ipairs { { 7 }, { {} , { nss = 1 } }, { { 7 } }, { "a\0b" }, { "list ruleset", { ns = true } } } do
      local ok, err = pcall(ns.nft, bad[1], bad[2])
      assert.is_false(ok)
      assert.equal("string", type(err), tostring(err))
    end
  end)

  it("says which package is missing where the library is", function()
    local ok, err = pcall(ns.nft, "nonsense")
    assert.is_false(ok)
    assert.is_true(err.name == "EINVAL" or err.name == "EPERM" or err.fix:find "libnftables1" ~= nil)
  end)

  it_in_lab("translates addresses", function(lab)
    assert.is_false(lab.a:ping("c", { timeout = 0.2 }).ok) -- c knows no way back
    ns.nft({ "add table ip nat", "add chain ip nat post { type nat hook postrouting priority 100; }",
      "add rule ip nat post ip saddr 10.0.0.0/24 masquerade" }, { ns = lab.r })
    assert.is_true(lab.a:ping("c", { timeout = 5 }).ok)
    assert.is_truthy(ns.nft("list ruleset", { ns = lab.r }):find "masquerade")
    assert.equal("", ns.nft("list ruleset", { ns = lab.a }))
  end)

  it_in_lab("filters", function(lab)
    assert.is_true(lab.a:ping("10.0.0.254").ok)
    ns.nft([[
      add table inet f
      add chain inet f in { type filter hook input priority 0; }
      add rule inet f in icmp type echo-request drop]], { ns = lab.r })
    assert.is_false(lab.a:ping("10.0.0.254", { timeout = 0.2 }).ok)
  end)

  it_in_lab("tells what it refuses, and does all or nothing", function(lab)
    local function refusal(name, text)
      local ok, err = pcall(ns.nft, text, { ns = lab.r })
      assert.is_false(ok)
      assert.equal(name, err.name)
      assert.is_truthy(err.why and err.fix)
    end
    refusal("EINVAL", "add nonsense")
    refusal("ENOENT", "delete table ip none")
    refusal("ENOENT", { "add table ip half", "delete table ip none" })
    assert.equal("", ns.nft("list ruleset", { ns = lab.r }))
  end)
end)
