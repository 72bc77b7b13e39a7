-- SPDX-License-Identifier: MIT
-- Small trees made of what the host has, kept in the cache under a name of
-- their own.

local sys = require "nslua.sys"
local cache = require "nslua.rootfs.cache"
local job = require "nslua.rootfs.job"
local unpack = require "nslua.rootfs.unpack"
local ns = sys.primitives

local tree = {}

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
  ns.umask(18)
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

local function build(name, make)
  cache.prepare()
  cache.sweep(unpack.remove)
  local temporary, lock = cache.temporary()
  local _ <close> = lock
  ns.mkdir(temporary .. "/root", 493)
  make(temporary .. "/root")
  cache.describe(temporary, { source = name, made = os.time() })
  local path = cache.publish(temporary, name)
  if ns.access(temporary, "") then unpack.remove(temporary) end -- another was first
  return { path = path }
end


-- Where no cache can be kept: a tree for this process alone.
local function build_scratch(make)
  local path = ns.mkdtemp((os.getenv "TMPDIR" or "/tmp") .. "/nslua-root-XXXXXX")
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
  local ok, path = pcall(function()
    return cache.find(name) or job.run(build, name, make).path
  end)
  if ok then return path .. "/root", cache.use(path) end
  local built, made = pcall(job.run, build_scratch, make)
  if not built then error(path, 0) end
  return made.path .. "/root", nil, made.path
end

return tree
