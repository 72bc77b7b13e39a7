-- SPDX-License-Identifier: MIT
-- The options table that clone, run and box share: positional entries and
-- type words say which namespaces are new or joined, the other keys what is
-- in them. Here it is read and checked; plan.lua says how it is done.

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


-- A network is made beside the mounts of a root, by somebody who has our rights;
-- the sooner it begins, the less there is to wait for.
local function begin_net(opts, which, child, res)
  if not options.makes_net(opts, which) or child.is_function then return nil end
  for _, value in pairs(which) do
    if is_ns(value) then return nil end -- then somebody else makes the child
  end
  local net = sys.begin_net()
  return net and res:add(net)
end

---Is the network namespace made by a step of the child, not with the child?
---@param opts table
---@param which table<string, boolean|nslua.Ns>
---@return boolean
function options.makes_net(opts, which)
  return which.net == true and not which.user and opts.root ~= nil
end

---Turns options into what sys.clone takes.
---@param opts table
---@param which table<string, boolean|nslua.Ns>
---@param child { is_function: boolean, foreground: integer?, hide: boolean?, map: any }
---@param res table  from birth.resources: what it opens is put there
---@return table spec
function options.compile(opts, which, child, res)
  local net = begin_net(opts, which, child, res)
  local spec = require("nslua.plan").spec(opts, which, child, res)
  spec.net = net
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
