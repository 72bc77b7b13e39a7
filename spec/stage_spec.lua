-- SPDX-License-Identifier: MIT
-- The stage: what can be done on it, and what the host sees of that: nothing.
local helpers = require "spec.helpers"
local terminal = require "spec.terminal"
local ns = require "nslua"

local TYPES = "user mnt uts pid"

local PRELUDE = [[
  local ns, stage = require "nslua", require "nslua.stage"
  local net, user = tostring(ns.of(nil, "net")), tostring(ns.of(nil, "user"))
  local function name(f, ...) local _, e = pcall(f, ...) return type(e) == "table" and e.name or tostring(e) end
]]

-- What the program prints when this code runs on a stage, as us and as nobody.
local function on_stage(code, opts, run)
  return (run or helpers.nslua)(PRELUDE .. ("os.exit(stage.run(%s, function(host) %s end))"):format(opts or "{}", code))
end

local function both(name, fn)
  helpers.ns_it(TYPES, name, function() fn(helpers.nslua) end)
  helpers.ns_it(TYPES, name .. " (without any right)", function() fn(helpers.as_nobody) end)
end

-- All that a stage must leave as it is.
local function world()
  local lines = { ns.gethostname() }
  for _, m in ipairs(ns.mounts()) do lines[#lines + 1] = ("%s %s %s"):format(m.mountpoint, m.source, m.options) end
  return table.concat(lines, "\n")
end

describe("the stage", function()
  helpers.adds_no_global "nslua.stage"

  both("cannot be made writable again from the stage", function(run)
    local out, err, code = on_stage([[
      local function refused(f, ...)
        local ok, e = pcall(f, ...)
        io.write(ok and "done" or e.name, " ")
      end
      refused(ns.mount, "none", "/", nil, "remount,bind,rw")
      refused(ns.mount_setattr, "/", { clear = "ro" })
      local box <close> = ns.box { "user", "mnt" }
      box:call(function() refused(ns.mount, "none", "/", nil, "remount,bind,rw") io.flush() end)
      return 0]], nil, run)
    assert.equal("", err)
    assert.equal("EPERM EPERM EPERM ", out)
    assert.equal(0, code)
  end)

  both("is read-only but for /tmp, /run, $HOME, /proc and /dev", function(run)
    local out, err, code = on_stage([[
      for _, path in ipairs { "/", "/etc", "/usr", "/var/tmp", "/var" } do io.write(name(ns.mkdir, path .. "/evil"), " ") end
      io.write "\n"
      for _, path in ipairs { "/tmp", "/run", os.getenv "HOME" } do
        ns.mkdir(path .. "/nslua-evil") io.write(ns.stat(path .. "/nslua-evil").type, " ")
      end
      io.open("/dev/null", "w"):write "x":close()
      ns.fork(function() ns.unshare "user" ns.map(nil, "root") io.write("mapped ", ns.getuid(), "\n") io.flush() end):wait()]],
      nil, run)
    assert.equal("", err)
    assert.matches("^EROFS EROFS EROFS EROFS EROFS \ndir dir dir mapped 0\n$", out)
    assert.equal(0, code)
    for _, path in ipairs { "/tmp", "/run", os.getenv "HOME" or "/" } do assert.is_false(ns.access(path .. "/nslua-evil")) end
  end)

  both("has names and mounts of its own", function(run)
    local before = world()
    local out, err = on_stage([[
      ns.sethostname "stage" ns.mount("none", "/mnt", "tmpfs") ns.mount(nil, "/", nil, "rshared")
      io.open("/mnt/x", "w"):close()
      io.write(ns.gethostname(), " ", tostring(ns.access "/mnt/x"), " ", tostring(tostring(ns.of(nil, "net")) == net))]],
      nil, run)
    assert.equal("", err)
    assert.equal("stage true true", out)
    assert.equal(before, world())
  end)

  both("has a network of its own where it is asked for, lo up", function(run)
    local out = on_stage([[
      local up = 0
      for line in io.lines "/proc/net/if_inet6" do up = up + (line:find "lo$" and 1 or 0) end
      io.write(up, " ", tostring(tostring(ns.of(nil, "net")) == net))]], "{ net = true }", run)
    assert.equal("1 false", out)
  end)

  both("keeps ids, pids and the working directory", function(run)
    local out, err = on_stage([[
      io.write(tostring(ns.getuid() == uid or ns.getuid() == 0), " ", tostring(ns.getcwd() == cwd), " ",
        tostring(ns.nspid(ns.getpid())[1] == ns.getpid()), " ", name(ns.mkdir, "evil"), "\n")]], nil,
      function(code) return run("local cwd = require 'nslua'.getcwd() local uid = require 'nslua'.getuid()" .. code, { cwd = "/" }) end)
    assert.equal("", err)
    assert.equal("true true true EROFS\n", out)
  end)

  helpers.ns_it(TYPES, "keeps the folders of the program and of a lesson visible, wherever they are", function()
    local dir = ns.mkdtemp "/tmp/nslua-spec-XXXXXX"
    io.open(dir .. "/lesson.lua", "w"):write "return 1":close()
    ns.mkdir(dir .. "/home")
    helpers.run { "cp", helpers.program, dir .. "/home/nslua" }
    ns.symlink(dir .. "/home", dir .. "/link")
    local out, err = helpers.nslua(PRELUDE .. ([[
      stage.run({ keep = { %q } }, function()
        io.write(ns.readdir(%q)[1] and "seen " or "hidden ", tostring(select(2, io.open(%q .. "/new", "w"))), " ",
          tostring(ns.access(ns.readlink "/proc/self/exe")), " ", #ns.readdir(os.getenv "HOME"), " ")
        ns.mkdir(os.getenv "HOME" .. "/new") io.write(tostring((io.open(ns.readlink "/proc/self/exe", "w"))))
      end)]]):format(dir .. "/lesson.lua", dir, dir), { env = { HOME = dir .. "/link" }, program = dir .. "/home/nslua" })
    helpers.run { "rm", "-r", dir }
    assert.equal("", err)
    assert.matches("^seen .-Read%-only file system.* true 1 nil$", out) -- only the program is in HOME
  end)

  both("has a host that is another process on it", function(run)
    local out, err = on_stage([[
      ns.unshare "uts" ns.sethostname "alone"
      host:call(ns.sethostname, "shared")
      io.write(ns.gethostname(), " ", host:hostname(), " ", host:read "hostname",
        tostring(host:call(ns.getpid) ~= ns.getpid()), " ")
      local b <close> = ns.box { "uts", "mnt", hostname = "box" }
      io.write(b:hostname(), " ", host:hostname())]], nil, run)
    assert.equal("", err)
    assert.equal("alone shared shared\ntrue box shared", (out:gsub("true exit 0", "")))
  end)

  both("gives back what the lesson returned", function(run)
    for body, want in pairs { ["return 0"] = 0, ["return 7"] = 7, ["return false"] = 1, ["error 'lost'"] = 1,
      ["ns._exit(9)"] = 9, ["ns.kill(ns.getpid(), 'KILL')"] = 137, ["ns.kill(ns.getpid(), 'INT') ns.poll({}, 9)"] = 130 } do
      local _, _, code = on_stage(body, nil, run)
      assert.equal(want, code, body)
    end
  end)

  both("takes everybody along that the lesson left", function(run)
    helpers.in_child(function()
      ns.subreaper()
      local out = on_stage([[
        ns.fork(function() ns.setsid() ns.fork(function() ns.setsid() ns.exec { "sleep", "60" } end) ns.exec { "sleep", "61" } end)
        ns.box { "uts", "mnt" }:spawn { "sleep", "62" } ns.fork(function() ns.fork(function() ns.poll({}, 60) end) end):wait()
        io.write "left"]], nil, run)
      assert.equal("left", out)
      assert.equal(0, #require "nslua.sys".children())
    end)
  end)

  helpers.ns_it(TYPES, "leaves the children that its caller had before", function()
    local out = helpers.nslua(PRELUDE .. [[
      local mine = ns.clone({}, { "sleep", "60" })
      stage.run({}, function() ns.fork(function() ns.poll({}, 60) end) end)
      io.write(tostring(ns.kill(mine, 0)), " ", #require "nslua.sys".children())
      mine:close()]])
    assert.equal("true 1", out)
  end)

  helpers.root_it("is 77 with the reason where the kernel allows no user namespace", function()
    helpers.in_child(function()
      ns.unshare "mnt" ns.mount("none", "/", nil, "rprivate")
      ns.mount("tmpfs", "/mnt", "tmpfs")
      for _, dir in ipairs { "usr", "lib", "lib64", "bin", "proc", "dev", "etc" } do
        if ns.access("/" .. dir) then
          ns.mkdir("/mnt/" .. dir)
          ns.mount("/" .. dir, "/mnt/" .. dir, nil, "rbind")
        end
      end
      ns.mkdir "/mnt/tmp"
      helpers.run { "cp", helpers.program, "/mnt/nslua" }
      ns.chroot "/mnt" ns.chdir "/"
      local out, err, code = helpers.nslua(PRELUDE .. "os.exit(stage.run({}, function() io.write 'ran' end))", { program = "/nslua" })
      assert.equal("", out)
      assert.matches("a stage for the lesson cannot be made here", err)
      assert.matches("EPERM", err)
      assert.matches("chroot", err)
      assert.equal(77, code)
    end)
  end)

  helpers.root_it("needs no user namespace for a lesson that says uid0", function()
    local before = world()
    local out, err, code = on_stage([[
      ns.sethostname "root" ns.mount("none", "/mnt", "tmpfs")
      io.write(tostring(tostring(ns.of(nil, "user")) == user), " ", name(ns.mkdir, "/etc/evil"))]], "{ uid0 = true }")
    assert.equal("", err)
    assert.equal("true EROFS", out)
    assert.equal(0, code)
    assert.equal(before, world())
  end)

  helpers.ns_it(TYPES, "removes what was noted, last first, whatever ended it", function()
    for _, ending in ipairs { "return 0", "error 'x'", "ns.kill(ns.getpid(), 'KILL')", "ns.kill(ns.getppid(), 'KILL') ns.poll({}, 9)" } do
      local dir = ns.mkdtemp "/var/tmp/nslua-spec-XXXXXX"
      helpers.nslua(PRELUDE .. ([[
        local front = ns.pidfd_open(ns.getpid())
        stage.run({ keep = {} }, function()
          stage.note("rmdir", %q) stage.note("rmdir", %q .. "/in") stage.note("unlink", %q .. "/no\nsuch")
          %s
        end)]]):format(dir, dir, dir, ending), {})
      local gone = not ns.access(dir)
      if not gone then ns.rmdir(dir) end
      assert.is_true(gone, ending)
    end
  end)

  helpers.ns_it(TYPES, "ends at Ctrl-C with 130, in any state of the terminal", function()
    for _, busy in ipairs { "ns.poll({}, 60)", "while true do end", "ns.fork(function() ns.poll({}, 60) end):wait()",
      "ns.exec { 'sleep', '60' }", "host:call(ns.poll, {}, 60)" } do
      local t <close> = terminal.start { "sh", "-c",
        "trap '' INT; (trap - INT; exec \"$0\" -e \"$1\"); echo status $?; stty -a | grep -ow -e '-*echo'",
        helpers.program, PRELUDE .. ([[
          os.exit(stage.run({}, function(host) ns.fd(0):tcsetattr(ns.fd(0):tcgetattr()) print "up" io.flush() %s end))]]):format(busy) }
      t:expect "up\n"
      ns.poll({}, 0.05)
      t:type "\3"
      t:expect "status 130\n"
      t:expect "echo\n"
    end
  end)
end)
