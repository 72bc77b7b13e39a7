-- SPDX-License-Identifier: MIT
-- Where the prompt's process is, compared with where its session began: what
-- the prompt shows, and the notes on a move that is easily misread.

local sys = require "nslua.sys"
local ns = sys.primitives

local place = {}

local TYPES = { "user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time" }
-- Of these two only children move: another link says where to.
local FOR_CHILDREN = { pid = "pid_for_children", time = "time_for_children" }


local function link(name)
  local ok, target = pcall(sys.read_proc_link, "/proc/self/ns/" .. name)
  return ok and target or nil
end

-- Without a procfs the kernel still tells a process its own.
local function ask(found, word)
  local ok, handle = pcall(ns.of, nil, word)
  if ok and handle then
    found[word] = ("%s:[%d]"):format(word, handle.inode)
    handle:close()
  end
end

local function root_of()
  local ok, root = pcall(ns.stat, "/")
  return ok and root.dev .. ":" .. root.ino or nil
end


---Where this process is: links by type, those of its children, root, ids.
---@return table
function place.look()
  local found = { root = root_of(), uid = ns.getuid(), gid = ns.getgid() }
  for _, word in ipairs(TYPES) do
    local children = FOR_CHILDREN[word]
    found[word] = link(word)
    -- A pid namespace without its first process has no link yet.
    if children then found[children] = link(children) or found[word] and "not born" end
    if not found[word] then ask(found, word) end
    if children then found[children] = found[children] or found[word] end
  end
  return found
end


---What differs, as words: "uts*" moved, "+pid" moves the children to come,
---"root*" another root, "ids*" other user or group ids.
---@param from table
---@param to table
---@return string[]
function place.marks(from, to)
  local marks = {}
  for _, word in ipairs(TYPES) do
    local children = FOR_CHILDREN[word]
    if from[word] ~= to[word] then
      marks[#marks + 1] = word .. "*"
    elseif children and from[children] ~= to[children] then
      marks[#marks + 1] = "+" .. word
    end
  end
  -- A new mount namespace shows the same root; it is told by its own word.
  if from.root ~= to.root then marks[#marks + 1] = "root*" end
  -- A new user namespace shows ids in its own way.
  if from.user == to.user and (from.uid ~= to.uid or from.gid ~= to.gid) then
    marks[#marks + 1] = "ids*"
  end
  return marks
end


local NOTES = {
  pid = "only children move: the first one is PID 1, and when it ends no other can be born (ENOMEM); "
    .. ":undo goes back",
  time = "only children move: the clocks of this process stay",
  user = "there is no way back to the old user namespace but :undo",
}


---What a person should know about the move between two looks.
---@param from table
---@param to table
---@return string[]
function place.notes(from, to)
  local notes = {}
  for _, word in ipairs { "user", "pid", "time" } do
    local now = FOR_CHILDREN[word] or word
    local own, born = from[word] ~= to[word], from[now] == "not born" -- no move: the first child came
    if from[now] ~= to[now] and not born and (word == "user" or not own) then
      notes[#notes + 1] = word .. ": " .. NOTES[word]
    end
  end
  return notes
end

return place
