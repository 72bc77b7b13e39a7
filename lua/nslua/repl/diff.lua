-- SPDX-License-Identifier: MIT
-- What a line changed: two looks at the process and at what it sees, compared.

local sys = require "nslua.sys"
local ending = require "nslua.repl.ending"
local place = require "nslua.repl.place"
local text = require "nslua.text"
local ns = require "nslua"

local diff = {}


local function read(path)
  local ok, file = pcall(sys.open_proc, path)
  if not ok then return "" end
  local _ <close> = file
  return ns.try(file.read, file, "a") or ""
end

-- Each look is a list of parts; a part is a set: what it is -> how it shows.
local parts = {}

local function add(title, look) parts[#parts + 1] = { title = title, look = look } end

add("this process", function()
  local set = {}
  for word, link in pairs(place.look()) do
    if type(link) == "string" and word ~= "root" then set[word] = link end
  end
  set.root = place.look().root
  set.cwd = ns.try(sys.read_proc_link, "/proc/self/cwd")
  return set
end)

add("ids", function()
  local set, status = {}, read "/proc/self/status"
  for _, name in ipairs { "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb",
    "NoNewPrivs", "Seccomp" } do
    local line = status:match("\n" .. name .. ":[ \t]*([^\n]*)")
    set[name] = line and line:gsub("%s+", " ") or nil
  end
  for _, name in ipairs { "uid_map", "gid_map", "setgroups" } do
    set[name] = read("/proc/self/" .. name):gsub("%s+", " "):match "^%s*(.-)%s*$"
  end
  return set
end)

add("names", function()
  return { hostname = ns.try(ns.gethostname), domainname = ns.try(ns.getdomainname) }
end)

local MOST = 256 -- processes that are looked at

-- This process and what came of it: other people's come and go as they like.
local function family()
  local pids, at = { ns.getpid() }, 1
  while pids[at] and #pids < MOST do
    local pid = pids[at]
    local children = at == 1 and table.concat(sys.children(), " ")
      or read(("/proc/%d/task/%d/children"):format(pid, pid))
    for child in children:gmatch "%d+" do pids[#pids + 1] = math.tointeger(child) end
    at = at + 1
  end
  return pids
end

local function command_of(pid)
  return (read(("/proc/%d/cmdline"):format(pid)):gsub("%z", " "):gsub("%s+$", ""))
end

local function links_of(pid)
  local links, folder = {}, ("/proc/%d/ns/"):format(pid)
  local ok, names = pcall(sys.open_proc, folder)
  local _ <close> = ok and names or nil
  for _, name in ipairs(ok and ns.try(ns.readdir, names) or {}) do
    links[#links + 1] = ns.try(sys.read_proc_link, folder .. name)
  end
  return links
end

add("namespaces", function()
  local set, own, pids = {}, {}, family()
  for _, link in ipairs(links_of(pids[1])) do own[link] = true end -- told already
  for i = 2, #pids do
    for _, link in ipairs(links_of(pids[i])) do
      if not own[link] and not set[link] then
        set[link] = ("%d %s"):format(pids[i], command_of(pids[i]))
      end
    end
  end
  return set
end)

add("mounts", function()
  local set = {}
  for _, row in ipairs(ns.try(ns.mounts) or {}) do
    -- Not by number: a copy of a mount namespace numbers anew.
    local key = row.mountpoint
    while set[key] do key = key .. " (above)" end
    set[key] = ("%s (%s, %s, %s)"):format(row.source or "none", row.type, row.options, row.propagation)
  end
  return set
end)

add("links", function()
  local set = {}
  for _, row in ipairs(ns.try(function() return ns.link.list() end) or {}) do
    set[row.name] = ("%s, %s"):format(row.kind or "device", row.is_up and "up" or "down")
  end
  return set
end)

add("children", function()
  local set = {}
  for _, pid in ipairs(sys.children()) do
    set["process " .. pid] = command_of(pid)
  end
  return set
end)


-- What our own boxes see, looked at from outside.
add("in boxes", function(session)
  local set = {}
  for _, child in ipairs(ending.children(session.inherited)) do
    local proc = child.proc
    local head = ("box %d "):format(proc.pid)
    local function note(what, words) set[head .. what] = words end
    if child.box then
      note("", "there")
      note("hostname", ns.try(proc.hostname, proc))
      for _, row in ipairs(ns.try(proc.mounts, proc) or {}) do
        note("mount " .. row.mountpoint, ("%s (%s, %s)"):format(row.source or "none", row.type, row.options))
      end
      for _, row in ipairs(ns.try(function() return ns.link.list { ns = proc } end) or {}) do
        note("link " .. row.name, row.is_up and "up" or "down")
      end
    end
  end
  return set
end)


---A look at everything that a line may change.
---@param session nslua.Session
---@return table
function diff.look(session)
  local seen = {}
  for i, part in ipairs(parts) do
    -- What cannot be seen (no /proc, no right) has not changed.
    local ok, set = pcall(part.look, session)
    seen[i] = ok and set or {}
  end
  return seen
end

-- A box that is new or gone says so as a child: all of it is no news.
local function is_news(part, before, after, key)
  if before[key] == after[key] then return false end
  local box = part.title == "in boxes" and key:match "^box %d+ "
  return not box or before[box] == after[box]
end

local function sorted_keys(a, b)
  local keys = {}
  for key in pairs(a) do keys[#keys + 1] = key end
  for key in pairs(b) do
    if a[key] == nil then keys[#keys + 1] = key end
  end
  table.sort(keys)
  return keys
end

local function line_of(key, old, new)
  key, old, new = text.clean(key), old and text.clean(old), new and text.clean(new)
  old, new = old == "" and "none" or old, new == "" and "none" or new
  if old == nil then return ("+ %s %s"):format(key, new) end
  if new == nil then return ("- %s %s"):format(key, old) end
  return ("~ %s %s %s %s"):format(key, old, text.symbol "to", new)
end

---What differs between two looks: lines, + for what is new, - for what is gone,
---~ for what is another.
---@param before table
---@param after table
---@return string[]
function diff.compare(before, after)
  local lines = {}
  for i, part in ipairs(parts) do
    local titled = false
    for _, key in ipairs(sorted_keys(before[i], after[i])) do
      local old, new = before[i][key], after[i][key]
      if is_news(part, before[i], after[i], key) then
        if not titled then lines[#lines + 1] = part.title end
        titled = true
        lines[#lines + 1] = "  " .. line_of(key, old, new)
      end
    end
  end
  return lines
end

return diff
