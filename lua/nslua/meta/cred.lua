---@meta nslua.cred
-- Who a process is: user and group ids.

---@class nslua
local ns = {}

---The real user id. An id without a map in this user namespace reads 65534.
---
---    print(ns.getuid())
---
---Source: getuid(2)
---@return integer
function ns.getuid() end

---The effective user id: the one that the kernel asks.
---
---    print(ns.geteuid())
---
---Source: geteuid(2)
---@return integer
function ns.geteuid() end

---The real group id.
---
---    print(ns.getgid())
---
---Source: getgid(2)
---@return integer
function ns.getgid() end

---The effective group id.
---
---    print(ns.getegid())
---
---Source: getegid(2)
---@return integer
function ns.getegid() end

---Real, effective and saved user id.
---
---    local r, e, s = ns.getresuid()
---
---Source: getresuid(2)
---@return integer real
---@return integer effective
---@return integer saved
function ns.getresuid() end

---Real, effective and saved group id.
---
---    local r, e, s = ns.getresgid()
---
---Source: getresgid(2)
---@return integer real
---@return integer effective
---@return integer saved
function ns.getresgid() end

---The other groups of the process.
---
---    print(table.concat(ns.getgroups(), " "))
---
---Source: getgroups(2)
---@return integer[]
function ns.getgroups() end

---Sets the user id: with CAP_SETUID all three, and then there is no way back;
---without it the effective one, to the real or saved one.
---
---    ns.setuid(1000)
---
---Raises: EPERM, EINVAL (the id has no map in this user namespace), EAGAIN.
---Source: setuid(2)
---@param uid integer
---@return true
function ns.setuid(uid) end

---Sets the group id, as ns.setuid does. Before setuid, not after.
---
---    ns.setgroups {}; ns.setgid(1000); ns.setuid(1000)
---
---Raises: EPERM, EINVAL.
---Source: setgid(2)
---@param gid integer
---@return true
function ns.setgid(gid) end

---Sets the effective user id.
---
---    ns.seteuid(1000)
---
---Raises: EPERM, EINVAL.
---Source: seteuid(2)
---@param uid integer
---@return true
function ns.seteuid(uid) end

---Sets the effective group id.
---
---    ns.setegid(1000)
---
---Raises: EPERM, EINVAL.
---Source: setegid(2)
---@param gid integer
---@return true
function ns.setegid(gid) end

---Sets real and effective user id.
---
---    ns.setreuid(nil, 1000)
---
---Raises: EPERM, EINVAL, EAGAIN.
---Source: setreuid(2)
---@param real? integer  nil leaves it
---@param effective? integer  nil leaves it
---@return true
function ns.setreuid(real, effective) end

---Sets real and effective group id.
---
---    ns.setregid(nil, 1000)
---
---Raises: EPERM, EINVAL.
---Source: setregid(2)
---@param real? integer  nil leaves it
---@param effective? integer  nil leaves it
---@return true
function ns.setregid(real, effective) end

---Sets real, effective and saved user id.
---
---    ns.setresuid(1000, 1000, 1000)
---
---Raises: EPERM, EINVAL, EAGAIN.
---Source: setresuid(2)
---@param real? integer  nil leaves it
---@param effective? integer  nil leaves it
---@param saved? integer  nil leaves it
---@return true
function ns.setresuid(real, effective, saved) end

---Sets real, effective and saved group id.
---
---    ns.setresgid(1000, 1000, 1000)
---
---Raises: EPERM, EINVAL.
---Source: setresgid(2)
---@param real? integer  nil leaves it
---@param effective? integer  nil leaves it
---@param saved? integer  nil leaves it
---@return true
function ns.setresgid(real, effective, saved) end

---Sets the other groups.
---
---    ns.setgroups {}
---
---Raises: EPERM (no CAP_SETGID; a user namespace where setgroups is denied or
---whose gid_map is not written), EINVAL (more than 65536; an id without a map).
---Source: setgroups(2), user_namespaces(7)
---@param gids integer[]
---@return true
function ns.setgroups(gids) end

return ns
