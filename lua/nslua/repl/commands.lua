-- SPDX-License-Identifier: MIT
-- Lines that are no Lua: `?name`, `!shell`, `:word`. What needs a terminal or
-- a process of its own goes back as an action for the prompt.

local sys = require "nslua.sys"
local text = require "nslua.text"

local commands = {}


local function say(s, extra)
  local outcome = extra or {}
  outcome.ok, outcome.values, outcome.text, outcome.notes = true, { n = 0 }, s, outcome.notes or {}
  return outcome
end

local function refuse(fmt, ...)
  return { ok = false, values = { n = 0 }, notes = {}, text = fmt:format(...) }
end

local function maybe(word, names)
  local near = sys.nearest(word, names)
  return near and (' (did you mean "%s"?)'):format(near) or ""
end

-- An expression or statement, compiled in the session; or nil and an outcome.
local function compile(session, code)
  if not code:find "%S" then return nil, refuse "this wants an expression behind it" end
  local whole = "return " .. code
  local fn, problem = load(whole, "=stdin", "t", {})
  if not fn then
    whole = code
    fn, problem = load(code, "=stdin", "t", {})
  end
  if fn then fn, problem = session:compile(whole) end
  if fn then return fn end
  return nil, refuse("%s", text.clean((problem:gsub("stdin#%d+:", "stdin:"))))
end


-- -- the words ---------------------------------------------------------------

-- word -> { arguments, one line of help, function(session, rest) }
local words = {}
commands.words = words

local function duration(seconds)
  if seconds < 1e-3 then return ("%.1f us"):format(seconds * 1e6) end
  if seconds < 1 then return ("%.2f ms"):format(seconds * 1e3) end
  return ("%.2f s"):format(seconds)
end

-- What it gave or why it failed, with what was found out above or below it.
local function with_results(session, outcome, above, below)
  local said = outcome.text
  if outcome.ok then said = outcome.values.n > 0 and session:print_all(outcome.values) or "" end
  local parts = {}
  for _, part in ipairs { above, said, below } do
    if part ~= "" then parts[#parts + 1] = part end
  end
  outcome.text, outcome.notes = table.concat(parts, "\n"), {}
  return outcome
end

words.time = { "EXPR", "how long an expression takes", function(session, rest)
  local fn, problem = compile(session, rest)
  if not fn then return problem end
  local cpu = os.clock()
  local outcome = session:call(fn)
  cpu = math.min(os.clock() - cpu, outcome.seconds) -- the call has a price too
  return with_results(session, outcome, "", outcome.ok
    and ("%s (%s on the processor)"):format(duration(outcome.seconds), duration(cpu)) or "")
end }

words.trace = { "EXPR", "the system calls of an expression, as strace shows them", function(session, rest)
  local fn, problem = compile(session, rest)
  if not fn then return problem end
  local lines = {}
  local before = sys.set_trace(nil)
  local outcome = session:call(function()
    sys.set_trace(function(line) lines[#lines + 1] = text.clean(line) end)
    return fn()
  end)
  sys.set_trace(before)
  session:refresh()
  if #lines == 0 then lines[1] = "(no system call of a primitive)" end
  return with_results(session, outcome, table.concat(lines, "\n"), "")
end }

words.diff = { "EXPR", "what an expression changes: namespaces, mounts, ids, names, links", function(session, rest)
  local fn, problem = compile(session, rest)
  if not fn then return problem end
  local diff = require "nslua.repl.diff"
  local before = session:styled(diff.look, session)
  local outcome = session:call(fn)
  local changes = session:styled(function() return diff.compare(before, diff.look(session)) end)
  session:refresh()
  if #changes == 0 then changes[1] = "nothing changed" end
  outcome.changes = changes
  return with_results(session, outcome, "", table.concat(changes, "\n"))
end }

words.save = { "FILE", "the lines that went well so far, as a script", function(session, rest)
  local path = rest:match "^%s*(.-)%s*$"
  if path == "" then return refuse "save to which file?  :save FILE" end
  local n, problem = require("nslua.repl.save").write(session, path)
  if not n then return refuse("%s", text.clean(problem)) end
  return say(("%d %s saved to %s"):format(n, n == 1 and "line" or "lines", text.clean(path)))
end }

words.lesson = { "NAME", "a lesson, then back to here", function(session, rest)
  local lessons = require "nslua.repl.lessons"
  local name = rest:match "^%s*(.-)%s*$"
  if name == "" then return say(session:styled(lessons.overview)) end
  local known = lessons.names()
  for _, other in ipairs(known) do
    if other == name then return say("", { action = { kind = "lesson", name = name } }) end
  end
  if name:find "[/.]" then return say("", { action = { kind = "lesson", name = name } }) end
  return refuse('there is no lesson "%s"%s', text.clean(name), maybe(name, known))
end }

words.undo = { "", "back to before the last change of this process that has no way back", function()
  return say("", { action = { kind = "undo" } })
end }

words.bt = { "", "the traceback of the last error", function(session)
  local last = session.last_error
  if not last then return say "there was no error yet" end
  return say(session:traceback())
end }

words.help = { "[NAME]", "what the prompt can do, or the help on a name", function(session, rest)
  local name = rest:match "^%s*(.-)%s*$"
  return say(session:help(name ~= "" and name or nil))
end }

words.quit = { "", "leave (Ctrl-D)", function() return say("", { leave = true }) end }


---Every word, in order.
---@return string[]
function commands.names()
  local list = {}
  for word in pairs(words) do list[#list + 1] = word end
  table.sort(list)
  return list
end


-- -- the three beginnings ----------------------------------------------------

local function command(session, line)
  local word, rest = line:match "^%s*:([%w_]*)(.*)$"
  if word == "" then return say(session:help()) end
  local known = words[word]
  if not known then
    return refuse("there is no :%s%s; :help lists all", word, maybe(word, commands.names()))
  end
  return known[3](session, rest)
end

local function is_proc(v)
  local mt = type(v) == "userdata" and debug.getmetatable(v)
  return mt and rawget(mt, "__name") == "nslua.Proc"
end

-- "!ls" on the host, "!box ls" in the box of that name.
local function shell(session, line)
  local rest = line:match "^%s*!%s*(.-)%s*$"
  local name, tail = rest:match "^([%a_][%w_]*)%s*(.*)$"
  local proc = name and session:value(name)
  local action = { kind = "shell", command = rest ~= "" and rest or nil }
  if is_proc(proc) then
    action.proc, action.name = proc, name
    action.command = tail ~= "" and tail or nil
  end
  local code = action.proc and (action.command and ("%s:sh(%q)"):format(name, action.command)
    or name .. ":enter()") or action.command and ("os.execute(%q)"):format(action.command)
  if code then session.good[#session.good + 1] = { line = line, code = code } end
  return say("", { action = action })
end

local function question(session, line)
  local marks, name = line:match "^%s*(%?%??)%s*(.-)%s*$"
  if marks == "??" then return say(session:source(name)) end
  return say(session:help(name ~= "" and name or nil))
end

---Carries out a line that begins with `?`, `!` or `:`.
---@param session nslua.Session
---@param line string
---@return table outcome
function commands.run(session, line)
  local sign = line:match "^%s*(.)"
  if sign == "?" then return question(session, line) end
  if sign == "!" then return shell(session, line) end
  return command(session, line)
end

return commands
