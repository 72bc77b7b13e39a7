-- SPDX-License-Identifier: MIT
-- Descriptors of a trace get the lowest free number, which the collector has a
-- say in; how long a message is depends on names. Neither is the lesson's.

local descriptors = {}

local MAKES_FD = {}
for word in ([[open openat openat2 socket accept4 pidfd_open memfd_create open_tree fsopen fsmount
    dup eventfd2 epoll_create1 inotify_init1 signalfd4 timerfd_create pidfd_getfd]]):gmatch "%S+" do
  MAKES_FD[word] = true
end

local TAKES_FD = {}
for word in ([[write read pread64 sendmsg recvmsg sendto recvfrom fchdir dup dup2 dup3 close execveat setns ioctl
    pidfd_send_signal fstat lseek
    ftruncate fcntl connect bind fsconfig fsmount move_mount getdents64 fchmod fchown]]):gmatch "%S+" do
  TAKES_FD[word] = true
end

local function without_descriptors(line)
  local before, call, rest = line:match "^(%[[^%]]*%] )([%w_]+)(%(.*)"
  if not before then before, call, rest = "", line:match "^([%w_]+)(%(.*)" end
  if not call then return line end
  rest = rest:gsub("(_fd=)%d+", "%1FD")
  if TAKES_FD[call] then
    rest = rest:gsub("^%((%d+)%f[,)]", function(fd) return tonumber(fd) > 2 and "(FD" or nil end)
  end
  if MAKES_FD[call] then rest = rest:gsub("= %d+$", "= FD") end
  if call == "sendmsg" or call == "recvmsg" then rest = rest:gsub("%d+", "N") end
  return before .. call .. rest
end

---The calls of a trace, with FD for every descriptor but the standard ones.
---@param trace string
---@return string
function descriptors.rename(trace)
  return (trace:gsub("[^\n]+", without_descriptors))
end


return descriptors
