-- SPDX-License-Identifier: MIT
-- Root file systems for boxes: from a directory, an archive, a URL, the
-- catalogue, or from what the host has at hand. What is unpacked is unpacked
-- once and kept; boxes share it and write to a layer of their own.

local sys = require "nslua.sys"
local cache = require "nslua.rootfs.cache"
local fail = require "nslua.rootfs.fail"
local job = require "nslua.rootfs.job"
local ladder = require "nslua.rootfs.ladder"
local unpack = require "nslua.rootfs.unpack"
local ns = sys.primitives

local rootfs = {}

local OPTIONS = { "sha256", "quiet", "timeout", "max_bytes", "max_entries", "max_ratio", "network",
  "rung", "refresh" }

local known = {}
for _, name in ipairs(OPTIONS) do known[name] = true end


-- -- the handle ----------------------------------------------------------------------

local Rootfs = {}
local metatable = { __index = Rootfs, __name = "nslua.Rootfs" }

local function new(fields)
  fields.generation = ns.generation()
  return setmetatable(fields, metatable)
end

local function check(root)
  if getmetatable(root) ~= metatable then error("a Rootfs is wanted (root:method())", 3) end
  if root.closed then error("the root is closed", 3) end
  return root
end


---The directory that holds the tree.
---@return string
function Rootfs:path()
  return check(self).directory
end


---Which rung of the ladder this is, for people: "given", "cache", "busybox"...
---@return string rung
---@return string label  the same in a few words
function Rootfs:rung()
  check(self)
  return self.standing, self.label
end


---The same tree with a layer for writing on top, which ends with the box: a
---tmpfs. Any number of boxes may share the tree.
---
---    local box <close> = ns.box{ root = ns.rootfs.get():overlay() }
---
---@return nslua.Rootfs
function Rootfs:overlay()
  check(self)
  return new { directory = self.directory, standing = self.standing, label = self.label,
    mounts = self.mounts, source = self.source, name = self.name, layered = true }
end


---What a box mounts: the composite reads this.
---@return { path: string, overlay: boolean?, mounts: table[]? }
function Rootfs:box_root()
  check(self)
  return { path = self.directory, overlay = self.layered, mounts = self.mounts }
end


---Takes the tree out of the cache. A directory that was given stays.
---@return true
function Rootfs:remove()
  check(self)
  if self.name then rootfs.remove(self.name) end
  self.closed = true
  return true
end


---Lets go of the handle; the tree stays in the cache.
function Rootfs:close()
  if self.lock then self.lock:close() end
  self.closed = true
end

metatable.__close = Rootfs.close
metatable.__gc = Rootfs.close

function metatable.__tostring(root)
  return ("root file system %s (%s%s%s)"):format(sys.clean(root.directory), root.label,
    root.layered and ", writable layer" or "", root.closed and ", closed" or "")
end

function metatable.__eq(a, b)
  return a.directory == b.directory and a.layered == b.layered
end


-- -- sources -----------------------------------------------------------------------------

local function absolute(path)
  if path:sub(1, 1) == "/" then return path end
  return (ns.getcwd() .. "/" .. path:gsub("^%./+", "")):gsub("/+$", "")
end

local function given_directory(path)
  return new { directory = absolute(path), standing = "given",
    label = "the directory that was given", source = path }
end

local function cached(digest, source, standing, label)
  local path = cache.find(digest)
  if not path then return nil end
  return new { directory = path .. "/root", standing = standing or "cache",
    label = label or "unpacked before, from the cache", source = source, name = digest }
end

-- What a name stands for, as long as nobody writes to the file.
local function identity(path)
  local st = ns.stat(path)
  return ("file:%s %d:%d %d %.9f"):format(absolute(path), st.dev, st.ino, st.size, st.mtime)
end

-- In the job: unpack into a temporary folder, then rename.
local function fetch_and_unpack(spec)
  cache.prepare()
  cache.sweep(unpack.remove)
  local temporary, lock = cache.temporary()
  local _ <close> = lock
  ns.mkdir(temporary .. "/root", 493)
  spec.target = temporary .. "/root"
  local ok, result = pcall(unpack.run, spec)
  if not ok then
    unpack.remove(temporary)
    error(result, 0)
  end
  cache.describe(temporary, { source = spec.name, digest = result.digest, size = result.size,
    bytes = result.bytes, entries = result.entries, made = os.time() })
  if cache.publish(temporary, result.digest) and ns.access(temporary, "") then
    unpack.remove(temporary)
  end
  if spec.identity then cache.remember(spec.identity, result.digest) end
  return result
end

local function given_archive(path, opts)
  local id = identity(path)
  local digest = cache.recall(id)
  if opts.sha256 and digest and digest ~= opts.sha256 then digest = nil end
  local there = digest and cached(digest, path)
  if there then return there end
  local result = job.run(fetch_and_unpack, { name = path, identity = id, sha256 = opts.sha256,
    read = unpack.from_file(path), max_bytes = opts.max_bytes, max_entries = opts.max_entries,
    max_ratio = opts.max_ratio })
  return cached(result.digest, path, "given", "the archive that was given")
end

local function from_ladder()
  local rung = ladder.climb()
  return new { directory = rung.path, standing = rung.rung, label = rung.label,
    mounts = rung.mounts }
end


-- -- the functions -------------------------------------------------------------------------

local function check_options(opts)
  if opts == nil then return {} end
  if type(opts) ~= "table" then error("bad argument #2 to 'get' (table expected)", 3) end
  for key, value in pairs(opts) do
    if not known[key] then
      local near = sys.nearest(tostring(key), OPTIONS)
      error(("unknown option '%s'%s"):format(sys.clean(tostring(key)),
        near and (" (did you mean '%s'?)"):format(near) or ""), 3)
    end
    if key:find "^max_" and not (math.type(value) == "integer" and value > 0) then
      error(("option '%s' is a number of bytes or entries > 0"):format(key), 3)
    end
  end
  local sum = opts.sha256
  if sum ~= nil and not (type(sum) == "string" and #sum == 64 and not sum:find "%X") then
    error("option 'sha256' is 64 hexadecimal digits", 3)
  end
  local copy = {}
  for key, value in pairs(opts) do copy[key] = value end
  copy.sha256 = sum and sum:lower()
  return copy
end


---A root file system: from a directory, an archive (tar; gzip, xz, zstd or
---bzip2), or, with no source, from what is at hand: static busybox of the host.
---
---    local root = ns.rootfs.get "/srv/debian.tar.gz"
---    local box <close> = ns.box{ root = root:overlay() }
---
---Raises: a damaged, hostile or wrong archive, and says which entry; nothing
---is left of it then.
---@param source? string|nslua.Rootfs
---@param opts? { sha256?: string, quiet?: boolean, timeout?: number, max_bytes?: integer, max_entries?: integer, max_ratio?: integer, network?: boolean, refresh?: boolean }
---@return nslua.Rootfs
function rootfs.get(source, opts)
  opts = check_options(opts)
  if source == nil then return from_ladder() end
  if getmetatable(source) == metatable then return check(source) end
  if type(source) ~= "string" or source == "" or source:find "\0" then
    error("bad argument #1 to 'get' (a name, URL, file or directory expected)", 2)
  end
  local st, _, errno = ns.try(ns.stat, source)
  if st and st.type == "dir" then return given_directory(source) end
  if st then return given_archive(source, opts) end
  fail.raise(errno, source, "there is no such file or directory", nil,
    "give a directory, an archive or a URL; with nothing given a root is made from what is here")
end


---Takes a root out of the cache.
---@param name string  a digest or name, as ns.rootfs.list() shows it
---@return true
function rootfs.remove(name)
  if type(name) ~= "string" or name:find "/" or name == "" or name:sub(1, 1) == "." then
    error("bad argument #1 to 'remove' (the name of a cached root expected)", 2)
  end
  local path = cache.find(name)
  if not path then fail.raise(fail.ENOENT, name, "no such root in the cache") end
  job.run(function()
    local temporary, lock = cache.temporary()
    local _ <close> = lock
    ns.rename(path, temporary .. "/old")
    unpack.remove(temporary)
    return {}
  end)
  return true
end


---The roots in the cache.
---@return { name: string, source: string, path: string, bytes: integer, entries: integer, made: integer }[]
function rootfs.list()
  local rows = {}
  local folder = cache.folder() .. "/roots"
  for _, name in ipairs(ns.try(ns.readdir, folder) or {}) do
    local path = cache.find(name)
    if path then
      local facts = cache.facts(path)
      rows[#rows + 1] = { name = name, source = facts.source or "?", path = path .. "/root",
        bytes = tonumber(facts.bytes) or 0, entries = tonumber(facts.entries) or 0,
        made = tonumber(facts.made) or 0 }
    end
  end
  table.sort(rows, function(a, b) return a.name < b.name end)
  return rows
end

return rootfs
