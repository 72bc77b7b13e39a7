-- SPDX-License-Identifier: MIT
-- For each line it reads: a box over a writable layer of the cached root of
-- the URL arg[1], from get to the end of its first program, arg[2] in it.

local ns = require "nslua"

ns.rootfs.get(arg[1], { quiet = true }):close()

for _ in io.lines() do
  local root <close> = ns.rootfs.get(arg[1])
  assert(ns.run({ root = root:overlay() }, { arg[2] }))
  print()
  io.stdout:flush()
end
