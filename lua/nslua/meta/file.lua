---@meta nslua.file
-- Descriptors. A handle closes itself at the end of its `<close>` block or
-- when it is collected; every descriptor is close-on-exec.

---@class nslua
local ns = {}

---An open descriptor: `fd 5`, or `fd (closed)`. Two handles are equal when
---they hold the same number.
---@class nslua.Fd
local Fd = {}

---Opens a file or folder.
---
---    local fd <close> = ns.open("/etc/hostname")
---    local dir <close> = ns.open("/proc/self/ns", "path,directory")
---
---Flags are words: rdonly wronly rdwr creat excl trunc append directory
---nofollow path nonblock noatime noctty sync dsync tmpfile, and io.open's
---r w a r+ w+ a+. O_CLOEXEC is always among them.
---
---Raises: ENOENT, EACCES, EEXIST (excl), ENOTDIR (directory), EISDIR, ELOOP
---(nofollow), EMFILE, ENXIO, EROFS, ETXTBSY.
---Source: open(2)
---@param path string
---@param flags? string|string[]|integer  default "rdonly"
---@param mode? string|integer  permissions of a new file: octal text as "644"; default "666", less the umask
---@return nslua.Fd
function ns.open(path, flags, mode) end

---A pipe: what is written to the second comes out of the first.
---
---    local r, w = ns.pipe(); w:write("hello\n"); print(r:read())
---
---Raises: EMFILE.
---Source: pipe(2)
---@return nslua.Fd r  to read
---@return nslua.Fd w  to write
function ns.pipe() end

---Two sockets that are connected with each other; they carry descriptors too.
---
---    local a, b = ns.socketpair("seqpacket")
---
---Raises: EMFILE.
---Source: socketpair(2), unix(7)
---@param type? "stream"|"seqpacket"|"dgram"  default "stream"
---@return nslua.Fd
---@return nslua.Fd
function ns.socketpair(type) end

---A handle on a copy of a descriptor: of a number that was inherited, of
---another handle, of an io file. The original stays open.
---
---    local out = ns.fd(1)
---
---Raises: EBADF, EMFILE.
---Source: F_DUPFD_CLOEXEC(2const)
---@param fd integer|nslua.Fd|nslua.Ns|nslua.Proc|file*
---@return nslua.Fd
function ns.fd(fd) end

---Waits until something can be read, or a process has ended.
---
---    local ready = ns.poll({ r, child }, 2.5)
---
---Raises: EBADF.
---Source: poll(2)
---@param fds (nslua.Fd|nslua.Proc|integer)[]
---@param seconds? number  0: only look; nil: no limit
---@return (nslua.Fd|nslua.Proc|integer)[] ready  in the order of `fds`; empty when the time is up
function ns.poll(fds, seconds) end

---Whether a descriptor is a terminal.
---
---    if ns.isatty(1) then print "a person reads this" end
---
---Source: isatty(3)
---@param fd integer|nslua.Fd|file*
---@return boolean
function ns.isatty(fd) end

---Reads. A number: one read(2) of at most so many bytes; "a": all to the end;
---"l": one line, without its newline and nothing behind it.
---
---    local text = fd:read("a")
---
---Raises: EAGAIN (nothing there and non-blocking), EBADF (not open for
---reading), EISDIR, EIO, ECONNRESET.
---Source: read(2)
---@param how? integer|"a"|"l"  default "l"
---@return string|nil bytes  nil at the end ("" for "a")
function Fd:read(how) end

---Writes all of it. A pipe or socket without a reader is EPIPE, never a signal.
---
---    w:write("hello\n")
---
---Raises: EPIPE, EAGAIN (non-blocking and full), EBADF, ENOSPC, EFBIG, EIO.
---Source: write(2), send(2)
---@param s string
---@return true
function Fd:write(s) end

---Closes the descriptor. Closing twice is no error.
---
---    fd:close()
---
---Source: close(2)
---@return true
function Fd:close() end

---The number.
---
---    print(fd:fileno())
---
---Source: open(2)
---@return integer
function Fd:fileno() end

---Another handle on the same open file.
---
---    local copy = fd:dup()
---
---Raises: EMFILE.
---Source: F_DUPFD_CLOEXEC(2const)
---@return nslua.Fd
function Fd:dup() end

---Makes a number mean the same open file, and lets it live over an exec: for
---a child just before ns.exec. What the number meant before is closed.
---
---    ns.fork(function() w:dup2(1); ns.exec { "ls" } end)
---
---Raises: EBADF (above the limit of open files), EBUSY.
---Source: dup2(2)
---@param number integer
---@return true
function Fd:dup2(number) end

---Sends bytes, and descriptors with them, over a socket: stream sockets send
---all bytes, the others one message.
---
---    a:send("here it is", { fd })
---
---Raises: EPIPE, ENOTSOCK, EMSGSIZE, EAGAIN, ETOOMANYREFS, EBADF.
---Source: sendmsg(2), SCM_RIGHTS in unix(7)
---@param s string  one byte at least when descriptors travel
---@param fds? (nslua.Fd|nslua.Ns|nslua.Proc|integer)[]  253 at most
---@return true
function Fd:send(s, fds) end

---Receives one piece of bytes and the descriptors that came with it.
---
---    local s, fds = b:recv()
---
---Raises: EMFILE (descriptors were lost: too many are open here), ENOTSOCK,
---EAGAIN, ECONNRESET.
---Source: recvmsg(2), SCM_RIGHTS in unix(7)
---@param most? integer  bytes; default 65536
---@return string|nil bytes  nil at the end
---@return nslua.Fd[] fds
function Fd:recv(most) end

---Makes reads and writes fail with EAGAIN where they would wait.
---
---    r:setnonblock()
---
---Source: F_SETFL(2const)
---@param on? boolean  default true
---@return true
function Fd:setnonblock(on) end

---Moves the position in the file and tells it.
---
---    local size = fd:seek("end")
---
---Raises: ESPIPE (a pipe or socket), EINVAL (before the start).
---Source: lseek(2)
---@param whence? "cur"|"set"|"end"  default "cur"
---@param offset? integer  bytes; default 0
---@return integer position  bytes from the start
function Fd:seek(whence, offset) end

---Locks the open file against other holders of flock.
---
---    fd:flock("ex")
---
---Raises: EAGAIN ("nb" and somebody has it), EINVAL.
---Source: flock(2)
---@param words string|string[]  "sh", "ex" or "un", with ",nb" not to wait
---@return true
function Fd:flock(words) end

---Waits until what was written is on the disk.
---
---    fd:sync()
---
---Raises: EIO, ENOSPC, EINVAL (a pipe or socket).
---Source: fsync(2)
---@return true
function Fd:sync() end

---An unnamed file in memory: gone with its last descriptor.
---
---    local f = ns.memfd("notes"); f:write("hello")
---
---Raises: EINVAL (the name is longer than 249 bytes).
---Source: memfd_create(2)
---@param name string  shown in /proc/PID/fd only
---@return nslua.Fd
function ns.memfd(name) end

return ns
