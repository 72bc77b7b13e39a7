-- SPDX-License-Identifier: MIT
-- Signals that need a child or a handful of descriptors: most refusals are
-- explained without them.

local sys = require "nslua.sys"
local probe = require "nslua.doctor.probe"
local signals = require "nslua.doctor.signals"

local ns = sys.primitives

local lazy = {}


-- Which types of namespace belong to the caller's own user namespace.
local function owned_types()
  local all = ns.of()
  local owned = {}
  for type_name, handle in pairs(all) do
    local owner = handle:owner()
    owned[type_name] = owner ~= nil and owner == all.user
    if owner then owner:close() end
  end
  for _, handle in pairs(all) do handle:close() end
  return owned
end


-- Worked out when a row first asks for them, from the signals at hand.
local expensive = {
  filtered = function(s)
    if s.seccomp == 0 then return false end
    return probe.filtered()
  end,
  below_root = function(s)
    if not s.caps or s.caps.sys_admin and s.caps.sys_chroot then
      return probe.below_root()
    end
  end,
  owned = function() return owned_types() end,
  left_user = function() return sys.left_user() end,
}


---The signals, with those that cost more than reading a file worked out when
---they are first asked for.
---@return table signals
function lazy.signals()
  local s = signals.gather()
  local asked = {}
  return setmetatable(s, { __index = function(t, key)
    if not expensive[key] or asked[key] then return nil end
    asked[key] = true
    local trace = sys.set_trace(nil)
    local ok, value = pcall(expensive[key], t)
    if trace then sys.set_trace(trace) end
    if ok then rawset(t, key, value) end
    return ok and value or nil
  end })
end


---All of them at once, as a plain table.
---@return table signals
function lazy.all()
  local s = lazy.signals()
  for key in pairs(expensive) do s[key] = s[key] end
  return setmetatable(s, nil)
end

return lazy
