-- SPDX-License-Identifier: MIT
-- --new FILE: a small lesson with comments, to start from.

local sys = require "nslua.sys"
local text = require "nslua.text"
local ns = require "nslua"

local new = {}

local TEMPLATE = [==[
-- Say in a sentence what a learner will understand.      nslua FILE
local ns = require "nslua"

return ns.lesson {
  id = "ID", title = "A hostname of its own", needs = { "uts" }, -- "rootfs": t.root is one
  box = { "uts" },                                     -- the options of ns.box: it is t.box
  { "Rename the box, not the host",                    -- one step; add as many as you like
    say = "The UTS namespace holds the hostname.",     -- what the learner reads first
    shell = "unshare -Ur --uts sh -c 'hostname box; hostname'", -- the same by hand
    run = function(t) t.box:call(ns.sethostname, "box") end,    -- shown, then run
    show = "hostname",          -- or ids, mounts, namespaces, ps, or a function that returns text
    check = { ["the box is renamed"] = function(t) return t.box:hostname() == "box" end },
    keep = { ["the host is not"] = function(t) return t.host:hostname() ~= "box" end },
    hint = { "Who owns the name?", "sethostname(2) acts on the caller's UTS namespace." } },
  done = "Now change it, run it, and prove it with: nslua --lint FILE",
}
]==]


-- "my lessons/uts-2.lua" -> "uts-2"
local function id_of(path)
  local id = path:match "([^/]*)$":gsub("%.lua$", ""):gsub("[^%w_-]+", "-"):gsub("^[^%w]+", "")
  return id ~= "" and id or "my-lesson"
end


---@param _ table<string, any>
---@param operands string[]
---@return integer status
---@return string? message
function new.main(_, operands)
  local path = operands[1]
  local lesson = TEMPLATE:gsub("%f[%w]ID%f[%W]", id_of(path)):gsub("FILE", function() return text.clean(path) end)
  local file, message, errno = ns.try(ns.open, path, "wronly,creat,excl", "644")
  if not file then
    if errno == 17 then message = sys.clean(path) .. " is there already: it stays as it is" end
    return 1, message
  end
  local ok, why = ns.try(file.write, file, lesson)
  file:close()
  if not ok then
    ns.unlink(path)
    return 1, ("%s cannot be written: %s"):format(sys.clean(path), why)
  end
  print(("%s is written.\n  nslua %s           runs it\n  nslua --lint %s    proves its claims"):format(
    text.clean(path), text.clean(path), text.clean(path)))
  return 0
end


return new
