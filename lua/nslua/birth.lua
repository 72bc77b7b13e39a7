-- SPDX-License-Identifier: MIT
-- What clone, run, box and spawn have in common: reading a program, making the
-- child, and lending it the terminal.

local sys = require "nslua.sys"
local ns = sys.primitives

local birth = {}


-- A copy: the caller's table is never changed.
function birth.copy(opts)
  if type(opts) ~= "table" then
    sys.raise("options are a table, such as { \"uts\", hostname = \"box\" }")
  end
  local new = {}
  for key, value in pairs(opts) do new[key] = value end
  return new
end


-- "program", "function" or nil; anything else is an error.
function birth.kind_of(program)
  if type(program) == "function" then return "function" end
  if type(program) == "table" then return "program" end
  if program == nil then return nil end
  sys.raise("a program is a table of strings, such as { \"ls\", \"-l\" }, "
    .. "or a function; this is a " .. type(program))
end


-- The descriptors that belong to one birth: `shut` are the child's ends and
-- close when it is born or refused; `kept` are the parent's ends and close
-- only when it is refused. So does a terminal come back that was to be lent.
local Resources = {}
Resources.__index = Resources

local function close_shut(res)
  for _, fd in pairs(res.shut) do fd:close() end
end

-- The child may have made itself the foreground group before it was refused.
local function take_back(terminal, modes)
  local fd <close> = ns.fd(terminal)
  pcall(fd.tcsetpgrp, fd)
  pcall(fd.tcsetattr, fd, modes)
end

function Resources.__close(res, err)
  close_shut(res)
  if err == nil then return end
  for _, fd in pairs(res.kept) do fd:close() end
  if res.terminal then take_back(res.terminal, res.modes) end
end

function Resources:add(fd)
  self.shut[#self.shut + 1] = fd
  return fd
end

-- terminal: the descriptor of one that is to be lent, or nil
function birth.resources(terminal)
  local res = { shut = {}, kept = {}, terminal = terminal }
  if terminal then
    local fd <close> = ns.fd(terminal)
    res.modes = fd:tcgetattr()
  end
  return setmetatable(res, Resources)
end


-- C found a value that no check here had seen: say it at the caller's line and
-- without the number of an argument that nobody wrote.
local function reraise(err)
  local words = type(err) == "string"
    and err:match "bad argument #%-?%d+ to '[^']*' %((.*)%)$"
  if words then sys.raise(words) end
  error(err, 0)
end


-- Makes the child and ties what the parent keeps of it to its handle.
function birth.make(spec, res)
  local ok, proc = pcall(sys.clone, spec)
  if not ok then reraise(proc) end
  close_shut(res) -- a pipe must end when the child's end does
  local fields = sys.fields(proc)
  for name, fd in pairs(res.kept) do fields[name] = fd end
  return proc, fields
end


-- Calls make(...), which makes a child, so that the child is born here: after
-- unshare("pid") children are born elsewhere, and from there only what is below
-- can be joined; the first of them is PID 1 there, and others end with it.
function birth.here(make, ...)
  local left = sys.rejoin_pid()
  if not left then return make(...) end
  local results = table.pack(pcall(make, ...))
  sys.leave_pid(left)
  if left ~= "new" then left:close() end
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end


-- The program's part of what sys.clone takes.
function birth.with_program(spec, program, ...)
  if type(program) == "function" then
    spec.fn, spec.args = program, table.pack(...)
  else
    spec.argv = program
  end
  return spec
end


-- The terminal that the child of these options is to have, if it is ours to
-- lend: its descriptor, or nil.
function birth.terminal(opts)
  local inherits = opts.stdin == nil or opts.stdin == "inherit"
  return inherits and not opts.session and sys.lends_terminal(0) and 0 or nil
end


-- Waits with the terminal in the child's hands, or just waits.
function birth.attend(proc, res)
  if res.terminal then sys.lend_terminal(proc, res.terminal, res.modes) end
  return proc:wait()
end


return birth
