-- SPDX-License-Identifier: MIT
-- What a start costs: nothing but Lua and libc is mapped until it is wanted.

local helpers = require "spec.helpers"
local ns = require "nslua"

local sanitized = os.getenv "NSLUA_PRELOAD" -- brings its runtime along

-- The program's own files and libc's, by their names without versions.
local ALLOWED = { nslua = true, libc = true, libdl = true, ["ld-linux-x86-64"] = true,
  ["ld-linux-aarch64"] = true, ["ld"] = true, ["ld-musl-x86_64"] = true }

local MAPPED = [[
  for line in io.lines "/proc/self/maps" do
    local file = line:match "%s(/.*)$"
    if file then print(file) end
  end]]

local function mapped_after(code, opts)
  local out, err, status = helpers.nslua(code .. MAPPED, opts)
  assert(status == 0, err)
  local files = {}
  for file in out:gmatch "[^\n]+" do files[file] = true end
  return files
end

local function strangers(files)
  local names = {}
  for file in pairs(files) do
    local base = file:match "[^/]*$"
    local name = base:gsub("%.so.*", ""):gsub("%-%d+%.[%d.]*$", "")
    if not ALLOWED[name] then names[#names + 1] = base end
  end
  table.sort(names)
  return names
end

local function test(name, fn)
  if sanitized then return it(name, function() pending "absent: the sanitizers map libraries of their own" end) end
  it(name, fn)
end


describe("after start", function()
  test("only libc and its loader are mapped", function()
    assert.same({}, strangers(mapped_after ""))
  end)

  test("require 'nslua' maps no more", function()
    assert.same({}, strangers(mapped_after "require 'nslua' "))
  end)

  test("primitives, refusals, children and traces map no more", function()
    assert.same({}, strangers(mapped_after [[
      local ns = require "nslua"
      ns.try(ns.chdir, "/no/such/folder")
      local child <close> = ns.fork(function() end)
      child:wait()
      ns.trace(ns.gethostname)
      ns.trace(false)
    ]]))
  end)

  test("a sine is the system's, and there is one after the root has changed", function()
    local code = [[print(math.sin(1), 2 ^ 0.5, 5.5 % 2, math.log(8, 2), math.fmod(-7, 3), math.exp(1))]]
    local want = helpers.run { "lua5.4", "-e", code }
    assert.equal(want, (helpers.nslua(code)))
    local dir = ns.mkdtemp "/tmp/nslua-start-XXXXXX"
    local out, err = helpers.nslua(([[
      local ns = require "nslua"
      ns.unshare("user", "mnt")
      ns.chroot "%s"
      %s]]):format(dir, code))
    ns.rmdir(dir)
    assert.equal(want, out, err)
  end)

  test("a script that asks for a library is seen by this very spec", function()
    local files = mapped_after [[package.loadlib("libcurl.so.4", "*") package.loadlib("libarchive.so.13", "*") ]]
    if #strangers(files) == 0 then pending "absent: neither libcurl nor libarchive is installed" end
    assert.truthy(table.concat(strangers(files), " "):find "lib")
  end)
end)
