-- SPDX-License-Identifier: MIT
-- The ladder: where a root comes from when none is given. Each rung says its
-- name; no lesson fails for want of a download.

local cache = require "nslua.rootfs.cache"
local catalogue = require "nslua.rootfs.catalogue"
local fail = require "nslua.rootfs.fail"
local host = require "nslua.rootfs.host"
local source = require "nslua.rootfs.source"

local ladder = {}

local PINNED = "alpine"
local PATIENCE = 4 -- seconds without an answer, before the next rung


-- Any release of the catalogue that was fetched before.
local function cached()
  for _, name in ipairs(catalogue.names()) do
    local entry = catalogue.find(name)
    local root = entry and cache.find(entry.sha256) and source.cached(entry.sha256)
    if root then return root end
  end
  return nil, "no Alpine in the cache"
end

local function network(opts)
  if opts.network == false or os.getenv "NSLUA_OFFLINE" then return nil, "not asked for" end
  local copy = { timeout = PATIENCE }
  for key, value in pairs(opts) do copy[key] = value end
  return source.catalogue(PINNED, copy)
end

local rungs = {
  { "cache", cached }, { "network", network }, { "busybox", host.busybox },
  { "host", host.programs }, { "self", host.itself },
}


---The names of the rungs, from the top.
---@return string[]
function ladder.names()
  local names = {}
  for i, rung in ipairs(rungs) do names[i] = rung[1] end
  return names
end


---The first rung that holds, or the one that opts.rung names.
---@param opts table  those of rootfs.get
---@return nslua.Rootfs
function ladder.climb(opts)
  local reasons = {}
  for _, rung in ipairs(rungs) do
    if not opts.rung or opts.rung == rung[1] then
      local ok, root, why = pcall(rung[2], opts)
      if ok and root then return root end
      reasons[#reasons + 1] = ("%s: %s"):format(rung[1],
        ok and why or type(root) == "table" and root.message or tostring(root))
    end
  end
  fail.raise(fail.ENOENT, "the ladder", "no rung of it holds", table.concat(reasons, "; "),
    "give a directory or an archive, or install busybox-static")
end

return ladder
