-- SPDX-License-Identifier: MIT
-- Standard output that may end before we do: a full disk, a closed descriptor.
-- What cannot be said is noticed, told once on standard error, and the status
-- is 1.

local sys = require "nslua.sys"
local ns = require "nslua"

local out = { lost = false, quiet = false }

---Makes sure that something is open as 0, 1 and 2: a file of ours would take a
---free number, and be written to.
function out.begin()
  out.kept = {}
  for fd = 0, 2 do
    if not pcall(function() ns.fd(fd):close() end) then out.kept[fd] = ns.open "/dev/null" end
  end
end


local function notice(ok, why)
  if not ok and not out.lost then
    out.lost = true
    if not out.quiet then io.stderr:write("nslua: standard output: ", sys.clean(why), "\n") end
  end
end


---Writes texts. (print would flush them, and forget what came of that.)
function out.write(...)
  local ok, why = io.write(...)
  notice(ok, why)
end


---Writes a line.
---@param line string
function out.say(line) out.write(line, "\n") end


---@return boolean ok  false: it is lost, and has been told
function out.flush()
  notice(io.stdout:flush())
  return not out.lost
end


return out
