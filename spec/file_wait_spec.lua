-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

describe("messages", function()
  it("carry bytes and descriptors", function()
    for _, type in ipairs { "stream", "seqpacket", "dgram" } do
      local a, b = ns.socketpair(type)
      local r, w = ns.pipe()
      assert.is_true(a:send("take these", { w, r }))
      local s, fds = b:recv()
      assert.equal("take these", s)
      assert.equal(2, #fds)
      fds[1]:write "through\n"
      assert.equal("through", r:read())
    end
  end)

  it("keep their bounds in a seqpacket and end with nil", function()
    local a, b = ns.socketpair "seqpacket"
    a:send "one"; a:send "two"; a:close()
    assert.equal("one", (b:recv()))
    assert.equal("tw", (b:recv(2)))
    local s, fds = b:recv()
    assert.is_nil(s)
    assert.same({}, fds)
  end)

  it("send what a stream cannot take at once", function()
    local a, b = ns.socketpair()
    local child = ns.fork(function()
      b:close()
      a:send(("x"):rep(1000000), { a })
    end)
    a:close()
    local got, came = 0, 0
    while true do
      local s, fds = b:recv()
      came = came + #fds
      for _, fd in ipairs(fds) do fd:close() end
      if not s then break end
      got = got + #s
    end
    assert.equal(1000000, got)
    assert.equal(1, came)
    assert.is_true(child:wait())
  end)

  it("refuse descriptors without a byte, too many, or none at all", function()
    local a, _b = ns.socketpair()
    assert.is_false(pcall(a.send, a, "", { a }))
    local many = {}
    for i = 1, 254 do many[i] = a end
    assert.is_false(pcall(a.send, a, "x", many))
    local _, err = pcall(a.send, a, "x", { a, 7.5 })
    assert.matches("element 2", err)
  end)

  it("leak nothing when the table of descriptors is full", function()
    assert.equal("EMFILE 0", helpers.in_child(function()
      local a, b = ns.socketpair()
      local r, _w = ns.pipe() -- an unused end would be collected
      a:send("x", { r, r, r, r, r, r, r, r })
      collectgarbage()
      local before = helpers.fds()
      -- the limit leaves room for some of the eight only
      local fill = {}
      for i = 1, 1 << 20 do
        local ok, fd = pcall(ns.open, "/dev/null")
        if not ok then break end
        fill[i] = fd
      end
      local free = {}
      for _ = 1, 4 do table.insert(free, table.remove(fill)) end
      for _, fd in ipairs(free) do fd:close() end
      local _, err = pcall(b.recv, b)
      for _, fd in ipairs(fill) do fd:close() end
      return err.name .. " " .. helpers.fds() - before
    end))
  end)
end)

describe("poll", function()
  it("tells what is ready, a process that ended among it", function()
    local r, w = ns.pipe()
    local child <close> = ns.fork(function() end)
    local ready = ns.poll({ r, child }, 10)
    assert.equal(1, #ready)
    assert.equal(child, ready[1])
    child:wait()
    w:write "x"
    assert.equal(r, ns.poll({ w, r }, 10)[1])
    assert.same({ r:fileno() }, ns.poll({ r:fileno() }, 10))
  end)

  it("comes back when the time is up", function()
    local r, _w = ns.pipe() -- an unused end would be collected
    local start = os.time()
    assert.same({}, ns.poll({ r }, 0.01))
    assert.same({}, ns.poll({}, 0))
    assert.is_true(os.time() - start < 5)
  end)

  it("lets the host's hook raise while it waits", function()
    local r, _w = ns.pipe() -- an unused end would be collected
    local function uptime()
      return tonumber(io.open("/proc/uptime"):read "n")
    end
    local ok, err, took = helpers.in_child(function()
      local start = uptime()
      debug.sethook(function()
        if uptime() - start > 0.3 then
          debug.sethook()
          error("interrupted", 0)
        end
      end, "", 1)
      local fine, message = pcall(ns.poll, { r }, 10)
      return fine, message, uptime() - start
    end)
    assert.is_true(took < 8)
    assert.is_false(ok)
    assert.equal("interrupted", err)
  end)
end)

describe("Ctrl-C", function()
  for name, code in pairs {
    ["a read"] = "local r, w = ns.pipe() r:read()",
    ["a write"] = "local r, w = ns.pipe() w:write(('x'):rep(1 << 20))",
    ["a recv"] = "local a, b = ns.socketpair() a:recv()",
    ["a poll"] = "ns.poll({}, 20)",
    ["a lock"] = "local a, b = ns.fd(0), ns.open('/proc/self/fd/0') a:flock 'ex' b:flock 'ex'",
  } do
    it("ends " .. name .. " that waits", function()
      local file = os.tmpname()
      local out, err, status = helpers.run({ "sh", "-c", "exec timeout --foreground -k 9 -s INT 0.3 \"$@\" <" .. file,
        "sh", "env", "--default-signal=INT", helpers.program, "-e",
        "local ns = require 'nslua' print(pcall(function() " .. code .. " end))" })
      os.remove(file)
      assert.equal("", err)
      assert.matches("^false%s.*interrupted", out)
      assert.equal(124, status)
    end)
  end
end)
