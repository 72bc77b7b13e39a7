-- SPDX-License-Identifier: MIT
-- The rungs of the ladder for which nothing is downloaded: the host's static
-- busybox, its own programs bound read-only, nslua as the only program.

local sys = require "nslua.sys"
local applets = require "nslua.applets"
local cache = require "nslua.rootfs.cache"
local handle = require "nslua.rootfs.handle"
local job = require "nslua.rootfs.job"
local tree = require "nslua.rootfs.tree"
local ns = sys.primitives

local host = {}


local function new(standing, label, name, make, mounts)
  local path, lock, scratch = tree.get(name, make)
  return handle.new { directory = path, standing = standing, label = label,
    name = not scratch and name or nil, lock = lock, scratch = scratch, mounts = mounts }
end

-- Files that are replaced get another name for their root.
local function stamp(path)
  local st = ns.stat(path)
  return ("%x-%x-%x"):format(st.ino, st.size, math.floor(st.mtime))
end

-- The path of its ELF interpreter; false for a static program. elf(5)
local function interpreter(path)
  local file <close> = io.open(path, "rb")
  local head = file and file:read(64)
  if not head or #head < 64 or head:sub(1, 6) ~= "\127ELF\2\1" then return nil end
  local offset, size, count = string.unpack("<I8", head, 33), string.unpack("<I2I2", head, 55)
  count = string.unpack("<I2", head, 57)
  for i = 0, count - 1 do
    if size < 56 or not file:seek("set", offset + i * size) then return nil end
    local entry = file:read(size)
    if not entry or #entry < size then return nil end
    if string.unpack("<I4", entry) == 3 then -- PT_INTERP
      local at, length = string.unpack("<I8", entry, 9), string.unpack("<I8", entry, 33)
      file:seek("set", at)
      return (file:read(math.min(length, 4096)) or ""):match "^[^%z]+"
    end
  end
  return false
end


-- -- static busybox ----------------------------------------------------------

local function find_busybox()
  for dir in ((os.getenv "PATH" or "") .. ":/bin:/usr/bin:/sbin:/usr/sbin"):gmatch "[^:]+" do
    for _, name in ipairs { "busybox", "busybox-static", "busybox.static" } do
      local path = dir .. "/" .. name
      if dir:sub(1, 1) == "/" and ns.access(path, "rx") and interpreter(path) == false then
        return path
      end
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


---A root of static busybox, or nil and the reason.
---@return nslua.Rootfs?
---@return string? why
function host.busybox()
  local busybox = find_busybox()
  if not busybox then return nil, "this host has no static busybox" end
  return new("busybox", ("static busybox of this host (%s)"):format(sys.clean(busybox)),
    "busybox-" .. stamp(busybox), function(dir)
      tree.furnish(dir)
      tree.programs(dir)
      tree.copy(busybox, dir .. "/bin/busybox")
      for name in output_of({ busybox, "--list" }):gmatch "[^\n]+" do
        if not name:find "/" and name ~= "busybox" then
          ns.symlink("busybox", dir .. "/bin/" .. name)
        end
      end
    end)
end


-- -- the host's own programs -------------------------------------------------

local WHOLE = { "bin", "gnu", "lib", "lib32", "lib64", "libx32", "nix", "sbin", "usr" }
local OF_ETC = { "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime",
  "nsswitch.conf", "protocols", "services" }

-- { path, kind, where a link leads } of what the root shows of the host
local function inventory()
  local found = {}
  for _, name in ipairs(WHOLE) do
    local st = ns.try(ns.lstat, "/" .. name)
    if st then found[#found + 1] = { "/" .. name, st.type } end
  end
  for _, name in ipairs(OF_ETC) do
    local st = ns.try(ns.stat, "/etc/" .. name)
    if st then found[#found + 1] = { "/etc/" .. name, st.type } end
  end
  for _, entry in ipairs(found) do
    if entry[2] == "link" then entry[3] = ns.readlink(entry[1]) end
  end
  return found
end

local function mount_points(found)
  return function(dir)
    tree.furnish(dir)
    for _, entry in ipairs(found) do
      local path = dir .. entry[1]
      if entry[2] == "link" then
        ns.symlink(entry[3], path)
      elseif entry[2] == "dir" then
        ns.mkdir(path, 493)
      else
        tree.write(path, "")
      end
    end
  end
end


---The host's programs and libraries, bound read-only: of use to a box only,
---which makes the mounts.
---@return nslua.Rootfs?
---@return string? why
function host.programs()
  if not ns.access("/bin/sh", "x") then return nil, "this host has no /bin/sh" end
  local found, mounts, words = inventory(), {}, {}
  for _, entry in ipairs(found) do
    words[#words + 1] = table.concat(entry, " ")
    if entry[2] ~= "link" then
      mounts[#mounts + 1] = { entry[1], entry[1], nil, "rbind,ro" }
    end
  end
  return new("host", "this host's own programs, read-only",
    "host-" .. cache.hash(table.concat(words, "\n")), mount_points(found), mounts)
end


-- -- nslua itself ------------------------------------------------------------

-- The shared libraries of this process, as it found them.
local function libraries()
  local paths = {}
  for line in io.lines "/proc/self/maps" do
    local path = line:match " (/[^%s]*%.so[^%s]*)$"
    if path and not paths[path] then
      paths[path] = true
      paths[#paths + 1] = path
    end
  end
  return paths
end

-- What the program itself is linked with; a sanitizer brings more.
local function is_needed(path, sanitized)
  return sanitized or path:find "/ld[^/]*%.so" or path:find "/lib[cm][.-][^/]*$"
    or path:find "/libdl[.-]"
end

-- A library under its own name and those that lead to it: libc.so.6 may be a
-- link to libc-2.31.so.
local function copy_library(dir, path)
  local folder, file = path:match "^(.*)/([^/]+)$"
  tree.folder(dir, folder)
  tree.copy(path, dir .. path)
  local stem = file:match "^%a+"
  for _, name in ipairs(ns.readdir(folder)) do
    if name ~= file and name:sub(1, #stem) == stem
      and ns.try(ns.readlink, folder .. "/" .. name) == file then
      ns.symlink(file, dir .. folder .. "/" .. name)
    end
  end
end

local function copy_program(dir, program, loader)
  tree.copy(program, dir .. "/bin/nslua")
  local paths = libraries()
  local sanitized = table.concat(paths, " "):find "san%.so"
  for _, path in ipairs(paths) do
    if is_needed(path, sanitized) then copy_library(dir, path) end
  end
  if loader and not ns.access(dir .. loader, "") then
    tree.folder(dir, loader:match "^(.*)/")
    tree.copy(loader, dir .. loader)
  end
end


---nslua as the only program: the prompt, and a handful of tools in Lua.
---@return nslua.Rootfs?
---@return string? why
function host.itself()
  local program = ns.readlink "/proc/self/exe"
  if not program:match "/nslua[^/]*$" or not ns.access(program, "r") then
    return nil, "this is not the nslua program"
  end
  return new("self", "nslua itself and its tools in Lua", "self-" .. stamp(program),
    function(dir)
      tree.furnish(dir)
      tree.programs(dir)
      copy_program(dir, program, interpreter(program))
      for _, name in ipairs(applets.names()) do
        tree.write(dir .. "/bin/" .. name,
          ("#!/bin/nslua\nrequire(\"nslua.applets\").run(%q, arg)\n"):format(name), 493)
      end
    end)
end

return host
