-- SPDX-License-Identifier: MIT
-- Hostile archives: contained or refused, never a partial tree, nothing
-- outside touched, no raw control byte in a message.

local evil = require "spec.evil"
local helpers = require "spec.helpers"
local ns = require "nslua"
local roots = require "spec.roots"
local tar = require "spec.tar"

local base = roots.base "evil"

local write = roots.write

local function read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a"
end

-- Everything in a folder that must not change, as a text.
local function picture(path)
  local rows = {}
  for _, name in ipairs(ns.readdir(path)) do
    local st = ns.lstat(path .. "/" .. name)
    rows[#rows + 1] = ("%s %s %o %d %d %s"):format(name, st.type, st.mode, st.size, st.nlink,
      st.type == "file" and read(path .. "/" .. name) or "")
  end
  table.sort(rows)
  return table.concat(rows, "\n")
end

-- A file that says what became of each archive in a folder: the program that
-- runs as this user or as nobody.
local PROGRAM = [[
  local ns = require "nslua"
  local folder, count = arg[1], tonumber(arg[2])
  for i = 1, count do
    local ok, err = pcall(ns.rootfs.get, folder .. "/" .. i .. ".tar", { quiet = true,
      max_bytes = 64 << 20 })
    local words = ok and "whole" or type(err) == "table" and err.message or "raised " .. tostring(err)
    io.write(i, " ", words:gsub("\n", "\\n"), "\n")
  end]]

local function results_of(run, cache, count)
  local out, err, status = run({ "-e", "arg = {" .. ("%q, %d"):format(base .. "/in", count) .. "}",
    "-e", PROGRAM }, { env = { XDG_CACHE_HOME = cache } })
  assert.equal("", err)
  assert.equal(0, status)
  local results = {}
  for i, words in out:gmatch "(%d+) ([^\n]*)\n" do results[tonumber(i)] = words end
  return results, out
end

local function judge(archives, results)
  local wrong = {}
  for i, case in ipairs(archives) do
    local name, _, verdict = table.unpack(case)
    local said = results[i] or "no result"
    local fine = verdict == "whole" and said == "whole"
      or verdict ~= "whole" and said ~= "no result" and not said:find "^raised"
        and (verdict == "" or said:lower():find(verdict:lower(), 1, true))
    if not fine then wrong[#wrong + 1] = ("%s: %s, not %s"):format(name, said, verdict) end
  end
  assert.equal("", table.concat(wrong, "\n"))
end

describe("hostile archives", function()
  local out = base .. "/out"
  local archives, before

  setup(function()
    ns.umask(18)
    ns.mkdir(out)
    ns.chmod(out, "777") -- for nobody too: the wall must hold, not the modes
    write(out .. "/canary", "alive")
    ns.chmod(out .. "/canary", "666")
    ns.mkdir(base .. "/in")
    archives = evil.archives(out, ("../"):rep(20) .. out:sub(2))
    for i, case in ipairs(archives) do write(base .. "/in/" .. i .. ".tar", case[2]) end
    before = picture(out)
  end)

  teardown(function() helpers.run { "rm", "-rf", base } end)

  for _, who in ipairs { "this user", "nobody" } do
    describe("as " .. who, function()
      local run = who == "nobody" and helpers.as_nobody or helpers.nslua
      local cache = base .. "/cache-" .. who:gsub(" ", "-")
      local results, text

      it("are contained or refused in words that name the entry", function()
        ns.mkdir(cache)
        ns.chmod(cache, "777")
        results, text = results_of(run, cache, #archives)
        judge(archives, results)
      end)

      it("touch nothing outside", function()
        assert.equal(before, picture(out))
      end)

      it("leave no raw control byte in a message", function()
        assert.is_nil(text:gsub("\n", ""):find "%c")
        assert.truthy(utf8.len(text))
      end)

      it("leave no part behind and let nobody else in", function()
        assert.same({}, ns.readdir(cache .. "/nslua/tmp"))
        assert.equal(448, ns.stat(cache .. "/nslua").mode)
      end)

      it("leave no device node", function()
        local found = helpers.run { "find", cache, "(", "-type", "b", "-o", "-type", "c", ")" }
        assert.equal("", found)
      end)
    end)
  end
end)

describe("damaged gzip", function()
  local folder = ns.mkdtemp "/tmp/nslua-gzip-XXXXXX"
  local whole = tar.gzip(tar.archive { tar.dir "d", tar.file("d/a", ("some text "):rep(300)),
    tar.symlink("l", "d/a") })
  local cases = {}

  local function refused(bytes, fast)
    write(folder .. "/x.tar.gz", bytes)
    local unpack = require "nslua.rootfs.unpack"
    return helpers.in_child(function()
      local target = ns.mkdtemp(folder .. "/t-XXXXXX")
      local ok, err = pcall(unpack.run, { name = "x", target = target, fast = fast,
        read = unpack.from_file(folder .. "/x.tar.gz") })
      return not ok, ok or err.message
    end)
  end

  teardown(function() helpers.run { "rm", "-rf", folder } end)

  for i = 1, 20 do -- bits of data, check sum and length, by turns
    local at = i % 4 == 0 and #whole - (i % 8) or 20 + i * 131 % (#whole - 20)
    cases[i] = whole:sub(1, at - 1) .. string.char(whole:byte(at) ~ 1 << i % 8) .. whole:sub(at + 1)
  end

  for _, engine in ipairs { "zlib", "ISA-L if there is one" } do
    local fast = engine ~= "zlib"

    helpers.ns_it("user mnt", "is accepted when it is right, by " .. engine, function()
      assert.is_false((refused(whole, fast)))
      assert.is_false((refused(whole .. ("\0"):rep(100), fast)))
    end)

    helpers.ns_it("user mnt", "is never accepted, by " .. engine, function()
      for i, bytes in ipairs(cases) do
        assert.is_true((refused(bytes, fast)), "bit flip " .. i)
      end
      assert.matches("cut off", select(2, refused(whole:sub(1, -2), fast)))
      assert.matches("after the gzip data", select(2, refused(whole .. "x", fast)))
      assert.matches("after the gzip data", select(2, refused(whole .. "garbage", fast)))
    end)

    helpers.ns_it("user mnt", "may have several members, by " .. engine, function()
      local text = tar.archive { tar.file("a", "one") }
      assert.is_false((refused(tar.gzip(text:sub(1, 700)) .. tar.gzip(text:sub(701)), fast)))
    end)
  end
end)
