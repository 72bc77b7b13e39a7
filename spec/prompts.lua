-- SPDX-License-Identifier: MIT
-- A prompt on a terminal of our own, with a state folder that goes with it.

local helpers = require "spec.helpers"
local terminal = require "spec.terminal"
local assert = require "luassert"
local ns = require "nslua"

local prompts = {}

-- What the prompts of specs look like, whatever the session thinks.
local PLAIN = '_PROMPT, _PROMPT2 = "> ", ">> "'


-- What every terminal begins with; ours may be another by now.
local function fresh_modes()
  local master <close>, slave = ns.pty()
  local _ <close> = slave
  return slave:tcgetattr()
end

---Starts one: editor= a library ("" is none, the default), env=, argv=, state=
---a folder, plain=false leaves the prompt as it is, shell=true lets a shell
---start it, as a job, before= what stands before it there.
function prompts.start(opts)
  opts = opts or {}
  local env = { NSLUA_READLINELIB = opts.editor or "", INPUTRC = "/dev/null", LANG = "C.UTF-8", SHELL = "/bin/sh",
    XDG_STATE_HOME = opts.state or prompts.folder(), LUA_INIT = opts.plain == false and "" or PLAIN }
  for name, value in pairs(opts.env or {}) do env[name] = value end
  local argv = { helpers.program, table.unpack(opts.argv or {}) }
  if opts.shell then argv = { "bash", "--norc", "-i" } end
  local t = terminal.start(argv, env)
  t.modes = fresh_modes()
  if opts.shell then
    t:expect "%$ "
    t:type((opts.before or "") .. helpers.program .. "\r")
  end
  t:expect "nslua %d[^\n]*\n"
  return t
end


---Types lines, each at a prompt of its own.
function prompts.lines(t, ...)
  for _, line in ipairs { ... } do
    t:expect "> "
    t:type(line .. "\r")
  end
end


---Ctrl-D: the prompt ends and leaves the terminal as it was. Returns its end.
-- It waits for a prompt that nothing was typed at yet: a Ctrl-D that comes while
-- a line still runs is a NUL byte to the editor.
function prompts.leave(t)
  if not t.shown:find("> $", (t.answered or 0) + 1) then t:expect "> $" end
  t:type "\4"
  local outcome = t:outcome()
  assert.equal(t.modes, t.tty:tcgetattr())
  t:__close()
  return outcome
end


local folders = {}

---A folder that is removed with the last spec of the file.
function prompts.folder()
  local path = ns.mkdtemp "/tmp/nslua-prompt-XXXXXX"
  folders[#folders + 1] = path
  return path
end

function prompts.clean()
  for _, path in ipairs(folders) do helpers.run { "rm", "-rf", path } end
  folders = {}
end


---A probe for helpers.need_it: can the program open this library?
function prompts.can_open(library)
  return function()
    local out = helpers.nslua(("print(package.loadlib('%s', '*'))"):format(library))
    return out:match "^true" ~= nil, library .. " is not installed"
  end
end

prompts.readline, prompts.libedit = "libreadline.so.8", "libedit.so.2"

function prompts.readline_it(name, fn) helpers.need_it(prompts.can_open(prompts.readline), name, fn) end

return prompts
