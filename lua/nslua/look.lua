-- SPDX-License-Identifier: MIT
-- Questions about a process that are answered from outside, so that no pid is
-- used up where it is.

local options = require "nslua.options"
local sys = require "nslua.sys"
local ns = sys.primitives

local look = { methods = { Proc = {} } }
local Proc = look.methods.Proc


---The namespaces of this process, or the one of a type.
---
---    print(b:ns "uts")
---
---Raises: EACCES (another user's process), ESRCH (it has ended).
---Source: namespaces(7)
---@param type? string
---@return nslua.Ns|table<string, nslua.Ns>
function Proc:ns(type)
  sys.self(self, "Proc")
  return ns.of(self, type ~= nil and options.type_word(type) or nil)
end


---The mount table that this process sees.
---
---    for _, m in ipairs(b:mounts()) do print(m.mountpoint) end
---
---Raises: EACCES (another user's process), ESRCH (it has ended).
---Source: proc_pid_mountinfo(5)
---@return nslua.List rows
function Proc:mounts()
  sys.self(self, "Proc")
  return ns.mounts(self)
end


local LOOK = { "user", "uts" }

---The hostname that this process sees. Asked from outside its pid namespace:
---no pid is used up in there.
---
---    print(b:hostname())
---
---Raises: EPERM (a namespace that may not be joined), ESRCH (it has ended).
---Source: uname(2)
---@return string
function Proc:hostname()
  sys.self(self, "Proc")
  local only = 0
  for _, name in ipairs(LOOK) do only = only | select(2, sys.nstype(name)) end
  if sys.different(self) & select(2, sys.nstype("uts")) == 0 then
    return ns.gethostname()
  end
  return require("nslua.call").call(self, only, ns.gethostname)
end


-- Prints itself: the names and numbers of a place, from both sides.
local View = {}
View.__index = View

function View.__tostring(view)
  local lines = { ("pid %s   hostname %s"):format(
    table.concat(view.pids, " / "), view.hostname) }
  for _, name in ipairs { "user", "mnt", "pid", "uts", "ipc", "net", "cgroup",
    "time" } do
    local row = view.namespaces[name]
    if row then
      lines[#lines + 1] = ("%-8s %-12d %s"):format(name, row.inode,
        row.shared and "shared" or "new")
    end
  end
  lines[#lines + 1] = tostring(view.processes)
  return table.concat(lines, "\n")
end

---What this process sees and is, looked at from outside: its numbers, its
---namespaces beside the caller's, its hostname, its processes.
---
---    print(b:view())
---
---Raises: EACCES (another user's process), ESRCH (it has ended).
---Source: namespaces(7)
---@return { pids: integer[], hostname: string, namespaces: table, processes: nslua.List }
function Proc:view()
  sys.self(self, "Proc")
  local view = { pids = self:pids(), hostname = self:hostname(),
    processes = self:ps(), namespaces = {} }
  local ours = ns.of()
  for name, theirs in pairs(ns.of(self)) do
    view.namespaces[name] = { inode = theirs.inode,
      shared = theirs == ours[name] }
    theirs:close()
  end
  for _, handle in pairs(ours) do handle:close() end
  return setmetatable(view, View)
end


return look
