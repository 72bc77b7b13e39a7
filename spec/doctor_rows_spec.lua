-- SPDX-License-Identifier: MIT
-- The doctor's table is pure: signals and a refusal in, words out. One spec
-- for each symptom that users of namespaces have met.

local helpers = require "spec.helpers"
local ns = require "nslua"
local doctor = require "nslua.doctor"
local rows = require "nslua.doctor.rows"

-- A machine on which nothing is wrong, and somebody without rights.
local function machine(changes)
  local s = {
    uid = 1000, euid = 1000, gid = 1000, initial_user = true, mapped_uids = 4294967295,
    mapped_gids = 4294967295, setgroups = "allow", threads = 1, seccomp = 0,
    filtered = false, proc = true, pid = 7, proc_self = 7, chrooted = false,
    pid_ns = "pid:[1]", pid_children = "pid:[1]", root_shared = false, proc_masked = {},
    caps = {}, limits = { user = 1000, pid = 1000, uts = 1000 }, mounts = {},
    types = { user = true, pid = true, time = true }, kernel = "6.1.0", subuid = 65536,
    newuidmap = "/usr/bin/newuidmap",
  }
  for key, value in pairs(changes or {}) do s[key] = value end
  return s
end


-- In a user namespace of one's own: all capabilities, and one uid.
local function inside(changes)
  local s = machine { initial_user = false, mapped_uids = 1, mapped_gids = 1,
    setgroups = "deny", caps = { sys_admin = true, sys_chroot = true },
    owned = { mnt = true, pid = true, net = true, uts = true, user = true } }
  for key, value in pairs(changes or {}) do s[key] = value end
  return s
end

local USER = { "CLONE_NEWUSER" }
local MAP = { "uid_map", "0 1000 1\n" }
local PROC = { '"proc"', '"/proc"', '"proc"', "0", "NULL" }
local TMPFS = { '"tmpfs"', '"/tmp"', '"tmpfs"', "0", "NULL" }
local LEFT = { pid_children = "pid:[2]" }

-- row, what happens, signals, call, errno, args, id, a word of why, one of fix
local symptoms = {
  { 1, "a type without a user namespace", machine(), "unshare", "EPERM", { "CLONE_NEWPID" },
    "needs-user", "new pid namespace", [[ns.unshare("user", "pid") or ns.box{user=true, "pid"} (shell: unshare -Ur --pid --fork)]] },
  { 1, "uid 0 of a container without CAP_SYS_ADMIN", machine { euid = 0, container = "docker" },
    "unshare", "EPERM", { "CLONE_NEWUTS" }, "root-without-power", "(docker)", "user=true" },
  { 1, "a mount without rights", machine(), "mount", "EPERM", TMPFS, "mount-power",
    "CAP_SYS_ADMIN", "unshare -Ur --mount" },
  { 2, "a sysctl of the distribution", machine { userns_clone = 0 }, "unshare", "EPERM", USER,
    "userns-sysctl", "unprivileged_userns_clone is 0", "sudo nslua" },
  { 3, "a chroot seen in the mount table", machine { chrooted = true }, "clone3", "EPERM", USER,
    "chroot", "inside a chroot", "pivot_root" },
  { 3, "a chroot into a mount, found by trying", machine { below_root = true }, "unshare",
    "EPERM", USER, "chroot", "inside a chroot", "ns.box{root=DIR}" },
  { 4, "a filter that refuses unshare(0)", machine { seccomp = 2, filtered = true }, "unshare",
    "EPERM", USER, "seccomp", "filter", "seccomp=unconfined" },
  { 4, "a filter that looks at flags", machine { seccomp = 2, container = "podman" },
    "clone3", "EPERM", USER, "container-filter", "Seccomp: 2 (podman)", "seccomp=unconfined" },
  { 5, "a map that AppArmor refuses", inside { apparmor_restrict = 1, distribution = "Ubuntu 24.04" },
    "write", "EPERM", MAP, "apparmor-map", "Ubuntu 24.04", "sudo nslua" },
  { 6, "AppArmor at the birth", machine { apparmor_restrict = 1 }, "clone3", "EACCES", USER,
    "apparmor-birth", "AppArmor restricts", "sudo nslua" },
  { 5, "AppArmor at setgroups", inside { apparmor_restrict = 1 }, "write", "EACCES",
    { "setgroups", '"deny"' }, "apparmor-map", "took its capabilities", "sysctl -w" },
  { 7, "AppArmor at a mount", inside { apparmor_restrict = 1, label = "unprivileged_userns (enforce)" },
    "mount", "EACCES", TMPFS, "lsm-mount", "unprivileged_userns (enforce)", "audit line" },
  { 7, "SELinux at a mount", inside { selinux = 1 }, "mount", "EACCES", TMPFS, "lsm-mount",
    "SELinux", "journalctl" },
  { 8, "an empty quota", machine { limits = { user = 0 } }, "unshare", "ENOSPC", USER,
    "quota-zero", "user.max_user_namespaces is 0", "sysctl -w user.max_user_namespaces" },
  { 8, "a quota that is used up", machine(), "clone3", "ENOSPC", { "CLONE_NEWPID" },
    "quota-used", "nested 32 deep", "ns.list()" },
  { 9, "a fork after PID 1 has gone", inside(LEFT), "fork", "ENOMEM", {}, "dead-pid1",
    "Not memory", "ns.box{pid=true}" },
  { 9, "the same after a user namespace was left too", inside { pid_children = "pid:[2]", left_user = true },
    "fork", "ENOMEM", {}, "dead-pid1", "Not memory", "no way back but :undo" },
  { 10, "proc without a pid namespace", inside { owned = { mnt = true, pid = false } }, "mount",
    "EPERM", PROC, "proc-no-pid", "belongs to a user namespace above", "--mount-proc" },
  { 10, "proc without a mount namespace", inside { owned = { mnt = false, pid = true } }, "mount",
    "EPERM", PROC, "mount-not-own", "mount namespace still belongs", "ns.unshare(\"mnt\")" },
  { 10, "proc under the masks of a container", inside { proc_masked = { "/proc/kcore" } }, "mount",
    "EPERM", PROC, "proc-masked", "/proc/kcore", "systempaths=unconfined" },
  { 10, "proc after the old root has gone", inside { proc = false }, "mount", "EPERM", PROC,
    "proc-none", "detached", "before the old root goes" },
  { 10, "sysfs without a network namespace", inside(), "mount", "EPERM",
    { '"sysfs"', '"/sys"', '"sysfs"', "0", "NULL" }, "sysfs-net", "network namespace", "--rbind" },
  { 11, "proc before the fork", inside { pid_children = "pid:[2]", owned = { mnt = true, pid = false } },
    "mount", "EPERM", PROC, "proc-no-fork", "not the process itself", "fork first" },
  { 13, "a chown to an unmapped id", inside(), "fchownat", "EINVAL", { '"shadow"', "0", "42" },
    "unmapped-id", "1 uid(s) and 1 gid(s) are mapped", "--no-same-owner" },
  { 14, "setgroups behind a one-line map", inside(), "setgroups", "EPERM", { "[1, 2]" },
    "setgroups-denied", "setgroups is denied", "expected" },
  { 15, "many ids without newuidmap", machine { subuid = 0 }, "write", "EPERM",
    { "uid_map", "0 100000 65536\n" }, "map-many", "names no range for you", "add-subuids" },
  { 15, "newuidmap without a range", machine { subuid = 0 }, "newuidmap", "EPERM", {}, "newuidmap",
    "no range for you", "map=\"root\"" },
  { 16, "a device node", inside(), "mknod", "EPERM", { '"dev/null"' }, "mknod",
    "first user namespace", "ns.bind" },
  { 16, "a real disk", inside(), "mount", "EPERM", { '"/dev/sda1"', '"/mnt"', '"ext4"', "0", "NULL" },
    "real-disk", "(ext4)", "bind it in" },
  { 17, "a type that the kernel lacks", machine { types = { time = false }, wsl = 2 }, "unshare",
    "EINVAL", { "CLONE_NEWTIME" }, "no-such-type", "no time namespaces", "leaves out" },
  { 18, "the namespaces of another's process", machine(), "open", "EACCES", { '"/proc/1/ns/mnt"' },
    "hidden-process", "may trace it", "sudo nslua" },
  { nil, "a process of the user namespace that was left", inside { left_user = true }, "open", "EACCES",
    { "/proc/PID/ns", '"user"' }, "hidden-left-user", "has left the user namespace", ":undo" },
  { nil, "joining it", inside { left_user = true }, "setns", "EPERM", { "5", "CLONE_NEWUTS" }, "join-left-user",
    "has left the user namespace", "after the unshare" },
  { 18, "joining another's process", machine(), "setns", "EPERM", { "5", "CLONE_NEWUTS" }, "join-refused",
    "CAP_SYS_ADMIN", "sudo nslua" },
  { 19, "a link in somebody else's network", machine(), "rtnetlink", "EPERM", { "RTM_NEWLINK" },
    "link-power", "you do not own it", "one user namespace" },
  { 20, "a busy mount", machine { mounts = { { target = "/a/b" } } }, "umount2", "EBUSY",
    { '"/a"', "0" }, "umount-busy", "/a/b", "umount -l" },
  { 20, "a busy mount that covers another with mounts below", machine { mounts = {
      { id = 1, parent = 0, target = "/" }, { id = 2, parent = 1, target = "/a/b" },
      { id = 3, parent = 1, target = "/a" }, } },
    "umount2", "EBUSY", { '"/a"', "0" }, "umount-busy", "a process's cwd", "leave the directory" },
  { 20, "a busy mount with a mount on a mount below", machine { mounts = {
      { id = 1, parent = 0, target = "/" }, { id = 3, parent = 1, target = "/a" },
      { id = 4, parent = 3, target = "/a/c" }, { id = 5, parent = 4, target = "/a/c/d" } } },
    "umount2", "EBUSY", { '"/a/"', "0" }, "umount-busy", "2 mount(s) lie below it, e.g. /a/c.", "detach" },
  { 21, "a mount that came with the namespace", inside { mounts = { { target = "/proc" } } },
    "umount2", "EINVAL", { '"/proc"', "0" }, "umount-locked", "Locked", "pivot_root" },
  { 21, "a path that the new root lacks", machine(), "umount2", "ENOENT", { '"/old"', "0" },
    "umount-missing", "after pivot_root", "readable /proc" },
  { nil, "a number that no namespace has", machine(), "open", "ENOENT", { "/proc/*/ns/*", "77" },
    "no-such-namespace", "has ended", "ns.list()" },
  { nil, "the parent of what has none", machine(), "ioctl", "EINVAL", { "3", "NS_GET_PARENT" },
    "no-parent", "Only pid and user", "owner()" },
  { nil, "no terminal", machine(), "ioctl", "ENOTTY", { "3", "TIOCGWINSZ" }, "no-terminal",
    "no terminal", "ns.isatty(fd)" },
  { nil, "a file that is being written", machine(), "mount_setattr", "EBUSY",
    { "AT_FDCWD", '"/tmp"', "0", "MOUNT_ATTR_RDONLY" }, "mount-busy", "open for writing", "close the files" },
  { nil, "a second thread", machine { threads = 3 }, "unshare", "EINVAL", USER, "threads-user",
    "3 threads", "ns.clone" },
  { nil, "a second unshare of pid", inside(LEFT), "unshare", "EINVAL", { "CLONE_NEWPID" },
    "pid-twice", "earlier unshare(\"pid\")", "ns.back()" },
  { nil, "a join after unshare of pid", inside(LEFT), "setns", "EINVAL", { "CLONE_NEWUSER|CLONE_NEWPID" },
    "join-pid-left", "earlier unshare(\"pid\")", "ns.back()" },
  { nil, "a nested namespace without a map", inside { mapped_uids = 0 }, "unshare", "EPERM", USER,
    "unmapped", "without a uid map", "ns.map(nil" },
  { nil, "a pivot_root onto no mount", inside(), "pivot_root", "EBUSY", { '"/new"', '"/new"' },
    "pivot-no-mount", "no mount of its own", "bind it on itself" },
  { nil, "a pivot_root with a shared parent", inside { root_shared = true }, "pivot_root", "EINVAL",
    { '"/new"', '"/new"' }, "pivot-shared", "shared mount", "rprivate" },
  { nil, "clock offsets after the first child", inside(), "write", "EACCES",
    { "/proc/self/timens_offsets", "monotonic 1 0" }, "time-entered", "settled", "first child" },
  { nil, "a limit on processes", machine { nproc = 12, pids_max = 9 }, "clone3", "EAGAIN", {},
    "too-many", "ulimit -u is 12, the cgroup allows 9", "proc:close()" },
  { nil, "a clock of others, with threads", machine { threads = 2 }, "setns", "EUSERS",
    { "4", "CLONE_NEWTIME" }, "join-time-threads", "threads", "ns.clone({ NS }, fn), or" },
  { nil, "no way back to the old user namespace", inside(), "setns", "EPERM",
    { "the old user namespace" }, "no-way-back", "no way back", "ns.fork(fn)",
    "no way back to user: " },
  { nil, "nor to what belongs to it", inside { left_user = true }, "setns", "EPERM",
    { "CLONE_NEWPID" }, "no-way-back", "over what belongs to it", "ns.fork(fn)", "no way back to pid: " },
}


describe("the doctor's table", function()
  helpers.adds_no_global "nslua.doctor"

  for _, line in ipairs(symptoms) do
    local ux, title, s, call, errno, args, id, why, fix, step = table.unpack(line, 1, 10)
    it(("%s %s: %s"):format(call, errno, title), function()
      local found = doctor.judge(s, call, errno, args, step)
      assert.is_table(found)
      assert.equal(id, found.id)
      assert.equal(ux, found.ux)
      assert.truthy(found.why:find(why, 1, true), found.why)
      assert.truthy(found.fix:find(fix, 1, true), found.fix)
      assert.is_nil((found.why .. found.fix):find "{[%a_]+}")
    end)
  end

  it("has a row for each id, whose texts hold and whose commands say what they weaken", function()
    local seen = {}
    for _, row in ipairs(rows.list()) do
      assert.is_nil(seen[row.id], row.id .. " twice")
      seen[row.id] = true
      assert.truthy(row.why, row.id)
      assert.truthy(row.fix, row.id)
      assert.equal(row.command ~= nil, row.weakens ~= nil, row.id)
      if type(row.why) == "string" then assert.truthy(row.why:find "%.$", row.id) end
    end
  end)

  -- The calls that a text shows, such as ns.bind(dir, dir): small letters and
  -- capitals stand for what the reader puts in.
  local STANDS_FOR = setmetatable({ pid = 1, fd = 0, name = "x", box = 1, fn = function() end, proc = 1, TYPE = "net", NAME = "x",
    SECONDS = 1, argv = { "true" }, opts = {}, commands = "list tables", to = "192.0.2.0/24" },
    { __index = function(_, name) return name:find "^%a+$" and "/nonesuch" end })

  local function shown_calls(row)
    local calls = {}
    for _, field in ipairs { "why", "fix" } do
      local text = type(row[field]) == "string" and row[field] or ""
      for _, pattern in ipairs { "ns%.[%w_.]+%b()", "ns%.[%w_.]+%b{}" } do
        for call in text:gmatch(pattern) do calls[#calls + 1] = call end
      end
    end
    return calls
  end

  local function mistake_in(call)
    return helpers.in_child(function()
      ns.unshare("user", "mnt", "net", "uts", "ipc")
      ns.map(nil, "root")
      ns.mount("tmpfs", "/run", "tmpfs")
      local stand = setmetatable({ ns = ns, lab = { a = ns.getpid() }, NS = ns.of(nil, "net"),
        target = "/nonesuch", root = "/nonesuch", new = "/nonesuch" }, { __index = STANDS_FOR })
      local chunk, wrong = load("return " .. call, call, "t", stand)
      if not chunk then return wrong end
      local _, err = pcall(chunk)
      return type(err) == "string" and err:match "bad argument.*" or
        type(err) == "string" and err:match "unknown option.*" or
        type(err) == "string" and err:match "attempt to.*" or
        type(err) == "string" and err:match "options are a table.*" or ""
    end)
  end

  helpers.ns_it("user mnt net uts ipc", "shows calls that take the arguments that it shows", function()
    local tried, mistakes = {}, {}
    for _, row in ipairs(rows.list()) do
      for _, call in ipairs(shown_calls(row)) do
        local code = call:gsub(", %.%.%.", ""):gsub("{%.%.%.}", "nil"):gsub("%.%.%.", "nil")
        if not tried[code] then
          tried[code] = true
          local mistake = mistake_in(code)
          if mistake ~= "" then mistakes[#mistakes + 1] = ("%s: %s: %s"):format(row.id, call, mistake) end
        end
      end
    end
    assert.same({}, mistakes)
    assert.is_true(tried['ns.bind(source, target)'])
  end)

  it("says nothing about a refusal that it does not know", function()
    assert.is_nil(doctor.judge(machine(), "getpid", "EPERM", {}))
  end)
end)


describe("diagnose", function()
  local function ids(s)
    local list = {}
    for _, found in ipairs(doctor.diagnose(s)) do list[found.id] = found end
    return list
  end

  it("finds nothing wrong where everything works", function()
    assert.same({}, doctor.diagnose(machine { probes = { user = true, map = true }, euid = 0 }))
  end)

  it("explains the step that failed, once, before the notes", function()
    local list = doctor.diagnose(inside { probes = { user = "ENOSPC" }, limits = { user = 0 } })
    assert.equal("quota-zero", list[1].id)
    assert.equal("user", list[1].probe)
    assert.equal("ENOSPC", list[1].errno)
    assert.truthy(list[1].command:find "max_user_namespaces=")
    assert.truthy(list[1].weakens)
    assert.is_nil(list[1].note)
    assert.is_true(list[#list].note)
  end)

  it("tells AppArmor's restriction once for the steps that it breaks", function()
    local n = 0
    local s = inside { apparmor_restrict = 1, probes = { user = true, setgroups = "EPERM", map = "EPERM" } }
    for _, found in ipairs(doctor.diagnose(s)) do
      if found.id == "apparmor-map" then n = n + 1 end
    end
    assert.equal(1, n)
  end)

  it("names a step in which a filter killed the child", function()
    local list = doctor.diagnose(machine { probes = { user = "killed by signal 31" } })
    assert.equal("killed", list[1].id)
  end)

  local notes = {
    { 12, "proc-stale", machine { proc_self = 4711 }, "4711" },
    { 12, "proc-absent", machine { proc = false }, "No /proc" },
    { 13, "one-id", inside(), "chown" },
    { 14, "groups-denied", inside(), "cannot set groups" },
    { 15, "no-subids", machine { subuid = 0 }, "/etc/subuid" },
    { 16, "no-devices", inside(), "mknod" },
    { 17, "wsl-old", machine { wsl = 1 }, "WSL 1" },
    { 18, "hidden-processes", machine(), "root only" },
    { 20, "shared-root", machine { root_shared = true }, "stays after you" },
    { 21, "locked-mounts", inside(), "EINVAL" },
    { 22, "ci-restriction", machine { ci = "GitHub Actions", apparmor_restrict = 1 }, "GitHub Actions" },
    { nil, "no-new-privs", machine { no_new_privs = true }, "sudo" },
  }
  for _, line in ipairs(notes) do
    local ux, id, s, word = table.unpack(line, 1, 4)
    it("notes " .. id, function()
      local found = ids(s)[id]
      assert.is_table(found)
      assert.equal(ux, found.ux)
      assert.is_true(found.note)
      assert.truthy(found.why:find(word, 1, true), found.why)
      assert.is_nil(ids(machine { euid = 0 })[id], "noted on a healthy machine too")
    end)
  end

  it("lets no control byte of a signal through", function()
    local s = machine { euid = 0, container = "a\27[31m\xff\xc2\x9b", label = "x\ny" }
    local found = doctor.judge(s, "unshare", "EPERM", { "CLONE_NEWUTS" })
    assert.is_nil(found.why:find "%c")
    assert.truthy(utf8.len(found.why))
  end)

  it("is pure: it changes no signal and reads no other", function()
    local s = setmetatable(machine { probes = { user = "EPERM" } }, {
      __newindex = function() error "a signal was written" end,
    })
    assert.equal(doctor.diagnose(s)[1].why, doctor.diagnose(s)[1].why)
    assert.equal("birth-refused", doctor.diagnose(s)[1].id)
  end)
end)
