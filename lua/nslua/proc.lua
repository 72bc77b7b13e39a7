-- SPDX-License-Identifier: MIT
-- One more process where another one is: in its namespaces, its root and its
-- directory. What every process handle can start.

local sys = require "nslua.sys"
local birth = require "nslua.birth"
local options = require "nslua.options"
local ns = sys.primitives

local proc = { methods = { Proc = {} } }
local Proc = proc.methods.Proc


-- A process may have left the root of its namespace (chroot), or stand in
-- another directory: follow it, unless there is nothing to follow.
local function add_places(steps, joins_mnt, target, res)
  local place = ("/proc/%d/"):format(target.pid)
  local root = res:add(sys.open_proc(place .. "root", true))
  local cwd = res:add(sys.open_proc(place .. "cwd", true))
  local a, b = ns.stat(root), ns.stat("/")
  if joins_mnt or a.ino ~= b.ino or a.dev ~= b.dev then
    steps[#steps + 1] = { "fchdir", root }
    steps[#steps + 1] = { "chroot", "." }
  end
  steps[#steps + 1] = { "fchdir", cwd }
end

local MNT, USER = select(2, sys.nstype("mnt")), select(2, sys.nstype("user"))

-- What a box was given holds for what joins it later, one by one, unless the
-- call says otherwise: as `docker exec` has it. Its directory comes by itself.
local INHERITED = { "caps", "gid", "groups", "no_new_privs", "rlimits", "uid" }

-- The options of the box that this process is, or was started in.
local function given(target)
  local fields = sys.fields(target)
  return fields.options or fields.place
end

local function inherit(opts, child, kept)
  for _, key in ipairs(INHERITED) do
    if opts[key] == nil then opts[key] = kept[key] end
  end
  if opts.env == nil and opts.keep_env == nil then
    opts.env, opts.keep_env = kept.env, kept.keep_env
  end
  child.map = kept.map
end

-- What sys.clone needs to put a child where target is. The places come first:
-- what the options ask for happens there.
local function inside(target, opts, child, res)
  opts = birth.copy(opts == nil and {} or opts)
  local which = options.types(opts)
  local kept = given(target)
  if kept and not child.only then inherit(opts, child, kept) end
  if opts.die_with_parent == nil then opts.die_with_parent = true end
  local types = sys.different(target)
  if types == 0 then child.hide = nil end -- nobody in there who is not here
  if not kept and not child.only and opts.uid == nil and types & USER ~= 0 then
    child.map = require "nslua.maps".joined(target.pid)
  end
  local spec = options.compile(opts, which, child, res)
  if child.only then types = types & child.only end
  local joins, steps = spec.joins or {}, {}
  if types ~= 0 then joins[#joins + 1] = { target, types } end
  spec.joins = joins[1] and joins or nil
  if opts.root ~= false and not child.only then
    add_places(steps, types & MNT ~= 0, target, res)
  end
  for _, step in ipairs(spec.steps) do steps[#steps + 1] = step end
  spec.steps = steps
  return spec
end

-- A box keeps what it started, so that a dropped handle ends nothing.
local function remember(place, child)
  local spawned = sys.fields(place).spawned
  sys.fields(child).place = given(place) -- still the box
  if not spawned then return child end
  for i = #spawned, 1, -1 do
    if not spawned[i].running then table.remove(spawned, i) end
  end
  spawned[#spawned + 1] = child
  return child
end


---Starts a program or a function where this process is: in its namespaces,
---its root and its directory. Uses one pid inside. In a box the env, uid, gid,
---groups, caps, no_new_privs and rlimits of the box hold too, unless the options
---say otherwise; an env of one's own replaces the box's whole.
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
  sys.self(self, "Proc")
  local kind = birth.kind_of(program)
  if not kind then sys.raise("spawn wants a program or a function") end
  local res <close> = birth.resources()
  local spec = inside(self, opts, {
    is_function = kind == "function", hide = kind == "function",
  }, res)
  birth.with_program(spec, program, ...)
  return remember(self, (birth.here(birth.make, spec, res)))
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
  sys.self(self, "Proc")
  local kind = birth.kind_of(program)
  if not kind then sys.raise("run wants a program or a function") end
  local terminal = sys.lends_terminal(0) and 0 or nil
  local res <close> = birth.resources(terminal)
  local spec = inside(self, nil, {
    is_function = kind == "function", hide = kind == "function",
    foreground = terminal,
  }, res)
  birth.with_program(spec, program, ...)
  local child <close> = birth.here(birth.make, spec, res)
  return birth.attend(child, res)
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
  sys.self(self, "Proc")
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
  sys.self(self, "Proc")
  if type(command) == "string" then command = { "sh", "-c", command } end
  birth.kind_of(command)
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
  sys.self(self, "Proc")
  if program then return self:run(program) end
  local wanted = os.getenv("SHELL")
  local place = ("/proc/%d/root"):format(self.pid)
  if not (wanted and wanted:find("^/") and ns.access(place .. wanted, "x")) then
    wanted = "/bin/sh"
  end
  return self:run { wanted }
end


---A Lua prompt where this process is, with the values that the caller has.
---What is changed there stays there. The terminal comes back as it was.
---
---    b:repl()
---
---Raises: an error in a program that has no prompt (the library alone).
---Source: setns(2), fork(2)
---@return true|nil ok
---@return "exit"|"signal" how
---@return integer code
function Proc:repl()
  sys.self(self, "Proc")
  if not sys.prompt then sys.raise("this program has no prompt to lend") end
  return self:run(function() return sys.prompt() end)
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
  sys.self(self, "Proc")
  if type(fn) ~= "function" then sys.raise("call wants a function") end
  return require("nslua.call").call(self, nil, fn, ...)
end

-- How nslua.call starts its worker.
function proc.start(target, only, fn, ...)
  local res <close> = birth.resources()
  local spec = inside(target, nil,
    { is_function = true, hide = true, only = only }, res)
  birth.with_program(spec, fn, ...)
  return (birth.here(birth.make, spec, res))
end

return proc
