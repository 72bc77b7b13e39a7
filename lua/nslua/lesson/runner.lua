-- SPDX-License-Identifier: MIT
-- One lesson from its title to its last claim. What must be fetched or asked
-- is done in front; the steps run on the stage, in another process, which
-- writes down what came of each.

local sys = require "nslua.sys"
local engine = require "nslua.lesson.engine"
local outside = require "nslua.lesson.outside"
local needs = require "nslua.lesson.needs"
local out = require "nslua.lesson.out"
local stage = require "nslua.stage"
local wire = require "nslua.wire"
local ns = require "nslua"
local complain = require "nslua.lesson".complain
local interrupted = require "nslua.lesson".interrupted

local runner = {}

runner.FAILED, runner.USAGE, runner.CANNOT, runner.INTERRUPTED = 1, 2, 77, 130


-- -- before the stage -------------------------------------------------------


---What comes before the stage: is the machine able, and is the root there,
---from --rootfs or from what is at hand?
---@param lesson nslua.Lesson
---@param options table<string, any>
---@return nslua.Rootfs? root
---@return integer? status  when it cannot be done
---@return string? reason
function runner.prepare(lesson, options)
  local reason = needs.missing(lesson)
  if reason then return nil, runner.CANNOT, reason end
  if not lesson.needs.rootfs then return nil end
  local ok, root = pcall(ns.rootfs.get, options.rootfs, { network = false })
  if ok then return root end
  if interrupted(root) then return nil, runner.INTERRUPTED end
  local absent = type(root) == "table" and root.name == "ENOENT"
  return nil, not options.rootfs and runner.CANNOT or absent and runner.USAGE or runner.FAILED,
    tostring(root)
end


local function who(lesson)
  if lesson.needs.uid0 then return "ROOT, the real one: no user namespace stands around this lesson" end
  if ns.geteuid() ~= 0 then return ("uid %d; no root is needed"):format(ns.geteuid()) end
  return lesson.needs.user and "root, who plays an ordinary user here" or "root, kept in a user namespace"
end

---What a lesson stands on.
---@param lesson nslua.Lesson
---@param root nslua.Rootfs?
---@return string[][] facts  name and text
function runner.facts(lesson, root)
  local facts = {}
  if root then facts[1] = { "root", (select(2, root:rung())) } end
  facts[#facts + 1] = { "host", "a throw-away one: this machine, read-only, and gone with the lesson" }
  facts[#facts + 1] = { "user", who(lesson) }
  return facts
end


-- -- on the stage -----------------------------------------------------------

local function folders(lesson, root, options)
  local keep = { os.getenv "NSLUA_DEV" }
  if lesson.file:find "%.lua$" then keep[#keep + 1] = lesson.file end
  if root then keep[#keep + 1] = root:path() end
  if options.rootfs and ns.access(options.rootfs) then keep[#keep + 1] = options.rootfs end
  return keep
end

local function write_down(record, value)
  record:write(string.pack("<s8", (wire.encode({ value, n = 1 }, "result"))))
end

-- The results, the number of the step that began last, and whether the lesson
-- came to its end.
local function read_record(record)
  local outcome = { results = {} }
  record:seek("set", 0)
  local text, at = record:read "a", 1
  while at < #text do
    local bytes
    bytes, at = string.unpack("<s8", text, at)
    local value = wire.decode(bytes, {})[1]
    if type(value) == "table" and value.mark then
      outcome[value.mark] = value.of
    else
      outcome.results[#outcome.results + 1] = value
    end
  end
  return outcome
end

-- A step can end the whole runner: os.exit, exec(2), a signal, or what the
-- engine cannot do without. What it ended with is no answer then.
local function judge_end(lesson, status, outcome)
  local step = lesson.steps[outcome.began]
  if outcome.over or not step or status == runner.INTERRUPTED then return status end
  local how = status > 128 and ("by signal %d"):format(status - 128) or "by itself"
  outcome.cut = ("%s:%d: step %d (%s) ended the lesson, %s"):format(sys.clean(lesson.file), step.line,
    step.index, sys.clean(step.title), how)
  return status > 128 and status or runner.FAILED
end

local function build(run)
  local ok, err = pcall(run.build, run)
  if ok then return nil end
  if interrupted(err) then return runner.INTERRUPTED end
  io.stderr:write("nslua: ", sys.clean(run.lesson.file), ": the box of the lesson cannot be made\n  ",
    (tostring(err):gsub("\n", "\n  ")), "\n")
  return debug.getmetatable(err) == sys.error_type and runner.CANNOT or runner.FAILED
end

local function run_steps(run, reporter, write)
  local status = 0
  out.quiet = true -- the front will see it too
  run.tracing = reporter.tracing
  if not reporter.wait then -- nobody is there to answer
    local null <close> = ns.open "/dev/null"
    null:dup2(0)
  end
  for _, step in ipairs(run.lesson.steps) do
    reporter.before(step)
    if out.lost then return runner.FAILED end
    local result = run:step(step)
    if reporter.look then reporter.look(run, result) end
    write(result)
    reporter.after(step, result)
    if not result.ok then status = runner.FAILED end
    if result.problem then break end
    if reporter.wait and step.index < #run.lesson.steps then
      local how = reporter.wait(step)
      if how == "interrupted" then return runner.INTERRUPTED end
      if how == "left" then break end
    end
  end
  return status
end

-- Runs fn on a stage of its own, with the lesson before its first step.
local function on_stage(lesson, options, root, record, fn)
  return stage.run({
    uid0 = lesson.needs.uid0, ordinary = lesson.needs.user, net = lesson.needs.net and not lesson.needs["net-host"],
    keep = folders(lesson, root, options),
  }, function(host)
    if options.hostname then ns.sethostname(options.hostname) end
    local run = engine.start(lesson, host, root)
    run.on_step = function(step) write_down(record, { mark = "began", of = step.index }) end
    local status = build(run) or fn(run)
    write_down(record, { mark = "over", of = true })
    run:close()
    return status
  end)
end


---Runs fn on a fresh stage; what it writes down is there afterwards, however
---the stage ended.
---@param lesson nslua.Lesson
---@param options table<string, any>
---@param root nslua.Rootfs?
---@param fn fun(run: table, write_down: fun(value: table)): integer
---@return integer status
---@return { results: table[], cut: string? } outcome  cut: what ended it before its end
function runner.record(lesson, options, root, fn)
  local record <close> = ns.memfd "nslua-results"
  local status = on_stage(lesson, options, root, record, function(run)
    return fn(run, function(value) write_down(record, value) end)
  end)
  local outcome = read_record(record)
  return judge_end(lesson, status, outcome), outcome
end


---Runs fn on a fresh stage and brings back what it found: for proofs.
---@param lesson nslua.Lesson
---@param options table<string, any>
---@param root nslua.Rootfs?
---@param fn fun(run: table): any  gets the lesson before its first step
---@return integer status
---@return any found
function runner.try(lesson, options, root, fn)
  local status, outcome = runner.record(lesson, options, root, function(run, write)
    write(fn(run))
    return 0
  end)
  if outcome.cut then complain(outcome.cut) end
  return status, outcome.results[1]
end


-- -- one lesson -------------------------------------------------------------

---What the results come to.
---@param results table[]
---@param started number
---@return table sum
function runner.sum_up(results, started)
  local sum = { claims = 0, failed = 0, skipped = 0, steps = #results, where = {}, seconds = ns.clock() - started }
  for _, result in ipairs(results) do
    for _, claim in ipairs(result.claims) do
      sum.claims = sum.claims + 1
      if not claim.ok then sum.failed = sum.failed + 1 end
    end
    if result.skipped then sum.skipped = sum.skipped + 1 end
    if result.problem then sum.claims, sum.failed = sum.claims + 1, sum.failed + 1 end
    if not result.ok then sum.where[#sum.where + 1] = result.id end
  end
  return sum
end

---Runs a lesson on a stage of its own.
---@param lesson nslua.Lesson
---@param options table<string, any>  of the command line
---@param reporter table  title, before, after, summary; wait when somebody goes on by hand
---@return integer status
---@return table outcome  results of the steps, reason when it could not run
function runner.run(lesson, options, reporter)
  local started = ns.clock()
  local root, failed, why = runner.prepare(lesson, options)
  if failed then return failed, { results = {}, reason = why } end
  local _ <close> = root
  reporter.title(lesson, runner.facts(lesson, root))
  local before = outside.look()
  local status, outcome = runner.record(lesson, options, root, function(run, write)
    return run_steps(run, reporter, write)
  end)
  if outcome.cut then complain(outcome.cut) end
  outcome.sum = runner.sum_up(outcome.results, started)
  if status ~= runner.CANNOT and not out.lost then
    reporter.summary(lesson, outcome.sum, status, (outside.say(before)))
  end
  return status, outcome
end


return runner
