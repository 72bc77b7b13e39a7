-- SPDX-License-Identifier: MIT
-- Namespaces where /proc is missing, or is another pid namespace's: what a
-- pidfd tells of one process, what its namespaces belong to, and what is
-- mounted. pidfd_open(2), ioctl_nsfs(2), listmount(2).

local sys = require "nslua.sys"
local ns = sys.primitives

local bare = {}

-- Adds words to what keeps a namespace.
local function keep(row, by)
  if not row.kept_by:find(by, 1, true) then
    row.kept_by = row.kept_by == "" and by or row.kept_by .. ", " .. by
  end
end

-- The row of a handle, which is closed; one that is new brings those that it
-- belongs to. `rows`: a list, and the same by type and number.
local function take_up(rows, handle)
  local handle <close> = handle -- luacheck: ignore
  local name = handle.type .. " " .. handle.inode
  if rows[name] then return rows[name] end
  local row = { ns = handle.inode, type = handle.type, id = handle.id, nprocs = 0, kept_by = "" }
  rows[name], rows[#rows + 1] = row, row
  local owner, parent = handle:owner(), handle.type == "pid" and handle:parent() or nil
  if handle.type == "user" then
    row.pns, row.owner_uid = owner and owner.inode, handle:owner_uid()
  else
    row.ons, row.pns = owner and owner.inode, parent and parent.inode
  end
  if handle.type == "net" then row.netnsid = ns.netnsid(handle) or -1 end
  if owner then keep(take_up(rows, owner), "child namespace") end
  if parent then keep(take_up(rows, parent), "child namespace") end
  return row
end


---Adds the namespaces that are bind-mounted where the caller can see them.
---@param rows table[]
function bare.add_mounts(rows)
  local ok, mounts = pcall(ns.mounts) -- before Linux 6.8 only /proc knows
  for _, mount in ipairs(ok and mounts or {}) do
    local found, handle = false, nil
    if mount.type == "nsfs" then found, handle = pcall(ns.of, mount.mountpoint) end
    if found and mount.root == ("%s:[%d]"):format(handle.type, handle.inode) then
      local row = take_up(rows, handle)
      row.nsfs = row.nsfs and row.nsfs .. "\n" .. mount.mountpoint or mount.mountpoint
      row.path = row.path or mount.mountpoint
      keep(row, "bind mount")
      row.kept_by = row.kept_by:gsub("bind mount$", function(words) return words .. " " .. mount.mountpoint end)
    end
  end
end


---What a list has without any /proc.
---@param pid integer
---@return table[] rows
function bare.of(pid)
  local rows, own = {}, pid == ns.getpid()
  for _, handle in pairs(ns.of(pid)) do
    local row = take_up(rows, handle)
    row.nprocs, row.pid = 1, pid
    if own then
      row.ppid, row.uid = ns.getppid(), ns.geteuid()
      row.user = sys.user_name(row.uid) or tostring(row.uid)
    end
    row.kept_by = row.kept_by == "" and "processes" or "processes, " .. row.kept_by
  end
  return rows
end

return bare
