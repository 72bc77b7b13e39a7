-- SPDX-License-Identifier: MIT
-- An archive becomes a tree. Two children work on it: one reads (network or
-- file), digests and inflates; the other, whose root is the target, writes.
-- Between them is a ring of shared memory (archive.so).

local sys = require "nslua.sys"
local library = require "nslua.library"
local fail = require "nslua.rootfs.fail"
local job = require "nslua.rootfs.job"
local ns = sys.primitives

local unpack = {}

local GIB = 1 << 30
local BLOCK = 256 * 1024

unpack.limits = { max_bytes = 64 * GIB, max_entries = 4000000, max_ratio = 300 }


-- -- the child that reads ----------------------------------------------------------

local function read_file(file, push)
  while true do
    local bytes, message = file:read(BLOCK)
    if message then return nil, "cannot be read: " .. message end
    if not bytes then return true end
    local ok, reason, gone = push(bytes)
    if not ok then return nil, reason, gone end
  end
end

local function check_digest(feed, wanted)
  local digest, bytes, gone = feed:digest()
  if not digest then return nil, bytes, gone end
  if wanted and digest ~= wanted then
    return nil, ("its SHA-256 is %s, not %s"):format(digest, wanted)
  end
  return digest, bytes
end

-- "ok DIGEST BYTES", "no REASON", or "gone": the writer knows the reason
local function read(archive, ring, spec)
  ring:side "fill"
  local feed <close> = archive.feed(ring, spec.max_bytes, spec.max_ratio, spec.fast ~= false)
  local function push(bytes) return feed:write(bytes) end
  local ok, reason, gone = spec.read(push, ring)
  local digest, bytes
  if ok then
    digest, bytes, gone = check_digest(feed, spec.sha256)
    if digest then
      ok, reason, gone = feed:finish()
    else
      ok, reason = nil, bytes
    end
  end
  if ok then
    ring:say("fill", ("ok %s %d"):format(digest, bytes))
  else
    ring:say("fill", gone and "gone" or "no " .. reason)
  end
end


-- -- the child that writes ----------------------------------------------------------

-- Its root will be the target; what it needs of libraries is open already.
local function confine()
  if ns.geteuid() == 0 then
    ns.unshare("mnt")
  else
    ns.unshare("user", "mnt")
    ns.map(nil, "root")
  end
end

local function write(archive, ring, spec)
  ring:side "empty"
  confine()
  local stats, reason, cut = archive.unpack(ring, spec.target, spec.max_bytes, spec.max_entries)
  if not stats then
    ring:say("empty", (cut and "cut " or "no ") .. reason)
    return
  end
  local out = { "ok" }
  for key, n in pairs(stats) do out[#out + 1] = ("%s=%d"):format(key, n) end
  ring:say("empty", table.concat(out, " "))
end

-- An error in a child is its last word.
local function guarded(side, fn)
  return function(archive, ring, spec)
    local ok, err = pcall(fn, archive, ring, spec)
    if not ok then
      ring:say(side, "no " .. (type(err) == "table" and err.message or tostring(err)))
    end
    ns._exit(0)
  end
end


-- -- both ------------------------------------------------------------------------------

local function outcome(child, said, who)
  if said ~= "" then return said end
  local _, how, code = child:wait()
  return ("no the process that %s ended early (%s %s)"):format(who, how, code)
end

local function settle(spec, reader, writer)
  local digest, bytes = reader:match "^ok (%x+) (%d+)$"
  if digest and writer:match "^ok" then
    local result = { digest = digest, size = tonumber(bytes) }
    for key, n in writer:gmatch "(%w+)=(%d+)" do result[key] = tonumber(n) end
    return result
  end
  local reason = reader:match "^no (.*)$" or writer:match "^no (.*)$"
    or writer:match "^cut (.*)$" or "it was cut off"
  fail.raise(fail.EBADMSG, spec.name, reason)
end


---Unpacks into spec.target, an empty directory. Raises when anything is wrong;
---the target is then for the caller to remove.
---
---spec.read(push, ring) runs in the reading child and gives all bytes to push.
---@param spec { name: string, target: string, read: function, sha256: string?, max_bytes: integer?, max_entries: integer?, max_ratio: integer?, fast: boolean?, watch: function? }
---@return { digest: string, size: integer, entries: integer, bytes: integer, devices: integer, owners: integer }
function unpack.run(spec)
  for key, most in pairs(unpack.limits) do spec[key] = spec[key] or most end
  local archive = library.open "archive"
  local ring <close> = archive.ring()
  local writer <close> = job.fork(guarded("empty", write), archive, ring, spec)
  local reader <close> = job.fork(guarded("fill", read), archive, ring, spec)
  ring:side "watch"
  repeat
    if spec.watch then spec.watch(ring:progress()) end
  until writer:wait(0.1)
  reader:wait()
  return settle(spec, outcome(reader, ring:said "fill", "reads"),
    outcome(writer, ring:said "empty", "writes"))
end


---What reads a local file.
function unpack.from_file(path)
  return function(push, ring)
    local file, message = io.open(path, "rb")
    if not file then return nil, message end
    file:setvbuf "no"
    local size = file:seek "end"
    if size then
      ring:expect(size)
      file:seek "set"
    end
    return read_file(file, push)
  end
end


---Removes a tree, as far as the ids of this user reach.
---@param path string
function unpack.remove(path)
  local archive = library.open "archive"
  local child <close> = job.fork(function()
    if ns.geteuid() ~= 0 then pcall(confine) end
    return archive.remove(path)
  end)
  return child:wait() == true
end

return unpack
