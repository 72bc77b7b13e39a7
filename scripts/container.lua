-- Build a container from what the course has shown: by parts, in forty lines, and with one call.
--
-- Man pages: namespaces(7), pivot_root(2), capabilities(7), and those of the lessons before.
-- Run it:    nslua scripts/container.lua            (Enter goes on, q quits; no root is needed)
--            nslua --batch scripts/container.lua    (no key; exit status 0: every claim held)
--            nslua --rootfs=FILE|DIR|URL scripts/container.lua    (with a root of your choice)
-- What to expect (your numbers will differ):
--
--     container/9  All of it, in less than forty lines                       9/11
--       ...
--       to be seen
--           PID INSIDE COMMAND
--         18234      1 sleep 1000
--
--       ✔ its program is PID 1 in there
--       ✔ its root is the new one, and the old one is gone
--
-- `t` is what the steps share: t.root is a root file system, t.box the container that grows step by
-- step, t.tiny and t.last two more, t.host a process of the throw-away host that the lesson runs on.

local ns = require "nslua"

local NEW = "/tmp/new"
local NODES = { "null", "zero", "full", "random", "urandom", "tty" }

local function within(proc, path) return ("/proc/%d/root%s"):format(proc.pid, path) end

-- What is mounted at a folder, if anything is: the topmost.
local function mount_at(proc, folder)
  local found
  for _, m in ipairs(proc:mounts()) do
    if m.mountpoint == folder then found = m end
  end
  return found
end

local function mount_type(proc, folder)
  local m = mount_at(proc, folder)
  return m and m.type
end

local function identity(path)
  local st = ns.stat(path)
  return st.dev .. ":" .. st.ino
end

local function soon(fn)
  for _ = 1, 500 do
    if fn() then return true end
    ns.poll({}, 0.01)
  end
  return false
end

local function program_of(proc)
  local f <close> = io.open(("/proc/%d/comm"):format(proc.pid))
  return f and f:read()
end

-- What must stay as it is, whatever a container does.
local function host_as_before(t)
  t.before = t.before or { name = t.host:hostname(), mounts = #t.host:mounts() }
  return t.host:hostname() == t.before.name and #t.host:mounts() == t.before.mounts
end

return ns.lesson {
  id = "container", title = "A container",
  needs = { "mnt", "pid", "uts", "ipc", "net", "cgroup", "rootfs" },

  { "No such thing",
    say = [[The kernel knows no containers. It knows processes, and for each process which namespaces
      it is in, where its root is, what it may do and how much it may use. Who chooses all of these
      with care gets what people call a container. Here are the parts.]],
    shell = "ls /proc/self/ns; readlink /proc/self/root; grep Cap /proc/self/status",
    observe = true,
    show = function(t)
      local names = {}
      for type in pairs(t.host:ns()) do names[#names + 1] = type end
      table.sort(names)
      return ("namespaces  %s\nroot        %s\ntable       %d mounts"):format(table.concat(names, " "),
        ns.readlink(within(t.host, "")), #t.host:mounts())
    end,
    check = { ["the host's process has the types that we need"] = function(t)
      local all = t.host:ns()
      return all.mnt and all.pid and all.uts and all.ipc and all.net and all.cgroup and all.user end },
    hint = { "runc, crun and bubblewrap are programs that do what this lesson does." } },

  { "Seven walls",
    say = [[One call makes a process in seven new namespaces. It is root in there, since the user
      namespace says so; PID 1, since nobody else is there; and it has a network that is off. Its
      files are the host's as yet.]],
    shell = [[
      unshare --user --map-root-user --mount --pid --fork \
        --uts --ipc --net --cgroup sh]],
    run = function(t)
      t.box = ns.box { "user", "mnt", "pid", "uts", "ipc", "net", "cgroup",
        proc = false, cwd = "/" }
    end,
    show = "namespaces",
    check = {
      ["seven of its namespaces are its own"] = function(t)
        local own = 0
        for type, handle in pairs(t.box:ns()) do
          if handle ~= t.host:ns(type) then own = own + 1 end
        end
        return own == 7, ("%d are"):format(own)
      end,
      ["it is PID 1"] = function(t) return t.box:pid_in(t.box) == 1 end },
    keep = { ["the host is as before"] = host_as_before },
    hint = { "The eighth is time. Few containers want one." } },

  { "A root, and a place to write",
    say = [[The root file system is bound at a folder of the old root, as long as that one is in reach.
      It is read-only, for others use it, too. What the container writes goes to its /tmp, into
      memory. An overlay would let it write everywhere: the last but one step has it.]],
    shell = [[
      mount --rbind -o ro rootfs /tmp/new
      mount -t tmpfs tmpfs /tmp/new/tmp]],
    run = function(t)
      ns.try(ns.mkdir, NEW)
      t.box:call(function()
        ns.bind(t.root:path(), NEW, { ro = true })
        ns.mount("tmpfs", NEW .. "/tmp", "tmpfs", "nosuid,nodev")
      end)
    end,
    show = function(t)
      local names = ns.readdir(within(t.box, NEW))
      table.sort(names)
      return NEW .. "  " .. table.concat(names, " ")
    end,
    check = {
      ["the root is mounted there, and read-only"] = function(t)
        return identity(within(t.box, NEW)) == identity(t.root:path())
          and mount_at(t.box, NEW).options:find "^ro" end,
      ["there is a shell in it"] = function(t) return ns.lstat(within(t.box, NEW .. "/bin/sh")) end,
      ["and a place to write"] = function(t) return mount_type(t.box, NEW .. "/tmp") == "tmpfs" end },
    keep = { ["the host is as before"] = host_as_before },
    hint = { "read-only holds for all mounts below, too: mount_setattr(2) with AT_RECURSIVE." } },

  { "What is no file",
    say = [[Programs expect /proc, which shows the processes of the namespace, and some devices. The
      container may make no device: the number of a disk would be the disk. So those that do no harm
      are bound, one by one. Now, not later: a user namespace may mount a new /proc only while an old
      one is in sight.]],
    shell = [[
      mount -t proc proc /tmp/new/proc; mount -t tmpfs tmpfs /tmp/new/dev
      touch /tmp/new/dev/null; mount --bind /dev/null /tmp/new/dev/null]],
    run = function(t)
      t.box:call(function()
        ns.mount("proc", NEW .. "/proc", "proc", "nosuid,nodev,noexec")
        ns.mount("tmpfs", NEW .. "/dev", "tmpfs", "nosuid", "mode=755")
        for _, node in ipairs(NODES) do
          ns.open(NEW .. "/dev/" .. node, "wronly,creat"):close()
          ns.bind("/dev/" .. node, NEW .. "/dev/" .. node)
        end
      end)
    end,
    check = {
      ["its /proc shows its processes: 1 is the box"] = function(t)
        return ns.access(within(t.box, NEW .. "/proc/1")) and mount_type(t.box, NEW .. "/proc") == "proc" end,
      ["/dev/null is the device"] = function(t)
        local null = ns.stat(within(t.box, NEW .. "/dev/null"))
        return null.type == "char" and null.major == 1 and null.minor == 3
      end },
    keep = { ["the host is as before"] = host_as_before },
    hint = { "mknod(2) is refused with EPERM in a user namespace, root or not." } },

  { "No device of its own",
    say = "To see it: the box tries to make a device, with the numbers of a disk.",
    shell = "mknod /tmp/new/dev/disk b 8 0        # Operation not permitted",
    run = function(t) t.box:call(ns.mknod, NEW .. "/dev/disk", "block", 384, 8, 0) end,
    expect = "EPERM",
    hint = { "CAP_MKNOD counts in the first user namespace alone." } },

  { "The old root goes",
    say = "pivot_root makes the new one the root of the namespace and takes the old one away.",
    shell = "cd /tmp/new; pivot_root . .; umount -l .",
    run = function(t) t.box:call(ns.pivot_root, NEW) end,
    show = "mounts",
    check = {
      ["its root is the new one"] = function(t)
        return identity(within(t.box, "/")) == identity(t.root:path()) end,
      ["the host's files are out of reach"] = function(t)
        return identity(within(t.box, "/")) ~= identity "/" and not mount_type(t.box, NEW) end },
    keep = { ["the host is as before"] = host_as_before },
    hint = { "The lesson pivot_root has it in slow motion." } },

  { "A name, and a network of one",
    say = [[Then the furniture: a name, and the loopback device, so that its own programs can talk to
      each other. A way out would be a veth pair: the lesson net.]],
    shell = "hostname tiny; ip link set lo up",
    run = function(t)
      t.box:call(ns.sethostname, "tiny")
      t.box:call(ns.lo_up)
    end,
    show = "hostname",
    check = {
      ["it is called tiny"] = function(t) return t.box:hostname() == "tiny" end,
      ["127.0.0.1 is its own address"] = function(t)
        return t.box:call(function()
          local f <close> = assert(io.open "/proc/net/fib_trie")
          return f:read "a":find("127.0.0.1", 1, true) ~= nil
        end)
      end },
    keep = { ["the host is as before"] = host_as_before },
    hint = { "The lessons net and bridge give it a way out." } },

  { "Fewer rights",
    say = [[Root in the container holds all capabilities over it: it could mount, or unmount what was
      arranged with care. A program seldom needs that. What is dropped from the bounding set, no exec
      brings back; and with no_new_privs, no set-user-id program does.]],
    shell = "capsh --drop=all -- -c 'mount -t tmpfs tmpfs /tmp'        # refused",
    run = function(t)
      t.box:call(function()
        ns.no_new_privs(true)
        ns.cap_drop_bounding "all"
        ns.capset { effective = "none", permitted = "none", inheritable = "none" }
        ns.mount("tmpfs", "/tmp", "tmpfs")
      end)
    end,
    expect = "EPERM",
    keep = { ["the host is as before"] = host_as_before },
    hint = { "Docker leaves some fourteen of forty." } },

  { "All of it, in less than forty lines",
    say = [[Here is the container as a whole, from the first call to the program that runs in it. It is
      not a toy: it needs no root, the host is out of reach, and nothing is left when it ends. What
      runc adds is care for a hundred options.]],
    shell = "bwrap --unshare-all --ro-bind rootfs / --tmpfs /tmp \\\n"
      .. "  --proc /proc --dev /dev --hostname tiny --cap-drop ALL sleep 1000",
    run = function(t)
      t.tiny = ns.clone({ "user", "mnt", "pid", "uts", "ipc", "net", "cgroup",
        map = "root", die_with_parent = true }, function()
        ns.propagate "rprivate"
        ns.sethostname "tiny"
        ns.lo_up()

        ns.bind(t.root:path(), NEW, { ro = true })
        ns.mount("tmpfs", NEW .. "/tmp", "tmpfs", "nosuid,nodev")
        ns.mount("proc", NEW .. "/proc", "proc", "nosuid,nodev,noexec")
        ns.mount("tmpfs", NEW .. "/dev", "tmpfs", "nosuid", "mode=755")
        for _, node in ipairs(NODES) do
          ns.open(NEW .. "/dev/" .. node, "wronly,creat"):close()
          ns.bind("/dev/" .. node, NEW .. "/dev/" .. node)
        end

        ns.pivot_root(NEW)
        ns.no_new_privs(true)
        ns.rlimit("nofile", 64)
        ns.cap_drop_bounding "all"
        ns.capset { effective = "none", permitted = "none", inheritable = "none" }
        ns.exec({ "sleep", "1000" }, { PATH = "/bin:/usr/bin", HOME = "/root" })
      end)
      soon(function() return program_of(t.tiny) == "sleep" end)
    end,
    show = function(t) return tostring(ns.ps { "pid", "inpid", "args", inside = t.tiny }) end,
    check = {
      ["its program is PID 1 in there"] = function(t)
        return program_of(t.tiny) == "sleep" and t.tiny:pid_in(t.tiny) == 1 end,
      ["its root is the new one, and the old one is gone"] = function(t)
        return identity(within(t.tiny, "/")) == identity(t.root:path()) and not mount_type(t.tiny, NEW) end,
      ["it has no capability, and a name"] = function(t)
        return tostring(ns.capabilities(t.tiny).effective) == "none" and t.tiny:hostname() == "tiny" end },
    keep = { ["the host is as before"] = host_as_before },
    hint = { "Read it from the top: each line is a lesson of the course." } },

  { "With one call",
    say = [[ns.box does the same, with a layer for writing, a user namespace when you need one, and an
      init in front. This call is the one to remember. t.last:enter(), at the prompt (p), gives you a
      shell in it.]],
    shell = "docker run --rm -it --hostname box --network none --cap-drop ALL alpine",
    run = function(t)
      t.last = ns.box { "ipc", "cgroup",
        root = t.root:overlay(), hostname = "box", net = "lo",
        caps = "none", no_new_privs = true }
    end,
    show = function(t)
      return (t.last:command():gsub(" (%-%-%l+%-?%l*=)", " \\\n  %1"):gsub(" (sh %-c)", " \\\n  %1"))
    end,
    check = {
      ["its root is an overlay"] = function(t) return mount_type(t.last, "/") == "overlay" end,
      ["it can write there, and the tree stays as it is"] = function(t)
        t.last:call(function() ns.open("/made", "wronly,creat"):close() end)
        return ns.access(within(t.last, "/made")) and not ns.access(t.root:path() .. "/made")
      end,
      ["it has no capability"] = function(t)
        return tostring(ns.capabilities(t.last).effective) == "none" end },
    keep = { ["the host is as before"] = host_as_before },
    hint = { "?ns.box at the prompt tells all its options." } },

  { "And nothing is left",
    say = [[A container is its processes. When the last one ends, the namespaces end, with them the
      mounts, the layer and what was written to it. Nothing has to be cleaned up by hand.]],
    shell = "kill -KILL PID        # of PID 1: all others go along",
    run = function(t)
      t.tiny:kill "KILL"
      t.fine, t.how, t.signal = t.tiny:wait(5)
      t.last:close()
    end,
    check = {
      ["the program has ended, by signal 9"] = function(t) return t.how == "signal" and t.signal == 9 end,
      ["both containers are gone"] = function(t) return not t.tiny.running and not t.last.running end },
    keep = { ["the host is as before"] = host_as_before },
    hint = { "Unless something holds on to it: a descriptor, a bind mount. The lesson list has it." } },

  done = "This was the course. nslua --new FILE writes the frame of a lesson of your own.",
}
