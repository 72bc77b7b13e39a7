-- SPDX-License-Identifier: MIT
-- Lessons: ns.lesson{...} makes one from a table and touches nothing; main
-- runs, lists, checks or exports what the command line names.

local sys = require "nslua.sys"
local schema = require "nslua.lesson.schema"
local source = require "nslua.lesson.source"

---@class nslua.Lesson  a table that was checked: id, title, needs, steps

local lesson = {}

-- The program knows a lesson that a script returns by this name.
local metatable = { __name = "nslua.lesson" }

function metatable.__tostring(self)
  return ("lesson %s: %s (%d steps)"):format(self.id, sys.clean(self.title), #self.steps)
end


-- -- what an author wrote ---------------------------------------------------

-- All that is wrong, told like a compiler; `problems` keeps it for --lint.
local mistake = {
  __name = "nslua.LessonError",
  __tostring = function(self)
    local lines = {}
    for i, problem in ipairs(self.problems) do
      lines[i] = ("%s:%d: %s"):format(sys.clean(self.file), problem.line, problem.text)
    end
    return table.concat(lines, "\n")
  end,
}

lesson.mistake = mistake

-- check and keep as one list, in the order of their lines in the file.
local function claims_of(step, shape)
  local claims = {}
  for _, kind in ipairs { "check", "keep" } do
    local entry = shape and shape.fields[kind]
    for text, fn in pairs(step[kind] or {}) do
      local place = entry and entry.shape and entry.shape.fields[text]
      local _, line = source.where(fn)
      claims[#claims + 1] = { text = text, fn = fn, kind = kind, line = place and place.line or line,
        order = place and place.order or 0 }
    end
  end
  table.sort(claims, function(a, b)
    if a.line ~= b.line then return a.line < b.line end
    if a.order ~= b.order then return a.order < b.order end
    return a.text < b.text
  end)
  return claims
end

local function code_of(act)
  if not act then return nil end
  local _, body = source.of(act)
  return body
end

local function make_step(i, step, entry, self)
  local made = { index = i, id = ("%s/%d"):format(self.id, i), title = step[1], lesson = self }
  for key, value in pairs(step) do
    if type(key) == "string" then made[key] = value end
  end
  made.act = step.run or step.solution
  made.line = entry and entry.line or self.line
  made.claims = claims_of(step, entry and entry.shape)
  made.code = code_of(made.act)
  made.shell = step.shell and source.dedent(step.shell):gsub("^%s*\n", ""):gsub("%s+$", "")
  return made
end

local function make(written, shape, file, line)
  local self = { file = file, line = line, steps = {}, needs = {} }
  for key, value in pairs(written) do
    if type(key) == "string" then self[key] = value end
  end
  for i, step in ipairs(written) do
    self.steps[i] = make_step(i, step, shape and shape.items[i], self)
  end
  for _, word in ipairs(self.needs) do self.needs[word] = true end
  return setmetatable(self, metatable)
end

-- A function of the lesson's; `return ns.lesson{...}` is a tail call, which
-- leaves no trace of the chunk that made it.
local function any_function(written)
  local found
  local function look(value, depth)
    if type(value) == "function" and debug.getinfo(value, "S").what ~= "C" then found = value end
    if type(value) ~= "table" or depth > 3 then return end
    for _, one in next, value do
      if not found then look(one, depth + 1) end
    end
  end
  look(written, 0)
  return found
end

-- The chunk that calls ns.lesson and, when it is known, the line.
local function caller(written)
  local info = debug.getinfo(3, "Slt")
  if info and info.what ~= "C" and not debug.getinfo(2, "t").istailcall then
    return info.source, info.currentline
  end
  local fn = any_function(written)
  if fn then return debug.getinfo(fn, "S").source, 1 end
  return source.loading or "@" .. tostring(arg and arg[0] or "?"), 1
end


---A lesson. Nothing runs here: the program that gets it returned runs it.
---
---    return ns.lesson {
---      id = "my-uts", title = "A hostname of its own", box = { "uts" },
---      { "Rename the box", run = function(t) t.box:call(ns.sethostname, "box") end,
---        check = { ["it is renamed"] = function(t) return t.box:hostname() == "box" end } },
---    }
---
---The lesson has id, title, needs, box or boxes, done and its steps; a step
---has a title, say, shell, run (or solution), show, check, keep, expect,
---observe, hint, ask and skip: a function that says why this machine cannot do
---the step, or nil. t.host, t.root and t.note are the lesson's own, and stay.
---t.note(kind, path) writes down what is to be removed ("rmdir", "unlink",
---"umount"), whatever ends the lesson, before it is made.
---Raises: every mistake in the table, with its file and line.
---@param written table
---@return nslua.Lesson
function lesson.lesson(written)
  if type(written) ~= "table" then
    error(("bad argument #1 to 'lesson' (table expected, got %s)"):format(type(written)), 2)
  end
  local name, line = caller(written)
  local chunk = source.chunk(name)
  local shape = chunk and source.call_shape(chunk.tokens, "lesson", line)
  local file = name:match "^[@=](.*)" or "a piece of code"
  line = shape and shape.line or line
  local problems = schema.check(written, shape, line)
  if problems[1] then
    error(setmetatable({ file = file, problems = problems }, mistake), 0)
  end
  return make(written, shape, file, line)
end


---Is this value a lesson?
---@param value any
---@return boolean
function lesson.is(value)
  return getmetatable(value) == metatable
end


---Says on standard error what is wrong: mistakes in a lesson as a compiler does.
---@param problem any
function lesson.complain(problem)
  local said = tostring(problem)
  if debug.getmetatable(problem) ~= mistake then
    said = "nslua: " .. said:gsub("\n", "\nnslua: ")
  end
  io.stdout:flush()
  io.stderr:write(said, "\n")
end


-- -- the command line -------------------------------------------------------

local modes = {
  batch = "nslua.lesson.batch", list = "nslua.lesson.list", lint = "nslua.lesson.lint",
  new = "nslua.lesson.new", export = "nslua.lesson.export", frozen = "nslua.lesson.export",
  forget = "nslua.lesson.progress",
}


local function do_mode(given, operands)
  if given.color then require "nslua.text".choose { color = given.color } end
  for mode, module in pairs(modes) do
    if given[mode] then
      if not package.preload[module] then
        return 2, ("--%s is not written yet"):format(mode)
      end
      return require(module).main(given, operands)
    end
  end
  return require "nslua.lesson.batch".main(given, operands)
end


---Is this what Ctrl-C raises?
---@param err any
---@return boolean
function lesson.interrupted(err)
  return type(err) == "string" and err:find "interrupted!" ~= nil
end


---Does what the command line asks for with lessons.
---@param given table<string, string|true>  its options
---@param operands (string|nslua.Lesson)[]  files, or a lesson that was loaded
---@return integer status  0, 1, 2, 77 or 130
---@return string? message  for standard error
function lesson.main(given, operands)
  local out = require "nslua.lesson.out"
  out.begin()
  local ok, status, message = pcall(do_mode, given, operands)
  if not ok and not lesson.interrupted(status) then error(status, 0) end
  if not ok then status = 130 end
  if not out.flush() and status == 0 then status = 1 end
  return status, message
end


return lesson
