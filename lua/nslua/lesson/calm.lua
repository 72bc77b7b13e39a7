-- SPDX-License-Identifier: MIT
-- Waits until nothing of ours is just becoming another program: what is shown
-- of such a process would depend on luck. A child that vfork(2) lets us go on
-- beside has our arguments still, then none, then its own.

local ns = require "nslua"

local calm = {}

local TRIES, PAUSE = 500, 0.002

-- Our children and theirs, with their arguments; nil while one has none.
local function programs()
  local rows, parent, list = ns.ps { "pid", "ppid", "state", "args" }, {}, {}
  for _, row in ipairs(rows) do parent[row.pid] = row.ppid end
  local us = ns.getpid()
  for _, row in ipairs(rows) do
    local above = row.ppid
    while above and above ~= us do above = parent[above] end
    if above and row.state ~= "Z" then
      if row.args:find "^%[" then return nil end
      list[#list + 1] = row.pid .. " " .. row.args
    end
  end
  return table.concat(list, "\n")
end


---Waits until two looks at our programs are the same; not for ever.
---@return string? seen
function calm.wait()
  local before
  for _ = 1, TRIES do
    local now = programs()
    if now and now == before then return now end
    before = now
    ns.poll({}, PAUSE)
  end
end


---What a function returns that only looks, when nothing has moved meanwhile.
---@param look fun(...): any
---@return any
function calm.look(look, ...)
  local seen
  for _ = 1, 5 do
    local before = calm.wait()
    seen = look(...)
    if not before or programs() == before then break end
  end
  return seen
end


return calm
