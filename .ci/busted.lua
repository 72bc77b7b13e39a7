-- busted in the program that runs this: ./nslua .ci/busted.lua FILE...
-- NSLUA_GC chooses the collector that the specs run under: "incremental" and
-- "generational" are the most aggressive ones, at work in nearly every
-- allocation, so that a value which C code forgot to keep alive is soon gone.

local gc = os.getenv "NSLUA_GC"
if gc == "incremental" then
  collectgarbage("incremental", 1, 1000, 4) -- begins again at once, 16 bytes apart
elseif gc == "generational" then
  collectgarbage("generational", 1, 1)
elseif gc then
  error("NSLUA_GC: " .. gc)
end

require "busted.runner" { standalone = false }
