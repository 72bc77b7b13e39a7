---@meta nslua.idmap
-- The ids of a user namespace: what uid 0 in it is outside.

---@class nslua
local ns = {}

---Writes the id maps of a user namespace, once and for all: "deny" to setgroups
---where the writer needs that, then gid_map, then uid_map. An ordinary user may
---map his own uid and gid only.
---
---    ns.unshare("user"); ns.map(nil, "root"); print(ns.getuid())
---    ns.unshare("user"); ns.map(nil, { uid = { 0, 1000, 1 }, gid = { 0, 1000, 1 } })
---
---Raises: EPERM (a second map, ids that are not the writer's, AppArmor), EINVAL
---(ranges that overlap), EACCES (a process that is not dumpable), ENOENT (no /proc).
---Source: user_namespaces(7)
---@param proc nslua.Proc|integer|nil  whose namespace; nil is the caller
---@param map "root"|"current"|true|table  the caller as 0, as itself, or
---   { uid=, gid=, setgroups= }: uid and gid are a number, a range {inside,
---   outside, count}, or a list of ranges; setgroups is "allow" or "deny"
---@return true
function ns.map(proc, map) end

return ns
