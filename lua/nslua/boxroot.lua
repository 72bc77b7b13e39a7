-- SPDX-License-Identifier: MIT
-- The mounts of a box, as steps of the child: the new root, what is bound into
-- it, /proc and /dev. Sources are opened before pivot_root and
-- mounted after it, so that no symbolic link in the new root can lead them
-- astray; proc is mounted while the old one is still visible, as the kernel
-- wants from a user namespace. pivot_root(2), open_tree(2).

local sys = require "nslua.sys"
local ns = sys.primitives

local boxroot = {}

local ATTRIBUTES = { ro = 1, nosuid = 2, nodev = 4, noexec = 8 }


local function add(steps, ...)
  steps[#steps + 1] = { ... }
end

local function flag_words(flags)
  local words = {}
  if type(flags) == "table" then flags = table.concat(flags, ",") end
  for word in tostring(flags or ""):gmatch("[%w_]+") do
    words[word:lower()] = true
  end
  return words
end

local function is_bind(words)
  return words.bind or words.rbind
end

-- { src, target, type, flags, data }, as for ns.mount
local function check_mounts(mounts)
  for i, m in ipairs(mounts) do
    if type(m) ~= "table" or type(m[2]) ~= "string" then
      sys.raise(("mounts[%d] is no {src, target, type, flags, data}"):format(i))
    end
  end
  return mounts
end

local function open_source(steps, plan, path, words)
  local attributes = 0
  for word, bit in pairs(ATTRIBUTES) do
    if words[word] then attributes = attributes | bit end
  end
  local slot = plan.slots
  if slot > 63 then sys.raise("a box has at most 64 bound mounts") end
  plan.slots = slot + 1
  add(steps, "open_tree", path, slot, attributes)
  return slot
end

local function is_directory(path)
  local ok, st = pcall(ns.stat, path)
  return ok and st.type == "dir"
end

---Every directory of a path inside the new root, from the top; a file at its end.
---@param steps table[]
---@param target string
---@param file? boolean
function boxroot.make_path(steps, target, file)
  local path = ""
  local parts = {}
  for part in target:gmatch("[^/]+") do parts[#parts + 1] = part end
  for i, part in ipairs(parts) do
    path = path .. "/" .. part
    if file and i == #parts then
      add(steps, "creat", path, 420)
    else
      add(steps, "mkdir", path, 493)
    end
  end
end

-- The sources that need the old root, before it goes out of sight.
local function open_sources(steps, plan)
  for _, m in ipairs(plan.mounts) do
    local words = flag_words(m[4])
    if is_bind(words) then
      plan.slot_of[m] = open_source(steps, plan, m[1], words)
    end
  end
end

local function mount_all(steps, plan, create)
  for _, m in ipairs(plan.mounts) do
    local slot = plan.slot_of[m]
    if create then
      boxroot.make_path(steps, m[2], slot and not is_directory(m[1]))
    end
    if slot then
      add(steps, "move_mount", slot, m[2])
    else
      add(steps, "mount", m[1] or "none", m[2], m[3] or false, m[4] or 0,
        m[5] or false)
    end
  end
end

local function mount_proc(steps, plan, create)
  if not plan.proc then return end
  local path = type(plan.proc) == "string" and plan.proc or "/proc"
  if create then boxroot.make_path(steps, path) end
  add(steps, "mount", "proc", path, "proc", "nosuid,nodev,noexec", false)
end

-- A directory that is there in every system, to build an overlay on: in the
-- box's own mount namespace nobody else sees what is mounted over it.
local function staging()
  for _, path in ipairs { "/tmp", "/run", "/mnt", "/var", "/proc" } do
    if is_directory(path) then return path end
  end
  return "/"
end

-- The tree is shared and stays as it is; what the box writes goes to a tmpfs
-- that ends with the box.
local function stack_overlay(steps, lower, in_user)
  local base = staging()
  add(steps, "chdir", lower)
  add(steps, "mount", "tmpfs", base, "tmpfs", "nosuid,nodev", "mode=755")
  for _, name in ipairs { "upper", "work", "root" } do
    add(steps, "mkdir", base .. "/" .. name, 493)
  end
  add(steps, "mount", "overlay", base .. "/root", "overlay", 0,
    ("lowerdir=.,upperdir=%s/upper,workdir=%s/work%s"):format(base, base,
      in_user and ",userxattr" or ""))
  add(steps, "chdir", base .. "/root")
end

-- A root is a path or an object with box_root() -> { path=, overlay=, mounts= }
local function describe(root)
  if type(root) == "string" then return { path = root } end
  local ok, plan = pcall(function() return root:box_root() end)
  if not ok or type(plan) ~= "table" then
    sys.raise("root is a directory or what ns.rootfs.get gives")
  end
  return plan
end

-- What is mounted over "/" is not what "/" leads to: ".." in it is.
local function on_top(path)
  local ok, here = pcall(ns.stat, path)
  local top = ok and ns.stat "/"
  return top and here.ino == top.ino and here.dev == top.dev and "/.." or path
end

local function enter_root(steps, root, in_user)
  if root.overlay then
    stack_overlay(steps, root.path, in_user)
  else
    add(steps, "mount", root.path, root.path, false, "bind,rec", false)
    add(steps, "chdir", on_top(root.path))
    -- A tree that others share is not for one box to change.
    if root.readonly then add(steps, "mount_setattr", ".", ATTRIBUTES.ro) end
  end
end


---Appends the steps that build the mounts of a box.
---@param steps table[]
---@param opts table  root, mounts, proc, dev
---@param which table<string, boolean|nslua.Ns>
---@param makes_net? boolean  a network namespace too, as late as may be
function boxroot.add(steps, opts, which, makes_net)
  local root = opts.root and describe(opts.root)
  local plan = { slots = 0, slot_of = {}, mounts = {}, proc = opts.proc,
    dev = root and opts.dev ~= false }
  for _, m in ipairs(root and root.mounts or {}) do
    plan.mounts[#plan.mounts + 1] = m
  end
  for _, m in ipairs(check_mounts(opts.mounts or {})) do
    plan.mounts[#plan.mounts + 1] = m
  end
  open_sources(steps, plan)
  if root then
    enter_root(steps, root, which.user == true)
    add(steps, "pivot_root", ".", ".")
  end
  if plan.dev then add(steps, "dev") end
  mount_proc(steps, plan, root)
  local wants_net = #plan.mounts > 0 -- a sysfs may be among them
  if makes_net and wants_net then add(steps, "net") end
  mount_all(steps, plan, root)
  if root then
    add(steps, "umount", ".", "detach")
    add(steps, "chdir", "/")
  end
  if makes_net and not wants_net then add(steps, "net") end
end

return boxroot
