-- SPDX-License-Identifier: MIT
-- Capabilities as people write them, given up and handed on, of boxes and of
-- files; what the kernel says of the process is the judge.

local helpers = require "spec.helpers"
local ns = require "nslua"
local sys = require "nslua.sys"

local LABELS = { effective = "CapEff", permitted = "CapPrm", inheritable = "CapInh", bounding = "CapBnd",
  ambient = "CapAmb" }

-- The kernel's five masks from the text of a status file.
local function masks(text)
  local found = {}
  for name, label in pairs(LABELS) do found[name] = tonumber(text:match(label .. ":%s*(%x+)"), 16) end
  return found
end

local function own() return masks(io.open "/proc/self/status":read "a") end

local ALL = sys.capability_mask "all"
local NET_RAW, CHOWN, KILL = 1 << 13, 1 << 0, 1 << 5

-- In a child that is root of a new user namespace.
local function as_root_inside(fn)
  return helpers.in_child(function()
    ns.unshare "user"
    ns.map(nil, "root")
    return fn()
  end)
end

describe("a set of capabilities", function()
  helpers.adds_no_global "nslua.caps"

  it("is written in the ways that people know", function()
    for _, case in ipairs {
      { "net_raw", NET_RAW }, { "CAP_NET_RAW", NET_RAW }, { "NET_RAW,chown", NET_RAW | CHOWN },
      { { "net_raw", "kill" }, NET_RAW | KILL }, { { net_raw = true, kill = false }, NET_RAW }, { "none", 0 },
      { "all", ALL }, { "-net_raw", ALL & ~NET_RAW }, { { "-net_raw", "-kill" }, ALL & ~(NET_RAW | KILL) },
      { "all but net_raw,kill", ALL & ~(NET_RAW | KILL) }, { { drop = "all", add = { "net_raw" } }, NET_RAW },
      { { drop = "chown,kill" }, ALL & ~(CHOWN | KILL) }, { "chown,kill,-kill", CHOWN },
    } do
      assert.equal(case[2], sys.capability_mask(case[1]))
    end
  end)

  it("that is none is an argument error with the nearest name", function()
    for _, value in ipairs { "net_rw", "-net_rw", { "-net_rw" }, { drop = "net_rw" }, "all but net_rw",
      { "net_raw", "-net_rw" }, { add = "net_rw" } } do
      local _, err = pcall(ns.cap_drop, value)
      assert.matches('^spec/caps_spec.lua:%d+: bad argument #1 to \'cap_drop\' .*did you mean "net_raw"', err)
    end
    for _, value in ipairs { true, print, { drop = "all", chown = true }, { drop = 1.5 }, "a\0b", { { "-chown" } },
      { "-chown", print } } do
      assert.matches("bad argument #1", select(2, pcall(ns.cap_keep, value)))
      assert.matches("bad argument #1", select(2, pcall(ns.cap_raise, value)))
    end
  end)

  it("prints as what it is written like", function()
    local set = ns.capabilities().bounding
    assert.equal(sys.capability_mask(set), sys.capability_mask(tostring(set)))
  end)
end)

describe("what is given up", function()
  helpers.ns_it("user", "by cap_drop is gone from all five sets, and an exec does not bring it back", function()
    local before, after, executed = as_root_inside(function()
      ns.cap_raise "net_raw,kill"
      local before = own().ambient
      ns.cap_drop "net_raw,sys_boot"
      local after, text = own(), helpers.run { "cat", "/proc/self/status" }
      local left = 0
      for name in pairs(LABELS) do left = left | after[name] & (NET_RAW | 1 << 22) end
      assert.equal(KILL, after.ambient)
      return before, left, masks(text).permitted & NET_RAW
    end)
    assert.equal(NET_RAW | KILL, before)
    assert.equal(0, after)
    assert.equal(0, executed)
  end)

  helpers.ns_it("user", "by cap_keep is all the rest", function()
    local effective, permitted, bounding, text = as_root_inside(function()
      ns.cap_keep "net_raw"
      local now = own()
      return now.effective, now.permitted, now.bounding, (helpers.run { "cat", "/proc/self/status" })
    end)
    assert.same({ NET_RAW, NET_RAW, NET_RAW }, { effective, permitted, bounding })
    assert.equal(NET_RAW, masks(text).effective)
  end)

  it("by cap_keep none works for somebody who has none", function()
    local out, err = helpers.as_nobody [[
      local ns = require "nslua"
      print(ns.cap_keep "none", ns.cap_drop "all", ns.capabilities().effective)
      print(select(4, ns.try(ns.cap_raise, "net_raw")).name)]]
    assert.equal("true\ttrue\tnone\nEPERM\n", out .. err)
  end)

  helpers.root_it("what is raised outlives a change of user and an exec", function()
    local text = helpers.in_child(function()
      ns.securebits "keep_caps"
      ns.setresuid(65534, 65534, 65534)
      ns.capset { effective = "net_raw" }
      ns.cap_raise "net_raw"
      return (helpers.run { "cat", "/proc/self/status" })
    end)
    assert.matches("Uid:%s+65534", text)
    assert.same({ NET_RAW, NET_RAW }, { masks(text).effective, masks(text).ambient })
  end)
end)

describe("a box", function()
  local function box_masks(opts)
    opts[1] = "user"
    local box <close> = ns.box(opts)
    return masks((box:read "cat /proc/self/status")), masks(io.open("/proc/" .. box.pid .. "/status"):read "a")
  end

  helpers.ns_it("user", "has the capabilities that it is given, and so has what is started in it", function()
    for _, case in ipairs { { "none", 0 }, { "net_raw", NET_RAW }, { { drop = "all", add = "kill" }, KILL },
      { "-net_raw", ALL & ~NET_RAW }, { { "chown", "kill" }, CHOWN | KILL } } do
      local inside, init = box_masks { caps = case[1] }
      for _, seen in ipairs { inside, init } do
        assert.equal(case[2], seen.effective)
        assert.equal(case[2], seen.permitted)
        assert.equal(case[2], seen.bounding)
        assert.equal(case[2], seen.ambient)
      end
    end
  end)

  helpers.ns_it("user", "without a right is refused what needs it", function()
    local box <close> = ns.box { "user", "uts", caps = "-sys_admin" }
    local name = box:call(function() return select(4, ns.try(ns.sethostname, "x")).name end)
    assert.equal("EPERM", name)
    local other <close> = ns.box { "user", "uts" }
    assert.equal("x", other:call(function() ns.sethostname "x" return ns.gethostname() end))
  end)

  helpers.ns_it("user", "names a wrong capability before anything starts", function()
    local ok, err = pcall(ns.box, { "user", caps = "net_rw" })
    assert.is_false(ok)
    assert.matches('caps: unknown flag "net_rw" %(did you mean "net_raw"%?%)', err)
  end)

  helpers.ns_it("user", "with no_new_privs keeps it for all that runs there", function()
    local box <close> = ns.box { "user", no_new_privs = true }
    assert.matches("NoNewPrivs:%s+1", (box:read "cat /proc/self/status"))
  end)
end)

describe("a program file's capabilities", function()
  local function python()
    if ns.geteuid() ~= 0 then return false, "needs root" end
    return helpers.run { "sh", "-c", "command -v python3" } ~= "", "needs python3"
  end

  -- Sets the attribute: magic, permitted, inheritable (low, high), rootid.
  local function set(path, ...)
    local words = table.concat({ ... }, ",")
    local _, err, status = helpers.run { "python3", "-c",
      ("import os,struct;w=[%s];os.setxattr(%q,'security.capability',struct.pack('<%%dI'%%len(w),*w))"):format(
        words, path) }
    assert.equal(0, status, err)
  end

  local function with_file(fn)
    local path = os.tmpname()
    local ok, err = pcall(fn, path)
    os.remove(path)
    if not ok then error(err, 0) end
  end

  it("are nil for a file without any, and refused for none", function()
    assert.is_nil(ns.getcap(helpers.program))
    assert.is_nil(ns.getcap "/proc/self/status")
    local _, _, _, err = ns.try(ns.getcap, "/no/such/file")
    assert.equal("ENOENT", err.name)
    for _, bad in ipairs { "a\0b", -1, 1.5, true, {} } do
      assert.matches("bad argument #1", select(2, pcall(ns.getcap, bad)))
    end
  end)

  helpers.need_it(python, "are read from a path and a descriptor", function()
    with_file(function(path)
      set(path, 0x02000001, NET_RAW, CHOWN, 1 << 6, 0)
      local c = ns.getcap(path)
      assert.equal("net_raw,perfmon", tostring(c.permitted))
      assert.equal("chown", tostring(c.inheritable))
      assert.same({ true, 2 }, { c.effective, c.version })
      assert.is_nil(c.rootid)
      local fd <close> = ns.open(path)
      assert.equal("net_raw,perfmon", tostring(ns.getcap(fd).permitted))
    end)
  end)

  helpers.need_it(python, "made in a user namespace carry its root", function()
    with_file(function(path)
      ns.chown(path, 100000, 100000)
      local box <close> = ns.box { "user", map = { 0, 100000, 65536 } }
      box:call(function() set(path, 0x02000001, NET_RAW, 0, 0, 0) end)
      local c = ns.getcap(path)
      assert.same({ "net_raw", 3, 100000 }, { tostring(c.permitted), c.version, c.rootid })
      assert.same(2, box:call(function() return ns.getcap(path).version end))
    end)
  end)

  helpers.need_it(python, "count for who executes it, but not after no_new_privs", function()
    local folder = ns.mkdtemp "/tmp/nslua-caps-XXXXXX"
    ns.chmod(folder, "755")
    local path = folder .. "/cat"
    helpers.run { "cp", "/bin/cat", path }
    set(path, 0x02000001, NET_RAW, 0, 0, 0)
    local plain = masks((helpers.run({ path, "/proc/self/status" }, { uid = 65534 })))
    local confined = masks(helpers.in_child(function()
      ns.no_new_privs(true)
      return (helpers.run({ path, "/proc/self/status" }, { uid = 65534 }))
    end))
    helpers.run { "rm", "-r", folder }
    assert.equal(NET_RAW, plain.effective)
    assert.equal(0, confined.effective)
  end)
end)
