-- SPDX-License-Identifier: MIT
-- Rows of the doctor's table: mounts, roots, /proc and overlays. mount(2),
-- umount2(2), pivot_root(2), mount_namespaces(7).

local signals = require "nslua.doctor.signals"

local MOUNT = "mount fsmount move_mount open_tree mount_setattr fsopen fsconfig"

-- What the kernel mounts for the root of a user namespace.
local USER_MOUNTABLE = {
  proc = true, sysfs = true, tmpfs = true, ramfs = true, devpts = true,
  mqueue = true, cgroup = true, cgroup2 = true, overlay = true, fuse = true,
  bpf = true, binfmt_misc = true,
}


local function flag(e, name) return e.text:find(name, 1, true) ~= nil end


local function fstype(e) return e.args[3] end


local function is(e, kind)
  return fstype(e) == kind and not flag(e, "MS_BIND") and not flag(e, "MS_REMOUNT")
end


local function owned(s, kind) return s.owned and s.owned[kind] end


local function unprivileged(s) return s.caps and not s.caps.sys_admin end


local function pid_left(s) return s.pid_ns and s.pid_ns ~= s.pid_children end


-- true, false, or nil when there is no table to look in. By the table, not by
-- a call: a row answers from the signals alone.
local function is_mount(s, path)
  if not s.mounts or not path or path:sub(1, 1) ~= "/" then return nil end
  path = path == "/" and path or path:gsub("/+$", "")
  for _, m in ipairs(s.mounts) do
    if m.target == path then return true end
  end
  return false
end


-- What is mounted below a path on the mount that the path leads to, and on
-- those: what another mount covers does not count.
local function below(s, path)
  local found, on = {}, {}
  if not s.mounts or not path or path:sub(1, 1) ~= "/" then return found end
  path = path:gsub("/+$", "")
  local at = signals.mount_of(s.mounts, path)
  for _, m in ipairs(s.mounts) do
    local inside = m.target:sub(1, #path + 1) == path .. "/" and m.target ~= "/"
    if inside and (not at or m.parent == at.id or on[m.parent]) then
      found[#found + 1], on[m.id or 0] = m.target, true
    end
  end
  return found
end


local function missing(e, i)
  local path = e.args[i]
  if e.elsewhere or not path or path:sub(1, 1) ~= "/" then return false end
  local file = io.open(path, "r")
  if file then file:close() end
  return file == nil
end


local function denied_by_lsm(s)
  return s.apparmor_restrict == 1 or s.selinux == 1 or
    (s.label and s.label:find("unprivileged_userns", 1, true))
end

return {
  -- mount: nobody's business ----------------------------------------------------
  {
    id = "lsm-mount", ux = 7, call = MOUNT, errno = "EACCES EPERM",
    when = function(s)
      return denied_by_lsm(s) and s.initial_user == false and owned(s, "mnt") ~= false
    end,
    why = "The namespaces were made, but AppArmor or SELinux denies mounts in " ..
      "them{with_label}.",
    fix = "for one run: sudo nslua ...; on a lab machine an admin may run: " ..
      "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (shell: " ..
      "journalctl -k | grep -i denied shows the audit line)",
    command = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    weakens = "every local program may create user namespaces with full " ..
      "capabilities in them, which exposes more of the kernel to attacks",
    see = "user_namespaces(7)",
  },
  {
    id = "mount-power", ux = 1, call = MOUNT .. " umount2 umount pivot_root", errno = "EPERM",
    when = unprivileged,
    why = "Mounts need CAP_SYS_ADMIN in the user namespace that owns the mount " ..
      "namespace; this process has none.",
    fix = "ns.unshare(\"user\", \"mnt\") first, or ns.box{mnt=true} (shell: " ..
      "unshare -Ur --mount)",
    see = "mount_namespaces(7)",
  },
  {
    id = "mount-not-own", ux = 10, call = MOUNT .. " umount2 umount pivot_root", errno = "EPERM",
    when = function(s) return owned(s, "mnt") == false end,
    why = "This process has a user namespace of its own, but its mount " ..
      "namespace still belongs to somebody above.",
    fix = "make one too: ns.unshare(\"mnt\") (shell: unshare --mount)",
    see = "mount_namespaces(7)",
  },

  -- mount: proc, sysfs and their like ----------------------------------------------
  {
    id = "proc-no-fork", ux = 11, call = "mount", errno = "EPERM",
    when = function(s, e) return is(e, "proc") and pid_left(s) and not owned(s, "pid") end,
    why = "The new pid namespace holds this process's children, not the process " ..
      "itself: a proc mounted here would still show the old one.",
    fix = "fork first and mount in the child: ns.fork(fn) (shell: unshare --pid " ..
      "--fork --mount-proc)",
    see = "pid_namespaces(7)",
  },
  {
    id = "proc-no-pid", ux = 10, call = "mount", errno = "EPERM",
    when = function(s, e) return is(e, "proc") and owned(s, "pid") == false end,
    why = "proc shows a pid namespace, and the present one belongs to a user " ..
      "namespace above yours.",
    fix = "make pid and mnt namespaces too: ns.box{pid=true, mnt=true} (shell: " ..
      "unshare -Urpf --mount-proc)",
    see = "pid_namespaces(7)",
  },
  {
    id = "proc-masked", ux = 10, call = "mount", errno = "EPERM",
    when = function(s, e)
      return is(e, "proc") and (s.proc_readonly or s.hidepid or #(s.proc_masked or {}) > 0)
    end,
    why = function(s)
      local part = (s.proc_masked or {})[1]
      return "The /proc that is visible here has hidden or read-only parts" ..
        (part and " (" .. part .. ")" or "") ..
        ", so the kernel allows no fresh one that would reveal them."
    end,
    fix = "start the outer container with --security-opt unmask=ALL (Podman) or " ..
      "--security-opt systempaths=unconfined (Docker)",
    command = "docker run --security-opt systempaths=unconfined ...",
    weakens = "the container sees and may write the kernel settings in /proc " ..
      "that its masks protect",
    see = "mount_namespaces(7)",
  },
  {
    id = "proc-none", ux = 10, call = "mount", errno = "EPERM",
    when = function(_, e) return is(e, "proc") end,
    why = "The kernel allows a new proc only where a whole old one is visible; " ..
      "here there is none (the old root may be detached already), or it is masked.",
    fix = "mount proc before the old root goes: ns.mount(\"proc\", new .. " ..
      "\"/proc\", \"proc\"), then ns.pivot_root",
    see = "mount_namespaces(7)",
  },
  {
    id = "sysfs-net", ux = 10, call = "mount", errno = "EPERM",
    when = function(_, e) return is(e, "sysfs") end,
    why = "sysfs shows a network namespace: it can be mounted only with one of " ..
      "your own, and where a whole old /sys is visible.",
    fix = "ns.box{net=true, mnt=true}, or bind the old one: ns.bind(\"/sys\", " ..
      "target) (shell: mount --rbind /sys target)",
    see = "network_namespaces(7)",
  },
  {
    id = "cgroup-own", call = "mount", errno = "EPERM",
    when = function(_, e) return is(e, "cgroup2") or is(e, "cgroup") end,
    why = "A cgroup file system can be mounted only with a cgroup namespace of " ..
      "your own.",
    fix = "ns.unshare(\"cgroup\") first, or ns.bind(\"/sys/fs/cgroup\", target)",
    see = "cgroup_namespaces(7)",
  },
  {
    id = "mqueue-own", call = "mount", errno = "EPERM",
    when = function(_, e) return is(e, "mqueue") end,
    why = "An mqueue file system needs an ipc namespace of your own.",
    fix = "ns.unshare(\"ipc\") first (shell: unshare --ipc)",
    see = "ipc_namespaces(7)",
  },
  {
    id = "overlay-old", call = "mount", errno = "EPERM",
    when = function(s, e) return is(e, "overlay") and s.initial_user == false end,
    why = "An overlay in a user namespace needs Linux 5.11 or newer, and an upper " ..
      "directory whose file system takes user.overlay attributes.",
    fix = "put upper and work on a tmpfs of this namespace (Linux 6.6 or newer), " ..
      "or copy the tree",
    see = "mount(8)",
  },
  {
    id = "idmap-not-yours", call = "mount_setattr", errno = "EPERM",
    when = function(_, e) return flag(e, "MOUNT_ATTR_IDMAP") end,
    why = "Owners may be read through a map by who has CAP_SYS_ADMIN over the user " ..
      "namespace that mounted the file system (for a disk: real root), once for each " ..
      "mount, and through a user namespace of his own.",
    fix = "as root on the host; or on a tmpfs that you mounted in your own user " ..
      "namespace (Linux 6.3)",
    see = "mount_setattr(2)",
  },
  {
    id = "idmap-file-system", call = "mount_setattr", errno = "EINVAL",
    when = function(_, e) return flag(e, "MOUNT_ATTR_IDMAP") end,
    why = "This file system cannot be mounted with a map (proc, sysfs, most network " ..
      "and old ones; with rec=true one below it is enough), or the map is that of the " ..
      "user namespace that it belongs to already.",
    fix = "bind a folder of ext4, xfs, btrfs, tmpfs or overlay, without the mounts below",
    see = "mount_setattr(2)",
  },
  {
    id = "remount-locked", call = "mount mount_setattr", errno = "EPERM",
    when = function(_, e) return flag(e, "MS_REMOUNT") or e.call == "mount_setattr" end,
    why = "Flags that came with the mount (ro, nosuid, nodev, noexec, atime) are " ..
      "locked in a less privileged namespace: they can be added, not removed.",
    fix = "keep those flags in the remount, e.g. " ..
      "ns.mount(nil, target, nil, \"remount,bind,ro,nosuid,nodev\")",
    see = "mount_namespaces(7)",
  },
  {
    id = "real-disk", ux = 16, call = "mount fsopen fsmount", errno = "EPERM",
    when = function(s, e)
      return s.initial_user == false and fstype(e) and fstype(e) ~= "NULL" and
        not flag(e, "MS_BIND") and not USER_MOUNTABLE[fstype(e)]
    end,
    why = "A file system of this type ({fstype}) is mounted by the first user " ..
      "namespace only.",
    fix = "mount it on the host as root and bind it in: ns.bind(dir, target)",
    see = "user_namespaces(7)",
  },
  {
    id = "mount-refused", call = MOUNT, errno = "EPERM EACCES",
    why = "The mount namespace belongs to a user namespace in which this " ..
      "process has no CAP_SYS_ADMIN, or the mount is locked, or a security " ..
      "module{with_label} says no.",
    fix = "ns.unshare(\"user\", \"mnt\") first, or ns.box{mounts={...}} (shell: " ..
      "unshare -Ur --mount); nslua --doctor says more",
    see = "mount(2), mount_namespaces(7)",
  },

  -- mount: wrong in itself ------------------------------------------------------------
  {
    id = "mount-target-missing", call = "mount", errno = "ENOENT",
    when = function(_, e) return missing(e, 2) end,
    why = "The target {target} does not exist.",
    fix = "make it first: ns.mkdir(target) (shell: mkdir -p DIR)",
    see = "mount(2)",
  },
  {
    id = "mount-source-missing", call = "mount", errno = "ENOENT",
    when = function(_, e) return missing(e, 1) end,
    why = "The source {source} does not exist.",
    fix = "look at the path as this process's root shows it: ns.readdir(\"/\")",
    see = "mount(2)",
  },
  {
    id = "mount-path-missing", call = MOUNT, errno = "ENOENT",
    why = "The source or the target does not exist in the root where it was " ..
      "mounted.",
    fix = "look there: ns.readdir(\"/\"); ns.mkdir makes a directory to mount on",
    see = "mount(2)",
  },
  {
    id = "mount-no-type", call = "mount", errno = "EINVAL",
    when = function(_, e)
      return (fstype(e) == "NULL" or fstype(e) == nil) and not e.text:find("MS_")
    end,
    why = "No file system type is named, and no flag says that it is a bind, a " ..
      "move or a change.",
    fix = "ns.bind(source, target) binds; else name the type: ns.mount(source, " ..
      "target, \"ext4\")",
    see = "mount(2)",
  },
  {
    id = "mount-no-such-type", call = "mount fsopen", errno = "ENODEV",
    why = "This kernel has no file system called {fstype} (built in or as a " ..
      "loaded module).",
    fix = "an admin may load it: modprobe {fstype}; what there is: /proc/filesystems",
    see = "filesystems(5)",
  },
  {
    id = "mount-file-on-dir", call = "mount", errno = "ENOTDIR",
    why = "A directory can be mounted on a directory only, and a file on a file.",
    fix = "make the target of the same kind as the source",
    see = "mount(2)",
  },
  {
    id = "mount-busy", call = "mount mount_setattr", errno = "EBUSY",
    when = function(_, e) return not is(e, "overlay") end,
    why = "The same file system is mounted there already, or files of it are " ..
      "open for writing while it shall become read-only.",
    fix = "look: ns.mounts(); close the files, or bind and remount the bind only: " ..
      "\"remount,bind,ro\"",
    see = "mount(2)",
  },
  {
    id = "mount-full", call = MOUNT, errno = "ENOSPC",
    why = "Not your disk: the mount namespace is full (fs.mount-max is {mount_max}).",
    fix = "bind without the mounts below (rec=false), make propagation private before " ..
      "you bind with them, or umount what is not needed",
    see = "mount_namespaces(7)",
  },
  {
    id = "overlay-invalid", call = "mount fsconfig", errno = "EINVAL",
    when = function(_, e) return is(e, "overlay") or e.call == "fsconfig" end,
    why = "overlay refuses the options: upperdir and workdir must be two empty-" ..
      "able directories of one mount, their file system must support xattrs, and " ..
      "a comma or colon in a path must be written with a backslash before it.",
    fix = "ns.overlay{target=DIR, lower=DIR, upper=DIR, work=DIR} writes them; " ..
      "shell: dmesg | tail names the option",
    see = "mount(8)",
  },
  {
    id = "overlay-busy", call = "mount", errno = "EBUSY",
    when = function(_, e) return is(e, "overlay") end,
    why = "upperdir or workdir is in use by another overlay mount.",
    fix = "give each overlay its own upper and work directory",
    see = "mount(8)",
  },
  {
    id = "overlay-stale", call = "mount", errno = "ESTALE ELOOP",
    when = function(_, e) return is(e, "overlay") end,
    why = "The directories do not fit together: upper was used with another " ..
      "lower, or one contains the other.",
    fix = "use fresh, separate directories for upper and work",
    see = "mount(8)",
  },
  {
    id = "bind-locked-children", call = "mount open_tree", errno = "EINVAL",
    when = function(s, e)
      return flag(e, "MS_BIND") and not flag(e, "MS_REC") and
        s.initial_user == false and #below(s, e.args[1]) > 0
    end,
    why = function(s, e)
      return "Mounts below the source came with the namespace and are locked (" ..
        below(s, e.args[1])[1] .. "): a plain bind would uncover what they hide."
    end,
    fix = "take them along: ns.bind(source, target) does (shell: mount --rbind)",
    see = "mount_namespaces(7)",
  },
  {
    id = "propagation-no-mount", call = "mount mount_setattr", errno = "EINVAL",
    when = function(s, e)
      return e.text:find("MS_PRIVATE") or e.text:find("MS_SHARED") or
        e.text:find("MS_SLAVE") or e.text:find("MS_UNBINDABLE") or
        (flag(e, "MS_REMOUNT") and is_mount(s, e.args[2]) == false)
    end,
    why = "Propagation and flags belong to a mount, and {target} is no mount " ..
      "point (or two propagation types were given).",
    fix = "bind it on itself first: ns.bind(dir, dir) (shell: mount --bind dir dir)",
    see = "mount_namespaces(7)",
  },
  {
    id = "move-shared", call = "mount move_mount", errno = "EINVAL",
    when = function(_, e) return flag(e, "MS_MOVE") or e.call == "move_mount" end,
    why = "A mount below a shared parent cannot be moved, nor can a locked one, " ..
      "nor something that is no mount.",
    fix = "make the parent private first: ns.propagate(\"/\", \"rprivate\") " ..
      "(shell: mount --make-rprivate /)",
    see = "mount_namespaces(7)",
  },
  {
    id = "mount-invalid", call = MOUNT, errno = "EINVAL",
    why = "The flags or options do not fit this file system, or the source is a " ..
      "mount of another namespace, locked or unbindable.",
    fix = "shell: dmesg | tail often names the option; take the mounts below along " ..
      "(\"rbind\") where they came with the namespace",
    see = "mount(2)",
  },

  -- umount ------------------------------------------------------------------------------
  {
    id = "umount-locked", ux = 21, call = "umount2 umount", errno = "EINVAL",
    when = function(s, e) return is_mount(s, e.args[1]) and s.initial_user == false end,
    why = "Locked: this mount came with the namespace from a more privileged one " ..
      "and cannot be taken off alone.",
    fix = "mount something over it, or leave its whole tree by ns.pivot_root",
    see = "mount_namespaces(7)",
  },
  {
    id = "umount-nothing", ux = 21, call = "umount2 umount", errno = "EINVAL",
    why = "{target} is no mount point in this mount namespace, or its mount is " ..
      "locked.",
    fix = "look: ns.mounts() (shell: cat /proc/self/mountinfo)",
    see = "umount(2)",
  },
  {
    id = "umount-busy", ux = 20, call = "umount2 umount", errno = "EBUSY",
    why = function(s, e)
      local found = below(s, e.args[1])
      if #found > 0 then
        return ("%d mount(s) lie below it, e.g. %s."):format(#found, found[1])
      end
      return "Something still uses it: a process's cwd or root, an open file, or " ..
        "another mount below."
    end,
    fix = "take off what is below, leave the directory, or let it go lazily: " ..
      "ns.umount(target, \"detach\") (shell: umount -l)",
    see = "umount(2)",
  },
  {
    id = "umount-missing", ux = 21, call = "umount2 umount", errno = "ENOENT",
    why = "There is no such path in this root; after pivot_root the old paths " ..
      "begin at put_old.",
    fix = "look: ns.mounts(); ns.umount asks the kernel, while umount(8) needs a " ..
      "readable /proc to find the mount",
    see = "umount(2)",
  },

  -- roots ---------------------------------------------------------------------------------
  {
    id = "pivot-no-mount", call = "pivot_root", errno = "EBUSY",
    why = "The new root is no mount of its own: it lies on the mount of the " ..
      "present root.",
    fix = "bind it on itself first: ns.bind(new, new); ns.box{root=DIR} does",
    see = "pivot_root(2)",
  },
  {
    id = "pivot-shared", call = "pivot_root", errno = "EINVAL",
    when = function(s, e)
      local path = e.args[1] or ""
      local m = signals.mount_of(s.mounts, (path:gsub("/[^/]*$", "")))
      return s.root_shared or m and m.shared
    end,
    why = "The present root or the parent of the new one is a shared mount.",
    fix = "make all private first: ns.propagate(\"/\", \"rprivate\") (shell: mount " ..
      "--make-rprivate /)",
    see = "pivot_root(2)",
  },
  {
    id = "pivot-chroot", call = "pivot_root", errno = "EINVAL",
    when = function(s) return s.chrooted or s.below_root end,
    why = "You are inside a chroot: the present root is not the root of a mount.",
    fix = "leave the chroot first, or enter it by ns.box{root=DIR}, which needs none",
    see = "pivot_root(2)",
  },
  {
    id = "pivot-invalid", call = "pivot_root", errno = "EINVAL",
    why = "put_old does not lie below the new root, the new root is no mount " ..
      "point, a mount is shared or locked, or the present root is the initramfs.",
    fix = "ns.pivot_root(new) without put_old stacks and detaches the old root; " ..
      "ns.box{root=DIR} does all of it",
    see = "pivot_root(2)",
  },
  {
    id = "root-not-dir", call = "chroot pivot_root chdir", errno = "ENOTDIR",
    why = "{target} is not a directory.",
    fix = "unpack an archive first: ns.rootfs.get(file):path()",
    see = "chroot(2)",
  },
  {
    id = "root-missing", call = "chroot pivot_root chdir", errno = "ENOENT",
    why = "{target} does not exist in this root.",
    fix = "look: ns.readdir(\"/\"); paths count from the present root",
    see = "chroot(2)",
  },
}
