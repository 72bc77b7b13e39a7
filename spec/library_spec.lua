-- SPDX-License-Identifier: MIT
-- Shared objects of our own: found from anywhere, opened before the root
-- changes, and what is said of one that is wanted too late.

local helpers = require "spec.helpers"
local library = require "nslua.library"
local sys = require "nslua.sys"
local world = require "spec.world"
local ns = require "nslua"

local needs = ns.geteuid() == 0 and "mnt" or "user mnt"
local PARTS = { "archive", "feed", "fetch", "net", "ring" }

-- Runs fn in a child whose root is empty: by chroot, or by pivot_root.
local function in_empty_root(pivot, fn)
  return helpers.in_child(function()
    if ns.geteuid() == 0 then ns.unshare "mnt" else world.become_root "mnt" end
    ns.mount("", "/", "none", "private,rec")
    ns.mount("none", "/tmp", "tmpfs")
    ns.chdir "/tmp"
    if pivot then
      ns.mkdir("old", "755")
      ns.pivot_root(".", "old")
      ns.umount("/old", "detach")
    else
      ns.chroot "."
    end
    return fn()
  end)
end


describe("a shared object of ours", function()
  helpers.adds_no_global "nslua.library"

  for _, pivot in ipairs { false, true } do
    helpers.ns_it(needs, "is told to be opened before " .. (pivot and "pivot_root" or "chroot"), function()
      local said = in_empty_root(pivot, function()
        local parts = {}
        for i, name in ipairs(PARTS) do parts[i] = select(2, pcall(function() library.open(name) end)) end
        return table.concat(parts, "\n")
      end)
      for _, name in ipairs(PARTS) do
        assert.truthy(said:find(("spec/library_spec.lua:%%d+: nslua/%s.so cannot be opened: this process has "
          .. "changed its root, and %s is out of sight; open it before: require%%(\"nslua.library\"%%).open \"%s\"")
          :format(name, sys.own_file():gsub("%p", "%%%0"), name)), said)
      end
    end)
  end

  helpers.ns_it(needs, "works in another root when it was opened before", function()
    if not pcall(library.open, "net") then return end -- built without libnl
    assert.is_true(in_empty_root(true, function() return #ns.link.list() > 0 end))
  end)

  it("is found from any directory, however the module's path was given", function()
    local preload = os.getenv "NSLUA_PRELOAD" -- the sanitizers' runtime
    for _, cpath in ipairs { "build/?.so", "./build/?.so" } do
      local out, err = helpers.run { "env", "LUA_CPATH_5_4=" .. cpath, preload and "LD_PRELOAD=" .. preload or "NONE=",
        "lua5.4", "-e", [[
          local ns = require "nslua"
          ns.chdir "/"
          require "nslua.library".open "ring"
          print(require "nslua.sys".own_file())]] }
      assert.equal("", err)
      assert.equal(ns.getcwd() .. "/" .. cpath:gsub("%?", "nslua") .. "\n", out)
    end
  end)

  helpers.ns_it(needs, "is found by a program that was started without /proc", function()
    if os.getenv "NSLUA_PRELOAD" then return end -- a sanitizer does not start there
    local out, err = helpers.in_child(function()
      if ns.geteuid() == 0 then ns.unshare "mnt" else world.become_root "mnt" end
      ns.mount("", "/", "none", "private,rec")
      ns.mount("none", "/proc", "tmpfs")
      return helpers.run { "sh", "-c", 'cd "${0%/*}" && ./"${0##*/}" -e "$1"', helpers.program, [[
        local ns = require "nslua"
        ns.chdir "/"
        require "nslua.library".open "ring"
        print(pcall(require "nslua.identity".map))]] }
    end)
    assert.equal("", err)
    assert.truthy(out:find('^false\t%(command line%):4: open%("/proc/self/uid_map"%): No such file or directory %(ENOENT%)\n  why  No /proc'), out)
  end)
end)
