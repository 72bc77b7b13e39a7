-- SPDX-License-Identifier: MIT
-- --export and --frozen: what is written down is the same every time, and is
-- noticed when it is not.
local helpers = require "spec.helpers"
local stable = require "nslua.lesson.stable"
local calls = require "nslua.lesson.calls"
local ns = require "nslua"

local dir

local function save(name, text)
  local file <close> = assert(io.open(dir .. "/" .. name, "w"))
  file:write(text)
  return dir .. "/" .. name
end

local function export(format, ...)
  local out, err, status = helpers.nslua { "--export=" .. format, ... }
  assert.same({ "", 0 }, { err, status })
  return out
end

local function stage_it(name, fn) return helpers.ns_it("user mnt uts pid", name, fn) end

local function with_python(name, fn)
  return helpers.need_it(function()
    local _, _, status = helpers.run { "python3", "-c", "" }
    return status == 0, "python3 is not installed"
  end, name, fn)
end


describe("names that stay", function()
  helpers.adds_no_global "nslua.lesson.export"
  helpers.adds_no_global "nslua.lesson.stable"

  -- The text as a lesson that was given these numbers would have printed it.
  local function renamed(text, pids, source)
    local results = { { claims = {}, output = text, facts = { pids = pids, first = pids[1], last = pids[#pids] } } }
    stable.rename(stable.names(source or ""), results)
    return results[1].output
  end

  it("are given to processes, namespaces, addresses and times", function()
    assert.equal("p1 is not p2: uts:[n1] n1 uts:[n2]",
      renamed("4711 is not 4713: uts:[4026532100] 4026532100 uts:[4026532101]", { 4711, 4713 }))
    assert.equal("link/ether mac1 brd ff:ff:ff:ff:ff:ff fe80::a1", renamed(
      "link/ether 5e:01:02:aa:bb:0c brd ff:ff:ff:ff:ff:ff fe80::5c01:2ff:feaa:bb0c", { 4711 }))
    assert.equal("64 bytes: icmp_seq=1 ttl=64 time=0.0 ms", renamed("64 bytes: icmp_seq=1 ttl=64 time=0.051 ms", { 4711 }))
    assert.equal("time 2 pid", renamed("time 2 pid", { 4711 }))
    assert.equal("4 received, time 0ms", renamed("4 received, time 301ms", { 4711 }))
    assert.equal("/proc/p1/root", renamed("/proc/4711/root", { 4711 }))
  end)

  it("are given to clocks and to figures of a ping", function()
    local results = { { claims = {}, output = "up 1234.56 at 1795480284, 2026-11-24, 1300, 10.0.0.1, 1.5",
      facts = { pids = {}, first = 400, last = 500, clocks = { 1795480290.5, 1240.1 } } } }
    stable.rename(stable.names "", results)
    assert.equal("up T at T, 2000-01-01, 1300, 10.0.0.1, 1.5", results[1].output)
    assert.equal("1 received, 0.0/0.0/0.0 ms", renamed("1 received, 0.032/0.026/0.040 ms", { 4711 }))
    assert.equal("0.0 ms", renamed("0.04 ms", { 4711 }, "-- prints 0.04 ms"))
  end)

  it("are not given to what the lesson speaks of itself", function()
    assert.equal("sleep 4712 p1", renamed("sleep 4712 4711", { 4711, 4713 }, 't.box:spawn { "sleep", "4712" }'))
    assert.equal("0.25 s", renamed("0.25 s", { 4711 }, "shell = 'sleep 0.25 s'"))
    assert.equal("uid 65534, 2 and 44711", renamed("uid 65534, 2 and 44711", { 300, 4711, 70000 - 1 }, "44711"))
  end)

  it("are not needed for descriptors and lengths of messages in a trace", function()
    assert.equal([[write(FD, N) = N
[pid 7] dup3(FD, 0) = 0
[child] setns(FD, CLONE_NEWPID) = 0
open("/x", O_RDONLY) = FD
pidfd_open(12, 0) = FD
RTM_NEWLINK("veth", {name="a"}, {net_fd=FD}) = 0
sendmsg(FD, N) = N
recvmsg(FD, N) = -1 EAGAIN
mount("/proc/self/fd/FD", "/tmp/kept", NULL, MS_BIND) = 0
write("/proc/self/uid_map", "0 0 1") = 0
setuid(0) = 0
dup2(1, 2) = 2]], calls.settle [[write(34, 21) = 21
[pid 7] dup3(19, 0) = 0
[child] setns(22, CLONE_NEWPID) = 0
open("/x", O_RDONLY) = 22
pidfd_open(12, 0) = 19
RTM_NEWLINK("veth", {name="a"}, {net_fd=21}) = 0
sendmsg(21, 798) = 798
recvmsg(21, 65536) = -1 EAGAIN
mount("/proc/self/fd/33", "/tmp/kept", NULL, MS_BIND) = 0
write("/proc/self/uid_map", "0 0 1") = 0
setuid(0) = 0
dup2(1, 2) = 2]])
  end)

  it("make tables the same, however long the numbers were", function()
    local function printed(a, b)
      local wide = #tostring(b)
      return renamed(("%" .. wide .. "s INSIDE COMMAND\n%" .. wide .. "d      1 sh\n%" .. wide .. "d     12 sleep 9 9")
        :format("PID", a, b), { a, b })
    end
    assert.equal("PID INSIDE COMMAND\n p1      1 sh\n p2     12 sleep 9 9", printed(998, 1001))
    assert.equal(printed(998, 1001), printed(1234567, 1234569))
    local tree = "TREE      PID COMMAND\na        4711 sh\n└─uts    4712\n  └─b    4713 x"
    assert.equal("TREE  PID COMMAND\na      p1 sh\n└─uts  p2\n  └─b  p3 x", renamed(tree, { 4711, 4712, 4713 }))
  end)
end)


describe("the system calls of a step", function()
  helpers.adds_no_global "nslua.lesson.calls"

  it("stand below the call that made their process, however both went on", function()
    local want = { "mkdir() = 0", "clone3(0) = 7", "[pid 7] fchdir(3) = 0", "[pid 7] execve() = 0",
      "pidfd_open(8, 0) = 3", "[child] sethostname() = 0", "waitid(8) = 1", "uname() = 0" }
    local function mixed(...)
      local lines = {}
      for i, n in ipairs { ... } do lines[i] = want[n] .. "\n" end
      return table.concat(lines)
    end
    for _, raw in ipairs { mixed(1, 2, 3, 4, 5, 6, 7, 8), mixed(1, 3, 2, 4, 6, 5, 7, 8), mixed(6, 1, 2, 5, 3, 7, 8, 4) } do
      assert.equal(table.concat(want, "\n"), calls.order(raw))
    end
    assert.equal("[child] a\n[pid 9] b", calls.order "[pid 9] b\n[child] a\n")
    assert.equal("", calls.order "")
  end)

  it("stand with their process when a child forks, too", function()
    local want = "fork() = 5\n[child] fork() = 6\n[child] uname() = 0\n[child] waitid(6) = 1\nwaitid(5) = 1"
    for _, raw in ipairs {
      "fork() = 5\n[child 1 5] fork() = 6\n[child 2 6] uname() = 0\n[child 1 5] waitid(6) = 1\nwaitid(5) = 1",
      "[child 1 5] fork() = 6\n[child 1 5] waitid(6) = 1\n[child 2 6] uname() = 0\nfork() = 5\nwaitid(5) = 1",
    } do
      assert.equal(want, calls.order(raw))
    end
  end)

  it("are told once when they look again and again", function()
    local look = "socket(AF_NETLINK) = 3\nRTM_GETLINK() = 0\n"
    local act = 'chdir("..") = 0\n'
    for _, times in ipairs { 1, 2, 9 } do
      assert.equal(act .. act .. calls.settle(look) .. "\n" .. act:sub(1, -2),
        calls.settle(act:rep(2) .. look:rep(times) .. act))
    end
  end)

  it("say which are a forked child's", function()
    local out = ns.memfd "spec"
    local sink <close> = assert(io.open("/proc/self/fd/" .. out:fileno(), "a"))
    sink:setvbuf "line"
    local before = ns.trace(calls.writer(sink))
    ns.fork(function() ns.uname() end):wait()
    ns.getppid()
    ns.trace(before)
    out:seek("set", 0)
    local seen = calls.order(out:read "a")
    assert.truthy(seen:find "%[child%] uname%(%) = 0\nwaitid", seen)
    assert.truthy(seen:find "\ngetppid%(%) = %d+")
  end)
end)


describe("an exported lesson", function()
  lazy_setup(function() dir = ns.mkdtemp "/tmp/nslua-spec-XXXXXX" end)

  lazy_teardown(function() helpers.run { "rm", "-rf", dir } end)

  for _, format in ipairs { "md", "html", "cast", "svg", "dot" } do
    stage_it("is the same each time as " .. format .. ", and frozen", function()
      local id = (format == "md" or format == "html") and "pid" or "uts"
      local first = export(format, id)
      assert.equal(first, export(format, id))
      assert.falsy(first:find "402653%d%d%d%d")
      local out, err, status = helpers.nslua { "--frozen", save("doc", first), id }
      assert.same({ "", 0 }, { err, status }, out)
    end)
  end

  stage_it("has text, code, the same by hand, what came of it, and claims", function()
    local out = export("md", "scripts/pid.lua")
    for _, part in ipairs { "# PID namespaces\n", "Run it: `nslua scripts/pid.lua`\n", "## 3. A process to look for\n",
      "```lua\nt.sleep = t.box:spawn", "```sh\nsleep 1000 &", "PID INSIDE COMMAND\n p", " 2 sleep 1000\n```\n",
      "- ✔ it is PID 2 in the box\n",
      "**The system calls**\n\n```text\n",
      "clone3(CLONE_NEWPID) = p2\n[pid p2] prctl(PR_SET_PDEATHSIG, SIGKILL) = 0\n", "NSpid:  p3   2\n", "proc on rootfs/proc\n" } do
      assert.truthy(out:find(part, 1, true), part .. " is not in\n" .. out)
    end
  end)

  stage_it("is no longer as printed when an answer is another", function()
    local document = export("md", "uts")
    local changed, count = document:gsub("\nbox   box\n", "\nbox   boxes\n", 1)
    assert.equal(1, count)
    local out, _, status = helpers.nslua { "--frozen", save("uts.md", changed), "uts" }
    assert.equal(1, status)
    local _, line = changed:sub(1, changed:find "boxes"):gsub("\n", "")
    assert.equal(("%s/uts.md:%d: it is no longer as printed\n- box   boxes\n+ box   box\n"):format(dir, line + 1), out)
  end)

  it("is frozen against a document that is there", function()
    local _, err, status = helpers.nslua { "--frozen", "/no/such/document", "uts" }
    assert.equal(2, status)
    assert.truthy(err:find "No such file")
  end)

  it("needs a machine that can run it", function()
    local file = save("needs.lua", [[local ns = require "nslua"
      return ns.lesson { id = "a", title = "A", needs = { "cgroup.nosuchthing" }, { "S", observe = true } }]])
    for _, words in ipairs { { "--export=md", file }, { "--frozen", file, file } } do
      local out, err, status = helpers.nslua(words)
      assert.same({ "", 77 }, { out, status })
      assert.truthy(err:find("no cgroup.nosuchthing", 1, true))
    end
  end)

  stage_it("is written although a claim fails, and ends with 1", function()
    local file = save("fails.lua", [[local ns = require "nslua"
      return ns.lesson { id = "a", title = "A *b* <c>",
        { "S", run = function() io.write "```\n\27[31m" end,
          check = { ["no"] = function() return false, "because" end } } }]])
    local out, err, status = helpers.nslua { "--export=md", file }
    assert.equal(1, status)
    assert.truthy(err:find('fails.lua:4: "no" does not hold', 1, true), err)
    assert.truthy(out:find("# A \\*b\\* \\<c>\n", 1, true))
    assert.truthy(out:find("````text\n```\n\\x1B[31m\n````", 1, true), out)
    assert.truthy(out:find("- ✘ no\n\n```text\nbecause\n", 1, true))
  end)

  with_python("is an asciicast of version 2 with a marker at each step", function()
    local out, err = helpers.run({ "python3", "-c", [[
import json, sys
head, *events = [json.loads(line) for line in sys.stdin]
assert head["version"] == 2 and head["width"] == 80 and head["height"] > 0 and head["title"]
assert all(type(t) in (int, float) and kind in "om" and type(text) is str for t, kind, text in events)
assert [e[0] for e in events] == sorted(e[0] for e in events)
print([e[2] for e in events if e[1] == "m"])
shown = "".join(e[2] for e in events if e[1] == "o")
assert "\n" in shown and "\n" not in shown.replace("\r\n", "")
print("host" in shown, "t.box = ns.box" in shown)]] }, { stdin = export("cast", "uts") })
    assert.equal("", err)
    assert.truthy(out:find("['uts/1 One name for everybody', 'uts/2 ", 1, true))
    assert.truthy(out:find("True True\n$"))
  end)

  stage_it("is a page that asks for nothing outside, with a picture at each step", function()
    local page = export("html", "uts", "pid")
    assert.falsy(page:find "<script" or page:find "<link" or page:find "src=" or page:find "@import" or page:find "url%(")
    assert.falsy(page:find 'href="[^#]')
    assert.equal(15, select(2, page:gsub("<section ", "")))
    assert.equal(15, select(2, page:gsub("<svg ", "")))
    local depth = 0
    for close, name in page:gsub("<!DOCTYPE html>", ""):gmatch "<(/?)(%a%w*)[^>]-%f[/>]>" do
      if name ~= "meta" then depth = depth + (close == "/" and -1 or 1) end
      assert.is_true(depth >= 0, name)
    end
    assert.equal(0, depth)
  end)

  helpers.need_it(function()
    local _, _, status = helpers.run { "sh", "-c", "command -v chromium" }
    return status == 0, "chromium is not installed"
  end, "is a page that a browser shows, no wider than a phone, light and dark", function()
    local page = export("html", "pid"):gsub("</body>", function() return [[<script>
      const pictures = [...document.querySelectorAll("svg.ns")];
      const drawn = pictures.every(p => { const b = p.getBoundingClientRect();
        return [...p.querySelectorAll("rect,text")].every(e => { const r = e.getBoundingClientRect();
          return r.width > 0 && r.left >= b.left - 1 && r.right <= b.right + 1 && r.bottom <= b.bottom + 1 }) });
      const body = getComputedStyle(document.body);
      document.body.innerHTML = "<p>pictures " + pictures.length + " drawn " + drawn + " fits " +
        (document.documentElement.scrollWidth <= 390) + " " + body.backgroundColor + "</p>";
      </script></body>]] end)
    -- In a frame as wide as a phone: a window of the browser has a least width.
    save("page.html", page)
    save("frame.html", [[<body><iframe id="f" src="page.html" width="390" height="800"></iframe><script>
      onload = () => document.body.append(document.getElementById("f").contentDocument.body.innerHTML)</script></body>]])
    for dark, color in pairs { [false] = "rgb(255, 255, 255)", [true] = "rgb(18, 22, 28)" } do
      local argv = { "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
        "--user-data-dir=" .. dir .. "/profile", "--dump-dom", "file://" .. dir .. "/frame.html" }
      if dark then table.insert(argv, 2, "--blink-settings=preferredColorScheme=0") end
      local out = helpers.run(argv)
      assert.truthy(out:find("pictures 10 drawn true fits true " .. color, 1, true), out)
    end
  end)
end)
