-- SPDX-License-Identifier: MIT
-- A link: a plain record with methods; where it lives is remembered beside it.
-- After a change it is looked at again when somebody asks.

local sys = require "nslua.sys"
local rtnl = require "nslua.rtnl"

local object = {}

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


-- -- records -----------------------------------------------------------------

---The number of the network namespace that a target means.
function object.inode(target)
  if target == nil then return rtnl.own_inode() end
  local net, ours = rtnl.net(target)
  local inode = net.inode
  if ours then net:close() end
  return inode
end

---A row of net.so as a Link; `stale`: only its index, name and kind are known.
function object.make(row, target, inode, stale)
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


-- -- what the kernel is told -------------------------------------------------

-- The index of a link that is named, given or looked up in `target`.
local function index_of(value, target, what)
  if value == false then return 0 end
  if math.type(value) == "integer" then return value end
  local place = places[value]
  if not place then
    return rtnl.request(target, "link", rtnl.check_name(value, what)).index
  end
  if place.inode ~= object.inode(target) then
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
    sys.raise "mac is six bytes, such as \"02:00:00:00:00:01\""
  end
  if opts.up ~= nil and type(opts.up) ~= "boolean" then sys.raise "up is true or false" end
  set.up = opts.up
  if opts.master ~= nil then set.master_index = index_of(opts.master, target, "master") end
  return set
end

-- -- what a link can do ------------------------------------------------------

---Looks anew: what is known of a link is as old as the last look or change.
---
---    print(ns.link.get("lo"):refresh().state)
---
---Raises: ENODEV (the link is gone).
---Source: rtnetlink(7)
---@return nslua.Link self
function Link:refresh()
  sys.self(self, "Link")
  return fetch(self)
end


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
  sys.self(self, "Link")
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
function Link:up()
  sys.self(self, "Link")
  return self:set { up = true }
end


---Takes a link down.
---
---    veth:down()
---
---Raises: EPERM, ENODEV.
---Source: rtnetlink(7)
---@return nslua.Link self
function Link:down()
  sys.self(self, "Link")
  return self:set { up = false }
end


---Gives a link another name, of at most 15 bytes.
---
---    veth:rename "eth0"
---
---Raises: EEXIST (the name is taken), EPERM, ENODEV.
---Source: rtnetlink(7)
---@param name string
---@return nslua.Link self
function Link:rename(name)
  sys.self(self, "Link")
  return self:set { name = rtnl.check_name(name, "rename") }
end


-- The kernel moves first and names then: what it refuses of a name that is
-- taken there would come when the link is gone from here.
local function check_free(self, target, net, name)
  if object.inode(places[self].target) == net.inode then return end
  local ok, err = pcall(rtnl.request, target, "link", name)
  if ok then
    error(sys.error(17, "RTM_NEWLINK", ("%d, {name=%s, net_fd=%d}"):format(self.index,
      sys.quote(name), sys.fd_number(net))), 0)
  elseif err.name ~= "ENODEV" then
    error(err, 0)
  end
end


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
  sys.self(self, "Link")
  if name ~= nil then rtnl.check_name(name, "move") end
  if target == nil then sys.raise "move wants a network namespace" end
  local there = rtnl.lasting(target)
  local net, ours = rtnl.net(there, "move")
  local _ <close> = ours and net or nil
  if name then check_free(self, there, net, name) end
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
  sys.self(self, "Link")
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
  sys.self(self, "Link")
  return require("nslua.address").internals.change(self, "delete_address", address)
end


---The addresses of a link.
---
---    print(ns.link.get("lo"):addresses())
---
---Source: rtnetlink(7)
---@return nslua.List
function Link:addresses()
  sys.self(self, "Link")
  return require("nslua.address").internals.of(self)
end


---Counters: rx_packets, rx_bytes, rx_errors, rx_dropped, the same of tx,
---multicast, collisions.
---
---    print(ns.link.get("lo"):stats().rx_packets)
---
---Source: rtnetlink(7)
---@return table<string, integer>
function Link:stats()
  sys.self(self, "Link")
  return request(self, "stats", self.index)
end


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
  sys.self(self, "Link")
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
function Link:delete()
  sys.self(self, "Link")
  return request(self, "delete_link", self.index)
end

object.index_of, object.integer, object.settings, object.SETTABLE = index_of, integer, settings, SETTABLE

return object
