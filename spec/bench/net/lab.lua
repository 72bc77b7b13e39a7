-- SPDX-License-Identifier: MIT
-- 50 hosts on one bridge, everybody pings everybody, and all is gone.
local ns = require "nslua"

local t = { bridge = {} }
for i = 1, 50 do
  t["h" .. i] = { "10.0.0." .. i .. "/24" }
  t.bridge[i] = "h" .. i
end
do
  local lab <close> = ns.lab(t)
  local result = lab:pingall { timeout = 5 }
  assert(result.ok, tostring(result))
  assert(result.sent == 2450)
end
