-- SPDX-License-Identifier: MIT
-- The standard streams of a child as options name them: nothing, a pipe to the
-- parent, a terminal of its own, or what is open already.

local sys = require "nslua.sys"
local ns = sys.primitives

local streams = {}

local STREAMS = { stdin = "r", stdout = "w", stderr = "w" }

-- "null", "pipe", "tty", "inherit" or something open. What the parent keeps of
-- it and what only the child needs go into the resources of the birth.
local function open(spec, opts, name, res)
  local value = opts[name]
  local writes = STREAMS[name] == "w"
  if value == nil or value == "inherit" then return end
  if value == "null" then
    value = res:add(ns.open("/dev/null", writes and "wronly" or "rdonly"))
  elseif value == "pipe" then
    local r, w = ns.pipe()
    value = res:add(writes and w or r)
    res.kept[name] = writes and r or w
  elseif value == "tty" then
    if not res.kept.tty then
      res.kept.tty, res.shut.slave = ns.pty()
    end
    value = res.shut.slave
  elseif type(value) == "string" then
    sys.raise(name .. ' is "null", "pipe", "tty", "inherit" or an open Fd')
  end
  spec[name] = value
end


-- Opens what the options name into spec; steps: the child's.
function streams.open(spec, steps, opts, res)
  for name in pairs(STREAMS) do open(spec, opts, name, res) end
  if res.kept.tty then
    steps[#steps + 1] = { "dup", res.shut.slave, 0 }
    if opts.session then steps[#steps + 1] = { "ctty" } end
  end
end


return streams
