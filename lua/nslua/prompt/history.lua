-- SPDX-License-Identifier: MIT
-- What was typed, in a file under the state folder of the XDG specification:
-- one entry a line, written as soon as it is there, by as many prompts at once
-- as there are. The descriptor stays open: a new root or user does not matter.

local state = require "nslua.state"
local ns = require "nslua"

local history = {}
local Past = {}
Past.__index = Past

local MOST_READ = 200000 -- bytes of what is there already
local MOST_ENTRY = 50000 -- longer ones are kept for this session only


-- A chunk of several lines is one entry.
local ESCAPES = { ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r" }
local MEANT = { ["\\"] = "\\", n = "\n", r = "\r" }

local function encode(entry) return (entry:gsub("[\\\n\r]", ESCAPES)) end

local function decode(line) return (line:gsub("\\(.)", MEANT)) end


---Opens the history of the user. What cannot be opened is not kept, and the
---reason is told.
---@return table past
---@return string? problem
function history.open()
  local past = setmetatable({ seen = 0 }, Past)
  local dir = state.folder()
  if not dir then return past, "neither XDG_STATE_HOME nor HOME is a folder" end
  state.make(dir)
  local fd, problem = ns.try(ns.open, dir .. "/history", "rdwr,creat,append", "600")
  if not fd then return past, problem end
  past.fd = fd
  past.seen = math.max(0, fd:seek("end", 0) - MOST_READ)
  past.cut = past.seen > 0
  return past
end


---The entries that came since the last time.
---@return fun(): string?
function Past:entries()
  local all = ""
  if self.fd then
    ns.try(self.fd.seek, self.fd, "set", self.seen)
    all = ns.try(self.fd.read, self.fd, "a") or ""
  end
  if self.cut then all = all:gsub("^[^\n]*\n", "", 1) end
  self.cut = false
  self.seen = self.seen + #all
  local next_line = all:gmatch "([^\n]+)\n"
  return function()
    local line = next_line()
    return line and decode(line)
  end
end


---Keeps one.
---@param entry string
function Past:add(entry)
  local line = encode(entry) .. "\n"
  if not self.fd or #line > MOST_ENTRY then return end
  -- A full disk may have taken half a line: what comes next begins its own.
  if self.torn then line = "\n" .. line end
  self.torn = not ns.try(self.fd.write, self.fd, line)
  if self.torn then return end
  -- Another prompt may have written before: then both are still to be read.
  local after = self.fd:seek("cur", 0)
  if after - #line == self.seen then self.seen = after end
end


return history
