-- SPDX-License-Identifier: MIT
-- The options table that clone, run and box share: positional entries and
-- type words say which namespaces are new or joined, the other keys what is
-- in them. Here it becomes what C understands: bits, joins, and the steps of
-- the child in the order that the kernel wants.

local sys = require "nslua.sys"
local ns = sys.primitives

local options = {}

local TYPES = { "user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time" }

-- A key that makes no sense without a namespace asks for it.
local IMPLIES = {
  hostname = "uts", domainname = "uts", root = "mnt", mounts = "mnt",
  propagation = "mnt", proc = "mnt", map = "user", boottime = "time",
  monotonic = "time",
}

-- What each key may be.
local KEYS = {
  argv = "table", boottime = "number", caps = "string table", chroot = "boolean string root",
  cwd = "string", dev = "boolean", die_with_parent = "boolean string number",
  domainname = "string", env = "table", gid = "number", groups = "table",
  hostname = "string", init = "boolean", keep_env = "table",
  map = "boolean string table", monotonic = "number", mounts = "table",
  no_new_privs = "boolean", proc = "boolean string",
  propagation = "boolean string", rlimits = "table", root = "boolean string root",
  session = "boolean", stderr = "string number userdata",
  stdin = "string number userdata", stdout = "string number userdata",
  uid = "number",
}
options.keys = KEYS


local function fail(fmt, ...)
  sys.raise(fmt:format(...))
end

local function names(t)
  local list = {}
  for name in pairs(t) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local function is_ns(value)
  return type(value) == "userdata" and type(value.inode) == "number"
end

local function unknown(what, word, list)
  local near = sys.nearest(word, list)
  fail("unknown %s %s%s", what, sys.quote(word),
    near and (' (did you mean "%s"?)'):format(near) or "")
end

---The word for a type that a script names, by a word or a number.
---@param word any
---@return string
function options.type_word(word)
  local named = type(word) == "string" or math.type(word) == "integer"
  if not named then fail("a namespace type is a word such as \"uts\", not a %s", type(word)) end
  local name = sys.nstype(word)
  if not name then unknown("namespace type", tostring(word), TYPES) end
  return name
end


---Is this value of `cgroup` a place (a directory or an open one) to start in?
function options.cgroup_place(value)
  return type(value) == "string"
    or (type(value) == "userdata" and not is_ns(value))
end


-- which: type -> true (new), false (refused), Ns (joined)
local function set_type(which, name, value)
  local before = which[name]
  if before ~= nil and before ~= value then
    fail("the %s namespace is asked for twice, in different ways", name)
  end
  which[name] = value
end

local function read_positional(which, opts)
  for i = 1, #opts do
    local entry = opts[i]
    if is_ns(entry) then
      set_type(which, entry.type, entry)
    elseif type(entry) == "string" or math.type(entry) == "integer" then
      set_type(which, options.type_word(entry), true)
    else
      fail("option [%d] is a %s: a namespace type or a handle is wanted", i,
        type(entry))
    end
  end
end

local function read_type_key(which, name, value)
  if name == "net" and value == "lo" then value = true end
  if name == "cgroup" and options.cgroup_place(value) then value = true end
  if value ~= true and value ~= false and not is_ns(value) then
    fail('%s is true, false%s or a namespace handle', name,
      name == "net" and ', "lo"' or "")
  end
  if is_ns(value) and value.type ~= name then
    fail("%s = %s: that is a %s namespace", name, tostring(value), value.type)
  end
  set_type(which, name, value)
end

-- A root is a path or an object with path() (ns.rootfs.get makes them).
local function check_kind(key, value)
  local kinds = KEYS[key]
  if not kinds then unknown("option", key, names(KEYS)) end
  local kind = type(value)
  local fits = (" " .. kinds .. " "):find(" " .. kind .. " ", 1, true)
  if kinds:find "root" and (kind == "userdata" or kind == "table") then
    fits = pcall(function() return value.path(value) end)
  end
  if not fits then
    fail("%s is a %s, not a %s", key, (kinds:gsub(" ", " or a ")), kind)
  end
  if kind == "string" and value:find("\0", 1, true) then
    fail("%s contains a NUL", key)
  end
end

local function read_keys(which, opts)
  for key, value in pairs(opts) do
    if type(key) == "string" then
      if sys.nstype(key) then
        read_type_key(which, sys.nstype(key), value)
      else
        check_kind(key, value)
      end
    elseif math.type(key) ~= "integer" or key < 1 or key > #opts then
      fail("an option's key is a %s", type(key))
    end
  end
end

local function imply(which, opts, key, name)
  local value = opts[key]
  if value == nil or value == false then return end
  if which[name] == false then
    fail("%s needs a %s namespace, which %s = false refuses", key, name, name)
  end
  if which[name] == nil then which[name] = true end
end

---The namespaces that an options table asks for.
---@param opts table
---@return table<string, boolean|nslua.Ns> which
function options.types(opts)
  local which = {}
  read_positional(which, opts)
  read_keys(which, opts)
  for key, name in pairs(IMPLIES) do imply(which, opts, key, name) end
  imply(which, opts, "proc", "pid")
  return which
end


-- [steps] one table for each act of the child; see step_kinds in step.c
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
-- is where its maker is, a clock is set before it starts, and a network is made
-- beside the mounts of a root by somebody who has our rights.
local function made_by_steps(opts, which)
  return {
    time = which.time == true and (opts.monotonic or opts.boottime) ~= nil,
    cgroup = which.cgroup == true and options.cgroup_place(opts.cgroup),
    net = which.net == true and not which.user and opts.root ~= nil,
  }
end

---The steps of the child, in order: clocks before the first child of theirs,
---names, mounts while the old root is in sight, the terminal, limits, ids.
---@param opts table
---@param which table<string, boolean|nslua.Ns>
---@param child { is_function: boolean, foreground: integer?, map: any }
---@return table[] steps
---@return table<string, boolean> made  types that a step makes
function options.steps(opts, which, child)
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

---Turns options into what sys.clone takes.
---@param opts table
---@param which table<string, boolean|nslua.Ns>
---@param child { is_function: boolean, foreground: integer?, hide: boolean?, map: any }
---@param res table  from birth.resources: what it opens is put there
---@return table spec
function options.compile(opts, which, child, res)
  local steps, made = options.steps(opts, which, child)
  local spec = { steps = steps, map = opts.map, env = environment(opts) }
  local flags, joins = 0, nil
  for name, value in pairs(which) do
    local _, bits = sys.nstype(name)
    if value == true and not made[name] then
      flags = flags | bits
    elseif value and value ~= true then
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

---Every type that this kernel knows.
---@return string[]
function options.all_types()
  local list = {}
  for _, name in ipairs(TYPES) do
    if ns.access("/proc/self/ns/" .. name) then list[#list + 1] = name end
  end
  return #list > 0 and list or TYPES
end

return options
