-- SPDX-License-Identifier: MIT
-- What ns.rootfs.get gives: a tree, where it stands on the ladder, and how a
-- box is to use it.

local sys = require "nslua.sys"
local removal = require "nslua.rootfs.removal"
local ns = sys.primitives

local handle = {}

---A root: its directory, and how boxes get it.
---@class nslua.Rootfs
local Rootfs = {}
local metatable = { __index = Rootfs, __name = "nslua.Rootfs" }


---@param fields table  directory, standing, label; name, mounts, lock, note
---@return nslua.Rootfs
function handle.new(fields)
  fields.generation = ns.generation()
  return setmetatable(fields, metatable)
end


---@param value any
---@return boolean
function handle.is(value)
  return getmetatable(value) == metatable
end

local function check(root)
  sys.self(root, "Rootfs")
  if root.closed then sys.raise "the root is closed" end
  return root
end


---The directory that holds the tree.
---
---    print(ns.readdir(ns.rootfs.get():path())[1])
---
---@return string
function Rootfs:path()
  return check(self).directory
end


---Where it stands on the ladder: "given", "cache", "network", "busybox",
---"host" or "self"; then the same for people, and what was left out of it.
---
---    local root <close> = ns.rootfs.get(); print(root:rung())
---
---@return string rung
---@return string label
---@return string? note
function Rootfs:rung()
  check(self)
  return self.standing, self.label, self.note
end


---The same tree with a layer for writing on top, which ends with the box: a
---tmpfs. Any number of boxes may share the tree.
---
---    local box <close> = ns.box{ root = ns.rootfs.get():overlay() }
---
---Source: mount(2), tmpfs(5)
---@return nslua.Rootfs
function Rootfs:overlay()
  check(self)
  local copy = {}
  for key, value in pairs(self) do copy[key] = value end
  copy.layered = true
  copy.below = self -- keeps its lock
  copy.lock, copy.scratch = nil, nil
  return handle.new(copy)
end


---What a box mounts: the composite reads this. A tree of the cache is shared, so
---without a layer of its own a box cannot write to it.
---
---    print(ns.rootfs.get():box_root().path)
---
---Source: mount(2)
---@return { path: string, overlay: boolean?, readonly: boolean?, mounts: table[]? }
function Rootfs:box_root()
  check(self)
  return { path = self.directory, overlay = self.layered, mounts = self.mounts,
    readonly = self.name ~= nil and not self.layered or nil }
end


---Takes the tree out of the cache. A directory that was given stays.
---
---    ns.rootfs.get("alpine"):remove()
---
---Raises: EBUSY while another handle or process uses it.
---Source: unlinkat(2), flock(2)
---@return true
function Rootfs:remove()
  check(self)
  local name = self.name
  self:close()
  if self.below then self.below:close() end
  if name then removal.remove(name) end
  return true
end


---Lets go of it; a tree in the cache stays there.
---
---    local root = ns.rootfs.get(); root:close()
---
function Rootfs:close()
  sys.self(self, "Rootfs")
  if self.lock then self.lock:close() end
  if self.scratch and not self.closed and self.generation == ns.generation() then
    removal.scratch(self.scratch)
  end
  self.closed = true
end

metatable.__close = Rootfs.close
metatable.__gc = Rootfs.close


function metatable.__tostring(root)
  return ("root file system %s (%s%s%s)"):format(sys.clean(root.directory), root.label,
    root.layered and ", writable layer" or "", root.closed and ", closed" or "")
end


function metatable.__eq(a, b)
  return handle.is(a) and handle.is(b) and a.directory == b.directory
    and a.layered == b.layered
end

return handle
