-- Make a folder the root of a box, walk out of it again, and see what is missing.
--
-- Man pages: chroot(2), chroot(1), path_resolution(7), capabilities(7).
-- Run it:    nslua scripts/chroot.lua            (Enter goes on, q quits; no root is needed)
--            nslua --batch scripts/chroot.lua    (no key; exit status 0: every claim held)
--            nslua --rootfs=FILE|DIR|URL scripts/chroot.lua    (in a root of your choice)
-- What to expect:
--
--     chroot/5  The way out                                                   5/8
--       ...
--       to be seen
--         it began in   bin etc proc ...
--         it ended in   bin boot dev etc home ...
--
--       ✔ where it ended is the root of the host
--
-- `t` is what the steps share: t.root is the root file system, t.box a process that lives in it,
-- t.host a process of the throw-away host that the lesson runs on.

local ns = require "nslua"

-- What a folder is to the kernel: two with the same answer are one.
local function identity(path)
  local st = ns.stat(path)
  return st.dev .. ":" .. st.ino
end

local function root_of(proc) return ("/proc/%d/root/"):format(proc.pid) end

-- The names in a folder, as many as fit into a line.
local function names(path)
  local list = ns.readdir(path)
  table.sort(list)
  local line = table.concat(list, " ")
  return #line > 56 and line:sub(1, 52):match "^(.*) " .. " ..." or line
end

local function is_in_the_folder(t) return identity(root_of(t.box)) == identity(t.root:path()) end

-- Gives up every capability: what an ordinary user's process has.
local function drop_all()
  ns.capset { effective = "none", permitted = "none", inheritable = "none" }
end

return ns.lesson {
  id = "chroot", title = "Another root, and the way out", needs = { "mnt", "rootfs" },

  { "A system in a folder",
    say = [[A root file system is a folder like others. That there are programs, libraries and
      settings in it, in the usual places, makes it one. Here is one that was at hand.]],
    shell = "ls rootfs rootfs/bin",
    observe = true,
    show = function(t) return t.root:path() .. "\n" .. names(t.root:path()) end,
    check = {
      ["it has a shell"] = function(t) return ns.lstat(t.root:path() .. "/bin/sh") end,
      ["it is not the host's root"] = function(t) return identity(t.root:path()) ~= identity "/" end },
    hint = { "nslua --rootfs=alpine scripts/chroot.lua takes a small distribution." } },

  { "Not for everybody",
    say = [[For each process the kernel keeps where its "/" is. chroot(2) changes that, and nothing
      else. It is for those who hold CAP_SYS_CHROOT: with a root of one's own making, one could
      feed a set-user-id program false passwords.]],
    shell = "chroot rootfs /bin/sh        # as an ordinary user: Operation not permitted",
    run = function(t)
      t.host:call(function()
        drop_all()
        ns.chroot(t.root:path())
      end)
    end,
    expect = "EPERM",
    hint = { "In a user namespace of your own you have that right: unshare -r chroot rootfs sh" } },

  { "A folder becomes /",
    say = [[With the right to do it, it is one call. All paths begin at the folder now, and ".."
      stops there. The link /proc/PID/root shows it to everybody outside.]],
    shell = "unshare --user --map-root-user chroot rootfs /bin/sh\nls /",
    run = function(t) t.box = ns.box { chroot = t.root, pid = false } end,
    show = function(t) return ("host  %s\nbox   %s"):format(names(root_of(t.host)), names(root_of(t.box))) end,
    check = {
      ["the box's root is the folder"] = is_in_the_folder,
      ["the way up ends there"] = function(t)
        return t.box:call(function()
          ns.chdir "/../../.."
          return ns.getcwd()
        end) == "/"
      end },
    keep = { ["the host's root is where it was"] = function(t)
      return identity(root_of(t.host)) == identity "/" end },
    hint = { "A process started in there inherits the root: chroot is not only for the caller." } },

  { "Nothing else is new",
    say = [[It looks like another machine, but it is only another view of the files. The mounts, the
      processes, the network and the name are the host's: no namespace was made.]],
    shell = "readlink /proc/self/ns/*        # inside and outside: the same numbers",
    observe = true,
    show = "namespaces",
    check = {
      ["it shares its mount namespace with the host"] = function(t)
        return t.box:ns "mnt" == t.host:ns "mnt" end,
      ["and all the others"] = function(t)
        for type, handle in pairs(t.box:ns()) do
          if handle ~= t.host:ns(type) then return false, type .. " differs" end
        end
        return true
      end },
    hint = { "The same letter in a column is the same namespace." } },

  { "The way out",
    say = [[The kernel stops ".." at the root, and only there. chroot moves the root, but not the
      process: it stays in the folder where it stands. So: move the root below yourself, and the
      root is no longer on your way up.]],
    shell = "# in C, in the chroot:\n"
      .. "chroot(\"bin\"); for (i = 0; i < 64; i++) chdir(\"..\"); chroot(\".\");",
    ask = { "Where does it end: in the folder or on the host?", answer = "on the host" },
    run = function(t)
      t.began, t.ended, t.seen = t.box:call(function()
        local began = identity "/"
        ns.chdir "/"
        ns.chroot "/bin"                        -- we stand in /, above the root
        for _ = 1, 64 do ns.chdir ".." end
        ns.chroot "."                           -- and this is the host's
        return began, identity "/", names "/"
      end)
    end,
    show = function(t) return ("it began in  %s\nit ended in  %s"):format(names(root_of(t.box)), t.seen) end,
    check = {
      ["it began in the folder"] = function(t) return t.began == identity(t.root:path()) end,
      ["where it ended is the root of the host"] = function(t) return t.ended == identity "/" end },
    hint = { "chroot(2) itself describes it: \"This call does not change the current working directory\"." } },

  { "An open door",
    say = [[A process needs not even stand outside: a folder that it had opened before is enough. An
      open file knows nothing of roots; fchdir(2) goes where it leads.]],
    shell = "# in C:\ndoor = open(\"/\", O_DIRECTORY); chroot(\"rootfs\"); fchdir(door);",
    run = function(t)
      t.inside, t.after = t.host:call(function()
        local door = ns.open("/", "directory")
        ns.chroot(t.root:path())
        local inside = identity "/"
        ns.chdir(door)
        return inside, identity "."
      end)
    end,
    check = {
      ["it was inside"] = function(t) return t.inside == identity(t.root:path()) end,
      ["through the door it came out"] = function(t) return t.after == identity "/" end },
    hint = { "So all that nslua opens is closed on exec, unless it is handed over on purpose." } },

  { "Without the right, no second chroot",
    say = [[The first way out was a second chroot. Whoever gives up CAP_SYS_CHROOT after entering
      cannot take it. That is why a service calls chroot, and then becomes an ordinary user.]],
    shell = "capsh --drop=all -- -c 'chroot /bin /sh'        # Operation not permitted",
    run = function(t)
      t.safe = ns.box { chroot = t.root, pid = false, caps = "none" }
      t.safe:call(ns.chroot, "/bin")
    end,
    expect = "EPERM",
    check = {
      ["it is in the folder"] = function(t)
        return identity(root_of(t.safe)) == identity(t.root:path()) end,
      ["it has no capability"] = function(t)
        return tostring(ns.capabilities(t.safe).effective) == "none" end },
    hint = { "But an open door would still be open." } },

  { "And no new rights",
    say = [[A user namespace would give all capabilities back, and the way out with them. The kernel
      knows this: in a chroot it makes none. For a container that may nest there must be a better
      way to change the root.]],
    shell = "unshare --user        # in the chroot: Operation not permitted",
    run = function(t) t.safe:call(ns.unshare, "user") end,
    expect = "EPERM",
    hint = { "The better way moves the root for the whole mount namespace: pivot_root(2)." } },

  done = "Next: the better way: nslua scripts/pivot_root.lua",
}
