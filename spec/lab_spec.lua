-- SPDX-License-Identifier: MIT
-- Labs: a network in one table, pinged, and gone.

local helpers = require "spec.helpers"
local world = require "spec.world"
local ns = require "nslua"

local probe = helpers.probe("lab", function()
  local lab <close> = ns.lab { a = {} }
  assert(lab.a)
end)

local function it_with_labs(name, fn)
  helpers.need_it(probe, name, function() helpers.in_child(fn) end)
end

local function pair() return { a = { "10.0.0.1/24" }, b = { "10.0.0.2/24" }, link = { "a", "b" } } end

local function wrong(pattern, opts)
  local ok, err = pcall(ns.lab, opts)
  assert.is_false(ok)
  assert.equal("string", type(err), tostring(err))
  assert.is_truthy(err:find(pattern), err)
  assert.is_truthy(err:find "lab_spec", err)
end

describe("a lab", function()
  helpers.adds_no_global "nslua.lab"

  it("is refused by what is no plan, before anything is made", function()
    wrong("has no host", {})
    wrong("a table of hosts", "x")
    wrong("name is a string", { [1] = {} })
    wrong("cannot be called \"close\"", { close = {} })
    wrong("no address such as", { a = { "10.0.0.x/24" }, b = {}, link = { "a", "b" } })
    wrong("\"lnk\" is no option %(did you mean \"link\"%?%)", { a = {}, b = {}, lnk = { "a", "b" } })
    wrong("has no prefix", { a = { "10.0.0.1" }, b = {}, link = { "a", "b" } })
    wrong("names \"hostx\", which is no host %(did you mean \"host1\"%?%)",
      { host1 = {}, host2 = {}, link = { "host1", "hostx" } })
    wrong("same host at both ends", { a = {}, link = { "a", "a" } })
    wrong("a pair of hosts", { a = {}, b = {}, link = { "a" } })
    wrong("an address but no link", { a = { "10.0.0.1/24" } })
    wrong("unknown option \"rotues\"", { a = { rotues = {} } })
    wrong("loss is a number from 0 to 1", { a = {}, b = {}, link = { "a", "b", loss = 7 } })
    wrong("at most 15", { [("h"):rep(16)] = {} })
    wrong("cannot be called \"hosts\"", { hosts = {} })
    wrong("a and b both have the address 10.0.0.1",
      { a = { "10.0.0.1/24" }, b = { "10.0.0.1/16" }, link = { "a", "b" } })
    wrong("is no address", { a = { "10.0.0.999/24" }, b = {}, link = { "a", "b" } })
    wrong("routes is a table", { a = { routes = "10.0.0.0/8" } })
    wrong("two families", { a = { routes = { ["fd00::/64"] = "10.0.0.1" } } })
    wrong("forward is true or false", { a = { forward = "no" } })
    wrong("netns is true or false", { a = {}, netns = "x" })
    wrong("links is a table", { a = {}, links = "x" })
    wrong("unknown option \"dealy\"", { a = {}, b = {}, link = { "a", "b", dealy = 1 } })
  end)

  it_with_labs("of two hosts is a network: shells, pings, addresses", function()
    local lab <close> = ns.lab(pair())
    assert.equal("a  eth0 10.0.0.1/24\nb  eth0 10.0.0.2/24", tostring(lab))
    assert.equal("a\n", (lab.a:read "cat /proc/sys/kernel/hostname"))
    assert.is_true(lab.a:ping("10.0.0.2").ok)
    assert.is_true(lab.a:ping("b").ok)
    assert.is_true(lab.b:ping(lab.a).ok)
    assert.equal("10.0.0.2", lab.b:addresses():where(function(r) return r.dev == "eth0" end)[1].address)
    assert.equal("eth0", lab.b:link("eth0").name)
    assert.equal("10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1",
      tostring(ns.route.list { ns = lab.a, family = "inet" }))
    assert.equal("a", lab.a:call(ns.gethostname))
    local result = lab:pingall()
    assert.same({ true, 2, 2, 0 }, { result.ok, result.sent, result.received, result.lost })
    assert.is_true(result.a.b.ok)
    assert.is_truthy(tostring(result):find "2 of 2 echoes answered")
  end)

  it_with_labs("has bridges, routers and routes", function()
    local lab <close> = ns.lab {
      a = { "10.0.0.1/24", default = "10.0.0.254" }, b = { "10.0.0.2/24", default = "10.0.0.254" },
      r = { "10.0.0.254/24", "10.1.0.254/24", forward = true },
      c = { "10.1.0.1/24", routes = { ["10.0.0.0/24"] = "10.1.0.254" } },
      bridge = { "a", "b", "r" }, link = { "r", "c" },
    }
    assert.is_true(lab:pingall({ timeout = 5 }).ok)
    lab.c:link("eth0"):down()
    local result = lab:pingall { timeout = 0.2 }
    assert.same({ false, 12, 6 }, { result.ok, result.sent, result.received })
    assert.is_truthy(tostring(result):find "lost")
  end)

  it_with_labs("speaks IPv6", function()
    if not ns.access "/proc/net/if_inet6" then return helpers.absent("labs of IPv6", "no IPv6") end
    local lab <close> = ns.lab { a = { "fd00::1/64" }, b = { "fd00::2/64" }, bridge = { "a", "b" } }
    assert.is_true(lab:pingall({ timeout = 5 }).ok)
    assert.is_true(lab.a:ping("b").ok)
  end)

  it_with_labs("forwards IPv6 from the first echo on: no address waits to be known as its own", function()
    if not ns.access "/proc/net/if_inet6" then return helpers.absent("labs of IPv6", "no IPv6") end
    local lab <close> = ns.lab {
      a = { "fd00::1/64", default = "fd00::fe" }, b = { "fd02::1/64", default = "fd02::fe" },
      r = { "fd00::fe/64", "fd01::1/64", routes = { ["fd02::/64"] = "fd01::2" }, forward = true },
      s = { "fd01::2/64", "fd02::fe/64", routes = { ["fd00::/64"] = "fd01::1" }, forward = true },
      links = { { "a", "r" }, { "r", "s" }, { "s", "b" } },
    }
    for _, row in ipairs(lab.r:addresses()) do assert.is_false(row.tentative) end
    assert.equal(4, #lab.r:addresses():where(function(row) return row.dev ~= "lo" end))
    assert.is_true(lab:pingall({ timeout = 0.8 }).ok)
  end)

  it_with_labs("prints what it holds, whatever its names and times are", function()
    local lab <close> = ns.lab { ["a\27[31m"] = { "10.0.0.1/24" }, b = { "10.0.0.2/24" },
      bridge = { "a\27[31m", "b" }, switch = {} }
    assert.is_nil(tostring(lab):find "\27")
    local result = lab:pingall()
    assert.is_nil(tostring(result):find "\27")
    result.b["a\27[31m"].min = 1.02853
    assert.is_truthy(tostring(result):find "b +1028%.53 +%.", tostring(result))
    assert.is_truthy(select(2, pcall(lab.b.ping, lab.b, "c")):find "no host of this lab")
  end)

  it_with_labs("of many hosts does not fill the kernel's table of neighbours", function()
    local t = { bridge = {} }
    for i = 1, 40 do
      t["h" .. i] = { ("10.0.0.%d/24"):format(i) }
      t.bridge[i] = "h" .. i
    end
    local lab <close> = ns.lab(t)
    local result = lab:pingall { timeout = 10 }
    assert.equal("1560 of 1560 echoes answered", tostring(result))
    assert.equal("h2", lab.hosts[2].name) -- and not h10
  end)

  it_with_labs("is gone at the end of its block: processes and descriptors", function()
    local first <close> = ns.lab(pair())
    first.a:process() -- what a first box opens stays open
    local before = helpers.fds()
    local pid, inode
    do
      local lab <close> = ns.lab(pair())
      pid, inode = lab.a:process().pid, lab.a.net.inode
      lab:pingall()
    end
    assert.equal(before, helpers.fds())
    assert.is_false(ns.access(("/proc/%d"):format(pid)))
    assert.equal(0, #ns.list({ type = "net" }):where(function(row) return row.ns == inode end))
    local lab = ns.lab(pair())
    lab:close()
    lab:close()
    local ok, err = pcall(function() return lab.a:links() end)
    assert.is_false(ok)
    assert.is_truthy(err:find "is gone")
    assert.is_truthy(select(2, pcall(lab.pingall, lab)):find "the lab is gone")
  end)

  it_with_labs("that cannot be finished leaves nothing", function()
    local before = helpers.fds()
    local ok, err = pcall(ns.lab, { a = { "10.0.0.1/24", "10.0.0.1/24" }, b = {}, link = { "a", "b" } })
    assert.is_false(ok)
    assert.equal("EEXIST", err.name)
    assert.equal(before, helpers.fds())
    ok, err = pcall(ns.lab, { a = {}, b = {}, link = { "a", "b" }, delay = 0.01 })
    if not ok then assert.equal("ENOENT", err.name) end -- a kernel without netem
    assert.equal(before, helpers.fds())
  end)

  helpers.need_it(helpers.probe("netem", function()
    local lab <close> = ns.lab { a = {}, b = {}, link = { "a", "b" } }
    local ok, err = pcall(lab.a:link("eth0").netem, lab.a:link "eth0", { delay = 0.01 })
    if not ok and err.name == "ENOENT" then err.name = "ENOSYS" end -- absent
    if not ok then error(err, 0) end
  end), "delays and loses where the kernel has netem", function()
    helpers.in_child(function()
      local t = pair()
      t.delay = 0.05
      local lab <close> = ns.lab(t)
      assert.is_true(lab.a:ping("b", { timeout = 5 }).min >= 0.1)
      lab.a:link("eth0"):netem { loss = 1 }
      assert.equal(1, lab.a:ping("b", { timeout = 0.2 }).lost)
    end)
  end)

  helpers.root_it("is seen by ip netns when asked, and no more after it", function()
    world.run(function()
      ns.mount("none", "/run", "tmpfs")
      local t = pair()
      local function names()
        local set = {}
        for _, row in ipairs(ns.netns.list()) do set[row.name] = row.ns ~= nil end
        return set
      end
      t.netns = true
      do
        local lab <close> = ns.lab(t)
        assert.same({ a = true, b = true }, names())
        assert.is_true(ns.link.get("eth0", { ns = "a" }).is_up)
        assert.is_true(lab.a:ping("b").ok)
        assert.equal("EEXIST", select(2, pcall(ns.lab, t)).name)
        assert.same({ a = true, b = true }, names())
      end
      assert.equal(0, #ns.netns.list())
    end)
  end)

  it("works for who has no right at all", function()
    local out, err, status = helpers.as_nobody [[
      local ns = require "nslua"
      if not pcall(ns.box, { user = true }) then return print "2 of 2" end
      local lab <close> = ns.lab { a={"10.0.0.1/24"}, b={"10.0.0.2/24"}, link={"a","b"} }
      assert(lab.a:sh "true")
      print(lab:pingall())]]
    assert.same({ "", 0 }, { err, status })
    assert.is_truthy(out:find "2 of 2")
  end)
end)
