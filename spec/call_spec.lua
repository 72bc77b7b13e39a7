-- SPDX-License-Identifier: MIT
-- proc:call: which values come back from another process, and how errors do.
local helpers = require "spec.helpers"
local ns = require "nslua"
local wire = require "nslua.wire"

-- Values there and back, in this process.
local function round(...)
  local bytes, fds = wire.encode(table.pack(...), "value")
  local back = wire.decode(bytes, fds)
  return table.unpack(back, 1, back.n)
end

local function refused(...)
  local ok, err = pcall(wire.encode, table.pack(...), "result")
  assert.is_false(ok)
  return err
end

-- fn(box): a box with nothing but a hostname, in a child.
local function box_it(name, fn)
  helpers.ns_it("user uts pid", name, function()
    helpers.in_child(function()
      local b <close> = ns.box { "uts", hostname = "inside" }
      fn(b)
    end)
  end)
end

describe("the wire", function()
  helpers.adds_no_global "nslua.wire"

  it("carries every plain value exactly", function()
    for _, v in ipairs { true, false, 0, -1, math.maxinteger, math.mininteger, 0.1, -0.0, 1 / 0, -1 / 0, 2 ^ 53, 1.0,
      "", "\0\1\255", ("x"):rep(300000), "\27[31m" } do
      local back = round(v)
      assert.equal(v, back)
      assert.equal(math.type(v), math.type(back))
      assert.equal(1 / (tonumber(v) or 1), 1 / (tonumber(back) or 1))
    end
    assert.is_true(round(0 / 0) ~= round(0 / 0))
    assert.same({ n = 4, nil, 5, nil, nil }, table.pack(round(nil, 5, nil, nil)))
    assert.same({ n = 0 }, table.pack(round()))
  end)

  it("carries tables, with what is shared in them still shared", function()
    local t = { 1, { x = "y", [2.5] = true, [false] = { {} } }, n = 0 }
    assert.same(t, (round(t)))
    local shared = {}
    local a, b = round({ shared, k = shared }, shared)
    assert.is_true(rawequal(a[1], a.k) and rawequal(a[1], b))
    local wide = {}
    for _ = 1, 40 do wide = { wide, wide } end -- 2^40 leaves if it were written out
    assert.equal(2, #round(wide))
    local deep = {}
    for _ = 1, 150 do deep = { deep } end
    assert.equal(1, #round(deep))
  end)

  it("refuses the rest by the path to it", function()
    local cycle = { 1 }
    cycle.again = { cycle }
    assert.equal("result[1] is a function, which cannot leave its process", refused(print))
    assert.equal("result[2].x is a thread, which cannot leave its process", refused(1, { x = coroutine.create(print) }))
    assert.equal('result[1]["a b"][3].z is a function, which cannot leave its process',
      refused { ["a b"] = { 1, 2, { z = print } } })
    assert.equal("result[1].again[1] is part of a cycle", refused(cycle))
    assert.equal("result[1] has a table as a key", refused { [{}] = 1 })
    assert.equal("result[1]'s key is a function, which cannot leave its process", refused { [print] = 1 })
    assert.equal("result[1] is a handle (Ns), which stays in its process", refused(ns.of(nil, "uts")))
    assert.equal("result[1] is a handle (file), which stays in its process", refused(io.stdout))
    local closed = ns.memfd "x"
    closed:close()
    assert.equal("result[1] is a closed Fd", refused(closed))
    local deep = {}
    for _ = 1, 1000 do deep = { deep } end
    assert.matches("is nested too deeply$", refused(deep))
  end)

  it("asks no metamethod", function()
    local function raise() error "asked" end
    local t = setmetatable({ 1, a = 2 }, { __index = raise, __pairs = raise, __len = raise, __tostring = raise,
      __name = "nslua.Fd", __metatable = "nslua.Fd" })
    assert.same({ 1, a = 2 }, (round(t)))
  end)
end)

describe("proc:call", function()
  box_it("runs there, with its arguments, and gives all values back", function(b)
    assert.equal("inside", b:call(ns.gethostname))
    assert.same({ 4, 1, nil, "x", n = 4 }, table.pack(b:call(function(...) return select("#", ...) + 1, ... end, 1, nil, "x")))
    assert.same({ n = 0 }, table.pack(b:call(function() end)))
    assert.same({ n = 3 }, table.pack(b:call(function() return nil, nil, nil end)))
    local up = { here = true }
    b:call(function() up.here = false end)
    assert.is_true(up.here) -- a copy
    assert.equal(2 ^ 22, #b:call(function() return ("x"):rep(2 ^ 22) end))
  end)

  box_it("brings descriptors back, as many as one message holds", function(b)
    local fd, again = b:call(function()
      local f = ns.memfd "there"
      f:write "from the box" f:seek("set", 0)
      return f, { deeper = f }
    end)
    assert.equal("from the box", fd:read "a")
    assert.matches("^fd %d+$", tostring(again.deeper))
    local many = b:call(function()
      local list = {}
      for i = 1, 250 do list[i] = ns.memfd "x" end
      return list
    end)
    assert.equal(250, #many)
    for _, f in ipairs(many) do f:close() end
    assert.has_error(function()
      b:call(function()
        local list, f = {}, ns.memfd "x"
        for i = 1, 251 do list[i] = f end
        return list
      end)
    end)
  end)

  box_it("raises an error of there here, with the traceback of there", function(b)
    local ok, err = pcall(b.call, b, function() local function deep() error "lost in there" end deep() end)
    assert.is_false(ok)
    assert.matches("call_spec.lua:%d+: lost in there\nin the box: stack traceback:", err)
    assert.matches("in .*deep", err)
    assert.is_nil(err:find("nslua.sys.clone", 1, true)) -- not the way that led there
    ok, err = pcall(b.call, b, ns.sethostname, ("x"):rep(65))
    assert.is_false(ok)
    assert.equal("EINVAL", err.name)
    assert.equal(22, err.errno)
    assert.equal("sethostname", err.call)
    assert.equal("65", err.args[2])
    assert.matches("stack traceback", err.traceback)
    assert.matches("why  The name is longer than 64 bytes", tostring(err))
    assert.equal(22, (select(3, ns.try(b.call, b, ns.sethostname, ("x"):rep(65)))))
  end)

  box_it("raises whatever else was raised", function(b)
    local function raised(v)
      local ok, err = pcall(b.call, b, function() error(v, 0) end)
      assert.is_false(ok)
      return err
    end
    assert.same({ code = 5, list = { 1 } }, raised { code = 5, list = { 1 } })
    assert.matches("^nil\n", raised(nil))
    assert.matches("^42\n", raised(42))
    assert.matches("^false\n", raised(false))
    assert.matches("^table: 0x", raised { f = print })
    assert.matches("^spoken\n", raised(setmetatable({}, { __tostring = function() return "spoken" end })))
    assert.matches("mute", raised(setmetatable({}, { __tostring = function() error "mute" end })))
    assert.equal("string", type(raised(setmetatable({}, { __tostring = function() return 7 end }))))
    assert.matches("result%[2%]%.x is a function", select(2, pcall(b.call, b, function() return 1, { x = print } end)))
  end)

  box_it("says how the process ended when there is no answer", function(b)
    local function why(fn) return select(2, pcall(b.call, b, fn)) end
    assert.matches("ended %(exit 3%) before it answered", why(function() os.exit(3) end))
    assert.matches("ended %(exit 0%) before it answered", why(function() ns.exec { "true" } end))
    assert.matches("ended %(signal 9%) before it answered", why(function() ns.kill(ns.getpid(), "KILL") end))
    assert.equal("inside", b:call(ns.gethostname)) -- the next one works
  end)

  box_it("leaves no descriptor and no process, well or not", function(b)
    b:call(ns.getpid)
    collectgarbage() collectgarbage "stop"
    local before = helpers.fds()
    for _ = 1, 30 do
      b:call(ns.getpid)
      pcall(b.call, b, error, "x")
      pcall(b.call, b, function() return print end)
      pcall(b.call, b, function() os.exit(1) end)
    end
    assert.equal(before, helpers.fds())
    assert.equal(1, #require "nslua.sys".children()) -- the box
  end)

  box_it("runs no clean-up of its caller in there", function(b)
    local r, w = ns.pipe()
    do
      local _ <close> = setmetatable({}, { __close = function() w:write "closed " end })
      b:call(function() return 1 end)
      pcall(b.call, b, error, "x")
    end
    w:close()
    assert.equal("closed ", r:read "a")
  end)

  box_it("can be nested, and used from a coroutine", function(b)
    assert.equal("inside", b:call(function() return b:call(ns.gethostname) end))
    assert.equal("inside", coroutine.wrap(function() return b:call(ns.gethostname) end)())
  end)

  it("wants a function and a process that is there", function()
    helpers.in_child(function()
      local p = ns.fork(function() end)
      p:wait()
      for _, v in ipairs { 1, "x", {}, true } do assert.matches("call wants a function", select(2, pcall(p.call, p, v))) end
      assert.matches("ended", select(2, pcall(p.call, p, print)))
    end)
  end)
end)
