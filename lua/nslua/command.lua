-- SPDX-License-Identifier: MIT
-- A box as the command lines that make its like: unshare(1) for a new one,
-- nsenter(1) for one more process in it.

local sys = require "nslua.sys"

local command = { methods = { Proc = {} } }

local UNSHARE = {
  { "user", "--user" }, { "mnt", "--mount" }, { "pid", "--pid" },
  { "uts", "--uts" }, { "ipc", "--ipc" }, { "net", "--net" },
  { "cgroup", "--cgroup" }, { "time", "--time" },
}


local function quote(word)
  word = tostring(word)
  if word:find "^[%w@%%_+=:,./-]+$" then return word end
  return "'" .. word:gsub("'", [['\'']]) .. "'"
end

local function add_ranges(line, option, ranges)
  if type(ranges) == "number" then
    line[#line + 1] = ("%s=%d"):format(option:gsub("s$", ""), ranges)
    return
  end
  if type(ranges[1]) ~= "table" then ranges = { ranges } end
  for _, r in ipairs(ranges) do
    line[#line + 1] = ("%s=%d,%d,%d"):format(option, r[2], r[1], r[3])
  end
end

local function add_map(line, map)
  if map == "root" or map == true then
    line[#line + 1] = "--map-root-user"
  elseif map == "current" then
    line[#line + 1] = "--map-current-user"
  elseif type(map) == "table" then
    if map.uid then add_ranges(line, "--map-users", map.uid) end
    if map.gid then add_ranges(line, "--map-groups", map.gid) end
    if map.setgroups then
      line[#line + 1] = "--setgroups=" .. map.setgroups
    end
  end
end

local function add_types(line, which)
  for _, pair in ipairs(UNSHARE) do
    if which[pair[1]] == true then line[#line + 1] = pair[2] end
  end
  if which.pid == true then line[#line + 1] = "--fork" end
end

local function root_path(root)
  if type(root) == "string" then return root end
  local ok, path = pcall(function() return root:path() end)
  return ok and path or tostring(root)
end

-- What unshare has no option for is done by a shell in the box.
local function inner_script(opts)
  local acts = {}
  if opts.hostname then acts[#acts + 1] = "hostname " .. quote(opts.hostname) end
  if opts.net == "lo" then acts[#acts + 1] = "ip link set lo up" end
  for _, m in ipairs(opts.mounts or {}) do
    local flags = type(m[4]) == "table" and table.concat(m[4], ",") or m[4]
    acts[#acts + 1] = ("mount%s%s %s %s"):format(
      m[3] and " -t " .. quote(m[3]) or "",
      flags and " -o " .. quote(flags) or "", quote(m[1] or "none"),
      quote(m[2]))
  end
  return acts
end

local function program_of(opts)
  local acts, words = inner_script(opts), {}
  for i, word in ipairs(opts.argv or {}) do words[i] = quote(word) end
  local program = #words > 0 and table.concat(words, " ") or "sh"
  if opts.chroot then
    program = ("chroot %s %s"):format(quote(root_path(opts.chroot)), program)
  end
  if #acts == 0 then return program end
  acts[#acts + 1] = "exec " .. program
  return "sh -c " .. quote(table.concat(acts, "; "))
end

local function unshare_line(opts, which)
  local line = { "unshare" }
  add_types(line, which)
  if which.user == true then add_map(line, opts.map) end
  if opts.die_with_parent then line[#line + 1] = "--kill-child" end
  if which.pid ~= true and opts.die_with_parent then table.remove(line) end
  if opts.root then
    line[#line + 1] = "--root=" .. quote(root_path(opts.root))
  end
  if opts.proc then line[#line + 1] = "--mount-proc" end
  for _, clock in ipairs { "monotonic", "boottime" } do
    if opts[clock] then
      line[#line + 1] = ("--%s=%s"):format(clock, opts[clock])
    end
  end
  if opts.cwd then line[#line + 1] = "--wd=" .. quote(opts.cwd) end
  line[#line + 1] = program_of(opts)
  return table.concat(line, " ")
end

local function nsenter_line(proc)
  local line = { "nsenter", ("--target=%d"):format(proc.pid) }
  local types = sys.different(proc)
  for _, pair in ipairs(UNSHARE) do
    local _, bits = sys.nstype(pair[1])
    if types & bits ~= 0 then line[#line + 1] = pair[2] end
  end
  line[#line + 1] = "--root --wd sh"
  return table.concat(line, " ")
end


---The shell commands that do the same: the unshare(1) line that makes such a
---box (for a process that is no box of ours: nothing), and the nsenter(1) line
---that enters this one.
---
---    print(box:command())
---
---Raises: ESRCH (the process has ended).
---Source: unshare(1), nsenter(1)
---@return string? unshare
---@return string nsenter
function command.methods.Proc:command()
  sys.self(self, "Proc")
  local ok, fields = pcall(sys.fields, self)
  local opts = ok and fields.options
  return opts and unshare_line(opts, fields.which) or nil, nsenter_line(self)
end

return command
