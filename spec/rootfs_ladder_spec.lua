-- SPDX-License-Identifier: MIT
-- The ladder: which rung a root stands on, and what a box in it can do.

local helpers = require "spec.helpers"
local ns = require "nslua"
local roots = require "spec.roots"
local servers = require "spec.servers"
local tar = require "spec.tar"

local base = roots.base "ladder"
ns.mkdir(base .. "/cache")
ns.chmod(base .. "/cache", "777")

-- What a process prints that has the cache of these specs.
local function run(code, opts)
  return roots.run(code, opts and opts.cache or base .. "/cache", opts)
end

local function in_box(rung, command)
  return run(([[
    local box <close> = ns.box{ root = ns.rootfs.get{ rung = %q }:overlay(), hostname = "box" }
    io.write((box:read{ "/bin/sh", "-c", %q }))]]):format(rung, command), { nobody = true,
    cache = base .. "/nobody" })
end

describe("the ladder", function()
  setup(function()
    ns.mkdir(base .. "/nobody")
    ns.chmod(base .. "/nobody", "777")
  end)

  teardown(function() helpers.run { "rm", "-rf", base } end)

  it("is climbed to the first rung that holds, and says which one", function()
    local out = run "print(ns.rootfs.get{network = false}:rung())"
    assert.truthy(out:find "^busybox\tstatic busybox of this host" or out:find "^host\tthis host's own"
      or out:find "^self\tnslua itself", out)
  end)

  it("says of each rung why it does not hold", function()
    local out = run([[local ok, e = pcall(ns.rootfs.get, {rung = "busybox"}) print(ok or e.why)]],
      { env = { PATH = "/nowhere" } })
    assert.truthy(out == "true\n" or out == "busybox: this host has no static busybox\n", out)
    assert.equal("network: not asked for\n",
      run [[print(select(2, pcall(ns.rootfs.get, {rung = "network", network = false})).why)]])
    assert.equal("cache: no Alpine in the cache\n",
      run [[print(select(2, pcall(ns.rootfs.get, {rung = "cache"})).why)]])
  end)

  it("says where a cache may go when its folder cannot be made", function()
    local file = base .. "/small.tar"
    local fd <close> = ns.open(file, "w")
    fd:write(tar.archive { tar.file "x" })
    local out = run(("print(select(2, pcall(ns.rootfs.get, %q)).fix)"):format(file),
      { cache = "/proc/nowhere" })
    assert.matches("set XDG_CACHE_HOME to a folder of your own that you may write to", out)
  end)

  helpers.need_it(servers.have "python3", "goes on without a network that gives the wrong thing", function()
    local file = base .. "/other.tar"
    local fd <close> = ns.open(file, "w")
    fd:write(tar.archive { tar.file "x" })
    local server = servers.bad(file)
    local out = run([[
      print(ns.rootfs.get(nil, {quiet = true}):rung())
      local ok, e = pcall(ns.rootfs.get, "alpine", {quiet = true})
      print(e.message)]], { env = { NSLUA_ALPINE_MIRROR = server.url .. "/good" } })
    server:stop()
    assert.is_nil(out:find "^network")
    assert.matches("its SHA%-256 is %x+, not %x+\n$", out)
  end)

  for rung, probe in pairs { busybox = "busybox", host = "sh", self = "sh" } do
    local it_has = rung ~= "busybox" and function(name, fn) helpers.ns_it("user mnt pid", name, fn) end
      or function(name, fn) helpers.need_it(servers.have(probe), name, fn) end

    it_has(rung .. ": a box of an ordinary user runs programs in it", function()
      assert.equal("box\n", in_box(rung, "hostname"))
      assert.matches("%f[%w]bin\n", in_box(rung, "ls /"))
      assert.matches("\n +1 ", in_box(rung, "ps"))
    end)
  end

  helpers.ns_it("user mnt pid", "host: its programs cannot be written to", function()
    local out = in_box("host", "echo x 2>/dev/null >/usr/x || echo refused; echo y >/tmp/y && cat /tmp/y")
    assert.equal("refused\ny\n", out)
  end)

  helpers.ns_it("user mnt pid", "self: the tools do what little they promise", function()
    local cases = {
      { "echo a 'b  c' \"$HOME\" && false || echo d; exit 0", "^a b  c /%S*\nd\n$" },
      { "cd /bin; ls -l sh", "^%-rwxr%-xr%-x +%d+ +%d+ +%d+ sh\n$" },
      { "cat /etc/hosts", "^127.0.0.1 localhost\n" },
      { "mount", "proc on /proc type proc" },
      { "hostname other && hostname", "^other\n$" },
      { "sleep 0.01 && id", "^uid=0 gid=0\n$" },
      { "uname", "^Linux box " },
      { "sh -c 'exit 7'; echo $?", "^7\n$" },
      { "nslua -e 'print(require\"nslua\".gethostname())'", "^box\n$" },
    }
    for _, case in ipairs(cases) do
      local code = ([[
        local box <close> = ns.box{ root = ns.rootfs.get{ rung = "self" }:overlay(), hostname = "box",
          stderr = "null", env = { HOME = "/root", PATH = "/bin" } }
        io.write((box:read{ "/bin/sh", "-c", %q }))]]):format(case[1])
      local out = run(code)
      assert.truthy(out == case[2] or out:find(case[2]), case[1] .. ": " .. out)
    end
  end)

  helpers.ns_it("user mnt pid", "a box without a layer cannot change the shared tree", function()
    for _, rung in ipairs { "host", "self" } do
      local out = run(([[
        local root <close> = ns.rootfs.get{ rung = %q }
        local box <close> = ns.box{ root = root, hostname = "box" }
        print(box:call(function() local f, e, n = io.open("/etc/mine", "w") return n end))
        io.write((box:read{ "/bin/sh", "-c", "hostname" }))
        print(ns.access(root:path() .. "/etc/mine"))]]):format(rung))
      assert.equal("30\nbox\nfalse\n", out) -- EROFS
    end
  end)

  helpers.ns_it("user mnt pid", "boxes share a tree and keep what they write to themselves", function()
    local out = run [[
      local root <close> = ns.rootfs.get{ network = false }
      local a <close> = ns.box{ root = root:overlay() }
      local b <close> = ns.box{ root = root:overlay() }
      a:run{ "/bin/sh", "-c", "cd /tmp; hostname >/dev/null" }
      a:call(function() local f = io.open("/etc/mine", "w") f:write "a" f:close() end)
      print(a:call(function() return io.open "/etc/mine" ~= nil end))
      print(b:call(function() return io.open "/etc/mine" ~= nil end))
      print(ns.access(root:path() .. "/etc/mine"))]]
    assert.equal("true\nfalse\nfalse\n", out)
  end)
end)
