-- SPDX-License-Identifier: MIT
-- What went wrong on a line, as a person reads it: the cause, why and what to
-- do first; the traceback, that of a box included, when it is asked for.

local sys = require "nslua.sys"
local fold = require "nslua.fold"
local value = require "nslua.repl.value"

local failure = {}

local rawget = rawget
local getmetatable, traceback = debug.getmetatable, debug.traceback


-- The frames of the session itself are nobody's business.
local function prune(trace)
  trace = trace:gsub("\n%s*%[C%]: in function 'xpcall'.*", "")
  return (trace:gsub("^%s*stack traceback:\n?", ""))
end

---Keeps the traceback of an error on its way out: a handler for xpcall.
---@param err any
---@return { err: any, trace: string }
function failure.catch(err)
  return { err = err, trace = prune(traceback("", 2)) }
end


---Did Ctrl-C end it?
---@param err any
---@return boolean
function failure.is_interrupt(err)
  return type(err) == "string" and err:find "interrupted!$" ~= nil
end


---"stdin#7:1: wrong" is on line 1 of what was typed just now.
---@param number integer  of the last chunk
---@param s string
---@return string
function failure.own_line(number, s)
  return (s:gsub(("stdin#%d:"):format(number), "stdin:"))
end


---An error as text, without its traceback.
---@param number integer  of the last chunk
---@param err any
---@param columns integer
---@return string
function failure.text(number, err, columns)
  local mt = getmetatable(err)
  if type(err) == "string" then
    -- What proc:call brought back has the traceback of the box behind it.
    return failure.own_line(number, value.clean(err:match "^(.-)\nin the box: " or err))
  end
  if type(mt) == "table" and rawget(mt, "__tostring") then
    local said = failure.own_line(number, value.text(err, columns))
    return rawequal(mt, sys.error_type) and fold.text(said, columns - 1) or said
  end
  return "error: " .. value.text(err, columns)
end

-- What happened within a box, when the error came from there.
local function inner_trace(err)
  if type(err) == "string" then return err:match "\nin the box: (.*)$" end
  if getmetatable(err) == sys.error_type then return rawget(err, "traceback") end
end


---The text with all tracebacks, the innermost first.
---@param said string  the error's text
---@param caught { err: any, trace: string }
---@return string
function failure.traceback(said, caught)
  local inner = inner_trace(caught.err)
  if inner then said = said .. "\nin the box:\n" .. value.clean(prune(inner)) end
  return said .. "\nhere:\n" .. value.clean(caught.trace)
end

return failure
