-- SPDX-License-Identifier: MIT
-- The command line beside that of the stock interpreter: the same command under
-- the same program name, the same output, messages and exit status.

local helpers = require "spec.helpers"
local ns = require "nslua"

local STOCK = "lua5.4"

-- Files that the commands find in their folder.
local files = {
  ["mod.lua"] = "print('mod loaded', ...); return { x = 15 }",
  ["lib-v2.lua"] = "return { id = 'two' }",
  ["broken.lua"] = "error 'no module'",
  ["loads.lua"] = "print(type(arg), arg[0])",
  ["args.lua"] = [[
    for i = -9, #arg do if arg[i] then print(i, arg[i]) end end
    print(select('#', ...), ...)]],
  ["bang.lua"] = "#!/usr/bin/env lua\nprint 'after the bang'; error 'line'",
  ["comment.lua"] = "# no line end",
  ["binary.lua"] = "# a comment\n" .. string.dump(load "print 'dumped'", true),
  ["bom.lua"] = "\xEF\xBB\xBFprint 'bom'",
  ["bomcomment.lua"] = "\xEF\xBB\xBF# text\nprint 'bom and comment'",
  ["halfbom.lua"] = "\xEF\xBBprint 'no'",
  ["-"] = "print 'the file named -'",
  ["-x.lua"] = "print('odd name', ...)",
  ["syntax.lua"] = "x = = 2",
  ["deep.lua"] = [[
    local function f(n) if n == 0 then error 'deep' end f(n - 1); return 1 end
    f(50)]],
  ["object.lua"] = [[
    local m = setmetatable({}, { __tostring = function()
      return 'line ' .. require 'debug'.getinfo(4).currentline
    end })

    error(m)]],
  ["close.lua"] = [[
    local function closing(text)
      return setmetatable({}, { __close = function(_, e) print(text, e) end })
    end
    local a <close> = closing 'first'
    local b <close> = closing 'second'
    os.exit(%s, true)]],
  ["warn.lua"] = [[
    warn('@what') warn('@off', 'x', '@off') warn('@off') warn('@on', 'y')
    warn('@off') warn('@on') warn('', '@on') warn('@on') warn('a', 'b', 'c')]],
  ["gc.lua"] = [[
    for _, name in ipairs { 'one', 'two' } do
      _G[name] = setmetatable({}, { __gc = function() error(name) end })
    end]],
  ["lastgc.lua"] = [[
    setmetatable({}, { __gc = function() print 'last' end })
    setmetatable({}, { __gc = function()
      print 'first'
      setmetatable({}, { __gc = function() print 'never' end })
      print(collectgarbage())
      os.exit(0, true)
    end })]],
  ["unclosed.lua"] = "io.output 'written'; io.write 'kept'",
}
files["closefalse.lua"] = files["close.lua"]:format "false"
files["close.lua"] = files["close.lua"]:format "true"

-- { what it shows, command, standard input }
local cases = {
  { "an unknown letter is refused", "lua -h" },
  { "three dashes are refused", "lua ---" },
  { "a long option of nobody's is refused", "lua --unknown x.lua" },
  { "-E stands alone", "lua -Ex" },
  { "-v stands alone", "lua -vv" },
  { "-i stands alone", "lua -iv" },
  { "-W stands alone", "lua -Wx" },
  { "-e needs code", "lua -e" },
  { "-e takes no option for code", "lua -e -v" },
  { "-l needs a module", "lua -l" },
  { "a wrong option later keeps the earlier from running", "lua -e 'print(1)' -x" },
  { "-v prints the version", "lua -v" },
  { "-v comes before -e", "lua -e 'print [[hello]]' -v" },
  { "-v with a script", "lua -v args.lua" },
  { "-e runs code, attached too", "lua '-eprint(1)' -ea=3 -e 'print(a)'" },
  { "-e with nothing in it", "lua -e ''" },
  { "-e has no arguments", "lua -e 'print(...)' args.lua a" },
  { "-e that does not compile", "lua -e a" },
  { "-e that fails stops the rest", "lua -e 'error [[x]]' -e 'print(2)'; echo $?" },
  { "-e cannot change what runs with return", "lua -e 'return 3'; echo $?" },
  { "options run in their order", "lua -e 'x=1' -l mod -e 'print(x, mod.x)' -lstring" },
  { "-l sets a global", "lua -lmod -e 'print(mod.x)'" },
  { "-l with a name of one's own", "lua -l 's=string' '-lm=math' -e 'print(s.upper [[a]], m.max(1, 2))'" },
  { "-l of what is not there", "lua -l no.such.module" },
  { "-l of what fails", "lua -l broken -e 'print(1)'" },
  { "-l with an empty name", "lua -l g= -e 'print(g)'" },
  { "-l with a version suffix", "lua -l lib-v2 -e 'print(_G[\"lib-v2\"].id)'" },
  { "a library sees arg", "lua -lloads args.lua" },
  { "the environment is not looked at with -E",
    "LUA_INIT='error(1)' LUA_PATH=xxx LUA_CPATH=xxx lua -E -e 'print(package.path, package.cpath)'" },
  { "LUA_INIT runs first and sees arg", "LUA_INIT='print(arg[0], arg[1])' lua args.lua one" },
  { "LUA_INIT may be empty", "LUA_INIT= lua -e 'print(1)'" },
  { "LUA_INIT_5_4 comes before LUA_INIT", "LUA_INIT='print(1)' LUA_INIT_5_4='print(2)' lua -e ''" },
  { "LUA_INIT may name a file", "LUA_INIT=@mod.lua lua -e ''" },
  { "LUA_INIT may name a file that is not there", "LUA_INIT=@none.lua lua -e 'print(1)'" },
  { "an error in LUA_INIT says so", "LUA_INIT='error [[msg]]' lua -e 'print(1)'" },
  { "an error in LUA_INIT_5_4 says so", "LUA_INIT_5_4='x = =' lua -e 'print(1)'" },
  { "LUA_PATH", "LUA_PATH='x;;y' lua -e 'print(package.path)'" },
  { "LUA_PATH_5_4", "LUA_PATH=x LUA_PATH_5_4=y lua -e 'print(package.path)'" },
  { "LUA_CPATH", "LUA_CPATH=';;' lua -e 'print(package.cpath)'" },
  { "LUA_CPATH_5_4", "LUA_CPATH=x LUA_CPATH_5_4=y lua -e 'print(package.cpath)'" },
  { "no environment at all", "env -i \"$(command -v lua)\" -e 'print(package.path, package.cpath)'" },
  { "arg and ...", "lua '-e ' -W -- args.lua a b '' c" },
  { "arg without a script", "lua -e 'for i = 0, 5 do print(i, arg[i]) end' -W" },
  { "what follows a script is its own", "lua args.lua -e --batch -- -v" },
  { "arg may be changed before the script runs", "lua -e 'arg[2] = 100' args.lua a" },
  { "arg must stay a table", "lua -e 'arg = 1' args.lua" },
  { "three hundred arguments", "lua -e 'x = 1' args.lua $(seq 300)" },
  { "a script that is not there", "lua none.lua" },
  { "a folder as a script", "lua ." },
  { "a script that does not compile", "lua syntax.lua" },
  { "a script with an interpreter line", "lua bang.lua" },
  { "a script that is one comment", "lua comment.lua" },
  { "a compiled script under a comment", "lua binary.lua" },
  { "a byte order mark", "lua bom.lua" },
  { "a byte order mark and a comment", "lua bomcomment.lua" },
  { "a broken byte order mark", "lua halfbom.lua" },
  { "- is standard input", "lua - -h a", "print(arg[0], arg[1], ...)" },
  { "-- ends the options", "lua -- -x.lua a" },
  { "-- before - makes it a file", "lua -- -", "print 'input'" },
  { "-- without a script reads standard input", "lua --", "print(arg[0], ...)" },
  { "standard input as the script", "lua", "print(\n1, a\n)" },
  { "standard input with an error", "lua", "local x\nerror 'here'" },
  { "empty standard input", "lua", "" },
  { "standard input is not read after -e", "lua -e 'print(1)'", "print(2)" },
  { "standard input left for the script", "lua -e 'print(io.read())'", "text" },
  { "closed standard input", "lua <&-; lua - <&-; lua -i <&-" },
  { "closed standard output", "lua -v >&-; lua -e 'print(1)' >&-; echo $? >&2" },
  { "a full disk", "lua -e 'print(1)' > /dev/full; lua -v > /dev/full; echo $? >&2" },
  { "a long traceback is cut", "lua deep.lua" },
  { "a stack overflow", "lua -e 'local function f() return 1 + f() end f()' 2>&1 | grep -v skipping" },
  { "an error object that has a text", "lua object.lua" },
  { "an error object without a text", "lua -e 'error {}'" },
  { "an error object whose text is none", "lua -e 'error(setmetatable({}, {__tostring = function() return 1 end}))'" },
  { "an error object whose text fails", "lua -e 'error(setmetatable({}, {__tostring = function() error [[x]] end}))'" },
  { "nil as an error", "lua -e 'error()'; lua -e 'error(nil)'" },
  { "a number, a function as an error", "lua -e 'error(12)'; lua -e 'error(1.5)'; lua -e 'error(print)'" },
  { "an error in a coroutine", "lua -e 'coroutine.wrap(function() error [[co]] end)()'" },
  { "an error while closing a variable",
    "lua -e 'local x <close> = setmetatable({}, {__close = function() error [[c]] end})'" },
  { "os.exit", "lua -e 'os.exit(3)'; echo $?; lua -e 'os.exit(nil, true)'; echo $?; lua -e 'os.exit(false)'; echo $?" },
  { "os.exit closes variables", "lua close.lua; echo $?; lua closefalse.lua" },
  { "an open file is written at the end", "lua unclosed.lua; cat written" },
  { "finalizers at the end", "lua lastgc.lua" },
  { "errors in finalizers are warnings", "lua -W gc.lua; lua gc.lua" },
  { "warnings and their controls", "lua -W warn.lua; lua warn.lua; lua -e 'warn [[@on]]' warn.lua" },
  { "a warning needs a string", "lua -W -e 'print(pcall(warn)); print(pcall(warn, [[NO]], {})); warn [[yes]]'" },
  { "the collector is generational", "lua -e 'print(collectgarbage [[incremental]])'" },
  { "no global of ours",
    "lua -e 'local t = {} for k in pairs(_G) do t[#t + 1] = k end table.sort(t) print(table.concat(t, [[ ]]))'" },
  { "debug.debug", "lua -e 'debug.debug()'", "io.stderr:write(1000)\ncont\n" },
  { "-i prints expressions", "lua -i", "(6*2-6) -- x\na =\n10\nprint(a)\na\n1, nil, 'x'\n\nnil\nreturn 5" },
  { "-i reads = lines", "lua -i", "a = [[b\nc\nd]]\n=a\n=1,2\n=" },
  { "-i reads as many lines as it takes", "lua -i",
    "function f(x)\n\nif x then return 1, 2 end --[[ y\n]]\nreturn [[\nz]]\nend\nf(1)\nf()\n" },
  { "-i with errors", "lua -i", "error 'x'\nerror {}\nx y\nprint(1)\nlocal z = 1\nz\n" },
  { "-i when the print is broken", "lua -e 'print = nil' -i", "10\n" },
  { "-i after a script", "lua -i args.lua a", "print(arg[1])\n" },
  { "-i after a script that failed", "lua -i syntax.lua", "print(1)\n" },
  { "-i with prompts of one's own", "lua -e \"_PROMPT='alo' _PROMPT2='more'\" -i", "a =\n2\n" },
  { "-i with empty prompts", "lua -e \"_PROMPT='' _PROMPT2=''\" -i", "a =\n2\na\n" },
  { "-i with prompts that are objects",
    "lua -e 'n = 0 _PROMPT = setmetatable({}, {__tostring = function() n = n + 1 return n .. [[]] end})' -i",
    "--\na = 2\n" },
  { "-i with prompts that are numbers", "lua -e '_PROMPT = 10' -i", "a\n" },
  { "-i knows no local after its line", "lua -i", "local l = 1\nl\n" },
  { "-i and os.exit", "lua -i; echo $?", "os.exit(4)\nprint(1)\n" },
}

local clean = { "env" }
for _, name in ipairs { "INIT", "INIT_5_4", "PATH", "PATH_5_4", "CPATH", "CPATH_5_4" } do
  table.insert(clean, "-u")
  table.insert(clean, "LUA_" .. name)
end

local function stock_path()
  return helpers.run { "sh", "-c", "command -v " .. STOCK }:match "[^\n]+"
end

local function has_stock()
  return stock_path() ~= nil, STOCK .. " is not installed"
end

describe("the command line", function()
  local folder

  setup(function()
    folder = ns.mkdtemp "/tmp/nslua-main-XXXXXX"
    for name, text in pairs(files) do
      local f <close> = assert(io.open(folder .. "/" .. name, "w"))
      f:write(text)
    end
    for name, program in pairs { stock = stock_path(), ours = helpers.program } do
      os.execute(("mkdir %s/%s && ln -s '%s' %s/%s/lua"):format(folder, name, program, folder, name))
    end
  end)

  teardown(function() os.execute("rm -r " .. folder) end)

  -- Runs a command in which `lua` is one of the two. What the usage text says
  -- beyond its first line is each program's own.
  local function run(which, command, input)
    local argv = table.move(clean, 1, #clean, 1, {})
    table.move({ "TERM=dumb", ("PATH=%s/%s:/usr/bin:/bin"):format(folder, which),
                 "sh", "-c", command }, 1, 5, #argv + 1, argv)
    local out, err, status = helpers.run(argv, { cwd = folder, stdin = input or "" })
    return { out = out, err = err:gsub("(usage: lua [^\n]*).*", "%1"), status = status }
  end

  for _, case in ipairs(cases) do
    helpers.need_it(has_stock, "is that of lua: " .. case[1], function()
      assert.same(run("stock", case[2], case[3]), run("ours", case[2], case[3]))
    end)
  end
end)
