-- SPDX-License-Identifier: MIT
-- Every function, found by looking, called with what it cannot want.
-- NSLUA_FUZZ=ROUNDS: that many random calls of each function (2);
-- NSLUA_FUZZ_SEED=N: other ones. `make check` runs more under the sanitizers.
local helpers = require "spec.helpers"
local fuzz = require "spec.fuzz.child"
local ns = require "nslua"
local targets = require "spec.fuzz.targets"
local values = require "spec.fuzz.values"

local ROUNDS = tonumber(os.getenv "NSLUA_FUZZ") or 2
local SEED = tonumber(os.getenv "NSLUA_FUZZ_SEED") or 20261
local LIMIT = 30 -- seconds without a word

-- A process in namespaces of its own that makes calls and tells of them.
local function start(opts)
  local r, w = ns.pipe()
  opts.report = w
  local maker = ns.fork(function()
    r:close()
    ns.unshare("user", "mnt", "uts", "ipc", "net", "cgroup", "pid")
    ns.map(nil, "root")
    local first <close> = ns.fork(function()
      ns.pdeathsig "KILL"
      local ok, err = xpcall(fuzz.main, debug.traceback, opts)
      if not ok then w:write("fault\tthe spec itself\t" .. tostring(err):gsub("[\n\t]", " ") .. "\n") end
    end)
    w:close()
    local _, how, code = first:wait()
    return how == "signal" and 128 + code or code
  end)
  w:close()
  return maker, r
end

-- Reads lines up to the end, or until none comes for too long.
local function listen(r, take)
  local rest = ""
  while true do
    if #ns.poll({ r }, LIMIT) == 0 then return "says nothing any more" end
    local piece = r:read(65536)
    if not piece then return nil end
    rest = rest .. piece
    for line in rest:gmatch "([^\n]*)\n" do take(line) end
    rest = rest:match "[^\n]*$"
  end
end

-- One process, from a function and call on. Returns where to go on, or nil.
local function part(opts, faults)
  local maker, r = start(opts)
  local _ <close> = maker
  local _ <close> = r
  local at, call, text, go_on, finished
  local silence = listen(r, function(line)
    local kind, a, b, c = line:match "^(%a+)\t?([^\t]*)\t?([^\t]*)\t?([^\t]*)"
    if kind == "call" then at, call, text = tonumber(a), tonumber(b), c end
    if kind == "call" then opts.count = opts.count + 1 end
    if kind == "fault" then faults[#faults + 1] = a .. ": " .. b end
    if kind == "next" then go_on = { tonumber(a), tonumber(b) } end
    if kind == "done" then finished = true end
  end)
  if silence then maker:kill "KILL" end
  local _, _, code = maker:wait()
  if finished then return nil end
  if go_on then return go_on[1], go_on[2] end
  faults[#faults + 1] = ("%s: %s"):format(text or "the spec itself", silence or "ended with " .. tostring(code))
  if text then return at, call + 1 end
end

local function complaints(path)
  local file <close> = io.open(path)
  local text = file:read "a"
  local at = text:find("Sanitizer", 1, true) or text:find("runtime error: ", 1, true)
  return at and text:sub(math.max(1, at - 200)) or ""
end


describe("every function that a script can reach", function()
  helpers.ns_it({ "user", "mnt", "pid", "uts", "ipc", "net", "cgroup" },
    ("answers junk with a Lua error, and does nothing (seed %d, %d rounds)"):format(SEED, ROUNDS), function()
    local path = os.tmpname()
    local stderr <close> = ns.open(path, "wronly,append")
    local foreign = values.foreign()
    local _ <close> = foreign.Proc
    local opts = { list = targets.all(), foreign = foreign, stderr = stderr, seed = SEED, rounds = ROUNDS, at = 1, first = 1, count = 0 }
    local faults = {}
    local at, first = 1, 1
    while at and #faults < 40 do
      opts.at, opts.first = at, first
      at, first = part(opts, faults)
    end
    local said = complaints(path)
    os.remove(path)
    assert.equal("", table.concat(faults, "\n") .. said)
    assert.is_true(foreign.Proc.running, "a child's copy of a handle killed what it stands for")
    foreign.Proc:close()
    assert.is_true(opts.count > 10000, opts.count .. " calls")
  end)
end)
