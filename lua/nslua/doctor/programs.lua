-- SPDX-License-Identifier: MIT
-- Rows of the doctor's table: programs, time, links, descriptors, and what
-- any call may meet. execve(2), time_namespaces(7), rtnetlink(7).

local sys = require "nslua.sys"

local EXEC = "execve execveat exec posix_spawn"


local function head(path, bytes)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read(bytes)
  file:close()
  return text
end


-- The file that execve would look at; searches PATH as execvpe does.
local function program(e)
  local name = e.args[1] or ""
  if e.elsewhere then return nil end
  if name:find("/", 1, true) then return head(name, 0) and name or nil end
  for folder in (os.getenv "PATH" or "/bin:/usr/bin"):gmatch("[^:]+") do
    if head(folder .. "/" .. name, 0) then return folder .. "/" .. name end
  end
end


-- PT_INTERP of a 64-bit little-endian ELF file: its dynamic loader.
local function elf_loader(path)
  local text = head(path, 8192) or ""
  if text:sub(1, 5) ~= "\127ELF\2" or #text < 64 then return nil end
  local offset = string.unpack("<I8", text, 33)
  local size, count = string.unpack("<I2I2", text, 55)
  for i = 0, math.min(count, 64) - 1 do
    local at = offset + i * size + 1
    if at < 1 or at + 56 > #text then return nil end
    local kind = string.unpack("<I4", text, at)
    local start, _, _, length = string.unpack("<I8I8I8I8", text, at + 8)
    if kind == 3 and start >= 0 and start < #text and length > 0 then
      return (text:sub(start + 1, start + length):match("^[^%z]+"))
    end
  end
end


-- What stands behind "#!" or in the ELF header, when that file is missing.
local function missing_interpreter(e)
  local path = program(e)
  local text = path and head(path, 256)
  if not text then return nil end
  local name = text:match("^#![ \t]*(%g+)") or elf_loader(path)
  if name and not head(name, 0) then return name end
end


local function stat(path)
  local ok, record = pcall(sys.primitives.stat, path)
  return ok and type(record) == "table" and record or nil
end


local function no_x_bit(e)
  local path = program(e)
  local record = path and stat(path)
  local mode = record and math.tointeger(record.mode)
  return mode and mode & 73 == 0 and path
end


local function foreign_machine(e)
  local path = program(e)
  local text = path and head(path, 20) or ""
  if text:sub(1, 4) ~= "\127ELF" or #text < 20 then return nil end
  local own = head("/proc/self/exe", 20)
  local theirs = string.unpack("<I2", text, 19)
  if not own or string.unpack("<I2", own, 19) == theirs then return nil end
  local names = { [3] = "x86", [40] = "ARM", [62] = "x86-64", [183] = "aarch64",
    [243] = "RISC-V", [21] = "PowerPC" }
  return names[theirs] or ("machine " .. theirs)
end

return {
  -- programs ------------------------------------------------------------------
  {
    id = "exec-interpreter", call = EXEC, errno = "ENOENT",
    when = function(_, e) return missing_interpreter(e) end,
    why = function(_, e)
      return "The program is there, but its interpreter or loader " ..
        missing_interpreter(e) .. " is missing in this root."
    end,
    fix = "bring it in too (ns.bind its folder), or use a static program such as " ..
      "busybox",
    see = "execve(2)",
  },
  {
    id = "exec-missing", call = EXEC, errno = "ENOENT",
    when = function(_, e) return not e.elsewhere and not program(e) end,
    why = function(_, e)
      if (e.args[1] or ""):find("/", 1, true) then
        return ("There is no %s in this root."):format(e.shown[1])
      end
      return ("No folder of PATH has %s in this root."):format(e.shown[1])
    end,
    fix = "give a full path that exists inside the root, or install the program",
    see = "execve(2)",
  },
  {
    id = "exec-missing-there", call = EXEC, errno = "ENOENT",
    why = "The root where it was started has no {program}, or lacks the " ..
      "interpreter (\"#!\" line or dynamic loader) that it names.",
    fix = "look inside: box:call(ns.readdir, \"/bin\"); bind what is missing, or " ..
      "use a static program such as busybox",
    see = "execve(2)",
  },
  {
    id = "exec-no-x", call = EXEC, errno = "EACCES",
    when = function(_, e) return no_x_bit(e) end,
    why = "The file may not be executed: it has no x bit.",
    fix = "shell: chmod +x FILE; or name its interpreter: {\"sh\", FILE}",
    see = "execve(2)",
  },
  {
    id = "exec-denied", call = EXEC, errno = "EACCES",
    why = "The file may not be executed by this user: it is a directory, has no " ..
      "x bit, lies behind a folder without x, or on a mount with noexec.",
    fix = "look at ns.stat(FILE).mode and at ns.mounts() for noexec; a folder of " ..
      "mode 0700 keeps every other uid out",
    see = "execve(2)",
  },
  {
    id = "exec-machine", call = EXEC, errno = "ENOEXEC",
    when = function(_, e) return foreign_machine(e) end,
    why = function(_, e)
      return "The program is built for another machine (" .. foreign_machine(e) .. ")."
    end,
    fix = "use a root file system for this machine, or install qemu-user-static",
    see = "execve(2), binfmt_misc",
  },
  {
    id = "exec-format", call = EXEC, errno = "ENOEXEC",
    why = "The kernel cannot run this format: a script without a \"#!\" line, an " ..
      "empty file, or a program of another machine.",
    fix = "add the line #!/bin/sh, or name the interpreter: {\"sh\", FILE}",
    see = "execve(2)",
  },
  {
    id = "exec-too-big", call = EXEC, errno = "E2BIG",
    why = "Arguments and environment together are too long, or one string is " ..
      "longer than 128 KB.",
    fix = "pass long data through a file or a pipe, or raise the stack limit " ..
      "(shell: ulimit -s)",
    see = "execve(2)",
  },
  {
    id = "exec-busy", call = EXEC, errno = "ETXTBSY",
    why = "The program's file is still open for writing.",
    fix = "close the file before it is run",
    see = "execve(2)",
  },
  {
    id = "exec-limit", call = EXEC .. " setuid setresuid", errno = "EAGAIN",
    why = "The uid has more processes than its limit allows{with_nproc}.",
    fix = "end some, or raise the limit (shell: ulimit -u N)",
    see = "execve(2), getrlimit(2)",
  },

  -- time ---------------------------------------------------------------------------
  {
    id = "time-entered", call = "write open openat", errno = "EACCES",
    when = function(_, e) return e.text:find("timens_offsets", 1, true) end,
    why = "Offsets are settled: a process lives in the new time namespace already.",
    fix = "set them between ns.unshare(\"time\") and the first child, or " ..
      "ns.box{boottime=SECONDS}",
    see = "time_namespaces(7)",
  },
  {
    id = "time-power", call = "write open openat", errno = "EPERM",
    when = function(_, e) return e.text:find("timens_offsets", 1, true) end,
    why = "Clock offsets need CAP_SYS_TIME in the user namespace that owns the " ..
      "time namespace.",
    fix = "ns.unshare(\"user\", \"time\"), or ns.box{user=true, boottime=SECONDS}",
    see = "time_namespaces(7)",
  },
  {
    id = "time-range", call = "write", errno = "ERANGE EINVAL",
    when = function(_, e) return e.text:find("timens_offsets", 1, true) end,
    why = "The offset would make a clock negative, or move it by more than 146 " ..
      "years.",
    fix = "choose an offset that keeps the clock at 0 or later (boottime=-N needs " ..
      "an uptime of at least N seconds)",
    see = "time_namespaces(7)",
  },
  {
    id = "time-missing", call = "write open openat", errno = "ENOENT",
    when = function(_, e) return e.text:find("timens_offsets", 1, true) end,
    why = "This kernel has no time namespaces, or there is no /proc here.",
    fix = "Linux 5.6 or newer with CONFIG_TIME_NS is needed; mount /proc",
    see = "time_namespaces(7)",
  },

  -- links ---------------------------------------------------------------------------
  {
    id = "link-power", ux = 19, call = "rtnetlink RTNETLINK ioctl sendmsg socket",
    errno = "EPERM",
    when = function(_, e)
      return e.call:lower() == "rtnetlink" or e.text:find("SIOCS", 1, true) or
        e.text:find("SOCK_RAW", 1, true)
    end,
    why = "Links belong to the network namespace's owner, and you do not own it.",
    fix = "own both ends in one user namespace: ns.box{net=true} (shell: unshare " ..
      "-Ur --net); a veth between two such boxes needs no root, one to the host does",
    see = "network_namespaces(7), veth(4)",
  },
  {
    id = "link-exists", call = "rtnetlink RTNETLINK", errno = "EEXIST",
    why = "A link, address or route of that name is there already.",
    fix = "delete it first, or choose another name",
    see = "rtnetlink(7)",
  },
  {
    id = "link-gone", call = "rtnetlink RTNETLINK ioctl", errno = "ENODEV",
    why = "There is no such link in this network namespace.",
    fix = "look: ns.link.list() (shell: ip link); it may be in another namespace",
    see = "rtnetlink(7)",
  },
  {
    id = "link-kind", call = "rtnetlink RTNETLINK", errno = "EOPNOTSUPP ENOSYS",
    why = "This kernel lacks that kind of link (the module is missing or cannot " ..
      "be loaded from here).",
    fix = "an admin may load it on the host: modprobe veth, modprobe bridge, ...",
    see = "rtnetlink(7)",
  },
  {
    id = "link-down", call = "rtnetlink RTNETLINK connect sendto", errno = "ENETUNREACH",
    why = "No route leads there: a new network namespace starts with nothing but " ..
      "a loopback device that is down.",
    fix = "bring it up: ns.box{net=\"lo\"} or ns.lo_up() (shell: ip link set lo up)",
    see = "network_namespaces(7)",
  },

  -- what any call may meet ---------------------------------------------------------------
  {
    id = "descriptors", call = "*", errno = "EMFILE",
    why = "The process has as many files open as its limit allows{with_nofile}.",
    fix = "close handles (local h <close> = ...), or raise the limit (shell: " ..
      "ulimit -n N)",
    see = "getrlimit(2)",
  },
  {
    id = "descriptors-all", call = "*", errno = "ENFILE",
    why = "The whole system has as many files open as fs.file-max allows.",
    fix = "close what is not needed, or ask an admin to raise fs.file-max",
    see = "proc(5)",
  },
  {
    id = "no-terminal", call = "tcgetpgrp tcsetpgrp tcgetattr tcsetattr ioctl", errno = "ENOTTY",
    when = function(_, e) return e.call ~= "ioctl" or e.text:find("TIOC", 1, true) end,
    why = "That descriptor is no terminal.",
    fix = "ask first: ns.isatty(fd); make one: ns.pty()",
    see = "tty(4)",
  },
  {
    id = "not-a-child", call = "waitid wait4 waitpid", errno = "ECHILD",
    why = "It is no child of this process, somebody has waited for it already, " ..
      "or this program ignores SIGCHLD: then the kernel keeps no exit status.",
    fix = "wait through its Proc, once: proc:wait(); a program that ignores SIGCHLD sets it to SIG_DFL",
    see = "waitid(2)",
  },
  {
    id = "absent", call = "*", errno = "ENOSYS",
    why = "This kernel ({kernel}) does not have the call, or a system call " ..
      "filter hides it.",
    fix = "ns.can() tells what this machine has; nslua needs Linux 5.10 or newer",
    see = "seccomp(2)",
  },
  {
    id = "read-only", call = "*", errno = "EROFS",
    why = "The file system is mounted read-only there (the stage of a lesson is, " ..
      "but for /tmp, /run and the home folder).",
    fix = "write below /tmp, or put a tmpfs there: ns.mount(\"tmpfs\", dir, \"tmpfs\")",
    see = "mount(2)",
  },
  {
    id = "full", call = "*", errno = "ENOSPC EDQUOT",
    when = function(_, e) return not e.text:find("CLONE_NEW", 1, true) end,
    why = "The file system there is full, or its quota is used up.",
    fix = "make room, or use another place (XDG_CACHE_HOME for roots)",
  },
  {
    id = "name-too-long", call = "*", errno = "ENAMETOOLONG",
    why = "A path is at most 4095 bytes long and each part of it 255; a link's " ..
      "name at most 15.",
    fix = "choose a shorter name, or chdir closer first",
    see = "path_resolution(7)",
  },
  {
    id = "loop", call = "*", errno = "ELOOP",
    why = "The path goes in circles through symbolic links, or a mount would be " ..
      "moved into itself.",
    fix = "look where the links lead: ns.readlink(path)",
    see = "path_resolution(7)",
  },
  {
    id = "interrupted", call = "*", errno = "EINTR",
    why = "A signal came in while the call waited.",
    fix = "call it again",
    see = "signal(7)",
  },
  {
    id = "no-proc", ux = 12, call = "*", errno = "ENOENT ENOTDIR",
    when = function(s, e) return s.proc == false and e.text:find("/proc", 1, true) end,
    why = "No /proc is mounted in this root, and that is where processes, their " ..
      "descriptors and their id maps are found.",
    fix = "mount it first: ns.mount(\"proc\", \"/proc\", \"proc\") (shell: mount -t " ..
      "proc proc /proc)",
    see = "proc(5)",
  },
  {
    id = "file-access", errno = "EACCES",
    call = "open openat open_tree mkdir mkdtemp mknod mknodat unlink rmdir rename symlink " ..
      "link linkat chdir stat lstat statx readlink getxattr chroot mount move_mount",
    why = "The permissions of the file, or of a folder on the way to it, keep this " ..
      "process out; root of a user namespace is only its maker to files outside of it.",
    fix = "use a place of your own, such as a folder in /tmp; ns.stat(path) shows the " ..
      "owner and mode",
    see = "path_resolution(7)",
  },
}
