-- SPDX-License-Identifier: MIT
-- The one table errno x call x probe -> why, fix, and how a row is found and
-- told. A row has an id, the row of the guide it answers (ux), the calls and
-- errnos it is about ("*": any), when(signals, event) -> is it this?, why and
-- fix (a text with {names}, or a function of the same arguments), a command
-- an admin may copy, what that weakens, and pages to see. Order matters: the
-- first row that fits is told.

local sys = require "nslua.sys"

local rows = {}

local MODULES = {
  "nslua.doctor.links", "nslua.doctor.births", "nslua.doctor.ids", "nslua.doctor.mounts",
  "nslua.doctor.programs",
}

local TYPE_OF = {
  NEWNS = "mnt", NEWUTS = "uts", NEWIPC = "ipc", NEWNET = "net", NEWPID = "pid",
  NEWUSER = "user", NEWCGROUP = "cgroup", NEWTIME = "time",
}

local MOUNT_BITS = {
  MS_RDONLY = 1, MS_REMOUNT = 32, MS_BIND = 4096, MS_MOVE = 8192,
  MS_REC = 16384, MS_UNBINDABLE = 1 << 17, MS_PRIVATE = 1 << 18,
  MS_SLAVE = 1 << 19, MS_SHARED = 1 << 20,
}

local CLONE_BITS = {
  NEWTIME = 0x80, NEWNS = 0x20000, NEWCGROUP = 0x2000000, NEWUTS = 0x4000000,
  NEWIPC = 0x8000000, NEWUSER = 0x10000000, NEWPID = 0x20000000,
  NEWNET = 0x40000000,
}


local function words_of(text)
  local set = {}
  for word in text:gmatch("%S+") do set[word] = true end
  return set
end


-- Reads a call or errno list once: rows are tables that stay.
local function names(row, field)
  local key = field .. "_set"
  row[key] = row[key] or words_of(row[field])
  return row[key]
end

local all


-- All rows about calls, in order.
local function table_of_rows()
  if all then return all end
  local list = {}
  for _, module in ipairs(MODULES) do
    for _, row in ipairs(require(module)) do list[#list + 1] = row end
  end
  all = list
  return all
end


---Every row there is, those without a call (notes) too.
---@return table[]
function rows.list()
  local list = table.move(table_of_rows(), 1, #table_of_rows(), 1, {})
  for _, row in ipairs(require "nslua.doctor.notes") do list[#list + 1] = row end
  return list
end

-- -- what happened -----------------------------------------------------------

-- '"a, b", 0, ["c"]' -> its parts
local function split(text)
  local parts, start, depth, quoted, i = {}, 1, 0, false, 1
  while i <= #text do
    local c = text:sub(i, i)
    if c == "\\" and quoted then i = i + 1
    elseif c == '"' then quoted = not quoted
    elseif not quoted and c == "[" then depth = depth + 1
    elseif not quoted and c == "]" then depth = depth - 1
    elseif not quoted and depth == 0 and c == "," then
      parts[#parts + 1] = text:sub(start, i - 1)
      start = text:find("%S", i + 1) or #text + 1
    end
    i = i + 1
  end
  if start <= #text then parts[#parts + 1] = text:sub(start) end
  return parts
end


local ESCAPES = { n = "\n", t = "\t", r = "\r", ["0"] = "\0" }


-- '"a\x1B"' -> the bytes; other texts stay as they are
local function unquote(text)
  local inner = text:match('^"(.*)"$')
  if not inner then return text end
  inner = inner:gsub("\\x(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return (inner:gsub("\\(.)", function(c) return ESCAPES[c] or c end))
end


local function spell_bits(text, bits, prefix)
  local number = math.tointeger(tonumber(text or ""))
  local list = {}
  for name, bit in pairs(number and bits or {}) do
    if number & bit == bit then list[#list + 1] = prefix .. name end
  end
  return table.concat(list, "|")
end


local function add_types(e)
  for name in e.text:gmatch("CLONE_(NEW%u+)") do
    local word = TYPE_OF[name]
    if word and not e.types[word] then
      e.types[word] = true
      e.type_list[#e.type_list + 1] = word
    end
  end
end


---What an error object says, in parts that rows can ask for. Reads the object
---with rawget only: asking for `why` here would go in circles.
---@param err table
---@return table event
function rows.event(err)
  local function text(field)
    local value = rawget(err, field)
    return type(value) == "string" and value or ""
  end
  local e = {
    call = text "call", errno = text "name", step = text "step",
    args = {}, shown = {}, types = {}, type_list = {},
  }
  local args = rawget(err, "args")
  for i, arg in ipairs(type(args) == "table" and args or {}) do
    if i > 16 or type(arg) ~= "string" then break end
    e.shown[i] = arg
  end
  if #e.shown == 1 then e.shown = split(e.shown[1]) end
  for i, shown in ipairs(e.shown) do e.args[i] = unquote(shown) end
  e.text = table.concat(e.shown, ", ")
  if e.call == "mount" then
    e.text = e.text .. " " .. spell_bits(e.shown[4], MOUNT_BITS, "")
  elseif e.call == "unshare" or e.call == "setns" or e.call == "clone3" then
    e.text = e.text .. " " .. spell_bits(e.shown[#e.shown], CLONE_BITS, "CLONE_")
  end
  add_types(e)
  -- A step of another process: its root is not the one seen from here.
  e.elsewhere = e.step ~= "" or (e.call:find("^execve") ~= nil and #e.shown == 1)
  return e
end

-- -- finding and telling -----------------------------------------------------

local function fits(row, s, e)
  local calls, errnos = names(row, "call"), names(row, "errno")
  if not (calls["*"] or calls[e.call]) then return false end
  if not (errnos["*"] or errnos[e.errno]) then return false end
  if not row.when then return true end
  local ok, yes = pcall(row.when, s, e)
  return ok and yes and true or false
end


---The first row that fits, or nil.
---@param s table  signals
---@param e table  an event
---@return table? row
function rows.find(s, e)
  for _, row in ipairs(table_of_rows()) do
    if fits(row, s, e) then return row end
  end
end


local function shorten(text)
  return #text > 120 and text:sub(1, 117) .. "..." or text
end


-- What {name} stands for in a text.
local function value_of(name, s, e)
  if name == "types" then return table.concat(e.type_list, ", ") end
  if name == "in_container" then return s.container and " (" .. s.container .. ")" or "" end
  if name == "on_distribution" then
    return s.distribution and ", " .. s.distribution or ""
  end
  if name == "with_label" then
    return s.label and s.label ~= "unconfined" and " (" .. s.label .. ")" or ""
  end
  if name == "with_nproc" then return s.nproc and " (" .. s.nproc .. ")" or "" end
  if name == "with_nofile" then return s.nofile and " (" .. s.nofile .. ")" or "" end
  if name == "fstype" then return e.args[3] or "this" end
  if name == "program" then return e.shown[1] or "the program" end
  if name == "source" then return e.shown[1] or "it" end
  if name == "target" then
    return (e.call == "mount" and e.shown[2] or e.shown[1]) or "it"
  end
  local value = s[name]
  return value ~= nil and tostring(value) or "?"
end


-- A field of a row as text, without a control byte.
local function tell(field, s, e)
  if type(field) == "function" then
    local ok, text = pcall(field, s, e)
    if not ok or type(text) ~= "string" then return nil end
    return sys.clean(text)
  elseif field == nil then
    return nil
  end
  return sys.clean((field:gsub("{([%a_]+)}", function(name)
    return shorten(value_of(name, s, e))
  end)))
end


---A row in words.
---@return table finding  { id, ux, why, fix, command, weakens, see }
function rows.tell(row, s, e)
  return {
    id = row.id, ux = row.ux, why = tell(row.why, s, e), fix = tell(row.fix, s, e),
    command = tell(row.command, s, e), weakens = tell(row.weakens, s, e),
    see = row.see,
  }
end


---The notes that hold for these signals, in words.
---@param s table
---@return table[] findings
function rows.notes(s)
  local list, nothing = {}, rows.event {}
  for _, row in ipairs(require "nslua.doctor.notes") do
    local ok, yes = pcall(row.when, s, nothing)
    if ok and yes then
      local finding = rows.tell(row, s, nothing)
      finding.note = true
      list[#list + 1] = finding
    end
  end
  return list
end

return rows
