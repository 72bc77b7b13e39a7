-- SPDX-License-Identifier: MIT
-- nslua in other people's programs: a C program with the library linked in
-- either way, a stock Lua that loads the module, what `make install` leaves.

local helpers = require "spec.helpers"
local ns = require "nslua"

-- The sanitizers' runtime must come first in a program built without it.
local preload = os.getenv "NSLUA_PRELOAD"

local function succeed(argv, opts)
  local out, err, status = helpers.run(argv, opts)
  assert(status == 0, ("%s: status %s\n%s%s"):format(table.concat(argv, " "), status, out, err))
  return out, err
end

local function make(...)
  return succeed({ "make", "-s", "--no-print-directory", ... }, { limit = 300 })
end

local function stock_lua(cpath, code)
  return succeed { "env", "LUA_CPATH_5_4=" .. cpath, preload and "LD_PRELOAD=" .. preload or "NONE=",
    "lua5.4", "-e", code }
end


-- PIDFD_GET_INFO has the exit status since Linux 6.15: probed by what it does.
local function tells_exit()
  local child <close> = ns.clone({}, { "true" })
  ns.wait(child.pid)
  return (ns.try(child.wait, child)) == true, "this kernel keeps no exit status in a pidfd"
end

for _, kind in ipairs { "static", "shared" } do
  describe("a C program with libnslua linked " .. kind, function()
    local program = "build/embed-" .. kind

    setup(function() make(program) end)

    local function proves(what, ...)
      local out, err = succeed({ program, what, ... }, { limit = 300 })
      assert.equal("ok " .. what .. "\n", out)
      assert.equal("", err)
    end

    helpers.ns_it(ns.geteuid() == 0 and "uts" or "user uts", "runs a script that makes a namespace", function()
      local host = ns.gethostname()
      proves "namespace"
      assert.equal(host, ns.gethostname())
    end)

    it("runs two states in two threads", function() proves "threads" end)

    helpers.ns_it(ns.geteuid() == 0 and "uts" or "user uts", "makes children while another thread holds libc's locks",
      function() proves "locks" end)

    helpers.need_it(tells_exit, "tells the ends of children though the program ignores SIGCHLD",
      function() proves "ignored" end)

    it("opens and closes a thousand states", function() proves("cycles", "1000") end)

    it("survives every allocation that fails, without a descriptor left", function() proves "memory" end)

    it("finds its signal handlers and descriptors as they were", function() proves "quiet" end)
  end)
end


describe("libnslua", function()
  local function symbols(option, file)
    local names = {}
    for name in succeed { "nm", "-D", option, file }:gmatch "%s(%S+)\n" do
      if not name:find "^__asan_" then names[#names + 1] = name:gsub("@.*", "") end -- `make check` has one there
    end
    table.sort(names)
    return names
  end

  it("exports what nslua.h declares, and nothing else", function()
    local api = { "luaopen_nslua", "nslua_forked", "nslua_openlibs" }
    assert.same(api, symbols("--defined-only", "build/libnslua.so.0"))
    assert.same(api, symbols("--defined-only", "build/nslua.so"))
  end)

  it("leaves Lua to its host", function()
    local undefined = table.concat(symbols("--undefined-only", "build/nslua.so"), " ")
    assert.truthy(undefined:find("lua_pcallk", 1, true))
  end)
end)


describe("stock lua5.4", function()
  it("has every primitive after require 'nslua'", function()
    local out = stock_lua("build/?.so", [[
      local ns = require "nslua"
      print(ns.gethostname(), type(ns.unshare), type(ns.try))]])
    assert.equal(ns.gethostname() .. "\tfunction\tfunction\n", out)
  end)

  it("makes a namespace", function()
    local out = stock_lua("build/?.so", [[
      local ns = require "nslua"
      local child <close> = ns.fork(function()
        ns.unshare(table.unpack(ns.geteuid() == 0 and { "uts" } or { "user", "uts" }))
        ns.sethostname "stock"
        io.write(ns.gethostname())
      end)
      child:wait()
      print("", ns.gethostname())]])
    assert.equal("stock\t" .. ns.gethostname() .. "\n", out)
  end)
end)


describe("make install", function()
  local root

  setup(function()
    root = ns.mkdtemp "/tmp/nslua-install-XXXXXX"
    make("install", "PREFIX=" .. root)
  end)

  teardown(function() helpers.run { "rm", "-rf", root } end)

  it("puts a program in place that works from anywhere", function()
    local out = succeed({ root .. "/bin/nslua", "-e", "print(require 'nslua'.gethostname())" }, { cwd = "/" })
    assert.equal(ns.gethostname() .. "\n", out)
  end)

  it("puts a module in place that stock lua5.4 loads", function()
    local out = stock_lua(root .. "/lib/lua/5.4/?.so", "print(require 'nslua'.gethostname())")
    assert.equal(ns.gethostname() .. "\n", out)
  end)

  it("puts every shared object where program and module look for it", function()
    for _, name in ipairs(ns.try(ns.readdir, "build/nslua") or {}) do
      assert.truthy(ns.stat(root .. "/lib/nslua/" .. name), name)
    end
    local look = [[for _, p in ipairs(require "nslua.sys".library_paths()) do print(p) end]]
    local paths = succeed { root .. "/bin/nslua", "-e", look }
    assert.truthy(paths:find(root .. "/bin/../lib/nslua/?.so", 1, true), paths)
    paths = stock_lua(root .. "/lib/lua/5.4/?.so", "require 'nslua' " .. look)
    assert.truthy(paths:find(root .. "/lib/lua/5.4/../../nslua/?.so", 1, true), paths)
  end)

  it("lets pkg-config build a program", function()
    local build = [[
      cc -o "$1/embed" spec/embed/embed.c $(pkg-config --cflags --libs nslua) -lpthread \
        -Wl,-rpath,"$1/lib" $2]]
    succeed { "env", "PKG_CONFIG_PATH=" .. root .. "/lib/pkgconfig", "sh", "-c", build, "sh", root,
      preload and "-fsanitize=address,undefined" or "" }
    assert.equal("ok quiet\n", (succeed { root .. "/embed", "quiet" }))
  end)

  it("is undone by make uninstall", function()
    make("uninstall", "PREFIX=" .. root)
    local left = succeed { "find", root, "!", "-type", "d", "!", "-name", "embed" }
    assert.equal("", left)
  end)
end)
