---@meta nslua.ns
-- Namespaces as such: leaving one, joining one, holding one by a handle, and
-- the way back. The eight types are words: user mnt pid uts ipc net cgroup time.

---@class nslua
local ns = {}

---A namespace that is held open: it lives on while the handle does, without
---any process. Two handles are equal when they mean the same namespace.
---Properties: type, inode, dev, and id where the kernel gives 64-bit ids.
---@class nslua.Ns
---@field type string  "uts"
---@field inode integer  the number that /proc/PID/ns shows
---@field dev integer
---@field id integer?  never used again, unlike the inode: Linux 6.18
local Ns = {}

---Moves the process into new namespaces of these types. "pid" and "time" move
---only children born from now on; the first child in a new pid namespace is its
---PID 1. All types but user need CAP_SYS_ADMIN, which a new user namespace
---gives. 0 asks for nothing: only a system call filter can refuse that.
---
---    ns.unshare("user", "uts"); ns.sethostname("box")
---
---Raises: EPERM (no CAP_SYS_ADMIN, a chroot, a filter, a sysctl), ENOSPC
---(user.max_*_namespaces, or 32 levels), EINVAL (threads, a second "pid", a type
---that the kernel lacks), EACCES (AppArmor).
---Source: unshare(2)
---@param type string|integer  one of the eight words, or CLONE_NEW* as a number
---@param ... string|integer  further types
---@return true
function ns.unshare(type, ...) end

---Joins the namespaces of another process, or one namespace. Of a process
---without types: all in which it differs from the caller. "pid" and "time" move
---only children. After joining "mnt" root and cwd are those of that namespace.
---
---    local p = ns.clone({ "user", "uts", hostname = "box" }, { "sleep", "9" })
---    ns.fork(function() ns.setns(p); print(ns.gethostname()) end):wait()
---    p:close()
---
---Raises: EPERM (no CAP_SYS_ADMIN in the owner of the target), EINVAL (the same
---user namespace, or no descendant), ESRCH (it has ended), EUSERS (time, with
---threads).
---Source: setns(2)
---@param target nslua.Ns|nslua.Proc|nslua.Fd|integer|string  a handle, a pid, or the path of a namespace file
---@param ... string|integer  types; default: all that differ
---@return true
function ns.setns(target, ...) end

---Handles on the namespaces of a process, by type; of the caller without an
---argument. A type that the kernel lacks is absent. One namespace is named by a
---file, by its inode (what lsns prints, larger than any pid), by a row of
---ns.list, or by { id = N }: ids are small numbers, as pids are. An id without
---inode and type finds only what a process is in before Linux 6.19.
---
---    local mine, theirs = ns.of(nil, "uts"), ns.of(ns.getppid(), "uts")
---    print(mine == theirs, mine.inode)
---
---Raises: ESRCH, EACCES or EPERM (another user's process), EINVAL (no namespace),
---ENOENT (no namespace with that number that the caller may see).
---Source: namespaces(7), ioctl_pidfd(2), open_by_handle_at(2)
---@param target? integer|nslua.Proc|nslua.Ns|nslua.Fd|string|table  pid, handle, file, inode, or { id =, ns =, type = }
---@param type? string|integer  one type only
---@return table<string, nslua.Ns>|nslua.Ns|nil  with a type or a file: one handle
function ns.of(target, type) end

---Where the process is now: its namespaces, root and cwd, for ns.back.
---
---    local saved = ns.here(); ns.unshare("uts"); ns.back(saved)
---
---Raises: EMFILE, ENOENT (no /proc).
---Source: namespaces(7)
---@return table saved  Ns by type, and root and cwd as Fd
function ns.here() end

---Returns to where ns.here() was called, or to where the program began. There
---is no way back to an old user namespace, nor out of changed ids.
---
---    ns.unshare("uts"); ns.sethostname("box"); ns.back()
---
---Raises: EPERM, naming the type that has no way back.
---Source: setns(2)
---@param saved? table  default: the state before the first change
---@return true
function ns.back(saved) end

---Moves the clocks of a new time namespace: after ns.unshare("time"), before
---the first child enters it.
---
---    ns.unshare("user", "time"); ns.timens_offsets{ boottime = 86400 }
---
---Raises: EACCES (a child lives there already), EPERM (no CAP_SYS_TIME), ERANGE
---(a clock would be negative).
---Source: time_namespaces(7)
---@param offsets { monotonic: number?, boottime: number? }  seconds
---@return true
function ns.timens_offsets(offsets) end

---Brings the loopback device up: in a new network namespace it starts down.
---
---    ns.unshare("user", "net"); ns.lo_up()
---
---Raises: EPERM (no CAP_NET_ADMIN in the owner of the network namespace).
---Source: netdevice(7)
---@return true
function ns.lo_up() end

---Lets go of the namespace. A closed handle is still equal to none.
---
---    local n = ns.of(nil, "net"); n:close()
---
---Source: close(2)
function Ns:close() end

---The user namespace that owns this one: capabilities in it count here.
---
---    print(ns.of(nil, "uts"):owner() == ns.of(nil, "user"))
---
---Source: NS_GET_USERNS(2const)
---@return nslua.Ns|nil owner  nil: out of the caller's sight
function Ns:owner() end

---The next outer namespace, of user and pid namespaces.
---
---    print(ns.of(nil, "pid"):parent())
---
---Raises: EINVAL (a type without parents).
---Source: NS_GET_PARENT(2const)
---@return nslua.Ns|nil parent  nil: the first one, or out of sight
function Ns:parent() end

---The uid that made a user namespace, as the caller's namespace counts.
---
---    print(ns.of(nil, "user"):owner_uid())
---
---Raises: EINVAL (no user namespace).
---Source: NS_GET_OWNER_UID(2const)
---@return integer uid
function Ns:owner_uid() end

---Binds the namespace to a file, so that it lives on without processes until
---that is unmounted. An existing file is used, else an empty one is made.
---
---    ns.unshare("user", "mnt", "net"); ns.map(nil, "root")
---    ns.mount("tmpfs", "/mnt", "tmpfs"); ns.of(nil, "net"):pin("/mnt/net")
---
---Raises: EPERM, EINVAL (a mnt namespace onto a shared mount, or into itself),
---ENOENT, EROFS.
---Source: mount(2), namespaces(7)
---@param path string
---@return true
function Ns:pin(path) end

return ns
