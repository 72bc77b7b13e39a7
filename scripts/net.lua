-- Give a box a network of its own: empty at first, then with a cable to the host, and pings both ways.
--
-- Man pages: network_namespaces(7), veth(4), ip-link(8), ip-address(8), unshare(1).
-- Run it:    nslua scripts/net.lua            (Enter goes on, q quits; no root is needed)
--            nslua --batch scripts/net.lua    (no key; exit status 0: every claim held)
-- What to expect (your times will differ):
--
--     net/8  There and back                                                   8/9
--       ...
--       output
--         host to box  10.0.0.2: 1 sent, 1 received, 0% lost, 0.041/0.041/0.041 ms
--         box to host  10.0.0.1: 1 sent, 1 received, 0% lost, 0.019/0.019/0.019 ms
--
--       ✔ the host reaches the box
--       ✔ the box reaches the host
--
-- `t` is what the steps share: t.box is the box, t.near and t.far are the two ends of the cable, t.host
-- is a process of the throw-away host that the lesson runs on. That host has a network of its own,
-- with nothing but lo: your machine's cables and addresses are not touched, nor seen.

local ns = require "nslua"

-- The names of the links in somebody's network.
local function links(proc)
  local names = {}
  for i, link in ipairs(ns.link.list { ns = proc }) do names[i] = link.name end
  table.sort(names)
  return table.concat(names, " ")
end

local function is_up(proc, name)
  local ok, link = pcall(ns.link.get, name, { ns = proc })
  return ok and link.is_up
end

local function both(t)
  return ("host\n%s\n\nbox\n%s"):format(ns.link.list { ns = t.host }, ns.link.list { ns = t.box })
end

local function addresses(t)
  return ("host\n%s\n\nbox\n%s"):format(ns.address.list { ns = t.host, family = "inet" },
    ns.address.list { ns = t.box, family = "inet" })
end

-- A cable carries when both of its ends are up.
local function carries(link) return link:refresh().state == "up" end

-- The kernel needs a moment: to see that a cable carries, to take down a namespace.
local function soon(fn)
  for _ = 1, 500 do
    if fn() then return true end
    ns.poll({}, 0.01)
  end
  return false
end

local function host_is_connected(t) return is_up(t.host, "lo") end

return ns.lesson {
  id = "net", title = "A network of its own", needs = { "net", "links" },

  { "What a network is, to the kernel",
    say = [[Links, which are the network cards, real or not; addresses on them; routes; rules of the
      firewall; and the sockets that use all of this. The kernel keeps these together in a network
      namespace. The host of this lesson has one with a single link: lo, its way to itself.]],
    shell = "ip link; ip address; ip route; readlink /proc/self/ns/net",
    observe = true,
    show = function() return tostring(ns.address.list { family = "inet" }) end,
    check = {
      ["we are in the host's network"] = function(t) return ns.of(ns.getpid(), "net") == t.host:ns "net" end,
      ["it reaches itself"] = function() return ns.ping "127.0.0.1".ok end },
    hint = { "On your own prompt, ip link lists the links of your machine." } },

  { "Shared, unless asked for",
    say = [[A box that does not ask for a network has the host's. It sees the same links and the same
      addresses, and a port that it listens on is taken on the host. Many tools run containers this
      way: docker run --network host.]],
    shell = "unshare --user --map-root-user --uts ip link",
    run = function(t) t.shared = ns.box { "uts", pid = false } end,
    show = function(t) return ("host  %s\nbox   %s"):format(links(t.host), links(t.shared)) end,
    check = {
      ["its network namespace is the host's"] = function(t) return t.shared:ns "net" == t.host:ns "net" end,
      ["so it sees the same links"] = function(t) return links(t.shared) == links(t.host) end },
    keep = { ["the host reaches itself"] = host_is_connected },
    hint = { "readlink /proc/self/ns/net, inside and outside: the same number." } },

  { "A network, and nothing in it",
    say = [[A new network namespace is no copy. It has a lo, which is down, and that is all: no
      address, no route, no way to anybody, not even to itself.]],
    shell = "unshare --user --map-root-user --net sh\nip link; ping -c 1 127.0.0.1",
    ask = { "Does a ping to 127.0.0.1 arrive in there (yes or no)?", answer = "no" },
    run = function(t)
      t.box = ns.box { "net", pid = false }
      t.echo = t.box:ping "127.0.0.1"
      print(t.echo)
    end,
    show = both,
    check = {
      ["the box has a network namespace of its own"] = function(t)
        return t.box:ns "net" ~= t.host:ns "net" end,
      ["it has lo, and lo is down"] = function(t)
        return links(t.box) == "lo" and not is_up(t.box, "lo") end,
      ["it does not even reach itself"] = function(t) return not t.echo.ok end },
    keep = { ["the host reaches itself"] = host_is_connected },
    hint = { "Network is unreachable: there is no route at all." } },

  { "lo goes up",
    say = [[Many programs talk to themselves over lo, so this comes first. With the link up, the kernel
      gives it the address 127.0.0.1 and the routes that belong to it.]],
    shell = "ip link set lo up; ping -c 1 127.0.0.1        # in that shell",
    run = function(t)
      ns.link.get("lo", { ns = t.box }):up()
      t.echo = t.box:ping "127.0.0.1"
      print(t.echo)
    end,
    show = function(t) return tostring(ns.address.list { ns = t.box, family = "inet" }) end,
    check = {
      ["lo is up in the box"] = function(t) return is_up(t.box, "lo") end,
      ["the box reaches itself"] = function(t) return t.echo.ok end },
    hint = { "ns.box { net = \"lo\" } begins with this." } },

  { "A cable with two ends",
    say = [[A link is in one namespace at a time. To get from one to another there is the veth: a pair
      of links, and what is sent into one comes out of the other. One end is made here, the other in
      the box: a cable through the wall.]],
    shell = "sudo ip link add to-box type veth peer name eth0 netns PID",
    run = function(t)
      t.near, t.far = ns.link.add {
        kind = "veth", name = "to-box", peer = { name = "eth0", ns = t.box },
      }
    end,
    show = both,
    check = {
      ["the host has one end"] = function(t) return links(t.host):find "to%-box" end,
      ["the box has the other"] = function(t) return links(t.box) == "eth0 lo" end,
      ["each names the other by its number"] = function(t)
        return t.near:refresh().peer_index == t.far.index
          and t.far:refresh().peer_index == t.near.index
      end },
    keep = { ["the host has no eth0"] = function(t) return not links(t.host):find "eth0" end },
    hint = { "eth0@if2 means: its other end is number 2, in some other namespace." } },

  { "A name that is taken",
    say = [[A name stands for one link in a namespace. eth0 in the box and eth0 elsewhere do not meet;
      but a second to-box on the host is refused. It would be two cables, and nobody knew which.]],
    shell = "sudo ip link add to-box type dummy        # File exists",
    run = function() ns.link.add { kind = "dummy", name = "to-box" } end,
    expect = "EEXIST",
    keep = { ["the host reaches itself"] = host_is_connected },
    hint = { "A hundred containers have a hundred eth0; on the host each cable has its own name." } },

  { "Addresses",
    say = [[A cable alone moves no packet: both ends must be up, and both need an address. The number
      after the slash says how many bits name the network; the kernel makes the route for that part
      by itself.]],
    shell = [[
      sudo ip address add 10.0.0.1/24 dev to-box; sudo ip link set to-box up
      ip address add 10.0.0.2/24 dev eth0; ip link set eth0 up            # box]],
    run = function(t)
      t.near:add_address "10.0.0.1/24"
      t.near:up()
      t.far:add_address "10.0.0.2/24"
      t.far:up()
      soon(function() return carries(t.near) and carries(t.far) end)
    end,
    show = addresses,
    check = {
      ["both ends are up"] = function(t) return carries(t.near) and carries(t.far) end,
      ["the box has a route to the network"] = function(t)
        for _, route in ipairs(ns.route.list { ns = t.box, family = "inet" }) do
          if route.to == "10.0.0.0/24" and route.dev == "eth0" then return true end
        end
      end },
    keep = { ["the host reaches itself"] = host_is_connected },
    hint = { "ip route shows it, in the box: 10.0.0.0/24 dev eth0." } },

  { "There and back",
    say = [[A ping is an echo request of ICMP; the answer comes from the kernel at the other end. ns.ping
      sends it itself, so no ping program is needed in the box.]],
    shell = "ping -c 1 10.0.0.2        # on the host\nping -c 1 10.0.0.1        # in the box",
    ask = { "Both ways: which of the two will be answered (host, box, both)?", answer = "both" },
    run = function(t)
      t.out, t.back = ns.ping "10.0.0.2", t.box:ping "10.0.0.1"
      print("host to box", t.out)
      print("box to host", t.back)
    end,
    check = {
      ["the host reaches the box"] = function(t) return t.out.ok end,
      ["the box reaches the host"] = function(t) return t.back.ok end,
      ["the packets went through the cable"] = function(t) return t.near:stats().rx_packets >= 2 end },
    hint = { "The first packet on the cable is no ping, but ARP: who has 10.0.0.2?" } },

  { "The pair disappears",
    say = [[When the last process of a network namespace ends, the namespace ends, and with it the links
      that were made for it. One end of a veth cannot be without the other: the host's is gone, too,
      and nobody had to delete it.]],
    shell = "kill PID; sleep 1; ip link        # on the host",
    ask = { "How many links does the host have afterwards (a number)?", answer = 1 },
    run = function(t)
      t.box:close()
      soon(function() return not links(t.host):find "to%-box" end)
    end,
    show = function(t) return tostring(ns.link.list { ns = t.host }) end,
    check = { ["the host's end is gone"] = function(t) return not links(t.host):find "to%-box" end },
    keep = { ["the host reaches itself"] = host_is_connected },
    hint = { "A real card that was moved into the namespace would come back to the host." } },

  done = "Next: several boxes on one switch, and the way out: nslua scripts/bridge.lua",
}
