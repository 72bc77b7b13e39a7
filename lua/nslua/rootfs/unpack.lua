-- SPDX-License-Identifier: MIT
-- An archive becomes a tree. Two children work on it: one reads (network or
-- file), digests and inflates (feed.so); the other, whose root is the target,
-- writes (archive.so). Between them is a ring of shared memory.

local sys = require "nslua.sys"
local library = require "nslua.library"
local fail = require "nslua.rootfs.fail"
local job = require "nslua.rootfs.job"
local wall = require "nslua.rootfs.wall"
local ns = sys.primitives

local unpack = {}

local GIB = 1 << 30
local BLOCK = 256 * 1024
local WINDOW, ROOM = 128 << 20, 24 << 20

unpack.limits = { max_bytes = 64 * GIB, max_entries = 4000000, max_ratio = 300 }


-- -- the child that reads ----------------------------------------------------

local function read_file(file, feed)
  while true do
    local bytes, message = file:read(BLOCK)
    if message then return nil, "it cannot be read: " .. message end
    if not bytes then return true end
    local ok, reason, gone = feed:write(bytes)
    if not ok then return nil, reason, gone end
  end
end

local function check_digest(feed, wanted, beside)
  local digest, bytes, gone = feed:digest()
  if not digest then return nil, bytes, gone, "data" end
  if wanted and digest ~= wanted then
    return nil, ("its SHA-256 is %s, not %s"):format(digest, wanted), false, "digest"
  end
  if beside and digest ~= beside then
    return nil, ("its SHA-256 is %s, but the .sha256 file beside it says %s"):format(digest,
      beside), false, "digest"
  end
  return digest, bytes
end

-- true, digest, bytes | nil, reason, the writer is gone, kind
local function read_all(feed, spec, pump)
  local ok, reason, gone, kind = pump(feed)
  if not ok then return nil, reason, gone, kind or "data" end
  local digest, bytes
  digest, bytes, gone, kind = check_digest(feed, spec.sha256, spec.beside and spec.beside())
  if not digest then return nil, bytes, gone, kind end
  ok, reason, gone = feed:finish()
  return ok, ok and digest or reason, ok and bytes or gone, "data"
end

-- The last word: "ok DIGEST BYTES CHECKED", "no KIND REASON", or "gone": the
-- writer knows the reason.
local function read(ring, spec)
  ring:side "fill"
  local pump = spec.read(ring)
  local feed <close> = library.open("feed").new(ring, spec.max_bytes, spec.max_ratio, spec.fast ~= false
    and not os.getenv "NSLUA_NO_ISAL")
  local ok, result, extra, kind = read_all(feed, spec, pump)
  if ok then
    local checked = spec.sha256 and "given" or spec.beside and spec.beside() and "beside" or "none"
    ring:say("fill", ("ok %s %d %s"):format(result, extra, checked))
  else
    ring:say("fill", extra and "gone" or ("no %s %s"):format(kind, result))
  end
end


-- -- the child that writes ---------------------------------------------------

-- What this process has, and what a decompressor may need: a window of 128 MiB.
local function memory_limit()
  local file <close> = assert(io.open "/proc/self/status")
  return tonumber(file:read("a"):match "VmData:%s*(%d+)") * 1024 + WINDOW + ROOM
end

local function write(ring, spec, ask)
  ring:side "empty"
  local archive = library.open "archive" -- while the host's libraries are in sight
  local memory = memory_limit()
  local kind, root = wall.enter(spec.plan, ask, spec.target)
  local stats, reason, cut = archive.unpack(ring, root, spec.max_bytes,
    spec.max_entries, spec.max_ratio, memory)
  if not stats then
    ring:say("empty", (cut and "cut " or "no ") .. reason)
    return
  end
  local out = { "ok", kind }
  for key, n in pairs(stats) do out[#out + 1] = ("%s=%d"):format(key, n) end
  ring:say("empty", table.concat(out, " "))
end

-- An error in a child is its last word.
local function guarded(side, fn)
  return function(ring, ...)
    local ok, err = pcall(fn, ring, ...)
    if not ok then
      local words = type(err) == "table" and err.message or tostring(err)
      ring:say(side, side == "fill" and "no data " .. words or "no " .. words)
    end
    ns._exit(0)
  end
end

local function start_writer(ring, spec)
  spec.plan = wall.plan()
  if spec.plan.kind == "one" then
    return job.fork(guarded("empty", write), ring, spec)
  end
  local asked_r, asked_w = ns.pipe()
  local go_r, go_w = ns.pipe()
  local _ <close> = asked_r
  local _ <close> = asked_w
  local _ <close> = go_r
  local _ <close> = go_w
  local child = job.fork(guarded("empty", write), ring, spec,
    wall.asker(asked_w, go_r))
  asked_w:close()
  wall.serve(spec.plan, child, asked_r, go_w)
  return child
end


-- -- both --------------------------------------------------------------------

local function outcome(child, said, prefix, who)
  if said ~= "" then return said end
  local _, how, code = child:wait()
  return ("%s the process that %s ended early (%s %s)"):format(prefix, who, how, code)
end

local ERRNO = { net = fail.ENETUNREACH, digest = fail.EBADMSG, data = fail.EBADMSG,
  disk = fail.ENOSPC }

-- What libarchive's words mean.
local function translate(reason)
  if reason:find "No progress is possible" or reason:find "Truncated" then
    return reason:match "^(.-): " and reason:match "^(.-): " .. ": the archive is cut off"
      or "the archive is cut off"
  elseif reason:find "Unrecognized archive format" then
    return "it is no tar archive (plain, gzip, xz, zstd or bzip2)"
  elseif reason:find "requires too much memory" or reason:find "Cannot allocate memory" then
    return "its compression needs more than 128 MiB of memory"
  end
  return reason
end

local function raise(spec, kind, reason)
  if reason:find "No space left on device" then kind = "disk" end
  local err = fail.new(ERRNO[kind], spec.name, translate(reason))
  err.kind = kind
  error(err, 0)
end

local function settle(spec, reader, writer)
  local digest, bytes, checked = reader:match "^ok (%x+) (%d+) (%a+)$"
  local owners = writer:match "^ok (%a+)"
  if digest and owners then
    local result = { digest = digest, size = tonumber(bytes), checked = checked, ids = owners }
    for key, n in writer:gmatch "(%w+)=(%d+)" do result[key] = tonumber(n) end
    return result
  end
  local kind, reason = reader:match "^no (%a+) (.*)$"
  if kind then raise(spec, kind, reason) end
  raise(spec, "data", writer:match "^no (.*)$" or writer:match "^cut (.*)$" or "it was cut off")
end


---Unpacks into spec.target, an empty directory. Raises when anything is wrong;
---the target is then for the caller to remove.
---
---spec.read(ring) runs in the reading child and returns pump(feed), which gives
---it all bytes; spec.beside() is asked there for a digest once all has come.
---@param spec table  name, target, read; sha256, beside, limits, watch, fast
---@return table result  digest, size, checked, ids; entries, bytes and what was left out
function unpack.run(spec)
  for key, most in pairs(unpack.limits) do spec[key] = spec[key] or most end
  local ring <close> = library.open("ring").new()
  local reader <close> = job.fork(guarded("fill", read), ring, spec)
  local writer <close> = start_writer(ring, spec)
  ring:side "watch"
  repeat
    if spec.watch then spec.watch(ring:progress()) end
  until writer:wait(0.1)
  reader:wait()
  return settle(spec, outcome(reader, ring:said "fill", "no data", "reads"),
    outcome(writer, ring:said "empty", "no", "writes"))
end


---What reads a local file.
---@param path string  "-" is standard input
---@return fun(ring): fun(feed): boolean?, string?, boolean?, string?
function unpack.from_file(path)
  return function(ring)
    local file, message = io.stdin, nil
    if path ~= "-" then file, message = io.open(path, "rb") end
    if not file then error("it cannot be read: " .. message, 0) end
    file:setvbuf "no"
    local size = path ~= "-" and file:seek "end"
    if size then
      ring:expect(size)
      file:seek "set"
    end
    return function(feed) return read_file(file, feed) end
  end
end


---Removes a tree, as far as the ids of this user reach.
---@param path string
---@return boolean
function unpack.remove(path)
  return wall.inside(job.fork, library.open("ring").remove, path)
end

return unpack
