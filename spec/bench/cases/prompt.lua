-- SPDX-License-Identifier: MIT
-- The prompt on a terminal: until it is there, from a key to its echo, and
-- what the Tab key asks.

return function()
  local function prompt(way, ...) return { "./nslua", "spec/bench/prompt.lua", way, ... } end
  return {
    { title = "prompt: ready for the first line", rounds = 41, warmup = 3,
      { "lua5.4 -i", prompt("ready", "lua5.4", "-i"), asked = true },
      { "nslua", prompt("ready", "./nslua"), asked = true, goals = { { "lua5.4 -i", 3.0 } } } },
    { title = "prompt: a key and its echo, each of 20", rounds = 41, warmup = 3,
      { "lua5.4 -i", prompt("keys", "lua5.4", "-i"), asked = true, per = 21 },
      { "nslua", prompt("keys", "./nslua"), asked = true, per = 21, most = 1 } },
    { title = "prompt: completion in a table of 10,000 fields", rounds = 41, warmup = 3,
      { "complete", prompt "complete", asked = true, most = 20 } },
  }
end
