-- SPDX-License-Identifier: MIT
-- However a lesson ends: the status says how, standard error says why, the
-- terminal is as it was, and nobody is left.
local helpers = require "spec.helpers"
local sys = require "nslua.sys"
local ns = require "nslua"

local PATIENCE = 10

local function stage_it(name, fn) return helpers.ns_it("user mnt uts pid", name, fn) end

-- Whoever a lesson leaves behind is a child of ours: nobody may be.
local function wait_alone()
  local left
  local deadline = ns.clock() + PATIENCE
  repeat
    left = 0
    for _, pid in ipairs(sys.children()) do
      if select(2, ns.try(ns.wait, pid, 0)) == "timeout" then left = left + 1 end
    end
    if left > 0 then ns.poll({}, 0.01) end
  until left == 0 or ns.clock() > deadline
  assert(left == 0, left .. " processes are left")
end

-- A command of sh with the program as $0.
local function shell(command, env)
  return helpers.in_child(function()
    ns.subreaper()
    local argv = { "env", "LC_ALL=C.UTF-8" }
    for name, value in pairs(env or {}) do argv[#argv + 1] = name .. "=" .. value end
    table.move({ "sh", "-c", command, helpers.program }, 1, 4, #argv + 1, argv)
    local out, err, status = helpers.run(argv, { limit = 30 })
    wait_alone()
    return out, err, status
  end)
end

local dir

-- A lesson that stays in its step.
local LONG = [[
  local ns = require "nslua"
  return ns.lesson { id = "long", title = "Long", box = { "uts", "pid" },
    { "Wait", run = function(t) t.box:spawn { "sleep", "60" } ns.poll({}, 60) end } }]]

local function save(name, text)
  local file <close> = assert(io.open(dir .. "/" .. name, "w"))
  file:write(text)
  return dir .. "/" .. name
end

lazy_setup(function() dir = ns.mkdtemp "/tmp/nslua-spec-XXXXXX" end)

lazy_teardown(function() helpers.run { "rm", "-rf", dir } end)

describe("a lesson whose descriptors are closed or full", function()
  helpers.adds_no_global "nslua.lesson.out"

  stage_it("runs without standard input and without standard error", function()
    for _, closed in ipairs { "<&-", "2>&-" } do
      local out, err, status = shell('exec "$0" --batch uts ' .. closed)
      assert.same({ "", 0 }, { err, status }, closed)
      assert.truthy(out:find "all 11 claims held", closed)
    end
  end)

  stage_it("ends with 1 without standard output, and says so once", function()
    local out, err, status = shell 'exec "$0" --batch uts >&-'
    assert.same({ "", "nslua: standard output: Bad file descriptor\n", 1 }, { out, err, status })
    local _, _, second = shell 'exec "$0" --batch uts <&- >&- 2>&-'
    assert.equal(1, second)
  end)

  for _, mode in ipairs { "--batch", "--batch=tap", "--batch=json", "--list", "--lint", "--export=md", "--export=html",
    "--export=cast", "--help", "--version" } do
    stage_it("ends with 1 when there is no room for what " .. mode .. " says", function()
      local names = mode:find "help" or mode:find "version"
      local _, err, status = shell(('exec "$0" %s %s >/dev/full'):format(mode, names and "" or "uts"))
      assert.equal(1, status)
      local said, count = err:gsub("standard output: No space left on device\n", "")
      assert.equal(1, count, err)
      assert.falsy(said:find "\n")
    end)
  end

  stage_it("ends quietly when nobody reads on", function()
    local out, err, status = shell '{ "$0" --batch pid; echo $? >&2; } | head -n 1'
    assert.same({ "141\n", 0 }, { err, status })
    assert.truthy(out:find "^PID namespaces")
  end)
end)

describe("a lesson that is told to end", function()
  for name, number in pairs { TERM = 15, HUP = 1, INT = 2 } do
    stage_it("by SIG" .. name .. " leaves nobody behind", function()
      local file = save("long.lua", LONG)
      local how, code = helpers.in_child(function()
        ns.subreaper()
        local r, w = ns.pipe()
        local front = ns.fork(function()
          w:dup2(1)
          ns.exec { helpers.program, "--batch", file }
        end)
        w:close()
        repeat local line = r:read "l" until not line or line:find "ns.poll"
        ns.kill(front, name)
        local _, how, code = front:wait(PATIENCE)
        wait_alone()
        return how, code
      end)
      if name == "INT" then
        assert.same({ "exit", 130 }, { how, code })
      else
        assert.same({ "signal", number }, { how, code })
      end
    end)

    if name == "INT" then
      stage_it("by SIGINT while it is read ends with 130 and says nothing", function()
        local file = save("slow.lua", "local a_lesson = 1\nwhile a_lesson do end")
        for _, mode in ipairs { "--batch", "--lint", "--list", "--export=md" } do
          local out, err, status = shell(('timeout --preserve-status -s INT 0.3 "$0" %s %s'):format(mode, file))
          assert.same({ "", "", 130 }, { out, err, status }, mode)
        end
      end)
    end

    stage_it("by SIG" .. name .. " on the screen leaves the terminal as it was", function()
      local file = save("long.lua", LONG)
      helpers.in_child(function()
        ns.subreaper()
        local master, slave = ns.pty(24, 80)
        local modes = slave:tcgetattr()
        local path = ns.readlink("/proc/self/fd/" .. slave:fileno())
        local leader = ns.fork(function() -- is not the one that is told to end
          ns.setsid()
          local tty = ns.open(path, "rdwr")
          for fd = 0, 2 do tty:dup2(fd) end
          local front = ns.fork(function() ns.exec { "env", "TERM=xterm", "HOME=" .. dir, helpers.program, file } end)
          io.write("front ", front.pid, "\n") io.flush()
          front:wait()
          ns.poll({}, 60)
        end)
        local shown = ""
        repeat
          assert(#ns.poll({ master }, PATIENCE) > 0, shown)
          shown = shown .. master:read(4096)
        until shown:find "quit"
        assert(slave:tcgetattr() ~= modes)
        ns.kill(math.tointeger(shown:match "front (%d+)"), name)
        local deadline = ns.clock() + PATIENCE
        while (slave:tcgetattr() ~= modes or #ns.readdir("/proc/" .. leader.pid .. "/task") == 0) and ns.clock() < deadline do
          ns.poll({}, 0.01)
        end
        assert(slave:tcgetattr() == modes, "the terminal is raw")
        ns.kill(leader, "KILL")
        wait_alone()
      end)
    end)
  end
end)

describe("a lesson on a machine that lacks something", function()
  helpers.root_it("says that /proc is not mounted", function()
    helpers.in_child(function()
      ns.unshare "mnt"
      ns.mount("none", "/", nil, "rprivate")
      ns.umount("/proc", "detach")
      for _, mode in ipairs { "--batch", "--lint", "--export=md" } do
        local out, err, status = helpers.run { "sh", "-c", "exec ./nslua " .. mode .. " uts" }
        assert.same({ "", 77 }, { out, status })
        assert.truthy(err:find("/proc is not mounted here", 1, true), err)
      end
    end)
  end)

  stage_it("says which limit of open files is too low", function()
    for limit = 8, 40, 4 do
      local out, err, status = shell(("ulimit -n %d; exec \"$0\" --batch uts"):format(limit))
      if status == 0 then
        assert.truthy(out:find "all 11 claims held", out)
      else
        assert.is_true(status == 1 or status == 77, limit .. ": " .. status)
        assert.truthy((out .. err):gsub("%s+", " "):find "Too many open files", limit .. ": " .. out .. err)
        assert.falsy(err:find "traceback", err)
      end
    end
  end)

  stage_it("runs with a full disk under its own folders", function()
    helpers.in_child(function()
      if ns.geteuid() == 0 then ns.unshare "mnt" else require "spec.world".become_root "mnt" end
      ns.mount("none", "/", nil, "rprivate")
      ns.mkdir(dir .. "/full")
      ns.mount("none", dir .. "/full", "tmpfs", nil, "size=64k")
      local filler = assert(io.open(dir .. "/full/filler", "w"))
      filler:setvbuf "no"
      while filler:write(("x"):rep(4096)) do end -- to the last page
      filler:close()
      local env = { HOME = dir .. "/full", XDG_CACHE_HOME = dir .. "/full/c", XDG_STATE_HOME = dir .. "/full/s",
        NSLUA_CACHE = false }
      local _, err, status = helpers.nslua({ "--batch", "uts", "pid" }, { env = env })
      assert.same({ "", 0 }, { err, status })
      _, err, status = helpers.nslua({ "--new", dir .. "/full/new.lua" }, { env = env })
      assert.equal(1, status)
      assert.truthy(err:find "No space left on device", err)
      assert.is_false(ns.access(dir .. "/full/new.lua"))
    end)
  end)
end)
