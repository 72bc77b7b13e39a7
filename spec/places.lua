-- SPDX-License-Identifier: MIT
-- Places that are hard to be in, each as the Lua code that goes there, and how
-- spec/actions.lua is run in one of them. Everything starts as root (the place
-- "root" alone) or as somebody without any right.

local helpers = require "spec.helpers"
local ns = require "nslua"

local places = {}

-- Nobody's hostname, mounts and links are in reach of what follows.
local APART = [[
  ns.unshare("mnt", "uts", "net", "ipc")
  ns.propagate "rprivate"
]]

-- Every file system again, below one that we own: an ordinary root to look at.
local CHROOT = [[
  ns.mount("/", "/mnt", nil, "rbind")
  ns.chroot "/mnt"
  ns.chdir "/"
]]

-- As if the program had begun there: a /proc from before is not remembered.
local BEGIN = [[ require "nslua.sys".forget_start() ]]

places.prologue = {
  root = APART,
  nobody = "",
  chroot = [[
    ns.unshare("user", "mnt") ns.map(nil, "root")
    ns.propagate "rprivate"
  ]] .. CHROOT,
  ["chroot of root"] = APART .. CHROOT,
  ["no quota"] = [[
    ns.unshare "user" ns.map(nil, "root")
    local f = assert(io.open("/proc/sys/user/max_user_namespaces", "w"))
    f:write "0" f:close()
    ns.cap_keep "none"
  ]],
  ["no proc"] = [[
    ns.unshare("user", "mnt") ns.map(nil, "root")
    ns.propagate "rprivate"
    ns.mount("tmpfs", "/proc", "tmpfs", "ro")
  ]] .. BEGIN,
  ["no proc of root"] = APART .. [[ ns.mount("tmpfs", "/proc", "tmpfs", "ro") ]] .. BEGIN,
  filter = "",
  docker = "",
  -- Users and pids, until the kernel says that it is enough.
  ["32 deep"] = [[
    local function deeper(level)
      if not ns.try(ns.unshare, "user", "pid") then
        assert(level >= 30, level)
        return
      end
      ns.map(nil, "root")
      local pid = ns.fork()
      if pid == 0 then return deeper(level + 1) end
      ns._exit(select(3, ns.wait(pid)))
    end
    deeper(0)
    ns.unshare "mnt"
    ns.mount("proc", "/proc", "proc")
    while ns.try(ns.unshare, "user") do ns.map(nil, "root") end
    ns.unshare("mnt", "uts", "net")
  ]],
  -- In one process, all alive while the rest is done.
  ["500 boxes"] = [[
    ns.rlimit("nofile", (select(2, ns.rlimit "nofile")))
    boxes = {}
    for i = 1, 500 do boxes[i] = ns.box { "uts", "pid", hostname = "box" .. i } end
    local seen = {}
    for i, box in ipairs(boxes) do
      assert(box:hostname() == "box" .. i and box.running)
      local id = ns.of(box, "pid").inode
      assert(not seen[id])
      seen[id] = true
    end
  ]],
}

-- The same afterwards.
local EPILOGUE = {
  ["500 boxes"] = [[
    for i, box in ipairs(boxes) do assert(box:hostname() == "box" .. i) end
    for _, box in ipairs(boxes) do box:close() end
    assert(io.open("/proc/self/task/" .. ns.getpid() .. "/children"):read "a" == "")
  ]],
}

local EPERM, ENOSYS = 0x50001, 0x50026
local CLONE = { x86_64 = 56, aarch64 = 220 }
local UNSHARE = { x86_64 = 272, aarch64 = 97 }
local SETNS = { x86_64 = 308, aarch64 = 268 }
local MOUNT = { x86_64 = 165, aarch64 = 40 }

-- A filter of classic BPF: whole calls, and clone with namespace flags.
local FILTER = [[
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def op(code, k, yes=0, no=0): return struct.pack("HBBI", code, yes, no, k)
code = op(0x20, 0)
for rule in sys.argv[1].split():
    parts = [int(p) for p in rule.split(":")]
    if len(parts) == 3:  # number, mask of the first argument, action
        code += op(0x15, parts[0], 0, 4) + op(0x20, 16) + op(0x45, parts[1], 0, 1) + op(6, parts[2]) + op(0x20, 0)
    else:
        code += op(0x15, parts[0], 0, 1) + op(6, parts[1])
code += op(6, 0x7fff0000)
text = ctypes.create_string_buffer(code)
class Program(ctypes.Structure): _fields_ = [("n", ctypes.c_ushort), ("p", ctypes.c_void_p)]
program = Program(len(code) // 8, ctypes.cast(text, ctypes.c_void_p))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(program)) == 0
os.execvp(sys.argv[2], sys.argv[2:])
]]

local function rules(place)
  local machine = ns.uname().machine
  local list = { UNSHARE[machine] .. ":" .. EPERM }
  if place == "filter" then
    list[2] = "435:" .. EPERM
  else -- as Docker's default: clone3 is absent, so that clone's flags can be seen
    list[2] = "435:" .. ENOSYS
    list[3] = ("%d:%d:%d"):format(CLONE[machine], 0x7E020000, EPERM)
    list[4] = SETNS[machine] .. ":" .. EPERM
    list[5] = MOUNT[machine] .. ":" .. EPERM
  end
  return table.concat(list, " ")
end


local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end


---Runs the acts in a place: name -> result, the time it took, and what came on
---standard error.
---@param lessons string[]
function places.visit(place, lessons)
  local program = helpers.public_program()
  local code = table.concat {
    "local ns = require 'nslua'\n",
    "do ", places.prologue[place], " end\n",
    "local function acts(...) ", read "spec/actions.lua", "\nend\n",
    ("acts(%q, { %s })\n"):format(program, #lessons > 0 and '"' .. table.concat(lessons, '", "') .. '"' or ""),
    EPILOGUE[place] or "",
  }
  local argv = { program, "-e", code }
  if place == "filter" or place == "docker" then
    argv = { "/usr/bin/python3", "-c", FILTER, rules(place), table.unpack(argv) }
  end
  local as_root = place == "root" or place:find " of root$"
  local uid = not as_root and ns.geteuid() == 0 and 65534 or nil
  local out, err, status = helpers.run(argv, { uid = uid, cwd = "/", limit = 300 })
  local results = {}
  for name, result in out:gmatch "([^\t\n]+)\t([^\n]*)\n" do results[name] = result end
  return results, err, status
end

return places
