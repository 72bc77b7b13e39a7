-- SPDX-License-Identifier: MIT
-- Errors of the root file systems: the object that every refusal is, with
-- words of our own in place of the kernel's.

local sys = require "nslua.sys"

local fail = {}

fail.ENOENT, fail.EIO, fail.EACCES, fail.EBUSY, fail.EINVAL = 2, 5, 13, 16, 22
fail.EFBIG, fail.ENOSPC, fail.EBADMSG, fail.ETIMEDOUT = 27, 28, 74, 110
fail.ENETUNREACH, fail.ECANCELED = 101, 125


---An error object. A name in the words may hold anything: it is cleaned here.
---@param errno integer
---@param source string  what was asked for
---@param message string
---@param why? string
---@param fix? string
---@return nslua.Error
function fail.new(errno, source, message, why, fix)
  source = sys.clean(tostring(source))
  local err = sys.error(errno, "rootfs.get", source)
  err.message = ("rootfs: %s: %s"):format(source, sys.clean(message))
  err.why, err.fix = why and sys.clean(why), fix and sys.clean(fix)
  err.hint = err.fix or err.why or ""
  err.see = "help \"rootfs\""
  return err
end


---Raises fail.new(...).
function fail.raise(...)
  error(fail.new(...), 0)
end

return fail
