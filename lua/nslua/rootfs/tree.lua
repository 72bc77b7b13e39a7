-- SPDX-License-Identifier: MIT
-- Small trees made of what the host has, kept in the cache under a name of
-- their own.

local sys = require "nslua.sys"
local cache = require "nslua.rootfs.cache"
local fail = require "nslua.rootfs.fail"
local job = require "nslua.rootfs.job"
local removal = require "nslua.rootfs.removal"
local unpack = require "nslua.rootfs.unpack"
local ns = sys.primitives

local tree = {}

local TRIES = 5
local DAY, MINUTE = 86400, 60 -- seconds

local FOLDERS = { "dev", "etc", "home", "mnt", "proc", "root", "run", "sys", "tmp", "var" }
local FILES = {
  ["etc/passwd"] = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
  ["etc/group"] = "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
  ["etc/hosts"] = "127.0.0.1 localhost\n::1 localhost\n",
}


---@param path string
---@param text string
---@param mode? integer
function tree.write(path, text, mode)
  local fd <close> = ns.open(path, "w", mode or 420)
  fd:write(text)
end


---Folders and accounts that every small root has.
---@param dir string
function tree.furnish(dir)
  for _, name in ipairs(FOLDERS) do ns.mkdir(dir .. "/" .. name, 493) end
  ns.chmod(dir .. "/tmp", 1023)
  for path, text in pairs(FILES) do tree.write(dir .. "/" .. path, text) end
end


---One folder of programs, under all the names that it is looked for.
---@param dir string
function tree.programs(dir)
  ns.mkdir(dir .. "/bin", 493)
  ns.mkdir(dir .. "/usr", 493)
  ns.symlink("bin", dir .. "/sbin")
  ns.symlink("../bin", dir .. "/usr/bin")
  ns.symlink("../bin", dir .. "/usr/sbin")
end


---A folder and those above it, below `dir`.
---@param dir string
---@param path string
function tree.folder(dir, path)
  for part in path:gmatch "[^/]+" do
    dir = dir .. "/" .. part
    ns.try(ns.mkdir, dir, 493)
  end
end


---Copies a file of the host.
---@param from string
---@param to string
---@param mode? integer
function tree.copy(from, to, mode)
  local file <close> = assert(io.open(from, "rb"))
  local fd <close> = ns.open(to, "wronly,create,excl", mode or 493)
  for bytes in file:lines(1 << 18) do fd:write(bytes) end
end

-- -- kept in the cache -------------------------------------------------------

-- A tree's name says what it was made of ("self-INODE-SIZE-TIME"): one of last
-- week's nslua is of no use to anybody, but two that take turns are.
local function drop_older(name)
  local kind = name:match "^%l+%-"
  for _, other in ipairs(cache.names()) do
    local path = cache.find(other)
    local made = path and math.tointeger(cache.facts(path).made)
    if other ~= name and other:match "^%l+%-" == kind and made and os.time() - made > DAY then
      pcall(removal.take_away, other, path)
    end
  end
end

local function build(name, make)
  cache.prepare()
  cache.sweep(unpack.remove)
  local temporary, lock = cache.temporary()
  local _ <close> = lock
  ns.mkdir(temporary .. "/root", 493)
  make(temporary .. "/root")
  cache.describe(temporary, { source = name, made = os.time() })
  cache.publish(temporary, name)
  if ns.access(temporary, "") then unpack.remove(temporary) end -- another was first
  drop_older(name)
  return {}
end

-- Between the two, another process may take it away.
local function from_cache(name, make)
  for _ = 1, TRIES do
    local path = cache.find(name)
    if not path then job.run(build, name, make) end
    path = cache.find(name)
    local lock = path and cache.use(path)
    if lock then return path, lock end
  end
  fail.raise(fail.EBUSY, name, "another process takes it out of the cache at once")
end


-- -- where no cache can be kept ----------------------------------------------

local function scratch_folder()
  local folder = os.getenv "TMPDIR"
  return folder and folder:sub(1, 1) == "/" and folder or "/tmp"
end

-- Whoever uses one holds a lock on it, as in the cache; one that is new may
-- not be locked yet.
local function sweep_scratch()
  local folder = scratch_folder()
  for _, name in ipairs(ns.try(ns.readdir, folder) or {}) do
    local path = folder .. "/" .. name
    local st = name:find "^nslua%-root%-%w+$" and ns.try(ns.lstat, path)
    if st and st.type == "dir" and st.uid == ns.geteuid() and os.time() - st.mtime > MINUTE then
      local fd <close> = ns.try(ns.open, path, "rdonly,directory,nofollow")
      if fd and ns.try(fd.flock, fd, "ex,nb") then unpack.remove(path) end
    end
  end
end

-- A tree for this process alone.
local function build_scratch(make)
  sweep_scratch()
  local path = ns.mkdtemp(scratch_folder() .. "/nslua-root-XXXXXX")
  ns.mkdir(path .. "/root", 493)
  make(path .. "/root")
  return { path = path }
end


---The tree of this name; make(dir) fills it when it is not there yet.
---@param name string
---@param make fun(dir: string)
---@return string path
---@return nslua.Fd? lock
---@return string? scratch  what to remove at the end: it is not in the cache
function tree.get(name, make)
  local kept, path, lock = pcall(from_cache, name, make)
  if kept then return path .. "/root", lock end
  local built, made = pcall(job.run, build_scratch, make)
  if not built then error(path, 0) end
  return made.path .. "/root", cache.use(made.path), made.path
end

return tree
