-- SPDX-License-Identifier: MIT
-- A prompt on a terminal of our own: for each line it reads it does arg[1] once
-- and answers with a line. arg[2...] is the program.
--   ready     starts it and waits for its prompt
--   keys      types 20 characters, each when the one before it was echoed
--   complete  asks a session what may stand behind a table of 10,000 fields

local ns = require "nslua"

local way = arg[1]
local argv = table.move(arg, 2, #arg, 1, { [0] = nil })
local state = ns.mkdtemp "/tmp/nslua-bench-XXXXXX"
local full = { "env", "TERM=xterm", "INPUTRC=/dev/null", "LANG=C.UTF-8", "HISTFILE=/dev/null",
  "XDG_STATE_HOME=" .. state, "LUA_INIT=_PROMPT='@ '" }
table.move(argv, 1, #argv, #full + 1, full)

local function start()
  return ns.clone({ session = true, stdin = "tty", stdout = "tty", stderr = "tty", die_with_parent = true }, full)
end

-- Reads until the pattern is there.
local function await(tty, pattern)
  local shown = ""
  repeat shown = shown .. tty:read(65536) until shown:find(pattern)
end

local ways = {}

function ways.ready()
  local child <close> = start()
  await(child.tty, "@ ")
end

local typist

function ways.keys()
  if not typist then
    typist = start()
    await(typist.tty, "@ ")
  end
  for i = 0, 19 do
    local key = string.char(97 + i)
    typist.tty:write(key)
    await(typist.tty, key)
  end
  typist.tty:write "\21print(#'gone')\r"
  await(typist.tty, "4\r\n.*@ ")
end

local session

function ways.complete()
  if not session then
    local big = {}
    for i = 1, 10000 do big["field" .. i] = i end
    session = require "nslua.repl".new { env = { big = big } }
  end
  assert(#session:complete("print(big.field").items > 0)
end

for _ in io.lines() do
  ways[way]()
  print()
  io.stdout:flush()
end
os.execute("rm -rf " .. state)
