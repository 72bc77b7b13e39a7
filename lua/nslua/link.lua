-- SPDX-License-Identifier: MIT
-- ns.link: network links by rtnetlink, without ip(8).

local list = require "nslua.list"
local object = require "nslua.link.object"
local rtnl = require "nslua.rtnl"
local sys = require "nslua.sys"

local link = { methods = { Proc = {} } }


---The links of a network namespace. Each is a record with `index`, `name`,
---`kind`, `state`, `mac`, `mtu`, `is_up`, `flags`, `master`, `peer` ... and the
---methods of a Link. The list prints itself as `ip -br link` does.
---
---    print(ns.link.list())
---    print(ns.link.list{ ns = "blue", kind = "veth" })
---
---Raises: ENOENT, ESRCH (a namespace that is gone), EPERM (one that may not be joined).
---Source: rtnetlink(7)
---@param opts? { ns?: any, kind?: string }  ns: a Ns, a process or pid, a name or a
---path; the default is the caller's
---@return nslua.List
function link.list(opts)
  opts = rtnl.check_keys("ns.link.list", opts or {}, "ns kind")
  local target, by_index, chosen = rtnl.lasting(opts.ns), {}, {}
  local rows, inode = rtnl.with(target, function(ask, inode) return ask "links", inode end)
  for _, row in ipairs(rows) do by_index[row.index] = row end
  for _, row in ipairs(rows) do
    row.master = row.master_index and by_index[row.master_index] and by_index[row.master_index].name
    local peer = not row.peer_netnsid and by_index[row.peer_index]
    if peer then row.peer = peer.name end
    if peer and not peer.is_up then table.insert(row.flags, "M-DOWN") end
  end
  table.sort(rows, function(a, b) return a.index < b.index end)
  for _, row in ipairs(rows) do
    if opts.kind == nil or row.kind == opts.kind then chosen[#chosen + 1] = object.make(row, target, inode) end
  end
  return list.make(chosen, "links", { "name", "kind", "state", "mac", "mtu" },
    { format = tostring, nothing = "no link" })
end


---One link, by its name or index.
---
---    print(ns.link.get("lo").mtu)
---
---Raises: ENODEV (no such link), and what ns.link.list raises.
---Source: rtnetlink(7)
---@param name string|integer
---@param opts? { ns?: any }
---@return nslua.Link
function link.get(name, opts)
  opts = rtnl.check_keys("ns.link.get", opts or {}, "ns")
  if math.type(name) ~= "integer" then rtnl.check_name(name, "ns.link.get") end
  local target = rtnl.lasting(opts.ns)
  return rtnl.with(target, function(ask, inode) return object.make(ask("link", name), target, inode) end)
end


---Makes a link: "veth" (with a peer), "bridge", "vxlan", "dummy", "vlan" ... as the
---kernel has them. Gives the link, and of a veth its other end too. What fails
---half way leaves nothing behind.
---
---    local a, b = ns.link.add{ kind = "veth", name = "a", up = true, address = "10.0.0.1/24",
---      peer = { name = "b", ns = box, up = true, address = "10.0.0.2/24" } }
---
---Raises: EEXIST (a name or address is taken), EPERM (no right over a network),
---EOPNOTSUPP (a kernel without that kind), ENODEV (no such master or link).
---Source: rtnetlink(7), veth(4)
---@param opts { kind: string, name?: string, ns?: any, up?: boolean, address?: string|string[],
---mtu?: integer, mac?: string, master?: nslua.Link|string, peer?: table, id?: integer,
---remote?: string, port?: integer, ttl?: integer, link?: nslua.Link|string }
---@return nslua.Link made
---@return nslua.Link? peer
function link.add(opts) return require("nslua.link.create").add(opts) end


---The links that this process sees.
---
---    print(b:links())
---
---Raises: EPERM (a namespace that may not be joined), ESRCH (it has ended).
---Source: rtnetlink(7)
---@return nslua.List
function link.methods.Proc:links()
  sys.self(self, "Proc")
  return link.list { ns = self }
end

return link
