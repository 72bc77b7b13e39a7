-- SPDX-License-Identifier: MIT
-- Rows of the doctor's table: id maps, users, groups, capabilities, names.
-- user_namespaces(7), setgroups(2), capabilities(7).

local SET_ID = "setuid setgid setreuid setregid setresuid setresgid setgroups " ..
  "setfsuid setfsgid"
local CHOWN = "chown lchown fchown fchownat"


local function has(s, capability) return s.caps and s.caps[capability] end


local function is_map(_, e)
  local file = e.args[1] or ""
  return file:find("[ug]id_map") ~= nil
end


-- More than one line, or more than one id: what an ordinary user may not map.
local function many_ids(e)
  local _, lines = (e.args[2] or ""):gsub("%d+ %d+ %d+", "")
  return lines > 1 or tonumber((e.args[2] or ""):match("%d+ %d+ (%d+)") or 1) > 1
end

return {
  -- writing a map ---------------------------------------------------------------
  {
    id = "apparmor-map", ux = 5, call = "write open openat",
    errno = "EPERM EACCES",
    when = function(s, e)
      return s.apparmor_restrict == 1 and
        (is_map(s, e) or e.args[1] == "setgroups")
    end,
    why = "AppArmor made the user namespace and then took its capabilities: " ..
      "unprivileged user namespaces are restricted here " ..
      "(kernel.apparmor_restrict_unprivileged_userns is 1{on_distribution}).",
    fix = "for one run: sudo nslua ...; on a lab machine an admin may run: " ..
      "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 " ..
      "(nslua --doctor=fix shows both, and a profile)",
    command = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    weakens = "every local program may create user namespaces with full " ..
      "capabilities in them, which exposes more of the kernel to attacks",
    see = "user_namespaces(7)",
  },
  {
    id = "map-twice", call = "write", errno = "EPERM",
    when = function(s, e)
      if e.elsewhere or s.initial_user ~= false then return false end
      return is_map(s, e) and (s.mapped_uids or 0) > 0 and not many_ids(e) or
        e.args[1] == "setgroups" and (s.mapped_gids or 0) > 0
    end,
    why = "A map is written once and for all, and this process has one already.",
    fix = "give the whole map at once: ns.map(nil, {uid={...}, gid={...}}), or " ..
      "make a new user namespace",
    see = "user_namespaces(7)",
  },
  {
    id = "map-many", ux = 15, call = "write", errno = "EPERM",
    when = function(s, e)
      return is_map(s, e) and many_ids(e) and
        not (has(s, "setuid") and has(s, "setgid") and s.initial_user)
    end,
    why = function(s)
      local owned = (s.subuid or 0) > 0 and
        ("/etc/subuid gives you %d, through newuidmap%s"):format(s.subuid,
        s.newuidmap and " and before you are in the namespace" or
        ", which is not installed (package uidmap)") or
        "/etc/subuid names no range for you"
      return "An ordinary user may map one id, his own, without help; " .. owned .. "."
    end,
    fix = "map your own id only (map=\"root\"; lessons need no more), or " ..
      "ns.box{map=\"auto\"}, with a range of yours (admin: usermod --add-subuids " ..
      "100000-165535 --add-subgids 100000-165535 USER; shell: unshare --map-auto)",
    command = "sudo usermod --add-subuids 100000-165535 --add-subgids " ..
      "100000-165535 \"$USER\"",
    weakens = "your processes may use 65536 further ids, which nobody else " ..
      "should own",
    see = "newuidmap(1), subuid(5)",
  },
  {
    id = "gid-map-groups", call = "write", errno = "EPERM",
    when = function(s, e)
      local self = s.initial_user == false and s.mapped_gids == 0 and s.setgroups == "allow"
      return (e.args[1] or ""):find("gid_map") and (self or not has(s, "setgid"))
    end,
    why = "An unprivileged gid_map is accepted only after setgroups is denied: " ..
      "else a user could drop a group that is there to keep him out.",
    fix = "let ns.map do it: ns.map(proc, {gid=0, setgroups=\"deny\"}) " ..
      "(shell: echo deny > /proc/PID/setgroups, then write gid_map)",
    see = "user_namespaces(7)",
  },
  {
    id = "map-refused", call = "write", errno = "EPERM",
    when = is_map,
    why = "The writer must be the owner of the namespace (or hold CAP_SETUID " ..
      "and CAP_SETGID outside), the ids must be his, and a map is written once.",
    fix = "map your own id: ns.map(proc, \"root\") from the process that made " ..
      "the namespace",
    see = "user_namespaces(7)",
  },
  {
    id = "map-invalid", call = "write", errno = "EINVAL",
    when = is_map,
    why = "The kernel cannot read this map: ranges overlap, a count is 0 or too " ..
      "large, or there are more than 340 lines.",
    fix = "write ranges as {inside, outside, count} that do not overlap",
    see = "user_namespaces(7)",
  },
  {
    id = "setgroups-word", call = "write", errno = "EPERM EINVAL",
    when = function(_, e) return e.args[1] == "setgroups" end,
    why = "setgroups is settled before the gid map is written, and \"deny\" can " ..
      "never be taken back, in nested namespaces neither.",
    fix = "write it first: ns.map(proc, {setgroups=..., gid=...})",
    see = "user_namespaces(7)",
  },
  {
    id = "not-dumpable", call = "open openat write", errno = "EACCES",
    when = function(s, e)
      return is_map(s, e) or e.args[2] == "uid_map" or e.args[2] == "gid_map" or
        (e.args[1] or ""):find("setgroups$")
    end,
    why = "The files of a process that is not dumpable belong to root: a change " ..
      "of uid, an unreadable program, or box:call, which hides the caller's memory " ..
      "from the box, made it so.",
    fix = "ns.dumpable(true) before the map is written (in box:call: others in the box " ..
      "may then read this memory)",
    see = "prctl(2), proc(5)",
  },
  {
    id = "map-no-process", call = "write", errno = "ENOENT",
    when = function(s, e) return e.args[1] == "/proc/PID" and s.proc and s.proc_self == s.pid end,
    why = "That process has ended, and its user namespace with it unless somebody is in it.",
    fix = "write the map while it waits: ns.map(proc, \"root\") before it goes on, or map= of ns.box",
    see = "user_namespaces(7)",
  },
  {
    id = "map-no-proc", call = "write", errno = "ENOENT ENOTDIR EXDEV",
    when = function(s, e)
      return is_map(s, e) or e.args[1] == "setgroups" or e.args[1] == "/proc/PID"
    end,
    why = "Maps are files of /proc, and there is no /proc of this pid namespace " ..
      "in this root.",
    fix = "mount it first: ns.mount(\"proc\", \"/proc\", \"proc\") (shell: mount " ..
      "-t proc proc /proc), or write the map from outside",
    see = "proc(5)",
  },
  {
    id = "map-read-only", call = "write open openat", errno = "EROFS",
    when = function(s, e) return is_map(s, e) or e.text:find("setgroups") end,
    why = "/proc is mounted read-only here, so the maps cannot be written.",
    fix = "leave /proc out when the tree is made read-only",
    see = "mount_setattr(2)",
  },
  {
    id = "newuidmap", ux = 15, call = "newuidmap newgidmap", errno = "*",
    why = function(s, e)
      local file = e.call == "newgidmap" and "/etc/subgid" or "/etc/subuid"
      local count = e.call == "newgidmap" and s.subgid or s.subuid
      if (count or 0) == 0 then
        return ("%s has no range for you, so %s has none to give."):format(file, e.call)
      end
      return ("%s maps your own id and the %d ids that %s gives you; this map asks " ..
        "for others, or the program lost its set-user-id bit."):format(e.call, count, file)
    end,
    fix = "ask for what is yours: map=\"auto\" (ns.subids() lists it); lessons need " ..
      "one id only: map=\"root\"; for more an admin runs: usermod --add-subuids " ..
      "100000-165535 --add-subgids 100000-165535 USER",
    command = "sudo usermod --add-subuids 100000-165535 --add-subgids " ..
      "100000-165535 \"$USER\"",
    weakens = "your processes may use 65536 further ids, which nobody else " ..
      "should own",
    see = "newuidmap(1), subuid(5)",
  },
  {
    id = "no-subids-for", ux = 15, call = "subids", errno = "ENODATA",
    why = function(s, e)
      return ("No line of /etc/subuid and /etc/subgid gives %s a range, nor does " ..
        "the database that nsswitch.conf names%s."):format(e.shown[1] or "this user",
        s.caps and s.caps.setuid and "; but who holds CAP_SETUID may map any id" or "")
    end,
    fix = function(s)
      if s.caps and s.caps.setuid and s.caps.setgid then
        return "say which: map={0, 100000, 65536} (inside, outside, count; shell: " ..
          "unshare --map-users=100000,0,65536)"
      end
      return "map your own id only: map=\"root\" (lessons need no more); for 65536 an " ..
        "admin runs: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER"
    end,
    command = "sudo usermod --add-subuids 100000-165535 --add-subgids " ..
      "100000-165535 \"$USER\"",
    weakens = "your processes may use 65536 further ids, which nobody else " ..
      "should own",
    see = "subuid(5)",
  },

  -- using ids ----------------------------------------------------------------------
  {
    id = "setgroups-denied", ux = 14, call = "setgroups", errno = "EPERM",
    when = function(s) return s.setgroups == "deny" end,
    why = "setgroups is denied in this user namespace: that is the price of a " ..
      "map that an ordinary user wrote.",
    fix = "expected with a one-line map; as root, or with newuidmap " ..
      "(shell: unshare --map-auto), setgroups stays allowed",
    see = "user_namespaces(7)",
  },
  {
    id = "no-id-power", call = SET_ID, errno = "EPERM",
    why = "Other ids need CAP_SETUID and CAP_SETGID in this user namespace.",
    fix = "ns.box{map=\"root\"} gives them inside; on the host use sudo",
    see = "capabilities(7), setuid(2)",
  },
  {
    id = "unmapped-id", ux = 13, call = SET_ID .. " " .. CHOWN,
    errno = "EINVAL",
    why = function(s)
      if s.mapped_uids and s.initial_user == false then
        return ("This id has no name in this user namespace: %d uid(s) and %d " ..
          "gid(s) are mapped."):format(s.mapped_uids, s.mapped_gids or 0)
      end
      return "This id has no name in the user namespace of the process or of " ..
        "the file system."
    end,
    fix = "map it too (as root, or by newuidmap), or leave owners alone: " ..
      "ns.rootfs does (shell: tar --no-same-owner)",
    see = "user_namespaces(7)",
  },
  {
    id = "chown-power", call = CHOWN, errno = "EPERM",
    why = "A change of owner needs CAP_CHOWN in a user namespace that maps both " ..
      "the file's owner and the new one.",
    fix = "leave owners alone, or do it where those ids are mapped",
    see = "chown(2), user_namespaces(7)",
  },
  {
    id = "unmapped-writer", call = "mount open openat mkdir mkdirat mknod mknodat symlink link",
    errno = "EOVERFLOW",
    why = "The process's own uid or gid is not mapped, so a file system of this " ..
      "user namespace cannot write down an owner.",
    fix = "write the map first: ns.map(nil, \"root\") (shell: unshare --map-root-user)",
    see = "user_namespaces(7)",
  },
  {
    id = "mknod", ux = 16, call = "mknod mknodat", errno = "EPERM",
    why = "Device nodes can be made only with CAP_MKNOD in the first user " ..
      "namespace, however mighty uid 0 looks in here.",
    fix = "bind the host's node instead: ns.bind(\"/dev/null\", root .. " ..
      "\"/dev/null\") (shell: touch dev/null; mount --bind /dev/null dev/null)",
    see = "mknod(2), user_namespaces(7)",
  },
  {
    id = "capabilities", call = "capset capget prctl", errno = "EPERM",
    why = "A capability can be kept or dropped, but not taken: it must be in the " ..
      "permitted set (and, for the inheritable set, in the bounding set).",
    fix = "keep it from the start: ns.box{caps={...}}; ns.capabilities() shows the sets",
    see = "capabilities(7)",
  },

  -- names and root ------------------------------------------------------------------
  {
    id = "hostname-power", call = "sethostname setdomainname", errno = "EPERM",
    why = "The name belongs to a UTS namespace whose owner you are not: " ..
      "CAP_SYS_ADMIN over it is missing.",
    fix = "make one of your own: ns.unshare(\"user\", \"uts\") or " ..
      "ns.box{hostname=NAME} (shell: unshare -Ur --uts hostname NAME)",
    see = "sethostname(2), uts_namespaces(7)",
  },
  {
    id = "hostname-long", call = "sethostname setdomainname", errno = "EINVAL",
    why = "The name is longer than 64 bytes.",
    fix = "choose a shorter one",
    see = "sethostname(2)",
  },
  {
    id = "chroot-power", call = "chroot", errno = "EPERM",
    why = "chroot(2) needs CAP_SYS_CHROOT in the process's user namespace.",
    fix = "add a user namespace: ns.unshare(\"user\") first, or " ..
      "ns.box{chroot=DIR} (shell: unshare -Ur chroot DIR)",
    see = "chroot(2)",
  },
  {
    id = "kill-power", call = "kill killpg pidfd_send_signal", errno = "EPERM",
    why = "The process belongs to another user, or to a user namespace that you " ..
      "do not own.",
    fix = "signal it as its owner or as root",
    see = "kill(2)",
  },
}
