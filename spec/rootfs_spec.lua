-- SPDX-License-Identifier: MIT
-- Roots from what is here: directories, archives of every kind, the cache, the
-- rungs of the ladder.

local helpers = require "spec.helpers"
local ns = require "nslua"
local roots = require "spec.roots"
local servers = require "spec.servers"
local tar = require "spec.tar"

local base = roots.base "roots"

local write = roots.write

local function sh(...)
  local out, err, status = helpers.run { "sh", "-c", ..., }
  assert.equal(0, status, err)
  return out
end

-- Everything about a tree that two ways of unpacking must agree on.
local LISTING = [[cd "$1" && find . ! -path . -printf '%p %y %m %U %G %s %l %T@ %n\n' | sort
  find . -type f -exec sha256sum {} + | sort]]

local function listing(dir)
  local rows = sh(LISTING, "sh", dir):gsub("(%./[^\n]- d %S+ %S+ %S+) %d+", "%1")
  return rows
end

local fresh = 0
local function new_cache()
  fresh = fresh + 1
  return base .. "/cache" .. fresh
end

local run = roots.run

teardown(function() helpers.run { "rm", "-rf", base } end)

helpers.adds_no_global "nslua.rootfs"

describe("rootfs.get", function()
  it("refuses wrong arguments and options, naming them", function()
    local function why(...)
      local ok, err = pcall(ns.rootfs.get, ...)
      assert.is_false(ok)
      return err
    end
    for _, v in ipairs { 1, true, print, "", "a\0b" } do assert.matches("#1", why(v)) end
    assert.matches("#2", why(".", 1))
    assert.matches("unknown option 'sha265' %(did you mean 'sha256'%?%)", why(".", { sha265 = "x" }))
    assert.matches("64 hexadecimal", why(".", { sha256 = "x" }))
    assert.matches("'max_bytes' is a whole number", why(".", { max_bytes = 0 }))
    assert.matches("'timeout' is a number", why(".", { timeout = "1" }))
    assert.matches("'quiet' is true or false", why(".", { quiet = 1 }))
    assert.matches("one of cache, network", why(nil, { rung = "x" }))
    assert.matches("name of a cached root", select(2, pcall(ns.rootfs.remove, "../x")))
  end)

  it("says ENOENT for what is nowhere, and what else there is", function()
    local ok, err = pcall(ns.rootfs.get, "/no/such/place")
    assert.is_false(ok)
    assert.equal("ENOENT", err.name)
    assert.matches("alpine:3.24.1", err.fix)
    assert.matches("the catalogue has alpine", tostring(select(2, pcall(ns.rootfs.get, "alpine:1.0"))))
    assert.is_nil(ns.try(ns.rootfs.get, "/no/such\27[2J/place"))
    assert.is_nil(tostring(select(2, pcall(ns.rootfs.get, "/no/\27[2J"))):find "\27")
  end)

  it("takes a directory as it is", function()
    local root <close> = ns.rootfs.get "/usr/../usr/"
    assert.equal("/usr/../usr", root:path())
    assert.equal("given", (root:rung()))
    assert.equal(root, ns.rootfs.get(root))
    assert.same({ path = "/usr/../usr" }, root:box_root())
    assert.is_true(root:overlay():box_root().overlay)
    assert.matches("writable layer", tostring(root:overlay()))
    root:remove()
    assert.is_true(ns.access "/usr")
    assert.is_false(pcall(root.path, root))
    assert.matches("closed", tostring(root))
  end)
end)

describe("an archive", function()
  local dir = base .. "/tree"

  setup(function()
    sh([[umask 022; mkdir -p "$1/etc" "$1/usr/bin" "$1/closed" && cd "$1" &&
      echo root >etc/passwd && ln -s usr/bin bin && ln -s /etc/passwd abs && ln etc/passwd hard &&
      echo x >"with space" && echo y >"$(printf 'odd\377\033name')" && : >empty &&
      dd if=/dev/urandom of=usr/bin/big bs=1k count=700 2>/dev/null && truncate -s 3M sparse &&
      mkfifo pipe && chmod 4755 usr/bin/big && chmod 1777 etc && echo z >closed/file &&
      chmod 0400 etc/passwd && touch -d '2001-02-03 04:05:06.789' empty && chmod 0555 closed]], "sh", dir)
    local long = dir .. "/" .. ("long"):rep(40)
    ns.mkdir(long)
    ns.chmod(long, "755")
    write(long .. "/" .. ("name"):rep(50), "long\n")
    sh([[cd "$1" && tar -C tree --sparse --format=pax -cf a.tar . && gzip -k a.tar && bzip2 -k a.tar &&
      xz -k a.tar && (zstd -q -k a.tar || true) && tar -C tree --sparse --format=gnu -cf b.tar . &&
      tar -C tree --format=gnu -czf c.tar.gz etc usr]], "sh", base)
  end)

  for _, name in ipairs { "a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz", "a.tar.zst", "b.tar", "c.tar.gz" } do
    it(name .. " becomes what GNU tar makes of it", function()
      if not ns.access(base .. "/" .. name) then return pending("no zstd") end
      local mine = new_cache()
      local path = run(("print(ns.rootfs.get(%q):path())"):format(base .. "/" .. name), mine):match "[^\n]+"
      local theirs = base .. "/theirs-" .. name
      ns.mkdir(theirs)
      helpers.run { "tar", "-C", theirs, "--numeric-owner", "-xpf", base .. "/" .. name }
      assert.equal(listing(theirs), listing(path))
      assert.same({}, ns.readdir(mine .. "/nslua/tmp"))
    end)
  end

  it("may come from standard input", function()
    local file <close> = io.open(base .. "/a.tar.gz", "rb")
    local out = run([[local r = ns.rootfs.get "-" print((r:rung()), ns.readlink(r:path() .. "/bin"))]],
      new_cache(), { stdin = file:read "a" })
    assert.equal("given\tusr/bin\n", out)
  end)

  it("is refused when its digest is not the one given, or the one beside it", function()
    local cache = new_cache()
    local code = ("local ok, e = pcall(ns.rootfs.get, %q, %s) print(ok or e.name .. e.message)")
    assert.matches("EBADMSG.*not " .. ("0"):rep(64),
      run(code:format(base .. "/a.tar.gz", '{sha256 = ("0"):rep(64)}'), cache))
    write(base .. "/c.tar.gz.sha256", ("1"):rep(64) .. "  c.tar.gz\n")
    assert.matches("beside it says 1111", run(code:format(base .. "/c.tar.gz", "nil"), cache))
    sh([[cd "$1" && sha256sum c.tar.gz >c.tar.gz.sha256]], "sh", base)
    assert.equal("true\n", run(code:format(base .. "/c.tar.gz", "nil"), cache))
  end)

  it("is unpacked for an ordinary user too, whoever its owners are", function()
    write(base .. "/shadow.tar", tar.archive { tar.dir "etc", tar.file("etc/shadow", "x", { gid = 42, mode = 416 }) })
    local cache = new_cache()
    ns.mkdir(cache)
    ns.chmod(cache, "777")
    local out = run(([[local r = ns.rootfs.get %q
      print(ns.stat(r:path() .. "/etc/shadow").mode, select(3, r:rung()))]]):format(base .. "/shadow.tar"),
      cache, { nobody = true })
    assert.matches("^416\t", out)
    if out:find "ignored" then assert.matches("owners ignored: one id is mapped", out) end
  end)

  it("has limits for its size and its number of entries", function()
    local code = "local ok, e = pcall(ns.rootfs.get, %q, {%s}) print(ok or e.message)"
    local function said(name, limits) return run(code:format(base .. "/" .. name, limits), new_cache()) end
    assert.matches("more than 100000 bytes", said("a.tar.gz", "max_bytes = 100000"))
    assert.matches("more than 3 entries", said("a.tar", "max_entries = 3"))
    for _, packer in ipairs { "gzip", "bzip2", "xz", "zstd" } do
      if servers.have(packer)() then
        sh([[cd "$1" && head -c 200M /dev/zero | $2 -1 >bomb]], "sh", base, packer)
        assert.matches("more than %d+ times its size", said("bomb", "max_ratio = 50"))
        assert.matches("more than 100000000 bytes", said("bomb", "max_ratio = 1000000, max_bytes = 100000000"))
      end
    end
    if os.getenv "NSLUA_PRELOAD" then return end -- a sanitizer's allocator cannot be limited
    sh([[cd "$1" && xz --lzma2=preset=0,dict=256MiB -c a.tar >wide.tar.xz]], "sh", base)
    assert.matches("more than 128 MiB of memory", said("wide.tar.xz", ""))
  end)

  helpers.root_it("that does not fit on the disk is refused, and nothing of it stays", function()
    local out = helpers.in_child(function()
      ns.unshare "mnt"
      ns.mount(nil, "/", nil, "rprivate")
      ns.mkdir(base .. "/small")
      ns.mount("none", base .. "/small", "tmpfs", nil, "size=600k")
      local said = run(("local ok, e = pcall(ns.rootfs.get, %q) print(ok or e.name .. e.message)"):format(
        base .. "/a.tar"), base .. "/small")
      return said .. #ns.readdir(base .. "/small/nslua/tmp") .. #ns.readdir(base .. "/small/nslua/roots")
    end)
    assert.matches("No space left on device\n00$", out)
  end)
end)

describe("the cache", function()
  local archive = base .. "/one.tar"

  setup(function() write(archive, tar.archive { tar.dir "etc", tar.file("etc/hostname", "box\n") }) end)

  it("gives the same root again, lists it and lets it go", function()
    local out = run(([[
      local a = ns.rootfs.get(%q)
      local b = ns.rootfs.get(%q)
      print(a == b, (a:rung()), (b:rung()))
      local row = ns.rootfs.list()[1]
      print(#ns.rootfs.list(), row.source, row.entries, row.path == a:path())
      print(ns.rootfs.list(), (ns.rootfs.list():json():find('"entries":2', 1, true)) ~= nil)
      b:close()
      print(ns.try(ns.rootfs.remove, row.name))
      a:remove()
      print(#ns.rootfs.list(), ns.access(row.path))]]):format(archive, archive), new_cache())
    assert.matches("^true\tgiven\tcache\n", out)
    assert.matches("\n1\t" .. archive:gsub("%p", "%%%0") .. "\t2\ttrue\n", out)
    assert.matches("\n%x+  0.0 MB in 2 files, of " .. archive:gsub("%p", "%%%0") .. "\ttrue\n", out)
    assert.matches("in use", out)
    assert.matches("\n0\tfalse\n$", out)
  end)

  it("is closed to others, and refused when it belongs to somebody else", function()
    local cache = new_cache()
    run(("ns.rootfs.get(%q)"):format(archive), cache)
    assert.equal(448, ns.stat(cache .. "/nslua").mode)
    if ns.geteuid() ~= 0 then return end
    ns.chown(cache .. "/nslua", 65534)
    assert.matches("belongs to somebody else",
      run(("print(select(2, pcall(ns.rootfs.get, %q)))"):format(base .. "/a.tar"), cache))
  end)

  it("notices that a file has changed", function()
    local cache = new_cache()
    local code = ([[print(io.open(ns.rootfs.get(%q):path() .. "/f"):read "a")]]):format(base .. "/f.tar")
    write(base .. "/f.tar", tar.archive { tar.file("f", "one") })
    assert.equal("one\n", run(code, cache))
    write(base .. "/f.tar", tar.archive { tar.file("f", "two, longer") })
    assert.equal("two, longer\n", run(code, cache))
  end)

  it("is left whole by kill -9, and the next call takes away what was left", function()
    local cache = new_cache()
    local code = ("require'nslua'.rootfs.get(%q)"):format(base .. "/a.tar.bz2")
    for i = 1, 12 do
      local child = ns.fork(function()
        ns.exec({ helpers.program, "-e", code }, { XDG_CACHE_HOME = cache, PATH = os.getenv "PATH" })
      end)
      child:wait(0.008 * i)
      if child.running then child:kill "KILL" end
      child:wait()
      for _, name in ipairs(ns.access(cache .. "/nslua/roots") and ns.readdir(cache .. "/nslua/roots") or {}) do
        assert.is_true(ns.access(cache .. "/nslua/roots/" .. name .. "/root/usr/bin/big"))
      end
    end
    ns.poll({}, 0.2) -- for the last child's children to go
    run(code .. "; require'nslua'.rootfs.get{rung='busybox'}; require'nslua'.rootfs.get" .. ("%q"):format(archive), cache)
    assert.same({}, ns.readdir(cache .. "/nslua/tmp"))
  end)

  helpers.root_it("stays with the calling user under sudo", function()
    local out = helpers.in_child(function()
      local home = base .. "/home"
      ns.mkdir(home)
      ns.chown(home, 4242, 4242)
      ns.unshare "mnt"
      ns.mount(nil, "/", nil, "rprivate")
      write(base .. "/passwd", "root:x:0:0::/root:/bin/sh\nlearner:x:4242:4242::" .. home .. ":/bin/sh\n")
      ns.mount(base .. "/passwd", "/etc/passwd", nil, "bind")
      run(("ns.rootfs.get(%q)"):format(archive), nil, { env = { SUDO_UID = "4242", SUDO_GID = "4242",
        HOME = "/root" } })
      return sh([[find "$1" ! -user 4242; find "$1" -name hostname]], "sh", home)
    end)
    assert.matches("^[^\n]*/home/.cache/nslua/roots/%x+/root/etc/hostname\n$", out)
  end)
end)
