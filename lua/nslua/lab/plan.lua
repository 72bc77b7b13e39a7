-- SPDX-License-Identifier: MIT
-- Reads the table of ns.lab: hosts with their links and addresses, bridges,
-- routes. Nothing is made before all of it is understood.

local sys = require "nslua.sys"
local rtnl = require "nslua.rtnl"

local plan = {}

local OPTIONS = { link = true, links = true, bridge = true, bridges = true, netns = true,
  user = true, delay = true, jitter = true, loss = true }
local HOST = "routes default forward"
local WIRE_KEYS = "delay jitter loss"
local WIRE = { delay = true, jitter = true, loss = true }

-- From so many pairs of neighbours on, the kernel is told who is where: its
-- table is one for all network namespaces and takes about a thousand.
local MANY_PAIRS = 400

-- Links of a lab have numbers of their own: the kernel gives low ones to the
-- devices that it makes by itself.
local FIRST = 10

local function fail(fmt, ...) sys.raise("ns.lab: " .. fmt:format(...)) end

local function number(where, key, value, high)
  if type(value) ~= "number" or not (value >= 0 and value <= high) then
    fail("%s: %s is a number from 0 to %g", where, key, high)
  end
  return value
end

local function boolean(where, key, value)
  if value ~= nil and type(value) ~= "boolean" then fail("%s%s is true or false", where, key) end
  return value
end

local function list_of(what, key, value)
  if value ~= nil and type(value) ~= "table" then fail("%s is a table of %s", key, what) end
  return value or {}
end

-- delay, jitter, loss of one wire; those of the whole lab hold for all.
local function read_netem(where, t, opts)
  local netem
  for key in pairs(t) do
    if math.type(key) ~= "integer" then rtnl.check_keys("ns.lab: " .. where, { [key] = true }, WIRE_KEYS) end
  end
  for key in pairs(WIRE) do
    local value = t[key]
    if value == nil then value = opts[key] end
    if value ~= nil then
      netem = netem or {}
      netem[key] = number(where, key, value, key == "loss" and 1 or 2000)
    end
  end
  return netem
end


-- -- hosts -------------------------------------------------------------------

local function check_strings(where, t)
  for i, address in ipairs(t) do rtnl.check_address(address, ("%s[%d]"):format(where, i)) end
  return t
end

-- A word for an option that was not quite one reads like a host.
local function check_host_key(name, t)
  if type(t) ~= "table" or type(t[1]) ~= "string" or t[1]:find "[.:]" then return end
  local words = {}
  for word in pairs(OPTIONS) do words[#words + 1] = word end
  local near = sys.nearest(name, words)
  fail("%s is no option%s, and %s is no address of a host", sys.quote(name),
    near and (' (did you mean "%s"?)'):format(near) or "", sys.quote(t[1]))
end

local function is_v6(address) return address:find(":", 1, true) ~= nil end

local function read_routes(host, t)
  if t.default then host.routes[1] = { to = "default", via = rtnl.check_address(t.default, "default") } end
  for to, via in pairs(list_of("networks and gateways", host.name .. ": routes", t.routes)) do
    local route = { to = rtnl.check_address(to, "routes"), via = rtnl.check_address(via, "routes") }
    if is_v6(to) ~= is_v6(via) then fail("%s: %s and %s are of two families", host.name, to, via) end
    host.routes[#host.routes + 1] = route
  end
end

local function read_host(p, name, t)
  if type(t) == "string" then t = { t } end
  if type(t) ~= "table" then
    fail("%s is a %s, not a table of addresses", sys.quote(name), type(t))
  end
  rtnl.check_name(name, "ns.lab")
  local host = { name = name, links = {}, routes = {},
    forward = boolean(name .. ": ", "forward", t.forward) or false }
  local positional, keyed = {}, {}
  for key, value in pairs(t) do
    if math.type(key) == "integer" then positional[key] = value else keyed[key] = value end
  end
  rtnl.check_keys("ns.lab: " .. name, keyed, HOST)
  for i, entry in ipairs(positional) do
    if type(entry) ~= "table" then positional[i] = { entry } end
    check_strings(("ns.lab: %s[%d]"):format(name, i), positional[i])
  end
  host.given = positional
  read_routes(host, t)
  p.hosts[#p.hosts + 1], p.by_name[name] = host, host
end

-- "h2" before "h10"
local function natural(a, b)
  local function key(name) return (name:gsub("%d+", function(d) return ("%09d"):format(tonumber(d)) end)) end
  return key(a.name) < key(b.name)
end


-- -- wires -------------------------------------------------------------------

-- A hardware address that nobody else has.
local function next_mac(p)
  p.links = p.links + 1
  return ("02:4e:53:%02x:%02x:%02x"):format(p.links >> 16 & 255, p.links >> 8 & 255, p.links & 255)
end

local function add_link(p, name, where)
  local host = p.by_name[name]
  if not host then
    local names = {}
    for i, h in ipairs(p.hosts) do names[i] = h.name end
    local near = type(name) == "string" and sys.nearest(name, names)
    fail("%s names %s, which is no host%s", where, type(name) == "string" and sys.quote(name)
      or "a " .. type(name), near and (' (did you mean "%s"?)'):format(near) or "")
  end
  local n = #host.links
  local link = { host = host, name = "eth" .. n, index = FIRST + n, addresses = {}, mac = next_mac(p) }
  host.links[n + 1] = link
  return link
end

local function add_wire(p, t, where, opts)
  if type(t) ~= "table" or #t ~= 2 then fail("%s is a pair of hosts, such as {\"a\", \"b\"}", where) end
  if t[1] == t[2] then fail("%s has the same host at both ends", where) end
  p.wires[#p.wires + 1] = { add_link(p, t[1], where), add_link(p, t[2], where),
    netem = read_netem(where, t, opts) }
end

local function add_bridge(p, name, t, where, opts)
  if type(t) ~= "table" then fail("%s is a list of hosts", where) end
  local bridge = { name = rtnl.check_name(name, where), index = FIRST + p.ports, ports = {} }
  p.ports = p.ports + 1
  for i, host in ipairs(t) do
    local link = add_link(p, host, where)
    link.netem = read_netem(where, t, opts)
    link.bridge = bridge
    bridge.ports[i] = { name = "p" .. p.ports, index = FIRST + p.ports, link = link }
    p.ports = p.ports + 1
  end
  p.bridges[#p.bridges + 1] = bridge
end

local function read_wires(p, opts)
  if opts.link then add_wire(p, opts.link, "link", opts) end
  for i, t in ipairs(list_of("pairs of hosts", "links", opts.links)) do
    add_wire(p, t, ("links[%d]"):format(i), opts)
  end
  if opts.bridge then add_bridge(p, "br0", opts.bridge, "bridge", opts) end
  local names = {}
  for name in pairs(list_of("bridges by their names", "bridges", opts.bridges)) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, name in ipairs(names) do
    add_bridge(p, name, opts.bridges[name], "bridges." .. tostring(name), opts)
  end
end

-- "10.1.2.3/16" -> "10.1/16": what two addresses of one network share.
local function network_of(address)
  local a, b, c, d, prefix = address:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)/(%d+)$"
  if not a then return (address:gsub("::.*/", "::/")) end
  local bits = (tonumber(a) << 24 | tonumber(b) << 16 | tonumber(c) << 8 | tonumber(d)) & 0xffffffff
  prefix = math.min(tonumber(prefix), 32)
  return ("%08x/%d"):format(bits >> (32 - prefix) << (32 - prefix), prefix)
end

local function give(p, link, addresses)
  for _, address in ipairs(addresses) do
    if not address:find("/", 1, true) then
      fail("%s: %s has no prefix, such as %s/24", link.host.name, address, address)
    end
    table.insert(link.addresses, address)
    local wire, bare = p.wire_of[link], address:match "^[^/]+"
    local other = wire.owner[bare]
    if other and other ~= link.host then
      fail("%s and %s both have the address %s", other.name, link.host.name, bare)
    end
    wire.owner[bare] = link.host
    wire[network_of(address)] = true
  end
end

-- Of several links the one whose other end is in the network of an address,
-- else the next that has none.
local function choose(p, host, addresses)
  for _, link in ipairs(host.links) do
    for _, address in ipairs(addresses) do
      if p.wire_of[link][network_of(address)] then return link end
    end
  end
  for _, link in ipairs(host.links) do
    if #link.addresses == 0 then return link end
  end
  fail("%s has %d links, and addresses for more", sys.quote(host.name), #host.links)
end

-- Which links share a wire or a bridge, and so their networks.
local function know_wires(p)
  p.wire_of = {}
  for _, wire in ipairs(p.wires) do
    local shared = { owner = {} }
    p.wire_of[wire[1]], p.wire_of[wire[2]] = shared, shared
  end
  for _, bridge in ipairs(p.bridges) do
    local shared = { owner = {} }
    for _, port in ipairs(bridge.ports) do p.wire_of[port.link] = shared end
  end
end

-- Hosts with one link first: they tell which network is where.
local function give_all(p)
  know_wires(p)
  for _, host in ipairs(p.hosts) do
    if #host.given > 0 and #host.links == 0 then
      fail("%s has an address but no link", sys.quote(host.name))
    end
    if #host.links == 1 then
      for _, entry in ipairs(host.given) do give(p, host.links[1], entry) end
    end
  end
  for _, host in ipairs(p.hosts) do
    for _, entry in ipairs(#host.links > 1 and host.given or {}) do
      give(p, choose(p, host, entry), entry)
    end
  end
end

local function first_address(host, v6)
  for _, link in ipairs(host.links) do
    for _, address in ipairs(link.addresses) do
      if (address:find(":", 1, true) ~= nil) == v6 then return address:match "^[^/]+" end
    end
  end
end

-- [link] -> {mac, address, mac, address ...} of the others on its bridge.
local function know_neighbours(p)
  local pairs_of = 0
  for _, bridge in ipairs(p.bridges) do pairs_of = pairs_of + #bridge.ports * (#bridge.ports - 1) end
  if pairs_of < MANY_PAIRS then return end
  for _, bridge in ipairs(p.bridges) do
    local all = {}
    for _, port in ipairs(bridge.ports) do
      for _, address in ipairs(port.link.addresses) do
        all[#all + 1] = { port.link, address:match "^[^/]+" }
      end
    end
    for _, port in ipairs(bridge.ports) do
      local list = {}
      for _, known in ipairs(all) do
        if known[1] ~= port.link then
          list[#list + 1] = known[1].mac
          list[#list + 1] = known[2]
        end
      end
      port.link.neighbours = list
    end
  end
end


---The plan of a lab. Pure.
---@param opts table  as ns.lab takes
---@param reserved table<string, any>  names that no host may have
---@return table plan  { hosts, by_name, wires, bridges, v6 }
function plan.read(opts, reserved)
  if type(opts) ~= "table" then fail "a table of hosts is wanted" end
  local p = { hosts = {}, by_name = {}, wires = {}, bridges = {}, ports = 0, links = 0 }
  for name, value in pairs(opts) do
    if type(name) ~= "string" then fail("a host's name is a string, not a %s", type(name)) end
    if not OPTIONS[name] then
      if reserved[name] then fail("a host cannot be called %s", sys.quote(name)) end
      check_host_key(name, value)
      read_host(p, name, value)
    end
  end
  if #p.hosts == 0 then fail "it has no host" end
  boolean("", "netns", opts.netns)
  boolean("", "user", opts.user)
  table.sort(p.hosts, natural)
  for i, host in ipairs(p.hosts) do host.number = i end
  read_wires(p, opts)
  give_all(p)
  for _, host in ipairs(p.hosts) do
    host.address, host.address6 = first_address(host, false), first_address(host, true)
    p.v6 = p.v6 or host.address6 ~= nil
  end
  know_neighbours(p)
  return p
end

return plan
