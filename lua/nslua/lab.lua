-- SPDX-License-Identifier: MIT
-- ns.lab: a network in one table. Hosts are network namespaces that nobody is
-- in, all made at once; bridges stand in one more. Handles hold them, so that
-- everything is gone when they are, however the program ends.

local sys = require "nslua.sys"
local host = require "nslua.lab.host"
local plan = require "nslua.lab.plan"
local rtnl = require "nslua.rtnl"
local ns = require "nslua"

local lab = {}

---@class nslua.Lab
local Lab = {}

local metatable = { __name = "nslua.Lab" }

-- What a lab keeps, and so no host's name; its methods are none either.
local KEPT = setmetatable({ hosts = true, by_name = true, names = true, plan = true,
  generation = true, switch_net = true, owner = true, closed = true }, { __index = Lab })


-- -- building ----------------------------------------------------------------

-- One end of a wire, as the first message makes it.
local function wire_end(link) return { name = link.name, index = link.index, mac = link.mac } end

-- Both ends in one request, from where one of them is to be. A veth uses one
-- queue; unasked the kernel makes one for each processor and takes the others
-- away again, which waits for all processors, twice.
local function add_veth(ask, near, far, net)
  far.net_fd = sys.fd_number(net)
  near.queues, far.queues = 1, 1
  ask("add_link", "veth", near, far)
end

-- A socket for each host, and one for the bridges, for as long as it is built.
local function open_sockets(nets)
  rtnl.library()
  local sockets = setmetatable({}, { __close = function(list)
    for _, socket in ipairs(list) do socket:close() end
  end })
  local fds = sys.sockets(nets, "netlink", "raw", "route")
  for i, fd in ipairs(fds) do sockets[i] = rtnl.over(fd) end
  return sockets
end

local function asking(socket)
  return function(...) return rtnl.ask(socket, ...) end
end

local function build_bridges(self, p, ask)
  for _, bridge in ipairs(p.bridges) do
    ask("add_link", "bridge", { name = bridge.name, index = bridge.index, up = true })
    for _, port in ipairs(bridge.ports) do
      add_veth(ask, { name = port.name, index = port.index, master_index = bridge.index, up = true },
        wire_end(port.link), self.hosts[port.link.host.number].net)
    end
  end
end

local function build_host(self, p, made, ask)
  ask("change_link", 1, { up = true })
  for _, wire in ipairs(p.wires) do
    if wire[1].host == made.plan then
      add_veth(ask, wire_end(wire[1]), wire_end(wire[2]), self.hosts[wire[2].host.number].net)
    end
  end
end

local function set_netem(ask, link, netem)
  if not netem then return end
  ask("netem", link.index, { delay = netem.delay and math.floor(netem.delay * 1e6),
    jitter = netem.jitter and math.floor(netem.jitter * 1e6),
    loss = netem.loss and math.floor(netem.loss * 0xffffffff) })
end

-- The link-local address that the kernel would make of the hardware address,
-- but usable at once: nobody else can have it, and a router that waits for the
-- kernel to find that out forwards nothing for a second.
local function add_link_local(ask, link)
  local a, b, c = link.mac:match "(%x%x):(%x%x):(%x%x)$"
  ask("add_address", { index = link.index, nodad = true,
    address = ("fe80::4e:53ff:fe%s:%s%s/64"):format(a, b, c) })
end

-- Once all wires are there.
local function configure_host(p, made, ask)
  for _, link in ipairs(made.plan.links) do
    ask("change_link", link.index, { no_link_local = true })
    ask("change_link", link.index, { up = true })
    if p.v6 then add_link_local(ask, link) end
    for _, address in ipairs(link.addresses) do
      ask("add_address", { index = link.index, address = address,
        nodad = address:find(":", 1, true) ~= nil })
    end
    for i = 1, #(link.neighbours or {}), 500 do
      ask("add_neighbours", link.index, table.move(link.neighbours, i, i + 499, 1, {}))
    end
    set_netem(ask, link, link.netem)
  end
  for _, route in ipairs(made.plan.routes) do
    local to = route.to
    if to == "default" then to = route.via:find(":", 1, true) and "::/0" or "0.0.0.0/0" end
    ask("add_route", { to = to, via = route.via })
  end
end

local function start_forwarding(made)
  made:call(function()
    for _, name in ipairs { "ipv4/ip_forward", "ipv6/conf/all/forwarding" } do
      local file = io.open("/proc/sys/net/" .. name, "w")
      if file then
        file:write "1"
        file:close()
      end
    end
  end)
end

local CARRIER_WAIT = 2 -- seconds, on a machine that has no time for us

-- Until the kernel has noticed that both ends of a wire are up: what is sent
-- before is lost. Asking for a link makes a new kernel look at once.
local function wait_for_carrier(socket, index, deadline)
  while rtnl.ask(socket, "link", index).state ~= "up" and ns.clock() < deadline do
    ns.poll({}, 0.002)
  end
end

local function settle(p, sockets)
  local deadline = ns.clock() + CARRIER_WAIT
  for _, bridge in ipairs(p.bridges) do
    for _, port in ipairs(bridge.ports) do wait_for_carrier(sockets[#sockets], port.index, deadline) end
  end
  for i, host_plan in ipairs(p.hosts) do
    for _, link in ipairs(host_plan.links) do wait_for_carrier(sockets[i], link.index, deadline) end
  end
end

local function give_names(self)
  for _, made in ipairs(self.hosts) do
    ns.netns.attach(made.name, made.net)
    table.insert(self.names, made.name)
  end
end

local function build(self, p, opts)
  local map
  if opts.user == true or (opts.user == nil and not sys.is_admin()) then map = "root" end
  local nets = sys.new_nets(#p.hosts + (#p.bridges > 0 and 1 or 0), map)
  if map then self.owner = nets[1]:owner() end
  for i, host_plan in ipairs(p.hosts) do
    local made = host.new(self, nets[i], host_plan)
    self.hosts[i], self.by_name[host_plan.name] = made, made
  end
  self.switch_net = nets[#p.hosts + 1]
  local sockets <close> = open_sockets(nets)
  if self.switch_net then build_bridges(self, p, asking(sockets[#nets])) end
  for i, made in ipairs(self.hosts) do build_host(self, p, made, asking(sockets[i])) end
  for _, wire in ipairs(p.wires) do wire[1].netem, wire[2].netem = wire.netem, wire.netem end
  for i, made in ipairs(self.hosts) do configure_host(p, made, asking(sockets[i])) end
  for _, made in ipairs(self.hosts) do
    if made.plan.forward then start_forwarding(made) end
  end
  settle(p, sockets)
  if opts.netns then give_names(self) end
end


---Builds a network: hosts with addresses, links between two of them, bridges
---with many, routes. Without root it stands in a user namespace of its own. It
---is gone when the lab is closed, or with this process.
---
---    local lab <close> = ns.lab{ a={"10.0.0.1/24"}, b={"10.0.0.2/24"}, link={"a","b"} }
---    lab.a:sh "ip addr"
---    print(lab:pingall())
---
---Each key that is no option is a host: its addresses, in the order of its links
---(those of one link, or a table for each), and `default` (a gateway), `routes`
---(network -> gateway), `forward` (a router). Options: `link`, `links` (pairs),
---`bridge`, `bridges` (name -> hosts), `delay`, `jitter` (seconds), `loss` (0 to 1) for
---one link or all, `netns` (`ip netns` sees the hosts; root), `user`.
---
---Raises: EPERM (no user namespaces for you: see ns.can), EEXIST (an address twice, a
---name of `ip netns` that is taken), ENOENT (delay or loss on a kernel without netem),
---EMFILE (too many hosts for the limit of descriptors).
---Source: network_namespaces(7), veth(4), rtnetlink(7)
---@param opts table
---@return nslua.Lab
function lab.lab(opts)
  local p = plan.read(opts, KEPT)
  local self = setmetatable({ hosts = {}, by_name = {}, names = {}, plan = p,
    generation = ns.generation() }, metatable)
  local ok, err = pcall(build, self, p, opts)
  if ok then return self end
  Lab.close(self)
  error(err, 0)
end


-- -- what a lab can do -------------------------------------------------------

---Ends the lab: the processes in it, the names that it gave, its networks.
---
---    local lab = ns.lab{ a = {} }; lab:close()
---
---Source: pidfd_send_signal(2)
---@return nil
function Lab:close()
  sys.self(self, "Lab")
  if self.generation ~= ns.generation() then return end
  self.closed = true
  for i = #self.names, 1, -1 do
    ns.try(ns.netns.del, self.names[i])
    self.names[i] = nil
  end
  for _, made in ipairs(self.hosts) do host.close(made) end
  if self.switch_net then self.switch_net:close() end
  if self.owner then self.owner:close() end
end


---Every host sends an echo to every other, all at once. The result prints
---itself as a table; `ok`, `sent`, `received`, `lost` tell of all, and
---result.a.b of one.
---
---    local lab <close> = ns.lab{ a={"10.0.0.1/24"}, b={"10.0.0.2/24"}, link={"a","b"} }
---    assert(lab:pingall().ok)
---
---Raises: EMFILE (too many hosts for the limit of descriptors).
---Source: icmp(7)
---@param opts? { timeout?: number, family?: "inet"|"inet6" }  seconds; the family when
---hosts have both
---@return table results
function Lab:pingall(opts)
  sys.self(self, "Lab")
  if self.closed then sys.raise "the lab is gone" end
  return require("nslua.lab.pings").all(self.hosts, opts)
end

metatable.__index = function(self, key)
  return Lab[key] or rawget(self, "by_name")[key]
end
metatable.__close = Lab.close
metatable.__gc = Lab.close
metatable.__tostring = function(self)
  local lines = {}
  for i, made in ipairs(self.hosts) do lines[i] = tostring(made) end
  return table.concat(lines, "\n")
end

return lab
