-- SPDX-License-Identifier: MIT
-- Primitives in a loop, as calls.c makes the bare calls: for each line it
-- reads it makes arg[2] calls of arg[1], and answers with a line. arg[3] is a
-- library with a function to take in place of ours (bare.c).

local ns = require "nslua"

local name, count = arg[1], tonumber(arg[2])

local loops = {}

function loops.getpid()
  local getpid = ns.getpid
  for _ = 1, count do getpid() end
end

function loops.sethostname()
  local sethostname = ns.sethostname
  for _ = 1, count do sethostname "bench" end
end

function loops.unshare()
  local unshare = ns.unshare
  for _ = 1, count do unshare "uts" end
end

function loops.propagate()
  local mount = arg[3] and assert(package.loadlib(arg[3], "luaopen_bare"))() or ns.mount
  for _ = 1, count do mount(nil, "/", nil, "private") end
end

function loops.bind()
  local mount, umount = ns.mount, ns.umount
  for _ = 1, count do
    mount("/tmp", "/tmp", nil, "bind")
    umount("/tmp", "detach")
  end
end

ns.unshare(table.unpack(ns.geteuid() == 0 and { "uts", "mnt" } or { "user", "uts", "mnt" }))
ns.mount(nil, "/", nil, "rec,private")
for _ in io.lines() do
  loops[name]()
  print()
  io.stdout:flush()
end
