-- Give a box its own view of the control groups, then group processes: to freeze, limit and end them.
--
-- Man pages: cgroup_namespaces(7), cgroups(7), and the kernel's admin-guide/cgroup-v2.
-- Run it:    nslua scripts/cgroup.lua            (Enter goes on, q quits; no root is needed)
--            nslua --batch scripts/cgroup.lua    (no key; exit status 0: every claim held)
-- What to expect (your paths will differ):
--
--     cgroup/2  A view of its own                                            2/11
--       ...
--       to be seen
--         host  /user.slice/user-1000.slice/session-2.scope
--         box   /
--
--       ✔ the box sees itself at the root
--       ✔ the host sees where it really is
--
-- `t` is what the steps share: t.box is the box, t.host a process of the throw-away host that the
-- lesson runs on. Control groups are no part of a mount table: a group that is made here is one of
-- the machine. So t.note writes each down before it is made; it is removed, whatever ends the lesson.
-- An ordinary user may rarely make one, and a controller may be missing: such steps say so.

local ns = require "nslua"

local TREE = "/tmp/tree" -- where the box mounts the groups

-- A file of the box, looked at from outside.
local function within(t, path) return ("/proc/%d/root%s/%s"):format(t.box.pid, TREE, path) end

local function read(path)
  local f <close> = assert(io.open(path))
  return f:read "a"
end

local function write(path, text)
  local f <close> = ns.open(path, "wronly")
  f:write(text)
end

-- The group of a process: the line of the unified tree, as the reader sees it.
local function group_of(pid) return read(("/proc/%d/cgroup"):format(pid)):match "0::([^\n]*)" end

local function group_seen_inside(t, pid) return t.box:call(group_of, pid) end

local function soon(fn)
  for _ = 1, 500 do
    if fn() then return true end
    ns.poll({}, 0.01)
  end
  return false
end

-- Where the machine itself has the tree: what we make has to be removed there.
local function machines_tree()
  for _, m in ipairs(ns.mounts()) do
    if m.type == "cgroup2" and m.root == "/" then return m.mountpoint end
  end
end

-- Groups nest; the innermost is removed first, and none while somebody is in it.
local group = { __close = function(self)
  ns.try(write, self.inside .. "/cgroup.kill", "1")
  for i = #self.names, 1, -1 do
    soon(function()
      local ok, _, _, err = ns.try(ns.rmdir, self.inside .. "/" .. self.names[i])
      return ok or err.name ~= "EBUSY"
    end)
  end
end }

local function group_handle(inside) return setmetatable({ inside = inside, names = { "" } }, group) end

-- Makes a group below the box's own; written down first, by the name that it has on the machine.
local function make_group(t, name)
  local above = (machines_tree() .. group_of(ns.getpid())):gsub("/$", "")
  t.note("rmdir", above .. "/" .. name)
  t.box:call(ns.mkdir, TREE .. "/" .. name)
end

local function is_frozen(t) return read(t.group.inside .. "/cgroup.events"):find "frozen 1" end

local function why_no_group(t)
  if not machines_tree() then return "no cgroup2 is mounted on this machine" end
  if not t.box:call(ns.access, TREE .. "/cgroup.procs", "w") then
    return "this user may not make groups here (systemd-run --user --scope --property=Delegate=yes may help)"
  end
end

-- A controller works below a group when the group hands it on. It can when it is a root, or empty.
local function why_no_controller(name)
  return function(t)
    local why = why_no_group(t)
    if why then return why end
    if not (" " .. read(within(t, "cgroup.controllers")):gsub("\n", " ")):find(" " .. name .. " ", 1, true) then
      return ("there is no controller %s in this part of the tree"):format(name)
    end
    local ok, message = ns.try(write, within(t, "cgroup.subtree_control"), "+" .. name)
    return not ok and ("%s cannot be handed on: %s"):format(name, message) or nil
  end
end

return ns.lesson {
  id = "cgroup", title = "Control groups", needs = { "cgroup", "mnt" },

  { "A place in a tree",
    say = [[Every process is in a control group. The groups are a tree of folders; what is written into
      their files holds for all processes in them. Where a process is says /proc/PID/cgroup: the line
      that begins with 0:: is the unified tree, version 2.]],
    shell = "cat /proc/self/cgroup; readlink /proc/self/ns/cgroup",
    observe = true,
    show = function(t) return read(("/proc/%d/cgroup"):format(t.host.pid)) end,
    check = {
      ["we are in the same group as the host"] = function(t)
        return group_of(ns.getpid()) == group_of(t.host.pid) end,
      ["and in its cgroup namespace"] = function(t)
        return ns.of(ns.getpid(), "cgroup") == t.host:ns "cgroup" end },
    hint = { "Other lines are trees of version 1, one for each controller." } },

  { "A view of its own",
    say = [[The path tells a process who its neighbours are, and on which machine it runs. A cgroup
      namespace hides this: the group in which it was made is the root, for all who are in it. The
      process is where it was; only the path begins elsewhere.]],
    shell = "unshare --user --map-root-user --cgroup cat /proc/self/cgroup",
    ask = { "Which path does the box see for itself?", answer = "/" },
    run = function(t) t.box = ns.box { "cgroup", "mnt", pid = false } end,
    show = function(t) return ("host  %s\nbox   %s"):format(group_of(t.host.pid),
      group_seen_inside(t, t.box.pid)) end,
    check = {
      ["the box has a cgroup namespace of its own"] = function(t)
        return t.box:ns "cgroup" ~= t.host:ns "cgroup" end,
      ["the box sees itself at the root"] = function(t)
        return group_seen_inside(t, t.box.pid) == "/" end,
      ["the host sees where it really is"] = function(t)
        return group_of(t.box.pid) == group_of(t.host.pid) end },
    hint = { "If both show / your machine is simple: nobody has made groups there." } },

  { "Not the machine's tree",
    say = [[The tree is a file system, which can be mounted. What a mount of it shows, and who may
      mount it, goes by the cgroup namespace. The one out here is the machine's.]],
    shell = "mount -t cgroup2 cgroup2 /tmp/tree        # permission denied",
    run = function(t)
      ns.try(ns.mkdir, TREE)
      t.host:call(function() ns.mount("cgroup2", TREE, "cgroup2") end)
    end,
    expect = "EPERM",
    hint = { "Real root, outside of a lesson, may." } },

  { "The box's tree",
    say = [[In the box the same call is allowed: the namespace is its own. Its root is the group of the
      box, and nothing above it is in reach, not even by "..".]],
    shell = "mount -t cgroup2 cgroup2 /tmp/tree; ls /tmp/tree        # in the box",
    run = function(t)
      t.box:call(function() ns.mount("cgroup2", TREE, "cgroup2") end)
    end,
    show = function(t)
      return "controllers: " .. (read(within(t, "cgroup.controllers")):match "^(.-)%s*$" or "")
    end,
    check = {
      ["the box is listed in its root"] = function(t)
        return ("\n" .. read(within(t, "cgroup.procs"))):find("\n" .. t.box.pid .. "\n", 1, true) end },
    keep = { ["the host has no mount there"] = function(t)
      for _, m in ipairs(t.host:mounts()) do
        if m.mountpoint == TREE then return false end
      end
      return true
    end },
    hint = { "cgroup.procs lists the processes of a group, cgroup.controllers what can be limited." } },

  { "A group of its own",
    say = [[To make a group is to make a folder; the kernel fills it with files. A process is moved by
      writing its number into cgroup.procs. What it starts from then on is in the group, too.]],
    shell = "mkdir /tmp/tree/lesson; sleep 1000 &\necho $! > /tmp/tree/lesson/cgroup.procs",
    skip = why_no_group,
    run = function(t)
      t.name = ("nslua-%d"):format(ns.getpid())
      make_group(t, t.name)
      t.group = group_handle(within(t, t.name))
      t.sleep = t.box:spawn { "sleep", "1000" }
      write(t.group.inside .. "/cgroup.procs", tostring(t.sleep.pid))
    end,
    show = function(t) return ("sleep, pid %d: %s"):format(t.sleep.pid, group_seen_inside(t, t.sleep.pid)) end,
    check = {
      ["sleep is in the group"] = function(t)
        return group_seen_inside(t, t.sleep.pid) == "/" .. t.name end,
      ["the box itself is not"] = function(t) return group_seen_inside(t, t.box.pid) == "/" end },
    hint = { "To leave it, it would be written into another group's file." } },

  { "A box born in a group",
    say = [[There is a moment between the birth of a process and its move, in which no limit holds.
      clone3(2) closes the gap: it takes the group as an argument. And with a cgroup namespace made
      there, the group is the root for those inside: a container that may divide its own share.]],
    shell = "systemd-run --scope --property=MemoryMax=16M sh        # for example",
    skip = why_no_group,
    run = function(t)
      local folder <close> = ns.open(t.group.inside, "directory")
      t.inner = ns.box { "mnt", cgroup = folder, pid = false }
    end,
    show = function(t) return ("seen from the first box  %s\nseen from itself         %s"):format(
      group_seen_inside(t, t.inner.pid), t.inner:call(group_of, t.inner.pid)) end,
    check = {
      ["it is in the group"] = function(t) return group_seen_inside(t, t.inner.pid) == "/" .. t.name end,
      ["it sees itself at the root"] = function(t) return t.inner:call(group_of, t.inner.pid) == "/" end },
    hint = { "ns.box { cgroup = DIR }: a path or an open folder." } },

  { "Frozen",
    say = [[What is written to cgroup.freeze holds for all in the group at once: they stand still,
      wherever they were, and notice nothing. No signal is sent. It is how a container is paused.]],
    shell = "echo 1 > /tmp/tree/lesson/cgroup.freeze\ncat /tmp/tree/lesson/cgroup.events",
    skip = why_no_group,
    run = function(t)
      write(t.group.inside .. "/cgroup.freeze", "1")
      soon(function() return is_frozen(t) end)
    end,
    show = function(t) return read(t.group.inside .. "/cgroup.events") end,
    check = {
      ["the group is frozen"] = is_frozen,
      ["sleep is there, and not stopped by a signal"] = function(t)
        return not read(("/proc/%d/status"):format(t.sleep.pid)):find "State:%s+T" end },
    hint = { "echo 0 thaws it. docker pause is this file." } },

  { "Ended, all at once",
    say = [[To kill many processes one by one is a race: some are born while others die. cgroup.kill
      ends all in the group and below it, and none escapes. Being frozen does not help.]],
    shell = "echo 1 > /tmp/tree/lesson/cgroup.kill",
    skip = function(t)
      return why_no_group(t) or not ns.access(t.group.inside .. "/cgroup.kill")
        and "this kernel has no cgroup.kill (Linux 5.14)" or nil
    end,
    run = function(t)
      write(t.group.inside .. "/cgroup.kill", "1")
      t.fine, t.how, t.signal = t.sleep:wait(5)
      t.inner:wait(1)
      write(t.group.inside .. "/cgroup.freeze", "0")
    end,
    check = {
      ["sleep was killed: signal 9"] = function(t) return t.how == "signal" and t.signal == 9 end,
      ["so was the box in the group"] = function(t) return not t.inner.running end,
      ["the group is empty"] = function(t) return read(t.group.inside .. "/cgroup.procs") == "" end },
    hint = { "The first box was not in the group, so it lives; the one born in it does not." } },

  { "A limit without a controller",
    say = [[Some limits are part of the tree itself: how many groups may be below one. One is allowed
      here; the second is refused. What is handed to a container should not grow without end.]],
    shell = "echo 1 > /tmp/tree/lesson/cgroup.max.descendants\n"
      .. "mkdir /tmp/tree/lesson/a /tmp/tree/lesson/b        # temporarily unavailable",
    skip = why_no_group,
    run = function(t)
      write(t.group.inside .. "/cgroup.max.descendants", "1")
      table.insert(t.group.names, "a")
      make_group(t, t.name .. "/a")
      make_group(t, t.name .. "/b")
    end,
    expect = "EAGAIN",
    check = { ["the first was made, the second not"] = function(t)
      return ns.access(t.group.inside .. "/a") and not ns.access(t.group.inside .. "/b") end },
    hint = { "cgroup.max.depth is its brother." } },

  { "How many processes",
    say = [[The controller pids counts processes. With a limit of four, a program that starts others
      without end meets it soon: the next fork is refused, and the machine does not even notice.]],
    shell = "echo +pids > /tmp/tree/cgroup.subtree_control\necho 4 > /tmp/tree/lesson/pids.max",
    skip = why_no_controller "pids",
    run = function(t)
      write(t.group.inside .. "/pids.max", "4")
      t.host:call(function()
        write(t.group.inside .. "/cgroup.procs", "0")
        for _ = 1, 10 do
          ns.fork(function() ns.pdeathsig "KILL" ns.poll({}, 60) end)
        end
      end)
    end,
    expect = "EAGAIN",
    check = { ["the kernel has counted the refusal"] = function(t)
      return tonumber(read(t.group.inside .. "/pids.events"):match "max (%d+)") > 0 end },
    hint = { "fork(2), EAGAIN: one of its reasons is this limit." } },

  { "How much memory",
    say = [[The controller memory counts pages. Who asks for more than the limit gets no error: the
      kernel ends a process of the group, the out-of-memory killer. Here a program wants 64 MiB where
      16 are allowed.]],
    shell = "echo +memory > /tmp/tree/cgroup.subtree_control\n"
      .. "echo 16M > /tmp/tree/lesson/memory.max",
    skip = why_no_controller "memory",
    run = function(t)
      write(t.group.inside .. "/memory.max", "16M")
      ns.try(write, t.group.inside .. "/memory.swap.max", "0")
      local greedy <close> = t.box:spawn(function()
        write(TREE .. "/" .. t.name .. "/cgroup.procs", "0")
        return #("x"):rep(64 << 20)
      end)
      t.fine, t.how, t.signal = greedy:wait(20)
    end,
    check = {
      ["it was killed: signal 9"] = function(t) return t.how == "signal" and t.signal == 9 end,
      ["the kernel has counted it"] = function(t)
        return tonumber(read(t.group.inside .. "/memory.events"):match "oom_kill (%d+)") > 0 end },
    hint = { "Exit status 137 of a container is this: 128 and 9." } },

  done = "Next: clocks of its own: nslua scripts/time.lua",
}
