-- SPDX-License-Identifier: MIT
-- The system calls of an act, in an order that is the same every time: what a
-- child did stands below the call that made it, though both went on at once.

local ns = require "nslua"

local calls = {}


---A writer for ns.trace: lines of a forked child say whose they are: how many
---forks away, and its number.
---@param sink file*
---@return fun(line: string)
function calls.writer(sink)
  local us, home, asking = ns.getpid(), ns.generation(), false
  return function(line)
    if asking then return end
    asking = true -- getpid is traced, too
    local pid = ns.getpid()
    asking = false
    local depth = ns.generation() - home
    if depth > 0 and pid ~= us and not line:find "^%[pid" then line = ("[child %d %d] %s"):format(depth, pid, line) end
    sink:write(line, "\n")
  end
end


-- -- the order ---------------------------------------------------------------

-- The process that a line is of, as { depth, pid, lines }; ours has depth 0.
local function process_of(line, known)
  local depth, pid, rest = line:match "^%[child ?(%d*) ?(%d*)%] (.*)$"
  local key = depth and depth .. " " .. pid or ""
  if not known[key] then
    known[key] = { depth = depth and (tonumber(depth) or 1) or 0, pid = pid, lines = {} }
    known[#known + 1] = known[key]
  end
  return known[key], rest or line
end

-- Processes in the order of their first lines, and the lines by clone3(2) of what
-- a child did before it went on.
local function sorted(text)
  local processes, born, order = {}, {}, {}
  for line in text:gmatch "[^\n]+" do
    local pid = line:match "^%[pid (%d+)%]"
    if pid then
      if not born[pid] then born[pid], order[#order + 1] = {}, pid end
      table.insert(born[pid], line)
    else
      local process, rest = process_of(line, processes)
      table.insert(process.lines, rest)
    end
  end
  return processes, born, order
end

local function append(out, lines)
  for _, line in ipairs(lines or {}) do out[#out + 1] = line end
end

-- The children of a process that are not told yet; of them the one that it
-- waits for, when it is known by that number.
local function children(processes, parent, pid)
  local all = {}
  for _, process in ipairs(processes) do
    if process.depth == parent.depth + 1 and not process.told then
      if process.pid == pid then return { process } end
      all[#all + 1] = process
    end
  end
  return all
end

-- Children stand before the waitid that ends them, or where their parent ends.
local function tell(out, process, processes, born)
  process.told = true
  local function tell_children(pid)
    for _, child in ipairs(children(processes, process, pid)) do tell(out, child, processes, born) end
  end
  for _, line in ipairs(process.lines) do
    local awaited = line:match "^waitid%((%d*)"
    if awaited then tell_children(awaited) end
    out[#out + 1] = (process.depth > 0 and "[child] " or "") .. line
    local pid = line:match "^clone3?%(.* = (%d+)$" or line:match "^fork%(.* = (%d+)$"
    append(out, born[pid])
    if pid then born[pid] = nil end
  end
  tell_children()
end


---@param text string  what a writer wrote
---@return string
function calls.order(text)
  local processes, born, order = sorted(text)
  local out = {}
  tell(out, processes[""] or { depth = 0, lines = {} }, processes, born)
  for _, pid in ipairs(order) do append(out, born[pid]) end
  return table.concat(out, "\n")
end


-- -- what is the same tomorrow -------------------------------------------------

-- Descriptors of a trace get the lowest free number, which the collector has a
-- say in; how long a message is depends on names and clocks.
local MAKES_FD = {}
for word in ([[open openat openat2 socket accept4 pidfd_open memfd_create open_tree fsopen fsmount
    dup eventfd2 epoll_create1 inotify_init1 signalfd4 timerfd_create pidfd_getfd]]):gmatch "%S+" do
  MAKES_FD[word] = true
end

local TAKES_FD = {}
for word in ([[write read pread64 sendmsg recvmsg sendto recvfrom fchdir dup dup2 dup3 close execveat setns ioctl
    pidfd_send_signal fstat lseek flock send recv
    ftruncate fcntl connect bind fsconfig fsmount move_mount getdents64 fchmod fchown]]):gmatch "%S+" do
  TAKES_FD[word] = true
end

local MESSAGES = { read = true, write = true, sendmsg = true, recvmsg = true }

local function without_descriptors(line)
  local before, call, rest = line:match "^(%[[^%]]*%] )([%w_]+)(%(.*)"
  if not before then before, call, rest = "", line:match "^([%w_]+)(%(.*)" end
  if not call then return line end
  rest = rest:gsub("(_fd=)%d+", "%1FD"):gsub("(/proc/self/fd/)%d+", "%1FD")
  if TAKES_FD[call] then
    rest = rest:gsub("^%((%d+)%f[,)]", function(fd) return tonumber(fd) > 2 and "(FD" or nil end)
  end
  if MAKES_FD[call] then rest = rest:gsub("= %d+$", "= FD") end
  if MESSAGES[call] and not rest:find '^%("' then
    rest = rest:gsub("[%w-]+", function(word) return word:find "^%d+$" and "N" or nil end)
  end
  return before .. call .. rest
end

-- Who waits for the kernel looks again and again, and how often is luck.
local LOOKS = { "^RTM_GET%u+%(", "^socket%(AF_NETLINK", "^l?stat%(", "^access%(", "^readlink%(" }

local function looks(line)
  for _, pattern in ipairs(LOOKS) do
    if line:find(pattern) then return true end
  end
  return false
end

local LONGEST = 8 -- calls of one look

-- Do the last `count` lines repeat the ones before them, all of them looks?
local function repeats(lines, count)
  for i = #lines - count + 1, #lines do
    if not lines[i - count] or lines[i] ~= lines[i - count] or not looks(lines[i]) then return false end
  end
  return true
end

local function add_line(lines, line)
  lines[#lines + 1] = line
  for count = 1, LONGEST do
    if repeats(lines, count) then
      for _ = 1, count do lines[#lines] = nil end
      return
    end
  end
end


---Calls as they are every time: descriptors and lengths without their numbers,
---and once what was looked at until it was so.
---@param text string
---@return string
function calls.settle(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do add_line(lines, without_descriptors(line)) end
  return table.concat(lines, "\n")
end


return calls
