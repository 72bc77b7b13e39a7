-- SPDX-License-Identifier: MIT
-- Makes a link, all of it or nothing: what fails half way goes again.

local sys = require "nslua.sys"
local object = require "nslua.link.object"
local rtnl = require "nslua.rtnl"

local create = {}

local ADDABLE = "kind ns peer address link id local remote port ttl " .. object.SETTABLE
local integer, settings, make = object.integer, object.settings, object.make

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
local function make_all(ask, inode, opts, set, other, peer, target)
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
  if opts.link then set.link_index = object.index_of(opts.link, target, "link") end
  if not peer then return set end
  local other = settings(peer, peer.ns or target, "peer.name")
  other.up = nil -- the kernel wants both ends first
  return set, other
end


---What ns.link.add does.
function create.add(opts)
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
    return make_all(ask, inode, opts, set, other, peer, target)
  end)
end

return create
