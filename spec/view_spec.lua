-- SPDX-License-Identifier: MIT
local helpers = require "spec.helpers"
local json = require "nslua.json"
local list = require "nslua.list"
local world = require "spec.world"
local ns = require "nslua"

-- Two user namespaces, pid namespaces in both, a name with an escape sequence.
local function sample()
  return list.make({
    { ns = 1, type = "user", nprocs = 9, pid = 1, user = "root", command = "init", kept_by = "processes" },
    { ns = 2, type = "pid", nprocs = 9, pid = 1, user = "root", command = "init", ons = 1, kept_by = "processes" },
    { ns = 3, type = "user", nprocs = 0, pns = 1, kept_by = "child namespace" },
    { ns = 4, type = "pid", nprocs = 1, pid = 7, ppid = 1, user = "me", command = "sh <x>&\27[31m", ons = 3, pns = 2,
      kept_by = "processes" },
    { ns = 5, type = "net", nprocs = 0, ons = 3, nsfs = "/run/netns/a\n/tmp/b", netnsid = -1,
      kept_by = "bind mount /run/netns/a" },
  }, "namespaces", nil, { hidden = 2 })
end

local function under(env, code)
  local all = { LC_ALL = false, LC_CTYPE = false, LANG = false }
  for k, v in pairs(env) do all[k] = v end
  return (helpers.nslua(code, { env = all }))
end

describe("a list of namespaces", function()
  helpers.adds_no_global "nslua.view"
  helpers.adds_no_global "nslua.graph"
  helpers.adds_no_global "nslua.branches"
  helpers.adds_no_global "nslua.matrix"

  it("is a table with lsns's columns, numbers on the right", function()
    assert.equal([[
NS TYPE NPROCS PID USER COMMAND
 1 user      9   1 root init
 2 pid       9   1 root init
 3 user      0          (child namespace)
 4 pid       1   7 me   sh <x>&\x1B[31m
 5 net       0          (bind mount /run/netns/a)
(2 processes are hidden: the kernel shows the namespaces of a process only to those who may trace it: its user and root)]],
      tostring(sample()))
  end)

  it("shows ids and mount points where all are network namespaces", function()
    local lines = tostring(sample():where(function(n) return n.type == "net" end))
    assert.equal("NS TYPE NPROCS PID USER    NETNSID NSFS                COMMAND\n" ..
      " 5 net       0          unassigned /run/netns/a,/tmp/b (bind mount /run/netns/a)", lines:match "^([^\n]*\n[^\n]*)")
  end)

  it("is a tree by owner or by parent, with ASCII where UTF-8 is not wanted", function()
    local code = [[
      local list = require "nslua.list"
      local rows = list.make({
        { ns = 1, type = "user", nprocs = 9, pid = 1, user = "root", command = "init" },
        { ns = 2, type = "pid", nprocs = 9, pid = 1, user = "root", command = "init", ons = 1 },
        { ns = 3, type = "user", nprocs = 1, pns = 1, command = "x" },
        { ns = 4, type = "pid", nprocs = 1, pid = 7, ppid = 1, user = "me", command = "sh", ons = 3, pns = 2 },
      }, "namespaces", nil, {})
      print(rows:tree()) print(rows:tree "parent")]]
    assert.equal([[
NAMESPACE   NPROCS PID USER COMMAND
user:[1]         9   1 root init
├─pid:[2]        9   1 root init
└─user:[3]       1          x
  └─pid:[4]      1   7 me   sh
NAMESPACE  NPROCS PID USER COMMAND
user:[1]        9   1 root init
└─user:[3]      1          x
pid:[2]         9   1 root init
└─pid:[4]       1   7 me   sh
]], under({ LC_ALL = "C.UTF-8" }, code))
    assert.is_truthy(under({ LC_ALL = "C" }, code):find("\n|-pid:[2]", 1, true))
    assert.is_nil(under({ LC_ALL = "C" }, code):find "[\128-\255]")
  end)

  it("is a tree and JSON with the columns that show chose", function()
    local rows = sample():show("pid", "ns", "user")
    assert.equal([[
PID NS    USER
  1 1     root
  1 |-2   root
    `-3
  7   |-4 me
      `-5]], (require "nslua.text".within({ utf8 = false }, function() return tostring(rows:tree()):gsub(" +%f[\n\0]", "") end)))
    assert.equal('[{"ns":1,"ppid":null},{"ns":2,"ppid":null}]',
      sample():where("ns < 3"):show("ns", "ppid"):json())
    assert.equal('[{"children":[{"ns":2},{"children":[{"ns":4},{"ns":5}],"ns":3}],"ns":1}]',
      sample():show("ns"):json(nil, "owner"))
    for _, f in ipairs { "json", "tree" } do
      local ok, err = pcall(function()
        local wrong = sample():show("ns", "nproc")
        return wrong[f](wrong)
      end)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find("did you mean 'nprocs'?", 1, true))
    end
    local ok, err = pcall(function() return sample():json(nil, "owned") end)
    assert.is_false(ok)
    assert.is_truthy(tostring(err):find("did you mean 'owner'?", 1, true))
  end)

  it("is never lost in a circle of owners", function()
    local rows = list.make({
      { ns = 1, type = "user", nprocs = 1, pns = 2, command = "a" }, { ns = 2, type = "user", nprocs = 1, pns = 1, command = "b" },
      { ns = 3, type = "uts", nprocs = 1, ons = 3, command = "c" },
    }, "namespaces", nil, {})
    assert.is_truthy(tostring(rows:tree()):find("uts:[3]", 1, true))
  end)

  it("is JSON", function()
    assert.equal('[{"nprocs":1,"ns":5},{"command":"a\\u001b\\n\\"\\\\\u{fffd}é"}]',
      list.make({ { ns = 5, nprocs = 1 }, { command = "a\27\n\"\\\255é" } }, "namespaces", nil, {}):json())
    assert.equal("[]", json.encode {})
    assert.equal('{\n  "a": [\n    1,\n    2.5,\n    null,\n    true\n  ]\n}', json.encode({ a = { 1, 2.5, json.null, true } }, 2))
    for _, bad in ipairs { { print }, { 0 / 0 }, { 1, [{}] = 2, x = 1, [2.5] = 3 } } do
      if bad[1] ~= 1 then assert.is_false(pcall(json.encode, bad)) end
    end
    local cycle = {}
    cycle[1] = cycle
    assert.is_false(pcall(json.encode, cycle))
  end)

  helpers.need_it(function()
    local _, _, status = helpers.run { "python3", "-c", "" }
    return status == 0, "python3 is not installed"
  end, "is JSON that others read", function()
    local rows = ns.list "uts" -- once: others' namespaces come and go
    local out = helpers.run({ "python3", "-c", [[
import json, sys
rows = json.load(sys.stdin)
print(len(rows), all(r["ns"] > 0 for r in rows), rows[0]["type"])]] }, { stdin = rows:json(2) })
    assert.equal(#rows .. " True uts\n", out)
  end)

  it("is a graph for Graphviz, quoted", function()
    local dot = sample():dot()
    assert.is_truthy(dot:find("subgraph cluster_3 {", 1, true))
    assert.is_truthy(dot:find('n4 [label="pid:[4] 1 process, 7 sh <x>&\\\\x1B[31m"', 1, true), dot)
    assert.is_truthy(dot:find("n4 -> n2 [style=dashed]", 1, true))
    assert.is_nil(dot:find "\27")
  end)

  it("is a picture in well-formed XML that asks for nothing outside", function()
    local svg = sample():svg()
    assert.is_truthy(svg:find("sh &lt;x&gt;&amp;\\x1B[31m", 1, true))
    assert.is_nil(svg:find("[\0-\9\11-\31]"))
    assert.is_nil(svg:find "url%(h")
    assert.is_nil(svg:gsub('xmlns="http://www.w3.org/2000/svg"', ""):find "http")
    local depth = 0
    for close, name, empty in svg:gmatch "<(/?)(%a+)[^>]-(/?)>" do
      if close == "/" then depth = depth - 1 elseif empty ~= "/" then depth = depth + 1 end
      assert.is_true(depth >= 0, name)
    end
    assert.equal(0, depth)
    local rows = sample()
    rows[2].command = "\u{ffff}\u{fffe}\u{202e}\u{1f600}" -- the first two are no characters
    assert.is_truthy(rows:svg():find("\\xEF\\xBF\\xBF\\xEF\\xBF\\xBE\\xE2\\x80\\xAE\u{1f600}", 1, true))
    assert.is_truthy(list.make({}, "namespaces", nil, {}):svg():find "</svg>\n$")
  end)

  helpers.need_it(function()
    local _, _, status = helpers.run { "sh", "-c", "command -v chromium" }
    return status == 0, "chromium is not installed"
  end, "is a picture that a browser draws", function()
    local dir = ns.mkdtemp "/tmp/nslua-view-XXXXXX"
    finally(function() helpers.run { "rm", "-rf", dir } end)
    ns.open(dir .. "/a.svg", "w", "644"):write(sample():svg())
    -- The browser tells where things came to stand.
    ns.open(dir .. "/a.html", "w", "644"):write(([[<body>%s<script>
      const out = [...document.querySelectorAll("g.ns")].map(g => {
        const box = g.querySelector("rect.chip").getBoundingClientRect();
        const fits = [...g.querySelectorAll("text")].every(t => {
          const b = t.getBoundingClientRect(); return b.width > 0 && b.left >= box.left && b.right <= box.right + 1; });
        return fits; });
      const svg = document.querySelector("svg").getBoundingClientRect();
      const inside = [...document.querySelectorAll("rect.frame")].every(f => {
        const b = f.getBoundingClientRect(); return b.right <= svg.right && b.bottom <= svg.bottom; });
      document.body.innerHTML = "<p>chips " + out.length + " fit " + out.every(x => x) + " inside " + inside + "</p>";
      </script></body>]]):format(sample():svg()))
    local out = helpers.run({ "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
      "--user-data-dir=" .. dir .. "/profile", "file://" .. dir .. "/a.html" })
    assert.is_truthy(out:find("chips 3 fit true inside true", 1, true), out)
  end)
end)

describe("a list of something else", function()
  local function mistake(fn)
    local _, err = pcall(fn)
    return (tostring(err):gsub("^spec/view_spec%.lua:%d+: ", ""))
  end

  it("says what it does not have, at the caller's line", function()
    local links = list.make({ { name = "a" } }, "links", { "name" }, { format = function(row) return row.name end })
    assert.same({ "a" }, links:lines())
    assert.equal("links have no tree", mistake(function() return links:tree() end))
    assert.equal("links have no graph; ns.list() has one", mistake(function() return links:dot() end))
    assert.equal("links have no graph; ns.list() has one", mistake(function() return links:svg() end))
    assert.matches("^links have a line each", mistake(function() return links:show "name" end))
    assert.equal('unknown column "pidd" (did you mean "pid"?)', mistake(function() return ns.ps():show("pidd"):lines() end))
  end)
end)


describe("who shares what", function()
  it("has one letter for one namespace", function()
    local child <close> = world.sleeper(function() if ns.geteuid() == 0 then ns.unshare("uts", "net") else ns.unshare("user", "uts", "net") end end)
    local lines = ns.matrix { ns.getpid(), child }
    assert.is_truthy(lines[1]:find "^%s*PID user mnt pid uts ipc net cgroup time COMMAND$")
    assert.is_truthy(lines[2]:find "^%s*%d+ A +A +A +A +A +A +A +A ")
    assert.is_truthy(lines[3]:find "^%s*%d+ [AB] +A +A +B +A +B +A +A ")
    assert.equal(3, #lines)
  end)

  it("names the processes of a matrix that somebody has a name for", function()
    local text = tostring(require "nslua.matrix".named({ ns.getpid() }, { [ns.getpid()] = "the b\27ox" }))
    assert.is_truthy(text:find(" (the b\\x1Box)", 1, true), text)
  end)

  it("puts processes that share everything into one row", function()
    local child <close> = world.sleeper()
    local text = tostring(ns.matrix())
    assert.is_truthy(text:find "and %d+ more")
    assert.is_true(child.running)
  end)
end)
