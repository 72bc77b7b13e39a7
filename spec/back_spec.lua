-- SPDX-License-Identifier: MIT
-- Going somewhere and coming back: here and back, joining a process, clocks,
-- the loopback device, and what the trace says of it all.
local helpers = require "spec.helpers"
local ns = require "nslua"
local sys = require "nslua.sys"

local function link(type)
  return ns.readlink("/proc/self/ns/" .. type)
end

local refusal = helpers.refusal

describe("the way back", function()
  helpers.root_it("leads out of every type that the kernel lets go", function()
    helpers.in_child(function()
      local hostname = ns.gethostname()
      local before = {}
      local types = { "mnt", "uts", "ipc", "net", "cgroup" }
      for _, t in ipairs(types) do before[t] = link(t) end
      ns.unshare("mnt", "uts", "ipc", "net", "cgroup", "pid", "time")
      ns.mount("none", "/", nil, "rprivate") ns.mount("tmpfs", "/tmp", "tmpfs")
      ns.chdir "/tmp" ns.sethostname "elsewhere"
      ns.back()
      for _, t in ipairs(types) do assert.equal(before[t], link(t)) end
      assert.equal(hostname, ns.gethostname())
      local pid, clocks = ns.fork(function() -- and so do the children
        return ns.getpid() > 1 and link "time" == link "time_for_children"
      end):wait()
      assert.is_true(pid, clocks)
      ns.back() -- twice is fine
    end)
  end)

  helpers.root_it("leads to a place that was kept, root and directory included", function()
    helpers.in_child(function()
      ns.unshare("mnt") ns.mount("none", "/", nil, "rprivate") ns.mount("tmpfs", "/mnt", "tmpfs")
      ns.mkdir "/mnt/in" ns.chdir "/mnt"
      local saved = ns.here()
      ns.unshare("uts", "mnt") ns.sethostname "deeper" ns.chroot "/mnt" ns.chdir "/in"
      assert.is_false(ns.access "/mnt")
      ns.back(saved)
      assert.equal("/mnt", ns.getcwd())
      assert.is_true(ns.access "/proc/self")
      assert.not_equal("deeper", ns.gethostname())
      for _, h in pairs(saved) do h:close() end
      assert.matches("closed", refusal(ns.back, saved))
    end)
  end)

  it("ends at a user namespace, by name and without a trace of trying", function()
    local out = helpers.as_nobody([[
      local ns = require "nslua"
      ns.unshare("user", "uts")
      local inside = ns.of(nil, "uts")
      local ok, err = pcall(ns.back)
      io.write(tostring(ok), " ", err.name, " ", err.step, "\n")
      io.write(tostring(inside == ns.of(nil, "uts")), "\n")]])
    assert.equal("false EPERM no way back to uts: \ntrue\n", out)
    helpers.in_child(function()
      ns.unshare "user"
      local ok, err = pcall(ns.back)
      assert.is_false(ok)
      assert.equal("EPERM", err.name)
      assert.matches("no way back to user", tostring(err))
    end)
  end)

  it("needs no descriptors before something changes", function()
    local out = helpers.nslua [[
      local ns = require "nslua"
      local before = #ns.readdir "/proc/self/fd"
      ns.back() print(#ns.readdir "/proc/self/fd" - before)]]
    assert.equal("0\n", out)
  end)

  helpers.root_it("works where no /proc is mounted", function()
    helpers.in_child(function()
      ns.unshare("mnt") ns.mount("none", "/", nil, "rprivate") ns.mount("tmpfs", "/proc", "tmpfs")
      if refusal(ns.of, nil, "uts") ~= "no refusal" then
        return helpers.absent("ns.of without /proc", "PIDFD_GET_UTS_NAMESPACE is of Linux 6.11")
      end
      local saved = ns.here()
      ns.unshare("uts") ns.sethostname "blind"
      ns.back(saved)
      assert.not_equal("blind", ns.gethostname())
      assert.is_true(ns.setns(ns.getppid()))
    end)
  end)
end)

describe("in a root without /proc", function()
  -- A box from before, the caller in an empty root, its children elsewhere.
  local function stranded(fn)
    return helpers.in_child(function()
      if ns.geteuid() ~= 0 then ns.unshare("user", "mnt") ns.map(nil, "root") end
      local box <close> = ns.box { "mnt", "uts", hostname = "before" }
      ns.unshare "mnt"
      ns.mount("none", "/", nil, "rec,private")
      ns.mount("tmpfs", "/mnt", "tmpfs")
      ns.chroot "/mnt"
      ns.chdir "/"
      return fn(box)
    end)
  end

  -- In a user namespace the kernel refuses the way back to the pid namespace.
  helpers.root_it("a box from before is as good as it was", function()
    stranded(function(box)
      assert.equal("before\n", box:read { "uname", "-n" })
      ns.unshare "pid"
      assert.equal("before", box:call(ns.gethostname))
      assert.is_true(box:sh "test -e /proc/1/status")
      assert.equal("before", box:call(ns.gethostname)) -- nobody became PID 1
      local child <close> = ns.fork(function() return ns.getpid() == 1 end)
      assert.is_true(child:wait())
    end)
  end)

  helpers.root_it("numbers of another pid namespace lead nowhere", function()
    stranded(function(box)
      ns.unshare "pid"
      local child <close> = ns.fork(function()
        local ok, err = pcall(sys.open_proc, ("/proc/%d/root"):format(box.pid), true)
        return not ok and err.name == "ENOENT"
      end)
      assert.is_true(child:wait())
    end)
  end)

  helpers.root_it("nothing is kept busy before", function()
    helpers.in_child(function()
      ns.unshare "mnt"
      ns.mount("none", "/", nil, "rec,private")
      ns.unshare "uts"
      ns.umount "/proc"
    end)
  end)
end)

describe("setns", function()
  helpers.ns_it("user uts net", "joins all types in which a process differs, and only those", function()
    helpers.in_child(function()
      local p <close> = ns.clone({ "user", "uts", "net", map = "root", hostname = "there" }, { "sleep", "60" })
      local ipc = link "ipc"
      ns.setns(p)
      assert.equal("there", ns.gethostname())
      assert.equal(ipc, link "ipc")
      for _, t in ipairs { "user", "uts", "net" } do
        assert.equal(ns.readlink(("/proc/%d/ns/%s"):format(p.pid, t)), link(t))
      end
      assert.is_true(ns.setns(p)) -- nothing differs any more
    end)
  end)

  helpers.ns_it("user uts", "takes a pid, an Ns, an Fd and a path alike", function()
    helpers.in_child(function()
      local p <close> = ns.clone({ "user", "uts", map = "root", hostname = "there" }, { "sleep", "60" })
      local ways = {
        function() ns.setns(p.pid) end,
        function() ns.setns(ns.of(p, "user")) ns.setns(ns.of(p, "uts"), "uts") end,
        function()
          local fd = ns.open(("/proc/%d/ns/uts"):format(p.pid))
          ns.setns(p, "user") ns.setns(fd, "uts")
        end,
        function()
          local path = ("/proc/%d/ns/uts"):format(p.pid)
          ns.setns(p, "user") ns.setns(path)
        end,
      }
      for i, way in ipairs(ways) do
        local ok = ns.fork(function() way() return ns.gethostname() == "there" end):wait()
        assert.is_true(ok, "way " .. i)
      end
    end)
  end)

  it("says ESRCH of a process that has ended, EINVAL of no namespace", function()
    helpers.in_child(function()
      local child = ns.fork(function() end)
      child:wait()
      assert.matches("the process has ended", refusal(ns.setns, child))
      assert.equal("ESRCH", refusal(ns.setns, child.pid))
      assert.equal("EINVAL", refusal(ns.setns, "/etc/passwd"))
      assert.equal("ENOENT", refusal(ns.setns, "/no/such/file"))
      assert.equal("EINVAL", refusal(ns.setns, "/proc/self/ns/uts", "net"))
    end)
  end)
end)

describe("the clocks", function()
  helpers.ns_it("user time", "of a time namespace are moved before its first child, not after", function()
    local here, there = helpers.in_child(function()
      ns.unshare("user", "time")
      ns.timens_offsets { monotonic = -0.5, boottime = 7 * 86400 }
      local r, w = ns.pipe()
      ns.fork(function() w:write(io.open("/proc/uptime"):read "n") end):wait()
      assert.equal("EACCES", refusal(ns.timens_offsets, { boottime = 1 }))
      local offsets = io.open "/proc/self/timens_offsets":read "a"
      assert.matches("monotonic%s+%-1%s+500000000", offsets)
      w:close()
      return io.open("/proc/uptime"):read "n", tonumber(r:read "a")
    end)
    assert.is_true(math.abs(there - here - 7 * 86400) < 5)
  end)

  helpers.ns_it("user time", "cannot be moved out of the kernel's range", function()
    helpers.in_child(function()
      ns.unshare("user", "time")
      assert.equal("ERANGE", refusal(ns.timens_offsets, { monotonic = -8e9 }))
    end)
  end)
end)

describe("lo_up", function()
  helpers.ns_it("user net", "makes 127.0.0.1 answer", function()
    helpers.in_child(function()
      ns.unshare("user", "net")
      local function flags()
        local up = 0
        for line in io.lines "/proc/net/if_inet6" do if line:find "lo$" then up = up + 1 end end
        return up
      end
      assert.equal(0, flags())
      ns.lo_up()
      assert.equal(1, flags()) -- ::1
    end)
  end)

  it("is EPERM without the right", function()
    local out = helpers.as_nobody 'local ns = require "nslua" print(select(4, ns.try(ns.lo_up)).name)'
    assert.equal("EPERM\n", out)
  end)
end)

describe("the trace", function()
  it("shows each call as strace would, refused ones too, and stops", function()
    local lines = helpers.as_nobody [[
      local ns = require "nslua"
      ns.trace(function(line) print(line) end)
      ns.unshare("user", "uts") ns.sethostname "a\nb"
      pcall(ns.unshare, "uts", "uts") pcall(ns.setns, "/proc/self/ns/uts", "net")
      ns.trace(false)
      ns.unshare("net")]]
    local expected = {
      "^unshare%(CLONE_NEWUSER|CLONE_NEWUTS%) = 0$", '^sethostname%("a\\nb", 3%) = 0$',
      "^unshare%(CLONE_NEWUTS%) = 0$", "^setns%(%d+, CLONE_NEWNET%) = %-1 EINVAL$",
    }
    local i = 0
    for line in lines:gmatch "[^\n]+" do
      i = i + 1
      assert.matches(expected[i], line)
    end
    assert.equal(#expected, i)
  end)

  helpers.ns_it("user uts", "shows a child's steps with its pid", function()
    local out = helpers.as_nobody [[
      local ns = require "nslua"
      ns.trace(function(line) print(line) end)
      ns.run({ "user", "uts", hostname = "box" }, { "true" })]]
    local pid = out:match "clone3%(CLONE_NEWUSER|CLONE_NEWUTS%) = (%d+)\n"
    assert.is_string(pid)
    assert.matches(("[pid %s] sethostname(\"box\") = 0"):format(pid), out, 1, true)
    assert.matches(("[pid %s] write(\"/proc/self/uid_map\", \"0 65534 1\\n\") = 0"):format(pid), out, 1, true)
  end)
end)
