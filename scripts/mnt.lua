-- Give a box a mount table of its own, let one of its mounts leak out to the host, and cure the leak.
--
-- Man pages: mount_namespaces(7), mount(2), unshare(1), proc_pid_mounts(5), proc_pid_mountinfo(5).
-- Run it:    nslua scripts/mnt.lua            (Enter goes on, q quits; no root is needed)
--            nslua --batch scripts/mnt.lua    (no key; exit status 0: every claim held)
-- What to expect (your numbers will differ):
--
--     mnt/7  The leak                                                        7/10
--       ...
--       to be seen
--         host  1 mount at /tmp/peers/new
--         box   1 mount at /tmp/peers/new
--
--       ✔ the box has the mount
--       ✔ the host has got it as well
--
-- `t` is what the steps share: t.box and the other boxes, and t.host, a process of the throw-away
-- host that the lesson runs on. Its /tmp is an empty file system of its own, so all that is mounted
-- here, and leaks here, is gone with the lesson.

local ns = require "nslua"

-- The mounts that a process sees at a folder; the one on top is the last.
local function mounts_at(proc, folder)
  local found = {}
  for _, m in ipairs(proc:mounts()) do
    if m.mountpoint == folder then found[#found + 1] = m end
  end
  return found
end

local function has(proc, folder) return #mounts_at(proc, folder) > 0 end

-- What the step shows: who has something mounted at a folder.
local function who_has(folder)
  return function(t)
    local lines = {}
    for _, name in ipairs { "host", "box", "leaky", "private", "slave" } do
      local n = t[name] and #mounts_at(t[name], folder)
      if n then lines[#lines + 1] = ("%-8s %d mount%s at %s"):format(name, n, n == 1 and "" or "s", folder) end
    end
    return lines
  end
end

local function mount_tmpfs(folder)
  ns.try(ns.mkdir, folder)
  ns.mount("tmpfs", folder, "tmpfs")
end

local function host_has_nothing_inside(t) return not has(t.host, "/tmp/inside") end

return ns.lesson {
  id = "mnt", title = "Mounts of its own", needs = { "mnt" },

  { "A table for everybody",
    say = [[Linux has one tree of folders, put together from many file systems. The table says which
      is mounted where. The kernel keeps one table for each mount namespace and shows it, for each
      process, in /proc/PID/mounts and, with all details, in /proc/PID/mountinfo.]],
    shell = "cat /proc/self/mounts; findmnt",
    observe = true,
    show = "mounts",
    check = {
      ["ns.mounts reads the same table as /proc/PID/mounts"] = function(t)
        local lines = 0
        for _ in io.lines(("/proc/%d/mounts"):format(t.host.pid)) do lines = lines + 1 end
        return lines == #t.host:mounts()
      end,
      ["we share our table with the host"] = function(t)
        return ns.of(ns.getpid(), "mnt") == t.host:ns "mnt"
      end },
    hint = { "/proc/mounts is a link to /proc/self/mounts: each reader gets his own table." } },

  { "A mount is for all who share the table",
    say = [[mount(2) writes a line into the table of the caller. Whoever shares the table has the
      new file system at once, whether it was asked for or not. A tmpfs is the simplest: it lives in
      memory and needs no disk.]],
    shell = "mkdir /tmp/data\nsudo mount -t tmpfs tmpfs /tmp/data",
    run = function(t)
      ns.mkdir "/tmp/data"
      t.data = ns.mount("tmpfs", "/tmp/data", "tmpfs")
      io.open("/tmp/data/hello", "w"):close()
    end,
    show = who_has "/tmp/data",
    check = {
      ["the host has the mount"] = function(t) return has(t.host, "/tmp/data") end,
      ["the file in it is in the host's tree"] = function(t)
        return ns.access(("/proc/%d/root/tmp/data/hello"):format(t.host.pid))
      end },
    hint = { "It was this lesson that called mount, not the host: the table is the same one." } },

  { "A copy of the table",
    say = [[A new mount namespace begins with a copy of the table: the same file systems in the same
      places. No file is copied. From now on there are two tables that may go different ways.]],
    shell = "unshare --user --map-root-user --mount sh\nreadlink /proc/self/ns/mnt",
    run = function(t) t.box = ns.box { "mnt", pid = false } end,
    show = "namespaces",
    check = {
      ["the box has a mount namespace of its own"] = function(t)
        return t.box:ns "mnt" ~= t.host:ns "mnt" end,
      ["its table is as long as the host's"] = function(t) return #t.box:mounts() == #t.host:mounts() end,
      ["it even has the tmpfs of the last step"] = function(t) return has(t.box, "/tmp/data") end },
    hint = { "A shell in the box (s) sees the same files. Try ls /tmp/data." } },

  { "Mounted inside",
    say = "What the box mounts now is written into its own table. The host's stays as it is.",
    shell = "mkdir /tmp/inside; mount -t tmpfs tmpfs /tmp/inside        # in that shell",
    ask = { "The folder /tmp/inside is made first. Does the host see the folder, too (yes or no)?",
      answer = "yes" },
    run = function(t) t.box:call(mount_tmpfs, "/tmp/inside") end,
    show = who_has "/tmp/inside",
    check = {
      ["the box has the mount"] = function(t) return has(t.box, "/tmp/inside") end,
      ["the folder under it is everybody's"] = function() return ns.access "/tmp/inside" end },
    keep = { ["the host has no mount there"] = host_has_nothing_inside },
    hint = { "A namespace separates the table, not the files: /tmp is one file system in both." } },

  { "The same folder twice",
    say = [[A bind mount shows a folder that is there already at a second place. It is no copy and no
      link: the same file system, from that folder on. It can have options of its own, so the
      second place may be read-only while the first is not.]],
    shell = "mkdir /tmp/view\nmount --bind -o ro /tmp/data /tmp/view        # in the box",
    run = function(t)
      t.box:call(function()
        ns.mkdir "/tmp/view"
        ns.bind("/tmp/data", "/tmp/view", { ro = true })
      end)
    end,
    show = function(t)
      local m = mounts_at(t.box, "/tmp/view")[1]
      return ("%s  %s  %s"):format(m.mountpoint, m.type, m.options)
    end,
    check = {
      ["it is the very same file"] = function(t)
        local a, b = t.box:call(function()
          return ns.stat "/tmp/data/hello".ino, ns.stat "/tmp/view/hello".ino
        end)
        return a == b
      end,
      ["the table says ro"] = function(t)
        return mounts_at(t.box, "/tmp/view")[1].options:find "^ro" end },
    keep = { ["the host has no mount there"] = function(t) return not has(t.host, "/tmp/view") end },
    hint = { "With plain mount(2) it takes two calls: MS_BIND first, then a remount with MS_RDONLY." } },

  { "Writing through the read-only place",
    say = [[The rights of the folder allow it, and we are root in the box. But the way leads over a
      mount that is read-only, and that is asked first.]],
    shell = "mkdir /tmp/view/new        # in the box: Read-only file system",
    run = function(t) t.box:call(ns.mkdir, "/tmp/view/new") end,
    expect = "EROFS",
    keep = { ["nothing was made, on neither way"] = function()
      return not ns.access "/tmp/data/new" and not ns.access "/tmp/view/new" end },
    hint = { "mkdir /tmp/data/new would do: the other way to the same folder." } },

  { "The leak",
    say = [[A mount can be a peer of its copies: what is mounted below one appears below all of them.
      That is called shared propagation, and systemd makes the whole tree of a machine so. A new
      namespace that keeps it, as the bare system call does, has a table of its own, and yet its
      mounts leak to the host.]],
    shell = [[
      mkdir -p /tmp/peers/new; sudo mount --bind /tmp/peers /tmp/peers
      sudo mount --make-shared /tmp/peers
      sudo unshare --mount --propagation unchanged \
        mount -t tmpfs tmpfs /tmp/peers/new]],
    run = function(t)
      ns.mkdir "/tmp/peers"
      t.peers = ns.bind("/tmp/peers", "/tmp/peers")
      ns.propagate("/tmp/peers", "shared")
      t.leaky = ns.box { "mnt", pid = false, propagation = false }
      t.leaky:call(mount_tmpfs, "/tmp/peers/new")
    end,
    show = who_has "/tmp/peers/new",
    check = {
      ["they are two namespaces"] = function(t) return t.leaky:ns "mnt" ~= t.host:ns "mnt" end,
      ["both say shared, with the same number"] = function(t)
        local a, b = mounts_at(t.host, "/tmp/peers")[1], mounts_at(t.leaky, "/tmp/peers")[1]
        return a.propagation:find "^shared:" and a.propagation == b.propagation
      end,
      ["the host has got the mount"] = function(t) return has(t.host, "/tmp/peers/new") end },
    hint = { "Look for shared:N in /proc/self/mountinfo: equal numbers are peers.",
      "findmnt -o TARGET,PROPAGATION shows it for a whole tree." } },

  { "The cure",
    say = [[Make everything private before the first mount: that is what unshare(1) and ns.box do
      unless they are told otherwise. The r in rprivate means this mount and all below it; without
      it, only the root itself would be private, and the leak would stay.]],
    shell = "sudo unshare --mount sh        # --propagation private is the default\n"
      .. "mkdir /tmp/peers/own; mount -t tmpfs tmpfs /tmp/peers/own",
    run = function(t)
      t.private = ns.box { "mnt", pid = false, propagation = "rprivate" }
      t.private:call(mount_tmpfs, "/tmp/peers/own")
    end,
    show = who_has "/tmp/peers/own",
    check = {
      ["the box has the mount"] = function(t) return has(t.private, "/tmp/peers/own") end,
      ["no mount in it has a peer"] = function(t)
        for _, m in ipairs(t.private:mounts()) do
          if m.propagation ~= "private" then return false, m.mountpoint .. " is " .. m.propagation end
        end
        return true
      end },
    keep = { ["the host has no mount there"] = function(t) return not has(t.host, "/tmp/peers/own") end },
    hint = { "mount(8) spells it: mount --make-rprivate /" } },

  { "One way only",
    say = [[Between the two is the slave: what the host mounts later comes in, what the box mounts
      does not get out. This is how a memory stick that you plug in can appear in a container that
      runs already.]],
    shell = "sudo unshare --mount --propagation slave sh\n"
      .. "mkdir /tmp/peers/mine; mount -t tmpfs tmpfs /tmp/peers/mine",
    ask = { "Host and box mount one each. How many does the box have then (a number)?", answer = 2 },
    run = function(t)
      t.slave = ns.box { "mnt", pid = false, propagation = "rslave" }
      t.host:call(mount_tmpfs, "/tmp/peers/stick")
      t.slave:call(mount_tmpfs, "/tmp/peers/mine")
    end,
    show = function(t)
      return table.concat(who_has "/tmp/peers/stick"(t), "\n") .. "\n\n"
        .. table.concat(who_has "/tmp/peers/mine"(t), "\n")
    end,
    check = {
      ["the host's came in"] = function(t) return has(t.slave, "/tmp/peers/stick") end,
      ["the box has its own"] = function(t) return has(t.slave, "/tmp/peers/mine") end,
      ["the private box got neither"] = function(t)
        return not has(t.private, "/tmp/peers/stick") and not has(t.private, "/tmp/peers/mine")
          and t.private.running
      end },
    keep = { ["the host has none of the box's"] = function(t)
      return not has(t.host, "/tmp/peers/mine") end },
    hint = { "mountinfo says master:N for a slave: N is the group that it listens to." } },

  { "What came locked",
    say = [[A box of an ordinary user has a user namespace as well. It could lay something over a
      mount of the host, but not take one off: what is under it was perhaps hidden on purpose. The
      kernel locks these mounts together.]],
    shell = "unshare --user --map-root-user --mount umount /tmp/data        # refused",
    run = function(t)
      t.guest = ns.box { "user", "mnt", pid = false }
      t.guest:call(ns.umount, "/tmp/data")
    end,
    expect = "EINVAL",
    check = { ["the box still has it"] = function(t) return has(t.guest, "/tmp/data") end },
    keep = { ["so has the host"] = function(t) return has(t.host, "/tmp/data") end },
    hint = { "mount_namespaces(7), \"Restrictions on mount namespaces\"." } },

  done = "Next: message queues and shared memory: nslua scripts/ipc.lua",
}
