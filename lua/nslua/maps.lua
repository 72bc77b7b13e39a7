-- SPDX-License-Identifier: MIT
-- Id maps by word: which ranges "auto", "subids", "all" and names stand for.
-- Loaded when a map says more than "root", "current" or numbers; the kernel's
-- side is in idmap.c. user_namespaces(7), subuid(5), newuidmap(1).

local sys = require "nslua.sys"
local ns = sys.primitives

local maps = {}

local WORDS = { "root", "current", "identity", "all", "auto", "subids" }

local KIND = {
  uid = { gids = false, file = "/etc/subuid", map = "/proc/self/uid_map" },
  gid = { gids = true, file = "/etc/subgid", map = "/proc/self/gid_map" },
}


-- The text of a small file, "" when there is none to read.
local function slurp(path)
  local file = io.open(path, "r")
  if not file then return "" end
  local text = file:read "a" or ""
  file:close()
  return text
end


-- -- who owns which ids ----------------------------------------------------------

-- Of the file first: asking the C library would load what a chroot has.
local function user_name(uid)
  for line in slurp("/etc/passwd"):gmatch "[^\n]+" do
    local name, id = line:match "^([^:]+):[^:]*:(%d+):"
    if tonumber(id) == uid then return name end
  end
  return sys.user_name(uid)
end


-- A line of subuid(5) names its owner by name or number.
local function from_file(path, name, uid)
  local list = {}
  for line in slurp(path):gmatch "[^\n]+" do
    local owner, first, count = line:match "^([^:#]+):(%d+):(%d+)%s*$"
    if owner and (owner == name or tonumber(owner) == uid) then
      list[#list + 1] = { math.tointeger(tonumber(first)), math.tointeger(tonumber(count)) }
    end
  end
  return list
end


-- Where nsswitch.conf says that another database holds them, the library of
-- newuidmap knows how to ask it.
local function kept_elsewhere()
  return ("\n" .. slurp "/etc/nsswitch.conf"):find "\n%s*subid%s*:" ~= nil
end


---The ids that a user may use besides his own: ranges {first, count} of
---/etc/subuid and /etc/subgid, or of the database that nsswitch.conf names, by
---libsubid.
---
---    for _, r in ipairs(ns.subids().uid) do print(r[1], r[2]) end
---
---Source: subuid(5), subgid(5), subid_get_uid_ranges(3)
---@param user? string|integer  a name or uid; default: the caller
---@return { user: string, uid: integer[][], gid: integer[][] } ranges  empty lists for none
function maps.subids(user)
  if user == nil then user = ns.getuid() end
  local uid = math.type(user) == "integer" and user or nil
  if not uid and (type(user) ~= "string" or user == "" or user:find "%z") then
    sys.raise("bad argument #1 to 'subids' (a user is a name or a uid)")
  end
  local name = uid and (user_name(uid) or tostring(uid)) or user
  local elsewhere = kept_elsewhere()
  local found = { user = name }
  for key, kind in pairs(KIND) do
    found[key] = elsewhere and sys.libsubid(name, kind.gids)
      or from_file(kind.file, name, uid or sys.id_of(name))
  end
  return found
end


-- -- words ---------------------------------------------------------------------

-- Ranges without one id: that one is mapped apart.
local function without(ranges, id)
  local list = {}
  for _, range in ipairs(ranges) do
    local first, count = range[1], range[2]
    if id >= first and id < first + count then
      if id > first then list[#list + 1] = { first, id - first } end
      if id + 1 < first + count then
        list[#list + 1] = { id + 1, first + count - id - 1 }
      end
    else
      list[#list + 1] = range
    end
  end
  return list
end


local function subordinate(side, own)
  local found = maps.subids(side.who)
  if #found[side.key] == 0 then
    error(sys.error(61, "subids", ('"%s"'):format(sys.clean(found.user)))) -- ENODATA
  end
  return without(found[side.key], own)
end


local words = {}

function words.root(_, own) return { { 0, own, 1 } } end

function words.current(_, own) return { { own, own, 1 } } end

-- Every id that there is here, as itself.
function words.all(side)
  local ranges = {}
  for inside, count in slurp(KIND[side.key].map):gmatch "(%d+)%s+%d+%s+(%d+)" do
    inside = math.tointeger(tonumber(inside))
    ranges[#ranges + 1] = { inside, inside, math.tointeger(tonumber(count)) }
  end
  return ranges
end

words.identity = words.all

-- We are 0, and the subordinate ids follow from 1 on.
function words.auto(side, own)
  local ranges, inside = { { 0, own, 1 } }, 1
  for _, range in ipairs(subordinate(side, own)) do
    ranges[#ranges + 1] = { inside, range[1], range[2] }
    inside = inside + range[2]
  end
  return ranges
end

-- We are ourselves, and so are the subordinate ids.
function words.subids(side, own)
  local ranges = { { own, own, 1 } }
  for _, range in ipairs(subordinate(side, own)) do
    ranges[#ranges + 1] = { range[1], range[1], range[2] }
  end
  return ranges
end


-- "0:100000:65536,70000:0:1", as unshare(1) takes it
local function spelled(text)
  local ranges = {}
  for part in (text .. ","):gmatch "([^,]*)," do
    local a, b, c = part:match "^(%d+):(%d+):(%d+)$"
    if not a then return nil end
    ranges[#ranges + 1] = { math.tointeger(tonumber(a)), math.tointeger(tonumber(b)),
      math.tointeger(tonumber(c)) }
  end
  return #ranges > 0 and ranges or nil
end


-- Nil and what is wrong, or the ranges.
local function resolve_word(word, side, own)
  if words[word] then return words[word](side, own) end
  local ranges = spelled(word)
  if ranges then return ranges end
  local valid = word:find "^[%a_][%w_.-]*%$?$"
  local id = side.names and valid and sys.id_of(word, KIND[side.key].gids)
  if id then return { { id, own, 1 } } end
  local near = sys.nearest(word, WORDS)
  return nil, ('unknown map "%s"%s: a map is "root", "current", "all", "auto", '
    .. '"subids", "inside:outside:count" or {uid=, gid=, setgroups=}'):format(
    sys.clean(word:sub(1, 64)), near and (' (did you mean "%s"?)'):format(near) or "")
end


---What a map means, as ranges of numbers. Pure but for the words that ask the
---system.
---
---    require "nslua.maps".resolve("auto", 1000, 1000).uid[2]
---
---Source: user_namespaces(7)
---@param map string|table
---@param uid? integer  our own, seen from outside
---@param gid? integer
---@return { uid: any, gid: any, setgroups: string? }? map
---@return string? problem
function maps.resolve(map, uid, gid)
  local own = { uid = uid or ns.geteuid(), gid = gid or ns.getegid() }
  local both = type(map) == "string" or (type(map) == "table" and rawlen(map) > 0)
  local result = {}
  for key, value in pairs(type(map) == "table" and map or {}) do
    if type(key) == "string" then
      result[key] = value
    elseif math.type(key) ~= "integer" or key < 1 or key > rawlen(map) then
      return nil, "a map has the keys uid, gid and setgroups"
    end
  end
  if both and (result.uid ~= nil or result.gid ~= nil) then
    return nil, "ranges for both and uid= or gid= do not go together"
  end
  for key in pairs(KIND) do
    local value = result[key]
    if both then value = type(map) == "string" and map or table.move(map, 1, #map, 1, {}) end
    if type(value) == "string" then
      local problem
      local side = { key = key, names = not both, who = own.uid }
      value, problem = resolve_word(value, side, own[key])
      if not value then return nil, problem end
    end
    result[key] = value
  end
  return result
end


-- -- who may write it ------------------------------------------------------------

local function find(program)
  for folder in (os.getenv "PATH" or ""):gmatch "[^:]+" do
    local path = folder .. "/" .. program
    if folder:sub(1, 1) == "/" and ns.access(path, "x") then return path end
  end
  local path = "/usr/bin/" .. program
  return ns.access(path, "x") and path or nil
end


---The programs that write a map which the caller may not: nil, nil where they
---are not installed, or where nothing can gain rights.
function maps.helpers()
  if ns.no_new_privs() then return nil, nil end
  return find "newuidmap", find "newgidmap"
end


---Does 0 of a map mean another id than the caller's? Then whoever comes into
---such a namespace is nobody there until he becomes its root.
---@param map any
---@return boolean uid
---@return boolean gid
function maps.needs_root(map)
  local function has_zero(ranges)
    if type(ranges) ~= "table" then return ranges == 0 end
    if type(ranges[1]) ~= "table" then return ranges[1] == 0 end
    for _, range in ipairs(ranges) do
      if range[1] == 0 then return true end
    end
    return false
  end
  return has_zero(map.uid), has_zero(map.gid)
end



-- The ranges of a map file, or nil when they hold our own id.
local function foreign(path, own)
  local ranges, ok, file = {}, pcall(sys.open_proc, path)
  local _ <close> = ok and file or nil
  for inside, outside, count in (ok and file:read "a" or ""):gmatch "(%d+)%s+(%d+)%s+(%d+)" do
    local first, n = tonumber(outside), tonumber(count)
    if own >= first and own < first + n then return nil end
    ranges[#ranges + 1] = { tonumber(inside), first, n }
  end
  return ranges
end


---The map of a process in which the caller has no name: who joins it becomes its
---root, as nsenter(1) does.
---@param pid integer
---@return { uid: integer[][]?, gid: integer[][]? } map  without the ids that have one
function maps.joined(pid)
  return {
    uid = foreign(("/proc/%d/uid_map"):format(pid), ns.geteuid()),
    gid = foreign(("/proc/%d/gid_map"):format(pid), ns.getegid()),
  }
end

return maps
