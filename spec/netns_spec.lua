-- SPDX-License-Identifier: MIT
-- Named network namespaces, made and used by us and by `ip netns` in turn.
local helpers = require "spec.helpers"
local world = require "spec.world"
local ns = require "nslua"

-- A host of one's own: an empty /run, so that no name of this machine is met.
local function on_a_host(fn)
  return world.run(function()
    ns.mount("none", "/run", "tmpfs")
    return fn()
  end)
end

local function ip(...)
  local out, err, status = helpers.run { "ip", "netns", ... }
  if status ~= 0 then error(err, 2) end
  return out
end

local function inode(path) return ns.of(path, "net").inode end

local function refusal(name, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal(name, err.name)
end

describe("named network namespaces", function()
  helpers.adds_no_global "nslua.netns"

  it("refuse what is no name or no process", function()
    for _, f in ipairs { ns.netns.add, ns.netns.del, ns.netns.open, ns.netns.pids, ns.netns.enter } do
      for _, bad in ipairs { "", ".", "..", "a/b", "a\0b", ("x"):rep(256), 7, {} } do
        local ok, err = pcall(f, bad)
        assert.is_false(ok)
        assert.is_truthy(tostring(err):find "bad argument #1")
      end
    end
    assert.is_false(pcall(ns.netns.attach, "x", -1))
    assert.is_false(pcall(ns.netns.exec, "x", "ip link"))
    helpers.badargs(ns.scan_netns, "path", "/no/such/folder")
  end)

  helpers.root_it("are none where nobody made one, and that is explained", function()
    local count, text = on_a_host(function()
      local rows = ns.netns.list()
      return #rows, tostring(rows)
    end)
    assert.equal(0, count)
    assert.is_truthy(text:find "there is no /var/run/netns")
  end)

  helpers.root_it("are made where another mount covers the folder that was shared", function()
    on_a_host(function()
      ns.netns.add "first"
      ns.mount("none", "/run", "tmpfs")
      ns.netns.add "second"
      assert.equal("second", ns.netns.list()[1].name)
    end)
  end)

  helpers.root_it("made by us are ip's", function()
    on_a_host(function()
      local before = inode()
      ns.netns.add "blue"
      ns.netns.add "red"
      assert.equal(before, inode()) -- nothing happened to us
      assert.equal(tostring(ns.netns.list()) .. "\n", ip "list")
      assert.equal("1: lo", ip("exec", "blue", "ip", "-o", "link"):match "^1: lo")
      assert.equal("blue\n", ip("exec", "blue", "ip", "netns", "identify"))
      assert.not_equal(inode(), ns.netns.open("blue").inode)
      ip("del", "blue")
      assert.equal("red", tostring(ns.netns.list()))
    end)
  end)

  helpers.root_it("can be made where the folder of an earlier host lies under another /run", function()
    on_a_host(function()
      ns.netns.add "under"
      ns.mount("none", "/run", "tmpfs") -- the table still lists /run/netns
      ns.netns.add "over"
      assert.equal("over", tostring(ns.netns.list()))
      ns.netns.del "over"
    end)
  end)

  helpers.root_it("made by ip are ours", function()
    on_a_host(function()
      ip("add", "blue")
      ip("add", "red")
      assert.equal(ip "list", tostring(ns.netns.list()) .. "\n")
      local rows = {}
      for _, row in ipairs(ns.netns.list()) do rows[row.name] = row.ns end
      assert.equal(ns.netns.open("blue").inode, rows.blue)
      ns.netns.del "blue"
      assert.equal("red\n", ip "list")
      assert.is_false(ns.access "/run/netns/blue")
      assert.same({}, ns.netns.identify())
    end)
  end)

  helpers.root_it("are made where a folder of names lies hidden under another /run", function()
    on_a_host(function()
      ns.netns.add "blue"
      ns.mount("none", "/run", "tmpfs")
      ns.netns.add "red"
      assert.equal("red", tostring(ns.netns.list()))
    end)
  end)

  helpers.root_it("refuse a name that is taken and one that is not there", function()
    on_a_host(function()
      ns.netns.add "blue"
      local mounts = #ns.mounts()
      refusal("EEXIST", ns.netns.add, "blue")
      refusal("ENOENT", ns.netns.del, "red")
      refusal("ENOENT", ns.netns.open, "red")
      refusal("ENOENT", ns.netns.exec, "red", { "true" })
      refusal("ESRCH", ns.netns.attach, "green", 999999)
      refusal("ENOENT", ns.netns.exec, "blue", { "no-such-program" })
      assert.equal(mounts, #ns.mounts())
      assert.is_false(ns.access "/run/netns/green")
    end)
  end)

  helpers.root_it("are told from what is only a file", function()
    on_a_host(function()
      ns.netns.add "blue"
      ns.open("/run/netns/old", "create,w", "644"):close()
      for f, words in pairs { [ns.netns.add] = "the name is taken", [ns.netns.open] = "only the file is left" } do
        local ok, err = pcall(f, "old")
        assert.is_false(ok)
        assert.is_truthy(tostring(err):find(words, 1, true))
      end
      assert.is_truthy(tostring(ns.netns.list()):find("old (only the file is left)", 1, true))
      ns.netns.del "old"
      assert.equal("blue", tostring(ns.netns.list()))
    end)
  end)

  helpers.root_it("run a program or a function, in a mount namespace of its own", function()
    on_a_host(function()
      ns.netns.add "blue"
      local before = #ns.mounts()
      assert.same({ nil, "exit", 3 }, { ns.netns.exec("blue", { "sh", "-c", "exit 3" }) })
      local r, w = ns.pipe()
      assert.is_true(ns.netns.exec("blue", function(word)
        w:write(("%d %s %d"):format(inode(), word, #ns.readdir "/sys/class/net"))
      end, "hello"))
      assert.equal(("%d hello 1"):format(ns.netns.open("blue").inode), r:read(100))
      assert.equal(before, #ns.mounts())
    end)
  end)

  helpers.root_it("lay the files of /etc/netns/NAME over those of /etc", function()
    on_a_host(function()
      ns.mount("none", "/mnt", "tmpfs")
      ns.mkdir("/mnt/blue", "755")
      ns.open("/mnt/blue/hostname", "w", "644"):write "blue host\n"
      ns.netns.etc = "/mnt"
      ns.netns.add "blue"
      local r, w = ns.pipe()
      ns.netns.exec("blue", function() w:write(ns.open("/etc/hostname"):read(100)) end)
      assert.equal("blue host\n", r:read(100))
      assert.not_equal("blue host\n", ns.open("/etc/hostname"):read(100))
    end)
  end)

  helpers.root_it("can be given to the namespace of a process, and know who is in it", function()
    on_a_host(function()
      local child = world.sleeper(function() ns.unshare "net" end)
      ns.netns.attach("green", child)
      assert.same({ child.pid }, ns.netns.pids "green")
      assert.equal(child.pid .. "\n", ip("pids", "green"))
      assert.same({ "green" }, ns.netns.identify(child))
      ip("attach", "again", tostring(child.pid))
      local names = ns.netns.identify(child)
      table.sort(names)
      assert.same({ "again", "green" }, names)
      assert.same({}, ns.netns.identify())
    end)
  end)

  helpers.root_it("have numbers, given by either", function()
    on_a_host(function()
      ns.unshare "net" -- numbers belong to the network namespace that gave them
      for _, name in ipairs { "a", "b", "c" } do ns.netns.add(name) end
      ns.netns.set("a", 7)
      ip("set", "b", "9")
      ns.netns.set "c"
      refusal("EEXIST", ns.netns.set, "a", 8)
      assert.equal(ip "list", tostring(ns.netns.list()) .. "\n")
      local lines = {}
      for line in ip("list-id"):gmatch "[^\n]+" do lines[#lines + 1] = line end
      assert.equal(table.concat(lines, "\n"), tostring(ns.netns.list_id()))
      assert.equal(7, ns.netnsid(ns.netns.open "a"))
      assert.equal(3, #ns.netnsids())
    end)
  end)

  helpers.root_it("show a name with an escape sequence harmlessly", function()
    on_a_host(function()
      ns.netns.add "a\27[31mb\n"
      local text = tostring(ns.netns.list()) .. tostring(ns.list "net")
      assert.is_nil(text:find "\27")
      assert.is_truthy(text:find("a\\x1B[31mb\\n", 1, true))
    end)
  end)

  helpers.root_it("leave nothing behind", function()
    on_a_host(function()
      ns.netns.add "warm"
      local fds = helpers.fds()
      for i = 1, 20 do ns.netns.add("n" .. i) ns.netns.list() end
      for i = 1, 20 do ns.netns.del("n" .. i) end
      for _ = 1, 100 do pcall(ns.netns.add, "warm") pcall(ns.netns.del, "gone") end
      assert.equal(fds, helpers.fds())
      assert.equal("warm", tostring(ns.netns.list()))
      assert.equal(1, #ns.ps { "pid" })
    end)
  end)
end)
