-- SPDX-License-Identifier: MIT
-- Runs the steps of a lesson on its stage and says what came of them. Nothing
-- here prints: what a step and its programs print is caught, and shown by
-- whoever asked for the step.

local calls = require "nslua.lesson.calls"
local calm = require "nslua.lesson.calm"
local sys = require "nslua.sys"
local source = require "nslua.lesson.source"
local stage = require "nslua.stage"
local views = require "nslua.lesson.views"
local ns = require "nslua"

local engine = {}

local MOST_OUTPUT = 1 << 16 -- bytes of one step that are kept


-- -- t, which the steps share -----------------------------------------------

local function closer(value)
  local meta = debug.getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__close")
end

local function is_box(value)
  return getmetatable(value) == "nslua.Proc" and sys.fields(value).options ~= nil
end

-- For a proof: the host stands where boxes stood, but for those that the step
-- makes itself, which run.on_host notes.
local function host_instead(run, value)
  if is_box(value) and not run.on_host[value] then
    run.through_box = true
    return run.fields.host
  end
  if type(value) ~= "table" or debug.getmetatable(value) then return value end
  local hosts = {}
  for key, one in pairs(value) do hosts[key] = host_instead(run, one) end
  return hosts
end

-- A table that notes every handle that is put into it, in order.
local function make_shared(run)
  local fields, handles = run.fields, run.handles
  return setmetatable({}, {
    __index = function(_, key)
      local value = fields[key]
      if run.on_host then return host_instead(run, value) end
      return value
    end,
    __newindex = function(_, key, value)
      if closer(value) then handles[#handles + 1] = value end
      if run.on_host and is_box(value) then run.on_host[value] = true end
      fields[key] = value
    end,
    __pairs = function() return next, fields, nil end,
  })
end

local function close_all(handles)
  for i = #handles, 1, -1 do
    pcall(closer(handles[i]), handles[i])
    handles[i] = nil
  end
end


-- -- what is printed --------------------------------------------------------

-- One file catches all that the lesson prints: boxes keep it as their standard
-- output as long as they live. What was read is told by `at`.
local function start_catching(run)
  run.caught, run.at = ns.memfd "nslua-output", 0
  run.closed = { [0] = ns.open "/dev/null", run.caught, run.caught }
  run.open = { [0] = ns.fd(0), ns.fd(1), ns.fd(2) }
end

-- An error with the traceback that --traceback shows; refusals stay objects.
local function explain(err)
  return { err = err, traceback = debug.traceback("", 2) }
end

-- Standard input, output and error become other descriptors for the time of a
-- call; what they were comes back after it.
local function redirected(fds, fn, ...)
  io.stdout:flush()
  io.stderr:flush()
  local before = { [0] = ns.fd(0), ns.fd(1), ns.fd(2) }
  for i = 0, 2 do fds[i]:dup2(i) end
  local result = table.pack(xpcall(fn, explain, ...))
  io.stdout:flush()
  io.stderr:flush()
  for i = 0, 2 do
    before[i]:dup2(i)
    before[i]:close()
  end
  return table.unpack(result, 1, result.n)
end

-- Programs of a step read nothing: so none is lent the terminal, and Ctrl-C
-- ends the lesson.
local function catch(run, fn, ...)
  return redirected(run.closed, fn, ...)
end

-- But a shell or a prompt that a step opens has the terminal.
local function give_terminal(run)
  local Proc = sys.methods.Proc
  for _, name in ipairs { "enter", "repl" } do
    local method = Proc[name]
    Proc[name] = function(...)
      local result = table.pack(redirected(run.open, method, ...))
      if not result[1] then error(result[2].err, 0) end
      return table.unpack(result, 2, result.n)
    end
  end
end

-- Through a descriptor of our own: the offset of the other is the writers'.
local function read_from(file, at)
  local fd <close> = ns.open("/proc/self/fd/" .. file:fileno(), "r")
  fd:seek("set", at)
  return fd:read(MOST_OUTPUT) or "", fd:seek("end", 0)
end

local function read_caught(run)
  local text
  text, run.at = read_from(run.caught, run.at)
  return text
end

-- An act whose system calls, its children's too, are caught in a file.
local function traced(run, act, ...)
  local caught <close> = ns.memfd "nslua-calls"
  local sink <close> = assert(io.open("/proc/self/fd/" .. caught:fileno(), "a")) -- io is not traced
  sink:setvbuf "line"
  local result = table.pack(catch(run, function(...)
    local before = ns.trace(calls.writer(sink))
    local _ <close> = setmetatable({}, { __close = function() ns.trace(before) end })
    act(...)
  end, ...))
  run.calls = calls.order(read_from(caught, 0))
  return table.unpack(result, 1, result.n)
end


-- -- acts and claims --------------------------------------------------------

-- Frames of ours say nothing to a learner.
local function tell(problem)
  local text = tostring(problem.err):gsub("\nin the box: .*", "")
  return text
end

local function is_refusal(err)
  return debug.getmetatable(err) == sys.error_type
end

local function try_claim(run, claim)
  local ok, answer, why = catch(run, claim.fn, run.t)
  if not ok then return false, tell(answer) end
  if answer then return true end
  return false, type(why) == "string" and why or nil
end

local function code_of(claim)
  local _, body = source.of(claim.fn)
  return body
end

local function judge(run, step, before)
  local results = {}
  for _, claim in ipairs(step.claims) do
    local ok, why = try_claim(run, claim)
    if ok and before[claim] == false then
      ok, why = false, "it did not hold before the act"
    end
    results[#results + 1] = { text = claim.text, kind = claim.kind, ok = ok, why = why,
      where = ("%s:%d"):format(step.lesson.file, claim.line), code = not ok and code_of(claim) or nil }
  end
  return results
end

-- The refusal that must come, as a claim like the others.
local function judge_refusal(step, problem)
  local claim = { text = "refused with " .. step.expect, kind = "expect", ok = false,
    where = ("%s:%d"):format(step.lesson.file, step.line) }
  local err = problem and problem.err
  if not problem then
    claim.why = "nothing was refused"
  elseif is_refusal(err) and err.name == step.expect then
    claim.ok, claim.why, claim.call = true, err.message, err.call
  else
    claim.why = tell(problem)
  end
  return claim
end

local function ask(run, step, result)
  if not step.ask then return end
  local answer = step.ask.answer
  if type(answer) == "function" then
    local ok, value = catch(run, answer, run.t)
    answer = ok and value or nil
  end
  result.question, result.answer = step.ask[1], answer ~= nil and tostring(answer) or nil
end

local function show(run, step)
  local view = step.show
  if not view then return nil end
  local ok, text
  if type(view) == "string" then
    ok, text = pcall(calm.look, views[view], run.t)
    if not ok then text = tostring(text) end
  else
    if step.act then calm.wait() end
    ok, text = catch(run, view, run.t)
    if not ok then text = tell(text) end
  end
  if type(text) == "table" and not debug.getmetatable(text) then text = table.concat(text, "\n") end
  return text ~= nil and tostring(text) or nil, not ok
end


-- Where a box enters the root by chroot alone nobody would mount what belongs
-- in it: it is mounted on the stage then, before the first step.
local function furnish(root)
  local plan, mounts = root:box_root(), {}
  for i, m in ipairs(plan.mounts or {}) do
    mounts[i] = ns.bind(m[1], plan.path .. m[2], { rec = true })
  end
  return mounts
end


-- -- a run ------------------------------------------------------------------

local Run = {}
Run.__index = Run

local function resolve(run, opts)
  local copy = {}
  for key, value in pairs(opts) do copy[key] = value end
  if copy.root == "rootfs" then copy.root = run.root:overlay() end
  if copy.chroot == "rootfs" then copy.chroot = run.root end
  return copy
end


---Makes the boxes that the lesson declares.
---Raises: what ns.box raises.
function Run:build()
  local lesson, t = self.lesson, self.t
  if lesson.box then t.box = self:caught_box(lesson.box) end
  if not lesson.boxes then return end
  local boxes, names = {}, {}
  for name in pairs(lesson.boxes) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    boxes[name] = self:caught_box(lesson.boxes[name])
    self.handles[#self.handles + 1] = boxes[name]
  end
  t.boxes = boxes
end


---A box whose output is caught, as everything of the lesson.
---@param opts table
---@return nslua.Proc
function Run:caught_box(opts)
  local ok, box = catch(self, ns.box, resolve(self, opts))
  if not ok then error(box.err, 0) end
  return box
end


---Which claims of a step hold now.
---@param step table
---@param kind? "check"|"keep"
---@return table<table, boolean> held
function Run:held(step, kind)
  local held = {}
  for _, claim in ipairs(step.claims) do
    if not kind or claim.kind == kind then held[claim] = (try_claim(self, claim)) end
  end
  return held
end


---Does what a step does, and nothing else.
---@param step table
---@return { err: any, traceback: string }? problem
function Run:act(step)
  if not step.act then return nil end
  local ok, problem = (self.tracing and traced or catch)(self, step.act, self.t)
  return not ok and problem or nil
end


-- A step that this machine cannot do says why, and nothing of it runs.
local function skip(run, step, result)
  if not step.skip then return false end
  local ok, reason = catch(run, step.skip, run.t)
  if not ok then reason = tell(reason) end
  if not reason then return false end
  result.skipped, result.view = reason, "skipped here: " .. reason
  result.output, result.seconds, result.ok = "", 0, true
  return true
end


---Runs a step: first the claims that must hold before it too, then the act,
---what is to be seen, and all claims. Nothing of it when it is skipped here.
---@param step table
---@return table result  ok, claims, output, view, problem, seconds ...
function Run:step(step)
  local result = { index = step.index, id = step.id, title = step.title, claims = {} }
  if skip(self, step, result) then return result end
  local before = self:held(step, "keep")
  read_caught(self)
  local started = ns.clock()
  local problem = self:act(step)
  result.calls, self.calls = self.calls, nil
  result.view, result.blind = show(self, step)
  result.output = read_caught(self)
  result.seconds = ns.clock() - started
  if problem and not step.expect then
    result.problem, result.traceback = tell(problem), problem.traceback
  else
    ask(self, step, result)
    result.claims = judge(self, step, before)
  end
  if step.expect then table.insert(result.claims, 1, judge_refusal(step, problem)) end
  result.ok = result.problem == nil
  for _, claim in ipairs(result.claims) do result.ok = result.ok and claim.ok end
  return result
end


---Ends everything that the steps have made, last first, and forgets it.
function Run:close()
  close_all(self.handles)
  for key in pairs(self.fields) do
    if key ~= "host" and key ~= "root" and key ~= "note" then self.fields[key] = nil end
  end
end


---A lesson on its stage, before its first step.
---@param lesson nslua.Lesson
---@param host nslua.Proc  another process on the stage
---@param root? nslua.Rootfs
---@return table run
function engine.start(lesson, host, root)
  local run = setmetatable({ lesson = lesson, root = root, fields = { host = host, root = root, note = stage.note },
    handles = {} }, Run)
  run.t = make_shared(run)
  if root then run.furniture = furnish(root) end
  start_catching(run)
  give_terminal(run)
  return run
end


return engine
