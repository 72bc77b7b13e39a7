-- SPDX-License-Identifier: MIT
-- What options ask for as C understands it (plan.h): bits, joins, and the steps
-- of the child in the order that the kernel wants, each a table as step_kinds in
-- step.c has them. clone(2).

local sys = require "nslua.sys"
local options = require "nslua.options"
local ns = sys.primitives

local plan = {}


local function add(steps, ...)
  steps[#steps + 1] = { ... }
end

local function add_names(steps, opts)
  if opts.hostname then add(steps, "sethostname", opts.hostname) end
  if opts.domainname then add(steps, "setdomainname", opts.domainname) end
end

-- Maps of one id, which the child has from its first step on.
local SIMPLE_MAPS = { [false] = true, [true] = true, root = true, current = true }

-- What most boxes have; a root of their own and what is bound into it is more.
local function add_mounts(steps, opts, which, makes_net)
  if opts.propagation then
    add(steps, "mount", "none", "/", false, opts.propagation, false)
  end
  if opts.root or opts.mounts then
    require("nslua.boxroot").add(steps, opts, which, makes_net)
  elseif opts.proc then
    local path = type(opts.proc) == "string" and opts.proc or "/proc"
    add(steps, "mount", "proc", path, "proc", "nosuid,nodev,noexec", false)
  end
end

-- Types that a step makes and clone3 does not: the root of a cgroup namespace
-- is where its maker is, a clock is set before it starts, and a network may be
-- made beside us.
local function made_by_steps(opts, which)
  return {
    time = which.time == true and (opts.monotonic or opts.boottime) ~= nil,
    cgroup = which.cgroup == true and options.cgroup_place(opts.cgroup),
    net = options.makes_net(opts, which),
  }
end

-- The steps of the child, in order: clocks before the first child of theirs,
-- names, mounts while the old root is in sight, the terminal, limits, ids. The
-- second result is what made_by_steps says.
local function list(opts, which, child)
  local steps = {}
  local made = made_by_steps(opts, which)
  local map = opts.map or child.map
  if not SIMPLE_MAPS[map or false] then
    require("nslua.confine").map_root(steps, opts, child)
  end
  if made.time then
    require("nslua.confine").clocks(steps, opts, child.is_function)
  end
  if made.cgroup then add(steps, "unshare", "cgroup") end
  add_names(steps, opts)
  if which.mnt == true or opts.root or opts.mounts then
    add_mounts(steps, opts, which, made.net)
  end
  if opts.net == "lo" or opts.network == "lo" then add(steps, "lo_up") end
  if opts.chroot then
    local path = opts.chroot
    if type(path) ~= "string" then path = path:path() end
    add(steps, "chroot", path)
    add(steps, "chdir", "/")
  end
  if opts.session then
    add(steps, "setsid")
  elseif child.foreground then
    add(steps, "setpgid")
    add(steps, "foreground", child.foreground)
  end
  if opts.rlimits then
    require("nslua.confine").limits(steps, opts.rlimits)
  end
  if child.hide then add(steps, "prctl", 4, 0) end -- PR_SET_DUMPABLE
  if opts.uid or opts.gid or opts.groups or opts.caps or opts.no_new_privs then
    require("nslua.confine").ids(steps, opts, opts.map or child.map)
  end
  if opts.cwd then add(steps, "chdir", opts.cwd) end
  return steps, made
end

local function environment(opts)
  if not opts.keep_env then return opts.env end
  local env = {}
  for _, name in ipairs(opts.keep_env) do env[name] = os.getenv(name) end
  for name, value in pairs(opts.env or {}) do env[name] = value end
  return env
end

local STAYS = { uts = true, ipc = true, net = true, cgroup = true }

-- A child is born where its parent is: no join, which it may have no right to.
-- (pid and time: the caller's children may be elsewhere; mnt: joining it takes
-- root and cwd to those of the namespace.)
local function is_own(name, handle)
  if not STAYS[name] then return false end
  local own <close> = ns.of(nil, name)
  return own == handle
end


---What sys.clone takes.
---@param opts table  as options.types has checked them
---@param which table<string, boolean|nslua.Ns>
---@param child { is_function: boolean, foreground: integer?, hide: boolean?, map: any }
---@param res table  from birth.resources: what it opens is put there
---@return table spec
function plan.spec(opts, which, child, res)
  local steps, made = list(opts, which, child)
  local spec = { steps = steps, map = opts.map, env = environment(opts) }
  local flags, joins = 0, nil
  for name, value in pairs(which) do
    local _, bits = sys.nstype(name)
    if value == true and not made[name] then
      flags = flags | bits
    elseif value and value ~= true and not is_own(name, value) then
      joins = joins or {}
      joins[#joins + 1] = { value, bits }
    end
  end
  spec.flags, spec.joins = flags, joins
  if opts.stdin or opts.stdout or opts.stderr then
    require("nslua.streams").open(spec, steps, opts, res)
  end
  if options.cgroup_place(opts.cgroup) then
    spec.cgroup = type(opts.cgroup) == "string"
      and res:add(ns.open(opts.cgroup, "rdonly,directory")) or opts.cgroup
  end
  if opts.die_with_parent then
    spec.deathsig = opts.die_with_parent == true and "KILL"
      or opts.die_with_parent
  end
  return spec
end

return plan
