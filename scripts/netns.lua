-- SPDX-License-Identifier: MIT
-- netns: named network namespaces, as `ip netns` has them. Either tool takes
-- what the other made. ip-netns(8), network_namespaces(7).
--
--   nslua scripts/netns.lua [list]
--   nslua scripts/netns.lua add NAME          a new one
--   nslua scripts/netns.lua attach NAME PID   a name for that of a process
--   nslua scripts/netns.lua del NAME...       takes the name away
--   nslua scripts/netns.lua exec NAME COMMAND...
--   nslua scripts/netns.lua identify [PID]    the names of a process's
--   nslua scripts/netns.lua pids NAME         who is in it
--   nslua scripts/netns.lua set NAME ID|auto  its number in this one
--   nslua scripts/netns.lua list-id           all numbers
--   nslua scripts/netns.lua monitor           names that come and go

local ns = require "nslua"
local netns = ns.netns

local function fail(fmt, ...)
  io.stderr:write("netns: ", fmt:format(...), "\n")
  os.exit(1)
end

local function pid_of(word)
  local pid = math.tointeger(tonumber(word))
  return pid and pid > 0 and pid or fail("not a pid: %s", tostring(word))
end

local commands = {}

function commands.list()
  local rows = netns.list()
  if #rows > 0 then print(rows) end
end

commands.show = commands.list

function commands.add(name) netns.add(name) end

function commands.attach(name, pid) netns.attach(name, pid_of(pid)) end

function commands.del(...)
  for _, name in ipairs { ... } do netns.del(name) end
end

commands.delete = commands.del

-- No fork: this very process becomes the command.
function commands.exec(name, ...)
  if not ... then fail "exec wants a command" end
  netns.enter(name)
  ns.exec { ... }
end

function commands.identify(pid)
  for _, name in ipairs(netns.identify(pid and pid ~= "self" and pid_of(pid) or nil)) do print(name) end
end

function commands.pids(name)
  for _, pid in ipairs(netns.pids(name)) do print(pid) end
end

function commands.set(name, id)
  netns.set(name, id ~= "auto" and (math.tointeger(tonumber(id)) or fail "set wants a number or auto") or nil)
end

commands["list-id"] = function() print(netns.list_id()) end

local function names()
  local now = {}
  for _, row in ipairs(netns.list()) do now[row.name] = true end
  return now
end

function commands.monitor()
  local before = names()
  while true do
    ns.poll({}, 0.2)
    local now = names()
    for name in pairs(before) do if not now[name] then print("delete " .. name) end end
    for name in pairs(now) do if not before[name] then print("add " .. name) end end
    io.stdout:flush()
    before = now
  end
end

function commands.help()
  for line in io.lines(arg[0]) do
    if not line:find "^%-%-" then return end
    if not line:find "SPDX" then print((line:gsub("^%-%- ?", ""))) end
  end
end

commands["--help"], commands["-h"] = commands.help, commands.help

local command = commands[arg[1] or "list"] or fail("unknown command %s: try help", arg[1])
local ok, err = pcall(command, table.unpack(arg, 2))
if not ok then
  if type(err) == "table" then err.where = "" end
  fail("%s", tostring(err))
end
