-- SPDX-License-Identifier: MIT
-- Completion: what may stand at the cursor, with a line of help, fast, and
-- without running anything.

local helpers = require "spec.helpers"
local ns = require "nslua"
local options = require "nslua.options"
local repl = require "nslua.repl"
local words = require "nslua.repl.words"

local env, session

-- The candidates at the end of a line (or at a cursor), by name; and from where.
local function at(line, cursor)
  local found = session:complete(line, cursor)
  local items = {}
  for _, item in ipairs(found.items) do items[item.text] = item.help end
  return items, found
end

-- The candidates, in one text.
local function list(line)
  local names = {}
  for i, item in ipairs(session:complete(line).items) do names[i] = item.text end
  return table.concat(names, " ")
end

before_each(function()
  env = { ns = ns, string = string, print = print, io = io, require = require, help_me = 1 }
  session = repl.new { env = env }
end)

describe("completion", function()
  helpers.adds_no_global "nslua.repl.complete"

  it("knows globals, locals of the session and the words of Lua", function()
    session:feed "local hello, helper = 1, {}"
    assert.equal("hello help help_me helper", list "x = hel")
    assert.equal("local, 1", at("hel").hello)
    assert.equal("print", list "pri")
    assert.matches("^print%(%.%.%.%)  ", at("pri").print)
    assert.equal("repeat require return", list "re")
  end)

  it("says from where the word is, at any cursor", function()
    local _, found = at("ns.getho + 1", 8)
    assert.equal(4, found.from)
    assert.equal("gethostname", found.items[1].text)
    _, found = at("")
    assert.equal(1, found.from)
    assert.is_true(#found.items > 20)
  end)

  it("knows fields of tables, of ns and of its modules, loaded or not", function()
    env.t = { one = 1, two = "x", three = { four = {} }, ["not a name"] = 1, ["end"] = 1 }
    assert.equal("one three two", list "t.")
    assert.equal("two", list "print(t.tw")
    assert.equal("four", list "t.three.")
    assert.equal("unlink unshare", list("ns.un"):gsub("uname ", ""))
    assert.matches("^unshare%(type, %.%.%.%)  Moves the process", at("ns.uns").unshare)
    assert.matches("get", list "ns.rootfs.")
    assert.matches("^rep reverse$", list "string.re")
    assert.equal("", list "nothing.at.all.")
    assert.equal("", list "t[1].")
  end)

  it("knows methods of handles, strings, lists and of what a call gives", function()
    env.fd, env.s = ns.open "/dev/null", "text"
    assert.matches("read", list "fd:")
    assert.matches("%f[%w]close%f[%W]", list "fd:c")
    assert.equal("rep reverse", list "s:re")
    assert.equal("rep reverse", list "(''):re")
    assert.equal("upper", list "('x'):up")
    assert.equal("sh", list "ns.box{ 'uts' }:sh")
    assert.equal("write", list "io.stdout:wr")
    assert.equal("inode", list "ns.of(nil, 'uts').ino")
    assert.matches("json", list "ns.list():")
    assert.equal("wait", list "ns.box{}:spawn({ 'true' }):wa")
    assert.equal("running", list "ns.box{ pid = f(1, { 2 }) }.ru")
    env.fd:close()
  end)

  it("knows the keys of options, and what their values are", function()
    assert.equal("hostname", list "ns.box{ hos")
    assert.equal("hostname", list "b = ns.box({ 'uts', hos")
    assert.equal("the host name", at("ns.run{ hos").hostname)
    assert.equal("auto current root", list "ns.box{ map = '")
    assert.equal("inherit null pipe tty", list "ns.box{ stdin = '")
    assert.equal("deep persistent pid proc type", list "ns.list{ ")
    assert.equal("gid setgroups uid", list "ns.box{ map = { ")
    assert.equal("sha256", list "ns.rootfs.get('alpine', { sh")
    assert.equal("stdout", list "ns.box{ 'uts' }:spawn({ 'sh' }, { stdo")
    assert.equal("inherit null pipe tty", list "b:spawn({ 'sh' }, { stdout = '")
    assert.equal("hostname", list "ns.box{ cwd = '/', argv = { 'sh', '-c' }, hos")
  end)

  it("knows types, flags and signals in strings", function()
    assert.equal("cgroup ipc mnt net pid time user uts", list "ns.unshare '")
    assert.equal("user uts", list "ns.unshare('mnt', 'u")
    assert.equal("uts", list "ns.box{ 'mnt', 'ut")
    assert.equal("noatime nodev nodiratime noexec nosuid nosymfollow", list "ns.mount('a', 'b', 'tmpfs', 'ro,no")
    assert.equal("tmpfs", list "ns.mount('a', 'b', 'tm")
    assert.equal("TERM TSTP", list "box:kill 'T")
    assert.equal("TERM TSTP", list "ns.kill(1, 'T")
    assert.equal("detach", list "ns.umount('/mnt', 'de")
  end)

  it("knows processes where one is wanted, with their command", function()
    local pid = tostring(ns.getpid())
    assert.matches("nslua", at("ns.of(")[pid])
    assert.matches("nslua", at("ns.of(" .. pid)[pid])
    assert.matches("nslua", at("ns.kill(" .. pid:sub(1, 1))[pid])
    assert.is_nil(at("print(" .. pid)[pid])
  end)

  it("knows files, modules and lessons", function()
    assert.equal("hostname", list "io.open('/etc/hostn")
    assert.equal("file", at("io.open('/etc/hostn").hostname)
    local items, found = at "x = '/et"
    assert.equal("dir", items["etc/"])
    assert.equal(7, found.from)
    assert.equal("nslua.repl.complete", list "require 'nslua.repl.compl")
    assert.equal("", list "print 'no wor")
    assert.equal("uts", list ":lesson ut")
    assert.matches("%w", at(":lesson ut").uts)
  end)

  it("knows what stands behind ?, : and !", function()
    assert.equal("box", list "?ns.bo")
    assert.equal("trace", list ":tr")
    assert.equal("the system calls of an expression, as strace shows them", at(":tr").trace)
    assert.equal("gethostname", list ":time ns.getho")
    assert.equal("hostname", list "!cat /etc/hostn")
    local names = helpers.in_child(function()
      session:feed "local mybox = ns.box { 'user' }"
      local names = list "!my"
      session:close()
      return names
    end)
    assert.equal("mybox", names)
  end)

  it("goes on in a block of many lines", function()
    session:feed "ns.box{"
    assert.equal("hostname", list "  hos")
    assert.equal("", list "-- a comment ns.")
  end)

  it("runs nothing of the user's", function()
    local function refuse() error "called" end
    env.proxy = setmetatable({ own = 1 }, { __index = refuse, __pairs = refuse, __len = refuse })
    env.heir = setmetatable({}, { __index = { inherited = 1 } })
    setmetatable(env, { __index = refuse })
    assert.equal("own", list "proxy.")
    assert.equal("", list "proxy.x.")
    assert.equal("inherited", list "heir.inh")
    assert.equal("", list "unknown.")
    assert.equal("", list "refuse().")
  end)

  it("has no trouble with broken text", function()
    for _, line in ipairs { "((((", "}}}}", "'", '"\\', "[[", "[==[ x", "a.b.", ":", "?", "??", "!", "1.", "x.\xff", "ns.box{ {", "::a" } do
      assert.is_table(session:complete(line).items, line)
    end
    assert.is_table(session:complete(("x"):rep(1e6)).items)
  end)

  it("takes under 20 ms for a table of ten thousand fields", function()
    env.big = {}
    for i = 1, 10000 do env.big["field" .. i] = i end
    session:complete "big.f"
    local best = math.huge
    for _, line in ipairs { "big.", "big.field9", "big.field", "big.field9999" } do
      local began = ns.clock()
      local found = session:complete(line)
      best = math.min(best, ns.clock() - began)
      assert.is_true(#found.items > 0)
    end
    assert.is_true(best < 0.02, ("%.1f ms"):format(best * 1000))
    assert.equal(1000, #session:complete("big.").items)
  end)
end)

describe("the words of completion", function()
  it("are those that the functions take", function()
    for _, item in ipairs(words.type) do
      assert.is_true(pcall(ns.of, nil, item.text) or not ns.access("/proc/self/ns/" .. item.text), item.text)
    end
    for _, set in ipairs { { "mount_flags", ns.mount, "none", "/no/such", "none" }, { "umount_flags", ns.umount, "/no/such" },
      { "signal", ns.kill, 4194303 } } do
      for _, item in ipairs(words[set[1]]) do
        local args = table.pack(table.unpack(set, 3))
        args[args.n + 1] = item.text
        local _, err = pcall(set[2], table.unpack(args))
        assert.not_equal("string", type(err), item.text) -- the kernel was asked
      end
    end
  end)

  it("name every key of a box, and no other", function()
    local described = {}
    for _, item in ipairs(words.options) do described[item.text] = true end
    for key in pairs(options.keys) do
      assert.is_true(described[key], key)
      described[key] = nil
    end
    for _, item in ipairs(words.type) do described[item.text] = nil end
    assert.is_nil((next(described)))
  end)
end)
