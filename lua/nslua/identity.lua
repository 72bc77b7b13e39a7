-- SPDX-License-Identifier: MIT
-- The ids that the caller's user namespace knows, each mapped to itself: what a
-- new one below it is given so that nothing changes. user_namespaces(7).

local sys = require "nslua.sys"

local identity = {}


-- "0 100000 65536": inside, outside, how many.
local function ranges_in(file)
  local ranges = {}
  local opened, _, errno = io.open(file) -- io is not traced
  if not opened then error(sys.error(errno, "open", sys.quote(file)), 0) end
  local maps <close> = opened
  for line in maps:lines() do
    local inside, _, count = line:match "(%d+)%s+(%d+)%s+(%d+)"
    inside, count = math.tointeger(inside), math.tointeger(count)
    ranges[#ranges + 1] = { inside, inside, count }
  end
  return ranges
end


---As ns.map takes it.
---@return { uid: integer[][], gid: integer[][] }
function identity.map()
  return { uid = ranges_in "/proc/self/uid_map", gid = ranges_in "/proc/self/gid_map" }
end


return identity
