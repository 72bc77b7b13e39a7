-- SPDX-License-Identifier: MIT
-- proc:call(fn, ...): a forked worker joins the process's namespaces, runs the
-- function there and sends its values back over a socket of its own.

local sys = require "nslua.sys"
local wire = require "nslua.wire"
local ns = sys.primitives

local call = {}

local MOST_FDS = 250 -- the kernel takes 253 in one message
local PIECE = 65536


-- -- the worker's side -------------------------------------------------------

local function send_all(socket, bytes, fds)
  local first = true
  local header = string.pack("<I8", #bytes)
  bytes = header .. bytes
  for at = 1, #bytes, PIECE do
    socket:send(bytes:sub(at, at + PIECE - 1), first and fds or {})
    first = false
  end
end

-- An error as a table that can travel: the object's fields or its text.
local function portrait(err)
  local trace = debug.traceback("", 2):gsub("^%s+", "")
    :gsub("\n%s*%[C%]: in function 'xpcall'.*", "") -- from there on it is ours
  if getmetatable(err) == sys.error_type then
    local fields = { object = true, traceback = trace, why = err.why,
      fix = err.fix, hint = err.hint }
    for key, value in next, err do
      if type(value) ~= "function" then fields[key] = value end
    end
    return fields
  end
  if type(err) ~= "string" then
    local mt = getmetatable(err)
    if type(err) == "table" and not mt then
      return { value = err, traceback = trace }
    end
    err = tostring(err)
  end
  return { text = err, traceback = trace }
end

-- Bytes and descriptors, or nil and why the values cannot leave.
local function pack_values(...)
  local ok, bytes, fds = pcall(wire.encode, table.pack(...), "result")
  if not ok then return nil, { text = bytes, traceback = "" } end
  if #fds > MOST_FDS then
    return nil, { text = "result holds too many descriptors", traceback = "" }
  end
  return "v" .. bytes, fds
end

local function pack_error(err)
  local ok, bytes = pcall(wire.encode, { err, n = 1 }, "error")
  if not ok then -- a table that cannot travel: its text can
    local text = { text = tostring(err.value), traceback = err.traceback }
    bytes = wire.encode({ text, n = 1 }, "error")
  end
  return "e" .. bytes, {}
end

local function pack(ok, ...)
  if not ok then return pack_error(...) end
  local bytes, fds = pack_values(...)
  if bytes then return bytes, fds end
  return pack_error(fds)
end

local function work(socket, fn, ...)
  send_all(socket, pack(xpcall(fn, portrait, ...)))
  return 0
end


-- -- the caller's side -------------------------------------------------------

-- Returns bytes, fds; nil when the worker ended before it had said all.
local function receive_all(socket)
  local parts, fds, have, want = {}, nil, 0, nil
  while not want or have < want do
    local piece, more = socket:recv(PIECE)
    if not piece or #piece == 0 then return nil end
    if more and more[1] then fds = more end
    parts[#parts + 1] = piece
    have = have + #piece
    if not want and have >= 8 then
      local head = table.concat(parts)
      want = 8 + string.unpack("<I8", head)
      parts = { head }
    end
  end
  return table.concat(parts):sub(9), fds or {}
end

local function raise_portrait(err)
  if err.value ~= nil then error(err.value, 0) end
  if not err.object then
    local trace = err.traceback
    if trace and trace ~= "" then
      error(("%s\nin the box: %s"):format(err.text, trace), 0)
    end
    error(err.text, 0)
  end
  err.object = nil
  error(setmetatable(err, sys.error_type), 0)
end

local function no_answer(worker)
  local _, how, code = worker:wait()
  sys.raise(("the function's process ended (%s %d) before it answered")
    :format(how, code))
end


---Runs fn where proc is and returns its values.
---@param proc nslua.Proc
---@param only integer?  join these types only, and leave root and directory
---@param fn fun(...): any
---@param ... any
---@return any ...
function call.call(proc, only, fn, ...)
  local ours, theirs = ns.socketpair()
  local our_end <close> = ours
  local their_end <close> = theirs
  local worker <close> = require("nslua.proc").start(proc, only, function(...)
    ours:close()
    return work(theirs, fn, ...)
  end, ...)
  their_end:close()
  local bytes, fds = receive_all(our_end)
  if not bytes then no_answer(worker) end
  worker:wait()
  local values = wire.decode(bytes:sub(2), fds)
  if bytes:sub(1, 1) == "e" then raise_portrait(values[1]) end
  return table.unpack(values, 1, values.n)
end

return call
