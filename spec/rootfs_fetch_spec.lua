-- SPDX-License-Identifier: MIT
-- Roots by URL: from a server as it should be, and from one that is not.

local helpers = require "spec.helpers"
local ns = require "nslua"
local roots = require "spec.roots"
local servers = require "spec.servers"
local terminal = require "spec.terminal"
local tar = require "spec.tar"

local base = roots.base "fetch"
local archive = base .. "/www/root.tar.gz"

local write = roots.write

local function noise(n)
  local out = {}
  for i = 1, n do out[i] = string.char(math.random(0, 255)) end
  return table.concat(out)
end

ns.chmod(base, "755")
ns.mkdir(base .. "/www")
write(archive, tar.gzip(tar.archive { tar.dir "etc", tar.file("etc/noise", noise(300000)),
  tar.file("etc/hostname", "box\n") }))

local fresh = 0

-- Gets a URL in a process of its own, with an empty cache unless one is given:
-- what it says, the seconds that it took, its cache.
local function get(url, opts)
  opts = opts or {}
  fresh = fresh + 1
  local cache = opts.cache or base .. "/cache" .. fresh
  local before = os.time()
  local env = { XDG_CACHE_HOME = cache, http_proxy = false, https_proxy = false,
    CURL_CA_BUNDLE = false, SSL_CERT_FILE = false, SSL_CERT_DIR = false }
  for k, v in pairs(opts.env or {}) do env[k] = v end
  local out, err, status = helpers.nslua(([[
    local ns = require "nslua"
    local ok, root = pcall(ns.rootfs.get, %q, {quiet = true, timeout = %s, sha256 = %s, refresh = %s,
      max_download = %s})
    print(ok and "got " .. root:rung() or type(root) == "table" and root.message or root)
    if ok then print(select(3, root:rung())) end]]):format(url, opts.timeout or 2,
      opts.sha256 and ("%q"):format(opts.sha256) or "nil", tostring(opts.refresh), opts.max or "nil"),
    { env = env })
  assert.equal("", err)
  assert.equal(0, status)
  return out:match "^[^\n]*", os.time() - before, cache, out
end

local function parts_of(cache)
  return ns.readdir(cache .. "/nslua/parts")
end

describe("a server that misbehaves", function()
  local server

  local function it_here(name, fn)
    helpers.need_it(servers.have "python3", name, fn)
  end

  setup(function()
    if servers.have "python3"() then server = servers.bad(archive) end
  end)

  teardown(function() if server then server:stop() end end)

  for path, words in pairs {
    ["good"] = "got network", ["to-good"] = "got network", ["encoded"] = "got network",
    ["cut-once"] = "got network",
    ["cut-always"] = "cut off after", ["cut-then-whole"] = "cannot continue",
    ["cut-then-lie"] = "another part", ["cut-no-length"] = "gzip data is cut off",
    ["silent"] = "does not answer in time", ["stall"] = "stalled after", ["drip"] = "stalled after",
    ["stall-end"] = "stalled after",
    ["slow-headers"] = "does not answer in time",
    ["html-404"] = "404: there is no such file", ["html-200"] = "a web page, not an archive",
    ["longer"] = "gzip data is cut off", ["empty"] = "it is empty", ["nothing"] = "cut off after 0",
    ["garbage"] = "does not speak HTTP", ["escape"] = "500", ["status/403"] = "403: it does not let",
    ["status/503"] = "503: it is busy", ["status/204"] = "204", ["status/206"] = "another part",
    ["status/304"] = "304",
    ["huge"] = "bigger than allowed", ["endless"] = "bigger than allowed",
    ["endless-headers"] = "", ["loop"] = "circles", ["far"] = "circles",
    ["to-ftp"] = "away from http", ["to-file"] = "away from http", ["to-nowhere"] = "302",
  } do
    it_here(("/%s: %s"):format(path, words ~= "" and words or "is refused"), function()
      local said, seconds = get(server.url .. "/" .. path, { max = 1 << 24 })
      assert.truthy(said:find(words, 1, true), said)
      if not words:find "^got" then assert.is_nil(said:find "^got") end
      assert.is_true(seconds < 10)
      assert.is_nil(said:find "%c")
    end)
  end

  it_here("that cuts off is continued by the next call, also when the file changed", function()
    local _, _, cache = get(server.url .. "/cut-then-changed")
    assert.equal(2, #parts_of(cache))
    assert.equal("got network", (get(server.url .. "/cut-then-changed", { cache = cache })))
    assert.same({}, parts_of(cache))
  end)

  it_here("that cannot continue is asked for all of it by the next call", function()
    local said, _, cache = get(server.url .. "/cut-then-whole/2")
    assert.matches("cannot continue", said)
    assert.equal("got network", (get(server.url .. "/cut-then-whole/2", { cache = cache })))
  end)

  it_here("is checked against the digest that was given", function()
    local zeros = ("0"):rep(64)
    local said, _, cache = get(server.url .. "/good.tar.gz", { sha256 = zeros })
    assert.matches("its SHA%-256 is %x+, not " .. zeros, said)
    assert.same({}, parts_of(cache))
    assert.same({}, ns.readdir(cache .. "/nslua/roots"))
    assert.same({}, ns.readdir(cache .. "/nslua/tmp"))
  end)

  it_here("is checked against the digest beside the file, which is said to be weaker", function()
    assert.matches("the .sha256 file beside it says", (get(server.url .. "/wrong/file.tar.gz")))
    local said, _, _, all = get(server.url .. "/right/file.tar.gz")
    assert.equal("got network", said)
    assert.matches("only against", all)
    said, _, _, all = get(server.url .. "/good.tar.gz")
    assert.equal("got network", said)
    assert.matches("not checked", all)
  end)

  it_here("is left after the same time when it stalls after a quick start", function()
    local _, seconds = get(server.url .. "/stall-end", { timeout = 5 })
    assert.is_true(seconds <= 6)
  end)

  it_here("is asked for the digest of a file, not of the query behind it", function()
    assert.matches("beside it says", (get(server.url .. "/wrong/file.tar.gz?a=/b.c#d")))
  end)

  it_here("leaves no part behind that no call can continue", function()
    local said, _, cache = get(server.url .. "/endless", { max = 1 << 20 })
    assert.matches("bigger than allowed", said)
    assert.same({}, parts_of(cache))
  end)

  it_here("that has gone away leaves the cached root in use", function()
    local _, _, cache = get(server.url .. "/good.tar.gz")
    assert.equal("got cache", (get(server.url .. "/good.tar.gz", { cache = cache })))
    assert.equal("got network", (get(server.url .. "/good.tar.gz", { cache = cache, refresh = true })))
  end)
end)

describe("no server", function()
  it("is told apart: refused, unknown host, unknown scheme", function()
    assert.matches("no connection to 127.0.0.1:1", (get "http://127.0.0.1:1/x"))
    assert.matches("cannot be found", (get "http://no.such.host.invalid/x"))
    assert.matches("gopher is no way", (get "gopher://x/y"))
    assert.matches("malformed", (get "http://[::1/x"))
  end)

  it("is no harm to the terminal, whatever the URL holds, and no secret is shown", function()
    local said = get "http://user:hunter2@127.0.0.1:1/\27[2J\7x"
    assert.is_nil(said:find "%c")
    assert.is_nil(said:find "hunter2")
    assert.is_nil((get "http://user:hun@ter2@127.0.0.1:1/x"):find "ter2")
  end)

  it("may be the proxy that is not there", function()
    assert.matches("the proxy that the environment names", (get("http://127.0.0.1:1/x",
      { env = { http_proxy = "http://no.such.proxy.invalid:1" } })))
  end)

  it("is asked for a file URL", function()
    assert.equal("got given", (get("file://" .. archive)))
    assert.matches("no such file", (get("file://" .. archive .. "%20x")))
  end)
end)

describe("nginx", function()
  local server

  local function it_here(name, fn)
    helpers.need_it(servers.have "nginx", name, fn)
  end

  setup(function()
    if servers.have "nginx"() then server = servers.nginx(base) end
  end)

  teardown(function()
    if server then server:stop() end
    helpers.run { "rm", "-rf", base }
  end)

  it_here("gives a root over TLS when its CA is known", function()
    local said = get(server.secure .. "/root.tar.gz", { env = { SSL_CERT_FILE = server.ca } })
    assert.equal("got network", said)
  end)

  helpers.need_it(function()
    local ok, why = servers.have "nginx"()
    return ok and pcall(helpers.in_child, function() ns.unshare "user" end), why or "user namespaces are refused"
  end, "leaves no thread in who asked: a user namespace can be made after it, well or not", function()
    for _, url in ipairs { server.url .. "/root.tar.gz", "http://no.such.host.invalid/x", "http://127.0.0.1:1/x" } do
      local out, err = helpers.nslua(([[
        local ns = require "nslua"
        print((pcall(ns.rootfs.get, %q, { quiet = true, timeout = 2 })), #ns.readdir "/proc/self/task")
        print(pcall(ns.unshare, "user"))]]):format(url), { env = { XDG_CACHE_HOME = base .. "/after", http_proxy = false } })
      assert.same({ tostring(url:find(server.url, 1, true) ~= nil) .. "\t1\ntrue\ttrue\n", "" }, { out, err })
    end
  end)

  it_here("may have its CA in one variable while another is empty", function()
    local said = get(server.secure .. "/root.tar.gz", { env = { SSL_CERT_FILE = server.ca,
      CURL_CA_BUNDLE = "", SSL_CERT_DIR = "" } })
    assert.equal("got network", said)
  end)

  it_here("is asked for the digest beside a file over TLS too", function()
    ns.symlink("root.tar.gz", base .. "/www/other.tar.gz")
    write(base .. "/www/other.tar.gz.sha256", ("1"):rep(64) .. "  other.tar.gz\n")
    assert.matches("beside it says", (get(server.secure .. "/other.tar.gz", { env = { SSL_CERT_FILE = server.ca } })))
  end)

  it_here("is watched on a bar with size, rate and time, however long a name is", function()
    local name = ("name"):rep(30)
    ns.symlink("root.tar.gz", base .. "/www/" .. name)
    local screen <close> = terminal.start({ helpers.program, "-e",
      ("require'nslua'.rootfs.get(%q)"):format(server.url .. "/slow/" .. name) },
      { XDG_CACHE_HOME = base .. "/watched", http_proxy = "", LANG = "C.UTF-8" })
    screen:expect "namename.*…  [█░]+  %d+%.%d kB/30%d%.%d kB  %d+%.%d kB/s  %d s left"
    screen:expect "nslua: http.* 3 files unpacked"
    assert.equal("true exit 0", screen:outcome())
  end)

  it_here("is not believed without", function()
    assert.matches("cannot be verified %(TLS%)", (get(server.secure .. "/root.tar.gz")))
  end)

  it_here("is not followed from https to http", function()
    local said = get(server.secure .. "/down", { env = { SSL_CERT_FILE = server.ca } })
    assert.matches("away from", said)
  end)

  it_here("is asked through a proxy when the environment says so", function()
    local said = get(server.url .. "/root.tar.gz", { env = { http_proxy = "http://127.0.0.1:1" } })
    assert.matches("no connection to", said)
  end)

  it_here("serves two at once, who share one download and end with the same root", function()
    local cache = base .. "/shared"
    local r, w = ns.pipe()
    local children = {}
    for i = 1, 2 do
      children[i] = ns.fork(function()
        w:write((get(server.url .. "/slow/root.tar.gz", { cache = cache })) .. "\n")
        ns._exit(0)
      end)
    end
    w:close()
    local said = r:read "a"
    for _, child in ipairs(children) do child:close() end
    assert.truthy(said == "got network\ngot network\n" or said:find "got cache", said)
    assert.equal(1, #ns.readdir(cache .. "/nslua/roots"))
    assert.same({}, parts_of(cache))
  end)

  it_here("is continued after kill -9 in the middle of a download", function()
    local cache = base .. "/killed"
    local child = ns.fork(function()
      ns.exec({ helpers.program, "-e", ("require'nslua'.rootfs.get(%q, {quiet=true})"):format(
        server.url .. "/slow/root.tar.gz") }, { XDG_CACHE_HOME = cache, PATH = os.getenv "PATH" })
    end)
    child:wait(0.4)
    child:kill "KILL"
    child:wait()
    assert.equal("got network", (get(server.url .. "/slow/root.tar.gz", { cache = cache })))
    assert.same({}, parts_of(cache))
    assert.same({}, ns.readdir(cache .. "/nslua/tmp"))
  end)
end)
