-- SPDX-License-Identifier: MIT
-- What is done in every place: one act for each primitive and composite, run
-- in a child of its own. An act proves its effect with assert, or the kernel
-- refuses it. Prints "name<tab>result": "works", or the errno and the row of
-- the doctor's table that explains it. spec/places.lua wraps it.

local ns = require "nslua"
local sys = require "nslua.sys"
local rows = require "nslua.doctor.rows"
local lazy = require "nslua.doctor.lazy"

local PROGRAM, LESSONS = ... -- from spec/places.lua
local act = {}
local dir -- of the act


local function is(wanted, got)
  if wanted ~= got then error(("%s, not %s"):format(tostring(got), tostring(wanted)), 2) end
end

local function touch(path) assert(io.open(path, "w")):close() end

local function folders(...)
  for _, name in ipairs { ... } do ns.mkdir(dir .. "/" .. name) end
end

-- A child that lives until the act ends, in new namespaces when they are named.
local function sleeper(...)
  return ns.clone({ ... }, function() ns.poll({}, 60) end)
end

-- -- namespaces ------------------------------------------------------------------

for _, type in ipairs { "user", "mnt", "uts", "ipc", "net", "cgroup" } do
  act["unshare " .. type] = function()
    local before = ns.of(nil, type).inode
    ns.unshare(type)
    assert(ns.of(nil, type).inode ~= before)
  end
end
for _, type in ipairs { "pid", "time" } do
  act["unshare " .. type] = function()
    ns.unshare(type)
    assert(ns.fork(function() end):wait())
  end
end
act["unshare user uts"] = function()
  ns.unshare("user", "uts")
  ns.map(nil, "root")
  ns.sethostname "box"
  is("box", ns.gethostname())
end
act.map = function()
  ns.unshare "user"
  ns.map(nil, { uid = 7, gid = 8 })
  is(7, ns.getuid())
  is(8, ns.getgid())
end
act["map of many"] = function()
  local child <close> = sleeper "user"
  ns.map(child, { 0, 0, 2 })
end
act.setns = function() ns.setns(ns.of(nil, "uts")) end
act["setns net"] = function()
  local child <close> = sleeper("user", "net")
  ns.setns(child, "user", "net")
  is(ns.of(child, "net").inode, ns.of(nil, "net").inode)
end
act.of = function() is("uts", ns.of(nil, "uts").type) end
act["of pid"] = function() is("uts", ns.of(ns.getpid(), "uts").type) end
act["Ns:owner"] = function()
  local owner = ns.of(nil, "uts"):owner() -- nil where it is above what we may see
  assert(owner == nil or owner.type == "user")
end
act["Ns:parent"] = function() return ns.of(nil, "user"):parent() end
act["Ns:owner_uid"] = function() return ns.of(nil, "user"):owner_uid() end
act["Ns:members"] = function() assert(#ns.of(nil, "uts"):members() > 0) end
act["Ns:pin"] = function()
  touch(dir .. "/pin")
  ns.of(nil, "uts"):pin(dir .. "/pin")
  is(ns.of(nil, "uts").inode, ns.of(dir .. "/pin").inode)
end
act.here = function() assert(ns.here()) end
act.back = function() ns.chdir(dir) ns.back() assert(ns.getcwd() ~= dir) end
act.lo_up = function() ns.lo_up() end
act.timens_offsets = function()
  ns.unshare "time"
  ns.timens_offsets { boottime = 1000000 }
  local later = ns.fork(function() ns._exit(ns.clock "boottime" > 1000000 and 0 or 1) end)
  is(true, (later:wait()))
end
act.netnsids = function() ns.netnsids() end

-- -- processes -------------------------------------------------------------------

act.fork = function() is(3, select(3, ns.fork(function() ns._exit(3) end):wait())) end
act["fork twice"] = function()
  local pid = ns.fork()
  if pid == 0 then ns._exit(4) end
  is(4, select(3, ns.wait(pid)))
end
act.exec = function() is(5, select(3, ns.fork(function() ns.exec { "/bin/sh", "-c", "exit 5" } end):wait())) end
act.kill = function()
  local child = sleeper()
  ns.kill(child, "TERM")
  is("signal", (select(2, child:wait())))
end
act.killpg = function()
  local child = ns.clone({ session = true }, function() ns.poll({}, 60) end)
  ns.killpg(child.pid, "KILL")
  is(9, select(3, child:wait()))
end
act.pidfd_open = function() assert(ns.pidfd_open(ns.getpid())) end
act.subreaper = function() ns.subreaper(true) end
act.pdeathsig = function() ns.pdeathsig "KILL" end
act.dumpable = function() ns.dumpable(true) end
act.pty = function() local m, s = ns.pty() assert(m.fileno and s) end
act["clone plain"] = function() assert(ns.clone({}, { "/bin/sh", "-c", "exit 0" }):wait()) end
act["clone user"] = function() assert(ns.clone({ "user", map = "root" }, { "/bin/sh", "-c", "exit 0" }):wait()) end
act["clone function"] = function() assert(ns.clone({ "user", map = "root" }, function() end):wait()) end
act["clone uts"] = function() assert(ns.clone({ "uts" }, { "/bin/sh", "-c", "exit 0" }):wait()) end

-- -- mounts and roots ------------------------------------------------------------

act.mount = function()
  local m <close> = ns.mount("tmpfs", dir, "tmpfs")
  is("tmpfs", m.type)
  touch(dir .. "/f")
end
act.umount = function()
  ns.mount("tmpfs", dir, "tmpfs")
  ns.umount(dir)
  is(false, ns.is_mount(dir))
end
act["mount proc"] = function() ns.mount("proc", dir, "proc") end
act.bind = function()
  folders("a", "b")
  touch(dir .. "/a/f")
  ns.bind(dir .. "/a", dir .. "/b", { ro = true })
  assert(ns.access(dir .. "/b/f") and not io.open(dir .. "/b/f", "w"))
end
act["bind idmap"] = function()
  folders("a", "b")
  ns.bind(dir .. "/a", dir .. "/b", { idmap = { { 0, 7, 1 }, { 65534, 8, 1 } } })
  assert(ns.stat(dir .. "/b").uid > 6)
end
act.overlay = function()
  ns.mount("tmpfs", dir, "tmpfs")
  folders("l", "u", "w", "t")
  ns.overlay { lower = dir .. "/l", upper = dir .. "/u", work = dir .. "/w", target = dir .. "/t" }
  touch(dir .. "/t/f")
  assert(ns.access(dir .. "/u/f"))
end
act.propagate = function() ns.propagate "rprivate" end
act.fsmount = function() ns.move_mount(ns.fsmount "tmpfs", dir) end
act.open_tree = function() ns.open_tree(dir) end
act["open_tree clone"] = function() ns.open_tree(dir, "clone") end
act.mount_setattr = function()
  ns.mount("tmpfs", dir, "tmpfs")
  ns.mount_setattr(dir, { set = "ro" })
  assert(not io.open(dir .. "/f", "w"))
end
act.mounts = function() assert(#ns.mounts() > 0) end
act.chroot = function()
  touch(dir .. "/here")
  ns.chroot(dir)
  assert(ns.access "/here")
end
act.pivot_root = function()
  ns.bind(dir, dir)
  touch(dir .. "/here")
  ns.pivot_root(dir)
  assert(ns.access "/here")
end
act.chdir = function() ns.chdir(dir) is(dir, ns.getcwd()) end
act.mknod = function() ns.mknod(dir .. "/null", "char", "666", 1, 3) end
act["mknod fifo"] = function() ns.mknod(dir .. "/fifo", "fifo", "600") is("fifo", ns.stat(dir .. "/fifo").type) end
act.files = function()
  ns.mkdir(dir .. "/a") ns.symlink("a", dir .. "/b") is("a", ns.readlink(dir .. "/b")) ns.rename(dir .. "/a", dir .. "/c")
  touch(dir .. "/f") ns.hardlink(dir .. "/f", dir .. "/g") is(2, ns.stat(dir .. "/g").nlink)
  ns.chmod(dir .. "/f", "600") is("link", ns.lstat(dir .. "/b").type) ns.unlink(dir .. "/f") ns.rmdir(dir .. "/c")
  is(2, #ns.readdir(dir))
  local fd <close> = ns.open(dir .. "/g") local m <close> = ns.memfd "m"
  assert(ns.access(dir .. "/g", "r") and ns.isatty(fd) == false and m:fileno() > 0)
end
act["chown to another"] = function()
  touch(dir .. "/f")
  ns.chown(dir .. "/f", 1, 1)
  is(1, ns.stat(dir .. "/f").uid)
end

-- -- names, ids, rights ----------------------------------------------------------

act.sethostname = function() ns.sethostname "here" is("here", ns.gethostname()) end
act.setdomainname = function() ns.setdomainname "here" is("here", ns.getdomainname()) end
act.uname = function() is("Linux", ns.uname().sysname) end
act.ids = function() is(ns.getuid(), (ns.getresuid())) is(ns.getgid(), (ns.getresgid())) ns.getgroups() end
act["setuid itself"] = function() ns.setuid(ns.getuid()) ns.setgid(ns.getgid()) end
act["setuid another"] = function() ns.setuid(1) is(1, ns.getuid()) end
act["setgid another"] = function() ns.setgid(1) is(1, ns.getgid()) end
act.setgroups = function() ns.setgroups {} is(0, #ns.getgroups()) end
act.capabilities = function() assert(ns.capabilities().effective) end
act["capabilities pid"] = function() assert(ns.capabilities(ns.getpid()).effective) end
act.capset = function() ns.capset { effective = "none" } is("none", tostring(ns.capabilities().effective)) end
act.cap_keep = function() ns.cap_keep "none" is("none", tostring(ns.capabilities().permitted)) end
act.cap_drop = function() ns.cap_drop "chown" is(nil, ns.capabilities().permitted.chown) end
act.cap_raise = function() ns.cap_raise "kill" is(true, ns.capabilities().ambient.kill) end
act.cap_drop_bounding = function() ns.cap_drop_bounding "kill" is(nil, ns.capabilities().bounding.kill) end
act.securebits = function() ns.securebits "noroot" is("noroot", ns.securebits()[1]) end
act.no_new_privs = function() is(true, ns.no_new_privs(true)) end
act.rlimit = function() ns.rlimit("core", 0, 0) is(0, (ns.rlimit "core")) end
act.getcap = function() is(nil, ns.getcap "/bin/sh") end
act.subids = function() assert(ns.subids().uid) end

-- -- looking ---------------------------------------------------------------------

act.list = function() assert(#ns.list() > 0) end
act.ps = function() assert(#ns.ps() > 0) end
act.matrix = function() assert(tostring(ns.matrix()):find "uts") end
act.nspid = function() assert(ns.nspid(ns.getpid())[1]) end
act.pid_in = function() assert(ns.pid_in(ns.getpid(), ns.of(nil, "pid"))) end
act.can = function() assert(ns.can().uname == nil and tostring(ns.can()):find "user") end
act["netns.list"] = function() ns.netns.list() end
act["netns.add"] = function() ns.netns.add "spec-places" ns.netns.del "spec-places" end
act["rootfs.get"] = function() is(dir, ns.rootfs.get(dir):path()) end
act.trace = function()
  local lines = 0
  ns.trace(function() lines = lines + 1 end)
  ns.getpid() ns.setgid(ns.getgid())
  ns.trace(false)
  assert(lines > 0)
end

-- -- networks --------------------------------------------------------------------

act["link.list"] = function() is("lo", ns.link.list()[1].name) end
act["address.list"] = function() assert(ns.address.list()) end
act["route.list"] = function() assert(ns.route.list()) end
act["link.add"] = function()
  ns.link.add { kind = "veth", name = "specp0", peer = { name = "specp1" } }
  is("specp1", ns.link.get "specp1".name)
  ns.link.get "specp0":delete()
end
act["link up"] = function() ns.link.get "lo":up() end
act.lab = function()
  local lab <close> = ns.lab { a = { "10.0.0.1/24" }, b = { "10.0.0.2/24" }, link = { "a", "b" } }
  assert(lab:pingall().ok)
end
act["box ping"] = function()
  local box <close> = ns.box { net = "lo" }
  assert(box:ping "127.0.0.1".ok and #box:links() == 1 and #box:addresses() > 0 and box:routes())
end

-- -- composites ------------------------------------------------------------------

local WORDS = { "uts", "ipc", "net", "cgroup", "time", "mnt", "pid", "user" }
for _, type in ipairs(WORDS) do
  act["box " .. type] = function()
    local box <close> = ns.box { type }
    assert(ns.of(box, type).inode ~= ns.of(nil, type).inode)
  end
end
act["box of all"] = function()
  local box <close> = ns.box { hostname = "all" }
  is("all", box:hostname())
  is("all\n", (box:read "hostname"))
  is("1", (box:read "cat /proc/1/comm | wc -l"):match "%d")
end
act["box map of many"] = function()
  local box <close> = ns.box { "user", map = { { 0, 0, 1 }, { 1, 1, 1 } } }
  is("0", (box:read "id -u"):match "%d+")
end
act["box caps"] = function()
  local box <close> = ns.box { "user", caps = "kill" }
  assert((box:read "cat /proc/self/status"):find "CapEff:%s+0000000000000020")
end
act["box chroot"] = function() local box <close> = ns.box { chroot = "/", pid = false } is("/\n", (box:read "pwd")) end
act["box root"] = function()
  folders("bin", "proc")
  local box <close> = ns.box { "mnt", root = dir, proc = true, hostname = "rooted" }
  is("rooted", box:call(ns.gethostname))
  assert(box:call(ns.access, "/bin"))
end
act["box mounts"] = function()
  local box <close> = ns.box { "mnt", mounts = { { "tmpfs", dir, "tmpfs" } } }
  is(true, box:call(ns.is_mount, dir))
end
act["run plain"] = function() is(6, select(3, ns.run({}, { "/bin/sh", "-c", "exit 6" }))) end
act["run uts"] = function() is(6, select(3, ns.run({ hostname = "x" }, { "/bin/sh", "-c", "exit 6" }))) end
act["run function"] = function() assert(ns.run({ "uts" }, function() ns.sethostname "x" end)) end
act.methods = function()
  local box <close> = ns.box { "uts", hostname = "meth" }
  is("meth", box:call(ns.gethostname))
  is(true, (box:sh "exit 0"))
  is(true, (box:run { "/bin/sh", "-c", "exit 0" }))
  is(true, (box:enter { "/bin/sh", "-c", "exit 0" }))
  local p <close> = box:spawn { "sleep", "60" }
  is(2, #box:pids())
  is(true, #box:ps() > 0 and #box:mounts() > 0 and box:pid_in(ns.of(box, "pid")) == 1)
  is("uts", box:ns("uts").type)
  assert(tostring(box:view()) and select(2, box:command()))
  p:kill "KILL"
  is("signal", (select(2, p:wait(5))))
end
for _, name in ipairs(LESSONS) do
  act["lesson " .. name] = function()
    local r, w = ns.pipe()
    local child <close> = ns.fork(function()
      local null = ns.open("/dev/null", "rdwr")
      for fd = 0, 1 do null:dup2(fd) end
      w:dup2(2)
      ns.exec { PROGRAM, "--batch", name }
    end)
    w:close()
    local said = r:read "a"
    local ok, how, code = child:wait(100)
    if ok then return end
    local told = said:find "\n%s*why  %u" and said:find "\n%s*fix  %l"
      or said:find("/proc is not mounted here (mount -t proc proc /proc)", 1, true)
      or said:find(" is 0 (an admin may run: sysctl -w user.max_", 1, true)
    told = told and "why" or "mute"
    error(("%s %s %s"):format(how, code, told), 0)
  end
end

-- Every other function that there is: without arguments it says what it wants,
-- or does what cannot do harm. Listed by the name alone.
local done = { ["_exit"] = true, pipe = true }
for name in pairs(act) do done[name:match "^[%w_.]+"] = true end
for name in ("access chmod getcwd getppid getuid geteuid getgid getegid getresuid getresgid getgroups getcap gethostname "
  .. "getdomainname getpid hardlink is_mount isatty lstat memfd mkdir mkdtemp open readdir readlink rename rmdir "
  .. "stat symlink unlink chown setgid setuid wait box run clone move_mount fd generation"):gmatch "%S+" do done[name] = true end
local names = {}
for name, value in pairs(ns) do if type(value) == "function" then names[name] = true end end
for name in pairs(sys.lazy.names) do names[name] = true end
for name in pairs(names) do
  if not done[name] then
    act["call " .. name] = function()
      local ok, err = pcall(function() return ns[name]() end)
      if not ok and type(err) == "string" then return end -- what is wanted is said
      if not ok then error(err, 0) end
    end
  end
end

-- -- doing it --------------------------------------------------------------------

-- The row that explains it, or "?" when nobody can.
local function row_of(err)
  local row = rows.find(lazy.signals(), rows.event(err))
  local told = err.why and err.fix and #err.why > 0
  return row and told and row.id or "?"
end

local function try(fn)
  local ok, err = pcall(fn)
  if ok then return "works" end
  if getmetatable(err) == sys.error_type then return err.name .. " " .. row_of(err) end
  local text = tostring(err)
  return text:match "^%l+ %d+ %l+$" or ("? " .. sys.clean(text):gsub("[\t\n]", " "))
end

-- What an act left: its mounts ended with it.
local function clean(path)
  for _, name in ipairs(ns.readdir(path)) do
    local inner = path .. "/" .. name
    if not ns.try(ns.unlink, inner) then
      for _, leaf in ipairs(ns.readdir(inner)) do
        if not ns.try(ns.unlink, inner .. "/" .. leaf) then ns.try(ns.rmdir, inner .. "/" .. leaf) end
      end
      ns.try(ns.rmdir, inner)
    end
  end
  ns.rmdir(path)
end


-- In a child, with mounts of its own where it may have them.
local function run(name)
  local r, w = ns.pipe()
  local child <close> = ns.fork(function()
    r:close()
    ns.try(ns.unshare, "mnt")
    w:write(try(act[name]))
    ns._exit(0)
  end)
  w:close()
  local result = r:read "a"
  r:close()
  local _, how, code = child:wait(60)
  return result ~= "" and result or ("ended by %s %s"):format(how, code)
end


local list = {}
for name in pairs(act) do list[#list + 1] = name end
table.sort(list)
for _, name in ipairs(list) do
  dir = ns.mkdtemp "/tmp/nslua-act-XXXXXX"
  io.write(name, "\t", run(name), "\n")
  clean(dir)
end
io.stdout:flush()
