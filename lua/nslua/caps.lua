-- SPDX-License-Identifier: MIT
-- The usual acts on capabilities by name: drop, keep, raise. Each is a few of
-- the calls in caps.c, in the order that works.

local sys = require "nslua.sys"
local ns = sys.primitives

local caps = {}


-- Bits, or the argument error at the caller's line.
local function mask(set, name)
  local ok, bits = pcall(sys.capability_mask, set)
  if ok then return bits end
  sys.raise(("bad argument #1 to '%s' (%s)"):format(name,
    bits:match "bad argument #%-?%d+ to '[^']*' %((.*)%)$" or bits))
end


-- From all sets; from the bounding set first, which asks for a capability.
local function give_up(bits)
  local have = ns.capabilities()
  local keep = {}
  for _, set in ipairs { "effective", "permitted", "inheritable" } do
    keep[set] = sys.capability_mask(have[set]) & ~bits
  end
  local bounding = sys.capability_mask(have.bounding) & bits
  if have.effective.setpcap and bounding ~= 0 then ns.cap_drop_bounding(bounding) end
  return ns.capset(keep)
end


---Gives capabilities up, out of all five sets. Without CAP_SETPCAP the bounding
---set stays: a set-user-id program could then bring them back (see
---ns.no_new_privs).
---
---    ns.cap_drop "sys_admin,net_admin"
---
---Raises: an argument error for an unknown name.
---Source: capabilities(7), capset(2)
---@param names string|table  as for ns.capset
---@return true
function caps.cap_drop(names)
  return give_up(mask(names, "cap_drop"))
end


---Gives up all capabilities but these.
---
---    ns.cap_keep "net_bind_service"
---    ns.cap_keep "none"
---
---Raises: an argument error for an unknown name.
---Source: capabilities(7), capset(2)
---@param names string|table  as for ns.capset
---@return true
function caps.cap_keep(names)
  return give_up(sys.capability_mask "all" & ~mask(names, "cap_keep"))
end


---Makes capabilities outlive an exec of a plain program, whatever its user:
---inheritable first, then ambient.
---
---    ns.cap_raise "net_raw"; ns.exec { "capsh", "--print" }
---
---Raises: EPERM (not permitted, or forbidden by securebits).
---Source: capabilities(7), PR_CAP_AMBIENT(2const)
---@param names string|table  as for ns.capset
---@return true
function caps.cap_raise(names)
  local bits = mask(names, "cap_raise")
  ns.capset { inheritable = sys.capability_mask(ns.capabilities().inheritable) | bits }
  return ns.cap_ambient("raise", bits)
end

return caps
