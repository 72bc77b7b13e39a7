-- SPDX-License-Identifier: MIT
-- For each line it reads: a lesson on a terminal of its own, until its first
-- whole screen (arg[1] "screen"), or through all its steps with Enter ("steps"),
-- arg[2] being the lesson and arg[3] the number of its steps.

local ns = require "nslua"

local HOME = ns.mkdtemp "/tmp/nslua-bench-XXXXXX"

local function start(lesson)
  local master, slave = ns.pty(24, 80)
  local terminal = ns.readlink("/proc/self/fd/" .. slave:fileno())
  local child = ns.fork(function()
    ns.setsid()
    local tty <close> = ns.open(terminal, "rdwr")
    for fd = 0, 2 do tty:dup2(fd) end
    ns.exec { "env", "TERM=xterm", "NO_COLOR=1", "LC_ALL=C.UTF-8", "XDG_STATE_HOME=" .. HOME, "./nslua", lesson }
  end)
  return { master = master, slave = slave, child = child, shown = "" }
end

-- Reads until the key bar says what Enter does now.
local function expect(session, word)
  while not session.shown:find("⏎:" .. word .. " .*quit") do
    session.shown = session.shown .. assert(session.master:read(65536))
  end
  session.shown = ""
end

local function leave(session)
  session.master:write "\3"
  while select(2, session.child:wait(0)) == "timeout" do
    if ns.poll({ session.master, session.child }, 1)[1] == session.master then session.master:read(65536) end
  end
  session.master:close()
  session.slave:close()
end

-- Two keys a step: it runs, and the next is shown.
local function go_through(session, count)
  for step = 1, count do
    session.master:write "\r"
    expect(session, "next")
    if step < count then
      session.master:write "\r"
      expect(session, "[rl]%l+") -- run, look
    end
  end
end

for _ in io.lines() do
  local session = start(arg[2])
  expect(session, "[rl]%l+")
  if arg[1] == "steps" then go_through(session, math.tointeger(arg[3])) end
  print()
  io.stdout:flush()
  leave(session)
end
os.execute("rm -r " .. HOME)
