-- SPDX-License-Identifier: MIT
-- A box with a root of its own: what is mounted there, and that a hostile root
-- leads nothing astray.
local helpers = require "spec.helpers"
local world = require "spec.world"
local ns = require "nslua"

local TYPES = { "user", "mnt", "pid", "uts" }

local refusal = helpers.refusal

local function has_busybox()
  local path = helpers.run({ "sh", "-c", "command -v busybox" }):match "%S+"
  if not path then return false, "needs busybox" end
  if not io.open(path):read "a":find "BusyBox" then return false, "needs busybox" end
  local _, _, code = helpers.run { "sh", "-c", "ldd " .. path .. " >/dev/null 2>&1" }
  if code == 0 then return false, "needs a static busybox" end
  return true, path
end
local HAVE, BUSYBOX = has_busybox()

local function root_it(name, fn)
  helpers.need_it(function()
    if not HAVE then return HAVE, BUSYBOX end
    return helpers.probe(table.concat(TYPES, " "), function() ns.unshare(table.unpack(TYPES)) end)()
  end, name, fn)
end

local function sh(...)
  local _, err, code = helpers.run { "sh", "-ec", ... }
  assert.equal(0, code, err)
end

-- fn(dir, root): a folder of ours with a root in it, gone afterwards.
local function with_root(fn)
  local dir = ns.mkdtemp "/tmp/nslua-spec-XXXXXX"
  local _ <close> = setmetatable({}, { __close = function()
    helpers.run { "rm", "-rf", "--one-file-system", dir }
  end })
  ns.chmod(dir, "755")
  sh([[mkdir -p "$1/root/bin" "$1/outside" && cp "$2" "$1/root/bin/busybox" && cd "$1/root/bin"
    for a in sh ls cat echo mount hostname id ps stat readlink touch mkdir test df grep; do ln -s busybox $a; done
    chmod -R a+rX "$1"]], "sh", dir, BUSYBOX)
  return fn(dir, dir .. "/root")
end

-- All that is in a folder, with types and sizes, as one text.
local function contents(dir)
  return (helpers.run { "find", dir, "-printf", "%P %y %s %m %l\n" })
end

describe("a box with a root", function()
  helpers.adds_no_global "nslua.boxroot"

  root_it("sees that root and nothing of ours, with proc and dev in it", function()
    with_root(function(_, root)
      helpers.in_child(function()
        local b <close> = ns.box { "uts", root = root, hostname = "inner" }
        assert.equal("bin\ndev\nproc\n", (b:read "ls /"))
        assert.equal("inner\n", (b:read "hostname"))
        assert.equal("/\n", (b:read "pwd"))
        assert.is_false(b:call(ns.access, "/etc/passwd"))
        local seen = {}
        for _, m in ipairs(b:mounts()) do seen[m.mountpoint] = m.type end
        assert.equal("proc", seen["/proc"])
        assert.equal("tmpfs", seen["/dev"])
        assert.equal("devpts", seen["/dev/pts"])
        for target in pairs(seen) do assert.is_truthy(target == "/" or target:find "^/proc" or target:find "^/dev") end
        assert.equal("1\n", (b:read "ls /proc | grep -x 1"))
        for _, node in ipairs { "null", "zero", "full", "random", "urandom", "tty" } do
          assert.equal("char", b:call(function() return ns.stat("/dev/" .. node).type end))
        end
        assert.equal("ok\n", (b:read "echo gone > /dev/null && echo ok > /dev/shm/x && cat /dev/shm/x"))
        assert.equal("1777\n", (b:read "stat -c %a /dev/shm"))
        assert.equal("/proc/self/fd\n", (b:read "readlink /dev/fd"))
        local master = b:call(function() return (ns.pty()) end)
        assert.is_true(master:winsize() == 24)
      end)
    end)
  end)

  root_it("is the same for somebody without any right", function()
    with_root(function(dir, root)
      ns.chmod(root, "755")
      local out, err = helpers.as_nobody(([[
        local ns = require "nslua"
        local b <close> = ns.box { "uts", root = %q, dev = false, proc = false }
        io.write((b:read "ls /; id -u"))]]):format(root))
      assert.equal("", err)
      assert.equal("bin\n0\n", out)
      assert.matches("outside", contents(dir))
    end)
  end)

  root_it("holds the mounts that were asked for, made where they are missing", function()
    with_root(function(dir, root)
      helpers.in_child(function()
        io.open(dir .. "/outside/file", "w"):write("text"):close()
        local b <close> = ns.box { root = root, mounts = {
          { dir .. "/outside", "/deep/down/here", nil, "bind,ro" }, { dir .. "/outside/file", "/one", nil, "bind" },
          { "none", "/scratch", "tmpfs", "nosuid", "size=64k" } } }
        assert.equal("text", (b:read "cat /deep/down/here/file"))
        assert.equal("text", (b:read "cat /one"))
        assert.equal("nil exit 1", table.concat({ tostring((b:sh "touch /deep/down/here/no 2>/dev/null")), "exit", 1 }, " "))
        assert.is_true((b:sh "touch /scratch/yes"))
        for _, m in ipairs(b:mounts()) do
          if m.mountpoint == "/deep/down/here" then assert.matches("ro", m.options) end
        end
        assert.equal("text", io.open(dir .. "/outside/file"):read "a")
      end)
      assert.is_nil(contents(dir .. "/outside"):find "yes")
    end)
  end)

  root_it("cannot be left: no way up, no old root, no descriptor", function()
    with_root(function(_, root)
      helpers.in_child(function()
        local leaked <close> = ns.open("/", "path,directory")
        leaked:dup2(9) -- inherited by a plain exec
        local b <close> = ns.box { "user", root = root }
        assert.equal("bin\ndev\nproc\n", (b:read "cd ../../../..; ls"))
        assert.equal("bin\ndev\nproc\n", (b:read "ls /proc/1/root/")) -- PID 1 stands there too
        assert.is_false((b:sh "test -e /proc/self/fd/9") == true)
        for _, m in ipairs(b:mounts()) do assert.is_nil(m.mountpoint:find "old") end
        -- the classic way out of a chroot
        local out = b:call(function()
          ns.mkdir "/jail" ns.chroot "/jail"
          for _ = 1, 50 do ns.chdir ".." end
          return table.concat(ns.readdir ".", " ")
        end)
        assert.is_nil(out:find "etc")
      end)
    end)
  end)

  root_it("touches nothing outside when /dev and /proc of the root lead there", function()
    for _, target in ipairs { "../../outside", "../../../../../../../../tmp", "/proc/1/root/tmp", "OUTSIDE" } do
      with_root(function(dir, root)
        target = target:gsub("OUTSIDE", dir .. "/outside")
        io.open(dir .. "/outside/canary", "w"):write("alive"):close()
        for _, name in ipairs { "dev", "proc", "mnt" } do ns.symlink(target, root .. "/" .. name) end
        local before, mounts = contents(dir .. "/outside"), #ns.mounts()
        helpers.in_child(function()
          pcall(function()
            local b <close> = ns.box { "user", root = root, mounts = { { "none", "/mnt/x", "tmpfs" },
              { "/etc", "/mnt/etc", nil, "bind" } } }
            b:sh "touch /dev/evil /proc/evil /mnt/evil"
          end)
        end)
        assert.equal(before, contents(dir .. "/outside"))
        assert.equal(mounts, #ns.mounts())
        assert.is_false(ns.access "/tmp/evil")
      end)
    end
  end)

  root_it("touches nothing outside when names in it are links to files there", function()
    with_root(function(dir, root)
      io.open(dir .. "/outside/file", "w"):write("whole"):close()
      ns.mkdir(root .. "/dev")
      for _, name in ipairs { "null", "pts", "shm", "console" } do
        ns.symlink("../../outside/file", root .. "/dev/" .. name)
      end
      ns.symlink(dir .. "/outside/file", root .. "/one")
      helpers.in_child(function()
        local b <close> = ns.box { "user", root = root }
        b:sh "echo x > /dev/null; (echo y > /one) 2>/dev/null"
        assert.matches("^E", refusal(ns.box, { "user", root = root, mounts = { { "/etc/passwd", "/one", nil, "bind" } } }))
      end)
      assert.equal("whole", io.open(dir .. "/outside/file"):read "a")
    end)
  end)

  helpers.ns_it("user mnt pid", "may be / itself, under whatever name", function()
    helpers.in_child(function()
      for _, root in ipairs { "/", "/.", "//", "/proc/self/root" } do
        local box <close> = ns.box { "user", root = root }
        local place = ns.of(box, "mnt").inode
        assert.equal("1 mnt:[" .. place .. "]\n", box:read "readlink /proc/1/ns/mnt | sed 's/^/1 /'")
        assert.equal(table.concat(ns.readdir "/etc", " "), table.concat(box:call(ns.readdir, "/etc"), " "))
        assert.not_equal(ns.of(nil, "mnt").inode, place)
        local top = ns.stat "/"
        assert.same({ top.dev, top.ino }, { box:call(function()
          local st = ns.stat "/.."
          return st.dev, st.ino
        end) })
      end
    end)
  end)

  it("says what is wrong with a root", function()
    helpers.in_child(function()
      assert.equal("ENOENT", refusal(ns.box, { "user", root = "/no/such/root" }))
      assert.equal("ENOTDIR", refusal(ns.box, { "user", root = "/etc/passwd" }))
      for _, root in ipairs { 5, true, {}, print, "a\0b", "" } do assert.matches("^%u*", refusal(ns.box, { root = root })) end
      for _, mounts in ipairs { 1, "x", { 1 }, { {} }, { { "a" } }, { { "none", "/x", "tmpfs", "rw,nosuchflag" } },
        { { print, "/x", "tmpfs" } }, { { "none", "/x\0", "tmpfs" } }, { { "none", "/x", 5 } } } do
        local why = refusal(ns.box, { "user", mounts = mounts })
        assert.not_equal("no refusal", why)
      end
      assert.equal("ECHILD", refusal(ns.wait))
    end)
  end)

  root_it("stays as it was when the box wrote to an overlay of it", function()
    with_root(function(_, root)
      local before = contents(root)
      local lower = { path = function() return root end, box_root = function() return { path = root, overlay = true } end }
      local ok, text = helpers.in_child(function()
        local fine, b = pcall(ns.box, { root = lower })
        if not fine then return false, tostring(b) end
        local _ <close> = b
        b:sh "echo new > /new; echo changed > /bin/new"
        return true, (b:read "cat /new")
      end)
      if not ok then return helpers.absent("overlay in a box", text) end
      assert.equal("new\n", text)
      assert.equal(before, contents(root))
    end)
  end)

  -- Where the network namespace is made beside the mounts: fn(root) as the root
  -- of a user namespace, or of the host.
  local function with_rights(fn)
    with_root(function(_, root)
      helpers.in_child(function()
        if ns.geteuid() == 0 then ns.unshare "mnt" else world.become_root "mnt" end
        ns.mount("none", "/", nil, "rprivate")
        fn(root)
      end)
    end)
  end

  local function run_in(root, opts, script)
    local r <close>, w = ns.pipe()
    local _ <close> = w
    opts.root, opts.stdout, opts.stderr, opts.init = root, w, w, false
    local ok, how, code = ns.run(opts, { "sh", "-c", script })
    w:close()
    return r:read "a", ok, how, code
  end

  root_it("has a network of its own from its first program on, and a sysfs of it", function()
    with_rights(function(root)
      local out = run_in(root, { "net", "pid", net = "lo", mounts = { { "none", "/sys", "sysfs" } } },
        "readlink /proc/self/ns/net; ls /sys/class/net; cat /sys/class/net/lo/flags")
      local net, links, flags = out:match "^(net:%b[])\n(.*)\n(0x%x+)\n$"
      assert.not_nil(net, out)
      assert.not_equal(ns.readlink "/proc/self/ns/net", net)
      assert.equal("lo", links)
      assert.equal(1, tonumber(flags) & 1) -- IFF_UP
    end)
  end)

  root_it("leaves nobody beside it, and no descriptor", function()
    with_rights(function(root)
      run_in(root, { "net" }, "true")
      local before = helpers.fds()
      for i = 1, 20 do assert.equal(i, select(4, run_in(root, { "net" }, "exit " .. i))) end
      assert.equal("ENOENT", refusal(ns.run, { "net", root = root, init = false }, { "/no/such" }))
      assert.equal(before, helpers.fds())
      assert.equal("ECHILD", refusal(ns.wait))
    end)
  end)

  root_it("tells when the machine gives no more networks", function()
    with_root(function(_, root)
      helpers.in_child(function()
        world.become_root "mnt"
        local fd <close> = ns.open("/proc/sys/user/max_net_namespaces", "w")
        fd:write "0\n"
        local ok, err = pcall(ns.run, { "net", root = root, init = false }, { "sh" })
        assert.same({ false, "ENOSPC", "unshare" }, { ok, err.name, err.call })
        assert.equal("ECHILD", refusal(ns.wait))
      end)
    end)
  end)

  root_it("is PID 1 where unshare(\"pid\") made it so, whoever makes its network", function()
    with_rights(function(root)
      ns.unshare "pid"
      assert.equal("1\n", (run_in(root, { "net", pid = false, proc = false }, "echo $$")))
    end)
  end)
end)
