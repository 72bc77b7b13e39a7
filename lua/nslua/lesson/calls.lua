-- SPDX-License-Identifier: MIT
-- The system calls of an act, in an order that is the same every time: what a
-- child did stands below the call that made it, though both went on at once.

local ns = require "nslua"

local calls = {}

local CHILD = "[child] "

---A writer for ns.trace: lines of a forked child say that they are one's.
---@param sink file*
---@return fun(line: string)
function calls.writer(sink)
  local us, asking = ns.getpid(), false
  return function(line)
    if asking then return end
    asking = true -- getpid is traced, too
    local is_child = ns.getpid() ~= us and not line:find "^%[pid"
    asking = false
    sink:write(is_child and CHILD or "", line, "\n")
  end
end


-- Lines by the process that they tell of: ours are main, those of a number by it,
-- and those of forked children wait for the waitid that ends them.
local function sorted(text)
  local main, by_pid, order = {}, {}, {}
  for line in text:gmatch "[^\n]+" do
    local pid = line:match "^%[pid (%d+)%]"
    if pid then
      if not by_pid[pid] then by_pid[pid], order[#order + 1] = {}, pid end
      table.insert(by_pid[pid], line)
    else
      main[#main + 1] = line
    end
  end
  return main, by_pid, order
end

local function append(out, lines)
  for _, line in ipairs(lines or {}) do out[#out + 1] = line end
end


---@param text string  what a writer wrote
---@return string
function calls.order(text)
  local main, by_pid, order = sorted(text)
  local out, children = {}, {}
  local function put(line)
    out[#out + 1] = line
    local born = line:match "^clone3?%(.* = (%d+)$" or line:match "^fork%(.* = (%d+)$"
    if born then
      append(out, by_pid[born])
      by_pid[born] = nil
    end
  end
  for _, line in ipairs(main) do
    if line:sub(1, #CHILD) == CHILD then
      children[#children + 1] = line
    else
      if line:find "^waitid%(" then
        append(out, children)
        children = {}
      end
      put(line)
    end
  end
  append(out, children)
  for _, pid in ipairs(order) do append(out, by_pid[pid]) end
  return table.concat(out, "\n")
end


return calls
