-- SPDX-License-Identifier: MIT
-- What this machine says of itself: sysctls, limits, marks of containers, the
-- state of the calling process. Files are read, nothing is tried and nothing
-- is changed. A field that cannot be known is nil. proc(5), namespaces(7).

local sys = require "nslua.sys"

local signals = {}

local CAPABILITIES = {
  chown = 0, setgid = 6, setuid = 7, net_admin = 12, sys_chroot = 18,
  sys_admin = 21, sys_time = 25, mknod = 27, setfcap = 31,
}


-- The first 256 KB of a file, or nil.
local function slurp(path)
  local file = io.open(path, "r")
  if not file then return nil end
  local text = file:read(262144) or ""
  file:close()
  return text
end


local function number(path)
  return math.tointeger(tonumber(slurp(path) or ""))
end


local function link(path)
  local readlink = sys.primitives.readlink
  if not readlink then return nil end
  local ok, target = pcall(readlink, path)
  return ok and target or nil
end


-- "\040" in mountinfo is a space.
local function unescape(field)
  return (field:gsub("\\(%d%d%d)", function(octal)
    return string.char(tonumber(octal, 8))
  end))
end


local function parse_mount(line)
  local id, parent, root, target, options, rest =
    line:match("^(%d+) (%d+) %S+ (%S+) (%S+) (%S+)(.*)$")
  if not id then return nil end
  local optional, fstype, source, super = rest:match("^(.-) %- (%S+) (%S*) ?(.*)$")
  return {
    id = tonumber(id), parent = tonumber(parent), root = unescape(root),
    target = unescape(target), options = options, fstype = fstype,
    source = source and unescape(source), super = super or "",
    shared = (optional or ""):find("shared:", 1, true) ~= nil,
  }
end


---The mount table of the caller, from the text of a mountinfo file.
---@param text string?  the text; /proc/self/mountinfo when absent
---@return table[]|nil mounts  nil when there is none to read
function signals.mounts(text)
  text = text or slurp("/proc/self/mountinfo")
  if not text or text == "" then return nil end
  local list = {}
  for line in text:gmatch("[^\n]+") do
    list[#list + 1] = parse_mount(line)
  end
  return list
end


local function holds(m, path)
  local prefix = m.target == "/" and "/" or m.target .. "/"
  return (path .. "/"):sub(1, #prefix) == prefix
end


-- The first mount on the way down a path that lies on `here` (nil: the root).
local function next_mount(mounts, here, path)
  local found
  for _, m in ipairs(mounts) do
    local fits = here and m ~= here and m.parent == here.id or not here and m.target == "/"
    if fits and holds(m, path) and (not found or #m.target < #found.target) then found = m end
  end
  return found
end


---The mount that a walk down the path ends on: not one that another covers.
---@param mounts table[]
---@param path string  absolute
---@return table? mount  nil: the root is no mount, so the walk has no beginning
function signals.mount_of(mounts, path)
  local here, step = nil, next_mount(mounts or {}, nil, path)
  while step do
    here, step = step, next_mount(mounts, step, path)
  end
  return here
end


local function has_option(options, word)
  return ("," .. options .. ","):find("," .. word .. ",", 1, true) ~= nil
end


-- A chroot into a plain directory; one into a mount looks like any root.
local function read_root(s)
  local ok, mounted = pcall(sys.primitives.is_mount, "/")
  if ok and mounted ~= nil then s.chrooted = not mounted end
end


-- Mounts below /proc hide parts of it, but for those the kernel itself has
-- empty folders for.
local function read_mounts(s)
  local mounts = signals.mounts()
  if not mounts then return end
  s.mounts = mounts
  s.proc_masked = {}
  for _, m in ipairs(mounts) do
    if m.target == "/" then
      s.root_shared, s.root_fstype = m.shared, m.fstype
    elseif m.target == "/proc" and m.fstype == "proc" then
      s.proc_readonly = has_option(m.options, "ro")
      s.hidepid = m.super:match("hidepid=([^,]+)")
    elseif m.target:find("^/proc/") and m.fstype ~= "binfmt_misc" and
      m.fstype ~= "autofs" and m.fstype ~= "nfsd" then
      table.insert(s.proc_masked, m.target)
    end
  end
end


local function read_status(s)
  local text = slurp("/proc/self/status")
  s.proc = text ~= nil
  if not text then return end
  local function field(name) return text:match("\n" .. name .. ":%s*([^\n]*)") end
  s.uid, s.euid = (field "Uid" or ""):match("(%d+)%s+(%d+)")
  s.uid, s.euid = tonumber(s.uid), tonumber(s.euid)
  s.gid = tonumber((field "Gid" or ""):match("^%d+"))
  s.threads = tonumber(field "Threads")
  s.seccomp = tonumber(field "Seccomp")
  s.no_new_privs = field "NoNewPrivs" == "1"
  local effective = tonumber(field "CapEff" or "", 16)
  s.caps = effective and {}
  for name, bit in pairs(effective and CAPABILITIES or {}) do
    s.caps[name] = effective >> bit & 1 == 1
  end
end


-- How many ids a map names, and whether it is the map of the first namespace.
local function read_map(path)
  local text = slurp(path)
  if not text then return nil end
  local total, ranges = 0, 0
  for count in text:gmatch("%d+%s+%d+%s+(%d+)") do
    total, ranges = total + tonumber(count), ranges + 1
  end
  return total, ranges == 1 and text:find("^%s*0%s+0%s+4294967295") ~= nil
end


-- Also where there is no /proc any more, if we came from one.
local function own_link(word)
  local ok, target = pcall(sys.read_proc_link, "/proc/self/ns/" .. word)
  return ok and target or nil
end


local function read_user(s)
  s.mapped_uids, s.initial_user = read_map("/proc/self/uid_map")
  s.mapped_gids = read_map("/proc/self/gid_map")
  local word = slurp("/proc/self/setgroups")
  s.setgroups = word and word:match("%a+")
  s.pid_ns, s.pid_children = own_link "pid", own_link "pid_for_children"
  s.proc_self = tonumber(link("/proc/self") or "")
  s.pid = sys.primitives.getpid()
  s.types = s.proc and {} or nil
  for _, word_of in ipairs { "mnt", "uts", "ipc", "net", "pid", "user", "cgroup", "time" } do
    if s.proc and s.pid_ns then
      s.types[word_of] = link("/proc/self/ns/" .. word_of) ~= nil
    end
  end
  if not s.pid_ns then s.types = nil end
end


local function read_sysctls(s)
  s.userns_clone = number("/proc/sys/kernel/unprivileged_userns_clone")
  s.apparmor_restrict =
    number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
  s.overcommit = number("/proc/sys/vm/overcommit_memory")
  s.mount_max = number("/proc/sys/fs/mount-max")
  s.pid_max = number("/proc/sys/kernel/pid_max")
  s.threads_max = number("/proc/sys/kernel/threads-max")
  s.ptrace_scope = number("/proc/sys/kernel/yama/ptrace_scope")
  s.limits = {}
  for _, word in ipairs { "mnt", "uts", "ipc", "net", "pid", "user", "cgroup", "time" } do
    s.limits[word] = number("/proc/sys/user/max_" .. word .. "_namespaces")
  end
  local label = slurp("/proc/self/attr/apparmor/current") or
    slurp("/proc/self/attr/current")
  s.label = label and label:match("^[^\n%z]+")
  s.selinux = number("/sys/fs/selinux/enforce")
  local filesystems = slurp("/proc/filesystems")
  s.filesystems = filesystems and {}
  for name in (filesystems or ""):gmatch("(%S+)\n") do s.filesystems[name] = true end
end


local function exists(path)
  local file = io.open(path, "r")
  if file then file:close() end
  return file ~= nil
end


-- Which container, distribution, CI or emulation this looks like.
local function read_place(s)
  local release = slurp("/proc/sys/kernel/osrelease") or ""
  s.kernel = release:match("%S+")
  if release:lower():find("microsoft", 1, true) then
    s.wsl = release:find("WSL2", 1, true) and 2 or
      (release:find("^4%.4") and 1 or 2)
  end
  if os.getenv "KUBERNETES_SERVICE_HOST" then s.container = "kubernetes"
  elseif exists "/.dockerenv" then s.container = "docker"
  elseif exists "/run/.containerenv" then s.container = "podman"
  else s.container = os.getenv "container" end
  s.ci = os.getenv "GITHUB_ACTIONS" and "GitHub Actions" or
    os.getenv "GITLAB_CI" and "GitLab CI" or (os.getenv "CI" and "CI") or nil
  local text = slurp("/etc/os-release") or slurp("/usr/lib/os-release") or ""
  s.distribution = ("\n" .. text):match('\nPRETTY_NAME="?([^"\n]+)')
end


-- The size of the range that /etc/subuid or /etc/subgid gives the caller.
local function subordinate(path, uid)
  local text, total = slurp(path), 0
  if not text or not uid then return nil end
  local name = ("\n" .. (slurp("/etc/passwd") or "")):match(
    "\n([^:\n]+):[^:\n]*:" .. uid .. ":")
  for owner, count in text:gmatch("([^:\n]+):%d+:(%d+)") do
    if owner == name or owner == tostring(uid) then total = total + tonumber(count) end
  end
  return total
end


local function on_path(program)
  for folder in (os.getenv "PATH" or "/usr/bin:/bin"):gmatch("[^:]+") do
    if exists(folder .. "/" .. program) then return folder .. "/" .. program end
  end
end


local function read_subordinate(s)
  s.subuid = subordinate("/etc/subuid", s.uid)
  s.subgid = subordinate("/etc/subgid", s.uid)
  s.newuidmap = on_path "newuidmap"
  s.newgidmap = on_path "newgidmap"
end


-- Limits on the number of processes: rlimit and the pids controller.
local function read_limits(s)
  local text = slurp("/proc/self/limits") or ""
  s.nproc = tonumber(text:match("Max processes%s+(%d+)"))
  s.nofile = tonumber(text:match("Max open files%s+(%d+)"))
  for line in (slurp("/proc/self/cgroup") or ""):gmatch("[^\n]+") do
    local controllers, path = line:match("^%d+:([^:]*):(.*)$")
    local v2 = controllers == ""
    for _, m in ipairs(s.mounts or {}) do
      local fits = v2 and m.fstype == "cgroup2" or not v2 and
        controllers == "pids" and m.fstype == "cgroup" and has_option(m.super, "pids")
      if fits then
        local base = m.target .. (path == "/" and "" or path)
        if v2 then
          s.cgroup2 = base
          local words = slurp(base .. "/cgroup.controllers")
          s.controllers = words and words:match("^[^\n]*")
        end
        s.pids_max = number(base .. "/pids.max") or s.pids_max
      end
    end
  end
end


local PARTS = {
  read_status, read_root, read_mounts, read_user, read_sysctls, read_place,
  read_subordinate, read_limits,
}


---Gathers every signal there is. A part that fails leaves its fields nil.
---@return table signals  a plain table
function signals.gather()
  local trace = sys.set_trace(nil)
  local s = {}
  for _, read in ipairs(PARTS) do pcall(read, s) end
  if trace then sys.set_trace(trace) end
  return s
end

return signals
