-- Give a box a hostname of its own, and prove that the host keeps its name.
--
-- Man pages: uts_namespaces(7), unshare(2), sethostname(2), uname(2).
-- Run it:    nslua scripts/uts.lua            (Enter goes on, q quits; no root is needed)
--            nslua --batch scripts/uts.lua    (no key; exit status 0: every claim held)
-- What to expect (the names of your machine will differ):
--
--     uts/3  A name set inside                                               3/5
--       ...
--       this runs
--         t.box:call(ns.sethostname, "box")
--
--       to be seen
--         host  laptop
--         box   box
--
--       ✔ the box is called box now
--       ✔ the host is called what it was
--
-- `t` is what the steps share: t.box is the box, t.host a process of the throw-away host that the
-- lesson runs on. Whatever happens here, the machine itself keeps its name.

local ns = require "nslua"

-- A claim that holds before every act and after it.
local function host_keeps_its_name(t)
  t.name = t.name or t.host:hostname()
  return t.host:hostname() == t.name
end

local function first_line(file)
  local f <close> = assert(io.open(file))
  return f:read()
end

return ns.lesson {
  id = "uts", title = "A hostname of its own", needs = { "uts" },

  { "One name for everybody",
    say = [[A Linux machine has one hostname. The kernel keeps it, with the NIS domain name, in what
      it calls a UTS namespace; every process belongs to one. So far they all share the same.]],
    shell = "hostname; readlink /proc/self/ns/uts",
    observe = true,
    show = function() return ns.gethostname() .. "\n" .. ns.readlink "/proc/self/ns/uts" end,
    check = {
      ["we are in the host's UTS namespace"] = function(t)
        return ns.of(ns.getpid(), "uts") == t.host:ns "uts"
      end },
    hint = { "The number in the link is the namespace: same number, same namespace." } },

  { "A namespace, and the name inherited",
    say = [[A new UTS namespace begins as a copy. It is another place to keep a name, but the name
      in it is still the old one. Nothing looks different yet, only the namespace is another.]],
    shell = "unshare --user --map-root-user --uts sh\nhostname; readlink /proc/self/ns/uts",
    run = function(t) t.box = ns.box { "uts" } end,
    show = "hostname",
    check = {
      ["the box has a UTS namespace of its own"] = function(t)
        return t.box:ns "uts" ~= t.host:ns "uts" end,
      ["it inherited the name"] = function(t) return t.box:hostname() == t.host:hostname() end },
    keep = { ["the host is called what it was"] = host_keeps_its_name },
    hint = { "uts_namespaces(7): the new one is a copy of the caller's." } },

  { "A name set inside",
    say = [[sethostname(2) acts on the namespace of the process that calls it. Called in the box, it
      changes the name in there and nowhere else.]],
    shell = "hostname box        # in the shell that unshare started",
    run = function(t) t.box:call(ns.sethostname, "box") end,
    show = "hostname",
    check = { ["the box is called box now"] = function(t) return t.box:hostname() == "box" end },
    keep = { ["the host is called what it was"] = host_keeps_its_name },
    hint = { "Whose name is it?", "That of the caller's UTS namespace." } },

  { "The name read inside",
    say = [[Everybody in the box reads the new name, whatever they ask: uname(2), as the hostname
      program does, or the file in /proc. Whoever is born in there shares the parent's namespace.]],
    shell = "uname -n; cat /proc/sys/kernel/hostname        # in the box",
    run = function(t)
      t.told = t.box:call(ns.gethostname)
      t.read = t.box:call(first_line, "/proc/sys/kernel/hostname")
      print(t.told, t.read)
    end,
    check = {
      ["uname(2) says box in there"] = function(t) return t.told == "box" end,
      ["so does the file"] = function(t) return t.read == "box" end,
      ["out here they do not"] = function() return ns.gethostname() ~= "box" end },
    hint = { "A namespace is inherited over fork(2)." } },

  { "The same with bare system calls",
    say = [[A box is a comfort. Underneath are three calls: fork(2), for a process that can be
      spared; unshare(2), which moves it to a namespace of its own; sethostname(2). When the
      process ends, nobody is left in that namespace: it is gone, and the name with it.]],
    shell = "unshare -Ur --uts sh -c 'hostname brief; hostname'; hostname",
    run = function(t)
      local child <close> = ns.fork(function()
        ns.unshare "uts"
        ns.sethostname "brief"
        ns._exit(ns.gethostname() == "brief" and 0 or 1)
      end)
      t.could = child:wait()
    end,
    check = { ["the child had that name"] = function(t) return t.could end },
    keep = { ["the host is called what it was"] = host_keeps_its_name },
    hint = { "Without fork it would be the lesson that moves." } },

  done = "Next: the same for the numbers of processes: nslua scripts/pid.lua",
}
