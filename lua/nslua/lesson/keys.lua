-- SPDX-License-Identifier: MIT
-- One key at a time from the terminal, with nothing echoed.

local text = require "nslua.text"
local ns = require "nslua"

local keys = {}


---The next key: a character, or nil at the end of the input or on Ctrl-C.
---@return string?
function keys.read()
  local fd <close> = ns.fd(0)
  local modes = fd:raw()
  local ok, byte = pcall(fd.read, fd, 1)
  fd:tcsetattr(modes)
  if not ok or byte == "" or byte == "\3" or byte == "\4" then return nil end
  return byte
end


---Waits for Enter (or space); false on q, at the end of the input, on Ctrl-C.
---@return boolean
function keys.wait()
  local bar = text.utf8() and "⏎ next   q quit" or "Enter: next   q: quit"
  io.write("\n  ", text.paint(bar, "dim"))
  io.stdout:flush()
  local go
  repeat
    local key = keys.read()
    if key == nil or key == "q" or key == "Q" then go = false end
    if key == "\r" or key == "\n" or key == " " then go = true end
  until go ~= nil
  io.write(os.getenv "TERM" == "dumb" and "\n" or "\r\27[K")
  io.stdout:flush()
  return go
end


return keys
