---@meta nslua.clock
-- The clocks: two that a time namespace moves, and one that it does not.

---@class nslua
local ns = {}

---The time of a clock. "monotonic" and "boottime" count from the start of the
---machine, as a time namespace sees it; boottime goes on while the machine
---sleeps. "realtime" counts from 1970 and is the same everywhere.
---
---    local start = ns.clock(); work(); print(ns.clock() - start)
---
---Source: clock_gettime(2)
---@param name? "monotonic"|"boottime"|"realtime"  default "monotonic"
---@return number seconds
function ns.clock(name) end

return ns
