-- SPDX-License-Identifier: MIT
-- Runs the steps of a lesson on its stage and says what came of them. Nothing
-- here prints: what a step and its programs print is caught, and shown by
-- whoever asked for the step.

local calm = require "nslua.lesson.calm"
local catch = require "nslua.lesson.catch"
local claims = require "nslua.lesson.claims"
local stage = require "nslua.stage"
local views = require "nslua.lesson.views"
local ns = require "nslua"

local engine = {}


-- -- t, which the steps share -----------------------------------------------

local function closer(value)
  local meta = debug.getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__close")
end

-- For a proof: the host stands where boxes stood, but for those that the step
-- makes itself, which run.on_host notes.
local function host_instead(run, value)
  if views.is_box(value) and not run.on_host[value] then
    run.through_box = true
    return run.fields.host
  end
  if type(value) ~= "table" or debug.getmetatable(value) then return value end
  local hosts = {}
  for key, one in pairs(value) do hosts[key] = host_instead(run, one) end
  return hosts
end

-- What the engine itself looks at: a step that put something else there would
-- break the lesson far from its own line.
local RESERVED = { host = true, root = true, note = true }

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
      if RESERVED[key] then error(("t.%s is the lesson's own: choose another name"):format(key), 2) end
      if closer(value) then handles[#handles + 1] = value end
      if run.on_host and views.is_box(value) then run.on_host[value] = true end
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


-- -- what is to be seen ------------------------------------------------------

local function show(run, step)
  local view = step.show
  if not view then return nil end
  local ok, text
  if type(view) == "string" then
    ok, text = pcall(calm.look, views[view], run.t)
    if not ok then text = tostring(text) end
  else
    if step.act then calm.wait() end
    ok, text = catch.call(run, view, run.t)
    if not ok then text = claims.tell(text) end
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
  local ok, box = catch.call(self, ns.box, resolve(self, opts))
  if not ok then error(box.err, 0) end
  return box
end


-- The last box that runs, of those that were put into t from a place in the list
-- of handles on.
local function newest_box(run, first)
  for i = #run.handles, first, -1 do
    local one = run.handles[i]
    if views.is_box(one) and one.running then
      for name, value in pairs(run.fields) do
        if value == one then return name, one end
      end
    end
  end
end

---The box to look at: the last one that the step at hand made; else t.box, or a
---declared one; else the last of all.
---@return string? name
---@return nslua.Proc? box  it runs
function Run:box()
  local fields, names = self.fields, {}
  local name, box = newest_box(self, self.step_made_from or #self.handles + 1)
  if box then return name, box end
  if views.is_box(fields.box) and fields.box.running then return "box", fields.box end
  for one in pairs(fields.boxes or {}) do names[#names + 1] = one end
  table.sort(names)
  for _, one in ipairs(names) do
    if fields.boxes[one].running then return one, fields.boxes[one] end
  end
  return newest_box(self, 1)
end


---Which claims of a step hold now.
---@param step table
---@param kind? "check"|"keep"
---@return table<table, boolean> held
---@return table<table, string> reasons  why some do not
function Run:held(step, kind)
  local held, reasons = {}, {}
  for _, claim in ipairs(step.claims) do
    if not kind or claim.kind == kind then held[claim], reasons[claim] = claims.try(self, claim) end
  end
  return held, reasons
end


---Does what a step does, and nothing else.
---@param step table
---@return { err: any, traceback: string }? problem
function Run:act(step)
  self.on_step(step)
  if not step.act then return nil end
  local ok, problem = (self.tracing and catch.traced or catch.call)(self, step.act, self.t)
  return not ok and problem or nil
end


-- A step that this machine cannot do says why, and nothing of it runs.
local function skip(run, step, result)
  if not step.skip then return false end
  local ok, reason = catch.call(run, step.skip, run.t)
  if not ok then reason = claims.tell(reason) end
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
  self.on_step(step)
  self.step_made_from = #self.handles + 1
  local before, reasons = self:held(step, "keep")
  catch.read(self)
  local started = ns.clock()
  local problem = self:act(step)
  result.calls, self.calls = self.calls, nil
  result.view, result.blind = show(self, step)
  result.output = catch.read(self)
  result.seconds = ns.clock() - started
  if problem and not step.expect then
    result.problem, result.traceback = claims.tell_where(problem, self.lesson), problem.traceback
  else
    claims.ask(self, step, result)
    result.claims = claims.judge(self, step, before, reasons)
  end
  if step.expect then table.insert(result.claims, 1, claims.judge_refusal(step, problem)) end
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
  catch.start(run)
  catch.give_terminal(run)
  return run
end


return engine
