-- SPDX-License-Identifier: MIT
-- An interpreter that runs an empty chunk.

return function(bench)
  return { {
    title = "start", rounds = 101, warmup = 5,
    { "lua5.4 -e ''", { "lua5.4", "-e", "" } },
    { "nslua -e ''", { "./nslua", "-e", "" },
      goals = { { "lua5.4 -e ''", 0.90 } }, memory = { { "lua5.4 -e ''", 1.0 } } },
    { "nslua -e 'require \"nslua\"'", { "./nslua", "-e", "require 'nslua'" } },
    { "a program without libc", { bench.tiny } },
  } }
end
