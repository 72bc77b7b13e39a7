---@meta nslua.uts
-- The UTS namespace: the host's name as its processes see it.

---@class nslua
local ns = {}

---Sets the hostname of the caller's UTS namespace: every process that shares
---the namespace sees the new name at once.
---
---    ns.unshare("uts"); ns.sethostname("box")
---
---Raises: EPERM (no CAP_SYS_ADMIN in the owner of the namespace), EINVAL
---(longer than 64 bytes).
---Source: sethostname(2)
---@param name string  at most 64 bytes
---@return true
function ns.sethostname(name) end

---The hostname of the caller's UTS namespace.
---
---    print(ns.gethostname())
---
---Source: uname(2)
---@return string name
function ns.gethostname() end

---Sets the NIS domain name of the caller's UTS namespace.
---
---    ns.setdomainname("example.org")
---
---Raises: EPERM (no CAP_SYS_ADMIN in the owner of the namespace), EINVAL
---(longer than 64 bytes).
---Source: setdomainname(2)
---@param name string  at most 64 bytes
---@return true
function ns.setdomainname(name) end

---The NIS domain name of the caller's UTS namespace, "(none)" when never set.
---
---    print(ns.getdomainname())
---
---Source: getdomainname(2)
---@return string name
function ns.getdomainname() end

---What the kernel says of itself and of the caller's UTS namespace.
---
---    print(ns.uname().release)
---
---Source: uname(2)
---@return { sysname: string, nodename: string, release: string, version: string, machine: string } info
function ns.uname() end

return ns
