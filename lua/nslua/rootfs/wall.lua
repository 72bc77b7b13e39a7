-- SPDX-License-Identifier: MIT
-- The wall around the child that writes: namespaces of its own in which its
-- capabilities count for the target's files and for nothing else. Which ids
-- it can give to files depends on who asks: root all, others those that
-- /etc/subuid and newuidmap(1) grant, else only their own.
-- user_namespaces(7), subuid(5).

local sys = require "nslua.sys"
local account = require "nslua.rootfs.account"
local identity = require "nslua.identity"
local ns = sys.primitives

local wall = {}


-- The first range of a user in /etc/subuid or /etc/subgid.
local function granted(path, uid)
  local name = account.find(uid)
  local file <close> = io.open(path)
  if not file then return nil end
  for line in file:lines() do
    local who, first, count = line:match "^([^:]+):(%d+):(%d+)%s*$"
    if who and (who == name or tonumber(who) == uid) and tonumber(count) > 0 then
      return math.tointeger(first), math.tointeger(count)
    end
  end
end

local function found(program)
  for dir in ((os.getenv "PATH" or "") .. ":/usr/bin:/bin"):gmatch "[^:]+" do
    local path = dir .. "/" .. program
    if dir:sub(1, 1) == "/" and ns.access(path, "x") then return path end
  end
end


---How the writing child's ids are to be mapped.
---@return { kind: "root"|"ranges"|"one", uid: table?, gid: table? }
function wall.plan()
  if ns.geteuid() == 0 then
    local map = identity.map()
    return { kind = "root", uid = map.uid, gid = map.gid }
  end
  local uid, gid = ns.getuid(), ns.getgid()
  local first_uid, uids = granted("/etc/subuid", uid)
  local first_gid, gids = granted("/etc/subgid", uid)
  local newuidmap, newgidmap = found "newuidmap", found "newgidmap"
  if first_uid and first_gid and newuidmap and newgidmap then
    return { kind = "ranges", newuidmap = newuidmap, newgidmap = newgidmap,
      uid = { { 0, uid, 1 }, { 1, first_uid, uids } },
      gid = { { 0, gid, 1 }, { 1, first_gid, gids } } }
  end
  return { kind = "one" }
end

local function run(argv)
  local child <close> = ns.fork(function()
    ns.open("/dev/null", "rdwr"):dup2(2)
    ns.exec(argv)
  end)
  return child:wait() == true
end

local function call_helper(program, pid, ranges)
  local argv = { program, tostring(pid) }
  for _, range in ipairs(ranges) do
    for _, n in ipairs(range) do argv[#argv + 1] = tostring(n) end
  end
  return run(argv)
end


---The parent's part: writes the maps of a child that has unshared itself.
---@return boolean
function wall.map(plan, child)
  if plan.kind == "root" then
    return (ns.try(ns.map, child, { uid = plan.uid, gid = plan.gid, setgroups = "allow" }))
  end
  return call_helper(plan.newuidmap, child.pid, plan.uid)
    and call_helper(plan.newgidmap, child.pid, plan.gid)
end

-- Root may do without: then the mount namespace and the changed root remain.
local function unshare_user(plan)
  if plan.kind ~= "root" then return ns.unshare "user" end
  return ns.try(ns.unshare, "user")
end


-- The target is all that this mount namespace has. pivot_root(2)
local function pivot(target)
  ns.mount("none", "/", nil, "rprivate")
  ns.mount(target, target, nil, "bind")
  ns.chdir(target)
  ns.pivot_root(".", ".")
  ns.umount(".", "detach")
  ns.chdir "/"
end


---The child's part. ask() tells the parent to map and waits for its word.
---@param plan table
---@param ask fun(): boolean
---@param target? string  the directory that becomes the root
---@return string kind  "root", "ranges" or "one"
---@return string root  where the target is now
function wall.enter(plan, ask, target)
  local kind = plan.kind
  if unshare_user(plan) and not (kind ~= "one" and ask()) then
    ns.map(nil, "root")
    kind = "one"
  end
  ns.setresgid(0, 0, 0)
  ns.setresuid(0, 0, 0)
  -- In an initramfs the kernel refuses to pivot, and in some containers there is
  -- no mount namespace to be had: then archive.so's chroot is what remains.
  if ns.try(ns.unshare, "mnt") and target and pcall(pivot, target) then target = "/" end
  return kind, target
end


---Runs fn(...) in a child that has the user's ids, as far as they reach; true
---when its result is.
function wall.inside(fork, fn, ...)
  local plan = wall.plan()
  if plan.kind == "root" then
    local child <close> = fork(fn, ...)
    return child:wait() == true
  end
  local asked_r, asked_w = ns.pipe()
  local go_r, go_w = ns.pipe()
  local _ <close> = asked_r
  local _ <close> = asked_w
  local _ <close> = go_r
  local _ <close> = go_w
  local child <close> = fork(function(...)
    wall.enter(plan, wall.asker(asked_w, go_r))
    return fn(...)
  end, ...)
  asked_w:close()
  wall.serve(plan, child, asked_r, go_w)
  return child:wait() == true
end


---The child's side of the conversation, and the parent's.
function wall.asker(asked_w, go_r)
  return function()
    asked_w:write "?"
    return go_r:read(1) == "y"
  end
end

function wall.serve(plan, child, asked_r, go_w)
  if asked_r:read(1) ~= "?" then return end
  ns.try(go_w.write, go_w, wall.map(plan, child) and "y" or "n")
end

return wall
