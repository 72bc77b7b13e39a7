-- Give a box clocks that started at another time: its uptime differs, the time of day does not.
--
-- Man pages: time_namespaces(7), clock_gettime(2), unshare(1), proc_uptime(5).
-- Run it:    nslua scripts/time.lua            (Enter goes on, q quits; no root is needed)
--            nslua --batch scripts/time.lua    (no key; exit status 0: every claim held)
-- What to expect (your machine has been up for another while):
--
--     time/2  A machine that has been up for a week                           2/6
--       ...
--       to be seen
--         host  up 0 days, 4:03 h
--         box   up 7 days, 4:03 h
--
--       ✔ the box has been up a week longer
--       ✔ the host has been up as long as before
--
-- `t` is what the steps share: t.box is the box, t.host a process of the throw-away host that the
-- lesson runs on.

local ns = require "nslua"

local WEEK = 7 * 24 * 3600

local function uptime()
  local f <close> = assert(io.open "/proc/uptime")
  return f:read "n"
end

-- Days, hours and minutes, for people.
local function spoken(seconds)
  local minutes = seconds // 60
  return ("up %d days, %d:%02d h"):format(minutes // 1440, minutes // 60 % 24, minutes % 60)
end

local function near(a, b) return math.abs(a - b) < 60 end

-- The host's uptime, told by a process that is no part of the act. It grows, but by no week.
local function host_is_as_old(t)
  t.age = t.age or t.host:call(uptime)
  return near(t.host:call(uptime), t.age)
end

return ns.lesson {
  id = "time", title = "Clocks of its own", needs = { "time" },

  { "Three clocks",
    say = [[Linux has several clocks. One tells the time of day, counted from 1970. The others count
      from the start of the machine: monotonic stands still while the machine sleeps, boottime does
      not. Programs use them to measure; nobody sets them.]],
    shell = "date; cat /proc/uptime; readlink /proc/self/ns/time",
    observe = true,
    show = function()
      return ("realtime   %.2f s\nmonotonic  %.2f s\nboottime   %.2f s"):format(ns.clock "realtime",
        ns.clock "monotonic", ns.clock "boottime")
    end,
    check = {
      ["/proc/uptime is the clock boottime"] = function() return near(uptime(), ns.clock "boottime") end,
      ["we are in the host's time namespace"] = function(t)
        return ns.of(ns.getpid(), "time") == t.host:ns "time" end },
    hint = { "clock_gettime(2) has the whole list." } },

  { "A machine that has been up for a week",
    say = [[A time namespace adds a number of seconds to the two clocks that count from the start. A
      program that was frozen on one machine and is thawed on another goes on counting that way,
      although this machine was started at another time.]],
    shell = "unshare --user --map-root-user --time --boottime 604800 --fork uptime",
    run = function(t) t.box = ns.box { "time", boottime = WEEK, monotonic = WEEK } end,
    show = function(t) return { "host  " .. spoken(t.host:call(uptime)), "box   " .. spoken(t.box:call(uptime)) } end,
    check = {
      ["the box has a time namespace of its own"] = function(t)
        return t.box:ns "time" ~= t.host:ns "time" end,
      ["the box has been up a week longer"] = function(t)
        return near(t.box:call(uptime), t.host:call(uptime) + WEEK) end },
    keep = { ["the host has been up as long as before"] = host_is_as_old },
    hint = { "The two numbers are in /proc/PID/timens_offsets." } },

  { "The time of day is everybody's",
    say = [[There is no namespace for the time of day: the kernel has one such clock, and who sets it
      sets it for all. Nor does a second last longer in there; the clocks only began elsewhere.]],
    shell = "date; unshare -Ur --time --boottime 604800 --fork date",
    ask = { "Does date in the box tell another day (yes or no)?", answer = "no" },
    run = function(t)
      t.day = t.box:call(ns.clock, "realtime")
      t.second = t.box:call(function()
        local before = ns.clock()
        ns.poll({}, 0.1)
        return ns.clock() - before
      end)
      print(("the time of day in the box: %.2f s"):format(t.day))
    end,
    check = {
      ["the time of day is ours"] = function(t) return near(t.day, ns.clock "realtime") end,
      ["a tenth of a second is about that"] = function(t)
        return t.second >= 0.099 and t.second < 5 end },
    hint = { "A program may still be lied to about the day, but by a library: libfaketime." } },

  { "The same with bare system calls",
    say = [[unshare(2) makes the namespace, but does not move the caller: a process whose clock jumps
      might go mad. Only children that are born afterwards are in it. Until the first of them, the
      offsets can be written.]],
    shell = [[
      unshare --user --map-root-user --time --boottime 604800 --fork sh
      cat /proc/self/timens_offsets; uptime]],
    run = function(t)
      t.mine, t.childs = t.host:call(function()
        ns.unshare "time"
        ns.timens_offsets { boottime = WEEK }
        local r <close>, w = ns.pipe()
        local child <close> = ns.fork(function() w:write(tostring(uptime())) end)
        w:close()
        return uptime(), tonumber(r:read "a"), child:wait()
      end)
      print("itself:", spoken(t.mine))
      print("its child:", spoken(t.childs))
    end,
    check = {
      ["who called unshare stayed where it was"] = function(t)
        return near(t.mine, ns.clock "boottime") end,
      ["its child was born in the new namespace"] = function(t)
        return near(t.childs, t.mine + WEEK) end },
    keep = { ["the host has been up as long as before"] = host_is_as_old },
    hint = { "/proc/PID/ns has two links for it: time, and time_for_children." } },

  { "Too late",
    say = [[A clock that jumps while a program looks at it would break what every program relies on.
      So with the first process inside, the offsets are settled for good.]],
    shell = "echo boottime 1209600 0 > /proc/self/timens_offsets        # too late",
    run = function(t)
      t.host:call(function()
        ns.unshare "time"
        ns.fork(function() end):wait()
        ns.timens_offsets { boottime = 2 * WEEK }
      end)
    end,
    expect = "EACCES",
    keep = { ["the host has been up as long as before"] = host_is_as_old },
    hint = { "Another offset is another namespace." } },

  { "Not before the beginning",
    say = [[A clock may be set back, but not to a time before the machine was started: it would be
      negative, and no program expects that.]],
    shell = "unshare -Ur --time --boottime -3153600000 --fork uptime        # refused",
    run = function(t)
      t.host:call(function()
        ns.unshare "time"
        ns.timens_offsets { boottime = -100 * 365 * 24 * 3600 }
      end)
    end,
    expect = "ERANGE",
    keep = { ["the host has been up as long as before"] = host_is_as_old },
    hint = { "ns.box { boottime = -3600 } is a box that has been up for an hour less." } },

  done = "Next: another root, and the way out: nslua scripts/chroot.lua",
}
