-- SPDX-License-Identifier: MIT
-- A process in namespaces of its own, ready to use: clone (honest), run (and
-- wait), box (that stays), and what every process handle can do from outside.

local sys = require "nslua.sys"
local birth = require "nslua.birth"
local options = require "nslua.options"
local ns = sys.primitives

local box = {}


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
  opts = birth.copy(opts)
  local kind = birth.kind_of(program or opts.argv)
  if not kind then sys.raise("clone wants a program or a function") end
  local which = options.types(opts)
  local res <close> = birth.resources()
  local spec = options.compile(opts, which,
    { is_function = kind == "function" }, res)
  birth.with_program(spec, program or opts.argv, ...)
  return (birth.make(spec, res))
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
  opts = birth.copy(opts)
  local kind = birth.kind_of(program or opts.argv)
  if not kind then sys.raise("run wants a program or a function") end
  local which = options.types(opts)
  safe_defaults(opts, which)
  local reaper = opts.init ~= false and which.pid == true
  if reaper and kind == "function" then
    opts.init = nil
    local holder <close> = box.box(opts)
    return holder:run(program, ...)
  end
  local terminal = birth.terminal(opts)
  local res <close> = birth.resources(terminal)
  local spec = options.compile(opts, which, {
    is_function = kind == "function", foreground = terminal,
    hide = kind == "function" and next(which) ~= nil,
  }, res)
  spec.reaper = reaper
  birth.with_program(spec, program or opts.argv, ...)
  local proc <close> = birth.make(spec, res)
  return birth.attend(proc, res)
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
---argv, die_with_parent. map is what ns.map takes ("root", "auto", {0, 100000,
---65536} ...), caps what ns.capset takes ("none", "net_raw", "-sys_admin",
---{drop="all", add="net_raw"}).
---What is started in the box later (b:spawn, b:run, b:read, b:call, b:enter) has
---its env, ids, caps and limits too. A pid namespace without "mnt" keeps the
---/proc of outside, where ps shows the host's processes: mnt gives it its own.
---Raises: what ns.clone raises.
---Source: clone(2), namespaces(7)
---@param opts? table
---@return nslua.Proc
function box.box(opts)
  opts = birth.copy(opts == nil and {} or opts)
  local which = options.types(opts)
  if next(which) == nil then
    for _, name in ipairs(options.all_types()) do which[name] = true end
  end
  if which.pid == nil then which.pid = true end
  safe_defaults(opts, which)
  if opts.init == false and not opts.argv then opts.argv = { shell() } end
  local res <close> = birth.resources()
  local spec = options.compile(opts, which, {}, res)
  spec.argv = opts.argv
  spec.reaper = opts.argv == nil or (opts.init ~= false and which.pid == true)
  spec.bound = true
  local proc, fields = birth.make(spec, res)
  fields.options, fields.which, fields.spawned = opts, which, {}
  return proc
end


return box
