-- SPDX-License-Identifier: MIT
-- Root file systems for boxes: from a directory, an archive, a URL, the
-- catalogue, or from what the host has at hand. What is unpacked is unpacked
-- once and kept; boxes share it and write to a layer of their own.

local sys = require "nslua.sys"
local cache = require "nslua.rootfs.cache"
local fail = require "nslua.rootfs.fail"
local handle = require "nslua.rootfs.handle"
local list = require "nslua.list"
local ladder = require "nslua.rootfs.ladder"
local removal = require "nslua.rootfs.removal"
local source = require "nslua.rootfs.source"
local text = require "nslua.text"

local rootfs = {}

---@class nslua.RootfsOptions
---@field sha256? string  64 hexadecimal digits
---@field quiet? boolean
---@field timeout? number  seconds
---@field refresh? boolean
---@field network? boolean
---@field rung? "cache"|"network"|"busybox"|"host"|"self"
---@field max_download? integer  bytes
---@field max_bytes? integer
---@field max_entries? integer
---@field max_ratio? integer

local OPTIONS = { sha256 = "digest", quiet = "boolean", refresh = "boolean", network = "boolean",
  timeout = "seconds", max_bytes = "count", max_entries = "count", max_ratio = "count",
  max_download = "count", rung = "rung" }

local rungs = {}
for _, name in ipairs(ladder.names()) do rungs[name] = true end

local right = {
  rung = function(v) return rungs[v] == true end,
  digest = function(v) return type(v) == "string" and #v == 64 and not v:find "%X" end,
  boolean = function(v) return type(v) == "boolean" end,
  seconds = function(v) return type(v) == "number" and v > 0 and v < 1e6 end,
  count = function(v) return math.type(v) == "integer" and v > 0 end,
}
local wanted = { digest = "64 hexadecimal digits", boolean = "true or false",
  seconds = "a number of seconds", count = "a whole number > 0",
  rung = "one of " .. table.concat(ladder.names(), ", ") }


local function names_of(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function check_options(opts)
  if opts == nil then return {} end
  if type(opts) ~= "table" then
    error("bad argument #2 to 'get' (a table of options expected)", 3)
  end
  local copy = {}
  for key, value in pairs(opts) do
    local kind = OPTIONS[key]
    if not kind then
      local near = sys.nearest(tostring(key), names_of(OPTIONS))
      error(("unknown option '%s'%s"):format(sys.clean(tostring(key)),
        near and (" (did you mean '%s'?)"):format(near) or ""), 3)
    end
    if not right[kind](value) then
      error(("option '%s' is %s"):format(key, wanted[kind]), 3)
    end
    copy[key] = value
  end
  copy.sha256 = copy.sha256 and copy.sha256:lower()
  return copy
end


---A root file system. The source is a directory; an archive (tar, plain or
---compressed by gzip, xz, zstd or bzip2; "-" is standard input); a URL (https,
---http, file); a name of the catalogue ("alpine", "alpine:3.20"). With none the
---ladder is climbed: the cache, the network, static busybox of the host, the
---host's own programs, nslua itself; root:rung() says where it stands.
---
---    local root <close> = ns.rootfs.get "alpine"
---    local box <close> = ns.box{ root = root:overlay() }
---
---An archive is unpacked behind a wall and kept under its SHA-256; the next get
---finds it there. Options: sha256= (what it must be), quiet=, timeout= (seconds
---without an answer or progress, 9), refresh= (ask the server again), network=
---(false: the ladder leaves it out), rung= (only that one), max_download=,
---max_bytes=, max_entries=, max_ratio= (limits for what is strange).
---
---Raises: a damaged, hostile or wrong archive, naming the entry; a server that
---does not give it. Nothing is left of it then but the part of a download that
---the next call continues.
---Source: pivot_root(2), tar(1)
---@param what? string|nslua.Rootfs
---@param opts? nslua.RootfsOptions
---@return nslua.Rootfs
function rootfs.get(what, opts)
  if type(what) == "table" and not handle.is(what) and opts == nil then
    what, opts = nil, what
  end
  opts = check_options(opts)
  if what == nil then return ladder.climb(opts) end
  if handle.is(what) then return what end
  if type(what) ~= "string" or what == "" or what:find "\0" then
    error("bad argument #1 to 'get' (a name, a URL, a file or a directory expected)", 2)
  end
  if what == "-" then return source.archive(what, opts) end
  if what:find "^%a[%w+.-]*://" then return source.url(what, opts) end
  local root, why = source.catalogue(what, opts)
  if root then return root end
  if why then fail.raise(fail.ENOENT, what, why) end
  return source.path(what, opts)
end


---Takes a root out of the cache; without a name all that are not in use.
---
---    ns.rootfs.remove(ns.rootfs.list()[1].name)
---
---Raises: ENOENT (no such root), EBUSY (a handle or another process uses it).
---Source: unlinkat(2), flock(2)
---@param name? string  as ns.rootfs.list() shows it
---@return true
function rootfs.remove(name)
  if name == nil then
    for _, row in ipairs(rootfs.list()) do pcall(removal.remove, row.name) end
    return true
  end
  if type(name) ~= "string" or name:find "[/%c]" or name == "" or name:sub(1, 1) == "." then
    error("bad argument #1 to 'remove' (the name of a cached root expected)", 2)
  end
  removal.remove(name)
  return true
end


-- What was at hand is named after what it is; it takes no room.
local function line_of(row)
  local name = text.clean(row.name)
  if row.bytes == 0 then return name end
  return ("%s  %.1f MB in %d files, of %s"):format(name, row.bytes / 1e6, row.entries, text.clean(row.source))
end


---The roots in the cache.
---
---    for _, root in ipairs(ns.rootfs.list()) do print(root.source, root.bytes) end
---
---Fields: name, source, path, bytes, entries, made (seconds since 1970).
---@return nslua.List
function rootfs.list()
  local rows = {}
  for _, name in ipairs(cache.names()) do
    local path = cache.find(name)
    local facts = cache.facts(path)
    rows[#rows + 1] = { name = name, source = facts.source or "?", path = path .. "/root",
      bytes = math.tointeger(facts.bytes) or 0, entries = math.tointeger(facts.entries) or 0,
      made = math.tointeger(facts.made) or 0 }
  end
  return list.make(rows, "roots", { "name", "source", "bytes", "entries" },
    { format = line_of, nothing = "no root is in the cache" })
end

return rootfs
