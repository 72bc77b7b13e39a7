-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

local dir = ns.mkdtemp "/tmp/nslua-table-XXXXXX"

local FIELDS = { "id", "parent", "major", "minor", "root", "mountpoint", "type", "source", "options", "super_options",
  "propagation" }

local function line(row)
  local out = {}
  for i, field in ipairs(FIELDS) do out[i] = tostring(row[field]) end
  return table.concat(out, " ")
end

local function lines(rows)
  local out = {}
  for i, row in ipairs(rows) do out[i] = line(row) end
  table.sort(out)
  return table.concat(out, "\n")
end

-- A namespace with awkward names, kinds of propagation and options.
local function awkward()
  ns.unshare("user", "mnt")
  ns.map(nil, "root")
  ns.propagate "rprivate"
  ns.mount("none", dir, "tmpfs")
  ns.chdir(dir)
  for i, name in ipairs { "a b", "tab\there", "new\nline", "back\\slash", "\\040", "plain", "\xff\xfe", "#" } do
    ns.mkdir(name)
    ns.mount("so urce\\" .. i, name, "tmpfs", ({ "nosuid", "ro,noatime", "nodev,nodiratime", "strictatime,noexec" })[i])
  end
  ns.mount("", "plain", "tmpfs")
  ns.propagate("a b", "shared")
  ns.propagate("plain", "unbindable")
  ns.mkdir "b"
  ns.bind("a b", "b", { rec = false })
  ns.propagate("b", "slave")
  ns.mkdir "c"
  ns.bind("b", "c", { rec = false })
  ns.propagate("c", "shared")
end

local by_namespace = helpers.probe("listmount of a namespace", function()
  awkward()
  ns.mounts(ns.of(ns.getpid(), "mnt"))
end)

describe("the mount table", function()
  teardown(function() ns.rmdir(dir) end)

  it("refuses wrong arguments before the kernel hears of them", function()
    helpers.badargs(ns.mounts, "?pid", 1)
    assert.is_false(pcall(ns.mounts, "/proc/self/mountinfo"))
    local ok, err = pcall(ns.mounts, ns.of(ns.getpid(), "uts"))
    assert.is_false(ok)
    assert.matches("mnt namespace", err)
    ok, err = pcall(ns.mounts, 0x7ffffff)
    assert.is_false(ok)
    assert.equal("ENOENT", err.name)
  end)

  helpers.ns_it("user mnt", "has every name as it is", function()
    helpers.in_child(function()
      awkward()
      local seen = {}
      for _, row in ipairs(ns.mounts()) do seen[row.mountpoint] = row end
      for _, name in ipairs { "a b", "tab\there", "new\nline", "back\\slash", "\\040", "plain", "\xff\xfe", "#" } do
        assert.is_truthy(seen[dir .. "/" .. name], name)
      end
      local row = seen[dir .. "/tab\there"]
      assert.equal("so urce\\2", row.source)
      assert.equal("tmpfs", row.type)
      assert.equal("ro,noatime", row.options)
      assert.equal("private", row.propagation)
      assert.equal(seen[dir].id, row.parent)
      assert.equal("", seen[dir .. "/plain"].source)
      assert.equal("unbindable", seen[dir .. "/plain"].propagation)
      assert.matches("^shared:%d+$", seen[dir .. "/a b"].propagation)
      assert.matches("^slave:%d+$", seen[dir .. "/b"].propagation)
      assert.matches("^shared:%d+,slave:%d+$", seen[dir .. "/c"].propagation)
    end)
  end)

  it("is a list like the others, once somebody asks for more than its rows", function()
    local rows = ns.mounts()
    assert.is_nil(rows[#rows + 1])
    assert.is_nil(rows.nothing)
    local proc = rows:where(function(m) return m.mountpoint == "/proc" and m.type == "proc" end)
    assert.matches("^MOUNTPOINT TYPE SOURCE +OPTIONS\n/proc +proc ", tostring(proc))
    assert.matches("^ *ID PARENT SUPER OPTIONS\n *%d+ +%d+ r[wo]", tostring(proc:show("id", "parent", "super_options")))
    assert.matches('^%[{"id":%d+,', proc:json())
    assert.matches("\n./proc ", (tostring(ns.mounts():tree()):gsub("[^%w/\n ]+", ".")))
    local ok, problem = pcall(rows.tree, rows, "owner")
    assert.is_false(ok)
    assert.matches("mounts have a tree by 'parent' only", problem)
    ok, problem = pcall(tostring, rows:show "mountpont")
    assert.is_false(ok)
    assert.equal("unknown column 'mountpont' (did you mean 'mountpoint'?)", problem)
  end)

  helpers.ns_it("user mnt", "is that of the process that is asked for", function()
    local r, w = ns.pipe()
    local done, go = ns.pipe()
    local child <close> = ns.fork(function()
      go:close()
      awkward()
      w:write "ready\n"
      done:read(1)
    end)
    done:close()
    assert.equal("ready", r:read())
    assert.equal(lines(ns.mounts(child)), lines(ns.mounts(child.pid)))
    local found = false
    for _, row in ipairs(ns.mounts(child)) do found = found or row.mountpoint == dir .. "/new\nline" end
    for _, row in ipairs(ns.mounts()) do assert.not_equal(dir, row.mountpoint) end
    assert.is_true(found)
    go:close()
  end)

  helpers.need_it(by_namespace, "is the same by namespace as by process", function()
    local a, b = helpers.in_child(function()
      awkward()
      return lines(ns.mounts()), lines(ns.mounts(ns.of(ns.getpid(), "mnt")))
    end)
    assert.equal(a, b)
  end)

  helpers.need_it(by_namespace, "needs no procfs", function()
    assert.equal(1, helpers.in_child(function()
      awkward()
      ns.mkdir "root"
      ns.mount("none", "root", "tmpfs")
      ns.pivot_root "root"
      assert.is_false(ns.access "/proc")
      return #ns.mounts()
    end))
  end)

  helpers.need_it(by_namespace, "of a namespace comes whole, however long", function()
    helpers.in_child(function()
      ns.unshare("user", "mnt")
      ns.map(nil, "root")
      ns.propagate "rprivate"
      local before = #ns.mounts()
      ns.mount("none", dir, "tmpfs")
      for i = 1, 1200 do
        ns.mkdir(dir .. "/" .. i)
        ns.mount("none", dir .. "/" .. i, "tmpfs")
      end
      assert.equal(before + 1201, #ns.mounts())
      assert.equal(lines(ns.mounts()), lines(ns.mounts(ns.of(ns.getpid(), "mnt"))))
    end)
  end)
end)
