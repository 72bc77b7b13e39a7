-- Be the first process of a box: inherit orphans, bury the dead, ignore signals, take all along.
--
-- Man pages: pid_namespaces(7), wait(2), signal(7), proc_pid_status(5), prctl(2).
-- Run it:    nslua scripts/init.lua            (Enter goes on, q quits; no root is needed)
--            nslua --batch scripts/init.lua    (no key; exit status 0: every claim held)
-- What to expect (your numbers will differ):
--
--     init/3  A zombie                                                        3/9
--       ...
--       to be seen
--         sleep  pid 3 in the box, parent 1, state Z (zombie)
--
--       ✔ it has ended, and its number is still taken
--
-- `t` is what the steps share: t.box is a box whose first process is a program that knows nothing of
-- that office, t.good one with a proper init, t.host a process of the throw-away host that the lesson
-- runs on.

local ns = require "nslua"

-- One word of a process's status file; nil when there is no such process.
local function status_of(pid, key)
  local f <close> = pid and io.open(("/proc/%d/status"):format(pid))
  local text = f and f:read "a"
  return text and text:match("\n" .. key .. ":%s+([^\n]*)")
end

-- "S" sleeps, "Z" is a zombie.
local function state_of(pid)
  local state = status_of(pid, "State")
  return state and state:sub(1, 1) or "gone"
end

local function parent_of(pid) return tonumber(status_of(pid, "PPid")) end

-- Waits for what another process does, but not for ever.
local function soon(fn)
  for _ = 1, 500 do
    if fn() then return true end
    ns.poll({}, 0.01)
  end
  return false
end

-- Starts a sleep in a box and lets its parent end at once: an orphan. Returns its number in the box
-- and the one that it has out here.
local function orphan(box)
  local number = tonumber((box:read "sleep 1000 </dev/null >/dev/null 2>&1 & echo $!"))
  return number, ns.pid_from(number, box)
end

-- A box whose first process is sleep, and nothing else.
local function careless_box()
  return ns.box { "pid", init = false, argv = { "sleep", "1000" } }
end

return ns.lesson {
  id = "init", title = "The first process", needs = { "pid" },

  { "Any program may be the first",
    say = [[The first process in a PID namespace is number 1 there: its init. The kernel does not ask
      whether the program knows what that means. Here it is sleep, which does nothing but wait for
      a clock.]],
    shell = "unshare --user --map-root-user --pid --fork sleep 1000",
    run = function(t) t.box = careless_box() end,
    show = "ps",
    check = {
      ["sleep is PID 1 in there"] = function(t) return t.box:pid_in(t.box) == 1 end,
      ["it is sleep"] = function(t) return status_of(t.box.pid, "NSpid"):find "1$" end },
    hint = { "docker run IMAGE PROGRAM does the same: PROGRAM is PID 1." } },

  { "Orphans come to it",
    say = [[A process whose parent has ended is an orphan. It gets a new parent: the init of its PID
      namespace. Here a shell starts a sleep in the background, and ends.]],
    shell = "nsenter --target PID --user --preserve-credentials --pid \\\n"
      .. "  sh -c 'sleep 1000 & echo $!'",
    run = function(t) t.number, t.orphan = orphan(t.box) end,
    show = "ps",
    check = {
      ["the orphan's parent is PID 1 of the box"] = function(t)
        return parent_of(t.orphan) == t.box.pid end,
      ["it lives"] = function(t) return state_of(t.orphan) == "S" or state_of(t.orphan) == "R" end },
    hint = { "On the host the new parent can be another, nearer one: PR_SET_CHILD_SUBREAPER." } },

  { "A zombie",
    say = [[A process that has ended is kept by the kernel until its parent asks how: that is
      wait(2). Until then it is a zombie: no memory, no files, but a number. We end the orphan.
      Its parent now is sleep, and sleep never asks.]],
    shell = "kill $(pgrep -n sleep); ps -o pid,ppid,stat,comm",
    ask = { "Is the orphan's number free again (yes or no)?", answer = "no" },
    run = function(t)
      ns.kill(t.orphan, "TERM")
      soon(function() return state_of(t.orphan) == "Z" end)
    end,
    show = function(t) return ("sleep  pid %d in the box, parent %d, state %s"):format(t.number,
      ns.pid_in(parent_of(t.orphan), t.box), status_of(t.orphan, "State")) end,
    check = {
      ["it has ended, and its number is still taken"] = function(t)
        return state_of(t.orphan) == "Z" end,
      ["nobody can wait for it but PID 1"] = function(t)
        return parent_of(t.orphan) == t.box.pid end },
    hint = { "A box that runs for months like this has no numbers left some day: EAGAIN." } },

  { "A proper init",
    say = [[An init has two duties: to bury the dead and to pass signals on. ns.box puts one in
      front of every program, unless told otherwise: nslua-init, a few hundred lines. Docker calls it
      --init, others use tini or dumb-init.]],
    shell = "docker run --init ...        # or: tini -- PROGRAM",
    run = function(t)
      t.good = ns.box { "pid" }
      t.grave, t.second = orphan(t.good)
      ns.kill(t.second, "TERM")
      soon(function() return state_of(t.second) == "gone" end)
    end,
    show = function(t)
      return { ("sleep as init: number %d is %s"):format(t.number, status_of(t.orphan, "State")),
        ("nslua-init:    number %d is %s"):format(t.grave, state_of(t.second)) }
    end,
    check = {
      ["no zombie is left in this box"] = function(t)
        return t.second and state_of(t.second) == "gone" end },
    keep = { ["the careless one's zombie is still there"] = function(t)
      return state_of(t.orphan) == "Z" end },
    hint = { "It waits for any child: waitpid(-1, ...) in a loop." } },

  { "A signal that does nothing",
    say = [[SIGTERM ends a process that has no handler for it. But not an init: what would kill it by
      default is ignored, so that no box dies of a stray signal. This is why a container often takes
      ten seconds to stop: docker stop sends TERM, waits in vain, and then sends KILL.]],
    shell = "kill -TERM PID; sleep 1; kill -0 PID        # it is still there",
    ask = { "We send TERM to sleep, PID 1 of a box, from outside. Does it end (yes or no)?",
      answer = "no" },
    run = function(t)
      t.deaf = careless_box()
      soon(function() return state_of(t.deaf.pid) == "S" end)
      t.deaf:kill "TERM"
      t.ended, t.how = t.deaf:wait(0.2)
    end,
    check = {
      ["it has not ended"] = function(t) return t.how == "timeout" end,
      ["it sleeps on"] = function(t) return state_of(t.deaf.pid) == "S" end },
    hint = { "kill(2): \"The only signals that can be sent to process ID 1 ... are those for which init has "
      .. "explicitly installed signal handlers.\"" } },

  { "From inside, not even KILL",
    say = [[Inside its namespace an init cannot be killed at all. kill(2) reports no error; nothing
      happens. Only from outside, from a namespace above, KILL and STOP reach it.]],
    shell = "kill -KILL 1        # in the box: no error, no effect",
    run = function(t)
      t.strong = careless_box()
      t.said = t.strong:call(function() return ns.kill(1, "KILL") end)
      t.ended, t.how = t.strong:wait(0.2)
    end,
    check = {
      ["kill reported success"] = function(t) return t.said == true end,
      ["it lives"] = function(t) return t.how == "timeout" end },
    hint = { "pid_namespaces(7), \"The namespace init process\"." } },

  { "It takes all along",
    say = [[An init that ends takes the namespace with it: the kernel kills everybody in there, so
      that nobody is left without one. It is the surest way to clean up that Linux has, and the way
      in which ns.box keeps its promise that nothing is left.]],
    shell = "kill -KILL PID        # of the box's first process, on the host",
    run = function(t)
      t.doomed = careless_box()
      t.child = t.doomed:spawn { "sleep", "1000" }
      t.doomed:kill "KILL"
      t.fine, t.why = t.doomed:wait(5)
      t.fine, t.childs_why, t.signal = t.child:wait(5)
    end,
    check = {
      ["the init was killed"] = function(t) return t.why == "signal" end,
      ["its other process was killed too: signal 9"] = function(t)
        return t.childs_why == "signal" and t.signal == 9 end },
    keep = { ["the other boxes live"] = function(t) return t.box.running and t.good.running end },
    hint = { "Even a process that ignores every other signal: it is SIGKILL." } },

  { "No birth after its death",
    say = [[unshare(2) does not move the caller into a new PID namespace, only its children: the first
      of them becomes the init there. Whoever forgets this starts one short command, which is PID 1
      and ends at once, and then nothing can be started any more. The message misleads: there is
      memory enough.]],
    shell = "unshare --user --map-root-user --pid bash        # without --fork\n"
      .. "ls; ls        # fork: Cannot allocate memory",
    run = function(t)
      t.host:call(function()
        ns.unshare "pid"
        ns.fork(function() end):wait()          -- it was PID 1
        ns.fork(function() end)
      end)
    end,
    expect = "ENOMEM",
    hint = { "unshare --fork makes a child first, and that one is PID 1 as long as the shell runs." } },

  { "Passing it on",
    say = [[The second duty of an init. nslua-init has a handler for TERM, so the signal reaches it, and
      it ends its box in good order. An exercise: end the box t.good, with a signal that a process can
      catch. At the prompt (p) t.good is a process as others.]],
    shell = "kill -TERM PID        # of the proper init",
    solution = function(t)
      t.good:kill "TERM"
      t.good:wait(2)
    end,
    check = { ["the box with the proper init has ended"] = function(t) return not t.good.running end },
    hint = { "t.good:kill(SIGNAL), as in the step on the deaf one.", "t.good:kill \"TERM\"" } },

  done = "Next: everything together, a container: nslua scripts/container.lua",
}
