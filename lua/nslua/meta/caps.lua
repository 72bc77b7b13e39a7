---@meta nslua.caps
-- What a process may do beyond its ids.

---@class nslua
local ns = {}

---Capabilities by name: `set.sys_admin` is true or nil. It prints as its
---words, "all", "none" or "all but sys_time".
---@alias nslua.CapSet table<string, true>

---@class nslua.Capabilities
---@field effective nslua.CapSet  what the kernel asks
---@field permitted nslua.CapSet  what effective may hold
---@field inheritable nslua.CapSet
---@field bounding nslua.CapSet  what an exec may gain
---@field ambient nslua.CapSet  what an exec keeps

---@class nslua.FileCapabilities
---@field permitted nslua.CapSet
---@field inheritable nslua.CapSet
---@field effective boolean  whether they are in force at once
---@field version integer  2, or 3 with a rootid
---@field rootid integer?

---The capabilities of a process. They count in its own user namespace and in
---those below.
---
---    print(ns.capabilities().effective.sys_admin)
---
---Raises: ENOENT (no such process).
---Source: capget(2), PR_CAPBSET_READ(2const), proc_pid_status(5)
---@param target? nslua.Proc|integer  default: the caller
---@return nslua.Capabilities sets
function ns.capabilities(target) end

---The capabilities that a program file gives to who executes it, nil for none.
---
---    local c = ns.getcap "/usr/bin/newuidmap"; print(c and c.permitted)
---
---Version 3 counts only below the user namespace whose root is `rootid`.
---Raises: ENOENT, EACCES, EINVAL (an attribute that nobody can read).
---Source: capabilities(7), getxattr(2)
---@param file string|nslua.Fd
---@return nslua.FileCapabilities? caps
function ns.getcap(file) end

---@alias nslua.CapSet string|table|integer

---Sets capabilities of the caller; a set that is not named stays.
---
---    ns.capset { effective = "net_admin,sys_admin" }
---
---A set is "sys_admin,chown", {"sys_admin"}, {sys_admin = true}, "all", "none",
---"-sys_time,-sys_boot" or "all but sys_time,sys_boot", {drop="all", add="chown"}.
---Raises: EPERM (more than is permitted).
---Source: capset(2), capabilities(7)
---@param sets { effective?: nslua.CapSet, permitted?: nslua.CapSet, inheritable?: nslua.CapSet }
---@return true
function ns.capset(sets) end

---Takes capabilities out of the bounding set: no exec gains them again.
---
---    ns.cap_drop_bounding "sys_module,sys_boot"
---
---Raises: EPERM (no CAP_SETPCAP).
---Source: PR_CAPBSET_DROP(2const)
---@param names string|table|integer
---@return true
function ns.cap_drop_bounding(names) end

---Changes the ambient set: what an exec of a plain program keeps.
---
---    ns.capset { inheritable = "net_raw" }; ns.cap_ambient("raise", "net_raw")
---
---Raises: EPERM (not both permitted and inheritable, or forbidden by
---securebits).
---Source: PR_CAP_AMBIENT(2const)
---@param how "raise"|"lower"|"clear"
---@param names? string|table|integer  not with "clear"
---@return true
function ns.cap_ambient(how, names) end

---How root and set*id affect capabilities: lists the words that are set, or
---sets exactly these: noroot, no_setuid_fixup, keep_caps, no_cap_ambient_raise,
---each also with _locked.
---
---    ns.securebits "keep_caps"; ns.setuid(1000)
---
---Raises: EPERM (no CAP_SETPCAP, or locked).
---Source: PR_SET_SECUREBITS(2const), capabilities(7)
---@param words? string|string[]|integer
---@return string[]|true words  true when it sets
function ns.securebits(words) end

---Whether an exec may still gain rights (set-user-id, file capabilities);
---true takes that away for ever.
---
---    ns.no_new_privs(true)
---
---Source: PR_SET_NO_NEW_PRIVS(2const)
---@param on? true
---@return boolean on  as it is now
function ns.no_new_privs(on) end

---A resource limit of the caller: as core cpu data fsize locks memlock msgqueue
---nice nofile nproc rss rtprio rttime sigpending stack.
---
---    ns.rlimit("nofile", 64)
---
---Raises: EPERM (above the hard limit), EINVAL (soft above hard).
---Source: getrlimit(2), setrlimit(2)
---@param name string
---@param soft? integer|number|"unlimited"  math.huge is no limit
---@param hard? integer|number|"unlimited"
---@return number soft  as it is now
---@return number hard
function ns.rlimit(name, soft, hard) end

return ns
