-- SPDX-License-Identifier: MIT
-- The least that deserves the name of a shell, for a root without one: words,
-- quotes, $NAME, "a; b", "a && b", "a || b", cd, exit, exec. No pipes, no files.

local sys = require "nslua.sys"
local ns = sys.primitives

local sh = {}

local state = { status = 0 }


local function variable(name)
  if name == "$" then return tostring(ns.getpid()) end
  if name == "?" then return tostring(state.status) end
  return os.getenv(name) or ""
end

local function expand(text)
  return (text:gsub("%$([%a_][%w_]*)", variable):gsub("%$([?$])", variable))
end

-- One word from `at` on: its text and where it ends.
local function read_word(line, at)
  local word = ""
  while at <= #line do
    local c = line:sub(at, at)
    if c == "'" then
      local close = line:find("'", at + 1, true) or error "a quote is open"
      word, at = word .. line:sub(at + 1, close - 1), close + 1
    elseif c == '"' then
      local close = line:find('"', at + 1, true) or error "a quote is open"
      word, at = word .. expand(line:sub(at + 1, close - 1)), close + 1
    elseif c == "\\" then
      word, at = word .. line:sub(at + 1, at + 1), at + 2
    elseif c:find "[%s;&|<>()]" then
      break
    else
      local plain = line:match("^[^%s;&|<>()'\"\\]+", at)
      word, at = word .. expand(plain), at + #plain
    end
  end
  return word, at
end

-- The command that begins at `at`: its words, the operator after it ("&&", "||",
-- ";" or nil at the end of the line) and where the next one begins.
local function parse(line, at)
  local words = {}
  while true do
    at = line:find("%S", at)
    if not at or line:sub(at, at) == "#" then return words end
    local operator = line:match("^&&", at) or line:match("^||", at) or line:match("^;", at)
    if operator then return words, operator, at + #operator end
    if line:find("^[&|<>()]", at) then
      error(("this shell does not know %s"):format(line:sub(at, at)), 0)
    end
    words[#words + 1], at = read_word(line, at)
  end
end

local builtins = {}

function builtins.cd(argv)
  ns.chdir(argv[2] or os.getenv "HOME" or "/")
  return 0
end

function builtins.exit(argv)
  io.stdout:flush()
  os.exit(tonumber(argv[2]) or state.status)
end

function builtins.exec(argv)
  ns.exec { table.unpack(argv, 2) }
end

builtins[":"] = function() return 0 end

local function execute(argv)
  if builtins[argv[1]] then return builtins[argv[1]](argv) end
  local child <close> = ns.fork(function()
    local _, err = pcall(ns.exec, argv)
    io.stderr:write("sh: ", sys.clean(argv[1]), ": ", err.name == "ENOENT" and "not found"
      or sys.clean(err.message), "\n")
    ns._exit(127)
  end)
  local _, how, code = child:wait()
  return how == "signal" and 128 + code or code
end

-- Each command is read when those before it have run: $? is theirs.
local function run_line(line)
  local at, after = 1, ";"
  local ok, err = pcall(function()
    while at do
      local words, operator, next_at = parse(line, at)
      local skip = after == "&&" and state.status ~= 0 or after == "||" and state.status == 0
      if #words > 0 and not skip then state.status = execute(words) end
      at, after = next_at, operator
    end
  end)
  if not ok then
    io.stderr:write("sh: ", sys.clean(type(err) == "table" and err.message or tostring(err)), "\n")
    state.status = 2
  end
end


---sh, sh -c LINE, sh FILE
---@param argv string[]
---@return integer status
function sh.main(argv)
  if argv[1] == "-c" or argv[1] == "-lc" then
    for line in (argv[2] or ""):gmatch "[^\n]+" do run_line(line) end
    return state.status
  end
  local file = argv[1] and argv[1]:sub(1, 1) ~= "-" and assert(io.open(argv[1])) or io.stdin
  local prompt = file == io.stdin and ns.isatty(0)
  while true do
    if prompt then
      io.stderr:write(ns.geteuid() == 0 and "# " or "$ ")
    end
    local line = file:read "l"
    if not line then return state.status end
    run_line(line)
  end
end

return sh
