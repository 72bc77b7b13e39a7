---@meta nslua.tree
-- Mounts as descriptors: taken or made first, changed unseen, attached last.

---@class nslua
local ns = {}

---Opens a mount, or with "clone" a copy of one that hangs nowhere yet.
---
---    local tree = ns.open_tree("/usr", "clone,recursive")
---
---Flags: clone recursive nofollow no_automount. O_CLOEXEC always.
---Raises: ENOENT, EPERM (clone), EINVAL, ENOTDIR, ENOSYS (before Linux 5.2).
---Source: open_tree(2)
---@param path string|nslua.Fd|nslua.Ns
---@param flags? string|string[]|integer
---@return nslua.Fd
function ns.open_tree(path, flags) end

---Attaches a tree that hangs nowhere, or moves a mount.
---
---    ns.move_mount(tree, "/tmp/root/usr")
---
---Raises: EINVAL (not a mount, shared, or a loop), EPERM, ENOENT, ENOTDIR,
---ELOOP, ENOSYS (before Linux 5.2).
---Source: move_mount(2)
---@param from string|nslua.Fd
---@param to string
---@return nslua.Mount
function ns.move_mount(from, to) end

---A new file system whose mount hangs nowhere yet. What the file system says
---of a refusal stands in the message.
---
---    local t = ns.fsmount("tmpfs", { size = "16m", mode = "755" }, "nosuid")
---    ns.move_mount(t, "/tmp/x")
---
---Attributes: ro nosuid nodev noexec noatime nodiratime strictatime relatime
---nosymfollow.
---Raises: ENODEV (unknown type), EINVAL (an option), EPERM, EBUSY, ENOSYS
---(before Linux 5.2).
---Source: fsopen(2), fsconfig(2), fsmount(2)
---@param type string
---@param options? table  { "flag", "key=value", key = "value", flag = true }; the list comes first
---@param attributes? string|string[]|integer
---@return nslua.Fd
function ns.fsmount(type, options, attributes) end

---Changes what a mount allows, all mounts below too when asked: the only way
---to make a whole tree read-only in one step.
---
---    ns.mount_setattr("/tmp/root", { set = "ro,nosuid", recursive = true })
---
---Keys: set=, clear= (words as for ns.fsmount), propagation="private" "shared"
---"slave" "unbindable", recursive=, nofollow=, userns= (an Ns: who owns what is
---read through its map; for a tree of open_tree "clone").
---Raises: EINVAL (not a mount), EPERM, EBUSY (ro: open for writing), ENOENT,
---EBADF, ENOSYS (before Linux 5.12).
---Source: mount_setattr(2)
---@param path string|nslua.Fd
---@param change table
---@return true
function ns.mount_setattr(path, change) end

return ns
