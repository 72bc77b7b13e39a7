-- SPDX-License-Identifier: MIT
-- Lists of namespaces and processes beside lsns, ps and ip, on a machine with
-- many of them.

local READ = [[for _, r in ipairs(require "nslua".list(%s)) do
  local _ = r.type, r.nprocs, r.pid, r.user, r.command end]]

local NAMED = [[unshare --mount sh -c 'mount --make-rprivate / && mount -t tmpfs none /run &&
  for i in $(seq 500); do ip netns add n$i; done; exec "$@"' sh ]]

-- Inside of the world: what else runs on the machine is not seen, and does not
-- make lsns fail by ending at the wrong moment.
local function enter(bench)
  return function(pids)
    return ("nsenter --target %d %s--mount --pid --wd "):format(pids[1],
      bench.is_root and "" or "--user --preserve-credentials ")
  end
end

local function namespaces(bench, processes, own, goal, rounds)
  local goals = goal and { { "lsns", goal } } or nil
  return {
    title = ("list: %d processes, %d namespaces of five types"):format(processes, own),
    rounds = rounds, warmup = 1, worlds = { { processes, own } }, prefix = enter(bench),
    { "lsns", { "lsns" } },
    { "nslua, ns.list", { "./nslua", "-e", READ:format "" }, goals = goals,
      memory = goal and { { "lsns", 0.8 } } or nil },
    { "lsns -t uts", { "lsns", "-t", "uts" } },
    { "nslua, ns.list{type='uts'}", { "./nslua", "-e", READ:format "'uts'" },
      goals = goal and own == 0 and { { "lsns -t uts", 0.20 } } or nil },
    { "ps -eo pid,pidns,args", { "ps", "-eo", "pid,pidns,args" } },
    { "nslua, ns.ps", { "./nslua", "-e", [[print(require "nslua".ps { "pid", "pidns", "args" })]] },
      goals = goal and { { "ps -eo pid,pidns,args", 0.50 } } or nil },
  }
end

local function growth()
  local function row(n, world, goals)
    return { ("of %d"):format(n), function(pids)
      return { "./nslua", "spec/bench/list.lua", ("/proc/%d/root/proc"):format(pids[world]) }
    end, asked = true, per = n, goals = goals }
  end
  return {
    title = "list: what a process costs, in a running script", rounds = 21, warmup = 2,
    worlds = { { 1000, 0 }, { 5000, 0 } },
    row(1000, 1), row(5000, 2, { { "of 1000", 1.15 } }),
  }
end

local function named()
  return {
    title = "list: 500 named network namespaces", rounds = 31, warmup = 2, prefix = NAMED,
    { "ip netns list", { "ip", "netns", "list" } },
    { "nslua, ns.netns.list", { "./nslua", "-e", [[print(require "nslua".netns.list())]] },
      goals = { { "ip netns list", 0.30 } } },
  }
end

return function(bench)
  local cases = { namespaces(bench, 100, 0, nil, 21), namespaces(bench, 1000, 0, nil, 11),
    namespaces(bench, 5000, 0, 0.15, 7), growth() }
  if bench.is_root then
    cases[#cases + 1] = namespaces(bench, 5000, 1000, 0.20, 5)
    cases[#cases + 1] = named()
  end
  return cases
end
