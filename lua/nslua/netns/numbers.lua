-- SPDX-License-Identifier: MIT
-- The numbers that a network namespace has given to others, with the names of
-- those that have one. ip-netns(8), rtnetlink(7).

local sys = require "nslua.sys"
local ns = sys.primitives

local numbers = {}


---Those of the caller's network namespace.
---@param named table[]  as netns.list gives
---@return { netnsid: integer, name?: string }[]
function numbers.here(named)
  local names, rows = {}, {}
  for _, row in ipairs(named) do
    if row.netnsid then names[row.netnsid] = row.name end
  end
  for i, id in ipairs(ns.netnsids()) do rows[i] = { netnsid = id, name = names[id] } end
  return rows
end


---Those of another one: a child asks in there.
---@param handle nslua.Ns
---@param list fun(): table[]  netns.list
---@return { netnsid: integer, name?: string }[]
function numbers.there(handle, list)
  local r, w = ns.pipe()
  local _ <close> = r
  local child <close> = ns.fork(function()
    ns.setns(handle, "net")
    for _, row in ipairs(numbers.here(list())) do
      local hex = (row.name or ""):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
      w:write(("%d:%s\n"):format(row.netnsid, hex))
    end
  end)
  w:close()
  local rows, text = {}, r:read "a"
  child:wait()
  for number, hex in text:gmatch "(%d+):(%x*)\n" do
    local name = hex:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)
    rows[#rows + 1] = { netnsid = math.tointeger(tonumber(number)), name = name ~= "" and name or nil }
  end
  return rows
end


return numbers
