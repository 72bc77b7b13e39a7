-- SPDX-License-Identifier: MIT
-- How links, addresses and routes print: as `ip -br link`, `ip -br addr` and
-- `ip route` print them. ip(8).

local sys = require "nslua.sys"

local linktext = {}

-- "veth0@if2": the other end, by its name where that is in sight.
local function full_name(row)
  if not row.peer_index then return sys.clean(row.name) end
  return sys.clean(row.name) .. "@" .. sys.clean(row.peer or "if" .. row.peer_index)
end

local function state_of(row) return (row.state or "unknown"):upper() end


function linktext.link(row)
  return ("%-16s %-14s %s <%s>"):format(full_name(row), state_of(row), row.mac or "",
    table.concat(row.flags or {}, ","))
end


---A line for a link with all its addresses.
function linktext.addresses(row, addresses)
  local parts = {}
  for i, a in ipairs(addresses) do
    parts[i] = a.peer and ("%s peer %s/%d"):format(a.address, a.peer, a.prefix)
      or ("%s/%d"):format(a.address, a.prefix)
  end
  return (("%-16s %-14s %s"):format(full_name(row), state_of(row), table.concat(parts, " "))
    :gsub("%s+$", ""))
end


function linktext.route(row)
  local parts = {}
  local function add(...) parts[#parts + 1] = table.concat({ ... }, " ") end
  if row.type ~= "unicast" then add(row.type) end
  add(row.to)
  if row.via then add("via", row.via) end
  if row.dev then add("dev", sys.clean(row.dev)) end
  if row.protocol and row.protocol ~= "boot" then add("proto", row.protocol) end
  if row.family == "inet" and (row.scope == "link" or row.scope == "host") then
    add("scope", row.scope)
  end
  if row.src then add("src", row.src) end
  if row.metric and row.metric > 0 then add("metric", row.metric) end
  if row.linkdown then add "linkdown" end
  if row.family == "inet6" then add "pref medium" end
  return table.concat(parts, " ")
end

return linktext
