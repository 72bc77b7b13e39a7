-- SPDX-License-Identifier: MIT
-- What a lesson's table may hold. Every mistake is told with its line and,
-- for a word that nobody knows, with the nearest one that is known.

local sys = require "nslua.sys"
local options = require "nslua.options"
local source = require "nslua.lesson.source"

local schema = {}

schema.version = 1
schema.views = { "hostname", "ids", "mounts", "namespaces", "ps" }

local NEEDS = { "rootfs", "net-host", "uid0", "links", "user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time" }


-- -- telling ----------------------------------------------------------------

-- Collects what is wrong; `where` is said in front: "step 2 (Title)".
local function add(report, entry, fmt, ...)
  local line = entry and entry.line or report.line
  report.problems[#report.problems + 1] = { line = line, text = report.where .. fmt:format(...) }
end

local function one_of(word, list)
  for _, known in ipairs(list) do
    if known == word then return true end
  end
  return false
end

local function suggest(word, list)
  local near = sys.nearest(word, list)
  return near and (" (did you mean %q?)"):format(near) or ""
end

local function shown(value)
  if type(value) == "string" then return sys.quote(value) end
  return type(value)
end

-- The place of a key in the table that is being read.
local function at(report, key)
  local shape = report.shape
  if not shape then return nil end
  if math.type(key) == "integer" then return shape.items[key] end
  return shape.fields[key]
end


-- -- kinds of values --------------------------------------------------------

local kinds = {}

local function of_type(name, article)
  return function(report, key, value)
    if type(value) ~= name then
      add(report, at(report, key), "%s is %s %s, not a %s", key, article, name, shown(value))
    end
  end
end

kinds.boolean = of_type("boolean", "a")
kinds["function"] = of_type("function", "a")

function kinds.text(report, key, value)
  if type(value) ~= "string" or not value:find "%S" then
    add(report, at(report, key), "%s is a text%s", key, value == "" and ", and not empty" or "")
  end
end

function kinds.id(report, key, value)
  if type(value) ~= "string" or not value:find "^%w[%w_-]*$" then
    add(report, at(report, key), "id is a word such as \"my-uts\": letters, digits, - and _")
  end
end

function kinds.needs(report, key, value)
  if type(value) ~= "table" then
    return add(report, at(report, key), "needs is a list of words, such as { \"pid\", \"rootfs\" }")
  end
  local entry = at(report, key)
  for i, word in ipairs(value) do
    local place = entry and entry.shape and entry.shape.items[i] or entry
    if type(word) ~= "string" then
      add(report, place, "needs[%d] is a word, not a %s", i, type(word))
    elseif not sys.nstype(word) and not word:find "^cgroup%.%l+$" and not one_of(word, NEEDS) then
      add(report, place, "needs: nobody knows %s%s", sys.quote(word), suggest(word, NEEDS))
    end
  end
  for name in pairs(value) do
    if math.type(name) ~= "integer" then add(report, entry, "needs is a list: %s is a key", shown(name)) end
  end
end

local function check_options(report, place, name, value)
  if type(value) ~= "table" then
    return add(report, place, "%s is a table of options, such as { \"uts\" }", name)
  end
  local ok, message = pcall(options.types, value)
  if not ok then add(report, place, "%s: %s", name, (tostring(message):gsub("^[^\n]-:%d+: ", ""))) end
end

function kinds.box(report, key, value)
  check_options(report, at(report, key), key, value)
end

function kinds.boxes(report, key, value)
  local entry = at(report, key)
  if type(value) ~= "table" or next(value) == nil then
    return add(report, entry, "boxes is a table of boxes: { left = { \"net\" }, right = { \"net\" } }")
  end
  for name, opts in pairs(value) do
    if type(name) ~= "string" then
      add(report, entry, "boxes: a box has a name, not the key %s", tostring(name))
    else
      local place = entry and entry.shape and entry.shape.fields[name] or entry
      check_options(report, place, "boxes." .. name, opts)
    end
  end
end

function kinds.view(report, key, value)
  if type(value) == "function" then return end
  if type(value) ~= "string" then
    add(report, at(report, key), "show is a function or one of %s", table.concat(schema.views, ", "))
  elseif not one_of(value, schema.views) then
    add(report, at(report, key), "show: no view is named %s%s", sys.quote(value), suggest(value, schema.views))
  end
end

function kinds.claims(report, key, value)
  local entry = at(report, key)
  if type(value) ~= "table" or next(value) == nil then
    return add(report, entry, "%s is a table of claims: { [\"the box is renamed\"] = function(t) ... end }", key)
  end
  for claim, fn in pairs(value) do
    local place = entry and entry.shape and entry.shape.fields[claim] or entry
    if type(claim) ~= "string" then
      add(report, place, "%s: a claim is a sentence, not %s", key, shown(claim))
    elseif type(fn) ~= "function" then
      add(report, place, "%s: %s has a %s, not a function", key, sys.quote(claim), type(fn))
    end
  end
end

local LAST_ERROR = 133 -- EHWPOISON

local function error_names()
  local names = {}
  for number = 1, LAST_ERROR do names[number] = sys.error(number, "").name end
  return names
end

function kinds.errno(report, key, value)
  if type(value) ~= "string" or not value:find "^E[A-Z0-9]+$" then
    return add(report, at(report, key), "expect is the name of an error, such as \"EPERM\"")
  end
  local names = error_names()
  if not one_of(value, names) then
    add(report, at(report, key), "expect: nobody knows the error %s%s", value, suggest(value, names))
  end
end

function kinds.texts(report, key, value)
  local ok = type(value) == "table" and #value > 0
  for _, one in ipairs(ok and value or {}) do
    ok = ok and type(one) == "string" and one:find "%S"
  end
  if not ok then add(report, at(report, key), "%s is a list of texts, and not empty", key) end
end

function kinds.question(report, key, value)
  if type(value) ~= "table" or type(value[1]) ~= "string" or value.answer == nil then
    return add(report, at(report, key), "ask is { \"question\", answer = a value or a function }")
  end
  for name in pairs(value) do
    if name ~= 1 and name ~= "answer" then
      add(report, at(report, key), "ask: nobody knows the key %s", shown(name))
    end
  end
end

function kinds.format(report, key, value)
  if math.type(value) ~= "integer" or value > schema.version or value < 1 then
    add(report, at(report, key), "this nslua reads lessons of format %d, not %s", schema.version,
      tostring(value))
  end
end


-- -- tables -----------------------------------------------------------------

local LESSON = {
  id = "id", title = "text", needs = "needs", box = "box", boxes = "boxes", done = "text",
  format = "format",
}
local STEP = {
  say = "text", shell = "text", run = "function", show = "view", check = "claims",
  keep = "claims", expect = "errno", observe = "boolean", hint = "texts", ask = "question",
  solution = "function", skip = "function",
}

local function names_of(known)
  local names = {}
  for name in pairs(known) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function check_fields(report, value, known)
  for key, one in pairs(value) do
    local kind = known[key]
    if kind then
      kinds[kind](report, key, one)
    elseif type(key) == "string" then
      add(report, at(report, key), "nobody knows the key %s%s", sys.quote(key), suggest(key, names_of(known)))
    elseif math.type(key) ~= "integer" then
      add(report, nil, "a key is a %s", type(key))
    end
  end
end

local function check_together(report, step)
  if step.run and step.solution then
    add(report, at(report, "solution"), "solution stands in place of run: a step has one of them")
  end
  if step.expect and not (step.run or step.solution) then
    add(report, at(report, "expect"), "expect needs a run that is refused")
  end
  if step.observe and (step.run or step.solution) then
    add(report, at(report, "observe"), "a step that only observes has no act")
  end
end

local function check_step(report, step)
  if type(step) ~= "table" then
    return add(report, nil, "a step is a table, not a %s", type(step))
  end
  if type(step[1]) ~= "string" or not step[1]:find "%S" then
    add(report, nil, "a step begins with its title: { \"Rename the box\", ... }")
  end
  for key in pairs(step) do
    if math.type(key) == "integer" and key ~= 1 then
      add(report, at(report, key), "only the title stands without a key; a comma or a key is missing")
    end
  end
  check_fields(report, step, STEP)
  check_together(report, step)
end

-- Says where a step begins when the table was not written down literally.
local function line_of(step)
  for _, key in ipairs { "run", "solution", "show" } do
    if type(step) == "table" and type(step[key]) == "function" then
      return select(2, source.where(step[key]))
    end
  end
end

local function step_name(i, step)
  local title = type(step) == "table" and type(step[1]) == "string" and step[1]
  return ("step %d%s: "):format(i, title and (" (%s)"):format(sys.clean(title)) or "")
end

-- Two functions that begin on one line could not be told apart on the screen.
local function check_lines(report, step, seen)
  local function look(fn, entry)
    if type(fn) ~= "function" then return end
    local where = source.where(fn)
    if seen[where] and seen[where] ~= fn and source.crowded(fn) then
      add(report, entry, "two functions begin on this line: give each a line of its own")
    end
    seen[where] = fn
  end
  for _, key in ipairs { "run", "solution", "show", "skip" } do look(step[key], at(report, key)) end
  for _, key in ipairs { "check", "keep" } do
    for _, fn in pairs(type(step[key]) == "table" and step[key] or {}) do look(fn, at(report, key)) end
  end
  if type(step.ask) == "table" then look(step.ask.answer, at(report, "ask")) end
end

local function by_line(a, b)
  if a.line ~= b.line then return a.line < b.line end
  return a.text < b.text
end


---What is wrong with a lesson's table.
---@param lesson table  what the author wrote
---@param shape table?  where it stands in its file (source.call_shape)
---@param line integer  the line to name when nothing better is known
---@return { line: integer, text: string }[] problems  in the order of their lines
function schema.check(lesson, shape, line)
  local report = { problems = {}, shape = shape, line = line, where = "" }
  check_fields(report, lesson, LESSON)
  if lesson.id == nil then add(report, nil, "a lesson has an id: id = \"my-uts\"") end
  if lesson.title == nil then add(report, nil, "a lesson has a title: title = \"...\"") end
  if lesson.box and lesson.boxes then add(report, at(report, "boxes"), "box and boxes do not go together") end
  local seen = {}
  if #lesson == 0 then add(report, nil, "a lesson has at least one step") end
  for i, step in ipairs(lesson) do
    local entry = shape and shape.items[i]
    report.where, report.shape = step_name(i, step), entry and entry.shape
    report.line = entry and entry.line or line_of(step) or line
    check_step(report, step)
    if type(step) == "table" then check_lines(report, step, seen) end
  end
  table.sort(report.problems, by_line)
  return report.problems
end


return schema
