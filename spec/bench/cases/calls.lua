-- SPDX-License-Identifier: MIT
-- Primitives beside the bare C calls: what Lua adds to a system call.

local CALLS = {
  { "getpid", 20000, 1.5 },
  { "sethostname", 20000, 1.5 },
  { "unshare", 2000, 1.10, "unshare(CLONE_NEWUTS)" },
  { "propagate", 20000, 1.10, "mount(NULL, \"/\", NULL, MS_PRIVATE)" },
  { "bind", 200, 1.10, "mount(MS_BIND) and umount2" },
}

return function(bench)
  local cases = {}
  for i, call in ipairs(CALLS) do
    local name, count, goal, title = table.unpack(call)
    count = tostring(count)
    cases[i] = {
      title = "call: " .. (title or name), rounds = 31, warmup = 3,
      { "C", { bench.build .. "/calls", name, count }, asked = true, per = count },
      { "nslua", { "./nslua", "spec/bench/calls.lua", name, count }, asked = true, per = count,
        goals = { { "C", goal } } },
    }
    if name == "propagate" then
      table.insert(cases[i], { "Lua, a function without a check",
        { "./nslua", "spec/bench/calls.lua", name, count, bench.build .. "/bare.so" }, asked = true, per = count })
    end
  end
  return cases
end
