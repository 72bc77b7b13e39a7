-- SPDX-License-Identifier: MIT
-- What a lesson needs, and whether this machine has it.

local interrupted = require "nslua.lesson".interrupted
local sys = require "nslua.sys"
local ns = require "nslua"

local needs = {}

local TYPES = { "user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time" }
local STAGE = { "mnt", "uts" }


-- Everything here asks /proc.
local function no_proc()
  if not ns.access "/proc/self/ns" then return "/proc is not mounted here (mount -t proc proc /proc)" end
end

-- What is no ability of the machine: it is made, or it is there, or a part of nslua.
local function is_made(word) return word == "rootfs" or word == "net-host" or word == "links" end

local function no_links()
  local ok, why = pcall(function() return require("nslua.rtnl").library() end)
  if ok then return nil end
  if interrupted(why) then error(why, 0) end
  return ("no links: %s (built where libnl-route-3 is: make deps && make)"):format(
    sys.clean((tostring(why):match "[^\n]+":gsub("^.-:%d+: ", ""):gsub(":$", ""))))
end

local function why_not(word)
  local ok, why = ns.can(word)
  if not ok then return ("no %s: %s"):format(word, why or "the kernel refuses it") end
end


-- Hardened machines have quotas of nothing; one that is used up is seen later.
local function no_quota(word)
  local name = "max_" .. word .. "_namespaces"
  local file <close> = io.open("/proc/sys/user/" .. name)
  if file and file:read "n" == 0 then
    return ("no %s namespaces: user.%s is 0 (an admin may run: sysctl -w user.%s=10000)"):format(word, name, name)
  end
end


---Why this machine cannot run the lesson, as far as it is seen at once; what
---else the kernel refuses is told when it does.
---@param lesson nslua.Lesson
---@return string? reason
function needs.missing(lesson)
  if no_proc() then return no_proc() end
  if lesson.needs.uid0 and ns.geteuid() ~= 0 then
    return "it needs real root: sudo nslua " .. sys.clean(lesson.file)
  end
  for _, word in ipairs(TYPES) do
    if lesson.needs[word] and not ns.access("/proc/self/ns/" .. word) then
      return ("this kernel has no %s namespaces"):format(word)
    end
    local reason = lesson.needs[word] and no_quota(word)
    if reason then return reason end
  end
  local reason_of_links = lesson.needs.links and no_links()
  if reason_of_links then return reason_of_links end
  for _, word in ipairs(lesson.needs) do
    local reason = word:find "^cgroup%." and why_not(word)
    if reason then return reason end
  end
end


---The same with everything tried, as the doctor does: for a list.
---@param lesson nslua.Lesson
---@return string? reason
function needs.reason(lesson)
  if no_proc() then return no_proc() end
  local words = { table.unpack(STAGE) }
  if not lesson.needs.uid0 then table.insert(words, 1, "user") end
  for _, word in ipairs(lesson.needs) do
    if not is_made(word) then words[#words + 1] = sys.nstype(word) or word end
  end
  for _, word in ipairs(words) do
    local reason = why_not(word)
    if reason then return reason end
  end
  return lesson.needs.links and no_links() or nil
end


return needs
