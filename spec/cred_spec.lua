-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

local name_of = helpers.refusal

-- The kernel's own word on the ids: real, effective, saved, file system.
local function status(label)
  for line in io.lines "/proc/self/status" do
    local rest = line:match("^" .. label .. ":%s*(.-)%s*$")
    if rest then return (rest:gsub("%s+", " ")) end
  end
end

describe("ids", function()
  it("refuse wrong arguments before the kernel hears of them", function()
    helpers.in_child(function() -- where a mistake would do no harm
      for _, f in ipairs { "setuid", "setgid", "seteuid", "setegid" } do
        helpers.badargs(ns[f], "id", 0)
      end
      for _, f in ipairs { "setreuid", "setregid" } do helpers.badargs(ns[f], "?id ?id", 0, 0) end
      for _, f in ipairs { "setresuid", "setresgid" } do helpers.badargs(ns[f], "?id ?id ?id", 0, 0, 0) end
      helpers.badargs(ns.setgroups, "list", {})
      for _, v in ipairs { -1, 2 ^ 32, 4294967295, 1.5, "0", {}, true } do
        local ok, err = pcall(ns.setgroups, { 0, v })
        assert.is_false(ok)
        assert.matches("element 2", err)
      end
    end)
  end)

  it("agree with what the kernel says of the process", function()
    local r, e, s = ns.getresuid()
    assert.equal(("%d %d %d"):format(r, e, s), status("Uid"):match "%d+ %d+ %d+")
    assert.equal(("%d %d"):format(ns.getuid(), ns.geteuid()), ("%d %d"):format(r, e))
    r, e, s = ns.getresgid()
    assert.equal(("%d %d %d"):format(r, e, s), status("Gid"):match "%d+ %d+ %d+")
    assert.equal(("%d %d"):format(ns.getgid(), ns.getegid()), ("%d %d"):format(r, e))
    assert.equal(status "Groups", table.concat(ns.getgroups(), " "))
  end)

  helpers.root_it("change one by one", function()
    for _, case in ipairs {
      { "setuid", { 5 }, "Uid", "5 5 5 5" }, { "setgid", { 5 }, "Gid", "5 5 5 5" },
      { "seteuid", { 5 }, "Uid", "0 5 0 5" }, { "setegid", { 5 }, "Gid", "0 5 0 5" },
      { "setreuid", { nil, 5 }, "Uid", "0 5 5 5" }, { "setregid", { nil, 5 }, "Gid", "0 5 5 5" },
      { "setreuid", { 5, nil }, "Uid", "5 0 0 0" }, { "setregid", { 5, nil }, "Gid", "5 0 0 0" },
      { "setresuid", { 5, 6, 7 }, "Uid", "5 6 7 6" }, { "setresgid", { 5, 6, 7 }, "Gid", "5 6 7 6" },
      { "setresuid", { nil, nil, 7 }, "Uid", "0 0 7 0" }, { "setresgid", {}, "Gid", "0 0 0 0" },
      { "setuid", { 4294967294 }, "Uid", ("4294967294 "):rep(4):sub(1, -2) },
      { "setgroups", { { 9, 7, 4294967294 } }, "Groups", "7 9 4294967294" },
      { "setgroups", { {} }, "Groups", "" },
    } do
      local got = helpers.in_child(function()
        ns.setresgid(0, 0, 0)
        ns[case[1]](table.unpack(case[2], 1, 3))
        return status(case[3])
      end)
      assert.equal(case[4], got, case[1])
    end
  end)

  it("are refused to those who have no right", function()
    local out, err = helpers.as_nobody [[
      local ns = require "nslua"
      for _, f in ipairs { "setuid", "setgid", "seteuid", "setegid", "setreuid", "setregid", "setresuid",
          "setresgid" } do
        local ok, e = pcall(ns[f], 1, 1, 1)
        print(f, ok or e.name)
      end
      print("setgroups", select(2, pcall(ns.setgroups, {})).name)
      print(ns.setuid(ns.getuid()))]]
    assert.equal("", err)
    local n = select(2, out:gsub("EPERM", ""))
    assert.equal(9, n, out)
    assert.matches("true\n$", out)
  end)

  helpers.ns_it("user", "are EINVAL without a map, and setgroups EPERM", function()
    assert.same({ "EINVAL", "EINVAL", "EPERM", 65534 }, { helpers.in_child(function()
      ns.unshare "user"
      return name_of(ns.setuid, 5), name_of(ns.setresgid, 5, 5, 5), name_of(ns.setgroups, {}), ns.getuid()
    end) })
  end)
end)

describe("capabilities", function()
  it("refuse wrong arguments before the kernel hears of them", function()
    helpers.in_child(function()
      for _, f in ipairs { ns.cap_drop_bounding } do
        helpers.badargs(f, "flags", "none")
        assert.is_false(pcall(f, nil))
        assert.is_false(pcall(f, { sys_admin = 1 }))
        assert.is_false(pcall(f, { sys_admn = true }))
      end
      helpers.badargs(ns.cap_ambient, "word ?flags", "lower", "none")
      helpers.badargs(ns.securebits, "?flags", "no such bit")
      helpers.badargs(ns.rlimit, "word", "core")
      helpers.badargs(ns.capabilities, "?pid", 1)
      for _, v in ipairs { 1, "x", true, { efective = "none" }, { effective = "sys_admn" }, { effective = 1.5 },
        { permitted = {} , [1] = "x" }, { inheritable = print } } do
        local ok, err = pcall(ns.capset, v)
        assert.is_false(ok)
        assert.matches("bad argument #1", err)
      end
      for _, v in ipairs { -1, 1.5, "1", "x", {}, true, 0 / 0 } do
        assert.is_false(pcall(ns.rlimit, "core", v))
        assert.is_false(pcall(ns.rlimit, "core", nil, v))
      end
      for _, v in ipairs { false, 1, "true", {} } do assert.is_false(pcall(ns.no_new_privs, v)) end
    end)
    local _, err = pcall(ns.capset, { effective = "sys_admn" })
    assert.matches('did you mean "sys_admin"', err)
  end)

  it("agree with what the kernel says of the process", function()
    for _, target in ipairs { false, ns.getpid() } do
      local caps = ns.capabilities(target or nil)
      for field, label in pairs { effective = "CapEff", permitted = "CapPrm", inheritable = "CapInh",
        bounding = "CapBnd", ambient = "CapAmb" } do
        local n, bits = 0, tonumber(status(label), 16)
        for _ in pairs(caps[field]) do n = n + 1 end
        local ones = 0
        while bits ~= 0 do ones, bits = ones + (bits & 1), bits >> 1 end
        assert.equal(ones, n, field)
      end
    end
  end)

  helpers.ns_it("user", "are all there in a new user namespace, and none for nobody", function()
    local inside, after = helpers.in_child(function()
      ns.unshare "user"
      local all = tostring(ns.capabilities().effective)
      ns.capset { effective = "none", permitted = "none" }
      return all, tostring(ns.capabilities().permitted)
    end)
    assert.equal("all", inside)
    assert.equal("none", after)
  end)

  helpers.ns_it("user", "change: all three sets, the bounding and the ambient one", function()
    helpers.in_child(function()
      ns.unshare "user"
      assert.is_true(ns.capset { effective = "net_raw,CAP_KILL", inheritable = { "kill" } })
      local caps = ns.capabilities()
      assert.same({ net_raw = true, kill = true }, { net_raw = caps.effective.net_raw, kill = caps.effective.kill,
        chown = caps.effective.chown })
      assert.equal("kill,net_raw", tostring(caps.effective))
      assert.equal("kill", tostring(caps.inheritable))
      assert.equal("EPERM", name_of(ns.cap_drop_bounding, "kill"))
      ns.capset { effective = "all" }
      ns.cap_drop_bounding { "sys_boot" }
      assert.equal("all but sys_boot", tostring(ns.capabilities().bounding))
      assert.equal("EPERM", name_of(ns.cap_ambient, "raise", "chown"))
      ns.cap_ambient("raise", "kill")
      assert.is_true(ns.capabilities().ambient.kill)
      ns.cap_ambient "clear"
      assert.equal("none", tostring(ns.capabilities().ambient))
    end)
  end)

  helpers.ns_it("user", "that were given up do not come back", function()
    helpers.in_child(function()
      ns.unshare "user"
      local caps = ns.capabilities()
      caps.permitted.chown = false
      ns.capset { permitted = caps.permitted, effective = caps.permitted }
      assert.is_nil(ns.capabilities().permitted.chown)
      assert.equal("EPERM", name_of(ns.capset, { permitted = "all" }))
    end)
  end)

  helpers.ns_it("user", "survive setuid with keep_caps", function()
    assert.equal("keep_caps", helpers.in_child(function()
      ns.unshare "user"
      assert.same({}, ns.securebits())
      assert.is_true(ns.securebits "keep_caps")
      return table.concat(ns.securebits(), ",")
    end))
  end)

  it("cannot be gained after no_new_privs", function()
    assert.same({ false, true, true }, { helpers.in_child(function()
      return ns.no_new_privs(), ns.no_new_privs(true), ns.no_new_privs()
    end) })
  end)
end)

describe("limits", function()
  it("are read and set", function()
    helpers.in_child(function()
      local _, hard = ns.rlimit "nofile"
      local soft, still = ns.rlimit("nofile", 20)
      assert.same({ 20, hard }, { soft, still })
      local n = 0
      local fill = {}
      while true do
        local ok, fd = pcall(ns.open, "/dev/null")
        if not ok then
          assert.equal("EMFILE", fd.name)
          break
        end
        n = n + 1
        fill[n] = fd
      end
      assert.is_true(n < 20)
      assert.equal(n, #fill)
      ns.rlimit("core", 0, 0)
      assert.same({ 0, 0 }, { ns.rlimit "core" })
      assert.equal("EINVAL", name_of(ns.rlimit, "fsize", 10, 5))
      if ns.rlimit "cpu" == math.huge then ns.rlimit("cpu", "unlimited"); ns.rlimit("cpu", math.huge) end
    end)
  end)
end)
