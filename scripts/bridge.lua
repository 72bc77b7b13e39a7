-- Plug several boxes into a switch, give them a router, and let one address stand for all: NAT.
--
-- Man pages: ip-link(8), bridge(8), ip-route(8), network_namespaces(7), nft(8).
-- Run it:    nslua scripts/bridge.lua            (Enter goes on, q quits; no root is needed)
--            nslua --batch scripts/bridge.lua    (no key; exit status 0: every claim held)
-- What to expect:
--
--     bridge/2  Three boxes, three cables                                   2/10
--       ...
--       to be seen
--         ann to bob: arrives, ann to eve: arrives, bob to eve: arrives
--
--       ✔ everybody reaches everybody
--       ✔ each cable is plugged into the bridge
--
-- `t` is what the steps share: t.ann, t.bob and t.eve are boxes, t.ports their cables' ends at the
-- bridge, t.world a network far away, t.host a process of the throw-away host that the lesson runs
-- on. That host is the switch, and later the router. All of it is in memory: no packet leaves it.

local ns = require "nslua"

local NAMES = { "ann", "bob", "eve" }
local ADDRESS = { ann = "10.0.0.1", bob = "10.0.0.2", eve = "10.0.0.3" }
local ROUTER, OUTSIDE, WORLD = "10.0.0.254", "203.0.113.1", "203.0.113.9"
local QUICK = { timeout = 0.2 } -- for echoes that may get no answer

-- Waits until a cable's end carries: both ends are up, and the kernel has noticed. What is sent
-- before is lost.
local function wait_for(link)
  for _ = 1, 500 do
    if link:refresh().state == "up" then break end
    ns.poll({}, 0.01)
  end
end

local function cable(opts)
  local near, far = ns.link.add(opts)
  wait_for(near)
  wait_for(far)
  return near
end

local function reaches(from, address) return from:ping(address, { timeout = 1 }).ok end

local function misses(from, address) return not from:ping(address, QUICK).ok end

-- The echoes between each two of the boxes: are all answered?
local function all_pings(t)
  local all, told = true, {}
  for i, from in ipairs(NAMES) do
    for j = i + 1, #NAMES do
      local arrives = reaches(t[from], ADDRESS[NAMES[j]])
      all = all and arrives
      told[#told + 1] = ("%s to %s: %s"):format(from, NAMES[j], arrives and "arrives" or "lost")
    end
  end
  return all, table.concat(told, ", ")
end

-- Passing packets on is a switch in the kernel, one for each network namespace.
local function forward(on)
  local f <close> = ns.open("/proc/sys/net/ipv4/ip_forward", "wronly")
  f:write(on and "1" or "0")
end

-- How many packets have come to the world's only cable.
local function seen_by_the_world(t) return ns.link.get("eth0", { ns = t.world }):stats().rx_packets end

local NAT = {
  "add table ip lesson",
  "add chain ip lesson post { type nat hook postrouting priority 100; }",
  "add rule ip lesson post oifname to-world counter masquerade",
}

local function why_no_nat()
  local ok, message = ns.try(ns.nft, NAT)
  if not ok then return "no NAT with nftables: " .. message end
  ns.nft "delete table ip lesson"
end

local function host_keeps_lo(t) return ns.link.get("lo", { ns = t.host }).is_up end

return ns.lesson {
  id = "bridge", title = "A switch, a router, and the way out", needs = { "net", "uts", "links" },

  { "A switch in the kernel",
    say = [[A cable joins two. For more there is the bridge: a switch that the kernel plays. It passes
      each packet on to the port behind which the receiver is, as it has learned. And it is a link
      of the host itself, which can have an address: the host is plugged in, too.]],
    shell = [[
      unshare --user --map-root-user --net sh        # the host: all is done in it
      ip link add br0 type bridge
      ip address add 10.0.0.254/24 dev br0; ip link set br0 up]],
    run = function(t)
      t.bridge = ns.link.add {
        kind = "bridge", name = "br0", up = true, address = ROUTER .. "/24",
      }
    end,
    show = function() return tostring(ns.address.list { family = "inet" }) end,
    check = { ["the host has a bridge"] = function() return ns.link.get "br0".kind == "bridge" end },
    keep = { ["the host has its lo"] = host_keeps_lo },
    hint = { "Docker's is called docker0." } },

  { "Three boxes, three cables",
    say = [[Each box gets a cable. One end is eth0 in the box, with an address; the other is a port of
      the bridge: its master is br0. Ports need no address.]],
    shell = [[
      ip link add ann type veth peer name eth0 netns PID
      ip link set ann master br0 up
      nsenter -t PID -n ip address add 10.0.0.1/24 dev eth0        # for each]],
    run = function(t)
      t.ports = {}
      for _, name in ipairs(NAMES) do
        t[name] = ns.box { net = "lo", hostname = name, pid = false }
        t.ports[name] = cable {
          kind = "veth", name = name, master = "br0", up = true,
          peer = { name = "eth0", ns = t[name], up = true,
            address = ADDRESS[name] .. "/24" },
        }
      end
    end,
    show = function(t) return select(2, all_pings(t)) end,
    check = {
      ["everybody reaches everybody"] = function(t) return (all_pings(t)) end,
      ["each cable is plugged into the bridge"] = function(t)
        for _, name in ipairs(NAMES) do
          if t.ports[name]:refresh().master_index ~= t.bridge.index then return false, name .. " is not" end
        end
        return true
      end,
      ["the host is on the same network"] = function(t) return reaches(t.host, ADDRESS.ann) end },
    keep = { ["the host has its lo"] = host_keeps_lo },
    hint = { "bridge link lists the ports, bridge fdb what the bridge has learned." } },

  { "Unplugged",
    say = [[A port without a master is no port. We take bob's out of the bridge: the cable is there, both
      ends are up, and nobody at the other end listens.]],
    shell = "ip link set bob nomaster; ping -c 1 -W 1 10.0.0.2",
    run = function(t) t.ports.bob:set { master = false } end,
    show = function(t) return "ann to bob: " .. tostring(t.ann:ping(ADDRESS.bob, QUICK)) end,
    check = { ["nobody reaches bob"] = function(t)
      return misses(t.ann, ADDRESS.bob) and misses(t.eve, ADDRESS.bob) end },
    keep = { ["ann reaches eve"] = function(t) return reaches(t.ann, ADDRESS.eve) end },
    hint = { "For the boxes it is as if the plug had been pulled." } },

  { "Plugged in again",
    say = [[An exercise: bring bob back. At the prompt (p) his end at the bridge is t.ports.bob; with
      the ip program it is the link bob on the host.]],
    shell = "ip link set bob master br0",
    solution = function(t) t.ports.bob:set { master = "br0" } end,
    show = function(t) return "ann to bob: " .. (reaches(t.ann, ADDRESS.bob) and "arrives" or "lost") end,
    check = { ["everybody reaches everybody"] = function(t) return (all_pings(t)) end },
    hint = { "The step before set master to false.", "t.ports.bob:set { master = \"br0\" }" } },

  { "The world outside",
    say = [[Now there is somebody outside of this network: 203.0.113.9, on another cable of the host.
      The host has an address in both. The boxes know only their own network: to anything else they
      have no route, and say so at once.]],
    shell = [[
      ip link add to-world type veth peer name eth0 netns PID
      ip address add 203.0.113.1/24 dev to-world; ip link set to-world up
      ping -c 1 203.0.113.9        # in a box: Network is unreachable]],
    run = function(t)
      forward(false)
      t.world = ns.box { net = "lo", hostname = "world", pid = false }
      cable {
        kind = "veth", name = "to-world", up = true, address = OUTSIDE .. "/24",
        peer = { name = "eth0", ns = t.world, up = true,
          address = WORLD .. "/24" },
      }
      t.echo = t.ann:ping(WORLD, QUICK)
      print(t.echo)
    end,
    check = {
      ["the host reaches the world"] = function(t) return reaches(t.host, WORLD) end,
      ["ann has no route to it"] = function(t) return t.echo.error == "ENETUNREACH" end },
    hint = { "ip route, in a box, has one line: 10.0.0.0/24 dev eth0." } },

  { "A gateway must be near",
    say = [[A route names the next one to give a packet to, and that one must be on a cable of one's
      own. To name the far end is of no use; the kernel does not take it.]],
    shell = "ip route add default via 203.0.113.1        # in a box: invalid gateway",
    run = function(t) ns.route.add("default", { via = OUTSIDE, ns = t.ann }) end,
    expect = "ENETUNREACH",
    keep = { ["the host has no default route"] = function(t)
      for _, route in ipairs(ns.route.list { ns = t.host, family = "inet" }) do
        if route.to == "default" then return false end
      end
      return true
    end },
    hint = { "The next hop of the boxes is the host's address on their network." } },

  { "A default route",
    say = [[Everything that is not near goes to the host: that is a default route. The boxes do send to
      the world now. But the host is no router yet: what is not for itself it throws away, and tells
      nobody.]],
    shell = "ip route add default via 10.0.0.254; ping -c 1 -W 1 203.0.113.9",
    ask = { "Does ann get an answer from the world (yes or no)?", answer = "no" },
    run = function(t)
      for _, name in ipairs(NAMES) do
        ns.route.add("default", { via = ROUTER, ns = t[name] })
      end
      t.echo = t.ann:ping(WORLD, QUICK)
      print(t.echo)
    end,
    show = function(t) return tostring(ns.route.list { ns = t.ann, family = "inet" }) end,
    check = {
      ["ann has a default route"] = function(t)
        for _, route in ipairs(ns.route.list { ns = t.ann, family = "inet" }) do
          if route.to == "default" and route.via == ROUTER then return true end
        end
      end,
      ["the packet was sent, and lost"] = function(t)
        return not t.echo.ok and t.echo.error ~= "ENETUNREACH" end },
    keep = { ["ann reaches eve"] = function(t) return reaches(t.ann, ADDRESS.eve) end },
    hint = { "cat /proc/sys/net/ipv4/ip_forward, on the host: 0." } },

  { "The host passes packets on",
    say = [[One number makes a host a router. The packets get to the world, and the world would like to
      answer; but it has never heard of 10.0.0.1. These are private addresses: the networks of the
      world have no route to them.]],
    shell = "echo 1 > /proc/sys/net/ipv4/ip_forward        # on the host",
    run = function(t)
      local before = seen_by_the_world(t)
      forward(true)
      t.echo = t.ann:ping(WORLD, QUICK)
      t.came = seen_by_the_world(t) - before
      print(t.echo)
    end,
    check = {
      ["something came to the world"] = function(t) return t.came and t.came > 0 end,
      ["no answer came back"] = function(t) return not t.echo.ok end },
    keep = { ["ann reaches eve"] = function(t) return reaches(t.ann, ADDRESS.eve) end },
    hint = { "tcpdump -ni eth0, in the world, would show the request, from 10.0.0.1." } },

  { "One address for all",
    say = [[The router puts its own address on what leaves, remembers whose packet it was, and gives the
      answer to that one. This is NAT; masquerade is the form that takes whatever address the cable
      has. The world believes that it talks to the router.]],
    shell = [[
      nft add table ip lesson
      nft add chain ip lesson post '{ type nat hook postrouting priority 100; }'
      nft add rule ip lesson post oifname to-world counter masquerade]],
    skip = why_no_nat,
    run = function(t)
      ns.nft(NAT)
      t.echo = t.ann:ping(WORLD, { timeout = 1 })
      print(t.echo)
    end,
    show = function() return ns.nft "list ruleset" end,
    check = {
      ["ann gets her answer"] = function(t) return t.echo.ok end,
      ["so do bob and eve"] = function(t) return reaches(t.bob, WORLD) and reaches(t.eve, WORLD) end,
      ["the rule has counted packets"] = function()
        return (tonumber(ns.nft "list ruleset":match "packets (%d+)") or 0) > 0 end },
    hint = { "It works in one direction only: who wants in needs a rule for a port, as docker -p makes." } },

  { "All of it in one table",
    say = [[For larger networks, ns.lab takes the plan and builds it: hosts, cables, bridges, routers and
      routes. Here are two networks and a router between them; then everybody pings everybody.]],
    shell = "mn --topo single,3 --test pingall        # Mininet, as root",
    run = function(t)
      t.lab = ns.lab {
        a = { "10.1.0.1/24", default = "10.1.0.254" },
        b = { "10.1.0.2/24", default = "10.1.0.254" },
        far = { "10.2.0.1/24", default = "10.2.0.254" },
        router = { "10.1.0.254/24", "10.2.0.254/24", forward = true },
        bridges = { br1 = { "a", "b", "router" }, br2 = { "far", "router" } },
      }
      t.all = t.lab:pingall()
      print(("%d of %d echoes answered"):format(t.all.received, t.all.sent))
    end,
    check = {
      ["everybody reached everybody"] = function(t) return t.all.ok and t.all.sent == 12 end,
      ["they are four network namespaces"] = function(t)
        local seen, count = {}, 0
        for _, name in ipairs { "a", "b", "far", "router" } do
          local id = t.lab[name]:ns "net".inode
          if not seen[id] then seen[id], count = true, count + 1 end
        end
        return count == 4
      end },
    keep = { ["the host has its lo"] = host_keeps_lo },
    hint = { "t.lab.a:ping \"far\", t.lab.far:links() ... at the prompt (p)." } },

  done = "Next: groups of processes, and what they may use: nslua scripts/cgroup.lua",
}
