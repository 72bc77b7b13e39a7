-- SPDX-License-Identifier: MIT
-- Trying, not guessing: one forked child climbs a ladder of acts (user
-- namespace, map, mounts, the other types), one grandchild mounts proc. Each
-- tells its errno. They live in namespaces of their own, so nothing stays.

local signals = require "nslua.doctor.signals"
local sys = require "nslua.sys"

local ns = sys.primitives

local probe = {}


-- Some directory that can be covered in a mount namespace of our own.
local function cover()
  for _, path in ipairs { "/tmp", "/run", "/mnt", "/var", "/dev", "/etc" } do
    local ok, record = pcall(ns.stat, path)
    if ok and record.type == "dir" then return path end
  end
  return "/"
end


local function overlay()
  local base = cover()
  for _, name in ipairs { "/lower", "/upper", "/work", "/merged" } do
    ns.mkdir(base .. name)
  end
  ns.mount("overlay", base .. "/merged", "overlay", nil, ("lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work")
    :format(base, base, base))
end


-- On a tmpfs of our own: what the host's file systems allow is for its root.
local function idmap()
  local base = cover()
  ns.mkdir(base .. "/plain")
  ns.mkdir(base .. "/mapped")
  require "nslua.mounts".bind(base .. "/plain", base .. "/mapped", { idmap = { 0, 0, 1 } })
end


-- Networks come before the mounts: what the links need is a file of ours.
local function make_link(opts)
  if not pcall(require("nslua.rtnl").library) then
    error(sys.error(2, "RTM_NEWLINK", "net.so"), 0)
  end
  require("nslua.link").add(opts)
end


---The ladder. `needs` names the steps that must have worked; `call` and `args`
---are how a refusal is looked up; `inside` runs in the child of the new pid
---namespace.
probe.steps = {
  { name = "user", title = "user namespaces", call = "unshare",
    args = { "CLONE_NEWUSER" }, run = function() ns.unshare "user" end },
  { name = "setgroups", title = "setgroups denied before a map", needs = { "user" },
    call = "write", args = { "setgroups", "deny" },
    run = function() ns.map(nil, { setgroups = "deny" }) end },
  { name = "map", title = "an id map with one uid", needs = { "user" }, call = "write",
    args = { "uid_map", "0 1000 1" },
    run = function() ns.map(nil, { uid = 0, gid = 0 }) end },
  { name = "net", title = "network namespaces", needs = { "power" }, call = "unshare",
    args = { "CLONE_NEWNET" }, run = function() ns.unshare "net" end },
  { name = "lo", title = "a loopback device that is up", needs = { "net" },
    call = "ioctl", args = { "SIOCSIFFLAGS", "lo", "IFF_UP" },
    run = function() ns.lo_up() end },
  { name = "veth", title = "veth pairs", needs = { "net" }, call = "RTM_NEWLINK",
    args = { "veth" }, run = function() make_link { kind = "veth", name = "probe0", peer = "probe1" } end },
  { name = "bridge", title = "bridges", needs = { "net" }, call = "RTM_NEWLINK",
    args = { "bridge" }, run = function() make_link { kind = "bridge", name = "probe2" } end },
  { name = "netem", title = "delay and loss (netem)", needs = { "bridge" }, call = "RTM_NEWQDISC",
    args = { "netem" }, run = function()
      require("nslua.link").get("probe2"):netem { delay = 0.01 }
    end },
  { name = "nftables", title = "NAT and filters (nftables)", needs = { "net" }, call = "nft",
    args = {}, run = function() require("nslua.nft").nft "add table ip probe" end },
  { name = "mnt", title = "mount namespaces", needs = { "power" }, call = "unshare",
    args = { "CLONE_NEWNS" }, run = function() ns.unshare "mnt" end },
  { name = "private", title = "private propagation", needs = { "mnt" }, call = "mount",
    args = { '"none"', '"/"', "NULL", "MS_REC|MS_PRIVATE", "NULL" },
    run = function() ns.mount("none", "/", nil, "rec,private") end },
  { name = "tmpfs", title = "mounting a tmpfs", needs = { "private" }, call = "mount",
    args = { '"tmpfs"', '"/tmp"', '"tmpfs"', "0", "NULL" },
    run = function() ns.mount("tmpfs", cover(), "tmpfs") end },
  { name = "overlay", title = "mounting an overlay", needs = { "tmpfs" },
    call = "mount", args = { '"overlay"', '"/tmp/merged"', '"overlay"', "0" },
    run = overlay },
  { name = "idmap", title = "idmapped mounts", needs = { "tmpfs", "map" },
    call = "mount_setattr", args = { "3", '""', "AT_EMPTY_PATH", "MOUNT_ATTR_IDMAP" },
    run = idmap },
  { name = "uts", title = "host names", needs = { "power" }, call = "unshare",
    args = { "CLONE_NEWUTS" }, run = function() ns.unshare "uts" end },
  { name = "ipc", title = "ipc namespaces", needs = { "power" }, call = "unshare",
    args = { "CLONE_NEWIPC" }, run = function() ns.unshare "ipc" end },
  { name = "cgroup", title = "cgroup namespaces", needs = { "power" }, call = "unshare",
    args = { "CLONE_NEWCGROUP" }, run = function() ns.unshare "cgroup" end },
  { name = "time", title = "time namespaces", needs = { "power" }, call = "unshare",
    args = { "CLONE_NEWTIME" }, run = function() ns.unshare "time" end },
  { name = "pid", title = "pid namespaces", needs = { "power" }, call = "unshare",
    args = { "CLONE_NEWPID" }, run = function() ns.unshare "pid" end },
  { name = "fork", title = "a first process in a pid namespace", needs = { "pid" },
    call = "fork", args = {} },
  { name = "proc", title = "mounting proc", needs = { "fork", "private" }, inside = true,
    call = "mount", args = { '"proc"', '"/proc"', '"proc"', "0", "NULL" },
    run = function()
      ns.mount("proc", pcall(ns.stat, "/proc") and "/proc" or cover(), "proc")
    end },
}


local function blocker(step, done)
  for _, need in ipairs(step.needs or {}) do
    if done[need] ~= true then return need == "power" and "user" or need end
  end
end


-- What failed without an errno: a part of ours that is missing, above all.
local function in_words(err)
  return "? " .. sys.clean((tostring(err):match "[^\n]+" or "it failed"):gsub("^.-:%d+: ", ""):gsub(":$", ""))
end


-- One line a step: "name errno", errno "0" when it worked.
local function try(step, done, report)
  if blocker(step, done) then return end
  local ok, err = pcall(step.run)
  done[step.name] = ok
  local name = "0"
  if not ok then
    name = getmetatable(err) == sys.error_type and err.name or in_words(err)
  end
  report:write(step.name .. " " .. name .. "\n")
end


local function inside(done, report)
  for _, step in ipairs(probe.steps) do
    if step.inside then try(step, done, report) end
  end
end


-- The child: climbs, and ends with the pid namespace's first process.
local function climb(report, privileged)
  local done = { power = privileged }
  for _, step in ipairs(probe.steps) do
    if step.run and not step.inside then try(step, done, report) end
    if step.name == "user" and done.user then done.power = true end
  end
  if not done.pid then return end
  done.fork = true
  local ok, child = pcall(ns.fork, inside, done, report)
  report:write("fork " .. (ok and "0" or
    getmetatable(child) == sys.error_type and child.name or "?") .. "\n")
  if ok then child:wait() end
end


local function collect(text)
  local result = {}
  for name, errno in text:gmatch("(%w+) ([^\n]+)\n") do
    result[name] = errno == "0" or errno
  end
  return result
end


-- A child that a filter killed said nothing of the step it died in.
local function name_the_killed(result, how, code)
  if how ~= "signal" then return end
  for _, step in ipairs(probe.steps) do
    if result[step.name] == nil and not step.inside and step.run then
      result[step.name] = "killed by signal " .. tostring(code)
      return
    end
  end
end


---Climbs the ladder.
---@param privileged boolean  the caller holds CAP_SYS_ADMIN, so that types can
---be tried without a user namespace too
---@return table<string, true|string> result  name -> true or the errno's name;
---steps whose needs failed are absent
---@return string? failure  why nothing could be tried
function probe.climb(privileged)
  local trace = sys.set_trace(nil)
  local ok, result, failure = pcall(function()
    local reader, writer = ns.pipe()
    local _ <close> = reader
    local _ <close> = writer
    local child <close> = ns.fork(climb, writer, privileged)
    writer:close()
    local text = reader:read "a" or ""
    local _, how, code = child:wait()
    local found = collect(text)
    name_the_killed(found, how, code)
    return found
  end)
  if trace then sys.set_trace(trace) end
  if ok then return result, failure end
  if getmetatable(result) ~= sys.error_type then return {}, tostring(result) end
  return { fork = result.name }, result.message
end


---Which step keeps another from being tried.
---@param step table
---@param result table
---@return string? name
function probe.blocker(step, result, privileged)
  local done = setmetatable({ power = privileged or result.user == true },
    { __index = result })
  return blocker(step, done)
end


-- A question for a child: its exit status, 0 to 2, or nil without one.
local function ask(fn)
  local trace = sys.set_trace(nil)
  local ok, code = pcall(function()
    local child <close> = ns.fork(fn)
    local well, how, status = child:wait(2)
    if well then return 0 end
    return how == "exit" and status or nil
  end)
  if trace then sys.set_trace(trace) end
  return ok and code or nil
end


---Does a system call filter refuse unshare(2), whatever it asks for?
---@return boolean?
function probe.filtered()
  local answer = ask(function()
    local ok, err = pcall(ns.unshare, 0)
    return ok and 0 or (err.name == "EINVAL" and 2 or 1)
  end)
  if answer == 0 then return false elseif answer == 1 then return true end
end


---Makes a user namespace with many ids: true, or the refusal.
---@return true|nslua.Error|string
function probe.subids()
  local trace = sys.set_trace(nil)
  local any = sys.is_admin() and { 0, 0, 2 } or "auto"
  local ok, err = pcall(function()
    local child <close> = require "nslua.box".clone({ "user", map = any }, function() end)
    child:wait()
  end)
  if trace then sys.set_trace(trace) end
  return ok or err
end


-- What tells one root from another: file, file system, and the mount's number.
local function root_identity()
  local record = ns.stat "/"
  local mount = signals.mount_of(signals.mounts(), "/")
  return ("%d %d %s"):format(record.dev, record.ino, mount and mount.id or "?")
end


---Is the root of this process not the root of its mount namespace? Only a
---process that may join its own mount namespace again can tell.
---@return boolean?
function probe.below_root()
  local answer = ask(function()
    local before = root_identity()
    if not pcall(ns.setns, ns.getpid(), "mnt") then return 2 end
    return before == root_identity() and 0 or 1
  end)
  if answer == 0 then return false elseif answer == 1 then return true end
end

return probe
