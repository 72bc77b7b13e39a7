-- SPDX-License-Identifier: MIT
-- A handful of tools for a root in which nslua is the only program: /bin/ls
-- there is a script of one line that ends up here. Enough to look around in a
-- box, no more.

local sys = require "nslua.sys"
local ns = sys.primitives

local applets = {}


local function die(name, message)
  io.stderr:write(name, ": ", sys.clean(tostring(message)), "\n")
  return 1
end

local function slurp(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a"
end

-- "-la" -> {l = true, a = true} and what is no option
local function options(argv)
  local set, rest = {}, {}
  for _, word in ipairs(argv) do
    if word:match "^%-%a" then
      for letter in word:gmatch "%a" do set[letter] = true end
    else
      rest[#rest + 1] = word
    end
  end
  return set, rest
end


-- -- files -------------------------------------------------------------------

local KIND = { dir = "d", link = "l", char = "c", block = "b", fifo = "p", socket = "s" }

local function mode_of(st)
  local bits = ""
  for i = 8, 0, -1 do
    bits = bits .. ((st.mode >> i) & 1 == 1 and ("rwx"):sub((8 - i) % 3 + 1, (8 - i) % 3 + 1) or "-")
  end
  return (KIND[st.type] or "-") .. bits
end

local function show_entry(path, name, long)
  if not long then return io.write(sys.clean(name), "\n") end
  local st = ns.lstat(path)
  io.write(("%s %5d %5d %9d %s"):format(mode_of(st), st.uid, st.gid, st.size, sys.clean(name)))
  if st.type == "link" then io.write(" -> ", sys.clean(ns.readlink(path))) end
  io.write "\n"
end

function applets.ls(argv)
  local set, paths = options(argv)
  local status = 0
  for _, path in ipairs(#paths > 0 and paths or { "." }) do
    local ok, st = pcall(ns.stat, path)
    if not ok then
      status = die("ls", path .. ": " .. st.message)
    elseif st.type ~= "dir" or set.d then
      show_entry(path, path, set.l)
    else
      local names = ns.readdir(path)
      table.sort(names)
      for _, name in ipairs(names) do
        if set.a or name:sub(1, 1) ~= "." then show_entry(path .. "/" .. name, name, set.l) end
      end
    end
  end
  return status
end

function applets.cat(argv)
  local status = 0
  for _, path in ipairs(#argv > 0 and argv or { "-" }) do
    local file, message = io.stdin, nil
    if path ~= "-" then file, message = io.open(path, "rb") end
    if file then
      for bytes in file:lines(65536) do io.write(bytes) end
    else
      status = die("cat", message)
    end
  end
  return status
end


-- -- the system --------------------------------------------------------------

function applets.ps()
  local pids = {}
  for _, name in ipairs(ns.readdir "/proc") do pids[#pids + 1] = math.tointeger(name) end
  if #pids == 0 then return die("ps", "/proc is empty: mount -t proc proc /proc") end
  table.sort(pids)
  print("    PID COMMAND")
  for _, pid in ipairs(pids) do
    local words = slurp(("/proc/%d/cmdline"):format(pid))
    local comm = slurp(("/proc/%d/comm"):format(pid))
    if comm then
      words = words and words:gsub("%z+$", ""):gsub("%z", " ") or ""
      print(("%7d %s"):format(pid, sys.clean(words ~= "" and words or "[" .. comm:gsub("\n$", "") .. "]")))
    end
  end
  return 0
end

-- mount [-t TYPE] [-o FLAGS] [SOURCE TARGET]
function applets.mount(argv)
  local rest, kind, flags = {}, nil, nil
  local i = 1
  while i <= #argv do
    if argv[i] == "-t" then kind, i = argv[i + 1], i + 1
    elseif argv[i] == "-o" then flags, i = argv[i + 1], i + 1
    else rest[#rest + 1] = argv[i] end
    i = i + 1
  end
  if #rest == 0 then
    local text = slurp "/proc/mounts"
    if not text then return die("mount", "there is no /proc here") end
    for line in text:gmatch "[^\n]+" do
      print(sys.clean((line:gsub("^(%S+) (%S+) (%S+) (%S+).*", "%1 on %2 type %3 (%4)"))))
    end
    return 0
  end
  if #rest ~= 2 then return die("mount", "usage: mount [-t TYPE] [-o FLAGS] SOURCE TARGET") end
  local ok, err = pcall(ns.mount, rest[1], rest[2], kind, flags)
  return ok and 0 or die("mount", err.message or err)
end

function applets.hostname(argv)
  if not argv[1] then
    print(sys.clean(ns.gethostname()))
    return 0
  end
  local ok, err = pcall(ns.sethostname, argv[1])
  return ok and 0 or die("hostname", err.message or err)
end

function applets.id()
  print(("uid=%d gid=%d"):format(ns.geteuid(), ns.getegid()))
  return 0
end

function applets.uname()
  local u = ns.uname()
  print(sys.clean(("%s %s %s %s"):format(u.sysname, u.nodename, u.release, u.machine)))
  return 0
end

function applets.sleep(argv)
  local number, unit = tostring(argv[1]):match "^([%d.]+)([smhd]?)$"
  local seconds = tonumber(number)
  if not seconds then return die("sleep", "a number of seconds is wanted") end
  local many = { s = 1, m = 60, h = 3600, d = 86400 }
  seconds = seconds * (many[unit] or 1)
  while seconds > 0 do -- in slices that fit an int of milliseconds
    ns.poll({}, math.min(seconds, 86400))
    seconds = seconds - 86400
  end
  return 0
end

function applets.echo(argv)
  local newline = argv[1] ~= "-n"
  io.write(table.concat(argv, " ", newline and 1 or 2), newline and "\n" or "")
  return 0
end

applets["true"] = function() return 0 end
applets["false"] = function() return 1 end

function applets.sh(argv)
  return require("nslua.applets.sh").main(argv)
end


local names = {}
for name in pairs(applets) do names[#names + 1] = name end
table.sort(names)

---The tools that there are.
---@return string[]
function applets.names()
  return names
end


---What /bin/NAME runs; ends the process.
---@param name string
---@param argv string[]
function applets.run(name, argv)
  local ok, status = pcall(applets[name], argv)
  if not ok then status = die(name, type(status) == "table" and status.message or status) end
  io.stdout:flush()
  os.exit(status)
end

return applets
