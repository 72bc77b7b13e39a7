---@meta nslua.idmap
-- The ids of a user namespace: what uid 0 in it is outside.

---@class nslua
local ns = {}

---Writes the id maps of a user namespace, once and for all: "deny" to setgroups
---where the writer needs that, then gid_map, then uid_map. An ordinary user may
---map his own uid and gid only; ranges that /etc/subuid and /etc/subgid give him
---are written by newuidmap and newgidmap, from outside the namespace.
---
---    ns.unshare("user"); ns.map(nil, "root"); print(ns.getuid())
---    ns.unshare("user"); ns.map(nil, { uid = { 0, 1000, 1 }, gid = { 0, 1000, 1 } })
---    ns.map(child, "auto"); ns.map(child, { { 0, 1000, 1 }, { 1, 100000, 65536 } })
---
---"root" the caller is 0; "current" the caller is himself; "all" (or "identity")
---every id of here as itself; "auto" the caller is 0 and his subordinate ids
---follow from 1; "subids" the caller and his subordinate ids as themselves.
---Raises: EPERM (a second map, ids that are not the writer's, AppArmor), EINVAL
---(ranges that overlap), EACCES (a process that is not dumpable), ENOENT (no /proc),
---ENODATA ("auto", "subids": no subordinate ids).
---Source: user_namespaces(7), newuidmap(1)
---@param proc nslua.Proc|integer|nil  whose namespace; nil is the caller
---@param map "root"|"current"|"all"|"auto"|"subids"|true|string|table  a word,
---   "inside:outside:count", {inside, outside, count} or a list of such for both,
---   or { uid=, gid=, setgroups= }: uid and gid are a number or name (that id
---   inside is the caller), a word, a range, or a list of ranges; setgroups is
---   "allow" or "deny"
---@return true
function ns.map(proc, map) end

return ns
