-- SPDX-License-Identifier: MIT
-- 200 veth pairs with an address at each end.
local ns = require "nslua"

for i = 0, 199 do
  local network = ("10.%d.%d."):format(i // 100, i % 100)
  ns.link.add {
    kind = "veth", name = "a" .. i, up = true, address = network .. "1/24",
    peer = { name = "b" .. i, up = true, address = network .. "2/24" },
  }
end
assert(#ns.link.list { kind = "veth" } == 400)
