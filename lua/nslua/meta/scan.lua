---@meta nslua.scan
-- What lists are made of: one pass over /proc. ns.list, ns.ps and ns.netns
-- are the forms for people; these are the bare ones.

---@class nslua
local ns = {}

---Every namespace that has a process, is bind-mounted in the caller's mount
---namespace, or owns or bore one of these. One readlink for each process and
---type, and about a dozen calls for each namespace.
---
---    local rows, about = ns.scan_namespaces("uts,net")
---    print(#rows, about.processes, about.hidden)
---
---Raises: ENOENT (no procfs there).
---Source: namespaces(7), ioctl_nsfs(2)
---@param types? string|string[]|integer  flag words; none is all
---@param deep? boolean  also those kept by descriptors, threads, future children
---@param proc? string  the procfs, "/proc"
---@return table[] rows
---@return { processes: integer, hidden: integer, foreign?: boolean } about
function ns.scan_namespaces(types, deep, proc) end

---The processes in one namespace, in ascending order.
---
---    local pids = ns.scan_members("uts", ns.of(1, "uts").inode)
---
---Raises: ENOENT (no procfs there).
---Source: namespaces(7)
---@param type string
---@param inode integer
---@param proc? string  the procfs, "/proc"
---@return integer[] pids
---@return integer hidden  processes that the caller may not look into
function ns.scan_members(type, inode, proc) end

---Processes with the wanted columns, in ascending order. One that ends
---meanwhile is left out.
---
---    for _, p in ipairs(ns.scan_processes { "pid", "comm" }) do print(p.pid, p.comm) end
---
---Raises: ENOENT (no procfs there).
---Source: proc(5)
---@param columns string[]  ps's names
---@param proc? string  the procfs, "/proc"
---@param pids? integer[]  only these
---@return table[] rows
---@return integer hidden  processes whose namespaces the caller may not see
---@return boolean foreign  is this the procfs of another pid namespace?
function ns.scan_processes(columns, proc, pids) end

---What a pid namespace can see: its own processes and its descendants'.
---
---    local pids, there = ns.scan_visible(ns.of(box, "pid"))
---    for _, pid in ipairs(pids) do print(pid, there[pid]) end
---
---Raises: ENOENT (no procfs there).
---Source: NS_GET_TGID_IN_PIDNS(2const), else the NSpid line of
---proc_pid_status(5)
---@param pidns nslua.Ns
---@param proc? string  the procfs, "/proc"
---@return integer[] pids  our numbers
---@return table<integer, integer> there  our number -> the one in there
function ns.scan_visible(pidns, proc) end

---The field and the heading of a column of ns.ps.
---
---    print(ns.ps_column "cmd")   --> args  COMMAND
---
---Source: ps(1)
---@param word string
---@return string field
---@return string heading
function ns.ps_column(word) end

---All numbers of a process: ours first, then one for each pid namespace down
---to its own.
---
---    print(#ns.nspid(ns.getpid()))
---
---Raises: ESRCH (no such process, or a /proc of another pid namespace).
---Source: proc_pid_status(5)
---@param pid integer|nslua.Proc
---@return integer[]
function ns.nspid(pid) end

---Translates a pid: "in" from ours to the number in that pid namespace, "from"
---the other way. ns.pid_in and ns.pid_from know older kernels, too.
---
---    ns.translate_pid(ns.of(box, "pid"), "from", 1)   --> box.pid
---
---Raises: ESRCH (no number there), EINVAL or ENOTTY (before Linux 6.11).
---Source: NS_GET_TGID_IN_PIDNS(2const), NS_GET_TGID_FROM_PIDNS(2const)
---@param pidns nslua.Ns
---@param direction "in"|"from"
---@param pid integer
---@return integer
function ns.translate_pid(pidns, direction, pid) end

---The number that the caller's network namespace has for another; nil: none.
---
---    print(ns.netnsid(ns.of(1, "net")))
---
---Raises: EINVAL (no network namespace).
---Source: rtnetlink(7), RTM_GETNSID
---@param fd nslua.Ns|nslua.Fd|integer
---@return integer?
function ns.netnsid(fd) end

---Gives a network namespace a number in the caller's; without one the kernel
---chooses.
---
---    ns.set_netnsid(ns.of(box, "net"), 7)
---
---Raises: EEXIST (it has a number, or that one is taken), EPERM, EINVAL.
---Source: rtnetlink(7), RTM_NEWNSID
---@param fd nslua.Ns|nslua.Fd|integer
---@param id? integer
---@return true
function ns.set_netnsid(fd, id) end

---Every number that the caller's network namespace has given out.
---
---    print(#ns.netnsids())
---
---Source: rtnetlink(7), RTM_GETNSID
---@return integer[]
function ns.netnsids() end

---The names in a folder of ip-netns(8), in the kernel's order, with their
---namespaces.
---
---    for _, n in ipairs(ns.scan_netns("/run/netns")) do print(n.name, n.ns) end
---
---Raises: ENOENT, ENOTDIR, EACCES.
---Source: getdents(2), ip-netns(8)
---@param folder string
---@param ids? boolean  ask for `netnsid`, too: four calls more for each
---@return { name: string, ns?: integer, netnsid?: integer }[]
function ns.scan_netns(folder, ids) end

return ns
