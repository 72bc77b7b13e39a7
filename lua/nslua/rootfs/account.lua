-- SPDX-License-Identifier: MIT
-- The two facts of passwd(5) that are wanted here, without libc's look-ups:
-- those may load libraries and start threads.

local account = {}


---@param uid integer
---@return string? name
---@return string? home  absolute
function account.find(uid)
  local file <close> = io.open "/etc/passwd"
  if not file then return nil end
  for line in file:lines() do
    local name, id, home = line:match "^([^:]*):[^:]*:(%d+):[^:]*:[^:]*:([^:]*)"
    if tonumber(id) == uid then return name, home:find "^/" and home or nil end
  end
end

return account
