-- SPDX-License-Identifier: MIT
-- What a session leaves behind: its boxes and other children, its mounts.

local sys = require "nslua.sys"
local ns = sys.primitives

local ending = {}


-- Does it run still? Asks the kernel: nobody may have waited for it.
local function runs(proc) return proc.running and select(2, proc:wait(0)) == "timeout" end

-- Handles of the children that this process has, by pid.
local function handles()
  local found = {}
  for pid, proc in pairs(debug.getregistry()["nslua.children"] or {}) do
    if type(proc) == "userdata" then found[pid] = proc end
  end
  return found
end


---What is there already when a session begins: none of its business.
---@return table
function ending.inherited()
  local found = { children = setmetatable(handles(), { __mode = "v" }),
    told = setmetatable({}, { __mode = "k" }) }
  local ok, rows = pcall(ns.mounts)
  found.mounts = ok and #rows or nil
  return found
end


---The children that came since then and still run.
---@param inherited table
---@return { proc: nslua.Proc, box: boolean }[]
function ending.children(inherited)
  local list = {}
  for pid, proc in pairs(handles()) do
    if not rawequal(inherited.children[pid], proc) and runs(proc) then
      local ok, fields = pcall(sys.fields, proc)
      list[#list + 1] = { proc = proc, box = ok and fields.which ~= nil }
    end
  end
  return list
end


---How many of them are boxes.
---@param children { box: boolean }[]
---@return integer
function ending.boxes(children)
  local n = 0
  for _, child in ipairs(children) do
    if child.box then n = n + 1 end
  end
  return n
end

-- "box 4502/1: new user pid uts"
local function box_text(proc)
  local fields, new = sys.fields(proc), {}
  for _, word in ipairs { "user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time" } do
    if fields.which[word] == true then new[#new + 1] = word end
  end
  local ok, pids = pcall(function() return proc:pids() end)
  local inside = ok and pids[#pids] ~= proc.pid and ("/" .. pids[#pids]) or ""
  return ("box %d%s: new %s"):format(proc.pid, inside, table.concat(new, " "))
end


---What a handle of a box is, as the prompt shows it; nil for what is none.
---@param v any
---@return string?
function ending.box_text(v)
  if getmetatable(v) ~= "nslua.Proc" then return nil end
  local ok, fields = pcall(sys.fields, v)
  if not ok or not fields.which then return nil end
  return box_text(v) .. (runs(v) and "" or "; it has ended")
end


---A line on each box that was not told of yet.
---@param inherited table
---@return string[]
function ending.new_boxes(inherited)
  local lines = {}
  for _, child in ipairs(ending.children(inherited)) do
    if child.box and not inherited.told[child.proc] then
      inherited.told[child.proc] = true
      lines[#lines + 1] = box_text(child.proc) .. "; ends with this session"
    end
  end
  return lines
end

local function mounts_left(inherited)
  local ok, rows = pcall(ns.mounts)
  return ok and inherited.mounts and math.max(0, #rows - inherited.mounts) or 0
end

local function count(n, one, many) return ("%d %s"):format(n, n == 1 and one or many) end


---Ends the children; says what ended and what is left.
---@param inherited table
---@param children table[]  as ending.children gives
---@param same_mounts boolean  is the mount namespace the one of the beginning?
---@return string[] said
function ending.close(inherited, children, same_mounts)
  local said = {}
  local boxes = ending.boxes(children)
  local others = #children - boxes
  for _, child in ipairs(children) do pcall(child.proc.close, child.proc) end
  if boxes > 0 then said[1] = count(boxes, "box", "boxes") .. " ended" end
  if others > 0 then said[#said + 1] = count(others, "process", "processes") .. " ended" end
  local left = same_mounts and mounts_left(inherited) or 0
  if boxes > 0 or left > 0 then said[#said + 1] = count(left, "mount", "mounts") .. " left" end
  return said
end

return ending
