-- SPDX-License-Identifier: MIT
-- Rows of the doctor's table that no refused call leads to: what is worth
-- knowing about this machine or this process before something surprises.

return {
  {
    id = "ci-restriction", ux = 22,
    when = function(s) return s.ci and s.apparmor_restrict == 1 end,
    why = "This is {ci} on a system that restricts unprivileged user namespaces " ..
      "(Ubuntu 24.04 runners do; 22.04 ones did not).",
    fix = "add one line to the job before the lessons: sudo sysctl -w " ..
      "kernel.apparmor_restrict_unprivileged_userns=0; or run: sudo nslua --batch ...",
    command = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    weakens = "every program of this (throw-away) runner may create user namespaces",
  },
  {
    id = "proc-stale", ux = 12,
    when = function(s) return s.proc_self and s.pid and s.proc_self ~= s.pid end,
    why = "/proc still shows another pid namespace: there this process is " ..
      "{proc_self}, here it is {pid}. ps shows the processes of that namespace.",
    fix = "mount a fresh one: ns.mount(\"proc\", \"/proc\", \"proc\") in a mount " ..
      "namespace of your own (shell: mount -t proc proc /proc)",
    see = "pid_namespaces(7)",
  },
  {
    id = "proc-absent", ux = 12,
    when = function(s) return s.proc == false end,
    why = "No /proc is mounted here, so ps shows nothing and much of this page " ..
      "cannot be known.",
    fix = "ns.mount(\"proc\", \"/proc\", \"proc\") (shell: mount -t proc proc /proc)",
    see = "proc(5)",
  },
  {
    id = "proc-covered", ux = 10,
    when = function(s) return s.proc_masked and #s.proc_masked > 0 end,
    why = function(s)
      return "Parts of /proc are covered (" .. table.concat(s.proc_masked, " ") ..
        "), so the kernel lets no user namespace mount a fresh one: \"mount too revealing\"."
    end,
    fix = "start the outer container with --security-opt unmask=ALL (podman) or " ..
      "--security-opt systempaths=unconfined (docker)",
    see = "proc(5), mount_namespaces(7)",
  },
  {
    id = "one-id", ux = 13,
    when = function(s)
      return s.initial_user == false and s.mapped_uids == 1
    end,
    why = "One uid is mapped here, so a chown to any other ends with EINVAL, " ..
      "even for uid 0; tar meets this as \"Cannot change ownership\".",
    fix = "ns.rootfs ignores owners (shell: tar --no-same-owner)",
    see = "user_namespaces(7)",
  },
  {
    id = "groups-denied", ux = 14,
    when = function(s) return s.setgroups == "deny" end,
    why = "setgroups is denied here, so su and login say \"cannot set groups\": " ..
      "expected with a one-line map.",
    fix = "as root, or with newuidmap (shell: unshare --map-auto), it stays allowed",
    see = "user_namespaces(7)",
  },
  {
    id = "no-subids", ux = 15,
    when = function(s)
      return s.initial_user and s.euid ~= 0 and s.euid ~= nil and
        ((s.subuid or 0) == 0 or not s.newuidmap)
    end,
    why = function(s)
      if (s.subuid or 0) > 0 then
        return "You have subordinate ids, but newuidmap is not installed."
      end
      return "No line of /etc/subuid is yours: boxes map your own uid only, " ..
        "which is all that the lessons need."
    end,
    fix = "for 65536 ids an admin runs: usermod --add-subuids 100000-165535 " ..
      "--add-subgids 100000-165535 USER (package uidmap has newuidmap)",
    command = "sudo usermod --add-subuids 100000-165535 --add-subgids " ..
      "100000-165535 \"$USER\"",
    weakens = "your processes may use 65536 further ids, which nobody else should own",
    see = "newuidmap(1), subuid(5)",
  },
  {
    id = "no-devices", ux = 16,
    when = function(s) return s.initial_user == false end,
    why = "Device nodes cannot be made in a user namespace: mknod ends with EPERM.",
    fix = "bind the host's node: ns.bind(\"/dev/null\", target)",
    see = "mknod(2)",
  },
  {
    id = "hidden-processes", ux = 18,
    when = function(s) return s.euid and s.euid ~= 0 and s.initial_user ~= nil end,
    why = "Namespaces of other users' processes are readable by root only; lists " ..
      "show them as \"?\".",
    fix = "sudo nslua ... shows all",
    see = "ptrace(2)",
  },
  {
    id = "shared-root", ux = 20,
    when = function(s) return s.root_shared end,
    why = "Mounts below / are shared: one made without a mount namespace of your " ..
      "own shows everywhere and stays after you.",
    fix = "ns.unshare(\"mnt\") and ns.propagate(\"/\", \"rprivate\"); ns.box{mnt=true} " ..
      "does both (shell: unshare --mount)",
    see = "mount_namespaces(7)",
  },
  {
    id = "locked-mounts", ux = 21,
    when = function(s) return s.initial_user == false end,
    why = "Mounts that came with the namespace are locked: umount answers EINVAL.",
    fix = "mount over them, or leave the whole tree by ns.pivot_root",
    see = "mount_namespaces(7)",
  },
  {
    id = "wsl-old", ux = 17,
    when = function(s) return s.wsl == 1 end,
    why = "This is WSL 1, which has no real Linux kernel and so no namespaces.",
    fix = "convert it (Windows: wsl --set-version NAME 2)",
  },
  {
    id = "no-new-privs",
    when = function(s) return s.no_new_privs end,
    why = "no_new_privs is set: sudo, su and newuidmap cannot gain rights here.",
    fix = "start nslua outside the sandbox that set it",
    see = "prctl(2)",
  },
}
