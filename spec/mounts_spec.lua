-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local ns = require "nslua"

local dir = ns.mkdtemp "/tmp/nslua-mounts-XXXXXX"

local function inside(fn, ...)
  return helpers.in_child(function(...)
    ns.unshare("user", "mnt")
    ns.map(nil, "root")
    ns.propagate "rprivate"
    ns.mount("none", dir, "tmpfs")
    ns.chdir(dir)
    return fn(...)
  end, ...)
end

local function it_mounts(name, fn) return helpers.ns_it("user mnt", name, fn) end

local row_at = helpers.mount_at

local function touch(path) ns.open(path, "w"):close() end
local function read(path) return ns.open(path):read "a" end

-- a/ with a file, a mount a/sub with a file in it, and an empty b/
local function tree()
  ns.mkdir "a"; ns.mkdir "a/sub"; ns.mkdir "b"
  touch "a/file"
  ns.mount("none", "a/sub", "tmpfs")
  touch "a/sub/deep"
end

describe("the usual mounts:", function()
  teardown(function() ns.rmdir(dir) end)

  helpers.adds_no_global "nslua.mounts"

  describe("bind", function()
    it("refuses wrong arguments before the kernel hears of them", function()
      helpers.badargs(ns.bind, "path path ?options", "/no/such", "/no/such", {})
      helpers.badargs(ns.propagate, "path ?word", "/no/such", "rprivate")
      local _, err = pcall(ns.bind, "/x", "/y", { r0 = true })
      assert.matches('#3.*unknown option "r0" %(did you mean "ro"', err)
      _, err = pcall(function() ns.bind("/x", "/y", { ro = 1 }) end)
      assert.matches("option ro is a number", err)
      assert.matches("mounts_spec.lua:%d+:", err)
      _, err = pcall(ns.propagate, "rprivat")
      assert.matches('did you mean "rprivate"', err)
    end)

    it_mounts("brings the mounts below along", function()
      inside(function()
        tree()
        local m <close> = ns.bind("a", "b")
        assert.is_true(ns.access "b/sub/deep")
        assert.equal("bind", m.type)
        touch "b/new"
        assert.is_true(ns.access "a/new")
      end)
    end)

    it_mounts("is read-only all the way down, and its source is not", function()
      inside(function()
        tree()
        local m = ns.bind("a", "b", { ro = true, nosuid = true })
        for _, path in ipairs { "b/x", "b/sub/x" } do
          local ok, err = pcall(touch, path)
          assert.is_false(ok)
          assert.equal("EROFS", err.name)
        end
        touch "a/x"
        touch "a/sub/x"
        assert.matches("ro,nosuid", row_at(dir .. "/b/sub").options)
        assert.is_true(m:umount())
        assert.is_nil(row_at(dir .. "/b"))
        assert.is_truthy(row_at(dir .. "/a/sub"))
      end)
    end)

    it_mounts("is read-only all the way down by remounts too", function()
      inside(function()
        tree()
        ns.mount(nil, "a/sub", nil, "remount,bind,nosuid,noexec")
        local m = ns.bind("a", "b")
        require("nslua.mounts")._remount(m, { "ro" }, true)
        assert.matches("^ro,", row_at(dir .. "/b").options)
        assert.matches("^ro,nosuid,noexec", row_at(dir .. "/b/sub").options)
        touch "a/sub/x" -- the source is as it was
      end)
    end)

    it_mounts("leaves nothing when it cannot be finished", function()
      inside(function()
        tree()
        local fd = ns.open("a/file", "w") -- a writer forbids nothing: it is another mount
        local ok, err = pcall(ns.bind, "a", "b", { ro = true, propagation = "none such" })
        assert.is_false(ok)
        assert.matches("propagation", tostring(err))
        assert.is_nil(row_at(dir .. "/b"))
        fd:close()
      end)
    end)

    it_mounts("puts a file over a file", function()
      inside(function()
        ns.open("one", "w"):write "1"
        ns.open("two", "w"):write "2"
        do
          local m <close> = ns.bind("one", "two", { ro = true })
          assert.equal("1", read "two")
          assert.is_string(m.target)
        end
        assert.equal("2", read "two")
      end)
    end)
  end)

  describe("propagate", function()
    it_mounts("says which mounts come and go", function()
      inside(function()
        tree()
        for _, word in ipairs { "shared", "private", "unbindable" } do
          assert.is_true(ns.propagate("a/sub", word))
          assert.equal(word, row_at(dir .. "/a/sub").propagation:match "^%a+")
        end
        ns.propagate(dir, "rshared")
        assert.matches("^shared:%d+$", row_at(dir .. "/a/sub").propagation)
        ns.bind("a/sub", "b")
        ns.propagate("b", "slave")
        assert.matches("^slave:%d+$", row_at(dir .. "/b").propagation)
        ns.propagate("b", "shared")
        assert.matches("^shared:%d+,slave:%d+$", row_at(dir .. "/b").propagation)
        local ok, err = pcall(ns.propagate, "a", "private")
        assert.is_false(ok)
        assert.equal("EINVAL", err.name)
      end)
    end)

    it_mounts("decides whether a mount is seen elsewhere", function()
      inside(function()
        tree()
        ns.mkdir "a/sub/here"
        ns.propagate("a/sub", "shared")
        ns.bind("a/sub", "b", { rec = false })
        ns.mount("none", "a/sub/here", "tmpfs")
        assert.is_truthy(row_at(dir .. "/b/here"))
        ns.umount "a/sub/here"
        ns.propagate("b", "private")
        ns.mount("none", "a/sub/here", "tmpfs")
        assert.is_nil(row_at(dir .. "/b/here"))
      end)
    end)
  end)

  describe("overlay", function()
    local function layers(base)
      ns.mkdir(base)
      for _, name in ipairs { "low", "lower", "up", "work", "all" } do ns.mkdir(base .. "/" .. name) end
      ns.open(base .. "/low/both", "w"):write "low"
      ns.open(base .. "/lower/both", "w"):write "lower"
      touch(base .. "/lower/only")
      return { lower = { base .. "/low", base .. "/lower" }, upper = base .. "/up", work = base .. "/work",
        target = base .. "/all" }
    end

    local overlay_probe = helpers.probe("overlay in a user namespace", function()
      inside(function() ns.overlay(layers "probe") end)
    end)
    local function it_overlays(name, fn) return helpers.need_it(overlay_probe, name, fn) end

    it("refuses wrong arguments before the kernel hears of them", function()
      for text, opts in pairs {
        ["unknown option \"lowr\" %(did you mean \"lower\""] = { lowr = "/x" },
        ["lower is a path"] = { target = "/x" },
        ["target= is missing"] = { lower = "/x" },
        ["upper= and work= go together"] = { lower = "/x", target = "/y", upper = "/z" },
        ["lower%[2%] is no path"] = { lower = { "/x", 7 }, target = "/y" },
        ["lower%[1%] is no path"] = { lower = { "/x\0" }, target = "/y" },
        ["option upper contains a NUL"] = { lower = "/x", target = "/y", upper = "\0", work = "" },
        ["table expected"] = "x",
      } do
        local ok, err = pcall(ns.overlay, opts)
        assert.is_false(ok)
        assert.matches("bad argument #1 to 'overlay'", err)
        assert.matches(text, err)
      end
    end)

    it_overlays("writes to the upper folder and leaves the lower ones alone", function()
      inside(function()
        local m <close> = ns.overlay(layers "o")
        assert.equal("low", read "o/all/both")
        ns.open("o/all/both", "w"):write "new"
        ns.unlink "o/all/only"
        assert.is_false(ns.access "o/all/only")
        assert.is_true(ns.access "o/lower/only")
        assert.equal("low", read "o/low/both")
        assert.equal("new", read "o/up/both")
        assert.equal("overlay", m.type)
      end)
    end)

    it_overlays("is read-only without an upper folder", function()
      inside(function()
        local opts = layers "o"
        opts.upper, opts.work = nil, nil
        ns.overlay(opts)
        local ok, err = pcall(touch, "o/all/x")
        assert.is_false(ok)
        assert.equal("EROFS", err.name)
      end)
    end)

    for _, name in ipairs { "a,b", "a:b", "a\\b", "a b", "a\nb", "a\\,b", ",:\\", "=", "\xff", '"' } do
      it_overlays(("takes paths like %q"):format(name):gsub("\n", "n"), function()
        inside(function()
          ns.overlay(layers(name))
          touch(name .. "/all/made")
          assert.is_true(ns.access(name .. "/all/only"))
          assert.is_true(ns.access(name .. "/up/made"))
        end)
      end)
    end

    it_overlays("takes more layers than one page of options holds", function()
      inside(function()
        local opts = layers "a:b,c"
        opts.lower = {}
        for i = 1, 60 do
          opts.lower[i] = ("a:b,c/%03d%s"):format(i, ("x"):rep(90))
          ns.mkdir(opts.lower[i])
          touch(opts.lower[i] .. "/f" .. i)
        end
        ns.overlay(opts)
        for i = 1, 60 do assert.is_true(ns.access("a:b,c/all/f" .. i)) end
        touch "a:b,c/all/made"
        assert.is_true(ns.access "a:b,c/up/made")
      end)
    end)
  end)
end)
