-- SPDX-License-Identifier: MIT
-- Rows of the doctor's table: links, addresses, routes, queues and echoes.
-- rtnetlink(7), veth(4), icmp(7).

local CHANGE = "RTM_NEWLINK RTM_DELLINK RTM_NEWADDR RTM_DELADDR RTM_NEWROUTE RTM_DELROUTE " ..
  "RTM_NEWQDISC RTM_DELQDISC"

local function joins(_, e) return e.text:find("NEWNET", 1, true) end

return {
  {
    id = "net-gone", call = "setns", errno = "ESRCH",
    when = joins,
    why = "A network namespace ends with its last process, unless something else holds it.",
    fix = "hold it: local net <close> = box:ns(\"net\"), or give it a name: ns.netns.attach(name, box)",
    see = "network_namespaces(7)",
  },
  {
    id = "no-such-netns", call = "open openat", errno = "ENOENT",
    when = function(_, e) return e.text:find("/run/netns/", 1, true) end,
    why = "No network namespace has that name here.",
    fix = "look: ns.netns.list() (shell: ip netns); a Ns, a process, a pid or a path will do too",
    see = "ip-netns(8)",
  },
  {
    id = "net-not-yours", call = CHANGE, errno = "EPERM",
    why = "Links, addresses and routes belong to the user namespace that owns the network, " ..
      "and you have no CAP_NET_ADMIN there; a link between two networks wants it in both.",
    fix = "make the networks in user namespaces of yours: ns.lab{...}, ns.box{user=true, net=true} " ..
      "(shell: unshare -Ur --net), and link them from outside; a link to the host needs root",
    see = "network_namespaces(7), user_namespaces(7)",
  },
  {
    id = "vni-taken", call = "RTM_NEWLINK", errno = "EEXIST",
    when = function(_, e) return e.step:find("VNI", 1, true) end,
    why = "A vxlan with that id and port is in this network namespace already.",
    fix = "give another id=, or another port=", see = "rtnetlink(7)",
  },
  {
    id = "link-taken", call = "RTM_NEWLINK", errno = "EEXIST",
    why = "A link of that name is in this network namespace already.",
    fix = "choose another name, or delete it: ns.link.get(name):delete() (shell: ip link del)",
    see = "rtnetlink(7)",
  },
  {
    id = "address-taken", call = "RTM_NEWADDR", errno = "EEXIST",
    why = "The link has this address already.",
    fix = "look: link:addresses() (shell: ip addr)", see = "rtnetlink(7)",
  },
  {
    id = "route-taken", call = "RTM_NEWROUTE", errno = "EEXIST",
    why = "There is a route to that network already.",
    fix = "delete it first: ns.route.delete(to), or give the new one a metric", see = "rtnetlink(7)",
  },
  {
    id = "no-such-link", call = "RTM_GETLINK RTM_DELLINK RTM_NEWADDR RTM_DELADDR RTM_NEWROUTE RTM_NEWQDISC RTM_NEWLINK",
    errno = "ENODEV",
    why = "There is no such link in this network namespace; of a veth both ends go together.",
    fix = "look: ns.link.list{ns=...} (shell: ip link); it may be in another namespace",
    see = "rtnetlink(7)",
  },
  {
    id = "master-elsewhere", call = "RTM_NEWLINK", errno = "EINVAL",
    when = function(_, e) return e.step:find("another network namespace", 1, true) end,
    why = "A bridge takes only links of its own network namespace.",
    fix = "move one of them first: link:move(ns)", see = "bridge(8)",
  },
  {
    id = "lo-stays", call = "RTM_NEWLINK RTM_DELLINK", errno = "EINVAL EOPNOTSUPP",
    when = function(_, e)
      return e.call == "RTM_DELLINK" or e.step:find("immutable", 1, true)
    end,
    why = "This link belongs to its network namespace: lo is made and ends with it.",
    fix = "make one that may go: ns.link.add{kind=\"veth\", ...}; take lo down with link:down()",
    see = "network_namespaces(7)",
  },
  {
    id = "no-bridge", call = "RTM_NEWLINK", errno = "EOPNOTSUPP EINVAL EBUSY ELOOP",
    when = function(_, e) return e.text:find("master_index=", 1, true) end,
    why = "What is to be the master is no bridge, or takes no link of this kind (lo, another bridge).",
    fix = "look at its kind: ns.link.get(name).kind (shell: ip -d link)", see = "bridge(8)",
  },
  {
    id = "link-mtu", call = "RTM_NEWLINK", errno = "EINVAL ERANGE",
    when = function(_, e) return e.text:find("mtu=", 1, true) end,
    why = "That MTU is too small or too large for a link of this kind.",
    fix = "a veth or a bridge takes 68 to 65535; IPv6 wants 1280 at least", see = "ip-link(8)",
  },
  {
    id = "link-mac", call = "RTM_NEWLINK", errno = "EADDRNOTAVAIL",
    why = "No link can have that hardware address: it is zero, or that of a group (an odd first byte).",
    fix = "choose one of those for local use, such as 02:00:00:00:00:01", see = "ip-link(8)",
  },
  {
    id = "link-value", call = "RTM_NEWLINK", errno = "EINVAL ERANGE",
    why = "A link of this kind cannot have one of these values.",
    fix = "what the kernel said of it, if anything, stands in front; ip-link(8) tells what each kind takes",
    see = "ip-link(8)",
  },
  {
    id = "no-such-kind", call = "RTM_NEWLINK", errno = "EOPNOTSUPP ENOSYS",
    why = "This kernel has no links of that kind, or may not load the module from here.",
    fix = "check the word; an admin may load it on the host: modprobe veth, modprobe bridge, ...",
    see = "rtnetlink(7)",
  },
  {
    id = "no-ipv6", call = "RTM_NEWADDR RTM_NEWROUTE", errno = "EOPNOTSUPP EAFNOSUPPORT EACCES",
    why = "This network namespace, or that link, has no IPv6.",
    fix = "use IPv4, or set net.ipv6.conf.all.disable_ipv6=0 in that namespace", see = "ipv6(7)",
  },
  {
    id = "route-bits", call = "RTM_NEWROUTE", errno = "EINVAL",
    when = function(_, e) return e.step:find("Invalid prefix", 1, true) end,
    why = "The address has bits to the right of its prefix: it is a host's, not a network's.",
    fix = "set them to 0: 10.1.0.0/16, not 10.1.0.1/16; a single host is /32 (IPv6: /128)",
    see = "ip-route(8)",
  },
  {
    id = "address-value", call = "RTM_NEWADDR", errno = "EINVAL EADDRNOTAVAIL",
    why = "No link can have that address: it is 0.0.0.0, or that of a group.",
    fix = "give an address of a host, such as 10.0.0.1/24", see = "ip-address(8)",
  },
  {
    id = "gateway-unreachable", call = "RTM_NEWROUTE", errno = "ENETUNREACH EHOSTUNREACH",
    why = "The gateway is on no network of a link that is up.",
    fix = "first give a link an address of that network and bring it up: link:add_address(...), link:up()",
    see = "rtnetlink(7)",
  },
  {
    id = "route-gone", call = "RTM_DELROUTE", errno = "ESRCH",
    why = "There is no such route.", fix = "look: ns.route.list() (shell: ip route)", see = "rtnetlink(7)",
  },
  {
    id = "address-gone", call = "RTM_DELADDR", errno = "EADDRNOTAVAIL",
    why = "The link has no such address with that prefix.",
    fix = "look: link:addresses() (shell: ip addr)", see = "rtnetlink(7)",
  },
  {
    id = "no-netem", call = "RTM_NEWQDISC", errno = "ENOENT EOPNOTSUPP",
    why = "This kernel has no netem, the queue that delays and loses.",
    fix = "an admin may load it on the host: modprobe sch_netem", see = "tc-netem(8)",
  },
  {
    id = "raw-socket", call = "socket", errno = "EPERM EACCES",
    when = function(_, e) return e.text:find("IPPROTO_ICMP", 1, true) end,
    why = "Echoes need CAP_NET_RAW in the owner of the network, or a group within " ..
      "net.ipv4.ping_group_range.",
    fix = "ping from a network of yours: box:ping(address), lab.a:ping(address); an admin may widen " ..
      "the range",
    command = "sudo sysctl -w net.ipv4.ping_group_range='0 2147483647'",
    weakens = "every local user may send echo requests", see = "icmp(7)",
  },
  {
    id = "no-libnl", call = "RTM_NEWLINK", errno = "ENOENT",
    why = "nslua/net.so is not there or cannot be opened from here: it is built where libnl-route-3 is.",
    fix = "install it and build again: make deps && make (Debian: libnl-route-3-dev; Fedora: " ..
      "libnl3-devel; Arch: libnl; Alpine: libnl3-dev); after a change of root open it before",
  },
  {
    id = "no-libnftables", call = "dlopen nft", errno = "ENOENT",
    when = function(_, e) return e.call == "dlopen" or #e.shown == 0 end,
    why = "libnftables is not installed; nslua never needs it but for NAT and filters.",
    fix = "install it (Debian: libnftables1; Fedora: nftables-libs; Arch, Alpine: nftables)",
    see = "libnftables(3)",
  },
  {
    id = "nft-power", call = "nft", errno = "EPERM EACCES",
    why = "The rules belong to the user namespace that owns the network, and you have no " ..
      "CAP_NET_ADMIN there.",
    fix = "give the network as ns=: ns.nft(commands, {ns = lab.a})", see = "nft(8)",
  },
  {
    id = "nft-kernel", call = "nft", errno = "EOPNOTSUPP EPROTONOSUPPORT EAFNOSUPPORT",
    why = "This kernel has no nftables, or may not load the modules from here.",
    fix = "an admin may load them on the host: modprobe nf_tables", see = "nft(8)",
  },
  {
    id = "nft-commands", call = "nft", errno = "EINVAL ENOENT EEXIST EBUSY",
    why = "nft does not take these commands; what it says of them stands in front, and none of them holds.",
    fix = "look at what is there: ns.nft(\"list ruleset\", {ns=...}); nft(8) has the grammar",
    see = "nft(8)",
  },
}
