-- SPDX-License-Identifier: MIT
-- What specs share: throw-away children for acts that cannot be undone, specs
-- that say why they did not run, the program run as a user would.

local assert = require "luassert"
local busted = require "busted"
local ns = require "nslua"

local helpers = {}

local it = busted.it -- nil outside of busted: the rest works there too

local must_work = os.getenv "NSLUA_MUST_WORK" == "1"
local LIMIT = 60 -- seconds that a child may take

local FILTER = [[
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def op(code, k, yes=0, no=0): return struct.pack("HBBI", code, yes, no, k)
code = op(0x20, 0) + op(0x15, int(sys.argv[1]), 0, 1) + op(6, int(sys.argv[2], 0)) + op(6, 0x7fff0000)
text = ctypes.create_string_buffer(code)
class Program(ctypes.Structure): _fields_ = [("n", ctypes.c_ushort), ("p", ctypes.c_void_p)]
program = Program(4, ctypes.cast(text, ctypes.c_void_p))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(program)) == 0
os.execvp(sys.argv[3], sys.argv[3:])
]]

---The same behind a filter that answers one system call, by number, with an
---action of seccomp(2): "0x50001" is EPERM, "0x50026" ENOSYS.
function helpers.filtered(number, action, argv, opts)
  local full = { "python3", "-c", FILTER, tostring(number), action }
  table.move(argv, 1, #argv, #full + 1, full)
  return helpers.run(full, opts)
end


-- busted reloads this module for every file: what must last is kept aside.
local kept = debug.getregistry()
kept["nslua.spec"] = kept["nslua.spec"] or { absent = {}, probes = {} }
local lasting = kept["nslua.spec"]

-- Removes the copy of the program that this very process made.
local function drop_public()
  if lasting.public and lasting.public_made_by == ns.generation() then
    helpers.run { "rm", "-rf", lasting.public }
    lasting.public = nil
  end
end


-- -- children -----------------------------------------------------------------

-- Values as the text of a Lua chunk: what can cross a pipe.
local function encode(...)
  local out = {}
  for i = 1, select("#", ...) do
    local v = select(i, ...)
    local kind = type(v)
    if kind == "string" or kind == "number" or kind == "boolean" or kind == "nil" then
      out[i] = string.format("%q", v)
    else
      out[i] = string.format("%q", tostring(v))
    end
  end
  return "return " .. table.concat(out, ", ")
end

-- The error with the child's traceback under it, down to fn.
local function explain(err)
  return (debug.traceback(tostring(err), 2):gsub("\n%s*%[C%]: in function 'xpcall'.*", ""))
end

-- Reads each pipe to its end, or until the child has ended: a grandchild may
-- hold a write end for ever. Returns the texts, or nil when time is up.
local function drain(child, ends, limit)
  local texts, open = {}, {}
  for i, fd in ipairs(ends) do
    texts[i], open[i] = {}, fd
  end
  local deadline = os.time() + limit
  while true do
    local wanted = { child }
    for i in ipairs(ends) do
      if open[i] then wanted[#wanted + 1] = open[i] end
    end
    if #wanted == 1 then return texts end
    local ready = ns.poll(wanted, 1)
    local ended_only = #ready == 1 and ready[1] == child
    for i, fd in pairs(open) do
      for _, r in ipairs(ready) do
        if rawequal(r, fd) then
          local piece = fd:read(65536)
          if piece then texts[i][#texts[i] + 1] = piece else open[i] = nil end
        end
      end
    end
    if ended_only then return texts end
    if os.time() > deadline then return nil end
  end
end

---Runs fn in a forked child and returns its results (strings, numbers,
---booleans, nil). An error in it, a failed assertion too, is raised here with
---the child's traceback.
function helpers.in_child(fn, ...)
  local args = table.pack(...)
  local r, w = ns.pipe()
  local _ <close> = r
  local _ <close> = w
  local child <close> = ns.fork(function()
    r:close()
    local said = encode(xpcall(fn, explain, table.unpack(args, 1, args.n)))
    pcall(drop_public)
    w:write(said)
    ns._exit(0)
  end)
  w:close()
  local texts = drain(child, { r }, LIMIT)
  if not texts then error("the child took longer than " .. LIMIT .. " s", 2) end
  local said = table.concat(texts[1])
  local _, how, code = child:wait()
  if said == "" then
    error(("the child ended without a word: %s %s"):format(how, code), 2)
  end
  local results = table.pack(assert(load(said, "=child", "t", {}))())
  if not results[1] then error("in the child: " .. tostring(results[2]), 0) end
  return table.unpack(results, 2, results.n)
end


---What the kernel called its refusal of f(...) ("EPERM"), or the message of an
---error that is no refusal.
---@return string name
function helpers.refusal(f, ...)
  local ok, err = pcall(f, ...)
  if ok then return "no refusal" end
  return type(err) == "table" and err.name or err
end


---The mount that is seen at a path, or nil.
function helpers.mount_at(path)
  local found
  for _, row in ipairs(ns.mounts()) do
    if row.mountpoint == path then found = row end
  end
  return found
end


---Open descriptors of this process, garbage not counted.
function helpers.fds()
  collectgarbage()
  collectgarbage()
  return #ns.readdir "/proc/self/fd" - 1
end


-- -- the program ----------------------------------------------------------------

helpers.program = ns.readlink "/proc/self/exe"

---Runs the program: a string is Lua code, a table the arguments.
---opts: env={NAME=value, or false to unset}, cwd=, stdin=text, uid= (drops
---all groups), program=, limit= (seconds). Returns stdout, stderr, status: the exit code, or
---"signal 9".
function helpers.nslua(what, opts)
  opts = opts or {}
  local argv = { "env" }
  for name, value in pairs(opts.env or {}) do
    if not value then table.insert(argv, "-u"); table.insert(argv, name) end
  end
  for name, value in pairs(opts.env or {}) do
    if value then table.insert(argv, name .. "=" .. value) end
  end
  table.insert(argv, opts.program or helpers.program)
  if type(what) == "string" then what = { "-e", what } end
  table.move(what, 1, #what, #argv + 1, argv)
  return helpers.run(argv, opts)
end


---The same for any program.
function helpers.run(argv, opts)
  opts = opts or {}
  local in_r, in_w = ns.pipe()
  local _ <close> = in_r
  local _ <close> = in_w
  local out_r, out_w = ns.pipe()
  local _ <close> = out_r
  local _ <close> = out_w
  local err_r, err_w = ns.pipe()
  local _ <close> = err_r
  local _ <close> = err_w
  local child <close> = ns.fork(function()
    in_r:dup2(0); out_w:dup2(1); err_w:dup2(2)
    if opts.cwd then ns.chdir(opts.cwd) end
    if opts.uid then
      if ns.geteuid() == 0 then ns.setgroups {} end
      ns.setresgid(opts.uid, opts.uid, opts.uid)
      ns.setresuid(opts.uid, opts.uid, opts.uid)
    end
    ns.exec(argv)
  end)
  in_r:close(); out_w:close(); err_w:close()
  if opts.stdin then pcall(in_w.write, in_w, opts.stdin) end -- it may not read
  in_w:close()
  local texts = drain(child, { out_r, err_r }, opts.limit or LIMIT)
  if not texts then error("the program took too long: " .. table.concat(argv, " "), 2) end
  local _, how, code = child:wait()
  return table.concat(texts[1]), table.concat(texts[2]),
    how == "exit" and code or how .. " " .. code
end


-- The program and its libraries where everybody can read them: a checkout may
-- be closed to others.
local COPY = [[
  cp "$1/nslua" "$2" && chmod 755 "$2/nslua"
  if [ -d "$1/build/nslua" ]; then
    mkdir "$2/build" && cp -r "$1/build/nslua" "$2/build" && chmod -R a+rX "$2/build"
  fi]]

local function public_program()
  if not lasting.public then
    lasting.public = ns.mkdtemp "/tmp/nslua-spec-XXXXXX"
    lasting.public_made_by = ns.generation()
    ns.chmod(lasting.public, "755")
    local _, err, status = helpers.run { "sh", "-c", COPY, "sh", helpers.program:match "^(.*)/", lasting.public }
    assert(status == 0, err)
  end
  return lasting.public .. "/nslua"
end

helpers.public_program = public_program


---Runs Lua code (or arguments) as somebody without any right: uid 65534 when
---we are root, else as we are. Returns stdout, stderr, status.
function helpers.as_nobody(what, opts)
  local all = { program = public_program(), cwd = "/", uid = ns.geteuid() == 0 and 65534 or nil }
  for k, v in pairs(opts or {}) do all[k] = v end
  all.env = { NSLUA_DEV = false, HOME = lasting.public, XDG_CACHE_HOME = false }
  for k, v in pairs(opts and opts.env or {}) do all.env[k] = v end
  return helpers.nslua(what, all)
end


-- -- specs that this machine may not allow ----------------------------------------

local function end_of_suite()
  if #lasting.absent > 0 and not os.getenv "NSLUA_RECORD" then
    io.write("absent in this kernel: ", #lasting.absent, "\n")
    for _, line in ipairs(lasting.absent) do io.write("  ", line, "\n") end
  end
  drop_public()
  return nil, true
end

if busted.subscribe and not lasting.subscribed then
  lasting.subscribed = true
  busted.subscribe({ "suite", "end" }, end_of_suite)
end


---Counts and lists something that this kernel lacks.
function helpers.absent(name, reason)
  for _, line in ipairs(lasting.absent) do
    if line == name .. ": " .. reason then return end
  end
  table.insert(lasting.absent, name .. ": " .. reason)
end


-- The environment that busted gave the spec which requires this module: only
-- there is the `pending` that takes a reason. (busted loads the module anew
-- for every file.)
local function spec_environment()
  local level, info = 2
  repeat
    level = level + 1
    info = debug.getinfo(level, "fS")
  until not info or info.source:find "_spec%.lua$"
  for i = 1, info and 255 or 0 do
    local name, value = debug.getupvalue(info.func, i)
    if name == "_ENV" then return value end
  end
  return _G
end

local spec = spec_environment()


---An `it` that runs when probe() is true. Else probe returns false, a reason
---and "absent" when the kernel itself lacks the facility: pending, and with
---NSLUA_MUST_WORK=1 a failure unless absent. fn gets what probe returned next.
function helpers.need_it(probe, name, fn)
  local ok, reason, kind = probe()
  if ok then return it(name, fn) end
  if kind == "absent" then
    helpers.absent(name, reason)
    reason = "absent: " .. reason -- what spec/report.lua knows it by
  elseif must_work then
    return it(name, function() error("must work here, but: " .. reason, 0) end)
  end
  return it(name, function() spec.pending(reason) end)
end


local LACKS = { ENOSYS = true, EINVAL = true, ENODEV = true, ENOPROTOOPT = true, EOPNOTSUPP = true }

---A probe: runs fn in a child; true, or false, the refusal, "absent" when the
---refusal says that the kernel lacks the facility. `key` remembers the answer.
function helpers.probe(key, fn)
  return function()
    if not lasting.probes[key] then
      local ok, name, message = helpers.in_child(function()
        local fine, err = pcall(fn)
        if fine then return true end
        return false, type(err) == "table" and err.name or "", type(err) == "table" and err.message or tostring(err)
      end)
      lasting.probes[key] = { ok, message, LACKS[name] and "absent" or nil }
    end
    return table.unpack(lasting.probes[key], 1, 3)
  end
end


---An `it` that needs to unshare exactly these types ("user", "uts" or
---{"user", "uts"}): not root? then name "user" among them. fn is not run in a
---child by itself.
function helpers.ns_it(types, name, fn)
  if type(types) == "string" then
    local list = {}
    for word in types:gmatch "%a+" do list[#list + 1] = word end
    types = list
  end
  return helpers.need_it(helpers.probe(table.concat(types, " "), function()
    ns.unshare(table.unpack(types))
  end), name, fn)
end


---An `it` that needs root of the initial user namespace, with its rights.
function helpers.root_it(name, fn)
  return helpers.need_it(function()
    if ns.geteuid() ~= 0 then return false, "needs root" end
    return helpers.probe("root", function() ns.unshare "mnt" end)()
  end, name, fn)
end


---The first `it` of each spec.
function helpers.adds_no_global(module)
  it("adds no global when " .. module .. " is required", function()
    local out, err = helpers.nslua(([[
      local before = {}
      for k in pairs(_G) do before[k] = true end
      require %q
      for k in pairs(_G) do if not before[k] then print(k) end end]]):format(module))
    assert.equal("", err)
    assert.equal("", out)
  end)
end


-- -- bad arguments ----------------------------------------------------------------------

local function raiser()
  local function raise() error("a metamethod was asked", 0) end
  return setmetatable({}, { __index = raise, __len = raise, __tostring = raise, __call = raise,
    __name = 7, __pairs = raise, __eq = raise, __close = raise })
end

local function cyclic()
  local t = {}
  t[1] = t
  return t
end

local function closed_fd()
  local r, w = ns.pipe()
  r:close(); w:close()
  return r
end

local HUGE = { 1e300, math.huge, -math.huge, 0 / 0, 2 ^ 63, math.mininteger, math.maxinteger }

local function never() return { true, print, coroutine.create(print), raiser(), cyclic() } end

local function with(list, ...)
  for _, more in ipairs { ... } do
    for _, v in ipairs(more) do list[#list + 1] = v end
  end
  return list
end

-- For each kind of argument, values that no function may take for it.
local bad = {
  string = function() return never() end,
  path = function() return with(never(), { 12, 1.5, "a\0b", "\0" }) end,
  integer = function() return with(never(), { "x", 1.5, 1e300, 0 / 0 }) end,
  int = function() return with(never(), HUGE, { "x", 1.5, "1" }) end,
  id = function() return with(never(), HUGE, { "x", 1.5, -1, 2 ^ 32, 4294967295, "0" }) end,
  mode = function() return with(never(), HUGE, { "x", "9", "-1", "10000", "", 1.5, -1, 65536, "7\0" }) end,
  flags = function()
    return with({ true, print, cyclic() }, { -1, 1.5, "no such flag at all", { "x\0y" }, "ro\0",
      { {} }, { 1.5 }, { -1 }, math.mininteger, math.huge, 0 / 0 })
  end,
  word = function() return with(never(), { -1, 1.5, "no such word at all", "\0", math.mininteger, 0 / 0 }) end,
  seconds = function() return with(never(), { -1, 0 / 0, "x", -math.huge, math.mininteger }) end,
  fd = function() return with(never(), HUGE, { -1, "x", 1.5, 2 ^ 40, closed_fd() }) end,
  handle = function() return with(never(), HUGE, { 0, -1, "x", closed_fd(), io.stdout }) end,
  pid = function() return with(never(), HUGE, { 0, -1, 1.5, "x", 2 ^ 40, closed_fd() }) end,
  list = function() return { true, print, 1, "x", { {} }, { print }, { true }, cyclic() } end,
  options = function() return { true, print, 1, "x", { no_such_key = 1 }, { [1.5] = 1 } } end,
  fn = function() return { true, 1, "x", {}, raiser() } end,
}


---Tries wrong values at each place of a call and wants a plain argument error
---that names the place: no success, no crash, and no way to the kernel.
---
---    helpers.badargs(ns.open, "path ?flags ?mode", "/no/such/file", "r", "644")
---
---`signature` has one kind for each argument, `?` before an optional one,
---"any" for what takes everything; good values follow (keep them harmless).
function helpers.badargs(fn, signature, ...)
  local good = table.pack(...)
  local i = 0
  for optional, kind in signature:gmatch "(%??)(%a+)" do
    i = i + 1
    local values = kind == "any" and {} or assert(bad[kind], "no such kind: " .. kind)()
    local n = #values
    if optional == "" and kind ~= "any" then n = n + 1 end -- the last one is nil
    for j = 1, n do
      local args = table.pack(table.unpack(good, 1, good.n))
      args[i] = values[j]
      local ok, err = pcall(fn, table.unpack(args, 1, math.max(good.n, i)))
      local kind_of = type(values[j])
      local shown = (kind_of == "table" or kind_of == "userdata") and kind_of or tostring(values[j])
      local where = ("argument %d (%s) as %q"):format(i, kind, shown)
      assert.is_false(ok, where .. " was taken")
      assert.equal("string", type(err), where .. " reached the kernel: " .. tostring(err))
      local number = err:match "bad argument #(%-?%d+)"
      if i == 1 and err:find "an? %u%a+ is wanted: [%l]+:[%w_]+%(%), with a colon$" then number = "1" end
      assert.equal(tostring(i), number, where .. " was answered with: " .. err)
    end
  end
end

return helpers
