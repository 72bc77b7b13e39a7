-- SPDX-License-Identifier: MIT
-- Proves claims on the kernel: each step is played again, on a fresh stage,
-- without its act, with its act done to the host, without the refused call.

local sys = require "nslua.sys"
local runner = require "nslua.lesson.runner"
local ns = require "nslua"

local proof = {}


-- -- what is played ---------------------------------------------------------

local function play_all(run)
  local results = {}
  for i, step in ipairs(run.lesson.steps) do
    results[i] = run:step(step)
    if results[i].problem then break end
  end
  return results
end

local function play_until(run, last)
  for i = 1, last do
    if run:step(run.lesson.steps[i]).problem then return end
  end
end

local function by_text(held)
  local list = {}
  for claim, ok in pairs(held) do list[claim.kind .. claim.text] = ok end
  return list
end

-- The claims with no act; then the act with the host in place of the boxes
-- that are there, and what is left of what must be kept.
local function play_without(step)
  return function(run)
    play_until(run, step.index - 1)
    local found = { without = by_text(run:held(step)) }
    run.on_host = {}
    found.failed = run:act(step) ~= nil
    run.on_host = nil
    found.through = run.through_box or false
    found.on_host = by_text(run:held(step, "keep"))
    return found
  end
end

-- The functions that make a system call, where their names are others.
local MAKERS = {
  umount2 = { "umount" }, clone3 = { "clone", "fork" }, write = { "map", "timens_offsets" },
  mq_open = { "open" }, openat = { "open" }, RTM_NEWLINK = { "link.add" },
  newuidmap = { "map" }, newgidmap = { "map" }, RTM_NEWADDR = { "address.add" }, RTM_NEWROUTE = { "route.add" },
}

-- Where the function of that name stands: in ns, or in a module of its own.
local function place_of(name)
  local module, rest = name:match "^(%l+)%.(%l+)$"
  if module then return ns[module], rest end
  return ns, name
end

local function makers(call)
  local list = {}
  for _, name in ipairs(MAKERS[call] or { call }) do
    local place, key = place_of(name)
    if type(place[key]) == "function" then list[#list + 1] = name end
  end
  return list
end

-- The act with the call that is refused left out.
local function play_left_out(step, call)
  return function(run)
    play_until(run, step.index - 1)
    for _, name in ipairs(makers(call)) do
      local place, key = place_of(name)
      place[key] = function() return true end
    end
    local problem = run:act(step)
    local err = problem and problem.err
    return debug.getmetatable(err) == sys.error_type and err.name == step.expect
  end
end


-- -- what is made of it -----------------------------------------------------

local function add(findings, line, step, fmt, ...)
  findings[#findings + 1] = { line = line,
    text = ("step %d (%s): "):format(step.index, sys.clean(step.title)) .. fmt:format(...) }
end

local function judge_results(one, results, findings)
  local claims = 0
  for i, result in ipairs(results) do
    local step = one.steps[i]
    if result.problem then add(findings, step.line, step, "the step cannot run: %s", result.problem) end
    if result.blind then add(findings, step.line, step, "show fails: %s", result.view) end
    if result.question and not result.answer then
      add(findings, step.line, step, "the question has no answer: %s", sys.clean(result.question))
    end
    for _, claim in ipairs(result.claims) do
      claims = claims + 1
      if not claim.ok then
        add(findings, tonumber(claim.where:match ":(%d+)$"), step, "%s does not hold%s", sys.quote(claim.text),
          claim.why and ": " .. claim.why or "")
      end
    end
  end
  return claims
end

local function judge_checks(step, found, findings)
  local first
  for _, claim in ipairs(step.claims) do
    if claim.kind == "check" then
      if not found.without["check" .. claim.text] then return end
      first = first or claim
    end
  end
  if first then
    add(findings, first.line, step, "no check can fail: all of them hold without the act")
  end
end

local function judge_keeps(step, found, findings)
  for _, claim in ipairs(step.claims) do
    if claim.kind == "keep" then
      if not found.without["keep" .. claim.text] then
        add(findings, claim.line, step, "keep %s does not hold before the act", sys.quote(claim.text))
      elseif found.through and not found.failed and found.on_host["keep" .. claim.text] then
        add(findings, claim.line, step, "keep %s cannot fail: it holds with the act done on the host too",
          sys.quote(claim.text))
      end
    end
  end
end

local function call_of(result)
  for _, claim in ipairs(result.claims) do
    if claim.kind == "expect" and claim.ok then return claim.call end
  end
end

local function prove_step(one, options, root, result, findings)
  local step = one.steps[result.index]
  if not step.act or result.problem or result.skipped then return 0 end
  local status, found = runner.try(one, options, root, play_without(step))
  if status ~= 0 then return status end
  judge_checks(step, found, findings)
  judge_keeps(step, found, findings)
  local call = call_of(result)
  if call and #makers(call) == 0 then
    add(findings, step.line, step, "%s comes from %s, which a lesson cannot leave out: it is not proved",
      step.expect, call)
  elseif call then
    status, found = runner.try(one, options, root, play_left_out(step, call))
    if status == 0 and found then
      add(findings, step.line, step, "%s comes without the call of %s too: something else is refused",
        step.expect, call)
    end
  end
  return status
end


---Adds what the proofs find.
---@param one nslua.Lesson
---@param options table<string, any>
---@param root nslua.Rootfs?
---@param findings table[]
---@return integer status  not 0: they could not be made
---@return integer? claims  how many were proved
function proof.add(one, options, root, findings)
  local status, results = runner.try(one, options, root, play_all)
  if status ~= 0 then return status end
  local claims = judge_results(one, results, findings)
  for _, result in ipairs(results) do
    status = prove_step(one, options, root, result, findings)
    if status ~= 0 then return status end
  end
  return 0, claims
end


return proof
