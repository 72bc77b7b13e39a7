-- SPDX-License-Identifier: MIT
-- One key at a time from the terminal, with nothing echoed.

local text = require "nslua.text"
local ns = require "nslua"

local keys = {}

local NAMES = {
  ["\r"] = "enter", ["\n"] = "enter", ["\27[A"] = "up", ["\27[B"] = "down", ["\27OA"] = "up",
  ["\27OB"] = "down", ["\27[5~"] = "pageup", ["\27[6~"] = "pagedown", ["\3"] = "interrupt", ["\4"] = "quit",
  ["\0"] = "quit", -- Ctrl-D from before the terminal was raw
  ["\12"] = "redraw", ["\26"] = "suspend", ["\127"] = "erase", ["\8"] = "erase", ["\27"] = "escape",
}


local Raw = {}

function Raw.__close(raw)
  raw.fd:tcsetattr(raw.modes)
  raw.fd:close()
end


---Every key is seen at once from here to the end of the block. To be called
---before anything asks for a key: one that comes earlier is echoed, and Ctrl-C
---then is a signal.
---@return table  to be closed
function keys.raw()
  local fd = ns.fd(0)
  return setmetatable({ fd = fd, modes = fd:raw() }, Raw)
end


---The next key: a character, or the name of a key ("enter", "up", "pagedown",
---"quit" for Ctrl-D, "interrupt" for Ctrl-C and the end of the input); nil when
---the time is up.
---@param raw table  of keys.raw
---@param seconds? number
---@return string?
function keys.read(raw, seconds)
  if seconds and #ns.poll({ raw.fd }, seconds) == 0 then return nil end
  local ok, bytes = pcall(raw.fd.read, raw.fd, 32)
  if not ok or not bytes or bytes == "" then return "interrupt" end
  local first = bytes:match "^\27[%[O]%d*[A-Za-z~]" or bytes:match "^[%z\1-\127\194-\244][\128-\191]*" or bytes
  return NAMES[first] or first
end


---Waits for Enter or space.
---@return "on"|"left"|"interrupted"  left: by q or Ctrl-D; interrupted: by
---  Ctrl-C, or nobody is there any more
function keys.wait()
  local raw <close> = keys.raw()
  local bar = text.utf8() and "⏎ next   q quit" or "Enter: next   q: quit"
  io.write("\n  ", text.paint(bar, "dim"))
  io.stdout:flush()
  local go
  repeat
    local key = keys.read(raw)
    if key == "interrupt" then go = "interrupted" end
    if key == "quit" or key == "q" or key == "Q" then go = "left" end
    if key == "enter" or key == " " then go = "on" end
  until go
  io.write(os.getenv "TERM" == "dumb" and "\n" or "\r\27[K")
  io.stdout:flush()
  return go
end


return keys
