-- SPDX-License-Identifier: MIT
-- Rows of the doctor's table: making and joining namespaces, and being born
-- in one. unshare(2), clone(2), setns(2), fork(2), namespaces(7).

local BIRTH = "unshare clone clone3 fork vfork"
local NEW = "unshare clone clone3"


local function in_chroot(s) return s.chrooted or s.below_root end


local function unprivileged(s) return not (s.caps and s.caps.sys_admin) end


local function wants_user(_, e) return e.types.user end


-- The first wanted type whose quota is zero.
local function empty_quota(s, e)
  for _, word in ipairs(e.type_list) do
    if s.limits and s.limits[word] == 0 then return word end
  end
end


local function missing_type(s, e)
  for _, word in ipairs(e.type_list) do
    if s.types and s.types[word] == false then return word end
  end
end


-- unshare("pid") came before: children are born in another namespace.
local function pid_left(s)
  return s.pid_ns and s.pid_ns ~= s.pid_children
end


-- The way back to the old pid namespace wants rights in its owner.
local function way_back(otherwise)
  return function(s)
    if s.left_user then
      return otherwise .. "; the user namespace was left too, so there is no way back " ..
        "but :undo at the prompt"
    end
    return otherwise .. "; ns.back() returns to the old namespace"
  end
end


local SHELL = {
  mnt = "--mount", pid = "--pid --fork", uts = "--uts", ipc = "--ipc", net = "--net",
  cgroup = "--cgroup", time = "--time",
}


-- The same birth with a user namespace, in Lua and for the shell.
local function with_user(_, e)
  local words, options = {}, {}
  for i, word in ipairs(e.type_list) do
    words[i], options[i] = ("%q"):format(word), SHELL[word]
  end
  local lua = words[1] and table.concat(words, ", ") or "..."
  return ("add a user namespace: ns.unshare(\"user\", %s) or ns.box{user=true, %s} (shell: " ..
    "unshare -Ur %s)"):format(lua, lua, table.concat(options, " "))
end


local APPARMOR = {
  fix = "for one run: sudo nslua ...; on a lab machine an admin may run: " ..
    "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 " ..
    "(nslua --doctor=fix shows both, and a profile)",
  sysctl = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
  weakens = "every local program may create user namespaces with full " ..
    "capabilities in them, which exposes more of the kernel to attacks",
}

-- A file of a process, or a namespace asked of it.
local function of_process(e)
  return e.text:find("/proc/%w+/ns") or e.text:find("NAMESPACE", 1, true) or
    e.text:find("/proc/%d+/")
end


local LEFT_USER = {
  why = "This process has left the user namespace that it began in, and with it " ..
    "its rights over the boxes and processes that belong there.",
  fix = "make the box after the unshare, or go back: at the prompt :undo; a program " ..
    "unshares in a child: ns.run({}, function() ns.unshare \"user\" end)",
  see = "user_namespaces(7)",
}

return {
  -- a user namespace is refused ---------------------------------------------
  {
    id = "seccomp", ux = 4, call = NEW, errno = "EPERM ENOSYS EACCES",
    when = function(s) return s.filtered end,
    why = "A system call filter (seccomp) refuses it: even an unshare(2) that " ..
      "asks for nothing fails here{in_container}.",
    fix = "start the container with --security-opt seccomp=unconfined " ..
      "(Docker, Podman) or seccompProfile: Unconfined (Kubernetes)",
    command = "docker run --security-opt seccomp=unconfined ...",
    weakens = "the container may make every system call of its kernel",
    see = "seccomp(2)",
  },
  {
    id = "unmapped", call = NEW, errno = "EPERM",
    when = function(s, e) return e.types.user and s.mapped_uids == 0 end,
    why = "This process is in a user namespace without a uid map, so its own " ..
      "uid has no name there; such a process may not nest another.",
    fix = [[write the map first: ns.map(nil, "root") (shell: unshare --map-root-user)]],
    see = "user_namespaces(7)",
  },
  {
    id = "chroot", ux = 3, call = NEW, errno = "EPERM",
    when = function(s, e) return e.types.user and in_chroot(s) end,
    why = "You are inside a chroot: the kernel refuses user namespaces to a " ..
      "process whose root is not the root of its mount namespace.",
    fix = "leave the chroot, or enter the root by pivot_root: " ..
      "ns.box{root=DIR} (shell: unshare --mount, then pivot_root)",
    see = "user_namespaces(7), pivot_root(2)",
  },
  {
    id = "userns-sysctl", ux = 2, call = NEW, errno = "EPERM",
    when = function(s, e)
      return e.types.user and s.userns_clone == 0 and unprivileged(s)
    end,
    why = "This distribution switched user namespaces off for ordinary users " ..
      "(kernel.unprivileged_userns_clone is 0).",
    fix = "ask an admin: sysctl -w kernel.unprivileged_userns_clone=1; " ..
      "until then: sudo nslua ...",
    command = "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    weakens = "every local user may create user namespaces, which exposes " ..
      "more of the kernel to attacks",
  },
  {
    id = "apparmor-birth", ux = 6, call = NEW, errno = "EACCES EPERM",
    when = function(s, e)
      return s.apparmor_restrict == 1 and
        (e.types.user or not s.initial_user) and unprivileged(s)
    end,
    why = "AppArmor restricts unprivileged user namespaces here " ..
      "(kernel.apparmor_restrict_unprivileged_userns is 1{on_distribution}).",
    fix = APPARMOR.fix, command = APPARMOR.sysctl, weakens = APPARMOR.weakens,
    see = "user_namespaces(7)",
  },
  {
    id = "container-filter", ux = 4, call = NEW, errno = "EPERM ENOSYS",
    when = function(s, e)
      return s.seccomp == 2 and (e.types.user or not unprivileged(s))
    end,
    why = "A system call filter is active (Seccomp: 2{in_container}); those of " ..
      "containers, and systemd's RestrictNamespaces=, refuse new namespaces.",
    fix = "start the container with --security-opt seccomp=unconfined " ..
      "(Docker, Podman), or take RestrictNamespaces= out of the unit",
    command = "docker run --security-opt seccomp=unconfined ...",
    weakens = "the container may make every system call of its kernel",
    see = "seccomp(2)",
  },
  {
    id = "lsm-birth", call = NEW, errno = "EACCES",
    why = "A security module{with_label} refuses the new namespace.",
    fix = "look for the denial in the audit log (journalctl -k | grep -i " ..
      "denied) and ask an admin for an exception",
  },

  -- a type that is not free ---------------------------------------------------
  {
    id = "needs-user", ux = 1, call = NEW, errno = "EPERM",
    when = function(s, e)
      return not e.types.user and unprivileged(s) and s.initial_user ~= false
        and s.euid ~= 0
    end,
    why = "A new {types} namespace needs CAP_SYS_ADMIN; only a user " ..
      "namespace is free for everybody.",
    fix = with_user,
    see = "namespaces(7), user_namespaces(7)",
  },
  {
    id = "root-without-power", ux = 1, call = NEW, errno = "EPERM",
    when = function(s, e)
      return not e.types.user and unprivileged(s) and s.euid == 0 and
        s.initial_user ~= false
    end,
    why = "uid 0 here lacks CAP_SYS_ADMIN{in_container}: a container or a " ..
      "service manager took it away.",
    fix = "add a user namespace (ns.box{user=true}; shell: unshare -Ur ...), " ..
      "or start the container with --cap-add SYS_ADMIN",
    command = "docker run --cap-add SYS_ADMIN ...",
    weakens = "root in the container may mount and administer its kernel's " ..
      "namespaces: it is hardly confined any more",
    see = "capabilities(7)",
  },
  {
    id = "lost-power", call = NEW, errno = "EPERM",
    when = function(s, e) return not e.types.user and unprivileged(s) end,
    why = "The process has no CAP_SYS_ADMIN in its user namespace (any more): " ..
      "an exec with an unmapped uid, or a change of uid, drops it.",
    fix = "map uid 0 before the exec: ns.map(proc, \"root\") (shell: unshare -r)",
    see = "capabilities(7), user_namespaces(7)",
  },
  {
    id = "birth-refused", call = NEW, errno = "EPERM",
    when = wants_user,
    why = function(s)
      if not s.proc then
        return "The kernel refused a user namespace. Without a readable /proc " ..
          "the reason cannot be told: a chroot, a system call filter or a sysctl."
      end
      return "The kernel refused a user namespace, and no sysctl, filter or " ..
        "chroot that explains it was found: it may be a chroot into a mount, " ..
        "or a security module."
    end,
    fix = "run nslua --doctor; as root no user namespace is needed: sudo nslua ...",
    see = "user_namespaces(7)",
  },

  -- quotas ----------------------------------------------------------------------
  {
    id = "quota-zero", ux = 8, call = NEW, errno = "ENOSPC EUSERS",
    when = empty_quota,
    why = function(s, e)
      local word = empty_quota(s, e)
      return ("The quota of namespaces is empty, not your disk: " ..
        "user.max_%s_namespaces is 0."):format(word)
    end,
    fix = function(s, e)
      local word = empty_quota(s, e)
      return ("an admin may run: sysctl -w user.max_%s_namespaces=10000"):format(word)
    end,
    command = function(s, e)
      return ("sudo sysctl -w user.max_%s_namespaces=10000"):format(empty_quota(s, e))
    end,
    weakens = "users may create that many namespaces of the type, each of " ..
      "which takes kernel memory",
    see = "namespaces(7)",
  },
  {
    id = "quota-used", ux = 8, call = NEW, errno = "ENOSPC EUSERS",
    why = function(s, e)
      local word = e.type_list[1] or "user"
      local limit = s.limits and s.limits[word]
      return "Not your disk: namespaces of this type are nested 32 deep" ..
        (limit and (", or the quota of %d (user.max_%s_namespaces, here or " ..
        "further out) is used up."):format(limit, word) or
        ", or their quota is used up.")
    end,
    fix = "close boxes you no longer need (ns.list() shows what keeps each " ..
      "alive; shell: lsns), or nest less deeply",
    see = "namespaces(7)",
  },

  -- wrong moment, wrong kernel ----------------------------------------------------
  {
    id = "no-such-type", ux = 17, call = NEW, errno = "EINVAL",
    when = missing_type,
    why = function(s, e)
      local word = missing_type(s, e)
      return ("This kernel has no %s namespaces (/proc/self/ns/%s is " ..
        "missing%s)."):format(word, word, s.wsl and ", as on WSL" or "")
    end,
    fix = "do without that type: ns.box leaves out what the machine lacks",
    see = "namespaces(7)",
  },
  {
    id = "threads-user", call = "unshare setns", errno = "EINVAL",
    when = function(s, e) return e.types.user and (s.threads or 1) > 1 end,
    why = "This process has {threads} threads, and the kernel changes the user " ..
      "namespace of a single-threaded process only.",
    fix = "do it in a child: ns.clone({\"user\"}, fn) or ns.box{user=true}, or " ..
      "before the first thread starts",
    see = "unshare(2)",
  },
  {
    id = "pid-twice", call = "unshare clone clone3", errno = "EINVAL",
    when = function(s, e) return e.types.pid and pid_left(s) end,
    why = "An earlier unshare(\"pid\") of this process still holds: its next " ..
      "children belong to that namespace, and a second one cannot be stacked on it.",
    fix = way_back "call ns.unshare(\"pid\") in a child only: ns.fork(fn)",
    see = "pid_namespaces(7)",
  },
  {
    id = "birth-invalid", call = NEW, errno = "EINVAL",
    why = function(_, e)
      if e.types.pid then
        return "The combination is not allowed now: after unshare(\"pid\") no " ..
          "further pid namespace can be made, or this kernel lacks the type."
      end
      return "This kernel lacks one of the types ({types}), or the calling " ..
        "process has threads, or the flags exclude each other."
    end,
    fix = "ns.can() tells which types this machine has; make the namespace in " ..
      "a child: ns.clone({TYPE}, fn)",
    see = "clone(2), unshare(2)",
  },
  {
    id = "clone3-missing", call = "clone3", errno = "ENOSYS",
    why = "This kernel, or a system call filter, has no clone3(2).",
    fix = "Linux 5.3 or newer is needed; in a container allow clone3 " ..
      "(a newer Docker or Podman does)",
    see = "clone(2)",
  },
  {
    id = "into-cgroup", call = "clone3", errno = "EACCES EBUSY EOPNOTSUPP",
    why = "The child may not be born in that cgroup: it is not delegated to " ..
      "you, or it has children with controllers of their own.",
    fix = "use a leaf cgroup that you own (shell: systemd-run --user --scope " ..
      "-p Delegate=yes nslua ...)",
    see = "cgroups(7)",
  },

  -- nobody can be born ----------------------------------------------------------------
  {
    id = "dead-pid1", ux = 9, call = BIRTH, errno = "ENOMEM",
    when = function(s, e) return pid_left(s) and e.errno == "ENOMEM" end,
    why = "Not memory: PID 1 of the pid namespace that this process's children " ..
      "join is gone, so nobody can be born in it.",
    fix = way_back "keep an init: ns.box{pid=true} does (shell: unshare --pid --fork)",
    see = "pid_namespaces(7)",
  },
  {
    id = "no-memory", call = BIRTH, errno = "ENOMEM",
    why = function(s)
      if s.overcommit == 2 then
        return "Memory is not overcommitted here (vm.overcommit_memory is 2), " ..
          "so a copy of this process does not fit."
      end
      return "The kernel has no memory for another process, or PID 1 of the " ..
        "pid namespace is gone."
    end,
    fix = "start programs by ns.clone(opts, argv) or proc:spawn(argv), which " ..
      "copy no heap; see pid_namespaces(7) for PID 1",
    see = "fork(2)",
  },
  {
    id = "too-many", call = BIRTH, errno = "EAGAIN",
    why = function(s)
      local limits = {}
      if s.nproc then limits[1] = ("ulimit -u is %d"):format(s.nproc) end
      if s.pids_max then
        limits[#limits + 1] = ("the cgroup allows %d (pids.max)"):format(s.pids_max)
      end
      if s.pid_max then
        limits[#limits + 1] = ("kernel.pid_max is %d"):format(s.pid_max)
      end
      return "A limit on the number of processes is reached" ..
        (#limits > 0 and ": " .. table.concat(limits, ", ") or "") .. "."
    end,
    fix = "end processes you no longer need (proc:close()), or raise the limit " ..
      "(shell: ulimit -u N; an admin for the rest)",
    see = "fork(2), getrlimit(2)",
  },

  -- joining -----------------------------------------------------------------------------
  {
    id = "no-way-back", call = "setns", errno = "EPERM",
    when = function(s, e)
      return e.step:find("no way back to user", 1, true) or
        s.left_user and e.step:find("no way back to", 1, true)
    end,
    why = "A process that left a user namespace has no right in it any more, nor " ..
      "over what belongs to it: there is no way back, for root neither.",
    fix = "do it in a child: ns.fork(fn) or ns.box{user=true}; the parent stays " ..
      "where it is",
    see = "user_namespaces(7)",
  },
  {
    id = "join-time-threads", call = "setns", errno = "EUSERS",
    why = "A process with threads cannot join a time namespace.",
    fix = "join in a child: ns.clone({ NS }, fn), or before the first thread starts",
    see = "time_namespaces(7)",
  },
  {
    id = "join-left-user", call = "setns", errno = "EPERM",
    when = function(s) return s.left_user end,
    why = LEFT_USER.why, fix = LEFT_USER.fix, see = LEFT_USER.see,
  },
  {
    id = "join-user", call = "setns", errno = "EPERM",
    when = wants_user,
    why = "Only a user namespace below your own, owned by your uid, can be joined.",
    fix = "join it from its owner's account or as root (shell: sudo nsenter ...)",
    see = "setns(2), user_namespaces(7)",
  },
  {
    id = "join-refused", ux = 18, call = "setns", errno = "EPERM",
    why = function(_, e)
      local also = e.types.mnt and " and CAP_SYS_CHROOT" or ""
      return ("Joining needs CAP_SYS_ADMIN%s in the user namespace that owns " ..
        "the target."):format(also)
    end,
    fix = "of a box of yours join the owner too: ns.setns(target, \"user\", ...) or " ..
      "proc:spawn() (shell: nsenter --user --preserve-credentials ...); what is " ..
      "another user's wants root: sudo nslua ...",
    see = "setns(2)",
  },
  {
    id = "join-pid-left", call = "setns", errno = "EINVAL",
    when = function(s, e) return e.types.pid and pid_left(s) end,
    why = "An earlier unshare(\"pid\") of this process still holds: its children " ..
      "are born in that pid namespace, and from there only those below it can be joined.",
    fix = way_back "call ns.unshare(\"pid\") in a child only: ns.fork(fn)",
    see = "setns(2), pid_namespaces(7)",
  },
  {
    id = "join-invalid", call = "setns", errno = "EINVAL",
    why = function(_, e)
      if e.types.user then
        return "It is the user namespace the process is in already, or it " ..
          "shares its root and cwd with another thread."
      elseif e.types.pid then
        return "Only a pid namespace below the present one can be joined."
      end
      return "The target is no namespace of that type, or shares the " ..
        "process's root with another thread."
    end,
    fix = "compare first: ns.of(nil, TYPE) == ns.of(target, TYPE); " ..
      "ns.setns(target) joins only what differs",
    see = "setns(2)",
  },
  {
    id = "join-gone", call = "setns pidfd_open pidfd_send_signal ioctl", errno = "ESRCH",
    why = "That process has ended.",
    fix = "hold the namespace itself: local n = ns.of(pid, TYPE) keeps it alive",
    see = "pidfd_open(2)",
  },
  {
    id = "hidden-left-user", call = "open openat readlink ioctl", errno = "EACCES EPERM",
    when = function(s, e) return of_process(e) and s.left_user end,
    why = LEFT_USER.why, fix = LEFT_USER.fix, see = LEFT_USER.see,
  },
  {
    id = "hidden-process", ux = 18, call = "open openat readlink ioctl", errno = "EACCES EPERM",
    when = function(_, e) return of_process(e) end,
    why = "The namespaces of a process are readable only by those who may " ..
      "trace it: its own user (when it is dumpable), or root.",
    fix = "run the listing as root: sudo nslua ...; your own processes show " ..
      "without it",
    see = "ptrace(2), namespaces(7)",
  },
  {
    id = "no-such-namespace", call = "open", errno = "ENOENT",
    when = function(_, e) return e.text:find("/proc/*/ns/*", 1, true) end,
    why = "No namespace that you may see has that number: it has ended, or those who are in it " ..
      "are another user's.",
    fix = "look: ns.list() (shell: lsns); root sees all: sudo nslua ...",
    see = "namespaces(7)",
  },
  {
    id = "no-parent", call = "ioctl", errno = "EINVAL",
    when = function(_, e)
      return e.text:find("NS_GET_PARENT", 1, true) or e.text:find("NS_GET_OWNER_UID", 1, true)
    end,
    why = "Only pid and user namespaces have a parent, and only user namespaces the uid of " ..
      "who made them.",
    fix = "ask the user namespace that it belongs to: n:owner():owner_uid()",
    see = "ioctl_nsfs(2)",
  },
  {
    id = "no-namespace-file", call = "open openat", errno = "EINVAL",
    when = function(_, e) return #e.shown == 1 end, -- no flags: the file of a namespace
    why = "That file is no namespace's: those are in /proc/PID/ns, or pinned (ip netns: /run/netns).",
    fix = "name one of them, or a pid, a process or a handle: ns.of(pid, \"net\")",
    see = "namespaces(7)",
  },
  {
    id = "gone-process", call = "open openat readlink", errno = "ENOENT",
    when = function(s, e) return s.proc ~= false and e.text:find("/proc/%d+") end,
    why = "There is no such process in this /proc: it has ended, or belongs to " ..
      "another pid namespace.",
    fix = "look at it by its number as this namespace counts: proc:pids()",
    see = "proc(5), pid_namespaces(7)",
  },
}
