-- SPDX-License-Identifier: MIT
-- The tools in scripts/: each works as the one whose name it has.
local helpers = require "spec.helpers"
local world = require "spec.world"
local ns = require "nslua"

local function tool(name, ...)
  return helpers.run { helpers.program, ("%s/scripts/%s.lua"):format(ns.getcwd(), name), ... }
end

local function lines(text)
  local out = {}
  for line in text:gmatch "[^\n]+" do out[#out + 1] = line end
  return out
end

describe("lsns.lua", function()
  it("prints lsns's columns", function()
    local out, _, status = tool("lsns", "-t", "uts")
    assert.equal(0, status)
    assert.is_truthy(lines(out)[1]:find "^%s+NS TYPE NPROCS%s+PID USER +COMMAND$")
    assert.is_truthy(out:find(tostring(ns.of(nil, "uts").inode), 1, true))
  end)

  it("knows lsns's options", function()
    local mine = tostring(ns.of(nil, "ipc").inode)
    assert.equal(mine .. "\n", (tool("lsns", "-n", "-o", "ns", "-t", "ipc", "-p", tostring(ns.getpid()))))
    assert.equal("NS TYPE\n" .. mine .. " ipc\n", (tool("lsns", "-r", "-o", "NS,TYPE", "-tipc", "-p", tostring(ns.getpid()))))
    assert.is_truthy(tool("lsns", "--tree=owner"):find "^NS +TYPE +NPROCS +PID USER +COMMAND\n")
    assert.is_truthy(tool("lsns", "-T"):find "\n[├|`└][^ ]*%d+ +ipc ")
    assert.is_truthy(tool("lsns", "-J"):find '"ns": %d+')
    assert.is_truthy(tool("lsns", "--svg"):find "^<svg")
    assert.is_truthy(tool("lsns", "--dot"):find "^digraph")
    assert.is_truthy(tool("lsns", "-m"):find "COMMAND")
    assert.equal(17 - 1, select(2, lines(tool("lsns", "--output-all", "-r", "-t", "user"))[1]:gsub("%S+", "")))
    assert.is_truthy(tool("lsns", "--help"):find("--persistent", 1, true))
  end)

  it("takes a filter in lsns's capitals, and names all columns", function()
    local out = tool("lsns", "-n", "-o", "type", "-Q", "TYPE == 'uts' and PID > 0")
    assert.is_truthy(out:find "^uts\n")
    assert.is_nil(out:find "ipc")
    assert.is_truthy(tool("lsns", "-H"):find "NS\nTYPE\n")
    assert.is_truthy(tool("netns", "--help"):find "ip netns")
  end)

  it("prints in JSON and as a tree what -o names", function()
    local mine = tostring(ns.of(nil, "ipc").inode)
    local out = tool("lsns", "-J", "-o", "NS,PATH,NETNSID", "-t", "ipc", "-Q", "ns == " .. mine)
    assert.equal(('{"namespaces":[{"netnsid":null,"ns":%s,"path":"/proc/%d/ns/ipc"}]}'):format(mine, ns.list("ipc")[1].pid),
      (out:gsub("%s", "")))
    assert.is_truthy(tool("lsns", "-T", "-o", "TYPE,NS"):find "^TYPE +NS *\nuser +%d+\n%l+ +[├|]")
    assert.is_truthy(tool("lsns", "-J", "-T", "-o", "NS"):find '"children": %[')
    assert.is_truthy(tool("lsns", "-V"):find "^lsns from %d")
    local _, err, status = tool("lsns", "-J", "-o", "nz")
    assert.equal(1, status)
    assert.is_truthy(err:find("did you mean 'ns'?", 1, true))
  end)

  it("reads its command line as lsns does", function()
    local mine, pid = tostring(ns.of(nil, "ipc").inode), tostring(ns.getpid())
    for _, words in ipairs { { "-nro", "ns,type", "-tipc", "-p" .. pid }, { "--nohead", "-r", "--output=NS,TYPE", "-t", "ipc",
      "--task", pid }, { "-Wlnuro", "ns,type", "-t", "ipc", "-p", pid } } do
      assert.equal(mine .. " ipc\n", (tool("lsns", table.unpack(words))))
    end
    assert.is_truthy(lines((tool("lsns", "-o", "+PATH", "-t", "net")))[1]:find "NETNSID +NSFS +COMMAND +PATH$")
    assert.is_truthy(tool("lsns", "-T=process", "-t", "user"):find "^ +NS TYPE")
    for _, wrong in ipairs { { "-Jr" }, { "-lT" }, { "-Pp1" }, { "-p", "1", mine }, { "--no" }, { "--json=3" }, { "-nx" },
      { "--", "-n" }, { mine, mine }, { "-o", "," } } do
      local out, err, status = tool("lsns", table.unpack(wrong))
      assert.same({ "", 2 }, { out, status }, table.concat(wrong, " "))
      assert.is_truthy(err:find "^lsns: ")
    end
    local _, err = tool("lsns", "--outp", "ns")
    assert.equal("lsns: --outp may be --output or --output-all\n", err)
  end)

  it("draws who started whom unless it is told not to, in JSON as well", function()
    local child <close> = world.sleeper(function()
      if ns.geteuid() == 0 then ns.unshare "uts" else ns.unshare("user", "uts") end
    end)
    local uts, query = tostring(ns.of(child, "uts").inode), ("pid == %d || pid == %d"):format(ns.getpid(), child.pid)
    local host = tostring(ns.of(nil, "uts").inode)
    assert.is_truthy(tool("lsns", "-t", "uts"):find("\n%s*" .. uts .. "[^\n]*[├|`└]"))
    assert.is_nil(tool("lsns", "-l", "-t", "uts"):find("\n%s*" .. uts .. "[^\n]* [├|`└]"))
    assert.is_truthy(tool("lsns", "-J", "-t", "uts"):find('"children": %['))
    assert.is_nil(tool("lsns", "-J", "-l", "-t", "uts"):find "children")
    assert.is_truthy(tool("lsns", host):find("\n *%d+ +" .. ns.getpid() .. " [^\n]+[├|`└]"))
    assert.equal("", (tool("lsns", "-n", "-t", "uts", "-Q", query .. " && pid == 0")))
  end)

  it("tells of a full disk", function()
    for _, words in ipairs { { "lsns" }, { "lsns", "-J" }, { "ps", "-e" } } do
      local path = ("%s/scripts/%s.lua"):format(ns.getcwd(), words[1])
      local command = ("exec %s %s %s >/dev/full"):format(helpers.program, path, words[2] or "")
      local _, err, status = helpers.run { "sh", "-c", command }
      assert.equal(1, status)
      assert.is_truthy(err:find "write error: No space left on device")
    end
  end)

  it("filters by an expression, and by a namespace", function()
    local out = tool("lsns", "-n", "-o", "type", "-Q", "type == 'uts' or type == 'ipc'")
    for _, line in ipairs(lines(out)) do assert.is_true(line == "uts" or line == "ipc") end
    local inside = tool("lsns", tostring(ns.of(nil, "uts").inode))
    assert.is_truthy(inside:find("\n%s*" .. ns.getpid() .. " "))
  end)

  it("ends with 2 for a wrong option, with 1 for what is not there", function()
    for _, wrong in ipairs { { "-z" }, { "-t" }, { "-p", "x" }, { "word" }, { "-t", "" } } do
      local out, err, status = tool("lsns", table.unpack(wrong))
      assert.same({ "", 2 }, { out, status })
      assert.is_truthy(err:find "^lsns: ")
    end
    for _, wrong in ipairs { "(", "nproc > 1", "user =~ '['" } do
      local out, err, status = tool("lsns", "-Q", wrong)
      assert.same({ "", 1 }, { out, status })
      assert.is_truthy(err:find "^lsns: bad filter")
    end
    local _, err, status = tool("lsns", "-t", "utz")
    assert.equal(1, status)
    assert.is_truthy(err:find('did you mean "uts"?', 1, true))
    assert.equal(1, select(3, tool("lsns", "-p", "4194304")))
    assert.is_nil(select(2, tool("lsns", "\27[31m")):find "\27")
  end)
end)

describe("ps.lua", function()
  it("prints the columns that are asked for", function()
    local out = tool("ps", "-o", "pid,nspid,netns", "-p", tostring(ns.getpid()), "--no-headers")
    assert.equal(("%d %d %d"):format(ns.getpid(), ns.getpid(), ns.of(nil, "net").inode), (out:gsub("\n", ""):gsub(" +", " ")))
    assert.is_truthy(lines((tool("ps", "-eo", "pid,pidns,args")))[1]:find "^%s*PID%s+PIDNS COMMAND$")
    assert.is_truthy(tool("ps", "-J", "-p", tostring(ns.getpid())):find('"pid": ' .. ns.getpid(), 1, true))
    assert.is_truthy(tool("ps", "-f"):find "PPID")
    assert.is_truthy(tool("ps"):find "PIDNS")
  end)

  it("shows who started whom, and what another pid namespace sees", function()
    local child <close> = world.sleeper()
    local out = tool("ps", "-H", "-p", ns.getpid() .. "," .. child.pid)
    assert.is_truthy(out:find(child.pid .. " [└`]"))
    out = tool("ps", "--inside", tostring(child.pid), "-o", "inpid,pid")
    assert.is_truthy(out:find(("\n%%s*%d%%s+%d\n"):format(child.pid, child.pid)))
  end)

  it("ends with 1 for a wrong option, column or pid", function()
    for _, wrong in ipairs { { "-z" }, { "-o" }, { "-o", "pdi" }, { "-p", "x" } } do
      local out, err, status = tool("ps", table.unpack(wrong))
      assert.same({ "", 1 }, { out, status })
      assert.is_truthy(err:find "^ps: ")
    end
  end)
end)

describe("netns.lua", function()
  it("ends with 1 for an unknown command or name", function()
    local _, err, status = tool("netns", "ad", "x")
    assert.equal(1, status)
    assert.is_truthy(err:find "unknown command ad")
    assert.equal(1, select(3, tool("netns", "pids", "no such name")))
  end)

  helpers.root_it("does what ip netns does", function()
    world.run(function()
      ns.mount("none", "/run", "tmpfs")
      local function ip(...) return (helpers.run { "ip", "netns", ... }) end
      assert.equal(0, select(3, tool("netns", "add", "blue")))
      ip("add", "red")
      assert.equal(ip(), (tool "netns"))
      assert.equal(ip "list", (tool("netns", "list")))
      assert.equal("blue\n", (tool("netns", "exec", "blue", "ip", "netns", "identify")))
      assert.equal(5, select(3, tool("netns", "exec", "blue", "sh", "-c", "exit 5")))
      assert.equal(0, select(3, tool("netns", "set", "blue", "3")))
      assert.is_truthy(tool("netns", "list-id"):find "^nsid 3 ")
      local child <close> = world.sleeper(function() ns.unshare "net" end)
      assert.equal(0, select(3, tool("netns", "attach", "green", tostring(child.pid))))
      assert.equal(ip("pids", "green"), (tool("netns", "pids", "green")))
      assert.equal("green\n", (tool("netns", "identify", tostring(child.pid))))
      ns.unshare "net" -- numbers belong to the network namespace that gave them
      ns.netns.add "a\n'b"
      for i, name in ipairs { "blue", "red", "green", "a\n'b" } do ns.netns.set(name, i + 10) end
      ns.netns.exec("red", function() ns.netns.set("blue", 5) ns.netns.set("a\n'b", 6) end)
      assert.equal(ip("list-id", "nsid", "12"), (tool("netns", "list-id", "nsid", "12")))
      local ours = lines((tool("netns", "list-id", "target-nsid", "12")))
      assert.equal(2, #ours)
      assert.equal(lines(ip("list-id", "target-nsid", "12"))[1], ours[1])
      assert.is_truthy(ours[1]:find("nsid 5 current-nsid 11 (iproute2 netns name: blue)", 1, true))
      assert.is_truthy(ours[2]:find("nsid 6 current-nsid 14 (iproute2 netns name: a\\n'b)", 1, true))
      local _, err, status = tool("netns", "list-id", "target-nsid", "99")
      assert.equal(1, status)
      assert.is_truthy(err:find "has the number 99")
      assert.equal(1, select(3, tool("netns", "list-id", "nsid")))
      local out = tool("netns", "-all", "exec", "ip", "netns", "identify")
      for _, name in ipairs { "blue", "red", "green" } do
        assert.is_truthy(out:find(("\nnetns: %s\n%s\n"):format(name, name), 1, true), out)
      end
      assert.equal(4, select(3, tool("netns", "-all", "exec", "sh", "-c", "exit 4")))
      assert.equal(1, select(3, tool("netns", "-all", "add")))
      assert.equal(0, select(3, tool("netns", "del", "blue")))
      assert.equal(0, select(3, tool("netns", "-all", "del")))
      assert.equal("", ip "list")
    end)
  end)

  helpers.root_it("tells of names that come and go", function()
    world.run(function()
      ns.mount("none", "/run", "tmpfs")
      local r, w = ns.pipe()
      local monitor <close> = ns.fork(function()
        w:dup2(1)
        ns.exec { helpers.program, "scripts/netns.lua", "monitor" }
      end)
      ns.poll({}, 0.4)
      ns.netns.add "blue"
      assert.equal("add blue\n", r:read(100))
      ns.netns.del "blue"
      assert.equal("delete blue\n", r:read(100))
      ns.netns.add "a\27\nb"
      assert.equal("add a??b\n", r:read(100))
      ns.netns.exec("a\27\nb", function()
        assert.equal("a??b\n", (tool("netns", "identify")))
      end)
      assert.is_true(monitor.running)
    end)
  end)
end)
