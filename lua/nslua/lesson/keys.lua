-- SPDX-License-Identifier: MIT
-- One key at a time from the terminal, with nothing echoed.

local text = require "nslua.text"
local ns = require "nslua"

local keys = {}

local NAMES = {
  ["\r"] = "enter", ["\n"] = "enter", ["\27[A"] = "up", ["\27[B"] = "down", ["\27OA"] = "up",
  ["\27OB"] = "down", ["\27[5~"] = "pageup", ["\27[6~"] = "pagedown", ["\3"] = "quit", ["\4"] = "quit",
  ["\12"] = "redraw", ["\127"] = "erase", ["\8"] = "erase", ["\27"] = "escape",
}


---The next key: a character, or the name of a key ("enter", "up", "pagedown",
---"quit" for Ctrl-C, Ctrl-D and the end of the input); nil when the time is up.
---@param seconds? number
---@return string?
function keys.read(seconds)
  local fd <close> = ns.fd(0)
  local modes = fd:raw()
  local ok, bytes = pcall(function()
    if seconds and #ns.poll({ fd }, seconds) == 0 then return false end
    return fd:read(32) or ""
  end)
  fd:tcsetattr(modes)
  if ok and bytes == false then return nil end
  if not ok or bytes == "" then return "quit" end
  local first = bytes:match "^\27[%[O]%d*[A-Za-z~]" or bytes:match "^[%z\1-\127\194-\244][\128-\191]*" or bytes
  return NAMES[first] or first
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
    if key == "quit" or key == "q" or key == "Q" then go = false end
    if key == "enter" or key == " " then go = true end
  until go ~= nil
  io.write(os.getenv "TERM" == "dumb" and "\n" or "\r\27[K")
  io.stdout:flush()
  return go
end


return keys
