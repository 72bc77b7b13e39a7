-- SPDX-License-Identifier: MIT
-- Roots for which nothing is downloaded, from what the host has: its static
-- busybox, its own programs bound read-only, nslua itself.

local sys = require "nslua.sys"
local cache = require "nslua.rootfs.cache"
local catalogue = require "nslua.rootfs.catalogue"
local fail = require "nslua.rootfs.fail"
local handle = require "nslua.rootfs.handle"
local job = require "nslua.rootfs.job"
local source = require "nslua.rootfs.source"
local ns = sys.primitives

local ladder = {}

local FOLDERS = { "bin", "dev", "etc", "home", "mnt", "opt", "proc", "root", "run", "sys", "tmp",
  "usr", "var" }
local FILES = {
  ["etc/passwd"] = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
  ["etc/group"] = "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
  ["etc/hosts"] = "127.0.0.1 localhost\n::1 localhost\n",
}


-- -- a small tree -----------------------------------------------------------------

local function write_file(path, text, mode)
  local fd <close> = ns.open(path, "w", mode or 420)
  fd:write(text)
end

---Folders, accounts and links that every small root has.
---@param dir string
function ladder.furnish(dir)
  ns.umask(18)
  for _, name in ipairs(FOLDERS) do ns.mkdir(dir .. "/" .. name, 493) end
  ns.chmod(dir .. "/tmp", 1023)
  ns.chmod(dir .. "/root", 448)
  for path, text in pairs(FILES) do write_file(dir .. "/" .. path, text) end
  ns.symlink("bin", dir .. "/sbin")
  ns.symlink("../bin", dir .. "/usr/bin")
  ns.symlink("../bin", dir .. "/usr/sbin")
end


---Copies a file of the host.
function ladder.copy(from, to, mode)
  local file <close> = assert(io.open(from, "rb"))
  local fd <close> = ns.open(to, "w,excl", mode or 493)
  for bytes in file:lines(1 << 18) do fd:write(bytes) end
end


---A root of this name, made by make(dir) when it is not there yet. Where no
---cache can be kept it is made for this process alone.
---@param name string
---@param make fun(dir: string)
---@return string path
function ladder.built(name, make)
  local there = cache.find(name)
  if there then return there .. "/root" end
  return job.run(function()
    cache.prepare()
    local temporary, lock = cache.temporary()
    local _ <close> = lock
    ns.mkdir(temporary .. "/root", 493)
    make(temporary .. "/root")
    cache.describe(temporary, { source = name, made = os.time() })
    return { path = cache.publish(temporary, name) .. "/root" }
  end).path
end


-- -- static busybox -----------------------------------------------------------------

-- A program without PT_INTERP needs nothing else to run. elf(5), 64 bit
local function is_static(path)
  local file <close> = io.open(path, "rb")
  local head = file and file:read(64)
  if not head or #head < 64 or head:sub(1, 5) ~= "\127ELF\2" then return false end
  local offset = string.unpack("<I8", head, 33)
  local size, count = string.unpack("<I2I2", head, 55)
  if not file:seek("set", offset) then return false end
  for _ = 1, count do
    local entry = file:read(size)
    if not entry or #entry < 4 or string.unpack("<I4", entry) == 3 then return false end
  end
  return count > 0
end

---The static busybox of the host, or nil.
---@return string?
function ladder.find_busybox()
  local path = os.getenv "PATH" or ""
  for dir in (path .. ":/bin:/usr/bin:/sbin:/usr/sbin"):gmatch "[^:]+" do
    for _, name in ipairs { "busybox", "busybox-static", "busybox.static" } do
      local file = dir .. "/" .. name
      if dir:sub(1, 1) == "/" and ns.access(file, "rx") and is_static(file) then return file end
    end
  end
end

-- What a program prints; nothing is left to a shell.
local function output_of(argv)
  local r, w = ns.pipe()
  local _ <close> = r
  local child <close> = job.fork(function()
    w:dup2(1)
    ns.exec(argv)
  end)
  w:close()
  local text = r:read "a"
  child:wait()
  return text or ""
end

local function fill_busybox(busybox)
  return function(dir)
    ladder.furnish(dir)
    ladder.copy(busybox, dir .. "/bin/busybox")
    for name in output_of({ busybox, "--list" }):gmatch "[^\n]+" do
      if not name:find "/" and name ~= "busybox" then
        ns.symlink("busybox", dir .. "/bin/" .. name)
      end
    end
  end
end

---@return nslua.Rootfs?
---@return string? why
function ladder.busybox()
  local busybox = ladder.find_busybox()
  if not busybox then return nil, "no static busybox on this host" end
  local st = ns.stat(busybox)
  local name = ("busybox-%d-%d-%d"):format(st.ino, st.size, math.floor(st.mtime))
  return handle.new {
    directory = ladder.built(name, fill_busybox(busybox)), standing = "busybox",
    label = "static busybox of this host (" .. sys.clean(busybox) .. ")",
  }
end


-- -- the ladder ------------------------------------------------------------------------

local RUNGS = { "cache", "network", "busybox" }
local PINNED = "alpine"

-- Any release of the catalogue that was fetched before.
function ladder.cache()
  for _, name in ipairs(catalogue.names()) do
    local entry = catalogue.find(name)
    local root = entry and source.cached(entry.sha256)
    if root then return root end
  end
  return nil, "nothing in the cache"
end

function ladder.network(opts)
  if opts.network == false or os.getenv "NSLUA_OFFLINE" then return nil, "not asked for" end
  return source.catalogue(PINNED, opts)
end

---The first rung that holds.
---@param opts table  those of rootfs.get
---@return nslua.Rootfs
function ladder.climb(opts)
  local reasons = {}
  for _, name in ipairs(RUNGS) do
    local ok, root, why = pcall(ladder[name], opts)
    if ok and root then return root end
    reasons[#reasons + 1] = ("%s: %s"):format(name,
      ok and why or type(root) == "table" and root.message or tostring(root))
  end
  fail.raise(fail.ENOENT, "the ladder", "no rung holds", table.concat(reasons, "; "),
    "install busybox-static, or give a directory or an archive")
end

return ladder
