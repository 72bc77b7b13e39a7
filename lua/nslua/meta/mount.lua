---@meta nslua.mount
-- Mounts and the root of the calling process.

---@class nslua
local ns = {}

---A mount that this process made: `mount /tmp/x (tmpfs)`. At the end of its
---`<close>` block it is detached, if it is still there and this process made
---it: it knows its mount by number, so another one at the same path is safe.
---The number is asked for when the handle is first used, or before the next
---call of `ns` that could put another mount there; in between, another program
---that mounts at the same path can be mistaken for it.
---When the handle is only forgotten, the mount stays.
---@class nslua.Mount
---@field source string
---@field target string  absolute
---@field type string  "tmpfs" ..., "bind", "move" or "tree"
local Mount = {}

---One mount(2) system call.
---
---    ns.mount("none", "/tmp/x", "tmpfs", "nosuid,nodev", "size=16m")
---    ns.mount("/usr", "/tmp/x", nil, "rbind")
---    ns.mount(nil, "/", nil, "rprivate")
---
---Flags are the words of mount(8): ro nosuid nodev noexec sync remount dirsync
---nosymfollow noatime nodiratime relatime strictatime lazytime bind rbind move
---rec silent private rprivate shared rshared slave rslave unbindable
---runbindable.
---
---Raises: EPERM (no CAP_SYS_ADMIN in the mount namespace's owner), ENOENT,
---ENODEV (unknown type), ENOTDIR, EINVAL (bad options; not a mount; locked),
---EBUSY, ELOOP, ENOTBLK, EACCES, EROFS.
---Source: mount(2)
---@param source? string  device, folder or any name; nil is "none"
---@param target string
---@param type? string  needed for a new mount
---@param flags? string|string[]|integer
---@param data? string  options of the file system: "size=16m,mode=755"; at most 4095 bytes
---@return nslua.Mount|true mount  true when it only changes one (remount, propagation)
function ns.mount(source, target, type, flags, data) end

---Takes a mount away.
---
---    ns.umount("/tmp/x", "detach")
---
---Raises: EINVAL (not a mount, or locked), EBUSY (in use), ENOENT, EPERM,
---EAGAIN ("expire": not used since, will go next time).
---Source: umount2(2)
---@param target string|nslua.Mount
---@param flags? "detach"|"force"|"expire"|"nofollow"|string[]
---@return true
function ns.umount(target, flags) end

---Takes this very mount away. In a forked child, and in another mount
---namespace, it does nothing.
---
---    m:umount()
---
---Raises: EBUSY (without "detach"), EPERM.
---Source: umount2(2)
---@param flags? "detach"|"force"|"expire"|"nofollow"|string[]  default "detach"
---@return boolean  false when it was gone already
function Mount:umount(flags) end

---The same as `umount`.
---
---    m:close()
---
---Source: umount2(2)
---@param flags? string
---@return boolean
function Mount:close(flags) end

---Makes a folder the root of this process. Nothing else changes: the working
---directory and open folders still lead out.
---
---    ns.chroot("/tmp/root"); ns.chdir("/")
---
---Raises: EPERM (no CAP_SYS_CHROOT), ENOENT, ENOTDIR, EACCES, ELOOP.
---Source: chroot(2)
---@param path string
---@return true
function ns.chroot(path) end

---Changes the working directory.
---
---    ns.chdir("/tmp")
---
---Raises: ENOENT, ENOTDIR, EACCES, ELOOP, EBADF.
---Source: chdir(2), fchdir(2)
---@param path string|nslua.Fd
---@return true
function ns.chdir(path) end

---Makes a mount the root of the mount namespace. Without `old` the former root
---is taken away at once and the caller is in "/"; a refusal leaves everything
---as it was. With `old`, a folder below `new`, the former root is found there.
---
---    ns.bind(root, root); ns.pivot_root(root)
---
---Raises: EINVAL (`new` is no mount, or its parent is shared), EBUSY (`new` is
---the root already), EPERM, ENOENT, ENOTDIR.
---Source: pivot_root(2)
---@param new string
---@param old? string
---@return true
function ns.pivot_root(new, old) end

---@class nslua.MountRow
---@field id integer
---@field parent integer
---@field root string  which folder of the file system
---@field mountpoint string
---@field type string
---@field source string
---@field options string  of this mount: "rw,nosuid,relatime"
---@field super_options string  of the file system
---@field propagation string  "private", "shared:3", "slave:2", "shared:3,slave:2" or "unbindable"
---@field major integer
---@field minor integer

---The mount table of a process, or of a mount namespace that no process need
---be in. Paths are as they are seen from there. The rows print as a table, and
---have the methods of every list: where, show, tree, lines, json.
---
---    for _, m in ipairs(ns.mounts()) do print(m.mountpoint, m.type) end
---    print(ns.mounts():where(function(m) return m.type == "tmpfs" end))
---
---Raises: ENOENT (no such process), EACCES, EPERM (the namespace of somebody
---else), ENOTTY (a namespace, before Linux 6.11), ENOSYS.
---Source: proc_pid_mountinfo(5), listmount(2), statmount(2)
---@param target? nslua.Proc|integer|nslua.Ns  default: the caller
---@return nslua.List rows  of nslua.MountRow
function ns.mounts(target) end

return ns
