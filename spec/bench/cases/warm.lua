-- SPDX-License-Identifier: MIT
-- The same from a running script, beside a C loop that makes the same system
-- calls.

return function(bench)
  return { {
    title = "warm: a command in seven namespaces, each of 10", rounds = 41, warmup = 3,
    { "C loop", { bench.build .. "/warm", "10", bench.tiny }, asked = true, per = 10 },
    { "nslua, ns.clone", { "./nslua", "spec/bench/warm.lua", "clone", "10", bench.tiny },
      asked = true, per = 10, goals = { { "C loop", 1.10 } } },
  } }
end
