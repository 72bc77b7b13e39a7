-- SPDX-License-Identifier: MIT
-- The machine outside the stage, before and after a lesson: what a lesson
-- could have changed, and the proof that it did not.

local interrupted = require "nslua.lesson".interrupted
local sys = require "nslua.sys"
local ns = require "nslua"

local outside = {}


-- -- what is compared ------------------------------------------------------------

local function sorted(list)
  table.sort(list)
  return table.concat(list, "\n")
end

local looks = {
  { "mounts", function()
    local list = {}
    for _, m in ipairs(ns.mounts()) do list[#list + 1] = m.mountpoint .. " " .. m.type .. " " .. m.options end
    return sorted(list)
  end },
  { "hostname", function() return ns.gethostname() .. " " .. ns.getdomainname() end },
  { "network links", function() return sorted(ns.readdir "/sys/class/net") end },
  { "named network namespaces", function() return sorted(ns.readdir "/run/netns") end },
  { "terminal", function()
    local fd <close> = ns.fd(0)
    return fd:tcgetattr()
  end },
  { "processes", function() return #sys.children() end },
}


---What the machine looks like now. What cannot be read is not compared.
---@return table<string, any>
function outside.look()
  local seen = {}
  for _, one in ipairs(looks) do
    local ok, value = pcall(one[2])
    if not ok and interrupted(value) then error(value, 0) end
    seen[one[1]] = ok and value or false
  end
  return seen
end


---What has changed since, and what has not: two lists of names.
---@param before table<string, any>
---@return string[] changed
---@return string[] same
function outside.compare(before)
  local now, changed, same = outside.look(), {}, {}
  for _, one in ipairs(looks) do
    local name = one[1]
    if before[name] ~= now[name] then
      changed[#changed + 1] = name
    elseif now[name] then
      same[#same + 1] = name
    end
  end
  return changed, same
end


---The same in a sentence.
---@param before table<string, any>
---@return string
---@return boolean unchanged
function outside.say(before)
  local changed, same = outside.compare(before)
  if #changed == 0 then
    return "outside the stage as before: " .. table.concat(same, ", "), true
  end
  return "changed outside the stage meanwhile: " .. table.concat(changed, ", "), false
end


return outside
