-- Keep message queues apart: two boxes with a queue of the same name each, and a third that joins one.
--
-- Man pages: ipc_namespaces(7), mq_overview(7), sysvipc(7), unshare(1), nsenter(1).
-- Run it:    nslua scripts/ipc.lua            (Enter goes on, q quits; no root is needed)
--            nslua --batch scripts/ipc.lua    (no key; exit status 0: every claim held)
-- What to expect:
--
--     ipc/5  The same name, another queue                                     5/8
--       ...
--       to be seen
--         ann  jobs letters
--         bob  jobs
--
--       ✔ bob has a queue of that name now
--       ✔ ann's is another one
--
-- `t` is what the steps share: the boxes t.ann, t.bob and others, and t.host, a process of the
-- throw-away host that the lesson runs on.
--
-- Processes can talk in many ways. Files, pipes and sockets have their place in the file system or
-- in the network, and other namespaces part those. This one is about what is found by a bare name
-- or number: message queues, semaphores and shared memory, of System V and of POSIX.

local ns = require "nslua"

local QUEUES = "/tmp/queues"

-- The kernel shows the POSIX message queues of an ipc namespace as the files of a file system.
local function mount_queues()
  ns.try(ns.mkdir, QUEUES)
  ns.mount("mqueue", QUEUES, "mqueue")
end

local function make_queue(name)
  ns.open(QUEUES .. "/" .. name, "rdwr,creat,excl"):close()
end

-- Looked at from outside: through the root of the process.
local function queues(proc)
  local names = ns.readdir(("/proc/%d/root%s"):format(proc.pid, QUEUES))
  table.sort(names)
  return table.concat(names, " ")
end

local function inode(proc, name)
  return ns.stat(("/proc/%d/root%s/%s"):format(proc.pid, QUEUES, name)).ino
end

local function show_queues(t)
  local lines = {}
  for _, name in ipairs { "ann", "bob", "guest", "eve" } do
    if t[name] then lines[#lines + 1] = ("%-6s %s"):format(name, queues(t[name])) end
  end
  return lines
end

local function read_number(file)
  local f <close> = assert(io.open(file))
  return f:read "n"
end

local function write_number(file, n)
  local f <close> = ns.open(file, "wronly")
  f:write(tostring(n))
end

return ns.lesson {
  id = "ipc", title = "Message queues of its own", needs = { "ipc", "mnt" },

  { "Names without a place",
    say = [[A System V message queue or a piece of shared memory has no path: it is known by a
      number, to all who know the number. ipcs lists them; it reads the files in /proc/sysvipc. The
      limits for them are in /proc/sys/kernel. All of it belongs to an IPC namespace.]],
    shell = "ipcs; readlink /proc/self/ns/ipc\ncat /proc/sys/kernel/msgmax",
    observe = true,
    show = function() return ("%s\nbytes in one message, at most: %d"):format(
      ns.readlink "/proc/self/ns/ipc", read_number "/proc/sys/kernel/msgmax") end,
    check = {
      ["we are in the host's IPC namespace"] = function(t)
        return ns.of(ns.getpid(), "ipc") == t.host:ns "ipc" end,
      ["the kernel has the three lists"] = function()
        return ns.access "/proc/sysvipc/msg" and ns.access "/proc/sysvipc/sem"
          and ns.access "/proc/sysvipc/shm" end },
    hint = { "What is in these lists outlives its maker, until somebody takes it away: ipcrm(1)." } },

  { "The host's queues are the host's",
    say = [[POSIX message queues have names, and a file system that shows them. But a mount of it
      shows the queues of an IPC namespace, and this one is the machine's: the kernel gives it to
      nobody but the machine's own root. The host of this lesson is a throw-away one.]],
    shell = "mkdir /tmp/queues\nmount -t mqueue mqueue /tmp/queues        # permission denied",
    run = mount_queues,
    expect = "EPERM",
    hint = { "On a real host, root finds them in /dev/mqueue." } },

  { "A box with queues of its own",
    say = [[A new IPC namespace is empty: it inherits no queue. Who made it may mount the file system
      of its queues. To make a file in there is to make a queue.]],
    shell = [[
      unshare --user --map-root-user --ipc --mount sh
      mount -t mqueue mqueue /tmp/queues
      touch /tmp/queues/jobs; ls /tmp/queues]],
    run = function(t)
      t.ann = ns.box { "ipc", "mnt", pid = false }
      t.ann:call(mount_queues)
      t.ann:call(make_queue, "jobs")
      t.ann:call(make_queue, "letters")
    end,
    show = show_queues,
    check = {
      ["ann has an IPC namespace of her own"] = function(t)
        return t.ann:ns "ipc" ~= t.host:ns "ipc" end,
      ["her queues are there"] = function(t) return queues(t.ann) == "jobs letters" end,
      ["a queue tells how full it is"] = function(t)
        local f <close> = assert(io.open(("/proc/%d/root%s/jobs"):format(t.ann.pid, QUEUES)))
        return f:read "a":find "^QSIZE:0 "
      end },
    keep = { ["the host sees nothing of it"] = function() return #ns.readdir(QUEUES) == 0 end },
    hint = { "A program would call mq_open(\"/jobs\", O_CREAT | O_RDWR, ...)." } },

  { "Another box, and nothing in it",
    say = "The next box mounts the same type of file system at the same place, and finds it empty.",
    shell = "unshare -Ur --ipc --mount sh\nmount -t mqueue mqueue /tmp/queues; ls /tmp/queues",
    ask = { "How many queues does bob see (a number)?", answer = 0 },
    run = function(t)
      t.bob = ns.box { "ipc", "mnt", pid = false }
      t.bob:call(mount_queues)
    end,
    show = show_queues,
    check = {
      ["bob's namespace is neither ann's nor the host's"] = function(t)
        return t.bob:ns "ipc" ~= t.ann:ns "ipc" and t.bob:ns "ipc" ~= t.host:ns "ipc" end,
      ["bob sees no queue"] = function(t) return queues(t.bob) == "" end },
    keep = { ["ann has hers"] = function(t) return queues(t.ann) == "jobs letters" end },
    hint = { "Not the file system is new, but the namespace whose queues it shows." } },

  { "The same name, another queue",
    say = [[Two programs that both insist on the name jobs would get into each other's way on one
      machine. Here they do not: the name means something else in each namespace.]],
    shell = "touch /tmp/queues/jobs        # in the shell of the second box",
    run = function(t) t.bob:call(make_queue, "jobs") end,
    show = show_queues,
    check = {
      ["bob has a queue of that name now"] = function(t) return queues(t.bob) == "jobs" end,
      ["ann's is another one"] = function(t)
        return inode(t.ann, "jobs") ~= inode(t.bob, "jobs") end },
    keep = { ["nobody else has got one"] = function(t)
      return queues(t.ann) == "jobs letters" and not ns.access(QUEUES .. "/jobs") end },
    hint = { "Without namespaces, O_EXCL would have answered EEXIST." } },

  { "Twice in the same namespace",
    say = "Within one namespace a name is taken once and for all. The flag O_EXCL says: mine or none.",
    shell = "mq_open(\"/jobs\", O_CREAT | O_EXCL | O_RDWR, 0600, NULL)        # in C",
    run = function(t) t.bob:call(make_queue, "jobs") end,
    expect = "EEXIST",
    keep = { ["the host has no such queue"] = function() return not ns.access(QUEUES .. "/jobs") end },
    hint = { "mq_open(3) lists its errors." } },

  { "A guest joins",
    say = [[Whoever wants to talk to ann has to be in her namespace. A box can be made in one that
      exists; so containers that belong together share their memory, and only that.]],
    shell = "nsenter --target PID --user --preserve-credentials --ipc unshare --mount sh",
    run = function(t)
      t.guest = ns.box { "mnt", ipc = t.ann:ns "ipc", pid = false }
      t.guest:call(mount_queues)
      t.guest:call(ns.unlink, QUEUES .. "/letters")
    end,
    show = show_queues,
    check = {
      ["the guest is in ann's namespace"] = function(t) return t.guest:ns "ipc" == t.ann:ns "ipc" end,
      ["it is ann's queue that the guest sees"] = function(t)
        return inode(t.guest, "jobs") == inode(t.ann, "jobs") end,
      ["what the guest took away is gone for ann"] = function(t) return queues(t.ann) == "jobs" end },
    keep = { ["bob has noticed nothing"] = function(t) return queues(t.bob) == "jobs" end },
    hint = { "Each has its own mount of the queues, but they are the same queues." } },

  { "Limits of its own",
    say = [[The limits are kept for each namespace, too. The last box sets its own: one queue, and no
      more. It makes one; the next is refused. ann and bob never hear of it.]],
    shell = "echo 1 > /proc/sys/fs/mqueue/queues_max        # in a new box\n"
      .. "touch /tmp/queues/one /tmp/queues/two        # No space left on device",
    run = function(t)
      t.eve = ns.box { "ipc", "mnt", pid = false }
      t.eve:call(mount_queues)
      t.eve:call(write_number, "/proc/sys/fs/mqueue/queues_max", 1)
      t.eve:call(make_queue, "one")
      t.eve:call(make_queue, "two")
    end,
    show = show_queues,
    expect = "ENOSPC",
    check = { ["eve has one queue"] = function(t) return queues(t.eve) == "one" end },
    keep = { ["ann's limit is the usual one"] = function(t)
      return t.ann:call(read_number, "/proc/sys/fs/mqueue/queues_max") > 1 end },
    hint = { "The disk is not full: the kernel has no better word for it." } },

  done = "Next: who you are in a box, and who you are outside: nslua scripts/user.lua",
}
