-- SPDX-License-Identifier: MIT
-- The --words of nslua's own on the command line: what they are, what they
-- take, and whom they call. The program loads this only when one is given, or
-- when a script returned a lesson.

local sys = require "nslua.sys"

local cli = {}

local version = "nslua " .. sys.version .. " (" .. sys.lua_release .. ")"

local help = [==[
usage: nslua [options] [script [args]]     a Lua script, or a lesson
       nslua [options]                     a prompt to experiment at
       nslua --batch|--list|--lint|--export=FORMAT [options] lesson...

nslua is Lua 5.4 with Linux namespaces in it. A lesson is a Lua file too: run
it like any script. No option is needed for that, and mostly no root.

Lessons
  --list [lesson...]      what lessons there are (or these): what they need,
                          and whether they can run on this machine
  --batch[=tap|json] lesson...
                          run them without a key press and check every claim
  --export=md|html|cast lesson...
                          write them down with their real output (cast is an
                          asciicast recording)
  --frozen DOCUMENT lesson...
                          run them again and compare with what was exported
  --lint lesson...        look for mistakes, and prove that each check can fail
  --new FILE              write a small lesson with comments to start from
  --forget lesson...      forget how far you came

For a lesson, with or without the above
  --rootfs=SOURCE         the root file system of its boxes: a directory, a
                          tarball, a URL, or "alpine"
  --plain                 plain text from top to bottom, no screen
  --color=WHEN            auto, always or never (NO_COLOR is honoured)
  --traceback             show every frame of an error, ours too

The machine
  --doctor                what this machine allows, why not, and what helps
  --doctor=json           the same for programs
  --doctor=fix            only the remedies, to copy, with what each weakens
  --version               the versions of nslua and Lua
  --help                  this text

Options of lua, as everywhere
  -e CODE   run a piece of code           -i   then give a prompt
  -l MOD    require a module (-l g=MOD)   -v   print Lua's version
  -W        turn warnings on              -E   look at no environment variable
  -         the script is standard input  --   end of the options

Options stand before the script; what follows it is the script's own (`arg`).

Exit status: 0 all went well or every check held; 1 an error or a failed check;
2 wrong use of these options; 77 this machine cannot; 130 interrupted.

Environment: LUA_INIT, LUA_PATH and LUA_CPATH as lua has them; NO_COLOR;
NSLUA_READLINELIB, the line editor of the prompt (empty: none); NSLUA_DEV, a
source tree to read nslua's own modules from.
]==]


-- value: may it be given, must it, or which words it can be.
-- action: the option is what to do; the others only say how.
-- lessons: how many operands the action takes, at least and at most.
local options = {
  batch     = { value = { "tap", "json" }, action = true, lessons = { 1 } },
  list      = { value = { "json" }, action = true, lessons = { 0 } },
  lint      = { action = true, lessons = { 1 } },
  export    = { value = { "md", "html", "cast", "svg", "dot" }, needed = true,
                action = true, lessons = { 1 } },
  frozen    = { action = true, lessons = { 2 } },
  new       = { action = true, lessons = { 1, 1 } },
  forget    = { action = true, lessons = { 1 } },
  doctor    = { value = { "json", "fix" }, action = true, lessons = { 0, 0 } },
  help      = { action = true, lessons = { 0, 0 } },
  version   = { action = true, lessons = { 0, 0 } },
  rootfs    = { value = "any", needed = true },
  color     = { value = { "auto", "always", "never" }, needed = true },
  plain     = {},
  traceback = {},
}

-- What was given for this run: name -> value, or true.
cli.options = {}


local function check_value(name, value)
  local option = options[name]
  if not value then
    if not option.needed then return true end
    local words = option.value
    return nil, ("--%s needs a value: --%s=%s"):format(name, name,
      words == "any" and "SOURCE" or table.concat(words, "|"))
  end
  if not option.value then
    return nil, ("--%s takes no value"):format(name)
  end
  if option.value == "any" then
    if value == "" then return nil, ("--%s has an empty value"):format(name) end
    return true
  end
  for _, word in ipairs(option.value) do
    if word == value then return true end
  end
  return nil, ("--%s cannot be '%s': it is %s"):format(name, value,
    table.concat(option.value, ", "))
end


-- { "--batch", "--rootfs=x" } -> { batch = true, rootfs = "x" }, "batch"
local function parse(words)
  local given, action = {}, nil
  for _, word in ipairs(words) do
    local name, value = word:match "^%-%-([^=]*)=?(.*)$"
    if not word:find("=", 1, true) then value = nil end
    local ok, message = check_value(name, value)
    if not ok then return nil, message end
    if options[name].action then
      if action and action ~= name then
        return nil, ("--%s and --%s do not go together"):format(action, name)
      end
      action = name
    end
    given[name] = value or true
  end
  return given, action
end


local function check_operands(action, operands)
  local least, most = table.unpack(options[action].lessons)
  if #operands < least then
    local what = action == "new" and "the name of a file to write"
      or action == "frozen" and "an exported document and its lessons"
      or "a lesson"
    return nil, ("--%s needs %s"):format(action, what)
  end
  if most and #operands > most then
    return nil, ("--%s does not know what to do with '%s'"):format(action,
      operands[most + 1])
  end
  return true
end


local actions = {}

local function write(what)
  local ok, why = io.write(what)
  if ok then ok, why = io.stdout:flush() end
  if not ok then return 1, "standard output: " .. why end
  return 0
end

function actions.help()
  return write(help)
end

function actions.version()
  return write(version .. "\n" .. sys.lua_copyright .. "\n")
end

function actions.doctor(given)
  return require "nslua.doctor".main(given.doctor)
end

local function lesson_mode(given, operands)
  return require "nslua.lesson".main(given, operands)
end


---Does what the --words ask for.
---@param words string[]     the options of our own, in their order
---@param operands string[]  what stands after the options
---@return integer? status   the exit status; nil: go on as lua does
---@return string? message   for standard error
function cli.main(words, operands)
  local given, action = parse(words)
  if not given then return 2, action .. " (--help explains)" end
  cli.options = given
  if not action then return nil end
  local ok, message = check_operands(action, operands)
  if not ok then return 2, message .. " (--help explains)" end
  return (actions[action] or lesson_mode)(given, operands)
end


---Runs a lesson that a script returned, with the options that were given.
---@param lesson table
---@return integer status
function cli.lesson(lesson)
  return require "nslua.lesson".main(cli.options, { lesson })
end


return cli
