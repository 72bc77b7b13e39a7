-- See one process under two numbers: what `unshare --pid --fork chroot rootfs sh` does, why ps is
-- blind in there at first, and what the cure of that leaks.
--
-- Man pages: pid_namespaces(7), unshare(1), chroot(2), proc(5), mount(2).
-- Run it:    nslua scripts/pid.lua            (Enter goes on, q quits; no root is needed)
--            nslua --batch scripts/pid.lua    (no key; exit status 0: every claim held)
--            nslua --rootfs=FILE|DIR|URL scripts/pid.lua    (in a root of your choice)
-- What to expect (your numbers will differ):
--
--     pid/4  One process, two numbers                                       4/10
--       ...
--       to be seen
--         NSpid:  18234   2
--         the host counts it as 18234, the box as 2
--
--       ✔ the kernel lists both numbers for it
--       ✔ number 2 of the box is that very process
--
-- `t` is what the steps share: t.root is the root file system, t.box the shell in the new
-- namespace, t.host a process of the throw-away host that the lesson runs on. The numbers of
-- the host are the machine's own: look them up in another terminal.

local ns = require "nslua"

-- The box's /proc as the host sees it: through the folder.
local function proc_folder(t) return t.root:path() .. "/proc" end

local function is_mounted(proc, folder)
  for _, m in ipairs(proc:mounts()) do
    if m.mountpoint == folder then return true end
  end
  return false
end

local function host_has_no_mount(t) return not is_mounted(t.host, proc_folder(t)) end

local function root_of(pid) return ("/proc/%d/root"):format(pid) end

local function first_line(file)
  local f <close> = assert(io.open(file))
  return f:read()
end

return ns.lesson {
  id = "pid", title = "PID namespaces", needs = { "pid", "mnt", "rootfs" },

  { "A root of its own",
    say = [[A container wants a file system to live in: a folder with a shell and a few programs.
      Here is one that was at hand. chroot(2) makes such a folder the "/" of a process.]],
    shell = [[
      curl -LO https://dl-cdn.alpinelinux.org/.../alpine-minirootfs.tar.gz
      mkdir rootfs && tar -xzf alpine-minirootfs.tar.gz -C rootfs && ls rootfs]],
    observe = true,
    show = function(t)
      local names = ns.readdir(t.root:path())
      table.sort(names)
      return t.root:path() .. "\n" .. table.concat(names, " ")
    end,
    check = {
      ["it has a shell"] = function(t) return ns.lstat(t.root:path() .. "/bin/sh") end,
      ["its /proc is an empty folder"] = function(t) return #ns.readdir(proc_folder(t)) == 0 end },
    hint = { "nslua --rootfs=alpine scripts/pid.lua takes a small distribution." } },

  { "A box that counts from one",
    say = [[In a new PID namespace the kernel counts processes from 1 again. The namespace is for
      the children, hence --fork: the first of them, our shell, is PID 1. All else is shared.]],
    shell = "sudo unshare --pid --fork chroot rootfs sh",
    run = function(t)
      t.box = ns.box { "pid", chroot = t.root, argv = { "/bin/sh" },
        init = false, stdin = "pipe" }
    end,
    show = "namespaces",
    check = {
      ["the shell is PID 1 in there"] = function(t) return t.box:pid_in(t.box) == 1 end,
      ["the host counts it differently"] = function(t) return t.box:pid_in(t.host) ~= 1 end,
      ["it shares all but the PID namespace"] = function(t) return t.box:ns "mnt" == t.host:ns "mnt"
        and t.box:ns "uts" == t.host:ns "uts" and t.box:ns "pid" ~= t.host:ns "pid" end },
    hint = { "The same letter is the same namespace: only one column differs." } },

  { "A process to look for",
    say = "We start something in the box that stays for a while. The next number in there is 2.",
    shell = "sleep 1000 &        # typed into the shell of the box",
    run = function(t) t.sleep = t.box:spawn { "sleep", "1000" } end,
    show = "ps",
    check = {
      ["it is PID 2 in the box"] = function(t) return t.sleep:pid_in(t.box) == 2 end,
      ["the host sees it, under another number"] = function(t)
        return ns.access("/proc/" .. t.sleep.pid) and t.sleep:pid_in(t.host) ~= 2
      end },
    hint = { "Looking from outside uses up no number inside." } },

  { "One process, two numbers",
    say = [[These are not two processes that look alike. The kernel keeps one number for each PID
      namespace that a process is visible in, from the outermost to its own. The NSpid line of its
      status file lists them.]],
    shell = "grep NSpid /proc/$(pgrep -n sleep)/status        # on the host",
    observe = true,
    show = function(t) return ("NSpid:  %s\nthe host counts it as %d, the box as %d"):format(
      table.concat(t.sleep:pids(), "   "), t.sleep.pid, t.sleep:pid_in(t.box)) end,
    check = {
      ["the kernel lists both numbers for it"] = function(t)
        return t.sleep:pids()[1] == t.sleep.pid and t.sleep:pids()[#t.sleep:pids()] == 2 end,
      ["number 2 of the box is that very process"] = function(t)
        return ns.pid_from(2, t.box) == t.sleep.pid end },
    hint = { "pid_namespaces(7): visible in its own namespace and in each one above." } },

  { "Two roots",
    say = [[chroot changed what "/" means for the shell and for all that it starts. The link
      /proc/PID/root tells it: "/" for a process of the host, the folder for those of the box.]],
    shell = "sudo ls -l /proc/$$/root /proc/$(pgrep -n sleep)/root",
    observe = true,
    show = function(t) return ("host  %s\nbox   %s"):format(ns.readlink(root_of(t.host.pid)),
      ns.readlink(root_of(t.sleep.pid))) end,
    check = {
      ["the root of the host's process is /"] = function(t)
        return ns.readlink(root_of(t.host.pid)) == "/" end,
      ["the root of sleep is the folder"] = function(t)
        return ns.stat(root_of(t.sleep.pid) .. "/").ino == ns.stat(t.root:path()).ino end },
    hint = { "A root is inherited: sleep never called chroot." } },

  { "ps is blind",
    say = [[ps asks nobody but the files in /proc, and the folder is empty in the new root. So it
      lists nothing, or complains, while two processes are running.]],
    shell = "ps; ls /proc        # in the box",
    run = function(t)
      t.box:run { "ps" }
      t.found = t.box:call(ns.readdir, "/proc")
    end,
    check = {
      ["/proc is empty in the box"] = function(t) return #t.found == 0 end,
      ["yet both are alive"] = function(t)
        return ns.pid_from(1, t.box) == t.box.pid and ns.pid_from(2, t.box) == t.sleep.pid end },
    hint = { "An empty table is what was to be expected, not a mistake." } },

  { "mount -t proc proc /proc",
    say = [[/proc is no folder on a disk. A proc file system shows the PID namespace of whoever
      mounts it: mounted from inside, it shows the box.]],
    shell = "mount -t proc proc /proc; ps        # in the box",
    run = function(t)
      t.box:call(function() ns.mount("proc", "/proc", "proc") end)
      t.box:run { "ps" }
    end,
    check = {
      ["/proc/1 is there now"] = function(t) return t.box:call(ns.access, "/proc/1") end,
      ["/proc/2 is our sleep"] = function(t)
        return t.box:call(first_line, "/proc/2/comm") == "sleep" end },
    hint = { "Who mounts it decides whose processes it shows." } },

  { "The mount leaks",
    say = [[The box has its own numbers and its own root, but the mounts are everybody's: the mount
      namespace is shared. The host has this mount as well, and keeps it when the box has ended.]],
    shell = "mount | grep rootfs        # on the host",
    observe = true,
    show = function(t) return ("proc on %s"):format(proc_folder(t)) end,
    check = {
      ["the host has the mount too"] = function(t) return is_mounted(t.host, proc_folder(t)) end,
      ["it can read there about the box"] = function(t)
        return first_line(proc_folder(t) .. "/2/comm") == "sleep" end },
    hint = { "This host is a throw-away one: what leaks here ends with the lesson." } },

  { "The unmount",
    say = "What is shared is taken away from both: unmounted on the host, it is gone in the box.",
    shell = "sudo umount rootfs/proc        # on the host",
    run = function(t) t.host:call(ns.umount, t.root:path() .. "/proc") end,
    check = {
      ["the host has lost the mount"] = host_has_no_mount,
      ["the box has lost it too"] = function(t) return not t.box:call(ns.access, "/proc/1") end },
    hint = { "umount takes it away, whoever had mounted it." } },

  { "Again, with mounts of its own",
    say = [[The cure is one more namespace. A box with a mount namespace of its own begins with a
      copy of the host's mounts. What it mounts then stays with it, and goes with it.]],
    shell = "sudo unshare --pid --mount --fork chroot rootfs sh\nmount -t proc proc /proc; ps",
    run = function(t)
      t.own = ns.box { "pid", "mnt", chroot = t.root, argv = { "/bin/sh" },
        init = false, stdin = "pipe" }
      t.own:call(function() ns.mount("proc", "/proc", "proc") end)
      t.own:run { "ps" }
    end,
    check = { ["the box has its /proc"] = function(t) return is_mounted(t.own, "/proc") end },
    keep = { ["the host has no mount there"] = host_has_no_mount },
    hint = { "ns.box makes the copy private; with shared propagation it would leak again." } },

  done = "Next: mounts, shared and private: nslua scripts/mnt.lua",
}
