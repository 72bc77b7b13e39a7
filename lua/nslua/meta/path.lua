---@meta nslua.path
-- Names in the file system: what io and os lack.

---@class nslua
local ns = {}

---@class nslua.Stat
---@field type "file"|"dir"|"link"|"char"|"block"|"fifo"|"socket"
---@field mode integer  permission bits: ("%o"):format(mode)
---@field dev integer
---@field ino integer
---@field nlink integer
---@field uid integer
---@field gid integer
---@field size integer  bytes
---@field blocks integer  of 512 bytes
---@field atime integer  seconds, as os.time
---@field mtime integer  seconds, as os.time
---@field mtime_nsec integer  nanoseconds beyond them
---@field ctime_nsec integer
---@field ctime integer  seconds, as os.time
---@field major? integer  of a device
---@field minor? integer  of a device

---What a path (symbolic links followed) or a descriptor is.
---
---    print(ns.stat("/").ino, ns.stat("/dev/null").type)
---
---Raises: ENOENT, ENOTDIR, EACCES, ELOOP, EBADF, EOVERFLOW.
---Source: stat(2), fstat(2)
---@param path string|nslua.Fd
---@return nslua.Stat
function ns.stat(path) end

---The same for a symbolic link itself.
---
---    print(ns.lstat("/proc/self").type) --> link
---
---Raises: ENOENT, ENOTDIR, EACCES, ELOOP.
---Source: lstat(2)
---@param path string
---@return nslua.Stat
function ns.lstat(path) end

---Whether the caller's real ids may use a path so.
---
---    if not ns.access("/dev/kvm", "rw") then print "no" end
---
---Source: access(2)
---@param path string
---@param mode? string  letters of "rwx"; default "f": does it exist?
---@return boolean
function ns.access(path, mode) end

---Whether a path is the root of a mount. It asks the kernel, not /proc, and is
---false of "/" in a chroot whose directory is no mount point.
---
---    print(ns.is_mount "/proc")
---
---Raises: ENOENT, ENOTDIR, EACCES, ELOOP.
---Source: statx(2)
---@param path string
---@return boolean|nil mounted  nil: a kernel before 5.8 cannot tell
function ns.is_mount(path) end

---Where a symbolic link points to.
---
---    print(ns.readlink("/proc/self/ns/uts"))
---
---Raises: EINVAL (no link), ENOENT, EACCES, ENOTDIR.
---Source: readlink(2)
---@param path string
---@return string
function ns.readlink(path) end

---The names in a folder, without "." and "..", in the kernel's order.
---
---    for _, name in ipairs(ns.readdir "/proc/self/fd") do print(name) end
---
---Raises: ENOENT, ENOTDIR, EACCES.
---Source: getdents(2)
---@param path string|nslua.Fd
---@return string[]
function ns.readdir(path) end

---Makes a folder.
---
---    ns.mkdir("/tmp/root", "755")
---
---Raises: EEXIST, ENOENT, ENOTDIR, EACCES, EROFS, ENOSPC, EOVERFLOW (the
---caller's ids have no map).
---Source: mkdir(2)
---@param path string
---@param mode? string|integer  octal text as "755"; default "777", less the umask
---@return true
function ns.mkdir(path, mode) end

---Makes a folder with a new name and mode 700.
---
---    local dir = ns.mkdtemp("/tmp/box-XXXXXX")
---
---Raises: EINVAL (the template does not end in XXXXXX), ENOENT, EACCES, EROFS.
---Source: mkdtemp(3)
---@param template string  ends in XXXXXX
---@return string path
function ns.mkdtemp(template) end

---Removes an empty folder.
---
---    ns.rmdir("/tmp/root")
---
---Raises: ENOTEMPTY, ENOENT, ENOTDIR, EBUSY (a mount point), EACCES, EPERM,
---EROFS, EINVAL (".").
---Source: rmdir(2)
---@param path string
---@return true
function ns.rmdir(path) end

---The working directory; "(unreachable)/..." when it lies outside the root.
---
---    print(ns.getcwd())
---
---Raises: ENOENT (it was removed).
---Source: getcwd(2)
---@return string
function ns.getcwd() end

---Removes a name, and the file with its last name.
---
---    ns.unlink("/tmp/link")
---
---Raises: ENOENT, EISDIR, EACCES, EPERM, EBUSY, EROFS, ENOTDIR.
---Source: unlink(2)
---@param path string
---@return true
function ns.unlink(path) end

---Makes a symbolic link. The target need not exist.
---
---    ns.symlink("/proc/self/fd", "/dev/fd")
---
---Raises: EEXIST, ENOENT, EACCES, EROFS, ENOTDIR.
---Source: symlink(2)
---@param target string
---@param path string
---@return true
function ns.symlink(target, path) end

---Gives a file another name in the same file system (a hard link).
---
---    ns.hardlink("a", "b")
---
---Raises: EEXIST, ENOENT, EXDEV, EPERM (a folder, or protected_hardlinks),
---EACCES, EMLINK, EROFS.
---Source: link(2)
---@param old string
---@param new string
---@return true
function ns.hardlink(old, new) end

---Renames, in one step; what `new` named before is gone.
---
---    ns.rename("part", "whole")
---
---Raises: ENOENT, EXDEV, ENOTEMPTY, EISDIR, ENOTDIR, EINVAL (into itself),
---EACCES, EBUSY, EROFS.
---Source: rename(2)
---@param old string
---@param new string
---@return true
function ns.rename(old, new) end

---Makes a device, a named pipe, a socket or an empty file.
---
---    ns.mknod("/dev/null", "char", "666", 1, 3)
---
---Raises: EPERM (a device in a user namespace), EEXIST, ENOENT, EACCES, EROFS,
---ENOTDIR.
---Source: mknod(2)
---@param path string
---@param type "file"|"char"|"block"|"fifo"|"socket"
---@param mode? string|integer  octal text; default "666", less the umask
---@param major? integer  of a device
---@param minor? integer  of a device
---@return true
function ns.mknod(path, type, mode, major, minor) end

---Sets the permissions of a path or an open file.
---
---    ns.chmod("/tmp/script", "755")
---
---Raises: EPERM (not the owner), ENOENT, EROFS, ENOTDIR, EACCES, ELOOP.
---Source: chmod(2), fchmod(2)
---@param path string|nslua.Fd
---@param mode string|integer  octal text as "755", or bits
---@return true
function ns.chmod(path, mode) end

---Sets owner and group of a path (symbolic links followed) or an open file.
---
---    ns.chown("/tmp/data", 1000, 1000)
---
---Raises: EPERM, EINVAL (the id has no map in this user namespace), ENOENT,
---EROFS, ENOTDIR, EACCES, ELOOP.
---Source: chown(2), fchown(2)
---@param path string|nslua.Fd
---@param uid? integer  nil leaves it
---@param gid? integer  nil leaves it
---@return true
function ns.chown(path, uid, gid) end

---The same for a symbolic link itself.
---
---    ns.lchown("/tmp/link", 1000, 1000)
---
---Raises: as ns.chown.
---Source: lchown(2)
---@param path string
---@param uid? integer  nil leaves it
---@param gid? integer  nil leaves it
---@return true
function ns.lchown(path, uid, gid) end

---The permissions that new files will lack; given a mask, sets it.
---
---    local before = ns.umask("022")
---
---Source: umask(2)
---@param mask? string|integer  octal text as "022"
---@return integer before  bits
function ns.umask(mask) end

return ns
