-- SPDX-License-Identifier: MIT
-- A program started by a script that has a large heap: the child shares the
-- parent's memory until it execs, so the size must not matter.

return function(bench)
  local function script(megabytes)
    return { "./nslua", "spec/bench/warm.lua", "plain", "20", bench.tiny, megabytes }
  end
  return { {
    title = "heap: ns.clone of a program, each of 20", rounds = 31, warmup = 3,
    { "from 1 MB", script "1", asked = true, per = 20 },
    { "from 500 MB", script "500", asked = true, per = 20, goals = { { "from 1 MB", 1.3 } } },
  } }
end
