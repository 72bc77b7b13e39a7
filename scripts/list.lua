-- List namespaces: where the kernel shows them, what lsns and ps make of that, why an ordinary user
-- sees fewer than root, and what keeps a namespace alive that nobody is in.
--
-- Man pages: namespaces(7), lsns(8), ps(1), ip-netns(8), proc(5).
-- Run it:    nslua scripts/list.lua            (Enter goes on, q quits; no root is needed)
--            nslua --batch scripts/list.lua    (no key; exit status 0: every claim held)
-- What to expect (your numbers will differ):
--
--     list/3  One type, one process, some columns                            3/8
--       ...
--       to be seen
--                 NS    PID COMMAND
--         4026532184  18231 nslua-init
--
--       ✔ the box's UTS namespace has a row of its own
--
-- `t` is what the steps share: t.box is a box, t.host a process of the throw-away host that the
-- lesson runs on. That host is in a user namespace of its own, so for root, too, it is as for an
-- ordinary user here: the rest of the machine is hidden. `nslua scripts/lsns.lua` outside of the
-- lesson shows it, and with sudo all of it.

local ns = require "nslua"

-- Has the list a namespace, and with a process in it?
local function row_of(list, handle)
  for _, row in ipairs(list) do
    if row.type == handle.type and row.ns == handle.inode then return row end
  end
end

local PLACE = {}
for place, type in ipairs { "user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time" } do PLACE[type] = place end

-- The same list by type and with the oldest process first: the numbers alone say nothing, for the
-- kernel gives them out again.
local function in_order(list)
  table.sort(list, function(a, b)
    if a.type ~= b.type then return PLACE[a.type] < PLACE[b.type] end
    return (a.pid or 0) < (b.pid or 0)
  end)
  return list
end

-- A list's table, and how many processes did not tell theirs.
local function table_of(list)
  local lines = in_order(list):lines()
  return ("%s\n\nprocesses hidden: %d\n"):format(table.concat(lines, "\n"), list.hidden)
end

local function host_is_where_it_was(t)
  t.uts = t.uts or t.host:ns("uts").inode
  return t.host:ns("uts").inode == t.uts
end

return ns.lesson {
  id = "list", title = "Listing namespaces", needs = { "uts", "ipc", "pid", "net", "mnt" },

  { "Eight links for each process",
    say = [[Every process is in one namespace of each type. The kernel shows them as links in the
      folder /proc/PID/ns. The number in brackets is the namespace: two processes with the same
      number share it.]],
    shell = "ls -l /proc/self/ns",
    observe = true,
    show = function(t)
      local lines = {}
      for i, name in ipairs(ns.readdir(("/proc/%d/ns"):format(t.host.pid))) do
        lines[i] = ("%-18s -> %s"):format(name, ns.readlink(("/proc/%d/ns/%s"):format(t.host.pid, name)))
      end
      table.sort(lines)
      return table.concat(lines, "\n")
    end,
    check = {
      ["ns.of reads the same numbers"] = function(t)
        local link = ns.readlink(("/proc/%d/ns/uts"):format(t.host.pid))
        return link == ("uts:[%d]"):format(ns.of(t.host.pid, "uts").inode)
      end,
      ["this lesson and the host share their UTS namespace"] = function(t)
        return ns.of(ns.getpid(), "uts") == t.host:ns "uts"
      end },
    hint = { "namespaces(7), the part on /proc/PID/ns." } },

  { "A list of them all",
    say = [[lsns walks over /proc, reads these links and sorts the processes by them: one line for
      each namespace, how many processes are in it, and the lowest pid as the one to know it by.
      ns.list does the same.]],
    shell = "lsns",
    observe = true,
    show = function() return table_of(ns.list()) end,
    check = {
      ["each of the host's namespaces has a row"] = function(t)
        local list = ns.list()
        for _, handle in pairs(t.host:ns()) do
          if not row_of(list, handle) then return false, tostring(handle) .. " is missing" end
        end
        return true
      end },
    hint = { "What could not be read is counted in the last line. Step 5 asks why." } },

  { "One type, one process, some columns",
    say = [[A new process in a new UTS and a new IPC namespace. The list has two rows more; of
      each other type the box still shares what the host has. Ask for one type, for one process, for the
      columns that matter.]],
    shell = "lsns -t uts\nlsns -p PID\nlsns -o NS,PID,COMMAND",
    run = function(t)
      t.box = ns.box { "uts", "ipc", pid = false }
      print(table_of(ns.list "uts"))
      print(table_of(ns.list({ pid = t.box }):show("ns", "type", "nprocs")))
      local own = ns.list { pid = t.box, type = "uts" }
      print(table_of(own:show("ns", "pid", "command")))
    end,
    check = {
      ["the box's UTS namespace has a row of its own"] = function(t)
        return row_of(ns.list "uts", t.box:ns "uts").pid == t.box.pid
      end,
      ["so has its IPC namespace"] = function(t)
        return row_of(ns.list "ipc", t.box:ns "ipc").pid == t.box.pid
      end,
      ["the network namespace is still the host's"] = function(t)
        return t.box:ns "net" == t.host:ns "net"
      end },
    keep = { ["the host is where it was"] = host_is_where_it_was },
    hint = { "lsns -p lists what one process is in: eight rows, one of each type." } },

  { "Processes and their namespaces",
    say = [[ps can tell the namespaces, too: it has a column for each type. In a new pid namespace
      a process has a second number; the line NSpid in /proc/PID/status holds both.]],
    shell = "ps -o pid,pidns,args\ngrep NSpid /proc/PID/status",
    run = function(t)
      t.inner = ns.box { "pid" }
      print(ns.ps { "pid", "nspid", "pidns", "args", pid = { t.host, t.inner } })
    end,
    check = {
      ["the two are in different pid namespaces"] = function(t)
        local rows = ns.ps { "pidns", pid = { t.host, t.inner } }
        return rows[1].pidns ~= rows[2].pidns
      end,
      ["one process, two numbers: the inner is 1"] = function(t)
        return t.inner:pids()[1] == t.inner.pid and t.inner:pid_in(t.inner) == 1
      end,
      ["and the way back leads to it"] = function(t)
        return ns.pid_from(1, t.inner) == t.inner.pid
      end },
    hint = { "pid_namespaces(7): the parent sees its children's processes, not the other way round." } },

  { "What an ordinary user does not see",
    say = [[The kernel shows the links only to those who could trace the process: its own user, and
      who has the right CAP_SYS_PTRACE over it. root has it everywhere, so `sudo lsns` lists more than
      `lsns`. A box with a user namespace of its own is to the host what you are to root: it cannot
      look out, but the host looks in.]],
    shell = "lsns | wc -l\nsudo lsns | wc -l",
    run = function(t)
      t.guest = ns.box { "user", "uts", pid = false }
      t.inside = { t.guest:call(function()
        local list = require "nslua".list "uts"
        return #list, list.hidden
      end) }
      t.outside = ns.list "uts"
      local line = "from the %s: hidden: %d, UTS seen: %d"
      print(line:format("box", t.inside[2], t.inside[1]))
      print(line:format("host", t.outside.hidden, #t.outside))
    end,
    check = {
      ["the box does not see the host's"] = function(t)
        return t.inside[1] < #t.outside and t.inside[2] >= 4 -- host, lesson, two boxes
      end,
      ["the host sees the box's"] = function(t) return row_of(t.outside, t.guest:ns "uts") end },
    hint = { "ptrace(2) has the rule, under \"Ptrace access mode checking\"." } },

  { "A namespace without a process",
    say = [[A namespace ends with its last process, unless something else holds it: an open
      descriptor, or a file that it is mounted on. lsns of Debian 12 does not show such a one; the mount
      table does, and the list here says what keeps each alive.]],
    shell = "touch /tmp/kept; sudo mount --bind /proc/PID/ns/uts /tmp/kept\nkill PID; grep nsfs /proc/self/mountinfo",
    run = function(t)
      local short <close> = ns.box { "uts", pid = false }
      t.kept = short:ns("uts").inode
      short:ns("uts"):pin "/tmp/kept"
      short:close()
      local kept = ns.list { persistent = true }
      print(table_of(kept:show("ns", "type", "nprocs", "kept_by")))
    end,
    check = {
      ["nobody is in it, and it is there"] = function(t)
        for _, row in ipairs(ns.list { persistent = true }) do
          if row.ns == t.kept then return row.nprocs == 0 and row.kept_by == "bind mount /tmp/kept" end
        end
      end,
      ["the file leads to it"] = function(t) return ns.of("/tmp/kept").inode == t.kept end },
    hint = { "ns.list{deep=true} finds those that only a descriptor holds, too." } },

  { "Names for network namespaces",
    say = [[`ip netns` lives on that: a name is a file in /run/netns with a network namespace mounted on
      it. Either tool takes what the other made.]],
    shell = "sudo ip netns add blue\nip netns list\nsudo ip netns exec blue ip link",
    run = function(t)
      ns.try(ns.netns.del, "blue") -- of an earlier go
      ns.netns.add "blue"
      print(ns.netns.list())
      t.blue = ns.netns.open "blue"
    end,
    check = {
      ["blue is in the list"] = function() return ns.netns.list()[1].name == "blue" end,
      ["it is not the host's network namespace"] = function(t) return t.blue ~= t.host:ns "net" end,
      ["a function run in there is in there"] = function(t)
        local blue = t.blue.inode
        return ns.netns.exec("blue", function() return ns.of(ns.getpid(), "net").inode == blue end)
      end },
    keep = { ["the host is where it was"] = host_is_where_it_was },
    hint = { "ip-netns(8) says in its first lines what a name is." } },

  { "Who owns, who shares",
    say = [[Each namespace belongs to the user namespace in which it was made: whoever is root there
      may rule over it. So the whole is a tree. And the other way to look: a row for each process, a
      column for each type, the same letter for the same namespace.]],
    shell = "lsns --tree=owner",
    observe = true,
    show = function(t)
      local tree = in_order(ns.list()):tree "owner"
      return ("%s\n\n%s"):format(tree, ns.matrix { t.host, t.box, t.inner, t.guest })
    end,
    check = {
      ["the guest's UTS namespace belongs to the guest's user namespace"] = function(t)
        return t.guest:ns("uts"):owner() == t.guest:ns "user"
      end,
      ["the first box's belongs to the host's"] = function(t)
        return t.box:ns("uts"):owner() == t.host:ns "user"
      end },
    hint = { "ns.list():svg() draws it: a frame for each user namespace." } },

  done = "Next: a hostname of its own: nslua scripts/uts.lua. The tools of this lesson, for every day, are "
    .. "scripts/lsns.lua, scripts/ps.lua and scripts/netns.lua",
}
