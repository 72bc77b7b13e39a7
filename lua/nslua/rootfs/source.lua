-- SPDX-License-Identifier: MIT
-- From a source to a tree in the cache: which archive it is, where its bytes
-- come from, what its digest must be.

local sys = require "nslua.sys"
local cache = require "nslua.rootfs.cache"
local catalogue = require "nslua.rootfs.catalogue"
local download = require "nslua.rootfs.download"
local fail = require "nslua.rootfs.fail"
local handle = require "nslua.rootfs.handle"
local job = require "nslua.rootfs.job"
local progress = require "nslua.rootfs.progress"
local unpack = require "nslua.rootfs.unpack"
local ns = sys.primitives

local source = {}

local PART_DAYS = 14 -- a part that nobody came back for is dropped then
local TRIES = 5


-- -- what is there already ---------------------------------------------------

local function note_of(facts)
  local notes = {}
  if facts.ids == "one" then
    notes[#notes + 1] = "owners ignored: one id is mapped"
  elseif tonumber(facts.owners or 0) > 0 then
    notes[#notes + 1] = "owners ignored where they have no id here: " .. facts.owners
  end
  if tonumber(facts.devices or 0) > 0 then notes[#notes + 1] = facts.devices .. " devices left out" end
  if facts.checked == "beside" then
    notes[#notes + 1] = "checked only against the .sha256 beside it"
  elseif facts.checked == "none" and (facts.source or ""):find "^https?:" then
    notes[#notes + 1] = "not checked against any digest"
  end
  return #notes > 0 and table.concat(notes, "; ") or nil
end


---A handle of a tree in the cache, or nil.
function source.cached(digest, standing, label)
  local path = cache.find(digest)
  local lock = path and cache.use(path)
  if not lock then return nil end
  local facts = cache.facts(path)
  return handle.new { directory = path .. "/root", standing = standing or "cache", name = digest,
    label = label or ("cached: " .. sys.clean(facts.source or digest)), lock = lock,
    note = note_of(facts) }
end


-- -- in the job --------------------------------------------------------------

local function words_of(spec, result)
  local words = { ("%s: %s"):format(spec.name, progress.size(result.size)) }
  if result.checked == "given" then
    words[#words + 1] = "SHA-256 right"
  elseif result.checked == "beside" then
    words[#words + 1] = "SHA-256 as the file beside it says"
  end
  words[#words + 1] = ("%d files unpacked"):format(result.entries)
  if result.ids == "one" then words[#words + 1] = "owners ignored (one id is mapped)" end
  return table.concat(words, ", ")
end

local function unpack_aside(spec)
  local temporary, lock = cache.temporary()
  local _ <close> = lock
  ns.mkdir(temporary .. "/root", 493)
  spec.target = temporary .. "/root"
  local watch, finish = progress.new(spec.name, spec)
  spec.watch = watch
  local ok, result = pcall(unpack.run, spec)
  if not ok then
    finish()
    unpack.remove(temporary)
    error(result, 0)
  end
  finish(words_of(spec, result))
  result.source, result.made = spec.name, os.time()
  cache.describe(temporary, result)
  cache.publish(temporary, result.digest)
  if ns.access(temporary, "") then unpack.remove(temporary) end -- another was first
  return result
end

local function tidy()
  cache.sweep(unpack.remove)
  cache.sweep_parts(PART_DAYS * 86400)
  cache.sweep_index()
end

-- A part that turned out wrong is not tried again; once, all is fetched anew.
local function fetch(spec)
  spec.part = download.part(cache.part_path(spec.url), spec.url, function()
    if not spec.quiet then
      io.stderr:write("nslua: waiting for another nslua that fetches it\n")
    end
  end)
  local digest = spec.sha256 or not spec.refresh and cache.recall(spec.url)
  if digest and cache.find(digest) then -- another was first
    download.forget(spec.part)
    return { digest = digest }
  end
  local had_part = spec.part.fd:seek "end" > 0
  spec.read = download.reader(spec)
  local ok, result = pcall(unpack_aside, spec)
  if ok then
    download.forget(spec.part)
    return result
  end
  local kind = type(result) == "table" and result.kind
  if kind ~= "net" or not download.is_of_use(spec.part, spec) then download.forget(spec.part) end
  if had_part and (kind == "data" or kind == "digest") then return fetch(spec) end
  error(result, 0)
end

local function work(spec)
  cache.prepare()
  tidy()
  local result = spec.url and fetch(spec) or unpack_aside(spec)
  if spec.identity then cache.remember(spec.identity, result.digest) end
  cache.sweep(unpack.remove) -- who was dying when we began is dead now
  return { digest = result.digest }
end


-- Works until there is a handle of the result: between the two, another process
-- may take the root out of the cache.
local function make(spec, standing, label)
  for _ = 1, spec.once and 1 or TRIES do
    local result = job.run(work, spec)
    local root = source.cached(result.digest, standing, label)
    if root then return root end
  end
  fail.raise(fail.EBUSY, spec.name, "another process takes it out of the cache at once", nil,
    "get it again")
end


-- -- sources -----------------------------------------------------------------

local function spec_for(name, opts)
  return { name = name, sha256 = opts.sha256, quiet = opts.quiet, timeout = opts.timeout,
    max_bytes = opts.max_bytes, max_entries = opts.max_entries, max_ratio = opts.max_ratio,
    max_download = opts.max_download, refresh = opts.refresh }
end

local function from_cache(key, opts)
  local digest = opts.sha256 or not opts.refresh and cache.recall(key)
  return digest and source.cached(digest)
end

local function read_sidecar(path)
  local file <close> = io.open(path .. ".sha256")
  return file and download.parse_sidecar(file:read(65536) or "", path:match "([^/]+)$")
end


---A local archive, or "-" for standard input.
function source.archive(path, opts)
  local spec = spec_for(path == "-" and "standard input" or path, opts)
  local st = path ~= "-" and ns.stat(path)
  if st and st.type ~= "file" and st.type ~= "fifo" then
    fail.raise(fail.EINVAL, path, "it is neither a directory nor a file")
  end
  if st and st.type == "file" then -- what comes through a pipe is new each time
    spec.identity = ("file:%s %d:%d %d %d.%d %d.%d"):format(source.absolute(path), st.dev, st.ino,
      st.size, st.mtime, st.mtime_nsec, st.ctime, st.ctime_nsec)
    local there = from_cache(spec.identity, opts)
    if there then return there end
    local digest = not opts.sha256 and read_sidecar(path)
    spec.beside = digest and function() return digest end
  end
  spec.read, spec.once = unpack.from_file(path), not spec.identity
  return make(spec, "given", "the archive that was given")
end


---An archive at a URL.
function source.url(url, opts)
  local shown = download.shown(url)
  local scheme = url:match "^(%a[%w+.-]*)://":lower()
  if scheme == "file" then
    local path = url:match "^%a+://[^/]*(/.*)$" or ""
    path = path:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
    return source.path(path, opts)
  elseif scheme ~= "http" and scheme ~= "https" then
    fail.raise(fail.EINVAL, shown, ("%s is no way to fetch a root"):format(scheme), nil,
      "use https, http or file")
  end
  local there = from_cache(url, opts)
  if there then return there end
  local spec = spec_for(shown, opts)
  spec.url, spec.identity, spec.remote = url, url, true
  spec.beside = function() return spec.found_beside end
  return make(spec, "network", "fetched from " .. sys.clean(shown))
end


---A name of the catalogue; nil when it has no such name.
function source.catalogue(name, opts)
  local entry, why = catalogue.find(name)
  if not entry then return nil, why end
  if opts.sha256 and opts.sha256 ~= entry.sha256 then
    fail.raise(fail.EBADMSG, name, "the catalogue has another SHA-256 for it", entry.sha256)
  end
  local copy = {}
  for key, value in pairs(opts) do copy[key] = value end
  copy.sha256 = entry.sha256
  return source.url(entry.url, copy)
end


---@param path string
---@return string
function source.absolute(path)
  if path:sub(1, 1) ~= "/" then path = ns.getcwd() .. "/" .. path:gsub("^%./+", "") end
  return #path > 1 and path:gsub("/+$", "") or path
end


---A directory or a local archive.
function source.path(path, opts)
  local st, message, errno = ns.try(ns.stat, path)
  if not st then
    fail.raise(errno, path, errno == fail.ENOENT and "there is no such file or directory"
      or message, nil, "give a directory, an archive, a URL or one of: "
      .. table.concat(catalogue.names(), ", "))
  end
  if st.type ~= "dir" then return source.archive(path, opts) end
  return handle.new { directory = source.absolute(path), standing = "given",
    label = "the directory that was given" }
end

return source
