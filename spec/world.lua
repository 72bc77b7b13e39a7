-- SPDX-License-Identifier: MIT
-- A small world of processes and namespaces that nobody else lives in: its own
-- pid and mount namespaces, its own /proc, so that lsns, ps and we see just
-- what was made.

local helpers = require "spec.helpers"
local ns = require "nslua"

local world = {}

---Unshares a user namespace in which the caller is root, and more types.
function world.become_root(...)
  local uid, gid = ns.geteuid(), ns.getegid()
  ns.unshare("user", ...)
  ns.map(ns.getpid(), { uid = { 0, uid, 1 }, gid = { 0, gid, 1 }, setgroups = "deny" })
end


local function enter()
  if ns.geteuid() == 0 then
    ns.unshare("pid", "mnt")
  else
    world.become_root("pid", "mnt")
  end
  ns.mount("", "/", "none", "private,rec")
end


---Runs fn as PID 1 of a new world and returns its results.
function world.run(fn)
  return helpers.in_child(function()
    enter()
    return helpers.in_child(function()
      ns.mount("proc", "/proc", "proc")
      return fn()
    end)
  end)
end


---Makes a process: prepare() runs in it, then it sleeps. Returns its Proc when
---it is ready.
function world.sleeper(prepare, ...)
  local r, w = ns.pipe()
  local child = ns.fork(function(...)
    r:close()
    if prepare then prepare(...) end
    w:write "x"
    w:close()
    ns.poll({}, 120)
  end, ...)
  w:close()
  local ready = r:read(1)
  r:close()
  if not ready then error("a process of the world could not be made", 2) end
  return child
end


---A process that has ended and that nobody has reaped.
function world.zombie()
  local r, w = ns.pipe()
  local child = ns.fork(function() r:close() end)
  w:close()
  r:read(1)
  r:close()
  for _ = 1, 100 do
    if ns.scan_processes({ "state" }, nil, { child.pid })[1].state == "Z" then return child end
    ns.poll({}, 0.01)
  end
  error "no zombie came"
end


---What `lsns -J` says: rows with numbers and strings. It counts itself in the
---namespaces of the caller.
function world.lsns(...)
  local columns = "NS,TYPE,NPROCS,PID,PPID,UID,USER,PNS,ONS,NETNSID,COMMAND"
  local out, err = helpers.run { "lsns", "-J", "-l", "-o", columns, ... }
  if err ~= "" then error(err, 2) end
  local rows = {}
  for object in out:gmatch "{%s*\n(%s*\"ns\".-)}" do
    local row = {}
    for key, value in object:gmatch "\"([%w]+)\": ([^\n]*)" do
      value = value:gsub(",$", "")
      row[key] = tonumber(value) or value:match "^\"(.*)\"$"
    end
    rows[#rows + 1] = row
  end
  return rows
end


---The rows by "type number".
function world.by_name(rows)
  local at = {}
  for _, row in ipairs(rows) do at[row.type .. " " .. row.ns] = row end
  return at
end

return world
