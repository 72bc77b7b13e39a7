-- SPDX-License-Identifier: MIT
-- What stands on the stage: a root that is read-only from the top, a fresh
-- tmpfs wherever a lesson may write, and what must be seen in spite of that.
-- mount_setattr(2), open_tree(2), move_mount(2), tmpfs(5).

local sys = require "nslua.sys"
local boxroot = require "nslua.boxroot"
local ns = sys.primitives

local mounts = {}

local function add(steps, ...)
  steps[#steps + 1] = { ... }
end

local function is_directory(path)
  local ok, st = pcall(ns.stat, path)
  return ok and st.type == "dir"
end

local function below(path, top)
  return path:sub(1, #top + 1) == top .. "/"
end

-- A path as the kernel knows it: whole, without links; nil: nothing is there.
local function real(path)
  local ok, fd = pcall(ns.open, path, "path")
  if not ok then return nil end
  local _ <close> = fd
  return ns.readlink("/proc/self/fd/" .. fd:fileno())
end

-- Where a fresh tmpfs goes: what a lesson writes there is gone with it.
local function fresh_places()
  local places = {}
  local function add_place(path, mode)
    path = path and real(path)
    if path and path ~= "/" and is_directory(path) then
      places[path] = { path = path, mode = mode }
    end
  end
  add_place(os.getenv "HOME", "700")
  add_place("/tmp", "1777")
  add_place("/run", "755")
  return places
end

-- What must stay visible although a tmpfs covers its place: the folder that a
-- file is in, or the file alone where its folder is such a place itself.
local function add_kept(covers, path)
  path = real(path)
  if not path or covers[path] then return end
  local dir = is_directory(path) and path or path:match "^(.*)/"
  if covers[dir] then
    if covers[dir].mode then covers[path] = { path = path, file = true } end
    return
  end
  for _, place in pairs(covers) do
    if place.mode and below(dir, place.path) then
      covers[dir] = { path = dir }
      return
    end
  end
end

-- All that is mounted over the read-only root, a folder before what is in it.
local function covers(keep)
  local by_path = fresh_places()
  add_kept(by_path, ns.readlink "/proc/self/exe")
  add_kept(by_path, ns.getcwd())
  for _, template in ipairs(sys.library_paths()) do -- opened when wanted
    local folder = template:match "^(.*)/"
    if ns.access(folder) then add_kept(by_path, folder) end
  end
  for _, path in ipairs(keep or {}) do add_kept(by_path, path) end
  local list = {}
  for _, cover in pairs(by_path) do list[#list + 1] = cover end
  table.sort(list, function(a, b) return a.path < b.path end)
  return list
end


---The steps of a child that make it so: read-only from the root down, but for
---/proc (id maps are written there) and /dev: both are taken as they are before,
---and put back over it after.
---@param keep? string[]  folders that stay visible, read-only
---@return table[] steps
function mounts.steps(keep)
  local steps, slot = {}, 0
  local list = covers(keep)
  local function take(cover, readonly)
    add(steps, "open_tree", cover.path, slot, readonly and 1 or 0)
    cover.slot, slot = slot, slot + 1
  end
  add(steps, "mount", "none", "/", false, "rec,private", false)
  for i, path in ipairs { "/proc", "/dev" } do
    table.insert(list, i, { path = path })
    take(list[i])
  end
  for i = 3, #list do
    if not list[i].mode then take(list[i], true) end
  end
  add(steps, "mount_setattr", "/", 1)
  for _, cover in ipairs(list) do
    boxroot.make_path(steps, cover.path, cover.file)
    if cover.mode then
      add(steps, "mount", "tmpfs", cover.path, "tmpfs", "nosuid,nodev",
        "mode=" .. cover.mode)
    else
      add(steps, "move_mount", cover.slot, cover.path)
    end
  end
  add(steps, "chdir", ns.getcwd())
  return steps
end


return mounts
