-- SPDX-License-Identifier: MIT
-- What the specs of roots share: a place for trees, files in it, and a process
-- with a cache of its own.

local helpers = require "spec.helpers"
local assert = require "luassert"
local ns = require "nslua"

local roots = {}


---A folder in memory where there is one (trees that come and go are dear on a
---disk), which others may enter. Whoever asks removes it.
function roots.base(name)
  local base = ns.mkdtemp((ns.access("/dev/shm", "w") and "/dev/shm" or "/tmp") .. "/nslua-" .. name .. "-XXXXXX")
  ns.chmod(base, "755")
  return base
end


function roots.write(path, bytes)
  local fd <close> = ns.open(path, "w", "644")
  fd:write(bytes)
end


---What code prints in a process with that cache. nobody=: by that user.
function roots.run(code, cache, opts)
  opts = opts or {}
  opts.env = opts.env or {}
  opts.env.XDG_CACHE_HOME = cache
  local out, err, status = (opts.nobody and helpers.as_nobody or helpers.nslua)(
    "local ns = require 'nslua' " .. code, opts)
  assert.equal("", err)
  assert.equal(0, status)
  return out
end

return roots
