-- SPDX-License-Identifier: MIT
-- Id maps by word, whose ids they are, and the two programs that write them.

local helpers = require "spec.helpers"
local subids = require "spec.subids"
local ns = require "nslua"
local sys = require "nslua.sys"
local maps = require "nslua.maps"

local MAPS = "cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '; cat /proc/self/setgroups"

-- The tables of the kernel for a box with this map: uid lines, gid lines, setgroups.
local function kernel_map(map)
  local box <close> = ns.box { "user", map = map }
  return ((box:read(MAPS)):gsub("^ ", ""):gsub("\n ", "\n"))
end

-- As the throw-away user, in a throw-away /etc.
local function as_owner(code, files)
  return subids.as_nobody(files or { subuid = "nobody:200000:65536\n", subgid = "65534:300000:1000\n" }, code)
end

local BOX = [[
  local ns = require "nslua"
  local function kernel_map(map)
    local box <close> = ns.box { "user", map = map }
    return ((box:read "cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '; cat /proc/self/setgroups; id -u")
      :gsub("^ ", ""):gsub("\n ", "\n"))
  end
]]

describe("a map by word", function()
  helpers.adds_no_global "nslua.maps"

  it("is resolved to plain ranges", function()
    assert.same({ uid = { { 0, 7, 1 } }, gid = { { 0, 8, 1 } } }, maps.resolve("root", 7, 8))
    assert.same({ uid = { { 7, 7, 1 } }, gid = { { 8, 8, 1 } } }, maps.resolve("current", 7, 8))
    assert.same({ uid = { 0, 100, 5 }, gid = { 0, 100, 5 } }, maps.resolve { 0, 100, 5 })
    assert.same({ uid = { { 0, 5, 2 }, { 9, 1, 1 } }, gid = 3, setgroups = "deny" },
      maps.resolve { uid = "0:5:2,9:1:1", gid = 3, setgroups = "deny" })
    assert.same({ uid = { { 0, 7, 1 } } }, maps.resolve({ uid = "root" }, 7, 8))
  end)

  it("changes no table of the caller", function()
    local map = { uid = "root", gid = { 0, 1, 1 } }
    maps.resolve(map)
    assert.same({ uid = "root", gid = { 0, 1, 1 } }, map)
  end)

  it("names the nearest word for a typo, at the caller's line", function()
    local ok, err = pcall(ns.map, nil, "autp")
    assert.is_false(ok)
    assert.matches("bad argument #2 to '.-map' %(unknown map \"autp\" %(did you mean \"auto\"%?%)", err)
    ok, err = pcall(ns.box, { "user", map = "curent" })
    assert.is_false(ok)
    assert.matches('^spec/maps_spec.lua:%d+: map: unknown map "curent" %(did you mean "current"%?%)', err)
    assert.is_nil(err:find "[%z\1-\8]")
  end)

  helpers.ns_it("user", "all: every id of here is itself, as far as the caller may", function()
    local here = io.open "/proc/self/uid_map":read "a":gsub("%s+", " ")
    local ok, text = pcall(kernel_map, "all")
    if ns.geteuid() ~= 0 then
      assert.equal("EPERM", text.name)
    else
      assert.is_true(ok, tostring(text))
      local count = here:match "(%d+) $"
      assert.matches("^0 0 " .. count .. "\n0 0 %d+\nallow\n$", text)
      assert.equal(text, kernel_map "identity")
    end
  end)

  helpers.root_it("ranges for both, as a table, a list and a text; the box and all in it are its root", function()
    local wanted = "0 100000 65536\n0 100000 65536\nallow\n"
    assert.equal(wanted, kernel_map { 0, 100000, 65536 })
    assert.equal(wanted, kernel_map { { 0, 100000, 65536 } })
    assert.equal(wanted, kernel_map "0:100000:65536")
    local box <close> = ns.box { "user", map = { 0, 100000, 65536 } }
    assert.equal("0\n", (box:read "id -u"))
    assert.equal(100000, ns.stat("/proc/" .. box.pid).uid)
    local inside, outside = box:call(function() return ns.getuid(), ns.getgid() end)
    assert.equal("0 0", inside .. " " .. outside)
  end)

  helpers.root_it("names of users and groups", function()
    local text = kernel_map { uid = "nobody", gid = "0:0:10" }
    assert.equal("65534 0 1\n0 0 10\nallow\n", text)
  end)

  helpers.root_it("what a box was made to be, its other processes are", function()
    local box <close> = ns.box { "user", map = { 0, 100000, 65536 }, uid = 33, gid = 34, caps = "net_raw",
      no_new_privs = true }
    local uid, gid, set, nnp = box:call(function()
      return ns.getuid(), ns.getgid(), tostring(ns.capabilities().effective), ns.no_new_privs()
    end)
    assert.equal("33 34 net_raw true", ("%d %d %s %s"):format(uid, gid, set, nnp))
    local other <close> = box:spawn({ "sleep", "9" }, { uid = 0, caps = "all" })
    assert.equal(100000, ns.stat("/proc/" .. other.pid).uid)
  end)

  helpers.root_it("a process that is no box of ours: who joins it without a name there is its root", function()
    helpers.in_child(function()
      local box <close> = ns.box { "user", map = { 0, 100000, 65536 } }
      local stranger <close> = ns.pidfd_open(box.pid)
      assert.equal("0 0\n", (stranger:read 'echo "$(id -u) $(id -g)"'))
      local named <close> = ns.box { "user", map = { uid = { { 0, 100000, 9 }, { 9, 0, 1 } }, gid = { 0, 0, 2 } } }
      local other <close> = ns.pidfd_open(named.pid)
      assert.equal("9 0\n", (other:read 'echo "$(id -u) $(id -g)"'))
    end)
  end)

  it("auto without subordinate ids says so, and what to do", function()
    local user = ns.subids()
    if #user.uid > 0 then return end -- shown by the next ones
    local ok, err = pcall(ns.box, { "user", map = "auto" })
    assert.is_false(ok)
    assert.equal("subids", err.call)
    assert.equal("ENODATA", err.name)
    assert.matches("No line of /etc/subuid", err.why)
    assert.matches("map=", err.fix)
  end)
end)

-- What nobody does wrong, and the row that says so.
describe("a refused map", function()
  for _, case in ipairs {
    { "setgroups that is allowed", 'ns.unshare "user" ns.map(nil, { gid = 0, setgroups = "allow" })',
      "EPERM gid_map An unprivileged gid_map is accepted only after setgroups is denied" },
    { "a second one", 'ns.unshare "user" ns.map(nil, "root") ns.map(nil, { uid = 0 })',
      "EPERM uid_map A map is written once and for all" },
    { "ranges that overlap", 'ns.unshare "user" ns.map(nil, { uid = { { 0, own, 1 }, { 0, own, 1 } } })',
      "EINVAL uid_map The kernel cannot read this map" },
    { "ids of others", 'ns.unshare "user" ns.map(nil, { 0, 100000, 65536 })',
      "EPERM gid_map An ordinary user may map one id, his own" },
    { "a user namespace below an unmapped one", 'ns.unshare "user" ns.unshare "user"',
      "EPERM CLONE_NEWUSER This process is in a user namespace without a uid map" },
    { "a file of an unmapped writer", 'ns.unshare("user", "mnt") ns.mount("tmpfs", "/tmp", "tmpfs") ns.mkdir "/tmp/x"',
      'EOVERFLOW /tmp/x The process\'s own uid or gid is not mapped' },
    { "groups after a one-line map", 'ns.unshare "user" ns.map(nil, "root") ns.setgroups { 0 }',
      "EPERM 1 setgroups is denied in this user namespace" },
    { "an owner without a name", [[ns.unshare("user", "mnt") ns.map(nil, "root") ns.mount("tmpfs", "/tmp", "tmpfs")
      io.open("/tmp/f", "w"):close() ns.chown("/tmp/f", 0, 42)]],
      "EINVAL /tmp/f This id has no name in this user namespace: 1 uid%(s%) and 1 gid%(s%) are mapped" },
    { "a box made by a function in a box", [[local b <close> = ns.box { "user" }
      local name, why = b:call(function()
        local e = select(4, ns.try(ns.box, { "user" }))
        return e.name, e.why
      end)
      error(setmetatable({ name = name, args = { "call" }, why = why }, {}), 0)]],
      "EACCES call The files of a process that is not dumpable belong to root" },
  } do
    helpers.ns_it("user mnt", "says why: " .. case[1], function()
      local out, err = helpers.as_nobody([[
        local ns = require "nslua"
        local own = ns.getuid()
        local _, e = pcall(function() ]] .. case[2] .. [[ end)
        io.write(e.name, " ", (e.args[1]:gsub('"', "")), " ", e.why)]])
      assert.matches("^" .. case[3], out .. err)
    end)
  end
end)

describe("subordinate ids", function()
  subids.it("are found by name and by number, of somebody else too", function()
    local out = as_owner([[
      local ns = require "nslua"
      local s = ns.subids()
      print(s.user, s.uid[1][1], s.uid[1][2], s.uid[2][1], #s.uid, #s.gid)
      print(#ns.subids("daemon").uid, #ns.subids(1).uid, #ns.subids("nosuch").gid)]],
      { subuid = "# no:1:2\nnobody:200000:65536\ndaemon:5:x\ndaemon:9:9\n65534:7:3\nbroken\n", subgid = "" })
    assert.equal("nobody\t200000\t65536\t7\t2\t0\n1\t1\t0\n", out)
  end)

  subids.it("come from libsubid where nsswitch.conf says so", function()
    if not sys.libsubid("nobody", false) then return end -- not installed
    local out = as_owner([[
      local ns = require "nslua"
      local maps = io.open("/proc/self/maps"):read "a"
      local s = ns.subids()
      print(s.uid[1][1], s.uid[1][2], s.gid[1][1], maps:find("libsubid", 1, true),
        io.open("/proc/self/maps"):read "a":find("libsubid", 1, true) ~= nil)]],
      { subuid = "nobody:200000:65536\n", subgid = "nobody:7:8\n", ["nsswitch.conf"] = "passwd: files\nsubid: files\n" })
    assert.equal("200000\t65536\t7\tnil\ttrue\n", out)
  end)

  subids.it("auto: the caller is 0 and they follow from 1", function()
    local out = as_owner(BOX .. 'io.write(kernel_map "auto")')
    assert.equal("0 65534 1\n1 200000 65536\n0 65534 1\n1 300000 1000\nallow\n0\n", out)
  end)

  subids.it("auto for uids alone leaves the gid to a map of one's own", function()
    local out = as_owner(BOX .. 'io.write(kernel_map { uid = "auto", gid = 0 })')
    assert.equal("0 65534 1\n1 200000 65536\n0 65534 1\ndeny\n0\n", out)
  end)

  subids.it("subids: the caller and they are themselves", function()
    local out = as_owner(BOX .. 'io.write(kernel_map "subids")')
    assert.equal("65534 65534 1\n200000 200000 65536\n65534 65534 1\n300000 300000 1000\nallow\n65534\n", out)
  end)

  subids.it("an own id in the middle of a range is mapped once", function()
    local out = as_owner(BOX .. 'io.write(kernel_map { uid = "auto" })',
      { subuid = "nobody:65530:10\n", subgid = "" })
    assert.equal("0 65534 1\n1 65530 4\n5 65535 5\nallow\n0\n", out)
  end)

  subids.it("ranges of one's own are written too, with setgroups denied when asked", function()
    local out = as_owner(BOX .. [[
      io.write(kernel_map { uid = { { 0, 200000, 10 }, { 10, 65534, 1 } }, gid = { 0, 300000, 2 }, setgroups = "deny" })]])
    assert.equal("0 200000 10\n10 65534 1\n0 300000 2\ndeny\n0\n", out)
  end)

  subids.it("a box of many ids has files and processes of other users, seen from outside", function()
    local out = as_owner [[
      local ns = require "nslua"
      local box <close> = ns.box { "user", "mnt", map = "auto" }
      box:sh "mount -t tmpfs t /mnt && touch /mnt/f && chown 33:34 /mnt/f"
      local f = ns.stat("/proc/" .. box.pid .. "/root/mnt/f")
      print(f.uid, f.gid, (box:read "stat -c %u:%g /mnt/f"))
      local p <close> = box:spawn({ "sleep", "9" }, { uid = 33, gid = 33, groups = { 40 } })
      print(ns.stat("/proc/" .. p.pid).uid)
      print((io.open("/proc/" .. p.pid .. "/status"):read "a":match "Groups:%s*(%d+)"))]]
    assert.equal("200032\t300033\t33:34\n\n200032\n300039\n", out)
  end)

  subids.it("ns.map gives them to another process, and from inside is refused with the reason", function()
    local out = as_owner [[
      local ns = require "nslua"
      local child <close> = ns.fork(function() ns.unshare "user" ns.poll({}, 30) end)
      local own = ns.readlink "/proc/self/ns/user"
      repeat until ns.readlink("/proc/" .. child.pid .. "/ns/user") ~= own
      ns.map(child, "auto")
      print((io.open("/proc/" .. child.pid .. "/uid_map"):read "a":gsub("%s+", " ")))
      ns.unshare "user"
      local _, _, _, e = ns.try(ns.map, nil, "auto")
      print(e.call, e.name, e.why)]]
    assert.matches("^ 0 65534 1 1 200000 65536 \nwrite\tEPERM\tAn ordinary user may map one id, his own, without help; "
      .. "/etc/subuid gives you 65536, through newuidmap and before", out)
  end)

  subids.it("a range of somebody else is refused in newuidmap's words, and no process is left", function()
    local out = as_owner [[
      local ns = require "nslua"
      local _, _, _, e = ns.try(ns.box, { "user", map = { { 0, 65534, 1 }, { 1, 100000, 5 } } })
      print(e.call, e.name, e.message:match "newgidmap: .*$")
      print(e.why)
      print(#ns.readdir "/proc/self/fd", ns.try(ns.wait, -1))]]
    assert.matches("^newgidmap\tEPERM\tnewgidmap: gid range %[1%-6%) %-> %[100000%-100005%) not allowed\n"
      .. "newgidmap maps your own id and the 1000 ids that /etc/subgid gives you", out)
  end)

  subids.it("no_new_privs takes newuidmap away: the kernel's refusal is told", function()
    local out = as_owner [[
      local ns = require "nslua"
      ns.no_new_privs(true)
      local _, _, _, e = ns.try(ns.box, { "user", map = "auto" })
      print(e.call, e.name)]]
    assert.equal("write\tEPERM\n", out)
  end)
end)
