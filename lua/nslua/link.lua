-- SPDX-License-Identifier: MIT
-- ns.link: network links by rtnetlink, without ip(8). A link is a plain record
-- with methods; where it lives is remembered beside it.

local sys = require "nslua.sys"
local list = require "nslua.list"
local rtnl = require "nslua.rtnl"

local link = { methods = { Proc = {} } }

---@class nslua.Link
local Link = {}

local places = rtnl.places -- link -> { target=, inode=, stale= }

local fetch

-- A link that was changed is looked at when somebody asks.
local function field(self, key)
  if Link[key] then return Link[key] end
  local place = places[self]
  if place and place.stale then return rawget(fetch(self), key) end
end

local metatable = {
  __name = "nslua.Link", __index = field,
  __pairs = function(self)
    if places[self].stale then fetch(self) end
    return next, self
  end,
  __tostring = function(self) return require("nslua.linktext").link(self) end,
  __eq = function(a, b)
    local p, q = places[a], places[b]
    return p ~= nil and q ~= nil and a.index == b.index and p.inode == q.inode
  end,
}

local SETTABLE = "name mtu mac master up txqlen"
local ADDABLE = "kind ns peer address link id local remote port ttl " .. SETTABLE


-- -- records -----------------------------------------------------------------

local function inode_of(target)
  if target == nil then return rtnl.own_inode() end
  local net, ours = rtnl.net(target)
  local inode = net.inode
  if ours then net:close() end
  return inode
end

local function make(row, target, inode, stale)
  places[row] = { target = target, inode = inode, stale = stale }
  return setmetatable(row, metatable)
end

-- The namespace of a link: its own, or an error when the caller left it.
local function target_of(self)
  local place = places[self]
  if not place then sys.raise "a link is wanted: link:method()" end
  if place.target == nil and rtnl.own_inode() ~= place.inode then
    sys.raise(("%s is in a network namespace that this process has left"):format(self.name))
  end
  return place.target
end

local function request(self, method, ...) return rtnl.request(target_of(self), method, ...) end

-- Takes down anew what the kernel has of it.
local function reload(self, row)
  for key in next, self do self[key] = nil end
  for key, value in pairs(row) do self[key] = value end
  places[self].stale = nil
  return self
end

function fetch(self) return reload(self, request(self, "link", rawget(self, "index"))) end

-- It was changed: only what surely holds is kept.
local function outdate(self, name)
  local kept = { index = self.index, name = name or rawget(self, "name"), kind = rawget(self, "kind") }
  reload(self, kept)
  places[self].stale = true
  return self
end

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
    if opts.kind == nil or row.kind == opts.kind then chosen[#chosen + 1] = make(row, target, inode) end
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
  return rtnl.with(target, function(ask, inode) return make(ask("link", name), target, inode) end)
end


-- -- what the kernel is told -------------------------------------------------

-- The index of a link that is named, given or looked up in `target`.
local function index_of(value, target, what)
  if value == false then return 0 end
  if math.type(value) == "integer" then return value end
  local place = places[value]
  if not place then
    return rtnl.request(target, "link", rtnl.check_name(value, what)).index
  end
  if place.inode ~= inode_of(target) then
    local err = sys.error(22, "RTM_NEWLINK", ("%s=%s"):format(what, sys.quote(value.name)),
      ("%s is in another network namespace: "):format(sys.clean(value.name)))
    error(err, 0)
  end
  return value.index
end

local function integer(opts, key, low, high)
  local value = opts[key]
  if value ~= nil and (math.type(value) ~= "integer" or value < low or value > high) then
    sys.raise(("%s is an integer from %d to %d"):format(key, low, high))
  end
  return value
end

-- {name, mtu, mac, up, txqlen, master} for net.so
local function settings(opts, target, what)
  local set = { name = opts.name, mtu = integer(opts, "mtu", 0, 0x7fffffff),
    txqlen = integer(opts, "txqlen", 0, 0x7fffffff), mac = opts.mac }
  if set.name then rtnl.check_name(set.name, what) end
  if set.mac and not tostring(set.mac):find "^%x%x:%x%x:%x%x:%x%x:%x%x:%x%x$" then
    sys.raise(what .. ": mac is six bytes, such as \"02:00:00:00:00:01\"")
  end
  if opts.up ~= nil then set.up = opts.up and true or false end
  if opts.master ~= nil then set.master_index = index_of(opts.master, target, "master") end
  return set
end

-- What a new link is given once it is there.
local function finish(ask, index, addresses, up)
  if up then ask("change_link", index, { up = true }) end
  if type(addresses) == "string" then addresses = { addresses } end
  for _, address in ipairs(addresses or {}) do
    ask("add_address", { index = index, address = rtnl.check_address(address, "address") })
  end
end

-- A name like the kernel's own choice, when none was given.
local function free_name(kind, taken)
  local n = 0
  while taken[kind .. n] do n = n + 1 end
  taken[kind .. n] = true
  return kind .. n
end

local function names_in(target)
  local names = {}
  for _, row in ipairs(rtnl.request(target, "links")) do names[row.name] = true end
  return names
end

local function name_both(set, other, target, kind)
  if set.name and (not other or other.name) then return end
  local taken = names_in(target)
  set.name = set.name or free_name(kind, taken)
  if other then other.name = other.name or free_name(kind, taken) end
end

-- The far end of a veth, where it is.
local function finish_peer(near, index, peer, other, target, inode)
  local function act(ask, there)
    index = index or ask("link", other.name).index
    finish(ask, index, peer.address, peer.up)
    return make({ index = index, name = other.name, kind = "veth" },
      peer.ns == nil and target or peer.ns, there, true)
  end
  if peer.ns == nil then return act(near, inode) end
  return rtnl.with(peer.ns, act)
end

-- All of it, or nothing: what was made goes again when a later step fails.
local function create(ask, inode, opts, set, other, peer, target)
  local _, index, peer_index = ask("add_link", opts.kind, set, other)
  index = index or ask("link", set.name).index
  local far
  local ok, err = pcall(function()
    finish(ask, index, opts.address)
    if other then far = finish_peer(ask, peer_index, peer, other, target, inode) end
  end)
  if ok then return make({ index = index, name = set.name, kind = opts.kind }, target, inode, true), far end
  pcall(ask, "delete_link", index)
  error(err, 0)
end

local function read_peer(opts)
  local peer = opts.peer
  if opts.kind ~= "veth" then
    if peer ~= nil then sys.raise("only a veth has a peer") end
    return nil
  end
  if type(peer) == "string" then peer = { name = peer } end
  local copy = {}
  for key, value in pairs(rtnl.check_keys("peer", peer or {}, "ns address name mtu mac up txqlen")) do
    copy[key] = value
  end
  return copy
end

-- The settings of both ends, and the handle that the message names.
local function compile(opts, peer, target)
  local set = settings(opts, target, "name")
  for _, key in ipairs { "local", "remote" } do
    if opts[key] then set[key] = rtnl.check_address(opts[key], key) end
  end
  set.id = integer(opts, "id", 0, 0xffffff)
  set.port, set.ttl = integer(opts, "port", 1, 65535), integer(opts, "ttl", 0, 255)
  if opts.kind == "vxlan" and not set.id then sys.raise "a vxlan wants an id" end
  if opts.kind == "vxlan" then set.port = set.port or 4789 end
  if opts.link then set.link_index = index_of(opts.link, target, "link") end
  if not peer then return set end
  local other = settings(peer, peer.ns or target, "peer.name")
  other.up = nil -- the kernel wants both ends first
  return set, other
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
function link.add(opts)
  rtnl.check_keys("ns.link.add", opts, ADDABLE)
  if type(opts.kind) ~= "string" or not opts.kind:find "^[%w_%-]+$" or #opts.kind > 15 then
    sys.raise "ns.link.add: kind is a word, such as \"veth\" or \"bridge\""
  end
  local target, peer = rtnl.lasting(opts.ns), read_peer(opts)
  local set, other = compile(opts, peer, target)
  name_both(set, other, target, opts.kind)
  local net, ours
  if other and peer.ns ~= nil then
    peer.ns = rtnl.lasting(peer.ns)
    net, ours = rtnl.net(peer.ns, "peer.ns")
    other.net_fd = sys.fd_number(net)
  end
  local _ <close> = ours and net or nil
  return rtnl.with(target, function(ask, inode)
    return create(ask, inode, opts, set, other, peer, target)
  end)
end


-- -- what a link can do ------------------------------------------------------

---Looks anew: what is known of a link is as old as the last look or change.
---
---    print(ns.link.get("lo"):refresh().state)
---
---Raises: ENODEV (the link is gone).
---@return nslua.Link self
function Link:refresh() return fetch(self) end


---Changes a link, all in one request: name, mtu, mac, up, txqlen, master (a
---bridge or its name; false takes it out).
---
---    veth:set{ master = "br0", up = true }
---
---Raises: EPERM, ENODEV, EEXIST (the name is taken), EBUSY, EINVAL.
---Source: rtnetlink(7)
---@param opts { name?: string, mtu?: integer, mac?: string, up?: boolean, txqlen?: integer,
---master?: nslua.Link|string|false }
---@return nslua.Link self
function Link:set(opts)
  rtnl.check_keys("set", opts, SETTABLE)
  local set = settings(opts, target_of(self), "set")
  request(self, "change_link", self.index, set)
  return outdate(self, set.name)
end


---Brings a link up.
---
---    ns.link.get("lo", { ns = box }):up()
---
---Raises: EPERM, ENODEV.
---Source: rtnetlink(7)
---@return nslua.Link self
function Link:up() return self:set { up = true } end


---Takes a link down.
---
---    veth:down()
---
---Raises: EPERM, ENODEV.
---Source: rtnetlink(7)
---@return nslua.Link self
function Link:down() return self:set { up = false } end


---Gives a link another name, of at most 15 bytes.
---
---    veth:rename "eth0"
---
---Raises: EEXIST (the name is taken), EPERM, ENODEV.
---Source: rtnetlink(7)
---@param name string
---@return nslua.Link self
function Link:rename(name) return self:set { name = rtnl.check_name(name, "rename") } end


---Moves a link to another network namespace; it is down there.
---
---    veth:move(box)
---
---Raises: EPERM (no right over both), EEXIST (the name is taken there), EINVAL
---(a link that cannot move), ESRCH (the namespace is gone).
---Source: rtnetlink(7), network_namespaces(7)
---@param target any  a Ns, a process or pid, a name of `ip netns`, a path
---@param name? string  its name there
---@return nslua.Link self
function Link:move(target, name)
  if name ~= nil then rtnl.check_name(name, "move") end
  if target == nil then sys.raise "move wants a network namespace" end
  local there = rtnl.lasting(target)
  local net, ours = rtnl.net(there, "move")
  local _ <close> = ours and net or nil
  request(self, "change_link", self.index, { net_fd = sys.fd_number(net), name = name })
  places[self] = { target = there, inode = net.inode, stale = true }
  return reload(self, rtnl.request(there, "link", name or self.name))
end


---Gives a link an address.
---
---    veth:add_address "10.0.0.1/24"
---    veth:add_address("fd00::1/64", { nodad = true })
---
---Raises: EEXIST (it has it), EPERM, EOPNOTSUPP (no IPv6).
---Source: rtnetlink(7)
---@param address string  with its prefix
---@param opts? { peer?: string, broadcast?: string, label?: string, nodad?: boolean }
---@return nslua.Link self
function Link:add_address(address, opts)
  return require("nslua.address").internals.change(self, "add_address", address, opts)
end


---Takes an address from a link.
---
---    veth:delete_address "10.0.0.1/24"
---
---Raises: EADDRNOTAVAIL (it has no such address), EPERM.
---Source: rtnetlink(7)
---@param address string  with its prefix
---@return nslua.Link self
function Link:delete_address(address)
  return require("nslua.address").internals.change(self, "delete_address", address)
end


---The addresses of a link.
---
---    print(ns.link.get("lo"):addresses())
---
---Source: rtnetlink(7)
---@return nslua.List
function Link:addresses()
  return require("nslua.address").internals.of(self)
end


---Counters: rx_packets, rx_bytes, rx_errors, rx_dropped, the same of tx,
---multicast, collisions.
---
---    print(ns.link.get("lo"):stats().rx_packets)
---
---Source: rtnetlink(7)
---@return table<string, integer>
function Link:stats() return request(self, "stats", self.index) end


---Delays and loses what a link sends (netem). Without options what was set is
---taken away.
---
---    veth:netem{ delay = 0.05, jitter = 0.01, loss = 0.02 }
---
---Raises: ENOENT (a kernel without netem), EPERM.
---Source: tc-netem(8)
---@param opts? { delay?: number, jitter?: number, loss?: number }  seconds, and the
---part that is lost: 0 to 1
---@return nslua.Link self
function Link:netem(opts)
  if opts == nil then
    request(self, "no_netem", self.index)
    return self
  end
  rtnl.check_keys("netem", opts, "delay jitter loss")
  local function read(key, high, unit)
    local value = opts[key]
    if value == nil then return nil end
    if type(value) ~= "number" or not (value >= 0 and value <= high) then
      sys.raise(("netem: %s is a number from 0 to %g"):format(key, high))
    end
    return math.floor(value * unit + 0.5)
  end
  request(self, "netem", self.index, { delay = read("delay", 2000, 1e6),
    jitter = read("jitter", 2000, 1e6), loss = read("loss", 1, 0xffffffff) })
  return self
end


---Deletes a link; of a veth both ends go.
---
---    veth:delete()
---
---Raises: EPERM, ENODEV (it is gone), EOPNOTSUPP (one that cannot be deleted).
---Source: rtnetlink(7)
---@return true
function Link:delete() return request(self, "delete_link", self.index) end


---The links that this process sees.
---
---    print(b:links())
---
---Raises: EPERM (a namespace that may not be joined), ESRCH (it has ended).
---Source: rtnetlink(7)
---@return nslua.List
function link.methods.Proc:links() return link.list { ns = self } end

return link
