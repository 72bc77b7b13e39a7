-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local world = require "spec.world"
local ns = require "nslua"

local needs = ns.geteuid() == 0 and "mnt pid" or "user mnt pid"

local function message(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return tostring(err)
end

describe("ns.list", function()
  it("has a record for each of the caller's own namespaces", function()
    local at = world.by_name(ns.list())
    for word, handle in pairs(ns.of()) do
      local row = at[word .. " " .. handle.inode]
      assert.equal(word, row.type)
      assert.equal(handle.id, row.id)
      assert.is_true(row.nprocs >= 1)
      assert.is_truthy(row.kept_by:find "^processes")
      local owner = handle:owner()
      if word ~= "user" then assert.equal(owner and owner.inode, row.ons) end
    end
  end)

  it("takes one type, several, and a process", function()
    for _, row in ipairs(ns.list "uts") do assert.equal("uts", row.type) end
    for _, types in ipairs { { type = { "net", "ipc" } }, { "net", "ipc" }, "net,ipc" } do
      local seen = {}
      for _, row in ipairs(ns.list(types)) do seen[row.type] = true end
      assert.same({ net = true, ipc = true }, seen)
    end
    local child <close> = world.sleeper()
    local mine = ns.list { pid = child }
    assert.equal(8, #mine)
    for _, row in ipairs(mine) do assert.equal(ns.of(child, row.type).inode, row.ns) end
    assert.equal(8, #ns.list { pid = child.pid })
  end)

  it("takes no key that is neither a position nor a name of its own", function()
    local ok, err = pcall(ns.list, { [{}] = true })
    assert.is_false(ok)
    assert.truthy(err:find("unknown option [table]: it has names only, deep persistent pid proc type", 1, true), err)
    assert.is_false((pcall(ns.watch, print, { "uts" })))
    assert.is_false((pcall(ns.list, { "uts", type = "net" })))
    assert.truthy(#ns.ps { "pid" } > 0)
  end)

  it("names the nearest for an unknown type, option or column", function()
    assert.is_truthy(message(ns.list, "utz"):find('unknown namespace type "utz" (did you mean "uts"?)', 1, true))
    assert.is_truthy(message(ns.list, { tpye = "uts" }):find("unknown option 'tpye', did you mean 'type'?", 1, true))
    assert.is_truthy(message(tostring, ns.list():show("ns", "nproc")):find("did you mean 'nprocs'?", 1, true))
    assert.is_truthy(message(tostring, ns.list():show "xyzzy"):find("there are command id kept_by", 1, true))
    assert.is_truthy(message(function() ns.list():show() end):find("column expected", 1, true))
    assert.is_truthy(message(function() ns.list():where(3) end):find("function or expression expected", 1, true))
    assert.is_truthy(message(ns.list, 7):find "bad argument #1 to 'list'")
    assert.is_truthy(message(ns.list, { pid = -1 }):find "bad option 'pid'")
    assert.is_truthy(message(function() ns.list():tree "owned" end):find("did you mean 'owner'?", 1, true))
  end)

  it("says that a pid is gone, or that its namespaces are not to be seen", function()
    local child = world.sleeper()
    local pid = child.pid
    child:close()
    local ok, err = pcall(ns.list, { pid = pid })
    assert.is_false(ok)
    assert.equal("ESRCH", err.name)
    assert.is_truthy(tostring(err):find "no process has this pid")
    local out = helpers.as_nobody [[
      local ns = require "nslua"
      local ok, err = pcall(ns.list, { pid = ns.getppid() })
      print(ok, err and err.name)]]
    if ns.geteuid() == 0 then assert.equal("false\tEACCES\n", out) end
  end)

  it("keeps its shape through :where and :show", function()
    local all = ns.list()
    local uts = all:where(function(n) return n.type == "uts" end)
    assert.equal(all.hidden, uts.hidden)
    assert.is_true(#uts >= 1 and #uts < #all)
    local lines = {}
    for line in tostring(uts:show("type", "ns")):gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal("TYPE         NS", lines[1])
    assert.equal(("uts  %d"):format(uts[1].ns), lines[2])
  end)

  it("shows a command line with escape sequences and newlines harmlessly", function()
    local child <close> = ns.clone({ stdout = "null" }, { "sh", "-c", "kill -STOP $$ # \27[31m\7evil\nNEXT\255" })
    for _ = 1, 100 do
      if ns.ps { "args", pid = child }[1].args:find "evil" then break end
      ns.poll({}, 0.02)
    end
    local text = tostring(ns.ps { "pid", "args", pid = child })
    assert.is_nil(text:find "[\0-\9\11-\31\127\255]")
    assert.is_truthy(text:find("\\x1B[31m\\x07evil\\nNEXT\\xFF", 1, true), text)
    assert.is_truthy(tostring(ns.matrix { child }):find("\\x1B[31m", 1, true))
    assert.is_truthy(ns.ps { "pid", "args", pid = child }:json():find("\\u001b[31m\\u0007evil\\nNEXT\u{fffd}", 1, true))
  end)

  helpers.ns_it(needs, "says when /proc hides the processes of others", function()
    local note = world.run(function()
      ns.mount("proc", "/proc", "proc", "remount", "hidepid=2")
      return tostring(ns.list())
    end)
    assert.is_truthy(note:find "hidepid")
  end)

  helpers.root_it("tells a hidden process from one that is gone", function()
    local out = world.run(function()
      ns.mount("proc", "/proc", "proc", "remount", "hidepid=2")
      return (helpers.as_nobody [[
        local ns = require "nslua"
        for _, pid in ipairs { 1, 4194303 } do
          for _, f in ipairs { ns.list, ns.ps } do print(select(2, pcall(f, { pid = pid })).name) end
        end]])
    end)
    assert.equal("EACCES\nEACCES\nESRCH\nESRCH\n", out)
  end)

  helpers.ns_it(needs, "lacks nothing of a namespace whose lowest process ends during the scan", function()
    local seen, lacking = world.run(function()
      local busy <close> = ns.fork(function()
        ns.subreaper()
        while true do
          while ns.try(ns.wait, nil, 0) do end -- else the dead fill the world until fork is refused
          local first <close> = ns.fork(function()
            if ns.geteuid() == 0 then ns.unshare("uts", "ipc") else ns.unshare("user", "uts") end
            for i = 1, 3 do ns.fork(function() ns.poll({}, 0.004 * i) end) end
            ns.poll({}, 0.002)
          end)
          first:wait()
        end
      end)
      local seen, lacking = 0, 0
      assert.is_true(busy.running)
      for _ = 1, 300 do
        for _, row in ipairs(ns.list { "uts", "ipc" }) do
          seen = seen + 1
          local others = row.pid ~= ns.getpid() -- who owns ours may be out of sight
          if row.nprocs > 0 and others and not (row.ons and row.ppid) then lacking = lacking + 1 end
        end
      end
      return seen, lacking
    end)
    assert.is_true(seen > 600)
    assert.equal(0, lacking)
  end)

  it("leaves no descriptor and no memory behind", function()
    for _ = 1, 50 do ns.list "uts" end
    collectgarbage() collectgarbage()
    local fds, memory = helpers.fds(), collectgarbage "count"
    for _ = 1, 2000 do ns.list "uts" end
    assert.equal(fds, helpers.fds())
    collectgarbage() collectgarbage()
    assert.is_true(collectgarbage "count" < memory + 200)
    for _ = 1, 100 do pcall(ns.list, "utz") pcall(ns.list, { proc = "/tmp" }) pcall(ns.scan_processes, { "x" }) end
    assert.equal(fds, helpers.fds())
  end)
end)
