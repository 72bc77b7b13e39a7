---@meta nslua.proc
-- Processes: being born, becoming another program, ending and being waited
-- for. A Proc holds a pidfd, so it never means a stranger that got the number.

---@class nslua
local ns = {}

---A process. One that this process made is killed and reaped when its `<close>`
---block ends or it is closed; one that was merely opened is left alone.
---Properties: pid, running.
---@class nslua.Proc
---@field pid integer  as its maker counts
---@field running boolean  has it not ended yet, waited for or not?
local Proc = {}

---Runs a function in a forked child. The child ends when the function does (its
---first value is the exit status: an integer, or true or nil for 0, false for
---1); an error prints its traceback and is 1. It never returns into the script.
---Without a function it is fork(2): returns twice, 0 in the child.
---
---    local child <close> = ns.fork(function() return 3 end)
---    print(child:wait())                     --> nil exit 3
---
---Raises: EAGAIN (a limit on processes), ENOMEM (also: PID 1 of the children's
---pid namespace is gone).
---Source: fork(2)
---@param fn? fun(...): any
---@param ... any  for the function
---@return nslua.Proc|integer child
function ns.fork(fn, ...) end

---Becomes another program, found along PATH. Buffers are flushed first; open
---handles do not survive (O_CLOEXEC), but for those given a number by fd:dup2.
---
---    ns.fork(function() ns.exec{ "echo", "hello" } end):wait()
---
---Raises: ENOENT (program or its interpreter missing in this root), EACCES,
---ENOEXEC, E2BIG.
---Source: execve(2), execvp(3)
---@param argv string[]  the first names the program
---@param env? table<string, string>  the whole environment; default: as it is
function ns.exec(argv, env) end

---Waits for a process, or for any child.
---
---    local pid = ns.fork(function() end).pid
---    print(ns.wait(pid, 5))
---
---Raises: ECHILD (no child, or waited for already).
---Source: waitid(2)
---@param target? nslua.Proc|integer  default: any child
---@param seconds? number  at most so long
---@return true|nil ok  true: it ended with 0
---@return "exit"|"signal"|"timeout" how
---@return integer? code  exit status or signal
---@return integer? pid  of the child, when any was wanted or a pid was given
function ns.wait(target, seconds) end

---Sends a signal, through a pidfd: never to a process that merely got the number.
---
---    local p <close> = ns.fork(function() ns.wait() end)
---    ns.kill(p, "KILL")
---
---Raises: ESRCH (it has ended), EPERM (another user's).
---Source: pidfd_send_signal(2)
---@param target nslua.Proc|integer
---@param signal? string|integer  "TERM" by default
---@return true
function ns.kill(target, signal) end

---Sends a signal to a process group.
---
---    local p = ns.fork(function() ns.setsid(); ns.poll({}, 9) end)
---    ns.try(ns.killpg, p.pid, "TERM"); p:close()
---
---Raises: ESRCH (no such group), EPERM.
---Source: killpg(3)
---@param pgid integer  greater than 1
---@param signal? string|integer  "TERM" by default
---@return true
function ns.killpg(pgid, signal) end

---A handle on a process that somebody else started: closing it leaves it be.
---
---    local parent <close> = ns.pidfd_open(ns.getppid()); print(parent.running)
---
---Raises: ESRCH (no such process), EINVAL (a thread).
---Source: pidfd_open(2)
---@param pid integer
---@return nslua.Proc
function ns.pidfd_open(pid) end

---The caller's number, as its pid namespace counts.
---
---    print(ns.getpid())
---
---Source: getpid(2)
---@return integer pid
function ns.getpid() end

---The parent's number; 0 when it lives outside this pid namespace.
---
---    print(ns.getppid())
---
---Source: getppid(2)
---@return integer pid
function ns.getppid() end

---Starts a session of one's own, without a terminal.
---
---    ns.fork(function() print(ns.setsid() == ns.getpid()) end):wait()
---
---Raises: EPERM (the caller leads a group already).
---Source: setsid(2)
---@return integer sid
function ns.setsid() end

---Asks for a signal when the parent ends. A change of ids clears it, children
---do not inherit it, and a parent that has ended before goes unnoticed.
---
---    ns.fork(function() ns.pdeathsig("KILL") end):wait()
---
---Source: PR_SET_PDEATHSIG(2const)
---@param signal? string|integer|nil  "KILL" by default; 0: none
---@return true
function ns.pdeathsig(signal) end

---Makes orphaned descendants children of this process.
---
---    ns.fork(function() ns.subreaper() end):wait()
---
---Source: PR_SET_CHILD_SUBREAPER(2const)
---@param on? boolean  default true
---@return true
function ns.subreaper(on) end

---Whether the process may be traced and its /proc files are its own; with a
---boolean, sets that. A change of ids turns it off, and then nobody but root can
---write the id maps.
---
---    print(ns.dumpable())
---
---Source: PR_SET_DUMPABLE(2const)
---@param on? boolean
---@return boolean now
function ns.dumpable(on) end

---Names the process as ps shows it: 15 bytes, the rest is cut off.
---
---    ns.fork(function() ns.setname("worker") end):wait()
---
---Source: PR_SET_NAME(2const)
---@param name string
---@return true
function ns.setname(name) end

---Ends the process at once: buffers of stdio are flushed, nothing else runs.
---
---    ns.fork(function() ns._exit(3) end):wait()
---
---Source: _exit(2)
---@param status? integer  0 to 255, default 0
function ns._exit(status) end

---How many forks lie between the start of the program and this process.
---
---    print(ns.generation())                  --> 0
---
---Source: fork(2)
---@return integer forks
function ns.generation() end

---Waits for the process.
---
---    local ok, how, code = ns.fork(function() return 3 end):wait()
---
---Raises: ECHILD (somebody else waited for it).
---Source: waitid(2)
---@param seconds? number  at most so long
---@return true|nil ok  true: it ended with 0
---@return "exit"|"signal"|"timeout" how
---@return integer? code  exit status or signal; -1: no child of ours, not known
function Proc:wait(seconds) end

---Sends it a signal.
---
---    local p = ns.fork(function() ns.poll({}, 9) end); p:kill("KILL"); p:wait()
---
---Raises: EPERM. One that has ended is an argument error.
---Source: pidfd_send_signal(2)
---@param signal? string|integer  "TERM" by default
---@return true
function Proc:kill(signal) end

---Kills and reaps a child of this process; lets go of any other. In a forked
---copy of this process it only lets go.
---
---    local p = ns.fork(function() ns.poll({}, 9) end); p:close()
---
---Source: pidfd_open(2)
function Proc:close() end

return ns
