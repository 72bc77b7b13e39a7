-- SPDX-License-Identifier: MIT
-- What a line of the prompt asks for that is no Lua: a shell, a lesson, the way
-- back.

local sys = require "nslua.sys"
local ns = require "nslua"

local actions = {}
local on = {}

-- What became of a program, when that is worth a word.
local function told(ok, how, code)
  if ok then return end
  io.write("(", how == "signal" and "signal " or "exit ", code, ")\n")
end

-- $SHELL, when there is one where we are.
local function shell()
  local wanted = os.getenv "SHELL"
  return wanted and wanted:find "^/" and ns.access(wanted, "x") and wanted or "/bin/sh"
end

local function is_blank(command) return not command or not command:find "%S" end

-- !cmd on the host, !box cmd in a box; without a command an interactive shell.
function on.shell(_, action)
  io.stdout:flush()
  local place, command = action.proc, action.command
  if place then
    if select(2, place:wait(0)) ~= "timeout" then error(("process %d has ended"):format(place.pid), 0) end
    if is_blank(command) then return told(place:enter()) end
    return told(place:sh(command))
  end
  if is_blank(command) then return told(ns.run({}, { shell() })) end
  told(ns.run({}, { "sh", "-c", command }))
end

-- A lesson is a program of its own; the prompt waits for it.
function on.lesson(_, action)
  io.stdout:flush()
  local name = action.name
  ns.run({}, function()
    sys.on_departure(nil)
    return require("nslua.lesson").main({}, { name })
  end)
end

-- To where the prompt was before it changed for good; else what setns can do.
function on.undo(self)
  local checkpoint = self.editor.checkpoint
  if checkpoint.depth() > 0 then
    self.session:close()
    self.past.fd = nil
    checkpoint.undo()
  end
  local before = self.session:prompt()
  ns.back()
  self.session:refresh()
  if self.session:prompt() == before then
    io.write "there is nothing to undo\n"
  else
    io.write "back where the program began\n"
  end
end


---Does it.
---@param self table  the prompt
---@param action { kind: string }
function actions.run(self, action)
  local fn = on[action.kind]
  if not fn then error("the prompt knows no action " .. tostring(action.kind), 0) end
  fn(self, action)
end


return actions
