-- SPDX-License-Identifier: MIT
-- Where unpacked roots are kept: $XDG_CACHE_HOME/nslua, readable by its owner
-- alone, one folder a root, named after the SHA-256 of the archive. Only a
-- rename makes such a folder, so what is there is whole. What is being made
-- lies in tmp/ under a lock that ends with its process.

local sys = require "nslua.sys"
local account = require "nslua.rootfs.account"
local fail = require "nslua.rootfs.fail"
local ns = sys.primitives

local cache = {}

local SETTLED = 60 -- seconds after which nobody is at work on a small file

local ELSEWHERE = "set XDG_CACHE_HOME to a folder of your own that you may write to"

local owned -- the folder, once a child of sudo's has become its owner


---Under sudo the cache stays with the calling user. nil: it is our own.
---@return integer? uid
---@return integer? gid
---@return string? home
function cache.sudo_user()
  local uid, gid = tonumber(os.getenv "SUDO_UID"), tonumber(os.getenv "SUDO_GID")
  if ns.geteuid() ~= 0 or not uid or not gid or uid == 0 then return nil end
  local _, home = account.find(uid)
  if not home then return nil end
  return uid, gid, home
end


---The folder of everything that nslua keeps.
---@return string
function cache.folder()
  if owned then return owned end
  local base = os.getenv "XDG_CACHE_HOME"
  local uid, _, home = cache.sudo_user()
  if uid and not (base and base:sub(1, #home + 1) == home .. "/") then
    base = home .. "/.cache"
  elseif not base or base:sub(1, 1) ~= "/" then
    home = os.getenv "HOME" or select(2, account.find(ns.getuid()))
    if not home or home:sub(1, 1) ~= "/" then
      fail.raise(fail.ENOENT, "cache", "there is no home folder to keep it in",
        nil, "set HOME or XDG_CACHE_HOME")
    end
    base = home .. "/.cache"
  end
  return base .. "/nslua"
end


---Called before a child becomes the owner: afterwards it looks like one who
---never was root.
function cache.keep_folder()
  owned = cache.folder()
end

local function make_folder(path, mode)
  local parent = path:match "^(.+)/[^/]+$"
  if ns.access(path .. "/.", "") then return end
  if parent then make_folder(parent, mode) end
  local ok, message, errno = ns.try(ns.mkdir, path, mode)
  if not ok and errno ~= 17 then
    fail.raise(errno, "cache", "cannot make " .. path .. ": " .. message, nil, ELSEWHERE)
  end
end


-- Nobody else may be able to change it, nor where a link in its place leads.
local function check_owner(folder)
  local us = ns.geteuid()
  for _, look in ipairs { ns.lstat, ns.stat } do
    local st = look(folder)
    if st.uid ~= us then
      fail.raise(fail.EACCES, "cache", folder .. " belongs to somebody else",
        ("its owner is uid %d, we are %d"):format(st.uid, us), ELSEWHERE)
    end
  end
end


---Makes the folder and what belongs in it; refuses one that others could
---change. Called in the job, which is the owner.
---@return string
function cache.prepare()
  local folder = cache.folder()
  make_folder(folder, 448)
  check_owner(folder)
  if ns.stat(folder).mode & 63 ~= 0 then ns.chmod(folder, 448) end
  for _, name in ipairs { "/tmp", "/roots", "/index", "/parts" } do
    make_folder(folder .. name, 448)
  end
  return folder
end


---The tree of a root that is there and whole, or nil.
---@param name string  a digest, or the name of a root that was built
---@return string?
function cache.find(name)
  local path = cache.folder() .. "/roots/" .. name
  if ns.access(path .. "/root/.", "") then return path end
end


---The names of all roots that are there.
---@return string[]
function cache.names()
  local names = {}
  for _, name in ipairs(ns.try(ns.readdir, cache.folder() .. "/roots") or {}) do
    if cache.find(name) then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end


---A descriptor that keeps others from removing a root; nil when it is going.
---@param path string
---@return nslua.Fd?
function cache.use(path)
  local fd = ns.try(ns.open, path, "rdonly,directory")
  if not fd then return nil end
  if ns.try(fd.flock, fd, "sh,nb") and ns.access(path .. "/root/.", "") then return fd end
  fd:close()
end


-- -- what is being made ------------------------------------------------------

-- The lock is the folder's own; it is held by every process that has a copy
-- of the descriptor, so it ends with the last of them.
local function lock(path)
  local fd = ns.try(ns.open, path, "rdonly,directory")
  if not fd then return nil end
  if ns.try(fd.flock, fd, "ex,nb") then
    local mine, there = ns.stat(fd), ns.try(ns.stat, path)
    if there and there.ino == mine.ino then return fd end
  end
  fd:close()
end


---A folder of its own in tmp/ and the descriptor that locks it.
---@return string path
---@return nslua.Fd lock
function cache.temporary()
  local folder = cache.folder()
  for _ = 1, 100 do
    local path, message, errno = ns.try(ns.mkdtemp,
      ("%s/tmp/%d-XXXXXX"):format(folder, ns.getpid()))
    if not path then
      fail.raise(errno, "cache", "cannot write to it: " .. message, nil, ELSEWHERE)
    end
    local fd = lock(path) -- somebody who sweeps may have been quicker
    if fd then return path, fd end
  end
  fail.raise(fail.EBUSY, "cache", "cannot make a temporary folder")
end


---Takes away what processes that are no more have left in tmp/.
---@param remove fun(path: string)
function cache.sweep(remove)
  local folder = cache.folder() .. "/tmp"
  for _, name in ipairs(ns.try(ns.readdir, folder) or {}) do
    local path = folder .. "/" .. name
    local fd <close> = lock(path)
    if fd then remove(path) end
  end
end


---Makes a temporary folder the root of that name. When another process was
---first, its root is as good: ours stays where it is.
---@return string path
function cache.publish(temporary, name)
  local path = cache.folder() .. "/roots/" .. name
  local ok, message, errno = ns.try(ns.rename, temporary, path)
  if not ok and errno ~= 39 and errno ~= 17 then
    fail.raise(errno, name, "cannot keep it: " .. message)
  end
  return path
end


-- -- which source is which digest --------------------------------------------

---A short name for a text (FNV-1a); nothing depends on its being hard to hit.
---@param text string
---@return string
function cache.hash(text)
  local hash = -3750763034362895579
  for i = 1, #text do hash = (hash ~ text:byte(i)) * 1099511628211 end
  return ("%016x"):format(hash)
end

-- The source itself stands in the file.
local function place(kind, source)
  return ("%s/%s/%s"):format(cache.folder(), kind, cache.hash(source))
end


---Where what has come of a download is kept.
function cache.part_path(url)
  return place("parts", url)
end


---Takes away parts that nobody has asked for in so many seconds.
function cache.sweep_parts(age)
  local folder = cache.folder() .. "/parts"
  for _, name in ipairs(ns.try(ns.readdir, folder) or {}) do
    local path = folder .. "/" .. name
    local st = ns.try(ns.lstat, path)
    if st and os.time() - st.mtime > age then os.remove(path) end
  end
end


---Remembers that the source (a URL, or a file's identity) has this digest.
function cache.remember(source, digest)
  local path = place("index", source)
  local file = io.open(path .. ".new", "w")
  if not file then return end
  local well = file:write(digest, "\n", source)
  if file:close() and well then os.rename(path .. ".new", path) end
end


---Takes away what the index says of roots that are gone.
function cache.sweep_index()
  local folder = cache.folder() .. "/index"
  for _, name in ipairs(ns.try(ns.readdir, folder) or {}) do
    local path = folder .. "/" .. name
    local st, file = ns.try(ns.lstat, path), io.open(path)
    local digest = file and file:read "l"
    if file then file:close() end
    local live = digest and digest:find "^%x+$" and cache.find(digest)
    if st and not live and os.time() - st.mtime > SETTLED then os.remove(path) end
  end
end


---@return string? digest
function cache.recall(source)
  local file = io.open(place("index", source))
  if not file then return nil end
  local digest, said = file:read("l"), file:read("a")
  file:close()
  return said == source and digest:match "^%x+$" and digest or nil
end


-- -- what is known of a root -------------------------------------------------

---Writes facts beside the tree. @param facts table<string, string|number>
function cache.describe(path, facts)
  local file <close> = assert(io.open(path .. "/facts", "w"))
  for key, value in pairs(facts) do
    file:write(key, "=", (tostring(value):gsub("[%c\\]", function(c)
      return ("\\%03d"):format(c:byte())
    end)), "\n")
  end
end


---@return table<string, string>
function cache.facts(path)
  local facts = {}
  local file = io.open(path .. "/facts")
  if not file then return facts end
  for line in file:lines() do
    local key, value = line:match "^(%w+)=(.*)$"
    if key then
      facts[key] = value:gsub("\\(%d%d%d)", function(n) return string.char(tonumber(n)) end)
    end
  end
  file:close()
  return facts
end

return cache
