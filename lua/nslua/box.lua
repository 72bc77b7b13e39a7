-- SPDX-License-Identifier: MIT
-- A process in namespaces of its own, ready to use: clone (honest), run (and
-- wait), box (that stays), and what every process handle can do from outside.

local sys = require "nslua.sys"
local options = require "nslua.options"
local ns = sys.primitives

local box = { methods = { Proc = {} } }
local Proc = box.methods.Proc


-- A copy: the caller's table is never changed.
local function copy(opts)
  if type(opts) ~= "table" then
    sys.raise("options are a table, such as { \"uts\", hostname = \"box\" }")
  end
  local new = {}
  for key, value in pairs(opts) do new[key] = value end
  return new
end

local function kind_of(program)
  if type(program) == "function" then return "function" end
  if type(program) == "table" then return "program" end
  if program == nil then return nil end
  sys.raise("a program is a table of strings, such as { \"ls\", \"-l\" }, "
    .. "or a function; this is a " .. type(program))
end

-- Makes the child and ties what the parent keeps of it to its handle.
local function give_birth(spec, kept, closing)
  local proc = sys.clone(spec)
  for _, fd in ipairs(closing) do fd:close() end
  local fields = sys.fields(proc)
  for name, fd in pairs(kept) do fields[name] = fd end
  return proc, fields
end

local function with_program(spec, program, ...)
  if type(program) == "function" then
    spec.fn, spec.args = program, table.pack(...)
  else
    spec.argv = program
  end
  return spec
end


---A child directly in new or joined namespaces, as clone3(2) makes it: nothing
---is added to what the options say.
---
---    local p = ns.clone({ "uts", hostname = "box" }, { "hostname" })
---    p:wait()
---
---Raises: EPERM (all types but user need CAP_SYS_ADMIN), ENOSPC (the quota of
---user.max_*_namespaces), EINVAL (a type that the kernel lacks), and what a
---step in the child was refused.
---Source: clone(2)
---@param opts table  types and keys as for ns.box
---@param program string[]|fun(...): any  a program and its arguments, or a function
---@param ... any  for the function
---@return nslua.Proc
function box.clone(opts, program, ...)
  opts = copy(opts)
  local kind = kind_of(program or opts.argv)
  if not kind then sys.raise("clone wants a program or a function") end
  local which = options.types(opts)
  local spec, kept, closing = options.compile(opts, which,
    { is_function = kind == "function" })
  with_program(spec, program or opts.argv, ...)
  return (give_birth(spec, kept, closing))
end


-- What makes a composite safe: a user namespace where rights are missing, a
-- map for it, private mounts, a /proc that fits, an end with its parent.
local function safe_defaults(opts, which)
  local any = next(which) ~= nil
  if any and which.user == nil and not sys.is_admin() then
    which.user = true
  end
  if which.user == true and opts.map == nil then opts.map = "root" end
  if which.mnt == true and opts.propagation == nil then
    opts.propagation = "rprivate"
  end
  if which.mnt == true and which.pid == true and opts.proc == nil
    and not opts.chroot then
    opts.proc = true
  end
  if opts.die_with_parent == nil then opts.die_with_parent = true end
end

local function lends_terminal(opts)
  return (opts.stdin == nil or opts.stdin == "inherit") and not opts.session
    and sys.lends_terminal(0)
end

-- Waits with the terminal in the child's hands, or just waits.
local function attend(proc, terminal, modes)
  if terminal then sys.lend_terminal(proc, terminal, modes) end
  return proc:wait()
end

local function terminal_modes(terminal)
  if not terminal then return end
  local fd <close> = ns.fd(terminal)
  return fd:tcgetattr()
end


---Runs a program or a function in new namespaces, hands it the terminal, and
---waits for its end.
---
---    ns.run({ "uts", hostname = "box" }, { "hostname" })
---
---A user namespace is added when the caller lacks CAP_SYS_ADMIN. In a new pid
---namespace PID 1 is a reaper; init=false makes the program itself PID 1.
---Raises: what ns.clone raises; ENOENT and the like when the program cannot
---be started. A program that fails raises nothing.
---Source: clone(2), waitid(2)
---@param opts table  types and keys as for ns.box
---@param program string[]|fun(...): any
---@param ... any  for the function
---@return true|nil ok
---@return "exit"|"signal" how
---@return integer code
function box.run(opts, program, ...)
  opts = copy(opts)
  local kind = kind_of(program or opts.argv)
  if not kind then sys.raise("run wants a program or a function") end
  local which = options.types(opts)
  safe_defaults(opts, which)
  local reaper = opts.init ~= false and which.pid == true
  if reaper and kind == "function" then
    opts.init = nil
    local holder <close> = box.box(opts)
    return holder:run(program, ...)
  end
  local terminal = lends_terminal(opts) and 0 or nil
  local modes = terminal_modes(terminal)
  local spec, kept, closing = options.compile(opts, which, {
    is_function = kind == "function", foreground = terminal,
    hide = kind == "function" and next(which) ~= nil,
  })
  spec.reaper = reaper
  with_program(spec, program or opts.argv, ...)
  local proc <close> = give_birth(spec, kept, closing)
  return attend(proc, terminal, modes)
end


local function shell()
  local wanted = os.getenv("SHELL")
  if wanted and wanted ~= "" and ns.access(wanted, "x") then return wanted end
  return "/bin/sh"
end

---A process that holds new namespaces until it is closed. With no type named:
---every type that this machine has.
---
---    local b <close> = ns.box{ "uts", "pid", "mnt", hostname = "box" }
---    b:sh "hostname; ps"
---
---A pid namespace is added unless pid=false: without one, what the box starts
---can outlive it. Keys: map, root, chroot, proc, dev, mounts, propagation,
---hostname, domainname, net="lo", boottime, monotonic (seconds), cgroup, cwd,
---env, keep_env, uid, gid, groups, caps, no_new_privs, rlimits, session,
---stdin, stdout, stderr ("null", "pipe", "tty", "inherit" or an Fd), init,
---argv, die_with_parent.
---Raises: what ns.clone raises.
---Source: clone(2), namespaces(7)
---@param opts? table
---@return nslua.Proc
function box.box(opts)
  opts = copy(opts or {})
  local which = options.types(opts)
  if next(which) == nil then
    for _, name in ipairs(options.all_types()) do which[name] = true end
  end
  if which.pid == nil then which.pid = true end
  safe_defaults(opts, which)
  if opts.init == false and not opts.argv then opts.argv = { shell() } end
  local spec, kept, closing = options.compile(opts, which, {})
  spec.argv = opts.argv
  spec.reaper = opts.argv == nil or (opts.init ~= false and which.pid == true)
  spec.bound = true
  local proc, fields = give_birth(spec, kept, closing)
  fields.options, fields.which, fields.spawned = opts, which, {}
  return proc
end


-- -- a second process in the same place ---------------------------------------

-- A process may have left the root of its namespace (chroot), or stand in
-- another directory: follow it, unless there is nothing to follow.
local function add_places(steps, joins_mnt, proc)
  local place = ("/proc/%d/"):format(proc.pid)
  local root = ns.open(place .. "root", "path,directory")
  local cwd = ns.open(place .. "cwd", "path,directory")
  local a, b = ns.stat(place .. "root/."), ns.stat("/")
  if joins_mnt or a.ino ~= b.ino or a.dev ~= b.dev then
    steps[#steps + 1] = { "fchdir", root }
    steps[#steps + 1] = { "chroot", "." }
  end
  steps[#steps + 1] = { "fchdir", cwd }
  return { root, cwd }
end

local MNT = select(2, sys.nstype("mnt"))

-- What sys.clone needs to put a child where proc is. The places come first:
-- what the options ask for happens there.
local function inside(proc, opts, child)
  opts = copy(opts or {})
  local which = options.types(opts)
  if opts.die_with_parent == nil then opts.die_with_parent = true end
  local spec, kept, closing = options.compile(opts, which, child)
  local types = child.only and sys.different(proc) & child.only
    or sys.different(proc)
  local joins, steps = spec.joins or {}, {}
  if types ~= 0 then joins[#joins + 1] = { proc, types } end
  spec.joins = joins[1] and joins or nil
  if opts.root ~= false and not child.only then
    for _, fd in ipairs(add_places(steps, types & MNT ~= 0, proc)) do
      closing[#closing + 1] = fd
    end
  end
  for _, step in ipairs(spec.steps) do steps[#steps + 1] = step end
  spec.steps = steps
  return spec, kept, closing
end

-- A box keeps what it started, so that a dropped handle ends nothing.
local function remember(proc, child)
  local spawned = sys.fields(proc).spawned
  if not spawned then return child end
  for i = #spawned, 1, -1 do
    if not spawned[i].running then table.remove(spawned, i) end
  end
  spawned[#spawned + 1] = child
  return child
end


---Starts a program or a function where this process is: in its namespaces,
---its root and its directory. Uses one pid inside.
---
---    local p = b:spawn({ "sleep", "1000" })
---
---Raises: EPERM (a namespace that may not be joined), ESRCH (the process has
---ended), and what starting the program raises.
---Source: setns(2), clone(2)
---@param program string[]|fun(...): any
---@param opts? table  cwd, env, uid, gid, stdin, stdout, stderr ...; root=false keeps the caller's root and directory
---@param ... any  for the function
---@return nslua.Proc
function Proc:spawn(program, opts, ...)
  local kind = kind_of(program)
  if not kind then sys.raise("spawn wants a program or a function") end
  local spec, kept, closing = inside(self, opts, {
    is_function = kind == "function", hide = kind == "function",
  })
  with_program(spec, program, ...)
  return remember(self, (give_birth(spec, kept, closing)))
end


---Runs a program or a function where this process is, with the terminal, and
---waits for its end.
---
---    b:run { "ls", "/" }
---
---Raises: what Proc:spawn raises.
---Source: setns(2), waitid(2)
---@param program string[]|fun(...): any
---@param ... any  for the function
---@return true|nil ok
---@return "exit"|"signal" how
---@return integer code
function Proc:run(program, ...)
  local kind = kind_of(program)
  if not kind then sys.raise("run wants a program or a function") end
  local terminal = sys.lends_terminal(0) and 0 or nil
  local modes = terminal_modes(terminal)
  local spec, kept, closing = inside(self, nil, {
    is_function = kind == "function", hide = kind == "function",
    foreground = terminal,
  })
  with_program(spec, program, ...)
  local child <close> = give_birth(spec, kept, closing)
  return attend(child, terminal, modes)
end


---Runs a shell command where this process is and waits for its end.
---
---    b:sh "mount | head -3"
---
---Raises: ENOENT when the root has no sh.
---Source: setns(2), system(3)
---@param command string
---@return true|nil ok
---@return "exit"|"signal" how
---@return integer code
function Proc:sh(command)
  if type(command) ~= "string" then sys.raise("sh wants a command line") end
  return self:run { "sh", "-c", command }
end


---Runs a command where this process is and gives what it printed; its standard
---error goes where the caller's goes.
---
---    local text = b:read "cat /etc/os-release"
---
---Raises: what Proc:spawn raises.
---Source: setns(2), pipe(2)
---@param command string|string[]  a command line for sh, or a program
---@return string output
---@return true|nil ok
---@return "exit"|"signal" how
---@return integer code
function Proc:read(command)
  if type(command) == "string" then command = { "sh", "-c", command } end
  kind_of(command)
  local child <close> = self:spawn(command, { stdout = "pipe" })
  local output <close> = child.stdout
  local text = output:read "a"
  return text, child:wait()
end


---An interactive shell where this process is: $SHELL when its root has it,
---else /bin/sh. The terminal comes back as it was.
---
---    b:enter()
---
---Raises: ENOENT when the root has no shell.
---Source: setns(2), tcsetpgrp(3)
---@param program? string[]  instead of a shell
---@return true|nil ok
---@return "exit"|"signal" how
---@return integer code
function Proc:enter(program)
  if program then return self:run(program) end
  local wanted = os.getenv("SHELL")
  local place = ("/proc/%d/root"):format(self.pid)
  if not (wanted and wanted:find("^/") and ns.access(place .. wanted, "x")) then
    wanted = "/bin/sh"
  end
  return self:run { wanted }
end


-- -- questions that are answered from outside -----------------------------------

---The namespaces of this process, or the one of a type.
---
---    print(b:ns "uts")
---
---Raises: EACCES (another user's process), ESRCH (it has ended).
---Source: namespaces(7)
---@param type? string
---@return nslua.Ns|table<string, nslua.Ns>
function Proc:ns(type)
  return ns.of(self, type)
end


---The mount table that this process sees.
---
---    for _, m in ipairs(b:mounts()) do print(m.mountpoint) end
---
---Raises: EACCES (another user's process), ESRCH (it has ended).
---Source: proc_pid_mountinfo(5)
---@return table[] rows
function Proc:mounts()
  return ns.mounts(self)
end


local LOOK = { "user", "uts" }

---The hostname that this process sees. Asked from outside its pid namespace:
---no pid is used up in there.
---
---    print(b:hostname())
---
---Raises: EPERM (a namespace that may not be joined), ESRCH (it has ended).
---Source: uname(2)
---@return string
function Proc:hostname()
  local only = 0
  for _, name in ipairs(LOOK) do only = only | select(2, sys.nstype(name)) end
  if sys.different(self) & select(2, sys.nstype("uts")) == 0 then
    return ns.gethostname()
  end
  return require("nslua.call").call(self, only, ns.gethostname)
end


---Runs a function where this process is and brings its values back: nil,
---booleans, numbers, strings, tables without cycles, and Fds. An error in the
---function is raised here, with the traceback from there.
---
---    local pid = b:call(ns.getpid)
---
---Raises: what the function raises; what Proc:spawn raises.
---Source: setns(2), unix(7)
---@param fn fun(...): any
---@param ... any
---@return any ...
function Proc:call(fn, ...)
  if type(fn) ~= "function" then sys.raise("call wants a function") end
  return require("nslua.call").call(self, nil, fn, ...)
end

-- How nslua.call starts its worker.
function box.start(proc, only, fn, ...)
  local spec, kept, closing = inside(proc, nil,
    { is_function = true, hide = true, only = only })
  with_program(spec, fn, ...)
  return (give_birth(spec, kept, closing))
end

return box
