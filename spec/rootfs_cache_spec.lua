-- SPDX-License-Identifier: MIT
-- What the cache of roots does not keep, whom it serves, and what it takes
-- from nobody: other processes, other namespaces, other users.

local helpers = require "spec.helpers"
local ns = require "nslua"
local roots = require "spec.roots"
local subids = require "spec.subids"
local tar = require "spec.tar"

local base = roots.base "cache"

local archive = base .. "/one.tar"
local owners = base .. "/owners.tar"

local write = roots.write

write(archive, tar.archive { tar.file("name", "one") })
write(owners, tar.archive {
  { name = "g", type = "5", mode = 1533, gid = 42 }, -- 2775
  tar.file("g/file", "x", { mode = 384 }), tar.dir("g/dir", 448), tar.file("g/dir/file", "x"),
  tar.file("shadow", "x", { gid = 42, mode = 416 }), tar.file("far", "x", { uid = 100000, gid = 100000 }) })

local fresh = 0
local function new_cache()
  fresh = fresh + 1
  local cache = base .. "/cache" .. fresh
  ns.mkdir(cache)
  ns.chmod(cache, "777")
  return cache
end

local run = roots.run

local GET = "local ok, r = pcall(ns.rootfs.get, %q, { quiet = true }) print(ok and r:path() or r.message) "

local function get(path, cache, opts)
  return (run(GET:format(path), cache, opts):gsub("\n$", ""))
end

local function age(path, seconds)
  helpers.run { "touch", "-h", "-d", ("@%d"):format(os.time() - seconds), path }
end

teardown(function() helpers.run { "rm", "-rf", base } end)

describe("the cache", function()
  it("forgets in time which source was a root that is gone", function()
    local cache = new_cache()
    get(archive, cache)
    run("ns.rootfs.remove()", cache)
    local index = cache .. "/nslua/index/"
    local names = ns.readdir(index)
    assert.equal(1, #names)
    age(index .. names[1], 100)
    write(index .. "0123.new", "half a wor")
    age(index .. "0123.new", 100)
    get(owners, cache)
    local left = ns.readdir(index)
    assert.equal(1, #left)
    assert.not_equal(names[1], left[1])
    assert.matches("^%x+\nfile:", io.open(index .. left[1]):read "a")
  end)

  it("drops the tree of another nslua when it is old and nobody uses it", function()
    local cache = new_cache()
    local CODE = "ns.rootfs.get{ rung = 'self', quiet = true }"
    run(CODE, cache)
    local folder = cache .. "/nslua/roots/"
    local mine = ns.readdir(folder)[1]
    for _, name in ipairs { "self-1-2-3", "self-4-5-6", "busybox-1-2-3" } do
      ns.mkdir(folder .. name)
      ns.mkdir(folder .. name .. "/root")
      write(folder .. name .. "/facts", ("made=%d\n"):format(os.time() - (name == "self-4-5-6" and 60 or 1e6 // 1)))
    end
    run(("ns.rootfs.remove(%q) %s"):format(mine, CODE), cache)
    local left, wanted = ns.readdir(folder), { "busybox-1-2-3", "self-4-5-6", mine }
    table.sort(left)
    table.sort(wanted)
    assert.same(wanted, left)
    assert.same({}, ns.readdir(cache .. "/nslua/tmp"))
  end)

  it("gives a root that another process has just taken away", function()
    local out = run(([[
      local cache = require "nslua.rootfs.cache"
      local use, taken = cache.use, 0
      cache.use = function(path)
        taken = taken + 1
        if taken <= 2 then ns.rootfs.remove(path:match "[^/]+$") end
        return use(path)
      end
      print(ns.readdir(ns.rootfs.get(%q, { quiet = true }):path())[1])
      taken = 0
      print(ns.access(ns.rootfs.get{ rung = "self", quiet = true }:path() .. "/bin/nslua"))]]):format(archive), new_cache())
    assert.equal("name\ntrue\n", out)
  end)

  helpers.root_it("says where else it may be when it cannot be written to", function()
    local cache = new_cache()
    get(archive, cache)
    local out = helpers.in_child(function()
      ns.unshare "mnt"
      ns.propagate "rprivate"
      ns.bind(cache, cache)
      ns.mount_setattr(cache, { set = "ro" })
      return run(("print(select(2, pcall(ns.rootfs.get, %q)).fix, ns.access(ns.rootfs.get(%q):path()))"):format(
        owners, archive), cache)
    end)
    assert.matches("XDG_CACHE_HOME.*true", out)
  end)

  helpers.root_it("is not followed where another user's link leads", function()
    local cache = new_cache()
    ns.mkdir(base .. "/precious")
    ns.chmod(base .. "/precious", "755")
    ns.symlink(base .. "/precious", cache .. "/nslua")
    ns.lchown(cache .. "/nslua", 65534, 65534)
    assert.matches("belongs to somebody else", get(archive, cache))
    assert.equal(493, ns.stat(base .. "/precious").mode)
    assert.same({}, ns.readdir(base .. "/precious"))
  end)

  it("is not needed for a tree of the host, and such a tree ends with its process or is swept", function()
    local scratch = new_cache()
    local code = [[
      local root = ns.rootfs.get{ rung = "self", quiet = true }
      print(root:path())
      ]]
    local opts = { env = { TMPDIR = scratch } }
    local killed = run(code .. "io.stdout:flush() ns.kill(ns.fork(function() ns.poll({}, 9) end).pid, 9) ns._exit(0)",
      "/proc/nowhere", opts):match "^(.*)/root\n"
    assert.equal(scratch, killed:match "^(.*)/")
    age(killed, 100)
    local held = ns.open(killed, "rdonly,directory")
    held:flock "sh" -- somebody is in it
    run(code, "/proc/nowhere", { env = { TMPDIR = scratch } })
    assert.is_true(ns.access(killed))
    held:close()
    run(code, "/proc/nowhere", { env = { TMPDIR = scratch } })
    assert.same({}, ns.readdir(scratch))
  end)
end)

describe("the owners of a root", function()
  local function owner(path)
    local st = ns.lstat(path)
    return ("%o %d:%d"):format(st.mode, st.uid, st.gid)
  end

  helpers.root_it("are the archive's, whatever the folders above would lend", function()
    local cache = new_cache()
    ns.chown(cache, 0, 7)
    ns.chmod(cache, "2777")
    helpers.run { "setfacl", "-d", "-m", "u:33:rwx", cache }
    local tree = get(owners, cache)
    assert.equal("755 0:0", owner(tree))
    assert.equal("2775 0:42", owner(tree .. "/g"))
    assert.equal("600 0:0", owner(tree .. "/g/file"))
    assert.equal("700 0:0", owner(tree .. "/g/dir"))
    assert.equal("644 0:0", owner(tree .. "/g/dir/file"))
    assert.equal("640 0:42", owner(tree .. "/shadow"))
  end)

  it("and modes are not the umask's", function()
    local cache = new_cache()
    local out = run(("ns.umask(%d) %s print(ns.stat(ns.rootfs.get{rung = 'self'}:path()).mode)"):format(
      511, GET:format(archive)), cache, { nobody = ns.geteuid() == 0 })
    assert.matches("/root\n493\n$", out)
    assert.equal("755", owner(cache .. "/nslua/roots/" .. ns.readdir(cache .. "/nslua/roots")[1] .. "/root"):match "%d+")
  end)

  subids.it("are those of a user's ranges; the rest are ignored, and that is said", function()
    local cache = new_cache()
    local ranges = { subuid = "nobody:200000:65536\n", subgid = "nobody:200000:65536\n" }
    local out = subids.as_nobody(ranges, ([[
      local ns = require "nslua"
      local cache = require "nslua.rootfs.cache"
      cache.folder = function() return %q end
      local root = ns.rootfs.get(%q, { quiet = true })
      print(select(3, root:rung()))
      local st = ns.stat(root:path() .. "/shadow")
      print(st.uid, st.gid, ns.stat(root:path() .. "/far").uid)
      local box <close> = ns.box{ "user", map = "auto", root = root:overlay() }
      print(box:call(function() return ns.stat "/shadow".gid end))
      box:close()
      print(root:remove(), #ns.rootfs.list(), #ns.readdir(%q))]]):format(cache .. "/nslua", owners,
      cache .. "/nslua/tmp"))
    assert.equal("owners ignored where they have no id here: 1\n65534\t200041\t65534\n42\ntrue\t0\t0\n", out)
  end)
end)

describe("after unshare pid", function()
  helpers.root_it("a root is made beside this process, and the first child is still PID 1", function()
    local out = run([[ns.unshare "pid" ]] .. GET:format(archive) .. GET:format(owners)
      .. [[ns.fork(function() print(ns.getpid()) end):wait()]], new_cache())
    assert.matches("/root\n[^\n]*/root\n1\n$", out)
  end)

  helpers.ns_it("user pid", "without the right to come back it is refused, until somebody is PID 1", function()
    local out = run([[ns.unshare "user" ns.map(nil, "root") ns.unshare "pid" ]] .. GET:format(archive)
      .. [[local first <close> = ns.fork(function() ns.poll({}, 20) end) ]] .. GET:format(archive),
      new_cache(), { nobody = ns.geteuid() == 0 })
    assert.matches("would be PID 1 of the new namespace\n[^\n]*/root\n$", out)
  end)
end)

describe("root of a container", function()
  helpers.root_it("unpacks where it may not have a mount namespace: the changed root is the wall", function()
    local cache = new_cache()
    local out = helpers.in_child(function()
      ns.unshare "user"
      ns.map(nil, "root")
      write("/proc/sys/user/max_mnt_namespaces", "0")
      return get(archive, cache)
    end)
    assert.matches("/root$", out)
  end)
end)
