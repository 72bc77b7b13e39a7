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


-- Makes the child and ties what the parent keeps of it to its handle.
function birth.make(spec, kept, closing)
  local proc = sys.clone(spec)
  for _, fd in ipairs(closing) do fd:close() end
  local fields = sys.fields(proc)
  for name, fd in pairs(kept) do fields[name] = fd end
  return proc, fields
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
function birth.attend(proc, terminal, modes)
  if terminal then sys.lend_terminal(proc, terminal, modes) end
  return proc:wait()
end


function birth.terminal_modes(terminal)
  if not terminal then return end
  local fd <close> = ns.fd(terminal)
  return fd:tcgetattr()
end


return birth
