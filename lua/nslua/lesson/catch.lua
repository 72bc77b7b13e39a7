-- SPDX-License-Identifier: MIT
-- What a lesson prints, its programs too, goes into a file: nothing of it
-- reaches the terminal before somebody shows it. Its system calls likewise.

local calls = require "nslua.lesson.calls"
local sys = require "nslua.sys"
local ns = require "nslua"

local catch = {}

local MOST_OUTPUT = 1 << 16 -- bytes of one step that are kept


---One file catches all that the lesson prints: boxes keep it as their standard
---output as long as they live. What was read is told by `at`.
---@param run table
function catch.start(run)
  run.caught, run.at = ns.memfd "nslua-output", 0
  run.closed = { [0] = ns.open "/dev/null", run.caught, run.caught }
  run.open = { [0] = ns.fd(0), ns.fd(1), ns.fd(2) }
end

-- An error with the traceback that --traceback shows; refusals stay objects.
local function explain(err)
  return { err = err, traceback = debug.traceback("", 2) }
end

-- A bare fork(2) comes back twice, but there is one lesson: the child's part
-- ends where the function does.
local function end_child(ok, problem)
  if not ok then io.stderr:write("nslua: ", tostring(problem.err), "\n") end
  io.stdout:flush()
  ns._exit(ok and 0 or 1)
end

-- Standard input, output and error become other descriptors for the time of a
-- call; what they were comes back after it, to print, too.
local function redirected(fds, fn, ...)
  io.stdout:flush()
  io.stderr:flush()
  local before = { [0] = ns.fd(0), ns.fd(1), ns.fd(2) }
  for i = 0, 2 do fds[i]:dup2(i) end
  local generation = ns.generation()
  local result = table.pack(xpcall(fn, explain, ...))
  if ns.generation() ~= generation then end_child(result[1], result[2]) end
  io.output():flush()
  io.output(io.stdout)
  io.input(io.stdin)
  io.stderr:flush()
  for i = 0, 2 do
    before[i]:dup2(i)
    before[i]:close()
  end
  return table.unpack(result, 1, result.n)
end

---Programs of a step read nothing: so none is lent the terminal, and Ctrl-C
---ends the lesson.
---@param run table
---@param fn function
---@return boolean ok
---@return any ...  what fn gave, or its error with the traceback
function catch.call(run, fn, ...)
  return redirected(run.closed, fn, ...)
end

---But a shell or a prompt that a step opens has the terminal.
---@param run table
function catch.give_terminal(run)
  local Proc = sys.methods.Proc
  for _, name in ipairs { "enter", "repl" } do
    local method = Proc[name]
    Proc[name] = function(...)
      local result = table.pack(redirected(run.open, method, ...))
      if not result[1] then error(result[2].err, 0) end
      return table.unpack(result, 2, result.n)
    end
  end
end

-- Through a descriptor of our own: the offset of the other is the writers'.
local function read_from(file, at)
  local fd <close> = ns.open("/proc/self/fd/" .. file:fileno(), "r")
  fd:seek("set", at)
  return fd:read(MOST_OUTPUT) or "", fd:seek("end", 0)
end

---What was printed since the last time.
---@param run table
---@return string
function catch.read(run)
  local text, stop = read_from(run.caught, run.at)
  local more = stop - run.at - #text
  run.at = stop
  return more > 0 and ("%s\n... and %d bytes more"):format(text, more) or text
end

---An act whose system calls, its children's too, are caught in a file.
---@param run table
---@param act function
function catch.traced(run, act, ...)
  local caught <close> = ns.memfd "nslua-calls"
  local sink <close> = assert(io.open("/proc/self/fd/" .. caught:fileno(), "a")) -- io is not traced
  sink:setvbuf "line"
  local result = table.pack(catch.call(run, function(...)
    local before = ns.trace(calls.writer(sink))
    local _ <close> = setmetatable({}, { __close = function() ns.trace(before) end })
    act(...)
  end, ...))
  run.calls = calls.order(read_from(caught, 0))
  return table.unpack(result, 1, result.n)
end


return catch
