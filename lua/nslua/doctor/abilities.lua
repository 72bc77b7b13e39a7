-- SPDX-License-Identifier: MIT
-- What ns.can() answers from: one row an ability, tried once for a process (a
-- child is another process), the rest read from the signals.

local sys = require "nslua.sys"
local lazy = require "nslua.doctor.lazy"
local probe = require "nslua.doctor.probe"
local rows = require "nslua.doctor.rows"

local ns = sys.primitives

local abilities = {}


-- The ladder's own namespaces, where a mount was tried: they are its maker's,
-- with every right in them.
local function inside(s)
  local yes = setmetatable({}, { __index = function() return true end })
  return setmetatable({ owned = yes, caps = yes, initial_user = false }, { __index = s })
end


-- A step that failed in nslua itself: "? " and what it said.
local function own_failure(said)
  local found = { id = "own", why = said .. "." }
  if said:find("%.so cannot be opened") then
    found.fix = "put it beside the program: make install copies both; make deps && make builds it"
  end
  return found
end


---Why a step was refused, in words. Pure.
---@param s table  signals
---@param step table
---@param errno string
---@return table finding
function abilities.finding(s, step, errno)
  local event = rows.event { call = step.call, name = errno, args = step.args }
  if step.call:find "^mount" then s = inside(s) end
  local row = rows.find(s, event)
  local found = row and rows.tell(row, s, event)
  local said = errno:match "^%? (.+)"
  if said then found = own_failure(said) end
  if not found and errno:find("^killed") then
    found = { id = "killed", why = "A system call filter kills the process that " ..
      "tries it (" .. errno .. ").", fix = "run outside that sandbox" }
  end
  found = found or { id = "unexplained", why = "The kernel said " .. errno .. "." }
  found.probe, found.errno = step.name, not said and errno or nil
  return found
end


local function add_row(list, row)
  list[#list + 1] = row
end


local function probe_row(s, step, privileged, failure)
  local errno = s.probes[step.name]
  local row = { name = step.name, title = step.title, ok = errno == true }
  if row.ok then return row end
  if type(errno) == "string" then
    local found = abilities.finding(s, step, errno)
    row.errno, row.why, row.fix = found.errno, found.why, found.fix
    return row
  end
  row.needs = probe.blocker(step, s.probes, privileged)
  row.why = failure or ("not tried: it needs %s"):format(row.needs or "another step")
  return row
end


-- Not a step of the ladder: it starts where the caller stands, at the foot.
local function add_subids(list, s)
  local result = probe.subids()
  local row = { name = "subids", title = "maps of many ids", ok = result == true }
  if not row.ok then
    local known = getmetatable(result) == sys.error_type
    local event = known and rows.event(result)
    local found = event and rows.find(s, event)
    local told = found and rows.tell(found, s, event) or {}
    row.errno = known and result.name or nil
    row.why, row.fix = told.why or (known and result.message) or sys.clean(tostring(result)), told.fix
  end
  add_row(list, row)
end


-- Abilities that are read, not tried.
local function add_signal_rows(list, s)
  add_row(list, { name = "uid0", title = "real root",
    ok = s.euid == 0 and s.initial_user == true,
    why = "this is not root of the first user namespace", fix = "sudo nslua ..." })
  add_subids(list, s)
  add_row(list, { name = "newuidmap", title = "the program newuidmap", ok = s.newuidmap ~= nil,
    why = "it is not on PATH", fix = "install the package uidmap" })
  local filtered = s.filtered
  add_row(list, { name = "seccomp", title = "namespaces that no system call filter refuses",
    ok = not filtered, why = "a filter (seccomp) answers unshare(2)",
    fix = "start the container with --security-opt seccomp=unconfined" })
  local masked = s.proc_masked or {}
  add_row(list, { name = "unmasked", title = "a /proc without covered parts",
    ok = s.proc ~= false and #masked == 0 and not s.proc_readonly,
    why = s.proc == false and "no /proc is mounted" or masked[1] and "these are covered: " ..
      sys.clean(table.concat(masked, " ")) or "/proc is mounted read-only",
    fix = "podman: --security-opt unmask=ALL; docker: --security-opt systempaths=unconfined" })
  add_row(list, { name = "cgroup2", title = "the unified cgroup tree",
    ok = s.cgroup2 ~= nil, why = "no cgroup2 file system is mounted" })
  add_row(list, { name = "cgroup.own", title = "a cgroup to make others in",
    ok = s.cgroup2 ~= nil and ns.access(s.cgroup2, "w"),
    why = s.cgroup2 and "the cgroup of this process belongs to somebody else" or
      "no cgroup2 file system is mounted",
    fix = s.cgroup2 and "systemd-run --user --scope -p Delegate=yes nslua ...; or sudo" or nil })
  for word in (s.controllers or ""):gmatch("%S+") do
    add_row(list, { name = "cgroup." .. word, title = "cgroup controller " .. word,
      ok = true })
  end
end


local can_type, methods = {}, {}

-- As every list has them; a row is an ability.
function methods.where(list, fn)
  local chosen = setmetatable({}, can_type)
  for _, row in ipairs(list) do
    if fn(row) then chosen[#chosen + 1] = row end
  end
  return chosen
end

function methods.json(list, indent)
  return require "nslua.json".encode(table.move(list, 1, #list, 1, {}), indent)
end

function can_type.__tostring(list) return require "nslua.doctor.view".rows(list) end

function can_type.__index(list, key)
  if type(key) ~= "string" then return nil end
  if methods[key] then return methods[key] end
  for _, row in ipairs(list) do
    if row.name == key then return row.ok end
  end
end


-- The list for a process is made once: a child is another process.
local cached, cached_for


---The abilities of this machine and process.
---@return table[] list
function abilities.list()
  if cached and cached_for == ns.generation() then return cached end
  local s = lazy.signals()
  local privileged = s.caps and s.caps.sys_admin or false
  local failure
  s.probes, failure = probe.climb(privileged)
  local list = setmetatable({}, can_type)
  for _, step in ipairs(probe.steps) do
    add_row(list, probe_row(s, step, privileged, failure))
  end
  add_signal_rows(list, s)
  for _, row in ipairs(list) do
    if row.ok then row.why, row.fix = nil, nil end
  end
  cached, cached_for = list, ns.generation()
  return list
end

return abilities
