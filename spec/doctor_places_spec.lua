-- SPDX-License-Identifier: MIT
-- The doctor in hard places: behind a system call filter, in a chroot without
-- /proc, without a quota, without the right to fork, 32 levels deep.

local helpers = require "spec.helpers"
local subids = require "spec.subids"
local ns = require "nslua"
local ns_it = helpers.ns_it


local UNSHARE = { x86_64 = "272", aarch64 = "97" }
local EPERM, KILL = "0x50001", "0x80000000"

local function has_python()
  local number = UNSHARE[ns.uname().machine]
  if not number then return false, "the number of unshare(2) here is not known" end
  if helpers.run({ "sh", "-c", "command -v python3" }) == "" then return false, "needs python3" end
  return true
end

local function filtered(action, ...)
  return helpers.filtered(UNSHARE[ns.uname().machine], action, { helpers.program, ... })
end


-- The program and what it needs, in an empty root without /proc.
local function in_bare_root(code)
  return helpers.in_child(function()
    if not pcall(ns.unshare, "user", "mnt") then ns.unshare "mnt" else ns.map(nil, "root") end
    ns.mount("none", "/", nil, "rec,private")
    ns.mount("tmpfs", "/mnt", "tmpfs")
    ns.chroot "/mnt"
    ns.chdir "/"
    return code()
  end)
end


describe("behind a system call filter", function()
  helpers.need_it(has_python, "a refusal is the filter's, and --doctor ends with 77", function()
    local _, err = filtered(EPERM, "-e", "require'nslua'.unshare 'user'")
    assert.truthy(err:find("unshare(CLONE_NEWUSER): Operation not permitted (EPERM)", 1, true), err)
    assert.truthy(err:find("\n  why  A system call filter (seccomp) refuses it", 1, true), err)
    local out, _, status = filtered(EPERM, "--doctor")
    assert.equal(77, status)
    assert.truthy(out:find("user: EPERM\n  why  A system call filter", 1, true), out)
    local fix = filtered(EPERM, "--doctor=fix")
    assert.truthy(fix:find("seccomp=unconfined", 1, true), fix)
  end)

  helpers.need_it(has_python, "one that kills takes a probe, not the program", function()
    local out, _, status = filtered(KILL, "--doctor")
    assert.equal(77, status)
    assert.truthy(out:find("user: killed by signal 31", 1, true), out)
  end)
end)


describe("abilities that are tried where the caller stands", function()
  local ASK = [[
    local ns = require "nslua"
    for _, name in ipairs { "subids", "newuidmap", "idmap", "seccomp", "unmasked" } do
      local ok, why = ns.can(name)
      print(name, ok, why)
    end]]

  subids.it("somebody with subordinate ids can map them", function()
    local out = subids.as_nobody({ subuid = "nobody:200000:65536\n", subgid = "nobody:200000:65536\n" }, ASK)
    assert.equal("subids\ttrue\tnil\nnewuidmap\ttrue\tnil\nidmap\ttrue\tnil\nseccomp\ttrue\tnil\nunmasked\ttrue\tnil\n", out)
  end)

  subids.it("somebody without, or with uids alone, is told which file has none", function()
    local out = subids.as_nobody({ subuid = "", subgid = "" }, ASK)
    assert.matches('subids\tfalse\tNo line of /etc/subuid and /etc/subgid gives "nobody" a range', out)
    out = subids.as_nobody({ subuid = "nobody:200000:65536\n", subgid = "" }, ASK)
    assert.matches('subids\tfalse\tNo line of /etc/subuid and /etc/subgid gives "nobody"', out)
  end)

  helpers.need_it(has_python, "a filter is seen, whatever else works", function()
    local out = filtered(EPERM, "-e", ASK)
    assert.matches("seccomp\tfalse\ta filter", out)
  end)

  ns_it("user mnt", "covered parts of /proc are named, and that no other proc can be mounted", function()
    local ok, why, proc, reason = helpers.in_child(function()
      ns.unshare("user", "mnt")
      ns.map(nil, "root")
      ns.propagate "rprivate"
      ns.mount("tmpfs", "/proc/sys", "tmpfs", "ro")
      local ok, why = ns.can "unmasked"
      local proc, reason = ns.can "proc"
      return ok, why, proc, reason
    end)
    assert.is_false(ok)
    assert.matches("these are covered: /proc/sys", why)
    assert.is_false(proc)
    assert.matches("/proc", reason)
  end)
end)


describe("in a chroot without /proc", function()
  ns_it("user mnt", "a refusal is the chroot's, and nothing raises", function()
    local name, why = in_bare_root(function()
      local _, err = pcall(ns.unshare, "user")
      return err.name, err.why
    end)
    assert.equal("EPERM", name)
    assert.truthy(why:find("inside a chroot", 1, true), why)
  end)

  ns_it("user mnt", "ns.can and the report work", function()
    local user, text = in_bare_root(function()
      local list = ns.can()
      return list.user, tostring(list)
    end)
    assert.is_false(user)
    assert.truthy(text:find("inside a chroot", 1, true), text)
  end)

  ns_it("user mnt", "a map that cannot be written is told from one that may not", function()
    local name, why = in_bare_root(function()
      local child <close> = ns.fork(function() ns.poll({}, 5) end)
      local _, err = pcall(ns.map, child, { uid = { 0, 0, 1 } })
      return err.name, err.why
    end)
    assert.equal("ENOENT", name)
    assert.truthy(why:find("files of /proc", 1, true), why)
  end)
end)


describe("without a quota", function()
  ns_it("user", "what works without a user namespace is still found", function()
    local list, why = helpers.in_child(function()
      ns.unshare("user", "mnt")
      ns.map(nil, "root")
      local file <close> = assert(io.open("/proc/sys/user/max_user_namespaces", "w"))
      file:write("0"); file:close()
      local can = ns.can()
      local _, reason = ns.can "user"
      return can.user == false and can.mnt and can.tmpfs and can.uts, reason
    end)
    assert.is_true(list)
    assert.truthy(why:find("max_user_namespaces is 0", 1, true), why)
  end)

  -- Written in a user namespace: a quota counts for those who are in it.
  local function with_quota(word, ...)
    local argv = table.pack(...)
    return helpers.in_child(function()
      ns.unshare "user"
      ns.map(nil, "root")
      local file <close> = assert(io.open("/proc/sys/user/max_" .. word .. "_namespaces", "w"))
      file:write("0"); file:close()
      return helpers.run { helpers.program, table.unpack(argv) }
    end)
  end

  ns_it("user", "--doctor ends with 77 where no stage can be made", function()
    local out, _, status = with_quota("user", "--doctor")
    assert.truthy(out:find("user: ENOSPC\n", 1, true), out)
    assert.equal(77, status)
  end)

  ns_it("user", "a lesson about that type says so and ends with 77, another runs", function()
    local out, err, status = with_quota("net", "--batch", "net")
    assert.equal(77, status, out)
    assert.truthy((out .. err):find("no net namespaces: user.max_net_namespaces is 0 (an admin", 1, true), out .. err)
    out, err, status = with_quota("net", "--batch", "uts")
    assert.equal(0, status, out .. err)
  end)
end)


describe("32 levels deep", function()
  ns_it("user", "the refusal is explained by the depth", function()
    local depth, name, why = helpers.in_child(function()
      for level = 0, 40 do
        local ok, err = pcall(ns.unshare, "user")
        if not ok then return level, err.name, err.why end
        ns.map(nil, "root")
      end
    end)
    assert.is_true(depth >= 30 and depth <= 33, tostring(depth))
    assert.equal("ENOSPC", name)
    assert.truthy(why:find("nested 32 deep", 1, true), why)
  end)
end)


describe("without the right to fork", function()
  -- Root is never refused: this needs somebody else, alone under that uid.
  local code = [[
    local ns = require "nslua"
    ns.rlimit("nproc", 0)
    local _, _, _, err = ns.try(ns.fork, print)
    print(err.name, err.why)
    local ok, why = ns.can "user"
    print(ok, why)]]

  helpers.need_it(function()
    return ns.rlimit ~= nil and ns.geteuid() == 0, "needs ns.rlimit and root, to become somebody"
  end, "the limit is named, and ns.can says that it could not try", function()
    local out, err = helpers.as_nobody(code)
    assert.equal("", err)
    assert.truthy(out:find("EAGAIN\tA limit on the number of processes is reached: ulimit -u is 0", 1, true), out)
    assert.truthy(out:find("false\tfork(): ", 1, true), out)
  end)
end)
