-- SPDX-License-Identifier: MIT
-- ps: lists processes and the namespaces that they are in. ps(1), proc(5).
--
--   nslua scripts/ps.lua [options]
--
--   -e, -A            all processes; else those of this user and terminal
--   -o COLS           columns: pid ppid pgid sid tty uid user state comm args
--                     nspid, mntns utsns ipcns netns pidns userns cgroupns timens
--   -p PIDS           only these (a,b)
--   -u USER           only this user's
--   -f                more columns
--   -H, --forest      who started whom, and what is new at each step
--       --inside PID  what the pid namespace of this process can see
--       --no-headers  no first line
--   -J, --json        JSON

local ns = require "nslua"

local OPTIONS = {
  ["-e"] = "all", ["-A"] = "all", ["-o"] = "columns=", ["-p"] = "pids=", ["-u"] = "user=", ["-f"] = "full",
  ["-H"] = "forest", ["--forest"] = "forest", ["--inside"] = "inside=", ["--no-headers"] = "bare",
  ["-J"] = "json", ["--json"] = "json", ["-h"] = "help", ["--help"] = "help",
}

local function fail(fmt, ...)
  io.stderr:write("ps: ", (fmt:format(...):gsub("[^\n\x20-\x7e\x80-\xff]", "?")), "\n")
  os.exit(1)
end

-- A full disk is an error, too.
local function say(text)
  local ok, why = io.stdout:write(text, "\n")
  if ok then ok, why = io.stdout:flush() end
  if not ok then fail("write error: %s", why) end
end

-- -eo pid,args is -e -o pid,args
local function split(args)
  local out = {}
  for _, word in ipairs(args) do
    local letters = word:match "^%-(%a%a+)$"
    if letters then
      for letter in letters:gmatch "." do out[#out + 1] = "-" .. letter end
    else
      out[#out + 1] = word
    end
  end
  return out
end

local function read_arguments(args)
  local opts, i = {}, 1
  while i <= #args do
    local kind = OPTIONS[args[i]] or fail("unknown option %s", args[i])
    if kind:sub(-1) == "=" then
      i = i + 1
      opts[kind:sub(1, -2)] = args[i] or fail("%s wants a value", args[i - 1])
    else
      opts[kind] = true
    end
    i = i + 1
  end
  return opts
end

local function numbers(list)
  local out = {}
  for word in list:gmatch "[^,%s]+" do
    out[#out + 1] = math.tointeger(tonumber(word)) or fail("not a pid: %s", word)
  end
  return out
end

local function columns_of(opts)
  if opts.columns then return { opts.columns } end
  if opts.inside then return { "inpid", "pid", "user", "args" } end
  if opts.full then return { "user", "pid", "ppid", "tty", "args" } end
  return { "pid", "tty", "pidns", "args" }
end

-- Without -e, -p or --inside: this user's, on this terminal, as ps does.
local function mine()
  local me = ns.ps { "uid", "tty", pid = ns.getpid() }[1]
  local pids = {}
  for _, row in ipairs(ns.ps { "uid", "tty" }) do
    if row.uid == me.uid and row.tty == me.tty then pids[#pids + 1] = row.pid end
  end
  return pids
end

local function users(name)
  local pids = {}
  for _, row in ipairs(ns.ps { "user", "uid" }) do
    if row.user == name or tostring(row.uid) == name then pids[#pids + 1] = row.pid end
  end
  return pids
end

local function main(opts)
  if opts.help then
    for line in io.lines(arg[0]) do
      if not line:find "^%-%-" then return end
      if not line:find "SPDX" then print((line:gsub("^%-%- ?", ""))) end
    end
  end
  local asked = columns_of(opts)
  if opts.pids then
    asked.pid = numbers(opts.pids)
  elseif opts.inside then
    asked.inside = numbers(opts.inside)[1]
  elseif opts.user then
    asked.pid = users(opts.user)
  elseif not opts.all then
    asked.pid = mine()
  end
  local rows = ns.ps(asked)
  if opts.json then return say(rows:json(2)) end
  if opts.forest then return say(tostring(rows:tree())) end
  local lines = rows:lines { headings = not opts.bare }
  if lines[1] then say(table.concat(lines, "\n")) end
  for _, note in ipairs(rows:notes(2, "ps: ")) do io.stderr:write(note, "\n") end
end

local ok, err = pcall(main, read_arguments(split(arg)))
if not ok then
  if type(err) == "table" then err.where = "" end
  fail("%s", tostring(err))
end
