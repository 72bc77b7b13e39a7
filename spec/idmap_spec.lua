-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

-- The kernel's own table, with single blanks.
local function map_of(file, pid)
  local text = io.open(("/proc/%s/%s"):format(pid or "self", file)):read "a"
  return (text:gsub("[ \t]+", " "):gsub("^ ", ""):gsub("\n ", "\n"))
end

local refusal = helpers.refusal

-- A child in a new user namespace that waits; fn gets it, and its end is ours.
local function with_unmapped(fn)
  local r, w = ns.pipe()
  local child <close> = ns.fork(function()
    ns.unshare "user"
    w:write "x" ns.poll({}, 60)
  end)
  r:read(1) r:close() w:close()
  return fn(child)
end

describe("ns.map", function()
  helpers.adds_no_global "nslua"

  it("refuses what is no map before the kernel hears of it", function()
    helpers.in_child(function()
      ns.unshare "user"
      for _, map in ipairs { 1, false, print, "rot", "root\0", { uid = -1 }, { uid = 1.5 }, { uid = 2 ^ 32 },
        { uid = "0" }, { uid = { 0, 0 } }, { uid = { 0, 0, "1" } }, { uid = { {} } }, { uid = { { 0, 0, 1 }, 7 } },
        { uid = true }, { gid = print }, { setgroups = true }, { setgroups = "maybe" }, { uuid = 0 }, { 0, 0 },
        { 0, 0, 1, uid = 0 }, { 0, 0, 1, [7] = 0 }, "0:0", "0:0:1,", "", { uid = "no-such-user" }, { uid = "al" },
        { uid = { 0, 0, 2 ^ 32 } }, { uid = setmetatable({}, { __index = error }) } } do
        local ok, err = pcall(ns.map, nil, map)
        assert.is_false(ok)
        assert.not_equal("EPERM", type(err) == "table" and err.name)
      end
      local many = {}
      for i = 1, 341 do many[i] = { i, i, 1 } end
      assert.matches("at most 340 ranges", refusal(ns.map, nil, { uid = many }))
      for _, who in ipairs { 0, -1, "self", {}, print, 1.5, 2 ^ 40 } do
        assert.matches("bad argument #1", refusal(ns.map, who, "root"))
      end
      assert.equal("", map_of "uid_map") -- nothing of it arrived
    end)
  end)

  local function self_map(map, uid_map, gid_map, setgroups)
    local out = helpers.as_nobody(([[
      local ns = require "nslua"
      ns.unshare "user"
      ns.map(nil, %s)
      for _, f in ipairs { "uid_map", "gid_map", "setgroups" } do
        io.write((io.open("/proc/self/" .. f):read "a":gsub("%%s+", " ")), ";")
      end]]):format(map))
    assert.equal((" %s ; %s ;%s ;"):format(uid_map, gid_map, setgroups), out)
  end

  helpers.ns_it("user", "maps somebody without rights to 0 or to itself, setgroups denied", function()
    if ns.geteuid() ~= 0 then return end -- another uid than 65534: shown by the next one
    self_map('"root"', "0 65534 1", "0 65534 1", "deny")
    self_map("true", "0 65534 1", "0 65534 1", "deny")
    self_map('"current"', "65534 65534 1", "65534 65534 1", "deny")
    self_map("{ uid = 7, gid = 8 }", "7 65534 1", "8 65534 1", "deny")
    self_map("{ uid = { 5, 65534, 1 }, gid = {{ 6, 65534, 1 }} }", "5 65534 1", "6 65534 1", "deny")
  end)

  helpers.ns_it("user uts", "remembers who we were through a second unshare", function()
    helpers.in_child(function()
      local uid, gid = ns.geteuid(), ns.getegid()
      ns.unshare "user" ns.unshare "uts"
      ns.map(nil, "current")
      assert.equal(uid, ns.getuid())
      assert.equal(gid, ns.getgid())
    end)
  end)

  helpers.ns_it("user", "is refused a second time, and ids that are not ours", function()
    local out = helpers.as_nobody [[
      local ns = require "nslua"
      local function try(what) local _, _, _, e = ns.try(ns.map, nil, what) print(e and e.name .. " " .. e.args[1] or "ok") end
      ns.unshare "user"
      try { gid = 0, setgroups = "allow" }
      try { uid = { 0, 1, 1 } }
      try { uid = { 0, 65534, 2 } }
      try { uid = 0 }
      try { uid = 0 }
      try { gid = 0 }
      try { gid = 0 }]]
    assert.equal("EPERM gid_map\nEPERM uid_map\nEPERM uid_map\nok\nEPERM uid_map\nok\nEPERM setgroups\n", out)
  end)

  helpers.root_it("writes many ranges for another process, in one go", function()
    with_unmapped(function(child)
      ns.map(child, { uid = { { 0, 100000, 1000 }, { 1000, 0, 1 }, { 2000, 200000, 5 } }, gid = { 0, 0, 65536 } })
      assert.equal("0 100000 1000\n1000 0 1\n2000 200000 5\n", map_of("uid_map", child.pid))
      assert.equal("0 0 65536\n", map_of("gid_map", child.pid))
      assert.equal("allow\n", map_of("setgroups", child.pid))
      assert.equal("EPERM", refusal(ns.map, child.pid, { uid = 0 }))
    end)
  end)

  helpers.root_it("takes 340 ranges and the last id there is", function()
    with_unmapped(function(child)
      local many = {}
      for i = 1, 339 do many[i] = { i * 10, i * 10, 1 } end
      many[340] = { 4294967290, 4294967290, 5 }
      ns.map(child, { uid = many })
      assert.equal(340, select(2, map_of("uid_map", child.pid):gsub("\n", "")))
    end)
  end)

  helpers.root_it("keeps setgroups as it is told", function()
    with_unmapped(function(child)
      ns.map(child, { gid = { 0, 0, 10 }, setgroups = "deny" })
      assert.equal("deny\n", map_of("setgroups", child.pid))
      assert.equal("EPERM", refusal(ns.map, child, { setgroups = "allow" }))
    end)
  end)

  helpers.root_it("of one's own id keeps setgroups allowed, for who may", function()
    local map = { uid = { 0, 0, 1 }, gid = { 0, 0, 1 } }
    local denied <close> = ns.box { "user", map = map }
    assert.equal("deny\n", map_of("setgroups", denied.pid))
    map.setgroups = "allow"
    local box <close> = ns.box { "user", map = map }
    assert.equal("allow\n", map_of("setgroups", box.pid))
    assert.is_true(box:call(function() return ns.setgroups {} end))
  end)

  helpers.root_it("is EINVAL for ranges that overlap, are empty or run over the end", function()
    for _, ranges in ipairs { { { 0, 0, 10 }, { 5, 100, 10 } }, { { 0, 0, 10 }, { 20, 9, 1 } }, { { 0, 0, 0 } },
      { { 4294967295, 0, 2 } } } do
      with_unmapped(function(child)
        assert.equal("EINVAL", refusal(ns.map, child, { uid = ranges }))
        assert.equal("", map_of("uid_map", child.pid))
      end)
    end
  end)

  it("says ESRCH or ENOENT of nobody, and that it was a process", function()
    assert.matches("^E", refusal(ns.map, 4194304, "root"))
    assert.matches("has ended", select(2, pcall(ns.map, 4194300, "root")).why)
    local child = ns.fork(function() end)
    child:wait()
    assert.matches("the process has ended", refusal(ns.map, child, "root"))
  end)

  helpers.ns_it("user", "leaves no descriptor behind when it is refused", function()
    assert.equal(0, helpers.in_child(function()
      ns.unshare "user" ns.map(nil, "root")
      collectgarbage "stop"
      local before = helpers.fds()
      for _ = 1, 100 do assert.equal("EPERM", refusal(ns.map, nil, "root")) end
      return helpers.fds() - before
    end))
  end)

  helpers.root_it("does not write into what only calls itself /proc", function()
    helpers.in_child(function()
      ns.unshare("user", "mnt") ns.map(nil, "root")
      ns.mount("none", "/", nil, "rprivate")
      ns.mount("tmpfs", "/proc", "tmpfs") ns.mkdir "/proc/self"
      for _, f in ipairs { "uid_map", "gid_map", "setgroups" } do io.open("/proc/self/" .. f, "w"):close() end
      assert.equal("EXDEV", refusal(ns.map, nil, "root"))
      assert.equal(0, ns.stat "/proc/self/uid_map".size)
    end)
  end)
end)
