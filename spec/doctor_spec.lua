-- SPDX-License-Identifier: MIT
-- The doctor on this machine: real refusals get their reason, abilities are
-- tried without a trace left, and the report comes in three shapes.

local helpers = require "spec.helpers"
local ns = require "nslua"
local sys = require "nslua.sys"
local doctor = require "nslua.doctor"
local ns_it = helpers.ns_it


-- The refusal of fn, explained; fails when nothing was refused.
local function refusal(fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, "nothing was refused")
  return err
end


describe("why and fix of a real refusal", function()
  it("are worked out by nothing that is loaded at start", function()
    local out = helpers.nslua [[
      local ns = require "nslua"
      print(package.loaded["nslua.doctor"])
      local _, _, _, err = ns.try(ns.exec, { "/no/such/program" })
      print(package.loaded["nslua.doctor"])
      print(#err.why > 0, package.loaded["nslua.doctor"] ~= nil)]]
    assert.equal("nil\nnil\ntrue\ttrue\n", out)
  end)

  it("name the program that is missing", function()
    local err = refusal(ns.exec, { "no-such-program-at-all" })
    assert.truthy(err.why:find('PATH has "no-such-program-at-all"', 1, true))
    assert.truthy(err.hint:find(err.fix, 1, true))
    assert.equal("execve(2)", err.see)
  end)

  it("name the interpreter that is missing", function()
    local path = os.tmpname()
    local file <close> = io.open(path, "w")
    file:write("#!/no/such/interpreter -x\n"); file:close()
    ns.chmod(path, "755")
    local err = refusal(ns.exec, { path })
    local why = err.why
    os.remove(path)
    assert.equal("ENOENT", err.name)
    assert.truthy(why:find("loader /no/such/interpreter is missing", 1, true))
  end)

  it("tell a file without x bit and a file that is no program", function()
    local path = os.tmpname()
    assert.truthy(refusal(ns.exec, { path }).why:find("no x bit", 1, true))
    ns.chmod(path, "755")
    local file <close> = io.open(path, "w")
    file:write("\127ELF garbage"); file:close()
    local err = sys.error(8, "execve", ('"%s", ["%s"]'):format(path, path))
    local why = err.why
    os.remove(path)
    assert.equal("ENOEXEC", err.name)
    assert.truthy(why:find("a script without", 1, true), why)
  end)

  ns_it("user", "tell an empty quota from a full disk", function()
    local name, why = helpers.in_child(function()
      ns.unshare "user"
      ns.map(nil, "root")
      local file <close> = assert(io.open("/proc/sys/user/max_user_namespaces", "w"))
      file:write("0"); file:close()
      local err = refusal(ns.unshare, "user")
      return err.name, err.why
    end)
    assert.equal("ENOSPC", name)
    assert.truthy(why:find("user.max_user_namespaces is 0", 1, true), why)
  end)

  ns_it("user pid", "tell that PID 1 has gone", function()
    local name, why = helpers.in_child(function()
      ns.unshare("user", "pid")
      ns.fork(function() end):wait()
      local err = refusal(ns.fork, function() end)
      return err.name, err.why
    end)
    assert.equal("ENOMEM", name)
    assert.truthy(why:find("PID 1", 1, true), why)
  end)

  ns_it("user pid", "tell that a pid namespace is waiting already", function()
    local why = helpers.in_child(function()
      ns.unshare("user", "pid")
      return refusal(ns.unshare, "pid").why
    end)
    assert.truthy(why:find("An earlier unshare", 1, true), why)
  end)

  ns_it("user", "tell that a map is written once", function()
    local why = helpers.in_child(function()
      ns.unshare "user"
      ns.map(nil, "root")
      return refusal(ns.map, nil, "root").why
    end)
    assert.truthy(why:find("once and for all", 1, true), why)
  end)

  ns_it("user", "tell a chroot that lacks a /proc", function()
    local name, why = helpers.in_child(function()
      ns.unshare "user"
      ns.map(nil, "root")
      ns.chroot "/etc"
      local err = refusal(ns.unshare, "user")
      return err.name, err.why
    end)
    assert.equal("EPERM", name)
    assert.truthy(why:find("inside a chroot", 1, true), why)
  end)

  ns_it("user mnt", "tell a chroot into a mount, which mountinfo does not show", function()
    local name, why = helpers.in_child(function()
      ns.unshare("user", "mnt")
      ns.map(nil, "root")
      ns.mount("none", "/", nil, "rec,private")
      ns.mount("/", "/mnt", nil, "bind,rec")
      ns.chroot "/mnt"
      local err = refusal(ns.unshare, "user")
      return err.name, err.why
    end)
    assert.equal("EPERM", name)
    assert.truthy(why:find("inside a chroot", 1, true), why)
  end)

  ns_it("user", "are silent in the trace and quick", function()
    local lines, seconds = helpers.in_child(function()
      local err = refusal(ns.exec, { "/no/such/program" })
      local lines = 0
      ns.trace(function() lines = lines + 1 end)
      local start = os.clock()
      assert(#err.why > 0)
      return lines, os.clock() - start
    end)
    assert.equal(0, lines)
    assert.is_true(seconds < 0.05, tostring(seconds))
  end)

  it("are absent, not wrong, for what is no refusal", function()
    assert.same({}, doctor.explain(nil))
    assert.same({}, doctor.explain {})
    assert.same({}, doctor.explain { call = 1, args = print, name = {} })
    assert.same({}, doctor.explain { call = "x", args = { print, {}, "a" }, name = "EPERM" })
  end)
end)


describe("ns.can", function()
  local function fingerprint()
    local file <close> = assert(io.open "/proc/self/mountinfo")
    return table.concat({ ns.gethostname(), file:read "a", helpers.fds(),
      ns.readlink "/proc/self/ns/user", ns.readlink "/proc/self/ns/pid_for_children" }, "\n")
  end

  it("answers for each type by word, and by name in the list", function()
    local list = ns.can()
    for _, word in ipairs { "user", "mnt", "uts", "ipc", "net", "pid", "cgroup", "time", "proc" } do
      local ok, why = ns.can(word)
      assert.is_boolean(ok)
      assert.equal(list[word], ok)
      assert.equal(ok, why == nil, word)
    end
    assert.is_nil(list.no_such_thing)
    for _, row in ipairs(list) do
      assert.is_string(row.title)
      assert.equal(row.ok, row.why == nil, row.name)
    end
  end)

  it("is a list like others: it is filtered, and printed as JSON", function()
    local uts = ns.can():where(function(row) return row.name == "uts" end)
    assert.equal(1, #uts)
    assert.equal(ns.can().uts, uts.uts)
    assert.matches("host names", tostring(uts))
    assert.equal(#ns.can(), select(2, ns.can():json():gsub('"title":', "")))
  end)

  it("agrees with what happens", function()
    for _, word in ipairs { "user", "uts", "net", "time" } do
      local really = helpers.in_child(function()
        if word == "user" then return (pcall(ns.unshare, "user")) end
        return (pcall(ns.unshare, word)) or (pcall(ns.unshare, "user", word))
      end)
      assert.equal(really, ns.can(word), word)
    end
  end)

  ns_it("user net", "says which part of nslua is missing", function()
    local folder = helpers.temporary and helpers.temporary() or "/tmp/nslua-alone-" .. ns.getpid()
    ns.mkdir(folder, "700")
    helpers.run { "cp", helpers.program, folder .. "/nslua" }
    local out = helpers.run { folder .. "/nslua", "-e", [[
      for _, row in ipairs(require "nslua".can()) do
        if row.name == "nftables" then print(row.ok, row.errno, row.why, row.fix) end
      end]] }
    helpers.run { "rm", "-r", folder }
    assert.is_truthy(out:find "^false\tnil\tnslua/net%.so cannot be opened%.\tput it beside the program", out)
  end)

  it("leaves nothing: no name, mount, descriptor or child", function()
    collectgarbage()
    local before = fingerprint()
    local done = helpers.in_child(function()
      local own = fingerprint()
      doctor.probe()
      collectgarbage()
      assert(own == fingerprint(), "something changed")
      local _, _, errno, err = ns.try(ns.wait)
      return errno and err.name
    end)
    assert.equal("ECHILD", done)
    assert.equal(before, fingerprint())
  end)

  it("is tried once for a process, and anew in a child", function()
    assert.equal(ns.can(), ns.can())
    local here = tostring(ns.can()):len()
    assert.is_true(here > 100)
    local errno = helpers.in_child(function()
      if not pcall(ns.unshare, "user") then return "refused" end
      ns.map(nil, "root")
      local file <close> = assert(io.open("/proc/sys/user/max_user_namespaces", "w"))
      file:write("0"); file:close()
      local ok, why = ns.can "user"
      return ok == false and why:find("quota", 1, true) and "refused" or "allowed"
    end)
    assert.equal("refused", errno)
  end)

  it("refuses unknown words with the words there are", function()
    local ok, err = pcall(ns.can, "overly\27")
    assert.is_false(ok)
    assert.truthy(err:find("unknown ability", 1, true))
    assert.is_nil(err:find "\27")
    assert.truthy(err:find("overlay", 1, true))
    assert.is_false((pcall(ns.can, {})))
    assert.is_false((ns.can "cgroup.nosuchcontroller"))
  end)
end)


describe("nslua --doctor", function()
  it("prints what works and ends well", function()
    local out, err, status = helpers.nslua { "--doctor" }
    assert.equal("", err)
    assert.equal(ns.can "pid" and 0 or 77, status)
    assert.truthy(out:find "\nworks +user")
    assert.is_nil(out:find "[%z\1-\9\11-\31]")
    for line in out:gmatch "[^\n]+" do
      assert.is_true(utf8.len(line) <= 100, line)
    end
  end)

  it("prints JSON that carries abilities, findings and signals", function()
    local out, err = helpers.nslua { "--doctor=json" }
    assert.equal("", err)
    assert.truthy(out:find '"abilities": %[')
    assert.truthy(out:find '"findings": %[')
    assert.truthy(out:find '"limits": {')
    assert.is_nil(out:find '"mounts"')
  end)

  it("prints remedies as one block, each after what it weakens", function()
    local view = require "nslua.doctor.view"
    local out = view.fix { findings = doctor.diagnose {
      limits = { user = 0 }, probes = { user = "ENOSPC" }, caps = {},
    } }
    assert.truthy(out:find "^# BEGIN")
    assert.truthy(out:find "# END[^\n]*\n$")
    assert.truthy(out:find "\n# weakens: [^\n]+\nsudo sysctl %-w user.max_user_namespaces=10000\n"
      or out:find "\n# weakens: .-\nsudo sysctl %-w user.max_user_namespaces=10000\n")
    for line in out:gmatch "[^\n]+" do
      assert.truthy(line:find "^#" or line:find "^sudo ", line)
    end
  end)

  it("tells nobody how to weaken a healthy machine", function()
    local view = require "nslua.doctor.view"
    assert.truthy(view.fix { findings = {} }:find "nothing to do")
  end)

  it("works without rights, and says 77 where no namespace can be made", function()
    local out, err, status = helpers.as_nobody { "--doctor" }
    assert.equal("", err)
    assert.truthy(out:find "\nworks ")
    assert.truthy(status == 0 or status == 77)
  end)
end)
