-- SPDX-License-Identifier: MIT
-- How a root leaves the cache: out of sight by a rename first, then away.

local sys = require "nslua.sys"
local cache = require "nslua.rootfs.cache"
local fail = require "nslua.rootfs.fail"
local job = require "nslua.rootfs.job"
local unpack = require "nslua.rootfs.unpack"
local ns = sys.primitives

local removal = {}


---In a job. Whoever uses a root holds a shared lock on its folder.
---@param name string
---@param path string
function removal.take_away(name, path)
  local used <close> = ns.open(path, "rdonly,directory")
  if not ns.try(used.flock, used, "ex,nb") then
    fail.raise(fail.EBUSY, name, "it is in use", "a handle or another process holds it")
  end
  local temporary, lock = cache.temporary()
  local _ <close> = lock
  ns.rename(path, temporary .. "/old")
  unpack.remove(temporary)
  return {}
end


---Takes a root out of the cache.
---@param name string
function removal.remove(name)
  local path = cache.find(name)
  if not path then fail.raise(fail.ENOENT, name, "there is no such root in the cache") end
  job.run(removal.take_away, name, path)
end


---Removes a tree that is not in the cache.
---@param path string
function removal.scratch(path)
  unpack.remove(path)
end

return removal
