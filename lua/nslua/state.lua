-- SPDX-License-Identifier: MIT
-- What stays from one run to the next: the state folder of the XDG
-- specification, where history and progress are kept. What cannot be written is
-- not kept.

local ns = require "nslua"

local state = {}


---Our folder there, or nil without a home; nothing is made.
---@return string? path
function state.folder()
  local base = os.getenv "XDG_STATE_HOME"
  if not base or base:sub(1, 1) ~= "/" then
    local home = os.getenv "HOME"
    if not home or home:sub(1, 1) ~= "/" then return nil end
    base = home .. "/.local/state"
  end
  return base .. "/nslua"
end


---Makes a folder with all that it is in, for its owner alone.
---@param path string
function state.make(path)
  local made = ""
  for part in path:gmatch "[^/]+" do
    made = made .. "/" .. part
    ns.try(ns.mkdir, made, "700")
  end
end


return state
