-- SPDX-License-Identifier: MIT
-- The words that stand in strings and as keys of options, a line of help each:
-- types, flags, signals, keys. What completion offers where a name would be
-- wrong.

local words = {}

-- "word  help" lines -> an ordered list of { text =, help = }
local function list(lines)
  local items = {}
  for word, help in lines:gmatch "%s*(%S+)  ([^\n]+)" do
    items[#items + 1] = { text = word, help = help }
  end
  return items
end


words.type = list [[
  user  ids and capabilities; the one that needs no rights
  mnt  mounts
  pid  process numbers
  uts  host and domain name
  ipc  System V IPC and message queues
  net  interfaces, addresses, ports
  cgroup  the root of the control groups
  time  boottime and monotonic clocks
]]

words.mount_flags = list [[
  ro  read-only
  rw  writable, the default
  nosuid  set-user-id bits do nothing
  nodev  device files do nothing
  noexec  nothing can be executed
  sync  every write goes through at once
  dirsync  changes of folders go through at once
  remount  changes a mount that is there
  noatime  reading leaves no time
  nodiratime  reading folders leaves no time
  relatime  a time of reading now and then
  strictatime  a time for every reading
  lazytime  times are written later
  nosymfollow  symbolic links are not followed
  bind  the same files at another place
  rbind  the same, with the mounts below
  move  takes a mount to another place
  rec  the mounts below too
  silent  no word in the kernel's log
  private  neither gives nor takes mounts
  rprivate  the same, for all below
  shared  gives and takes mounts
  rshared  the same, for all below
  slave  takes mounts, gives none
  rslave  the same, for all below
  unbindable  private, and cannot be bound
  runbindable  the same, for all below
]]

words.umount_flags = list [[
  detach  out of sight now, gone when nobody uses it
  force  even when its server is away
  expire  only when it was not used since the last call
  nofollow  does not follow a symbolic link
]]

words.propagation = list [[
  private  neither gives nor takes mounts
  shared  gives and takes mounts
  slave  takes mounts, gives none
  unbindable  private, and cannot be bound
  rprivate  private, for all below
  rshared  shared, for all below
  rslave  slave, for all below
  runbindable  unbindable, for all below
]]

words.filesystem = list [[
  tmpfs  files in memory
  proc  processes of the pid namespace
  sysfs  devices of the net namespace
  overlay  folders on top of each other
  cgroup2  control groups
  devpts  terminals
  mqueue  message queues of the ipc namespace
  ramfs  files in memory, without a limit
]]

words.signal = list [[
  TERM  asks it to end; the default
  KILL  ends it, whatever it wants
  INT  Ctrl-C
  HUP  its terminal went away
  QUIT  Ctrl-\
  STOP  stops it until CONT
  CONT  lets it go on
  TSTP  Ctrl-Z
  USR1  for its own use
  USR2  for its own use
  WINCH  the size of its terminal changed
  ALRM  a timer ran out
  PIPE  nobody reads what it writes
  CHLD  a child of its ended
]]

words.clock = list [[
  monotonic  since the start, as the time namespace sees it
  boottime  the same, sleep included
  realtime  since 1970
]]

words.map = list [[
  root  own id outside, 0 inside
  current  own id, the same on both sides
  auto  a range of subordinate ids
]]

words.stream = list [[
  inherit  the caller's, the default
  null  /dev/null
  pipe  a pipe to the caller
  tty  a new terminal
]]

-- Keys of the options of box, clone, run and spawn.
words.options = list [[
  argv  the program and its arguments
  boottime  seconds to add to that clock
  caps  capabilities that remain
  cgroup  a new namespace, or the folder to start in
  chroot  a root without a mount namespace
  cwd  the directory to start in
  dev  a small /dev
  die_with_parent  ends when the caller ends
  domainname  the NIS domain name
  env  environment variables, all of them
  gid  the group id inside
  groups  supplementary groups
  hostname  the host name
  init  false: the program itself is PID 1
  ipc  a new ipc namespace, or one to join
  keep_env  names of variables to keep
  map  ids inside and outside: "root", "current" or a table
  mnt  a new mount namespace, or one to join
  monotonic  seconds to add to that clock
  mounts  mounts to make, as arguments of ns.mount
  net  a new network, "lo" with lo up, or one to join
  no_new_privs  no program can gain rights
  pid  a new pid namespace; false: none
  proc  a /proc of its own
  propagation  of its mounts: "private" ...
  rlimits  limits, by name
  root  the root file system
  session  a session of its own
  stderr  "inherit", "null", "pipe", "tty" or an Fd
  stdin  "inherit", "null", "pipe", "tty" or an Fd
  stdout  "inherit", "null", "pipe", "tty" or an Fd
  time  a new time namespace, or one to join
  uid  the user id inside
  user  a new user namespace, or one to join
  uts  a new uts namespace, or one to join
]]

words.list_options = list [[
  type  only this type
  pid  only those of this process
  deep  also those that only descriptors keep
  persistent  only those without a process
  proc  another procfs
]]

words.ps_options = list [[
  pid  only these processes
  inside  as a process sees them
  proc  another procfs
]]

words.get_options = list [[
  sha256  the digest that it must have
  quiet  no progress
  timeout  seconds without a byte
  max_bytes  the most that may come
]]

words.map_options = list [[
  uid  ranges of user ids
  gid  ranges of group ids
  setgroups  "deny" or "allow"
]]

-- What an argument of a call is: by the call's last name, then by number.
words.calls = {
  unshare = { "type", "type", "type", "type", "type", "type", "type", "type" },
  setns = { "pid", "type", "type", "type", "type", "type", "type", "type" },
  of = { "pid", "type" },
  ns = { "type" },
  members = {},
  wait = { "pid" },
  killpg = { "pid", "signal" },
  kill = { "pid", "signal" },
  pidfd = { "pid" },
  mount = { "file", "file", "filesystem", "mount_flags" },
  umount = { "file", "umount_flags" },
  bind = { "file", "file", "mount_flags" },
  propagate = { "file", "propagation" },
  list = { "type" },
  clock = { "clock" },
  require = { "module" },
  open = { "file" }, dofile = { "file" }, loadfile = { "file" }, lines = { "file" },
  chroot = { "file" }, chdir = { "file" }, pivot_root = { "file", "file" },
  readdir = { "file" }, readlink = { "file" }, stat = { "file" }, mkdir = { "file" },
  remove = { "file" }, get = { "file" },
}

-- The keys of the table that a call takes.
words.tables = {
  box = "options", clone = "options", run = "options", spawn = "options",
  list = "list_options", ps = "ps_options", get = "get_options", map = "map_options",
}

-- What the value of a key is, in a string.
words.values = {
  map = "map", stdin = "stream", stdout = "stream", stderr = "stream",
  propagation = "propagation", type = "type", root = "file", chroot = "file", cwd = "file",
}

-- Properties of the handles.
words.properties = {
  Proc = list [[
    pid  its number, as its maker counts
    running  has it not ended?
    stdin  the pipe to it
    stdout  the pipe from it
    stderr  the pipe from its messages
    tty  its terminal
  ]],
  Ns = list [[
    type  one of the eight words
    inode  the number in /proc/PID/ns
    dev  of that file system
    id  never used again
  ]],
  Mount = list [[
    source  what is mounted
    target  where
    type  the file system
  ]],
  Fd = {},
}

return words
