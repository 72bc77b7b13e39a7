-- SPDX-License-Identifier: MIT
-- Work on the cache happens in a child: threads of libraries live and die
-- there (one would spoil a later unshare("user")), and under sudo it is the
-- calling user who does it.

local sys = require "nslua.sys"
local birth = require "nslua.birth"
local library = require "nslua.library"
local cache = require "nslua.rootfs.cache"
local fail = require "nslua.rootfs.fail"
local ns = sys.primitives

local job = {}

local PLAIN = { message = true, why = true, fix = true, hint = true, call = true, name = true,
  errno = true, see = true, where = true }


-- A flat table or an error as the text of a Lua table.
local function encode(kind, value)
  local out = { ("kind=%q"):format(kind) }
  local is_error = getmetatable(value) == sys.error_type
  if type(value) ~= "table" then value = { text = tostring(value) } end
  for key, v in pairs(value) do
    if type(key) == "string" and (not is_error or PLAIN[key]) and type(v) ~= "table" then
      out[#out + 1] = ("[%q]=%q"):format(key, v)
    end
  end
  if is_error then out[#out + 1] = "is_error=true" end
  return "return {" .. table.concat(out, ",") .. "}"
end

local function become_owner()
  local uid, gid = cache.sudo_user()
  if not uid then return end
  cache.keep_folder()
  -- The user may not reach the folder that the program is in.
  for _, name in ipairs { "ring", "feed", "archive", "fetch" } do pcall(library.open, name) end
  ns.setgroups {}
  ns.setresgid(gid, gid, gid)
  ns.setresuid(uid, uid, uid)
  ns.dumpable(true)
end

-- The first child after unshare("pid") is PID 1 there, and nobody is born once
-- it has ended: no work of ours may use it up. Only after the unshare and
-- before that child has the link nowhere to lead to.
local function check_first_child()
  local _, _, errno = ns.try(ns.readlink, "/proc/self/ns/pid_for_children")
  if errno == fail.ENOENT and ns.access("/proc/self/ns/pid", "") then
    fail.raise(fail.EBUSY, "after unshare(\"pid\")",
      "the child that does the work would be PID 1 of the new namespace", nil,
      "get the root first, then unshare")
  end
end

local function fork_here(fn, ...)
  check_first_child()
  local parent = ns.getpid()
  return ns.fork(function(...)
    ns.pdeathsig "KILL"
    local above = ns.getppid()
    if above ~= parent and above ~= 0 then ns._exit(1) end -- 0: in another pid namespace
    return fn(...)
  end, ...)
end


---A child of ours that ends with us.
function job.fork(fn, ...)
  return birth.here(fork_here, fn, ...)
end


-- The trace and the handlers of who asked are not for the child.
local function work(fn, out, ...)
  local ok, result = pcall(function(...)
    ns.umask(18) -- 022: the caller's is for his own files
    become_owner()
    return fn(...)
  end, ...)
  out:write(encode(ok and "result" or "error", result))
  ns._exit(0)
end

local function settle(answer, how, code)
  if not answer or answer == "" then
    error(("the job ended early: %s %s"):format(how, code), 0)
  end
  local value = assert(load(answer, "=job", "t", {}))()
  local kind = value.kind
  value.kind = nil
  if kind == "result" then return value end
  if not value.is_error then error(value.text, 0) end
  value.is_error = nil
  local err = sys.error(value.errno, value.call, "")
  for key, v in pairs(value) do
    if key ~= "where" then err[key] = v end
  end
  error(err, 0)
end


---Runs fn(...) in a child as the owner of the cache; its result is a flat
---table. An error in it is raised here.
---@param fn fun(...): table
---@return table
function job.run(fn, ...)
  local r, w = ns.pipe()
  local _ <close> = r
  local _ <close> = w
  local child <close> = job.fork(work, fn, w, ...)
  w:close()
  local answer = r:read "a"
  local _, how, code = child:wait()
  return settle(answer, how, code)
end

return job
