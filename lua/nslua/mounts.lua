-- SPDX-License-Identifier: MIT
-- The usual mounts by name: bind, overlay, propagation.

local ns = require "nslua"
local sys = require "nslua.sys"

local mounts = {}

-- Told at the line that is not ours.
local function argument_error(number, name, text)
  local level = 2
  while (debug.getinfo(level, "S") or { source = "" }).source:find "^@nslua/" do
    level = level + 1
  end
  error(("bad argument #%d to '%s' (%s)"):format(number, name, text), level)
end

-- A wrong key or a wrong type of value is the caller's mistake. Returns a copy
-- that asks no metamethod.
local function check_options(opts, number, name, known)
  if type(opts) ~= "table" then
    argument_error(number, name, "table expected, got " .. type(opts))
  end
  local names, copy = {}, {}
  for key in pairs(known) do names[#names + 1] = key end
  for key, value in next, opts do
    copy[key] = value
    local wanted = known[key]
    if not wanted then
      local near = type(key) == "string" and sys.nearest(key, names)
      argument_error(number, name, ("unknown option %q%s"):format(type(key) == "string" and sys.clean(key) or type(key),
        near and (" (did you mean %q?)"):format(near) or ""))
    elseif not wanted:find(type(value), 1, true) then
      argument_error(number, name, ("option %s is a %s"):format(key, type(value)))
    elseif type(value) == "string" and value:find "\0" then
      argument_error(number, name, ("option %s contains a NUL"):format(key))
    end
  end
  return copy
end

local function check_path(path, number, name)
  if type(path) ~= "string" then
    argument_error(number, name, "string expected, got " .. type(path))
  elseif path:find "\0" then
    argument_error(number, name, "string contains a NUL")
  end
end

-- Undoes a mount that could not be finished and raises on.
local function finish(mount, ok, ...)
  if ok then return mount end
  pcall(mount.umount, mount)
  error(..., 0)
end


-- -- bind --------------------------------------------------------------------

local bind_options = {
  rec = "boolean", ro = "boolean", nosuid = "boolean", nodev = "boolean",
  noexec = "boolean", noatime = "boolean", nosymfollow = "boolean",
  propagation = "string", idmap = "string table userdata boolean",
}
local attributes = { "ro", "nosuid", "nodev", "noexec", "noatime", "nosymfollow" }

-- What a remount must say again: all that is not said is taken away.
local kept = { ro = true, nosuid = true, nodev = true, noexec = true, noatime = true,
  nodiratime = true, relatime = true, nosymfollow = true }

-- The mounts at and below a path, the topmost at the path first. A mount
-- that another covers cannot be reached and is left out.
local function subtree(target)
  local rows, children, top = ns.mounts(), {}, nil
  for _, row in ipairs(rows) do
    children[row.parent] = children[row.parent] or {}
    table.insert(children[row.parent], row)
    if row.mountpoint == target then top = row end
  end
  local out = { top }
  for _, row in ipairs(out) do
    for _, child in ipairs(children[row.id] or {}) do table.insert(out, child) end
  end
  return out
end

-- Linux before 5.12: one remount for each mount of the subtree.
local function remount(mount, words, rec)
  local rows = subtree(mount.target)
  for i, row in ipairs(rows) do
    if i > 1 and not rec then break end
    local flags = { "remount", "bind", table.unpack(words) }
    for word in row.options:gmatch "[^,]+" do
      if kept[word] then flags[#flags + 1] = word end
    end
    ns.mount(nil, row.mountpoint, nil, flags)
  end
end

local function set_attributes(mount, words, rec)
  local ok, err = pcall(ns.mount_setattr, mount.target, { set = words, recursive = rec })
  if ok then return end
  if type(err) ~= "table" or err.name ~= "ENOSYS" then error(err, 0) end
  remount(mount, words, rec)
end

mounts._remount = remount -- for its spec: no newer kernel takes that way


---Shows a folder or file at another place too. Nothing is created: the target
---exists. Mounts below come along, and `ro` holds for them as well.
---
---    ns.bind("/usr", "/tmp/root/usr", { ro = true })
---
---Options: rec=false leaves the mounts below behind; ro, nosuid, nodev, noexec,
---noatime, nosymfollow; propagation="rprivate" and its like; idmap= a map as for
---ns.map, a user namespace or a process in one: what belongs to `inside` there
---is `outside` here (mounts below stay behind unless rec=true).
---
---    ns.bind("/srv/data", "/mnt", { idmap = { 0, 100000, 65536 } })
---
---Raises: ENOENT, ENOTDIR (a file onto a folder), EPERM (idmap: a file system of
---another user namespace), EINVAL (without the mounts below, when they are locked
---to it by a user namespace; idmap: a file system that cannot).
---Source: mount(2), mount_setattr(2), open_tree(2)
---@param source string
---@param target string
---@param opts? table
---@return nslua.Mount
function mounts.bind(source, target, opts)
  check_path(source, 1, "bind")
  check_path(target, 2, "bind")
  opts = check_options(opts == nil and {} or opts, 3, "bind", bind_options)
  local rec = opts.rec ~= false
  if opts.idmap and opts.rec == nil then rec = false end
  local words = {}
  for _, word in ipairs(attributes) do
    if opts[word] then words[#words + 1] = word end
  end
  local mount
  if opts.idmap then
    mount = require "nslua.idmapped".bind(source, target, opts.idmap, { set = words, recursive = rec })
  else
    mount = ns.mount(source, target, nil, rec and "rbind" or "bind")
  end
  return finish(mount, pcall(function()
    if opts.propagation then mounts.propagate(mount.target, opts.propagation) end
    if words[1] and not opts.idmap then set_attributes(mount, words, rec) end
  end))
end


-- -- overlay -----------------------------------------------------------------

local overlay_options = {
  lower = "string table", upper = "string", work = "string", target = "string",
  ro = "boolean", userxattr = "boolean", options = "string", source = "string",
}

local LIMIT = 4095 -- bytes of options that mount(2) takes

-- overlayfs splits at ',' and lowerdir at ':' too; '\' protects.
local function escape(path, characters)
  return (path:gsub("[" .. characters .. "]", "\\%0"))
end

-- trusted.* attributes are for the initial user namespace alone.
local function in_user_namespace()
  local f = io.open "/proc/self/uid_map"
  if not f then return false end
  local map = f:read "a"
  f:close()
  return not map:find "^%s*0%s+0%s+4294967295%s*$"
end

local function check_lower(lower)
  if type(lower) == "string" then lower = { lower } end
  if type(lower) ~= "table" or rawlen(lower) == 0 then
    argument_error(1, "overlay", "lower is a path or a list of paths, the topmost first")
  end
  local paths = {}
  for i = 1, rawlen(lower) do
    local path = rawget(lower, i)
    paths[i] = path
    if type(path) ~= "string" or path == "" or path:find "\0" then
      argument_error(1, "overlay", ("lower[%d] is no path"):format(i))
    end
  end
  return paths
end

-- The options as mount(2) takes them.
local function overlay_data(lower, opts, userxattr)
  local escaped = {}
  for i, path in ipairs(lower) do escaped[i] = escape(path, ":,\\") end
  local data = { "lowerdir=" .. table.concat(escaped, ":") }
  if opts.upper then
    data[2] = "upperdir=" .. escape(opts.upper, ",\\")
    data[3] = "workdir=" .. escape(opts.work, ",\\")
  end
  if userxattr then data[#data + 1] = "userxattr" end
  if opts.options then data[#data + 1] = opts.options end
  return table.concat(data, ",")
end

-- More layers than one page of options holds: one call for each (Linux 6.7).
local function overlay_by_parts(lower, opts, userxattr)
  local data = { "source=" .. (opts.source or "overlay") }
  for _, path in ipairs(lower) do data[#data + 1] = "lowerdir+=" .. path end
  if opts.upper then
    data[#data + 1] = "upperdir=" .. escape(opts.upper, "\\")
    data[#data + 1] = "workdir=" .. escape(opts.work, "\\")
  end
  if userxattr then data[#data + 1] = "userxattr" end
  for word in (opts.options or ""):gmatch "[^,]+" do data[#data + 1] = word end
  local tree <close> = ns.fsmount("overlay", data, opts.ro and "ro" or nil)
  return ns.move_mount(tree, opts.target)
end


---Lays folders over each other: what is written goes to `upper`, the lower ones
---stay as they are. Without `upper` the result is read-only. Any byte may be
---in a path.
---
---    ns.overlay { lower = "/srv/alpine", upper = "/tmp/up",
---                 work = "/tmp/work", target = "/tmp/root" }
---
---Options: lower= a path or a list, the topmost first; upper= and work= on one
---file system; target=; ro=true; options= more words for overlayfs; userxattr=
---(by itself in a user namespace).
---Raises: ENOENT, ENODEV (no overlayfs), EINVAL, EPERM (a user namespace
---before Linux 5.11), EBUSY, ENOTDIR, ELOOP.
---Source: mount(2), https://docs.kernel.org/filesystems/overlayfs.html
---@param opts table
---@return nslua.Mount
function mounts.overlay(opts)
  opts = check_options(opts, 1, "overlay", overlay_options)
  local lower = check_lower(opts.lower)
  if not opts.target then argument_error(1, "overlay", "target= is missing") end
  if (opts.upper == nil) ~= (opts.work == nil) then
    argument_error(1, "overlay", "upper= and work= go together")
  end
  local userxattr = opts.userxattr
  if userxattr == nil then userxattr = in_user_namespace() end
  local data = overlay_data(lower, opts, userxattr)
  if #data > LIMIT then return overlay_by_parts(lower, opts, userxattr) end
  return ns.mount(opts.source or "overlay", opts.target, "overlay", opts.ro and "ro" or nil, data)
end


-- -- propagation -------------------------------------------------------------

local propagations = { "private", "shared", "slave", "unbindable",
  "rprivate", "rshared", "rslave", "runbindable" }


---Says which mount events come and go at a mount. A word with r in front
---holds for all mounts below too.
---
---    ns.propagate("rprivate")          -- the root and everything below
---    ns.propagate("/tmp/a", "shared")
---
---Raises: EINVAL (the target is no mount), ENOENT, EPERM.
---Source: mount(2), mount_namespaces(7)
---@param target string  default "/"
---@param word "private"|"shared"|"slave"|"unbindable"|"rprivate"|"rshared"|"rslave"|"runbindable"
---@return true
---@overload fun(word: string): true  at the root
function mounts.propagate(target, word)
  local number = 2
  if word == nil then target, word, number = "/", target, 1 end
  check_path(target, 1, "propagate")
  check_path(word, number, "propagate")
  for _, known in ipairs(propagations) do
    if word == known then return ns.mount(nil, target, nil, word) end
  end
  local near = sys.nearest(word, propagations)
  argument_error(number, "propagate", ("unknown propagation %q%s"):format(sys.clean(word),
    near and (" (did you mean %q?)"):format(near) or ""))
end

return mounts
