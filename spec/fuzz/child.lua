-- SPDX-License-Identifier: MIT
-- Where the calls are made: a process in namespaces of its own, PID 1 there,
-- on a tree that nobody can write to. Before and after each call it looks at
-- itself; a call that raised must have left everything as it was.

local ns = require "nslua"
local sys = require "nslua.sys"
local values = require "spec.fuzz.values"

local child = {}

-- What a value of the pool may do, because it is right after all: the reason.
local MAY_ACT = {
  ["ns.cap_drop_bounding"] = "a number is a mask of capabilities",
  ["ns.cap_drop"] = "a number is a mask of capabilities",
  ["ns.cap_keep"] = "a number is a mask of capabilities",
  ["ns.cap_raise"] = "a number is a mask of capabilities",
  ["ns.rootfs.get"] = "no option is wrong: it looks for any root, and makes its cache",
  ["ns.no_new_privs"] = "true asks for it",
  ["ns.sethostname"] = "any text is a name",
  ["ns.setdomainname"] = "any text is a name",
  ["ns.setname"] = "any text is a name",
}


-- -- the state of a process -----------------------------------------------------

local function contents(path)
  local file <close> = io.open(path)
  return file and file:read "a" or "unreadable"
end

-- A call may have moved the root, rightly: then there is no /proc.
local function link(path)
  local ok, target = pcall(ns.readlink, path)
  return ok and target or "unreadable"
end

local function listing(path)
  local ok, names = pcall(ns.readdir, path)
  if not ok then return "unreadable" end
  table.sort(names)
  return table.concat(names, " ")
end

local KEPT = { Name = true, Umask = true, Uid = true, Gid = true, Groups = true, NoNewPrivs = true, SigBlk = true,
  SigIgn = true, SigCgt = true, CapInh = true, CapPrm = true, CapEff = true, CapBnd = true, CapAmb = true }

local function status()
  local out = {}
  for name, value in contents "/proc/self/status":gmatch "(%w+):%s*([^\n]*)" do
    if KEPT[name] then out[#out + 1] = name .. "=" .. value end
  end
  return table.concat(out, "\n")
end

local function processes()
  local out = {}
  for name in listing "/proc":gmatch "%S+" do
    if name:find "^%d" then out[#out + 1] = name end
  end
  return table.concat(out, " ")
end

local function namespaces()
  local out = {}
  for i, name in ipairs { "user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time",
    "pid_for_children", "time_for_children" } do
    out[i] = link("/proc/self/ns/" .. name)
  end
  return table.concat(out, " ")
end

-- The last ones an internal function may change.
local LASTING = 8
local PARTS = {
  { "namespaces", namespaces }, { "processes", processes }, { "ids and signals", status },
  { "mounts", function() return contents "/proc/self/mountinfo" end },
  { "names", function() return ns.gethostname() .. "\n" .. ns.getdomainname() end },
  { "folders", function() return link "/proc/self/cwd" .. link "/proc/self/root" end },
  { "session", function() return contents "/proc/self/stat":match "%) %a (%d+ %d+ %d+)" or "unreadable" end },
  { "limits", function() return contents "/proc/self/limits" end },
  { "descriptors", function() return listing "/proc/self/fd" end },
  { "files", function() return listing "/tmp" .. "\n" .. listing(os.getenv "HOME") end },
}

local function look()
  local state = {}
  for i, part in ipairs(PARTS) do state[i] = part[2]() end
  return state
end

-- The lines or words of b that a has not.
local function added(a, b)
  local one = a:find "\n" and "[^\n]+" or "%S+"
  local old, new = {}, {}
  for word in a:gmatch(one) do old[word] = true end
  for word in b:gmatch(one) do
    if not old[word] then new[#new + 1] = word end
  end
  return table.concat(new, "; ")
end

local function difference(a, b)
  return ("+ %s - %s"):format(added(a, b), added(b, a))
end

local function compare(before, after, last)
  for i, part in ipairs(PARTS) do
    if i > last then return nil end
    if before[i] ~= after[i] then
      return part[1] .. ": " .. difference(before[i], after[i])
    end
  end
end


-- -- what is called with what ---------------------------------------------------------

local function pick(list, at) return list[at % #list + 1] end

-- Arguments of call number i: the first calls give each value of the pool to
-- the first place, the others mix what is right with what is not.
local function arguments(target, pool, i, random)
  local args, labels = { n = 0 }, {}
  local function put(item, value)
    args.n = args.n + 1
    args[args.n], labels[#labels + 1] = value, item
  end
  if target.self then
    local live = (values.brief[target.name] or values.live[target.self])()
    args.live = live
    put(target.self, live)
  end
  local first = i - 1
  if first == 0 then return args, labels end
  if first <= #pool then
    put(pool[first][1], pool[first][2])
    return args, labels, true
  end
  if target.self and random(4) == 1 then -- a method of something else
    local item = pick(pool, random(#pool))
    args[1], labels[1] = item[2], item[1]
  end
  local count, odd = random(math.max(target.places, 1)), random(4)
  for place = 1, count do
    if place == odd or random(3) == 1 then
      local item = pick(pool, random(#pool))
      put(item[1], item[2])
    else
      local item = pick(values.good, random(#values.good))
      put(item[1], item[2]())
    end
  end
  return args, labels
end


-- -- one call -----------------------------------------------------------------------------

local Run = {}
Run.__index = Run

function Run:say(...)
  self.report:write(table.concat({ ... }, "\t"):gsub("[^\t\32-\126]", "?") .. "\n")
end

-- A method of something else: Lua's own words for that are good enough.
local function own_self(args) return args.live == nil or rawequal(args[1], args.live) end

-- What an error may not name: a line of our modules, an argument that is none.
local function misplaced(err)
  if err:find("'__index' chain", 1, true) then return nil end
  return err:match "^nslua/[^:]*:%d+: .*" or err:match "bad argument #%-.*"
end

-- What is wrong with the outcome of a call, or nil.
local function judge(target, args, only, ok, err, change)
  if not target.public then return nil end
  if not ok and change then return "raised and had an effect: " .. change end
  if ok and change and only then return "took it and had an effect: " .. change end
  if ok and only and target.wrong[type(args[args.n])] then return "took a " .. type(args[args.n]) end
  if not ok and type(err) == "string" and err:gsub("[\n\t]", ""):find "%c" then
    return "a control byte in its message"
  end
  local mistold = not ok and own_self(args) and type(err) == "string" and misplaced(err)
  if mistold then return "tells of a place that is not the caller's: " .. mistold end
end

function Run:call(target, i, before)
  local args, labels, only = arguments(target, self.pool, i, self.random)
  self:say("call", target.index, i, target.name .. "(" .. table.concat(labels, ", ") .. ")")
  local made = args.live ~= nil or i > 1 + #self.pool -- handles, for this call
  local last = target.public and #PARTS or LASTING
  local own = made and look() or before
  local results = table.pack(pcall(target.fn, table.unpack(args, 1, args.n)))
  local ok, err = results[1], results[2]
  local change = not ok and not (args.live and rawequal(args[1], args.live)) and compare(own, look(), last)
  if ok then values.close(results, self.kept) end
  for place = 1, args.n do values.close(args[place], self.kept, 2) end
  values.close(args.live, self.kept)
  sys.set_trace(nil)
  pcall(tostring, err)
  local after = look()
  change = change or compare(before, after, last)
  local fault = judge(target, args, only, ok, err, change and not MAY_ACT[target.name] and change)
  if fault then self:say("fault", target.name .. "(" .. table.concat(labels, ", ") .. ")", fault) end
  return change, after
end

-- All calls of one function. False: this process is not as it was, and the
-- rest is for another one.
function Run:try(target, first)
  local before = look()
  for i = 1, 1 + #self.pool + self.rounds do
    self.random = self.dice(target.name, i)
    if i >= first then
      local change
      change, before = self:call(target, i, before)
      if change then
        self:say("next", target.index, i + 1)
        return false
      end
    end
  end
  collectgarbage()
  return true
end

-- The same numbers for the same function and call, wherever the run began.
local function dice(seed)
  return function(name, i)
    local state = seed + i * 2654435761
    for at = 1, #name do state = (state * 31 + name:byte(at)) & 0xffffffffffff end
    return function(n)
      state = (state * 6364136223846793005 + 1442695040888963407) & math.maxinteger
      return (state >> 24) % n + 1
    end
  end
end


-- -- the place ------------------------------------------------------------------------------

local function furnish()
  ns.mount("none", "/", nil, "rec,private")
  ns.mount("proc", "/proc", "proc", "nosuid,nodev,noexec")
  for _, path in ipairs { "/tmp", "/run", os.getenv "HOME" } do
    if ns.access(path) then -- a home below /tmp is out of sight already
      ns.mount("tmpfs", path, "tmpfs", "nosuid,nodev", "mode=755,size=16m")
    end
  end
end

local function settle(stderr)
  ns.setsid()
  local null <close> = ns.open("/dev/null", "rdwr")
  null:dup2(0) null:dup2(1)
  stderr:dup2(2)
  ns.chdir "/tmp"
end

-- What is opened once and kept is opened now.
local function warm_up()
  ns.unshare("uts")
  ns.run({ "pid" }, { "true" })
  pcall(ns.link.list)
  collectgarbage() collectgarbage()
  collectgarbage "stop"
end


---Makes the calls from function `at`, call `first` on, and ends the process.
---@param opts table  list (of targets), report, stderr (Fd), foreign, seed, rounds, at, first
function child.main(opts)
  ns.mount_setattr("/", { set = "ro", recursive = true })
  furnish()
  settle(opts.stderr)
  warm_up()
  local run = setmetatable({ report = opts.report, rounds = opts.rounds, dice = dice(opts.seed),
    pool = values.junk(opts.foreign), kept = {} }, Run)
  for _, item in ipairs(run.pool) do
    if not rawequal(item[1], "nan") then run.kept[item[2]] = true end
  end
  for at = opts.at, #opts.list do
    if not run:try(opts.list[at], at == opts.at and opts.first or 1) then ns._exit(0) end
  end
  run:say("done")
  ns._exit(0)
end

return child
