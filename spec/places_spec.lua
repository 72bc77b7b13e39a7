-- SPDX-License-Identifier: MIT
-- Every primitive, composite and lesson in every place: it works, or it is the
-- refusal below, with the row of the doctor's table that explains it. What is
-- not named for a place works there.

local helpers = require "spec.helpers"
local places = require "spec.places"
local ns = require "nslua"

-- What needs a right that the caller does not have.
local function powerless(row)
  return { nobody = row, ["no quota"] = row, filter = row, docker = row }
end

local function with(base, more)
  for place, result in pairs(more) do base[place] = result end
  return base
end

-- A user namespace cannot be made; unshare(2) is what the first filter refuses,
-- and clone3(2) falls back to clone(2).
local NEW_USER = {
  chroot = "EPERM chroot", ["chroot of root"] = "EPERM chroot", ["no quota"] = "ENOSPC quota-zero",
  docker = "EPERM seccomp", ["32 deep"] = "ENOSPC quota-used",
}
local BOX = { ["no quota"] = "ENOSPC quota-zero", docker = "EPERM seccomp", ["32 deep"] = "ENOSPC quota-used" }
local NO_PROC = { ["no proc"] = "ENOENT no-proc", ["no proc of root"] = "ENOENT no-proc" }
local NO_MAP = { ["no proc"] = "ENOENT map-no-proc", ["no proc of root"] = "ENOENT map-no-proc" }
local UNMAPPED = { chroot = "EINVAL unmapped-id", ["no quota"] = "EINVAL unmapped-id", ["no proc"] = "EINVAL unmapped-id",
  ["32 deep"] = "EINVAL unmapped-id" }
local NO_TYPE = { nobody = "EPERM needs-user", ["no quota"] = "EPERM lost-power", filter = "EPERM seccomp",
  docker = "EPERM seccomp" }

local function all(...)
  local result = {}
  for _, t in ipairs { ... } do with(result, t) end
  return result
end

local TABLE = {
  ["works everywhere"] = { {}, "Ns:owner", "Ns:owner_uid", "Ns:parent", "can", "cap_drop", "cap_keep", "capabilities",
    "capset", "chdir", "clone plain", "dumpable", "exec", "files", "fork", "fork twice", "getcap", "here", "ids", "kill",
    "killpg", "list", "mknod fifo", "mounts", "netns.list", "netnsids", "no_new_privs", "of", "of pid", "open_tree",
    "pdeathsig", "pid_in", "pidfd_open", "pty", "rlimit", "rootfs.get", "run plain", "setuid itself", "subids",
    "subreaper", "trace", "uname", "link.list", "address.list", "route.list" },
  ["links of one's own"] = { with(powerless "EPERM net-not-yours", { chroot = "EPERM net-not-yours",
    ["no proc"] = "EPERM net-not-yours" }), "link.add", "link up" },
  ["labs"] = { { ["no quota"] = "ENOSPC quota-zero", filter = "EPERM seccomp", docker = "EPERM seccomp" }, "lab" },
  ["mounts"] = { powerless "EPERM mount-power", "bind", "fsmount", "mount", "mount_setattr", "open_tree clone",
    "overlay", "pivot_root", "propagate", "umount" },
  ["mounts of namespaces"] = { with(powerless "EPERM mount-power", { ["no proc"] = "ENOENT mount-source-missing",
    ["no proc of root"] = "ENOENT mount-source-missing" }), "Ns:pin" },
  ["mounts of processes"] = { with(powerless "EPERM mount-power", { chroot = "EPERM proc-no-pid",
    ["no proc"] = "EPERM proc-no-pid", ["32 deep"] = "EPERM proc-no-pid" }), "mount proc" },
  ["mounts with a map"] = { all(powerless "EPERM mount-power", NO_MAP, { chroot = "EPERM chroot",
    ["chroot of root"] = "EPERM chroot", ["32 deep"] = "ENOSPC quota-used" }), "bind idmap" },
  ["types"] = { NO_TYPE, "clone uts", "unshare cgroup", "unshare ipc", "unshare mnt", "unshare net", "unshare time",
    "unshare uts" },
  ["pid"] = { all(NO_TYPE, { ["32 deep"] = "ENOSPC quota-used" }), "unshare pid" },
  ["time"] = { all(NO_TYPE, { ["no proc"] = "ENOENT time-missing", ["no proc of root"] = "ENOENT time-missing" }),
    "timens_offsets" },
  ["named networks"] = { all(NO_TYPE, { chroot = "EACCES file-access", ["no proc"] = "EACCES file-access",
    ["32 deep"] = "EACCES file-access" }), "netns.add" },
  ["users"] = { all(NEW_USER, { filter = "EPERM seccomp" }), "unshare user" },
  ["maps"] = { all(NEW_USER, NO_MAP, { filter = "EPERM seccomp" }), "map", "unshare user uts" },
  ["maps of many"] = { all(NEW_USER, NO_MAP, { nobody = "EPERM newuidmap|map-many", filter = "EPERM map-many" }),
    "map of many", "box map of many" },
  ["children with a map"] = { all(NEW_USER, NO_PROC), "box caps", "box user", "clone function", "clone user" },
  ["joining"] = { NEW_USER, "setns net" },
  ["what /proc has"] = { NO_PROC, "Ns:members", "call scan_namespaces", "capabilities pid", "matrix", "nspid", "ps" },
  ["boxes"] = { BOX, "box cgroup", "box ipc", "box mnt", "box net", "box pid", "box uts", "box ping" },
  ["boxes with a clock"] = { all(BOX, { filter = "EPERM seccomp", docker = "ENOSYS seccomp" }), "box time" },
  ["boxes with a /proc, and what is done in one"] = { all(BOX, NO_PROC), "box mounts", "box of all", "box root",
    "methods" },
  ["boxes in a chroot"] = { all(NEW_USER, NO_PROC, { chroot = "works", ["chroot of root"] = "works",
    ["32 deep"] = "works" }), "box chroot" },
  ["run"] = { { ["no quota"] = "ENOSPC quota-zero", docker = "EPERM seccomp" }, "run function", "run uts" },
  ["rights"] = { powerless "EPERM capabilities", "cap_drop_bounding", "cap_raise", "securebits" },
  ["names"] = { with(powerless "EPERM hostname-power", { chroot = "EPERM hostname-power",
    ["no proc"] = "EPERM hostname-power" }), "setdomainname", "sethostname" },
  ["links"] = { with(powerless "EPERM link-power", { chroot = "EPERM link-power", ["no proc"] = "EPERM link-power" }),
    "lo_up" },
  ["ids"] = { all(powerless "EPERM no-id-power", UNMAPPED), "setgid another", "setuid another" },
  ["owners"] = { all(powerless "EPERM chown-power", UNMAPPED), "chown to another" },
  ["groups"] = { with(powerless "EPERM no-id-power", { chroot = "EPERM setgroups-denied",
    ["no quota"] = "EPERM setgroups-denied", ["no proc"] = "EPERM no-id-power", ["32 deep"] = "EPERM setgroups-denied" }),
    "setgroups" },
  ["another root"] = { powerless "EPERM chroot-power", "chroot" },
  ["devices"] = { with(powerless "EPERM mknod", { chroot = "EPERM mknod", ["no proc"] = "EPERM mknod",
    ["32 deep"] = "EPERM mknod" }), "mknod" },
  ["joining what is ours not"] = { with(powerless "EPERM join-refused", { chroot = "EPERM join-left-user",
    ["no quota"] = "EPERM join-left-user", ["no proc"] = "EPERM join-refused" }), "setns" },
  ["the way back"] = { { chroot = "EPERM no-way-back", ["no quota"] = "EPERM no-way-back",
    ["32 deep"] = "EPERM no-way-back" }, "back" },
}

-- A lesson wants a host of its own: works where a user namespace can be made,
-- else it says why and ends with 77.
local LESSONS = { root = "works", nobody = "works", ["500 boxes"] = "works" }

local function lessons()
  local list = {}
  for _, file in ipairs(ns.readdir "scripts") do
    local text = file:find "%.lua$" and io.open("scripts/" .. file):read "a" or ""
    if text:find "\nreturn ns%.lesson" then list[#list + 1] = file:match "^(.*)%.lua$" end
  end
  return list
end

-- "EPERM newuidmap|map-many" allows either row.
local function fits(wanted, result)
  local errno, row = result:match "^(E%u+) (.*)$"
  local errnos, rows = wanted:match "^(E%u+) (.*)$"
  if not errno or not errnos then return wanted == result end
  return errno == errnos and ("|" .. rows .. "|"):find("|" .. row .. "|", 1, true) ~= nil
end

-- A build without libnl-route has no links to speak of.
local NETLINK = pcall(require "nslua.library".open, "net")

local function judge(place, results, wrong)
  local known = {}
  for name, result in pairs(results) do
    if not NETLINK and result:find "net.so cannot be opened" then results[name], known[name] = nil, true end
  end
  for group, row in pairs(TABLE) do
    local wanted = row[1][place == "500 boxes" and "nobody" or place] or "works"
    for i = 2, #row do
      local name = row[i]
      local absent = known[name] == true and results[name] == nil
      known[name] = true
      if not absent and not fits(wanted, results[name] or "absent") then
        wrong[#wrong + 1] = ("%s (%s): %s, not %s"):format(name, group, results[name], wanted)
      end
    end
  end
  for name, result in pairs(results) do
    local fine = result == "works" or result:find "^E%u+ [%l-]+$"
    if name:find "^lesson " then fine = result == (LESSONS[place] or "exit 77 why") end
    if not known[name] and not fine then wrong[#wrong + 1] = name .. ": " .. result end
  end
end

-- Where they work their own specs run them all; a program under the address
-- sanitizer does not start without /proc.
local function wanted_lessons(place)
  if os.getenv "ASAN_OPTIONS" and place:find "^no proc" then return {} end
  if LESSONS[place] and not os.getenv "NSLUA_PLACES" then return { "uts" } end
  return lessons()
end

local function visit(place)
  return function()
    local results, err, status = places.visit(place, wanted_lessons(place))
    assert.equal("", err)
    assert.equal(0, status)
    local wrong = {}
    judge(place, results, wrong)
    assert.equal("", table.concat(wrong, "\n"))
  end
end

local function python()
  if not ns.access("/usr/bin/python3", "x") then return false, "needs python3" end
  return helpers.probe("user mnt pid", function() ns.unshare("user", "mnt", "pid") end)()
end

describe("every primitive, composite and lesson works or is refused with its reason", function()
  helpers.root_it("as root", visit "root")
  helpers.ns_it("user mnt pid", "as somebody without rights", visit "nobody")
  helpers.ns_it("user mnt pid", "in a chroot", visit "chroot")
  helpers.root_it("in a chroot, as root", visit "chroot of root")
  helpers.ns_it("user mnt pid", "with max_user_namespaces = 0", visit "no quota")
  helpers.ns_it("user mnt pid", "without /proc", visit "no proc")
  helpers.root_it("without /proc, as root", visit "no proc of root")
  helpers.need_it(python, "where a filter answers EPERM to unshare and clone3", visit "filter")
  helpers.need_it(python, "where a filter is a container's default one", visit "docker")
  helpers.ns_it("user mnt pid", "32 user and pid namespaces deep", visit "32 deep")
  helpers.ns_it("user mnt pid", "with 500 boxes at once", visit "500 boxes")
end)
