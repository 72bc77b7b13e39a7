-- SPDX-License-Identifier: MIT
-- Nothing public is without a description, and nothing is described that is
-- not there: what help, the manual and completion say comes from here.

local helpers = require "spec.helpers"
local ns = require "nslua"
local sys = require "nslua.sys"
local help = require "nslua.help"


local function public()
  local list = {}
  for _, record in pairs(help.all()) do list[#list + 1] = record end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end


-- The records that fail a test, by name, in one text: an empty one is right.
local function those(test)
  local bad = {}
  for _, record in ipairs(public()) do
    local what = test(record)
    if what then bad[#bad + 1] = record.name .. (what == true and "" or ": " .. what) end
  end
  return table.concat(bad, "\n")
end


local function names_in(signature)
  local names = {}
  for name in signature:match "%((.*)%)$":gmatch "[%w_%.]+" do names[#names + 1] = name end
  return names
end


describe("the description", function()
  helpers.adds_no_global "nslua.help"

  it("covers every public function and method", function()
    local missing = {}
    for name in pairs(help.walk()) do
      if not help.all()[name] then missing[#missing + 1] = name end
    end
    table.sort(missing)
    assert.equal("", table.concat(missing, "\n"))
  end)

  it("is of what a user reaches: functions of ns, and methods", function()
    assert.equal("", those(function(record)
      return not record.name:find "^ns%.[%w_]+%f[^%w_.]" and not record.name:find "^ns%.%w+%.[%w_]+$"
        and not record.name:find "^%u%w*:[%w_]+$"
    end))
    assert.is_nil(help.of "nslua.doctor.judge")
    assert.is_nil(help.all()["nslua.lab.host.new"])
  end)

  it("is of functions that exist", function()
    local walk = help.walk()
    assert.equal("", those(function(record)
      local handle = record.name:match "^(%u%w*):"
      return walk[record.name] == nil and (handle == nil or sys.methods[handle] ~= nil)
    end))
  end)

  it("brackets what may be left out, not what may be nil before what may not", function()
    assert.equal("ns.mount(source, target [, type [, flags [, data]]])", help.of "ns.mount".signature)
    assert.equal("Proc:spawn(program [, opts, ...])", help.of "Proc:spawn".signature)
    assert.equal("ns.fork([fn, ...])", help.of "ns.fork".signature)
    assert.equal("ns.try(f, ...)", help.of "ns.try".signature)
  end)

  it("says what each does, with an example that is Lua", function()
    assert.equal("", those(function(record)
      if #record.text < 10 then return "no text" end
      if not record.example then return "no example" end
      local ok, err = load(record.example, "=example")
      return not ok and err
    end))
  end)

  it("names the manual page of every function of C", function()
    assert.equal("", those(function(record)
      return record.file:find("/meta/", 1, true) and not (record.source or ""):find "%(%d"
    end))
  end)

  -- Lists as text, handles of trees, lessons: our own work, no call of the kernel.
  local OWN = { ["ns.try"] = true, ["ns.lesson"] = true, ["ns.rootfs.list"] = true }

  it("names a manual page for all that stands for a call, a file or a program", function()
    assert.equal("", those(function(record)
      local own = OWN[record.name] or record.name:find "^List:" or record.name:find "^Rootfs:"
      return not own and not (record.source or ""):find "%(%d"
    end))
  end)

  it("gives each parameter its line, and no other", function()
    assert.equal("", those(function(record)
      local given, taken = {}, {}
      for _, param in ipairs(record.params) do given[param.name] = true end
      for _, name in ipairs(names_in(record.signature)) do
        taken[name] = true
        if not given[name] then return "no ---@param " .. name end
      end
      for name in pairs(given) do
        if not taken[name] then return "---@param " .. name .. " of nothing" end
      end
    end))
  end)

  it("gives each parameter and result a type", function()
    assert.equal("", those(function(record)
      for _, list in ipairs { record.params, record.returns } do
        for _, item in ipairs(list) do
          if not item.type or item.type == "" then return item.name or "a result" end
        end
      end
    end))
  end)

  it("keeps to lines that a terminal shows", function()
    assert.equal("", those(function(record)
      for line in (record.text .. "\n" .. (record.example or "")):gmatch "[^\n]+" do
        if utf8.len(line) > 96 then return line end
      end
    end))
  end)
end)


describe("help.of", function()
  it("finds a function by the names that people write, and by value", function()
    local record = help.of "ns.sethostname"
    assert.equal("ns.sethostname(name)", record.signature)
    assert.equal(record, help.of "sethostname")
    assert.equal(record, help.of(ns.sethostname))
    assert.equal("Proc:wait", help.of("Proc:wait").name)
    assert.equal("Proc:wait", help.of("Proc.wait").name)
    assert.equal("Proc:spawn", help.of("box:spawn").name)
    assert.equal("ns.can", help.of(ns.can).name)
    assert.equal("ns.netns.add", help.of("netns.add").name)
  end)

  it("reads text, example, errors, page, parameters and results apart", function()
    local record = help.of "ns.open"
    assert.equal("ns.open(path [, flags [, mode]])", record.signature)
    assert.truthy(record.text:find "^Opens a file or folder%.\n\nFlags are words")
    assert.truthy(record.example:find '^local fd <close> = ns%.open%("/etc/hostname"%)\n')
    assert.truthy(record.raises:find "^ENOENT, .*ETXTBSY%.$")
    assert.equal("open(2)", record.source)
    assert.equal("lua/nslua/meta/file.lua", record.file)
    assert.same({ name = "path", optional = false, type = "string" }, record.params[1])
    assert.equal("nslua.Fd", record.returns[1].type)
    local run = help.of "Proc:wait"
    assert.same({ "ok", "how", "code" }, { run.returns[1].name, run.returns[2].name, run.returns[3].name })
  end)

  it("shows a record as text", function()
    local text = help.text(help.of "ns.uname")
    assert.truthy(text:find "^ns%.uname%(%)\n\nWhat the kernel")
    assert.truthy(text:find "\n    print%(ns%.uname%(%)%.release%)\n")
    assert.truthy(text:find "\nsee      uname%(2%)$")
  end)

  it("knows nothing of what is nobody's", function()
    for _, what in ipairs { "no.such.name", "", "%", "ns.", "close", function() end, print, 1, {} } do
      assert.is_nil(help.of(what))
    end
    assert.is_nil(help.of(nil))
  end)

  it("needs no file of the host: it works in an empty root", function()
    local text = helpers.in_child(function()
      if not pcall(ns.unshare, "user", "mnt") then ns.unshare "mnt" else ns.map(nil, "root") end
      ns.mount("none", "/", nil, "rec,private")
      ns.mount("tmpfs", "/mnt", "tmpfs")
      ns.chroot "/mnt"
      return require "nslua.help".of("ns.mount").source
    end)
    assert.truthy(text:find "mount%(2%)")
  end)
end)
