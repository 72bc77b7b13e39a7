-- SPDX-License-Identifier: MIT
-- A running script that starts programs: for each line it reads it starts
-- arg[3] arg[2] times, in the way that arg[1] names, and answers with a line.
-- arg[4]: megabytes of heap that the script has in use.

local ns = require "nslua"

local way, count, tiny, megabytes = arg[1], tonumber(arg[2]), arg[3], tonumber(arg[4] or 0)

local heap = {}
for i = 1, megabytes do heap[i] = i .. ("x"):rep(1 << 20) end

local ways = {}

function ways.clone()
  local proc = ns.clone({ "user", "pid", "mnt", "uts", "ipc", "net", "cgroup",
    map = "root", propagation = "rprivate" }, { tiny })
  assert(proc:wait())
end

function ways.plain()
  assert(ns.clone({}, { tiny }):wait())
end

for _ in io.lines() do
  for _ = 1, count do ways[way]() end
  print()
  io.stdout:flush()
end
