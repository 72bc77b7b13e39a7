-- SPDX-License-Identifier: MIT
-- Inside a named network namespace as `ip netns exec` has it: a mount namespace
-- of its own, a /sys that shows its devices, its own files over those of /etc.
-- mount_namespaces(7), sysfs(5), ip-netns(8).

local sys = require "nslua.sys"
local ns = sys.primitives

local inside = {}


-- /etc/netns/NAME/resolv.conf is seen as /etc/resolv.conf, and so on.
local function lay_over_etc(folder)
  if not ns.access(folder) then return end
  for _, file in ipairs(ns.readdir(folder)) do
    ns.try(ns.mount, folder .. "/" .. file, "/etc/" .. file, "none", "bind")
  end
end

-- A /sys that shows the devices of this network namespace.
local function fresh_sys()
  local writable = ns.access("/sys", "w")
  ns.try(ns.umount, "/sys", "detach")
  ns.try(ns.mount, "sysfs", "/sys", "sysfs", writable and 0 or "ro")
end


---Moves the caller there.
---@param handle nslua.Ns  closed in the end
---@param etc string  the folder of its own files, which need not be there
---@return true
function inside.enter(handle, etc)
  local _ <close> = handle
  ns.setns(handle, "net")
  ns.unshare "mnt"
  ns.mount("", "/", "none", "slave,rec")
  fresh_sys()
  lay_over_etc(etc)
  return true
end


-- In the child: enters, then starts the program. What is refused goes back
-- through the pipe, which a started program closes.
local function start(enter, what, report, ...)
  local ok, err = pcall(enter)
  if ok and type(what) == "function" then
    report:close()
    return what(...)
  end
  if ok then ok, err = pcall(ns.exec, what) end
  if type(err) == "string" then error(err, 0) end
  report:write(("%d %s %s"):format(err.errno, err.call, table.concat(err.args, ", ")))
  ns._exit(127)
end


---Runs a program or a function in a child that has entered.
---@param enter fun()
---@param what string[]|fun(...): any
---@param ... any
---@return true? ok
---@return "exit"|"signal" how
---@return integer code
function inside.exec(enter, what, ...)
  local r, w = ns.pipe()
  local _ <close> = r
  local child <close> = ns.fork(start, enter, what, w, ...)
  w:close()
  local refusal = r:read(4096)
  if refusal then
    local errno, call, args = refusal:match "^(%d+) (%S+) (.*)$"
    error(sys.error(tonumber(errno), call, args), 0)
  end
  return child:wait()
end


return inside
