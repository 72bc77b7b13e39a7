-- SPDX-License-Identifier: MIT
-- Named network namespaces, as `ip netns` keeps them: a file for each name in
-- one folder, with the namespace bind-mounted over it. Either tool takes what
-- the other made. ip-netns(8), mount_namespaces(7).

local sys = require "nslua.sys"
local list = require "nslua.list"
local ns = sys.primitives

local netns = {}

---Where the names are.
netns.folder = "/var/run/netns"

-- What `exec` lays over files of /etc, for each name.
netns.etc = "/etc/netns"

local function check_name(name, what)
  if type(name) ~= "string" then
    sys.raise(("bad argument #1 to '%s' (name expected, got %s)"):format(what, type(name)))
  end
  if name == "" or name == "." or name == ".." or name:find "[/%z]" or #name > 255 then
    sys.raise(("bad argument #1 to '%s' (\"%s\" is not a file name)"):format(what, sys.clean(name)))
  end
  return netns.folder .. "/" .. name
end

local function pid_of(what, arg, name)
  if getmetatable(what) == "nslua.Proc" then return what.pid end
  if math.type(what) == "integer" and what > 0 then return what end
  sys.raise(("bad argument #%d to '%s' (Proc or pid > 0 expected)"):format(arg, name))
end

-- The folder must be a shared mount: a name that is deleted here then goes
-- from every mount namespace, or its network would live on in some of them.
-- Whether it is a mount at all the kernel says: the mount table also lists what
-- lies under a later mount. The lock is the one that `ip` takes.
local function prepare_folder()
  if not ns.access(netns.folder) then
    local ok, _, _, err = ns.try(ns.mkdir, netns.folder, "755")
    if not ok and err.name ~= "EEXIST" then error(err, 0) end
  end
  local folder <close> = ns.open(netns.folder, "directory")
  folder:flock "ex"
  local ok, _, _, err = ns.try(ns.mount, "", netns.folder, "none", "shared,rec")
  if ok then return end
  if err.name ~= "EINVAL" then error(err, 0) end
  ns.mount(netns.folder, netns.folder, "none", "bind,rec")
  ns.mount("", netns.folder, "none", "shared,rec")
end

-- A new name for a namespace.
local function give_name(path, handle)
  prepare_folder()
  local made, _, _, taken = ns.try(ns.open, path, "create,excl", "000")
  if not made and taken.name == "EEXIST" then
    error(sys.error(17, "open", sys.quote(path), "the name is taken; ns.netns.del frees it: "), 0)
  end
  (made or error(taken, 0)):close()
  local ok, _, _, err = ns.try(function()
    local tree <close> = ns.open_tree(handle, "clone") -- asks no /proc, as a mount of /proc/PID/ns/net would
    return ns.move_mount(tree, path) ~= nil
  end)
  if not ok then
    ns.unlink(path)
    error(err, 0)
  end
  return true
end


-- A line of the list.
local function format(row)
  local line = sys.clean(row.name)
  if row.netnsid then line = ("%s (id: %d)"):format(line, row.netnsid) end
  if not row.ns then line = line .. " (only the file is left)" end
  return line
end


---The named network namespaces: records with `name`, `ns` (missing when only
---the file is left) and `netnsid` (where one is assigned). The list prints
---itself as `ip netns list` does.
---
---    print(ns.netns.list())
---
---Source: ip-netns(8)
---@return nslua.List
function netns.list()
  local rows, about = {}, { format = format }
  local ok, ids = pcall(ns.netnsids)
  local found, _, _, err = ns.try(ns.scan_netns, netns.folder, ok and #ids > 0)
  if found then
    rows = found
  elseif err.name ~= "ENOENT" then
    error(err, 0)
  else
    about.nothing = "no network namespace has a name here: there is no " .. netns.folder
  end
  return list.make(rows, "netns", { "name" }, about)
end


---Makes a new network namespace and gives it a name. It lives until `del`.
---
---    ns.netns.add "blue"
---
---Raises: EEXIST (the name is taken), EPERM, EACCES (only root may).
---Source: ip-netns(8), unshare(2)
---@param name string
---@return true
function netns.add(name)
  local path = check_name(name, "add")
  local ours, theirs = ns.socketpair()
  local _ <close> = ours
  local _ <close> = theirs
  -- A child leaves for the new one, so that nothing happens to the caller, and
  -- stays until it has its name.
  local child <close> = ns.fork(function()
    ours:close()
    local ok, _, errno = ns.try(ns.unshare, "net")
    theirs:write(ok and "0" or tostring(errno))
    theirs:read(1)
  end)
  theirs:close()
  local errno = tonumber(ours:read(16) or "5")
  if errno ~= 0 then error(sys.error(errno, "unshare", "CLONE_NEWNET"), 0) end
  local handle <close> = ns.of(child, "net")
  give_name(path, handle)
  ours:close()
  child:wait()
  return true
end


---Gives a name to the network namespace of a process, or to one that is held.
---
---    ns.netns.attach("box", box)
---
---Raises: EEXIST, ESRCH (no such process), EPERM, EACCES.
---Source: ip-netns(8), setns(2)
---@param name string
---@param process integer|nslua.Proc|nslua.Ns
---@return true
function netns.attach(name, process)
  local path = check_name(name, "attach")
  if getmetatable(process) == "nslua.Ns" and process.type == "net" then
    return give_name(path, process)
  end
  local handle <close> = ns.of(pid_of(process, 2, "attach"), "net")
  return give_name(path, handle)
end


---Takes the name away. The namespace ends when no process and no descriptor
---holds it any more.
---
---    ns.netns.add "blue"; ns.netns.del "blue"
---
---Raises: ENOENT (no such name), EPERM.
---Source: ip-netns(8), umount2(2)
---@param name string
---@return true
function netns.del(name)
  local path = check_name(name, "del")
  if not ns.access(path) then error(sys.error(2, "open", sys.quote(path)), 0) end
  local ok, _, _, err = ns.try(ns.umount, path, "detach")
  if not ok and err.name ~= "EINVAL" then error(err, 0) end -- EINVAL: a file without a mount
  return ns.unlink(path)
end


---A handle of a named network namespace.
---
---    local blue <close> = ns.netns.open "blue"; print(blue.inode)
---
---Raises: ENOENT (no such name), EACCES.
---Source: ip-netns(8), open(2)
---@param name string
---@return nslua.Ns
function netns.open(name)
  local path = check_name(name, "open")
  local handle, _, _, err = ns.try(ns.of, path)
  if handle then return handle end
  if err.name ~= "EINVAL" then error(err, 0) end
  error(sys.error(22, "open", sys.quote(path), "only the file is left of this name; ns.netns.del removes it: "), 0)
end


---Moves the caller into a named network namespace, as `ip netns exec` does
---before it starts the program: with a mount namespace of its own, a fresh
---/sys and the files of /etc/netns/NAME over those of /etc.
---
---    ns.fork(function() ns.netns.enter "blue"; ns.lo_up() end):wait()
---
---Raises: ENOENT (no such name), EPERM (only root may).
---Source: ip-netns(8), setns(2)
---@param name string
---@return true
function netns.enter(name)
  return require "nslua.netns.inside".enter(netns.open(name), netns.etc .. "/" .. name)
end


---Runs a program, or a function, in a named network namespace and waits for
---it.
---
---    ns.netns.exec("blue", { "ip", "link" })
---
---Raises: ENOENT (no such name or program), EPERM (only root may).
---Source: ip-netns(8), setns(2)
---@param name string
---@param what string[]|fun(...): any
---@param ... any  for the function
---@return true? ok
---@return "exit"|"signal" how
---@return integer code
function netns.exec(name, what, ...)
  check_name(name, "exec")
  if type(what) ~= "function" and type(what) ~= "table" then
    sys.raise("bad argument #2 to 'exec' (argv or function expected)")
  end
  netns.open(name):close() -- an unknown name is an error here, not in the child
  return require "nslua.netns.inside".exec(function() netns.enter(name) end, what, ...)
end


---The names of the network namespace that a process is in.
---
---    print(table.concat(ns.netns.identify(), " "))
---
---Raises: ESRCH (no such process), EACCES (its namespaces are hidden).
---Source: ip-netns(8), proc(5)
---@param process? integer|nslua.Proc  the default is the caller
---@return string[]
function netns.identify(process)
  local handle <close> = ns.of(process ~= nil and pid_of(process, 1, "identify") or ns.getpid(), "net")
  local names = {}
  for _, row in ipairs(netns.list()) do
    if row.ns == handle.inode then names[#names + 1] = row.name end
  end
  return names
end


---The processes in a named network namespace.
---
---    for _, pid in ipairs(ns.netns.pids "blue") do print(pid) end
---
---Raises: ENOENT (no such name).
---Source: ip-netns(8), proc(5)
---@param name string
---@return integer[]
function netns.pids(name)
  local handle <close> = netns.open(name)
  return (handle:members())
end


---Gives a named network namespace a number in the caller's network namespace;
---nil lets the kernel choose.
---
---    ns.netns.set("blue", 7)
---
---Raises: EEXIST (it has one, or the number is taken), ENOENT, EPERM.
---Source: ip-netns(8), rtnetlink(7)
---@param name string
---@param id? integer
---@return true
function netns.set(name, id)
  local handle <close> = netns.open(name)
  return ns.set_netnsid(handle, id)
end


-- What another one gave, by the number that it has here.
local function numbers_of(id)
  local name, ours = nil, {}
  for _, row in ipairs(netns.list()) do
    ours[row.name] = row.netnsid
    if row.netnsid == id then name = row.name end
  end
  if not name then
    sys.raise(("bad argument #1 to 'list_id' (no named network namespace has the number %d here)"):format(id))
  end
  local handle <close> = netns.open(name)
  local rows = require "nslua.netns.numbers".there(handle, netns.list)
  for _, row in ipairs(rows) do row.current = ours[row.name] end
  return rows
end


---The numbers given out, with the names of theirs that have one. `current`
---is the number that a name has here, where another one's are listed.
---
---    print(ns.netns.list_id())
---
---Source: ip-netns(8), rtnetlink(7)
---@param target? integer  the numbers that the named one with this number gave
---@return { netnsid: integer, name?: string, current?: integer }[]
function netns.list_id(target)
  if target ~= nil and (math.type(target) ~= "integer" or target < 0) then
    sys.raise("bad argument #1 to 'list_id' (a number of a network namespace expected)")
  end
  local rows = target and numbers_of(target) or require "nslua.netns.numbers".here(netns.list())
  return list.make(rows, "netns ids", {}, { format = function(row)
    local current = row.current and ("current-nsid %d "):format(row.current) or ""
    local name = row.name and "(iproute2 netns name: " .. sys.clean(row.name) .. ")" or ""
    return ("nsid %d %s%s"):format(row.netnsid, current, name)
  end })
end

return netns
