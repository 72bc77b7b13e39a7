-- SPDX-License-Identifier: MIT
-- netns: named network namespaces, as `ip netns` has them. Either tool takes
-- what the other made. ip-netns(8), network_namespaces(7).
--
--   nslua scripts/netns.lua [list]
--   nslua scripts/netns.lua add NAME          a new one
--   nslua scripts/netns.lua attach NAME PID   a name for that of a process
--   nslua scripts/netns.lua del NAME...       takes the name away
--   nslua scripts/netns.lua exec NAME COMMAND...
--   nslua scripts/netns.lua -all del          all names
--   nslua scripts/netns.lua -all exec COMMAND...   in each of them
--   nslua scripts/netns.lua identify [PID]    the names of a process's
--   nslua scripts/netns.lua pids NAME         who is in it
--   nslua scripts/netns.lua set NAME ID|auto  its number in this one
--   nslua scripts/netns.lua list-id [target-nsid ID] [nsid ID]
--                                             all numbers; as seen in ID; one
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

-- A name may hold whatever a file name may.
local function harmless(name) return (name:gsub("[%c\127]", "?")) end

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
  for _, name in ipairs(netns.identify(pid and pid ~= "self" and pid_of(pid) or nil)) do print(harmless(name)) end
end

function commands.pids(name)
  for _, pid in ipairs(netns.pids(name)) do print(pid) end
end

function commands.set(name, id)
  netns.set(name, id ~= "auto" and (math.tointeger(tonumber(id)) or fail "set wants a number or auto") or nil)
end

-- Words in pairs: "nsid 3". target-nsid: the numbers that that one gave.
commands["list-id"] = function(...)
  local words, asked = { ... }, {}
  for i = 1, #words, 2 do
    if words[i] ~= "target-nsid" and words[i] ~= "nsid" then fail("list-id knows no %s", words[i]) end
    asked[words[i]] = math.tointeger(tonumber(words[i + 1])) or fail("%s wants a number", words[i])
  end
  local rows = netns.list_id(asked["target-nsid"])
  if asked.nsid then rows = rows:where(function(row) return row.netnsid == asked.nsid end) end
  if #rows > 0 then print(rows) end
end

-- name -> true, and what the first has and the second lacks, in order
local function names()
  local now = {}
  for _, row in ipairs(netns.list()) do now[row.name] = true end
  return now
end

local function tell(what, some, others)
  local words = {}
  for name in pairs(some) do
    if not others[name] then words[#words + 1] = what .. " " .. harmless(name) end
  end
  table.sort(words)
  for _, line in ipairs(words) do print(line) end
end

function commands.monitor()
  local before = names()
  while true do
    ns.poll({}, 0.1)
    local now = names()
    tell("delete", before, now)
    tell("add", now, before)
    io.stdout:flush()
    before = now
  end
end

-- -all: one after the other. exec in a child, for entering is for good.
local every = {}

function every.del()
  for _, row in ipairs(netns.list()) do netns.del(row.name) end
end

every.delete = every.del

function every.exec(...)
  if not ... then fail "exec wants a command" end
  local failed
  for _, row in ipairs(netns.list()) do
    print("\nnetns: " .. harmless(row.name))
    io.stdout:flush()
    local ok, _, code = netns.exec(row.name, { ... })
    if not ok then failed = code end
  end
  if failed then os.exit(failed) end
end

function commands.help()
  for line in io.lines(arg[0]) do
    if not line:find "^%-%-" then return end
    if not line:find "SPDX" then print((line:gsub("^%-%- ?", ""))) end
  end
end

commands["--help"], commands["-h"] = commands.help, commands.help

local function split(args)
  if args[1] ~= "-all" and args[1] ~= "-a" then
    return commands[args[1] or "list"] or fail("unknown command %s: try help", args[1]), 2
  end
  return every[args[2]] or fail("-all goes with del and exec, not with %s", tostring(args[2])), 3
end

local command, rest = split(arg)
local ok, err = pcall(command, table.unpack(arg, rest))
if not ok then
  if type(err) == "table" then err.where = "" end
  fail("%s", tostring(err))
end
