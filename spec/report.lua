-- SPDX-License-Identifier: MIT
-- How a spec file reports: a busted output handler. One line a file, the
-- story of each failure above it, and a record for .ci/test in the file that
-- NSLUA_RECORD names: "passed N", "failed N", "absent REASON", "pending
-- REASON". A record that does not end in "done" is from a run that broke off.
--
-- With NSLUA_MUST_WORK=1 a pending spec is a failure, except where a probe
-- has proved that this kernel lacks the facility: its reason starts with
-- "absent: ".

local busted = require "busted"

local must_work = os.getenv("NSLUA_MUST_WORK") == "1"


local function text_of(message)
  if type(message) == "table" and type(message.message) == "string" then
    return message.message
  end
  return tostring(message or "no message")
end


-- The record is appended to at once: what crashes later does not lose it.
local function record(line)
  local path = os.getenv("NSLUA_RECORD")
  if not path then return end
  local file = assert(io.open(path, "a"))
  file:write((line:gsub("%c", " ")), "\n")
  file:close()
end


local function tell_failure(kind, name, message, trace)
  local where = trace and trace.short_src and
    (trace.short_src .. ":" .. (trace.currentline or "?") .. ": ") or ""
  print(("%s: %s%s"):format(kind, where, name))
  print("  " .. text_of(message):gsub("\n", "\n  "))
end


return function()
  local handler = require "busted.outputHandlers.base"()
  local count = { passed = 0, failed = 0, pending = 0 }

  local function failed(kind, element, parent, message, trace)
    count.failed = count.failed + 1
    local data = handler.format(element, parent, message, trace)
    tell_failure(kind, data.name, message, data.trace)
  end

  local function left_pending(element, parent)
    local reason = text_of(handler.pendings[#handler.pendings].message)
      :gsub("^%S+:%d+: ", "")
    local absent = reason:match("^absent: (.*)")
    if must_work and not absent then
      return failed("PENDING, but NSLUA_MUST_WORK is set", element, parent, reason)
    end
    count.pending = count.pending + 1
    record(absent and "absent " .. absent or "pending " .. reason)
  end

  function handler.testEnd(element, parent, status)
    if status == "success" then
      count.passed = count.passed + 1
    elseif status == "pending" then
      left_pending(element, parent)
    end
    return nil, true
  end

  function handler.failure(element, parent, message, trace)
    failed("FAILED", element, parent, message, trace)
    return nil, true
  end

  function handler.error(element, parent, message, trace)
    failed("ERROR", element, parent, message, trace)
    return nil, true
  end

  function handler.suiteEnd()
    print(("%s %d passed, %d failed%s"):format(
      count.failed == 0 and "ok  " or "FAIL", count.passed, count.failed,
      count.pending > 0 and (", %d pending"):format(count.pending) or ""))
    record("passed " .. count.passed)
    record("failed " .. count.failed)
    record("done")
    return nil, true
  end

  busted.subscribe({ "test", "end" }, handler.testEnd)
  busted.subscribe({ "failure" }, handler.failure)
  busted.subscribe({ "error" }, handler.error)
  busted.subscribe({ "suite", "end" }, handler.suiteEnd)
  return handler
end
