-- SPDX-License-Identifier: MIT
-- How a session shows a text: in its own width, signs and colours, and out of
-- any trace.

local sys = require "nslua.sys"
local text = require "nslua.text"

local style = {}

local DEFAULT_COLUMNS = 80


---How many cells a line has now.
---@param self nslua.Session
---@return integer
function style.columns(self)
  local columns = self.columns
  if type(columns) == "function" then columns = columns() end
  return math.tointeger(columns) or DEFAULT_COLUMNS
end

---What a session does itself is not part of anybody's trace.
---@param f fun(...): any
---@return any ...
function style.quietly(f, ...)
  local trace = sys.set_trace(nil)
  local results = table.pack(pcall(f, ...))
  sys.set_trace(trace)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

---Runs f with this session's width and signs, whatever the terminal is.
---@param self nslua.Session
---@param f fun(...): any
---@return any ...
function style.within(self, f, ...)
  return style.quietly(text.within, { width = style.columns(self), utf8 = not self.ascii,
    color = self.color and "auto" or "never" }, f, ...)
end


return style
