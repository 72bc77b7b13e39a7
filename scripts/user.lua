-- Be root in a box and nobody special outside: ids and their maps, owners of files, capabilities.
--
-- Man pages: user_namespaces(7), capabilities(7), unshare(1), newuidmap(1), subuid(5).
-- Run it:    nslua scripts/user.lua            (Enter goes on, q quits; no root is needed)
--            nslua --batch scripts/user.lua    (no key; exit status 0: every claim held)
-- What to expect (your own number stands where 1000 is):
--
--     user/4  One line makes root                                            4/12
--       ...
--       to be seen
--         seen in the box    uid 0
--         seen on the host   uid 1000
--
--       ✔ inside it is root
--       ✔ outside it is who it was
--
-- `t` is what the steps share: t.box is the box, t.host a process of the throw-away host that the
-- lesson runs on. On this host you are an ordinary user with your own number; root plays one, too.

local ns = require "nslua"

local NOBODY = 65534 -- what the kernel shows for an id that has no number here

local me, group = ns.getuid, ns.getgid

-- The uid of a process as its status file tells it to this reader.
local function uid_of(proc)
  for line in io.lines(("/proc/%d/status"):format(proc.pid)) do
    local uid = line:match "^Uid:%s+(%d+)"
    if uid then return tonumber(uid) end
  end
end

local function map_of(proc)
  local f <close> = assert(io.open(("/proc/%d/uid_map"):format(proc.pid)))
  return (f:read "a":gsub("%s+", " "))
end

-- The id that a process has inside, its own words.
local function uid_inside(t) return (t.box:call(ns.getuid)) end

local function both_sides(t)
  return { ("seen in the box    uid %d"):format(uid_inside(t)), ("seen on the host   uid %d"):format(uid_of(t.box)) }
end

-- Gives up every capability, as a process has none that an ordinary shell started.
local function drop_all()
  ns.capset { effective = "none", permitted = "none", inheritable = "none" }
end

local function host_keeps_its_name(t)
  t.name = t.name or t.host:hostname()
  return t.host:hostname() == t.name
end

return ns.lesson {
  id = "user", title = "Root in the box, and not outside", needs = { "user", "uts" },

  { "A number, and what it means",
    say = [[The kernel knows users by numbers alone. A user namespace gives them a meaning: a table
      in /proc/PID/uid_map says which number inside is which number outside. Three columns: first
      inside, first outside, how many.]],
    shell = "id; cat /proc/self/uid_map; readlink /proc/self/ns/user",
    observe = true,
    show = function(t) return ("uid %d, gid %d\nuid_map %s\n%s"):format(me(), group(), map_of(t.host),
      ns.readlink "/proc/self/ns/user") end,
    check = {
      ["we are in the host's user namespace"] = function(t)
        return ns.of(ns.getpid(), "user") == t.host:ns "user" end,
      ["the host's process has our number"] = function(t) return uid_of(t.host) == me() end },
    hint = { "A machine's first user namespace maps each number to itself: 0 0 4294967295." } },

  { "Nobody",
    say = [[A user namespace is the only one that an ordinary user may make; all others become
      possible with it. It begins with an empty table: no number outside has a number inside.
      Whoever asks in there gets the overflow id, 65534, which most systems call nobody.]],
    shell = "unshare --user sh\nid; cat /proc/self/uid_map        # in it",
    ask = { "Which uid does a process in there see of itself (a number)?", answer = NOBODY },
    run = function(t) t.box = ns.box { "user", map = false } end,
    show = both_sides,
    check = {
      ["the box has a user namespace of its own"] = function(t)
        return t.box:ns "user" ~= t.host:ns "user" end,
      ["its table is empty"] = function(t) return map_of(t.box) == "" end,
      ["inside it is nobody"] = function(t) return uid_inside(t) == NOBODY end },
    keep = { ["the host's process is who it was"] = function(t) return uid_of(t.host) == me() end },
    hint = { "It has not become another user: it has no number in there, that is all." } },

  { "No way to root yet",
    say = [[The process holds every capability in its new namespace, and still cannot become root:
      the number 0 stands for nobody there. That is no question of rights, so it is no EPERM.]],
    shell = "setpriv --reuid=0 id        # in it: Invalid argument",
    run = function(t) t.box:call(ns.setuid, 0) end,
    expect = "EINVAL",
    hint = { "setuid(2), EINVAL: \"The user ID specified in uid is not valid in this user namespace.\"" } },

  { "One line makes root",
    say = [[The table is written from outside, once. An ordinary user may write one line, and only
      about himself: the number inside is free, the number outside must be his own. And setgroups(2)
      must be switched off first, or one could get rid of a group that is there to keep one out.]],
    shell = [[
      echo deny > /proc/PID/setgroups        # PID: the shell that unshare started
      echo "0 $(id -u) 1" > /proc/PID/uid_map
      echo "0 $(id -g) 1" > /proc/PID/gid_map]],
    run = function(t)
      ns.map(t.box, {
        setgroups = "deny", uid = { 0, me(), 1 }, gid = { 0, group(), 1 },
      })
    end,
    show = both_sides,
    check = {
      ["inside it is root"] = function(t) return uid_inside(t) == 0 end,
      ["so is its group"] = function(t) return t.box:call(ns.getgid) == 0 end },
    keep = { ["outside it is who it was"] = function(t) return uid_of(t.box) == me() end },
    hint = { "unshare --map-root-user (-r) writes these three files for you; so does ns.box." } },

  { "Once and for all",
    say = "A table that could be changed would let a file change its owner. The kernel takes it once.",
    shell = "echo \"1000 $(id -u) 1\" > /proc/PID/uid_map        # Operation not permitted",
    run = function(t)
      ns.map(t.box, { uid = { 1000, me(), 1 }, gid = { 1000, group(), 1 } })
    end,
    expect = "EPERM",
    keep = { ["it is root as before"] = function(t) return uid_inside(t) == 0 end },
    hint = { "Another table is another user namespace." } },

  { "Two owners of one file",
    say = [[The disk keeps the outer number of an owner. Each reader gets it translated: root's file
      in the box is your file outside. And what belongs to a number without a line in the table,
      such as the root directory, seems to belong to nobody.]],
    shell = "touch /tmp/made; ls -ln / /tmp/made        # in the box\nls -ln /tmp/made        # on the host",
    run = function(t)
      t.box:call(function() ns.open("/tmp/made", "wronly,creat"):close() end)
    end,
    show = function(t)
      local made, root = t.box:call(function() return ns.stat "/tmp/made".uid, ns.stat "/".uid end)
      return ("          inside  outside\n/tmp/made %6d  %7d\n/         %6d  %7d"):format(made,
        ns.stat "/tmp/made".uid, root, ns.stat "/".uid)
    end,
    check = {
      ["inside, root owns it"] = function(t)
        return t.box:call(function() return ns.stat "/tmp/made".uid end) == 0 end,
      ["outside, you do"] = function() return ns.stat "/tmp/made".uid == me() end,
      ["inside, the root directory is nobody's"] = function(t)
        return t.box:call(function() return ns.stat "/".uid end) == NOBODY end },
    hint = { "So a box writes into your folders with your rights, and with no others." } },

  { "An owner without a number",
    say = [[Root may give a file away. But to whom? The number 1 has no line in the table, so it means
      no user at all. This is what an archive runs into that wants to restore its owners.]],
    shell = "chown 1:1 /tmp/made        # in the box: Invalid argument",
    run = function(t) t.box:call(ns.chown, "/tmp/made", 1, 1) end,
    expect = "EINVAL",
    keep = { ["in there, root owns it"] = function(t)
      return t.box:call(function() return ns.stat "/tmp/made".uid end) == 0 end },
    hint = { "tar --no-same-owner, or more lines in the table: the last step." } },

  { "Root over what?",
    say = [[Each namespace of another type belongs to the user namespace in which it was made. A
      capability counts in one's own user namespace and in those below. The host's name belongs to
      the host: our root has nothing to say there.]],
    shell = "hostname mine        # in the box: Operation not permitted",
    ask = { "May root in the box rename the host (yes or no)?", answer = "no" },
    run = function(t) t.box:call(ns.sethostname, "mine") end,
    expect = "EPERM",
    keep = { ["the host is called what it was"] = host_keeps_its_name },
    hint = { "The box has no UTS namespace of its own: the one it uses is the host's." } },

  { "Root over what it owns",
    say = "With a UTS namespace made together with the user namespace, the same call is allowed.",
    shell = "unshare --user --map-root-user --uts sh -c 'hostname mine; hostname'",
    run = function(t)
      t.own = ns.box { "user", "uts" }
      t.own:call(ns.sethostname, "mine")
    end,
    check = {
      ["its name is mine"] = function(t) return t.own:hostname() == "mine" end,
      ["its UTS namespace belongs to its user namespace"] = function(t)
        return t.own:ns("uts"):owner() == t.own:ns "user" end },
    keep = { ["the host is called what it was"] = host_keeps_its_name },
    hint = { "lsns --tree=owner draws who owns what." } },

  { "Capabilities, before and after",
    say = [[Root's power comes in some forty pieces, the capabilities. An ordinary process has none.
      One call, and it has all of them: over the new namespace, and over nothing that was there
      before.]],
    shell = "grep CapEff /proc/self/status\n"
      .. "unshare --user --map-root-user grep CapEff /proc/self/status",
    run = function(t)
      t.before, t.after = t.host:call(function()
        drop_all()
        local before = tostring(ns.capabilities().effective)
        ns.unshare "user"
        return before, tostring(ns.capabilities().effective)
      end)
      print("before:", t.before)
      print("after:", t.after)
    end,
    check = {
      ["before it had none"] = function(t) return t.before == "none" end,
      ["after it had all"] = function(t) return t.after == "all" end },
    keep = { ["the host's process has none"] = function(t)
      return tostring(ns.capabilities(t.host).effective) == "none" end },
    hint = { "With an exec they would be gone again, unless the process is root inside by then." } },

  { "More than one number",
    say = [[A whole system needs more users than root. But the numbers of other people are not yours
      to give away: the kernel refuses a second line. ns.map then asks a helper that the administrator
      may have installed, newuidmap; here it has nothing to give, or no right to.]],
    shell = [[
      unshare --user sleep 60 &
      env printf "0 $(id -u) 1\n1 100000 65536\n" > /proc/$!/uid_map  # refused]],
    run = function(t)
      t.host:call(function()
        drop_all()
        local two_lines = { { 0, me(), 1 }, { 1, 100000, 65536 } }
        local child <close> = ns.clone({ "user" }, { "sleep", "60" })
        ns.map(child, { uid = two_lines })
      end)
    end,
    expect = "EPERM",
    keep = { ["the host's process is who it was"] = function(t) return uid_of(t.host) == me() end },
    hint = { "It needs CAP_SETUID outside: the administrator has it, and that helper, outside of a lesson." } },

  { "Subordinate numbers",
    say = [[The administrator can put numbers aside for a user: a line in /etc/subuid says which. Two
      small programs with special rights, newuidmap and newgidmap, write them into a table, and
      look into these files first. That is how a whole distribution runs without root.]],
    shell = "grep $(id -un) /etc/subuid /etc/subgid\nunshare --user --map-root-user --map-auto sh",
    observe = true,
    show = function()
      local lines = {}
      for _, file in ipairs { "/etc/subuid", "/etc/subgid" } do
        local f <close> = io.open(file)
        local text = f and f:read "a" or ""
        lines[#lines + 1] = file .. ": " .. (text:match "%S" and "\n" .. text or "nobody has any on this machine")
      end
      return lines
    end,
    check = { ["a lesson cannot use them: without rights over the host"] = function(t)
      return tostring(ns.capabilities(t.host).effective) == "none" end },
    hint = { "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER gives you some.",
      "Outside of a lesson: ns.box{ map = \"subids\" }" } },

  done = "Next: networks of its own: nslua scripts/net.lua",
}
