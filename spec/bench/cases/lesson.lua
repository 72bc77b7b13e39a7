-- SPDX-License-Identifier: MIT
-- What a learner waits for, on a terminal; and the whole course for CI.

return function()
  local function by_hand(...) return { "./nslua", "spec/bench/lesson.lua", ... } end
  local course = { "./nslua", "--batch" }
  for _, id in ipairs(require "nslua.lesson.load".course) do
    if require "nslua.sys".embedded(("scripts/%s.lua"):format(id)) then course[#course + 1] = id end
  end
  return {
    { title = "the first whole screen of a lesson", rounds = 21, warmup = 2,
      { "pid", by_hand("screen", "scripts/pid.lua"), asked = true, most = 50 },
      { "uts", by_hand("screen", "scripts/uts.lua"), asked = true, most = 50 } },
    { title = "a step, from the key to the screen", rounds = 11, warmup = 1,
      { "pid", by_hand("steps", "scripts/pid.lua", "10"), asked = true, per = 10, most = 200 },
      { "uts", by_hand("steps", "scripts/uts.lua", "5"), asked = true, per = 5, most = 200 } },
    { title = "the whole course in --batch", rounds = 3, warmup = 0,
      { "course", course, most = 20000 } },
  }
end
