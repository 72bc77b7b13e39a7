-- SPDX-License-Identifier: MIT
-- The doctor: what this machine allows, why it refuses the rest, and what to
-- do. It looks (doctor/signals), tries in a child (doctor/probe) and reads one
-- table (doctor/rows). It never changes the system.

local sys = require "nslua.sys"
local probe = require "nslua.doctor.probe"
local rows = require "nslua.doctor.rows"
local signals = require "nslua.doctor.signals"

local ns = sys.primitives

local doctor = {}


-- -- signals that cost more than reading a file ---------------------------------

-- Which types of namespace belong to the caller's own user namespace.
local function owned_types()
  local all = ns.of()
  local owned = {}
  for type_name, handle in pairs(all) do
    local owner = handle:owner()
    owned[type_name] = owner ~= nil and owner == all.user
    if owner then owner:close() end
  end
  for _, handle in pairs(all) do handle:close() end
  return owned
end


-- Worked out when a row first asks for them, from the signals at hand.
local expensive = {
  filtered = function(s)
    if s.seccomp == 0 then return false end
    return probe.filtered()
  end,
  below_root = function(s)
    if not s.caps or s.caps.sys_admin and s.caps.sys_chroot then
      return probe.below_root()
    end
  end,
  owned = function() return owned_types() end,
}


local function with_expensive(s)
  local asked = {}
  return setmetatable(s, { __index = function(t, key)
    if not expensive[key] or asked[key] then return nil end
    asked[key] = true
    local trace = sys.set_trace(nil)
    local ok, value = pcall(expensive[key], t)
    if trace then sys.set_trace(trace) end
    if ok then rawset(t, key, value) end
    return ok and value or nil
  end })
end


---Everything that can be known without trying: sysctls, limits, the state of
---the process, marks of containers.
---
---    print(require "nslua.doctor".signals().seccomp)
---
---Source: proc(5)
---@return table signals  plain fields; what cannot be known is nil
function doctor.signals()
  local s = with_expensive(signals.gather())
  for key in pairs(expensive) do
    if s.seccomp ~= 0 or key ~= "filtered" then s[key] = s[key] end
  end
  return setmetatable(s, nil)
end


-- -- one refusal ------------------------------------------------------------------

---Why the kernel refused, on this machine, and what to do. It never raises and
---changes nothing; it is called when `why` of an error object is first read.
---
---    local _, _, _, err = ns.try(ns.sethostname, "x"); print(err and err.why)
---
---Source: errno(3)
---@param err nslua.Error
---@return { why: string?, fix: string?, hint: string?, see: string? } found  empty
---when there is nothing to say beyond the error itself
function doctor.explain(err)
  if type(err) ~= "table" then return {} end
  local ok, found = pcall(function()
    local event = rows.event(err)
    local s = with_expensive(signals.gather())
    local row = rows.find(s, event)
    return row and rows.tell(row, s, event) or {}
  end)
  if not ok then return {} end
  found.hint = found.why and (found.why .. " Try: " .. (found.fix or "nslua --doctor"))
  return found
end


---The row that these signals and this refusal lead to. Pure: nothing is read.
---
---    doctor.judge({ userns_clone = 0 }, "unshare", "EPERM", { "CLONE_NEWUSER" })
---
---Source: errno(3)
---@param s table  signals
---@param call string
---@param errno string  "EPERM"
---@param args string[]  as the kernel got them
---@param step string?
---@return table? finding  id, why, fix, command, weakens, see
function doctor.judge(s, call, errno, args, step)
  local event = rows.event { call = call, name = errno, args = args, step = step }
  local row = rows.find(s, event)
  return row and rows.tell(row, s, event)
end


-- -- the whole machine ---------------------------------------------------------------

local function finding_of(s, step, errno)
  local found = errno ~= "?" and
    doctor.judge(s, step.call, errno, step.args) or nil
  if not found and errno:find("^killed") then
    found = { id = "killed", why = "A system call filter kills the process that " ..
      "tries it (" .. errno .. ").", fix = "run outside that sandbox" }
  end
  found = found or { id = "unexplained", why = "The kernel said " .. errno .. "." }
  found.probe, found.errno = step.name, errno
  return found
end


---What the signals and probe results mean. Pure: the same table gives the same
---list, on any machine.
---
---    doctor.diagnose { probes = { user = "ENOSPC" }, limits = { user = 0 } }
---
---Source: user_namespaces(7)
---@param s table  as doctor.signals() gives; field `probes` as doctor.probe()
---gives: name -> true | errno name
---@return table[] findings  { id, probe, errno, why, fix, command, weakens, see,
---note }; notes (note = true) come last and are no faults
function doctor.diagnose(s)
  local findings, seen = {}, {}
  for _, step in ipairs(probe.steps) do
    local errno = s.probes and s.probes[step.name]
    if type(errno) == "string" then
      local found = finding_of(s, step, errno)
      if not seen[found.id] then
        seen[found.id] = true
        findings[#findings + 1] = found
      end
    end
  end
  for _, note in ipairs(rows.notes(s)) do findings[#findings + 1] = note end
  return findings
end


---Tries everything in forked children.
---
---    print(require "nslua.doctor".probe().user)
---
---Source: unshare(2), clone(2)
---@param s table?  signals, when they are at hand
---@return table<string, true|string> probes  name -> true or the errno's name;
---absent: not tried, because something it needs was refused
---@return string? failure  why nothing could be tried
function doctor.probe(s)
  s = s or signals.gather()
  local privileged = s.caps and s.caps.sys_admin or false
  return probe.climb(privileged)
end


-- -- ns.can ------------------------------------------------------------------------------

local function add_row(list, row)
  list[#list + 1] = row
end


local function probe_row(s, step, privileged, failure)
  local errno = s.probes[step.name]
  local row = { name = step.name, title = step.title, ok = errno == true }
  if row.ok then return row end
  if type(errno) == "string" then
    local found = finding_of(s, step, errno)
    row.errno, row.why, row.fix = errno, found.why, found.fix
    return row
  end
  row.needs = probe.blocker(step, s.probes, privileged)
  row.why = failure or ("not tried: it needs %s"):format(row.needs or "another step")
  return row
end


-- Abilities that are read, not tried.
local function add_signal_rows(list, s)
  add_row(list, { name = "uid0", title = "real root",
    ok = s.euid == 0 and s.initial_user == true,
    why = "this is not root of the first user namespace", fix = "sudo nslua ..." })
  add_row(list, { name = "subids", title = "maps of many ids",
    ok = (s.caps and s.caps.setuid and s.initial_user or
      ((s.subuid or 0) > 0 and s.newuidmap ~= nil)) or false,
    why = "no range in /etc/subuid, or no newuidmap",
    fix = "an admin runs: usermod --add-subuids 100000-165535 USER" })
  add_row(list, { name = "cgroup2", title = "the unified cgroup tree",
    ok = s.cgroup2 ~= nil, why = "no cgroup2 file system is mounted" })
  for word in (s.controllers or ""):gmatch("%S+") do
    add_row(list, { name = "cgroup." .. word, title = "cgroup controller " .. word,
      ok = true })
  end
end


local function names_of(list)
  local names = {}
  for i, row in ipairs(list) do names[i] = row.name end
  return names
end


local can_type = {
  __tostring = function(list) return require "nslua.doctor.view".rows(list) end,
  __index = function(list, key)
    if type(key) ~= "string" then return nil end
    for _, row in ipairs(list) do
      if row.name == key then return row.ok end
    end
  end,
}


-- The list for a process is made once: a child is another process.
local cached, cached_for


local function abilities()
  if cached and cached_for == ns.generation() then return cached end
  local s = with_expensive(signals.gather())
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


---What this machine allows, and why not. With a name: true, or false with why
---and what to do. Without: the whole list, which prints itself; by name it
---answers true or false.
---
---    print(ns.can())
---    if ns.can().net then print "networks" end
---    print(ns.can "overlay")
---
---It is tried once for each process, in children. A name that this machine
---lacks altogether ("cgroup.memory") is false; an unknown word is an error.
---Source: unshare(2), user_namespaces(7)
---@param name string?  user map setgroups mnt private tmpfs overlay uts ipc net lo
---cgroup time pid fork proc uid0 subids cgroup2 cgroup.CONTROLLER
---@return any allowed  boolean, or the list of { name, title, ok, errno, why, fix }
---@return string? why
---@return string? fix
function doctor.can(name)
  local list = abilities()
  if name == nil then return list end
  if type(name) ~= "string" then
    error(("bad argument #1 to 'can' (string expected, got %s)"):format(type(name)), 2)
  end
  for _, row in ipairs(list) do
    if row.name == name then return row.ok, row.why, row.fix end
  end
  if name:find("^cgroup%.%w+$") then
    return false, "this machine gives no such controller to cgroup v2"
  end
  error(("bad argument #1 to 'can' (unknown ability '%s'; there are: %s)"):format(
    sys.clean(name:sub(1, 64)), table.concat(names_of(list), " ")), 2)
end


---`nslua --doctor`: prints what was found.
---
---    os.exit(require "nslua.doctor".main("json"))
---
---Source: nslua(1)
---@param mode string|true|nil  "json", "fix", or else text
---@return integer status  0, or 77 when lessons cannot run here
function doctor.main(mode)
  local s = doctor.signals()
  local clock = os.clock()
  local list = abilities()
  s.probes = {}
  for _, step in ipairs(probe.steps) do
    local row
    for _, r in ipairs(list) do row = r.name == step.name and r or row end
    s.probes[step.name] = row.ok or row.errno
  end
  local report = {
    list = list, signals = s, findings = doctor.diagnose(s),
    seconds = os.clock() - clock,
  }
  local view = require "nslua.doctor.view"
  io.write((view[mode] or view.text)(report))
  for _, name in ipairs { "mnt", "uts", "pid" } do
    if not list[name] then return 77 end
  end
  return 0
end

return doctor
