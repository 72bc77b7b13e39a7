-- SPDX-License-Identifier: MIT
-- The doctor: what this machine allows, why it refuses the rest, and what to
-- do. It looks (doctor/signals), tries in a child (doctor/probe) and reads one
-- table (doctor/rows). It never changes the system.

local sys = require "nslua.sys"
local abilities = require "nslua.doctor.abilities"
local lazy = require "nslua.doctor.lazy"
local probe = require "nslua.doctor.probe"
local rows = require "nslua.doctor.rows"
local signals = require "nslua.doctor.signals"

local doctor = {}


---Everything that can be known without trying: sysctls, limits, the state of
---the process, marks of containers.
---
---    print(require "nslua.doctor".signals().seccomp)
---
---Source: proc(5)
---@return table signals  plain fields; what cannot be known is nil
function doctor.signals()
  return lazy.all()
end


-- -- one refusal -------------------------------------------------------------

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
    local s = lazy.signals()
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


-- -- the whole machine -------------------------------------------------------

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
      local found = abilities.finding(s, step, errno)
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


-- -- ns.can and --doctor -----------------------------------------------------

local function names_of(list)
  local names = {}
  for i, row in ipairs(list) do names[i] = row.name end
  return names
end


---What this machine allows, and why not. With a name: true, or false with why
---and what to do. Without: the whole list, which prints itself; by name it
---answers true or false.
---
---    print(ns.can())
---    if ns.can().net then print "networks" end
---    print(ns.can "overlay")
---    print(ns.can():where(function(a) return not a.ok end))
---
---It is tried once for each process, in children. A name that this machine
---lacks altogether ("cgroup.memory") is false; an unknown word is an error.
---Source: unshare(2), user_namespaces(7)
---@param name string?  user map setgroups net lo veth bridge netem nftables mnt private
---tmpfs overlay idmap uts ipc
---cgroup time pid fork proc uid0 subids newuidmap seccomp unmasked cgroup2 cgroup.own
---cgroup.CONTROLLER
---@return any allowed  boolean, or the list of { name, title, ok, errno, why, fix }
---@return string? why
---@return string? fix
function doctor.can(name)
  local list = abilities.list()
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
  local list = abilities.list()
  s.probes = {}
  for _, row in ipairs(list) do s.probes[row.name] = row.ok or row.errno end
  local report = { list = list, signals = s, findings = doctor.diagnose(s) }
  local view = require "nslua.doctor.view"
  io.write((view[mode] or view.text)(report))
  for _, name in ipairs { "user", "mnt", "uts", "pid" } do
    if not list[name] then return 77 end
  end
  return 0
end

return doctor
