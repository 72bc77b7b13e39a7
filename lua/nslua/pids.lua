-- SPDX-License-Identifier: MIT
-- One process, many numbers: it has one in its own pid namespace and one in
-- each above. Also who is in a namespace.

local processes = require "nslua.ps"
local sys = require "nslua.sys"
local ns = sys.primitives

local pids = { methods = { Proc = {}, Ns = {} } }

local function pid_of(what, name, arg)
  if getmetatable(what) == "nslua.Proc" then return what.pid end
  if math.type(what) == "integer" and what > 0 then return what end
  sys.raise(("bad argument #%d to '%s' (Proc or pid > 0 expected)"):format(arg, name))
end

-- The pid namespace that is meant, as a handle of our own.
local function pidns_of(target, name)
  if getmetatable(target) == "nslua.Ns" then
    if target.type ~= "pid" then
      sys.raise(("bad argument #2 to '%s' (a pid namespace expected, this is a %s namespace)")
        :format(name, target.type))
    end
    return ns.of(target)
  end
  return ns.of(pid_of(target, name, 2), "pid")
end

-- ESRCH: no number there. EINVAL, ENOTTY: a kernel before 6.11.
local function by_ioctl(handle, direction, pid)
  local number, _, _, err = ns.try(ns.translate_pid, handle, direction, pid)
  if number then return number, true end
  return nil, err.name == "ESRCH"
end

-- The NSpid line names our number first and the innermost last; walking up
-- from the process's own namespace finds which of them is the target's.
local function in_by_status(pid, target)
  local numbers = ns.nspid(pid)
  local handle, depth = ns.of(pid, "pid"), #numbers
  while handle and depth > 0 do
    if handle == target then
      handle:close()
      return numbers[depth]
    end
    local up = handle:parent()
    handle:close()
    handle, depth = up, depth - 1
  end
  return nil
end

local function from_by_status(number, target)
  for _, row in ipairs((ns.scan_processes({ "nspid" }))) do
    local ok, there = pcall(in_by_status, row.pid, target)
    if ok and there == number then return row.pid end
  end
  return nil
end

pids.fallback = { pid_in = in_by_status, pid_from = from_by_status }


---The number that a process has in another pid namespace; nil when that one
---cannot see it.
---
---    ns.pid_in(box.pid, ns.of(box, "pid"))   --> 1
---
---Source: ioctl_ns(2), else the NSpid line of
---proc_pid_status(5)
---@param process integer|nslua.Proc
---@param target nslua.Ns|nslua.Proc|integer  a pid namespace, or who is in it
---@return integer?
function pids.pid_in(process, target)
  local pid = pid_of(process, "pid_in", 1)
  local handle <close> = pidns_of(target, "pid_in")
  local number, known = by_ioctl(handle, "in", pid)
  if known then return number end
  return in_by_status(pid, handle)
end


---The way back: our number for the process that is `number` in that pid
---namespace; nil when there is none.
---
---    ns.pid_from(1, box)   --> box.pid
---
---Source: NS_GET_TGID_FROM_PIDNS(2const), else the NSpid lines
---@param number integer
---@param target nslua.Ns|nslua.Proc|integer  a pid namespace, or who is in it
---@return integer?
function pids.pid_from(number, target)
  number = pid_of(number, "pid_from", 1)
  local handle <close> = pidns_of(target, "pid_from")
  local pid, known = by_ioctl(handle, "from", number)
  if known then return pid end
  return from_by_status(number, handle)
end


---All numbers of the process: ours first, then one for each pid namespace
---down to its own.
---
---    print(table.concat(box:pids(), " / "))   --> 4491 / 1
---
---Source: the NSpid line of proc_pid_status(5)
---@return integer[]
function pids.methods.Proc:pids()
  sys.self(self, "Proc")
  return ns.nspid(self)
end


---The number that the process has in another pid namespace, or nil.
---
---    local box <close> = ns.box{ "pid" }; print(box:pid_in(box))
---
---Source: ioctl_ns(2), pid_namespaces(7)
---@param target nslua.Ns|nslua.Proc|integer
---@return integer?
function pids.methods.Proc:pid_in(target)
  sys.self(self, "Proc")
  return pids.pid_in(self, target)
end


---The processes that the process can see, as `ps` in there would show them:
---`pid` and `ppid` are numbers in there, `host` is ours. Looked at from
---outside: no pid is used up.
---
---    print(box:ps())
---    print(box:ps { "pid", "user", "args" })
---
---Raises: ESRCH (the process has ended).
---Source: ps(1), proc(5)
---@param columns? string|string[]  as ns.ps; the default is pid and args
---@return nslua.List
function pids.methods.Proc:ps(columns)
  sys.self(self, "Proc")
  if type(columns) == "string" then columns = { columns } end
  if columns ~= nil and type(columns) ~= "table" then sys.raise("bad argument #1 to 'ps' (columns are words)") end
  local opts = table.move(columns or {}, 1, #(columns or {}), 1, {})
  if #opts == 0 then opts = { "pid", "args" } end
  if not self.running then
    error(sys.error(3, "open", sys.quote(("/proc/%d/ns/pid"):format(self.pid)),
      "the process has ended, and a pid namespace ends with its PID 1; make another box: "), 0)
  end
  opts.inside = self
  local rows = processes.ps(opts)
  local inside = {}
  for _, row in ipairs(rows) do inside[row.pid] = row.inpid end
  for _, row in ipairs(rows) do
    row.host, row.pid, row.inpid = row.pid, row.inpid, nil
    row.ppid = row.ppid and (inside[row.ppid] or 0)
  end
  return rows
end


---The processes in the namespace (of a pid namespace: those whose own it is),
---and how many the kernel did not let us see.
---
---    for _, pid in ipairs(ns.of(box, "net"):members()) do print(pid) end
---
---Raises: ENOENT (no procfs).
---Source: proc(5)
---@return integer[] pids
---@return integer hidden
function pids.methods.Ns:members()
  sys.self(self, "Ns")
  return ns.scan_members(self.type, self.inode)
end

return pids
