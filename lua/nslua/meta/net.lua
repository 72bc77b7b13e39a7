---@meta nslua.net
-- Sockets that act in another network namespace.

---@class nslua
local ns = {}

---Makes a socket. With a network namespace it is made there, by a short-lived
---child, and stays there: the caller goes nowhere.
---
---    local here <close> = ns.socket("inet", "dgram")
---    local there <close> = ns.socket("netlink", "raw", "route", ns.of(nil, "net"))
---
---Raises: EPERM (a raw socket without CAP_NET_RAW; a namespace that may not be
---joined), EAFNOSUPPORT (a kernel without that family).
---Source: socket(2), network_namespaces(7)
---@param family string|integer  inet inet6 netlink packet unix
---@param type string|integer  dgram raw seqpacket stream
---@param protocol? string|integer  icmp icmp6 tcp udp route
---@param net? nslua.Ns  a network namespace
---@return nslua.Fd
function ns.socket(family, type, protocol, net) end

return ns
