-- SPDX-License-Identifier: MIT
-- Errors as values and the trace.

local sys = require "nslua.sys"

local core = {}


---Calls f(...) and gives back a kernel refusal as values, as io.open does.
---
---    local ok, message, errno = ns.try(ns.sethostname, "box")
---
---A mistake in the call itself (a wrong argument, an error in f) is raised as
---ever: only refusals are values.
---@generic T
---@param f fun(...): T
---@param ... any
---@return T|nil value  what f returned, or nil
---@return string? message  one line: the call, its arguments, the reason
---@return integer? errno
---@return nslua.Error? err  the error object, with `why` and `fix`
function core.try(f, ...)
  local function settle(ok, ...)
    if ok then return ... end
    local err = ...
    if getmetatable(err) == sys.error_type then
      return nil, err.message, err.errno, err
    end
    error(err, 0)
  end
  return settle(pcall(f, ...))
end


---Shows each primitive as strace would: on standard error, or as lines given
---to a function. Returns what was there before.
---
---    ns.trace(true); ns.unshare("uts"); ns.trace(false)
---
---Source: strace(1)
---@param on boolean|fun(line: string)
---@return boolean|fun(line: string)
function core.trace(on)
  local sink = on
  if on == true then
    sink = function(line) io.stderr:write(line, "\n") end
  elseif not on then
    sink = nil
  elseif type(on) ~= "function" then
    sys.raise("bad argument #1 to 'trace' (boolean or function expected, got " .. type(on) .. ")")
  end
  return sys.set_trace(sink) or false
end

return core
