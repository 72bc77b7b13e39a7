-- SPDX-License-Identifier: MIT
-- Every lesson of the course: held as root and as nobody, proved by --lint,
-- and its file tells the truth about itself. A lesson that is added to the
-- course's list and to scripts/ is found by itself.
local helpers = require "spec.helpers"
local load_ = require "nslua.lesson.load"
local sys = require "nslua.sys"
local ns = require "nslua"

local TYPES = "user mnt uts pid ipc net cgroup time"

local course, places = {}, {}
for i, id in ipairs(load_.course) do
  places[id] = i
  if sys.embedded(("scripts/%s.lua"):format(id)) then course[#course + 1] = id end
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- What a lesson must leave as it was, as far as the lesson's own proof does
-- not look: control groups, and limits of the machine.
local function machine()
  local found = {}
  for _, m in ipairs(ns.mounts()) do
    if m.type == "cgroup2" then found[#found + 1] = table.concat(ns.readdir(m.mountpoint), " ") end
  end
  for _, file in ipairs { "/proc/sys/fs/mqueue/queues_max", "/proc/sys/kernel/msgmax",
    "/proc/sys/kernel/hostname", "/proc/sys/net/ipv4/ip_forward" } do
    found[#found + 1] = ns.access(file) and read(file) or ""
  end
  return found
end

local function passes(out, err, status, id)
  assert.equal(0, status, id .. ": " .. out .. err)
  assert.equal("", err)
  assert.truthy(out:find("all %d+ claims held"), out)
  assert.truthy(out:find("outside the stage as before", 1, true), out)
end

describe("the course", function()
  it("has the lessons that it should, in order", function()
    assert.is_true(#course >= 13, table.concat(course, " "))
    assert.same({ "list", "uts", "pid", "mnt", "ipc", "user" }, { table.unpack(course, 1, 6) })
    assert.equal("container", course[#course])
  end)

  for _, id in ipairs(course) do
    local file = ("scripts/%s.lua"):format(id)

    it(id .. " says what it is for, and shows a step as it is", function()
      local text = read(file)
      assert.truthy(text:find "^%-%- %u")
      assert.truthy(text:find "\n%-%- Man pages: ")
      assert.truthy(text:find("nslua " .. file, 1, true))
      local one = assert(load_.file(file))
      local index, title, last = text:match(("\n%%-%%-     %s/(%%d+)  (.-)%%s%%s+%%d+/(%%d+)\n"):format(id))
      assert.same({ one.steps[tonumber(index)].title, #one.steps }, { title, tonumber(last) })
      for module in text:gmatch "require *%(?[\"']([^\"']+)" do assert.equal("nslua", module) end
    end)

    it(id .. " names the one that comes next", function()
      local next_one = assert(load_.file(file)).done:match "Next: .*nslua scripts/([%w_]+)%.lua"
      if id == load_.course[#load_.course] then
        assert.is_nil(next_one)
      else
        assert.equal(load_.course[places[id] + 1], next_one)
      end
    end)

    helpers.ns_it(TYPES, id .. " holds every claim, and leaves the machine as it was", function()
      local before = machine()
      local out, err, status = helpers.nslua { "--batch", file }
      passes(out, err, status, id)
      assert.same(before, machine())
    end)

    helpers.ns_it(TYPES, id .. " holds them as nobody, too, and fits into 80 columns of ASCII", function()
      local out, err, status = helpers.as_nobody({ "--batch", id }, { env = { LC_ALL = "C", NO_COLOR = "1" } })
      passes(out, err, status, id)
      for line in out:gmatch "[^\n]+" do assert.is_true(#line <= 80, line) end
      assert.falsy(out:find "[\27\128-\255]")
    end)

    helpers.ns_it(TYPES, id .. " is the same when it is written down once more", function()
      local document, _, status = helpers.nslua { "--export=md", file }
      assert.equal(0, status)
      assert.equal(document, (helpers.nslua { "--export=md", file }))
    end)

    helpers.ns_it(TYPES, id .. " is proved by --lint, and the proof leaves the machine as it was", function()
      local before = machine()
      local out, err, status = helpers.nslua { "--lint", file }
      assert.same({ "", 0 }, { err, status }, out)
      assert.same(before, machine())
    end)
  end

  for _, rung in ipairs { "host", "self" } do
    helpers.ns_it(TYPES, "needs no more than the rung " .. rung .. " of the ladder", function()
      for _, id in ipairs(course) do
        if assert(load_.file(id)).needs.rootfs then
          local out, err, status = helpers.nslua { "-e", ([[local ns = require "nslua"
            local get = ns.rootfs.get
            ns.rootfs.get = function() return get(nil, { rung = %q }) end]]):format(rung), "--batch", id }
          passes(out, err, status, rung .. " " .. id)
        end
      end
    end)
  end
end)
