-- SPDX-License-Identifier: MIT
-- Links, and a network of 50 hosts where everybody pings everybody, built and
-- taken away. All of it in a network of its own. The kernel takes networks apart
-- after their program has ended, for as long as nslua takes to build its own: a
-- run begins when that of the run before is done.

local FOLDER = "spec/bench/net/"
local APART, SETTLE = FOLDER .. "apart ", "sh " .. FOLDER .. "settle"

local function skip(title, why) print(("\n(%s: %s)"):format(title, why)) end

local function veths()
  return {
    title = "net: 200 veth pairs with addresses", rounds = 11, warmup = 1, between = SETTLE,
    prefix = ("sh %sveths >build/bench/veths; "):format(FOLDER) .. APART,
    { "ip -batch", { "unshare", "--net", "ip", "-batch", "build/bench/veths" } },
    { "nslua", { "unshare", "--net", "./nslua", FOLDER .. "veths.lua" }, goals = { { "ip -batch", 1.1 } } },
  }
end

return function(bench)
  if not bench.is_root then
    skip("net", "named networks and mininet need root")
    return {}
  end
  local cases = { veths() }
  local title = "net: 50 hosts on a bridge, 2450 echoes, built and gone"
  if bench.has "fping" then
    cases[#cases + 1] = {
      title = title, rounds = 9, warmup = 1, prefix = APART, between = SETTLE,
      { "ip -batch, ip netns exec fping", { "sh", FOLDER .. "lab" } },
      { "nslua", { "./nslua", FOLDER .. "lab.lua" },
        goals = { { "ip -batch, ip netns exec fping", 0.33 } } },
    }
  else
    skip(title, "no fping here")
  end
  if os.execute "/usr/bin/python3 -c 'import mininet' 2>/dev/null" and bench.has "brctl" then
    cases[#cases + 1] = {
      title = title .. ": mininet", rounds = 1, warmup = 0, prefix = APART, between = SETTLE,
      { "mininet", { "sh", "-c", "/usr/bin/python3 " .. FOLDER .. "lab.py >/dev/null 2>&1" } },
      { "nslua", { "./nslua", FOLDER .. "lab.lua" }, goals = { { "mininet", 0.10 } } },
    }
  else
    skip(title, "no mininet (or no brctl) here")
  end
  return cases
end
