-- SPDX-License-Identifier: MIT
-- Links and addresses by rtnetlink, seen beside what `ip` says of them. All in
-- networks of our own.

local helpers = require "spec.helpers"
local ns = require "nslua"

local has_ip = os.execute "command -v ip >/dev/null"

-- A box with a network, or why there is none.
local probe = helpers.probe("links", function()
  local box <close> = ns.box { user = true, net = true }
  ns.link.add { kind = "veth", name = "a", ns = box }
end)

local function it_in_box(name, fn)
  helpers.need_it(probe, name, function()
    helpers.in_child(function()
      local box <close> = ns.box { user = true, net = "lo" }
      fn(box)
    end)
  end)
end

local function refusal(name, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal(name, type(err) == "table" and err.name or err)
  assert.is_truthy(err.why, "no reason is given for " .. tostring(err))
  assert.is_truthy(err.fix)
  return err
end

local function wrong(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("string", type(err), tostring(err))
  assert.is_truthy(err:find(pattern), err)
  assert.is_truthy(err:find "link_spec", err) -- at the caller's line
end

-- The lines of `ip` and ours, without blanks at the ends.
local function same_as_ip(box, command, list)
  if not has_ip then return end
  local text = box:read(command):gsub("[ \t]+\n", "\n"):gsub("%s+$", "")
  assert.equal(text, (tostring(list):gsub("[ \t]+\n", "\n"):gsub("%s+$", "")))
end

describe("links", function()
  helpers.adds_no_global "nslua.link"

  it("are refused by wrong arguments, at the caller's line", function()
    wrong("unknown option \"kin\" %(did you mean \"kind\"%?%)", ns.link.add, { kin = "veth" })
    local raw = setmetatable({}, { __name = "\27[31m", __tostring = function() return "\27[31m" end })
    wrong("unknown option %[table%]$", ns.link.add, { [raw] = 1 })
    wrong("kind is a word", ns.link.add, { kind = "ve th" })
    wrong("kind is a word", ns.link.add, {})
    wrong("at most 15", ns.link.add, { kind = "bridge", name = ("x"):rep(16) })
    wrong("cannot be the name", ns.link.add, { kind = "bridge", name = "a/b" })
    wrong("mtu is an integer", ns.link.add, { kind = "bridge", mtu = "big" })
    wrong("mac is six bytes", ns.link.add, { kind = "bridge", mac = "02:00" })
    wrong("only a veth has a peer", ns.link.add, { kind = "bridge", peer = "b" })
    wrong("a vxlan wants an id", ns.link.add, { kind = "vxlan" })
    wrong("wants a table of options", ns.link.list, 7)
    wrong("not a boolean", ns.link.list, { ns = true })
    wrong("a link's name is a string", ns.link.get, {})
    wrong("is no address", ns.address.add, "10.0.0.256x", "lo")
    wrong("mac is six bytes", ns.link.add, { kind = "veth", mac = "02:00" })
    wrong("up is true or false", ns.link.add, { kind = "veth", up = "no" })
    wrong("family is \"inet\"", ns.address.list, { family = "v4" })
    for _, bad in ipairs { "10.0.0.999/24", "10.1/16", "010.0.0.1/8", "10.0.0.1/33", "10.0.0.1/", "1::2::3/64",
      "fd00::1/129", "1.2.3.4.5" } do
      wrong("is no address", ns.address.add, bad, "lo")
    end
    for _, bad in ipairs { -1, 0, "", "a\0b" } do
      assert.is_false(pcall(ns.link.list, { ns = bad }))
    end
  end)

  it_in_box("of kind veth are made whole, with addresses, and print as ip prints them", function(box)
    local a, b = ns.link.add { kind = "veth", name = "a", ns = box, up = true, mtu = 1400,
      address = "10.0.0.1/24", mac = "02:00:00:00:00:0a",
      peer = { name = "b", up = true, address = { "10.0.0.2/24", "10.0.1.2/24" } } }
    assert.same({ "a", "veth", 1400, "02:00:00:00:00:0a", true }, { a.name, a.kind, a.mtu, a.mac, a.is_up })
    assert.equal("b", b.name)
    assert.equal(b.index, a.peer_index)
    local links = box:links()
    assert.same({ "lo", "b", "a" }, { links[1].name, links[2].name, links[3].name })
    same_as_ip(box, "ip -br link", links)
    same_as_ip(box, "ip -br -4 addr", ns.address.list { ns = box, family = "inet" })
    assert.equal("10.0.0.1", a:addresses()[1].address)
    assert.equal(2, #ns.address.list { ns = box, family = "inet", dev = "b" })
  end)

  it_in_box("change: name, MTU, MAC, state, master", function(box)
    local bridge = ns.link.add { kind = "bridge", name = "br0", ns = box, up = true }
    local a = ns.link.add { kind = "veth", name = "a", ns = box }
    a:set { name = "eth7", mtu = 1300, mac = "02:00:00:00:00:07", master = bridge, up = true }
    assert.same({ "eth7", 1300, "02:00:00:00:00:07", bridge.index, true },
      { a.name, a.mtu, a.mac, a.master_index, a.is_up })
    if has_ip then
      assert.is_truthy(box:read("ip -o link show eth7"):find("mtu 1300 .* master br0 .*02:00:00:00:00:07"))
    end
    assert.is_nil(a:set({ master = false }).master_index)
    assert.equal(bridge.index, a:set({ master = "br0" }).master_index)
    assert.is_false(a:down().is_up)
    assert.equal("eth8", a:rename("eth8").name)
    assert.equal(ns.link.get("eth8", { ns = box }), a)
    assert.equal("vxlan", ns.link.add({ kind = "vxlan", id = 42, remote = "10.0.0.9", ns = box }).kind)
    assert.equal(42, ns.link.get("vxlan0", { ns = box }).id)
    same_as_ip(box, "ip -br link", box:links())
  end)

  it_in_box("move to another network, by handle, process and pid", function(box)
    local user <close> = box:ns "user"
    local other <close> = ns.box { user = user, net = true }
    local net <close> = other:ns "net"
    for i, target in ipairs { net, other, other.pid } do
      local a = ns.link.add { kind = "veth", name = "m" .. i, ns = box }
      a:move(target, "moved" .. i)
      assert.equal("moved" .. i, ns.link.get("moved" .. i, { ns = other }).name)
      assert.equal("moved" .. i, a:up().name)
      refusal("ENODEV", ns.link.get, "m" .. i, { ns = box })
    end
    local _, far = ns.link.add { kind = "veth", ns = box, name = "near",
      peer = { name = "far", ns = other, up = true, address = "10.9.0.1/24" } }
    assert.equal("10.9.0.1", far:addresses()[1].address)
    assert.is_true(far.is_up)
    assert.is_truthy(tostring(ns.link.get("near", { ns = box })):find "^near@if%d+ ")
  end)

  it_in_box("stay where they are when they cannot have their name there, and lo stays", function(box)
    local user <close> = box:ns "user"
    local other <close> = ns.box { user = user, net = true }
    local a = ns.link.add { kind = "veth", name = "a", ns = box, peer = "b" }
    ns.link.add { kind = "bridge", name = "taken", ns = other }
    refusal("EEXIST", a.move, a, other, "taken")
    assert.equal("a", ns.link.get("a", { ns = box }).name)
    assert.equal("a", a:up().name)
    assert.equal(2, #other:links())
    assert.equal("c", a:move(box, "c").name) -- where it is already
    local lo = ns.link.get("lo", { ns = box })
    assert.is_truthy(refusal("EINVAL", lo.move, lo, other).why:find "lo is made")
  end)

  it_in_box("tell their counters", function(box)
    assert.equal(0, ns.link.get("lo", { ns = box }):stats().rx_packets)
    assert.is_true(box:ping("127.0.0.1").ok)
    local stats = ns.link.get("lo", { ns = box }):stats()
    assert.same({ 2, stats.rx_packets, stats.rx_bytes }, { stats.tx_packets, stats.rx_packets, stats.tx_bytes })
  end)

  it_in_box("say why they are refused, and leave nothing half made", function(box)
    local a = ns.link.add { kind = "veth", name = "a", ns = box, address = "10.0.0.1/24" }
    refusal("EEXIST", ns.link.add, { kind = "bridge", name = "a", ns = box })
    refusal("EEXIST", a.add_address, a, "10.0.0.1/24")
    refusal("EADDRNOTAVAIL", a.delete_address, a, "10.0.0.7/24")
    refusal("EOPNOTSUPP", ns.link.add, { kind = "nosuchkind", ns = box })
    refusal("ENODEV", ns.link.get, "nolink", { ns = box })
    refusal("ENODEV", ns.link.add, { kind = "veth", name = "c", master = "nobridge", ns = box })
    local before = #box:links()
    refusal("EEXIST", ns.link.add, { kind = "veth", name = "c", ns = box,
      peer = { address = { "10.1.0.1/24", "10.1.0.1/24" } } })
    assert.equal(before, #box:links())
    refusal("EINVAL", a.set, a, { mtu = 10 })
    refusal("EINVAL", ns.link.add, { kind = "veth", mtu = 99999, ns = box })
    refusal("EADDRNOTAVAIL", a.set, a, { mac = "01:00:00:00:00:01" })
    assert.is_truthy(refusal("EOPNOTSUPP", a.set, a, { master = "lo" }).why:find "no bridge")
    assert.is_truthy(refusal("EOPNOTSUPP", ns.link.get("lo", { ns = box }).delete, ns.link.get("lo", { ns = box }))
      .why:find "lo is made")
    refusal("EINVAL", a.add_address, a, "0.0.0.0/0")
    ns.link.add { kind = "vxlan", id = 42, ns = box }
    assert.is_truthy(refusal("EEXIST", ns.link.add, { kind = "vxlan", id = 42, ns = box }).why:find "vxlan")
    assert.equal(before + 1, #box:links())
    a:delete()
    refusal("ENODEV", a.up, a)
    refusal("ENODEV", a.delete, a)
  end)

  it_in_box("reach from a box into another: who owns both needs no root", function(box)
    local other <close> = ns.box { user = true, net = true }
    ns.link.add { kind = "veth", name = "a", ns = box, up = true, address = "10.0.0.1/24",
      peer = { name = "b", ns = other, up = true, address = "10.0.0.2/24" } }
    assert.is_true(box:ping("10.0.0.2", { timeout = 5 }).ok)
    assert.is_true(other:ping("10.0.0.1", { timeout = 5 }).ok)
  end)

  it_in_box("do not join a bridge of another network, nor a network that is gone", function(box)
    local other = ns.box { user = true, net = true }
    local bridge = ns.link.add { kind = "bridge", name = "br0", ns = other }
    local a = ns.link.add { kind = "veth", name = "a", ns = box }
    refusal("EINVAL", a.set, a, { master = bridge })
    local here <close> = ns.of(nil, "net")
    if ns.geteuid() ~= 0 then refusal("EPERM", a.move, a, here) end
    other:close()
    refusal("ESRCH", ns.link.list, { ns = other })
    refusal("ESRCH", bridge.up, bridge)
  end)

  it("are refused to who has no right over the network, with the reason", function()
    local out, err, status = helpers.as_nobody [[
      local ns = require "nslua"
      local ok, e = pcall(ns.link.add, { kind = "bridge", name = "nsluatest" })
      print(ok, e.name, e.call, e.why ~= nil, e.fix:find "ns.lab" ~= nil)
      print(#ns.link.list() > 0)]]
    assert.same({ "", 0 }, { err, status })
    assert.equal("false\tEPERM\tRTM_NEWLINK\ttrue\ttrue\ntrue\n", out)
  end)

  it("are shown to who has no right of a process that shares its network: nothing is joined", function()
    local out, err, status = helpers.as_nobody [[
      local ns = require "nslua"
      local made, box = pcall(ns.box, { "uts" })
      if not made then return print "no box" end
      print(#box:links() == #ns.link.list(), #ns.link.list { ns = ns.of(box, "net") } > 0)
      box:close()]]
    assert.same({ "", 0 }, { err, status })
    if out ~= "no box\n" then assert.equal("true\ttrue\n", out) end
  end)

  it_in_box("show in the trace, and leave no descriptor", function(box)
    ns.link.list { ns = box }
    local before, lines = helpers.fds(), {}
    ns.trace(function(line) lines[#lines + 1] = line end)
    ns.link.add { kind = "veth", name = "a", ns = box, up = true }
    pcall(ns.link.add, { kind = "veth", name = "a", ns = box })
    ns.trace(false)
    local text = table.concat(lines, "\n")
    assert.is_truthy(text:find('RTM_NEWLINK("veth", {name="a", up=true}, {name="veth0"}) = 0', 1, true), text)
    assert.is_truthy(text:find(") = -1 EEXIST", 1, true), text)
    for _ = 1, 20 do
      ns.link.list { ns = box }
      pcall(ns.link.add, { kind = "veth", name = "a", ns = box })
    end
    assert.equal(before, helpers.fds())
  end)
end)


describe("a socket in another network", function()
  it("is refused by wrong arguments", function()
    helpers.badargs(ns.socket, "word word ?word ?handle", "inet", "dgram", "udp")
    local own <close> = ns.of(nil, "uts")
    assert.is_false(pcall(ns.socket, "inet", "dgram", "udp", own))
  end)

  it_in_box("acts there, and the caller stays where it is", function(box)
    local net <close> = box:ns "net"
    local mine <close> = ns.of(nil, "net")
    local fd <close> = ns.socket("inet", "raw", "icmp", net)
    local still <close> = ns.of(nil, "net")
    assert.equal(mine, still)
    assert.is_truthy(tostring(fd):find "^fd %d+$")
    assert.is_truthy(io.open("/proc/self/environ")) -- readable still: dumpable
  end)
end)
