-- Change the root of a whole mount namespace and take the old one away: no way leads back.
--
-- Man pages: pivot_root(2), pivot_root(8), mount_namespaces(7), umount(8).
-- Run it:    nslua scripts/pivot_root.lua            (Enter goes on, q quits; no root is needed)
--            nslua --batch scripts/pivot_root.lua    (no key; exit status 0: every claim held)
--            nslua --rootfs=FILE|DIR|URL scripts/pivot_root.lua    (with a root of your choice)
-- What to expect (your folders will differ):
--
--     pivot_root/6  The old root is taken away                                6/8
--       ...
--       to be seen
--         host  32 mounts
--         box   1 mount
--
--       ✔ /mnt is no mount any more, and empty
--
-- `t` is what the steps share: t.root is a root file system, t.box a box with a mount namespace,
-- t.host a process of the throw-away host that the lesson runs on.

local ns = require "nslua"

local NEW = "/tmp/new"

local function identity(path)
  local st = ns.stat(path)
  return st.dev .. ":" .. st.ino
end

local function root_of(proc) return ("/proc/%d/root/"):format(proc.pid) end

local function names(path)
  local list = ns.readdir(path)
  table.sort(list)
  local line = table.concat(list, " ")
  return #line > 60 and line:sub(1, 56):match "^(.*) " .. " ..." or line
end

-- Is something mounted at a folder?
local function has_mount(proc, folder)
  for _, m in ipairs(proc:mounts()) do
    if m.mountpoint == folder then return true end
  end
  return false
end

local function host_root_stays(t)
  t.was = t.was or identity(root_of(t.host))
  return identity(root_of(t.host)) == t.was
end

-- The way out of a chroot: stand above the root and climb.
local function climb()
  ns.chdir "/"
  ns.chroot "/bin"
  for _ = 1, 64 do ns.chdir ".." end
  ns.chroot "."
  return identity "/"
end

return ns.lesson {
  id = "pivot_root", title = "Another root, and no way out", needs = { "mnt", "rootfs" },

  { "A table of its own",
    say = [[chroot moves the root of one process; the mounts stay everybody's. pivot_root(2) changes
      which mount is the root of a mount namespace, for all who are in it. So the first thing is
      such a namespace, with private mounts, so that nobody else is moved.]],
    shell = "unshare --user --map-root-user --mount sh",
    run = function(t) t.box = ns.box { "mnt", pid = false, cwd = "/" } end,
    show = "namespaces",
    check = {
      ["the box has a mount namespace of its own"] = function(t)
        return t.box:ns "mnt" ~= t.host:ns "mnt" end,
      ["its root is the host's, so far"] = function(t)
        return identity(root_of(t.box)) == identity(root_of(t.host)) end },
    keep = { ["the host's root is where it was"] = host_root_stays },
    hint = { "ns.box makes all mounts private. With shared ones pivot_root says EINVAL." } },

  { "A folder is no mount",
    say = [[The new root must be a mount, for it is mounts that change places. A plain folder will
      not do, and the kernel says so in its dullest way.]],
    shell = "mkdir -p /tmp/new; pivot_root /tmp/new /tmp/new        # Invalid argument",
    run = function(t)
      ns.try(ns.mkdir, NEW)
      t.box:call(ns.pivot_root, NEW, NEW)
    end,
    expect = "EINVAL",
    keep = { ["the host's root is where it was"] = host_root_stays },
    hint = { "pivot_root(2) has a whole list of reasons for EINVAL. This is the most common one." } },

  { "A folder made a mount",
    say = [[Any folder becomes a mount when it is bound, to another place or to its own. No file is
      copied: the same folder, and a line in the mount table.]],
    shell = "mount --rbind rootfs /tmp/new        # in that shell",
    run = function(t)
      t.box:call(function() ns.bind(t.root:path(), NEW) end)
    end,
    show = function(t) return NEW .. "  " .. names(root_of(t.box) .. NEW) end,
    check = {
      ["it is a mount in the box"] = function(t) return has_mount(t.box, NEW) end,
      ["there is a shell in it"] = function(t) return ns.lstat(root_of(t.box) .. NEW .. "/bin/sh") end },
    keep = { ["the host has no mount there"] = function(t) return not has_mount(t.host, NEW) end },
    hint = { "ns.bind takes along what is mounted below: the r of rbind." } },

  { "The two change places",
    say = [[The new mount becomes "/", and the old root is hung up at a folder below it. That holds
      for each process of the namespace whose root was the old one, also for those that never
      called pivot_root.]],
    shell = "pivot_root /tmp/new /tmp/new/mnt\nls / /mnt",
    ask = { "Is the host's file system still within reach of the box (yes or no)?", answer = "yes" },
    run = function(t)
      t.box:call(ns.pivot_root, NEW, NEW .. "/mnt")
    end,
    show = function(t) return ("/     %s\n/mnt  %s"):format(names(root_of(t.box)), names(root_of(t.box) .. "mnt")) end,
    check = {
      ["the folder is the root in there"] = function(t)
        return identity(root_of(t.box)) == identity(t.root:path()) end,
      ["all of the host hangs below /mnt"] = function(t)
        return identity(root_of(t.box) .. "mnt") == identity "/" end },
    keep = { ["the host's root is where it was"] = host_root_stays },
    hint = { "The box's first process did not call anything: the kernel moved it along." } },

  { "Still in use",
    say = [[The old root is in reach, so it has to go. But other mounts hang on it: the kernel does
      not saw off a branch that something sits on.]],
    shell = "umount /mnt        # target is busy",
    run = function(t) t.box:call(ns.umount, "/mnt") end,
    expect = "EBUSY",
    keep = { ["the host's root is where it was"] = host_root_stays },
    hint = { "umount -l takes it out of the tree at once, with all that hangs on it." } },

  { "The old root is taken away",
    say = [[Lazily detached, it is out of the tree with everything below it, at once. What is left is
      a table without one line of the host's.]],
    shell = "umount -l /mnt; ls /mnt",
    run = function(t) t.box:call(ns.umount, "/mnt", "detach") end,
    show = function(t) return ("host  %d mounts\nbox   %d mount"):format(#t.host:mounts(), #t.box:mounts()) end,
    check = {
      ["/mnt is no mount any more, and empty"] = function(t)
        return not has_mount(t.box, "/mnt") and #ns.readdir(root_of(t.box) .. "mnt") == 0 end,
      ["the host's /proc is out of reach"] = function(t)
        return identity(root_of(t.box)) == identity(t.root:path()) and not has_mount(t.box, "/proc") end },
    keep = { ["the host's root is where it was"] = host_root_stays },
    hint = { "The host has all its mounts: its table is another one." } },

  { "The way out, tried again",
    say = [[What led out of the chroot leads nowhere now. Above the root there is nothing: the climb
      ends at the root of the namespace, wherever it starts.]],
    shell = "# in C, in the box:\n"
      .. "chroot(\"bin\"); for (i = 0; i < 64; i++) chdir(\"..\"); chroot(\".\");",
    ask = { "Where does the climb end: on the host or in the box?", answer = "in the box" },
    run = function(t) t.ended = t.box:call(climb) end,
    check = {
      ["it ended in the root of the box"] = function(t) return t.ended == identity(root_of(t.box)) end,
      ["that is not the host's"] = function(t) return t.ended ~= nil and t.ended ~= identity "/" end },
    hint = { "chroot hides the host's files. pivot_root and umount take them away." } },

  { "And it may nest",
    say = [[A process in a chroot may not make a user namespace. In here it may, since its root is
      the root of its mount namespace: a container in a container.]],
    shell = "unshare --user --map-root-user true        # in the box",
    run = function(t)
      local inner <close> = t.box:spawn(function() ns.unshare "user" end)
      t.could = inner:wait()
    end,
    check = { ["a user namespace can be made in there"] = function(t) return t.could end },
    hint = { "ns.box{ root = DIR } does all of this lesson: bind, pivot_root, umount." } },

  done = "Next: layers, and what is written to them: nslua scripts/overlay.lua",
}
