-- SPDX-License-Identifier: MIT
-- What the program does beyond lua: nothing of ours is loaded unasked, clean
-- messages, Ctrl-C, children of a bare fork, no set-user-ID.

local helpers = require "spec.helpers"
local ns = require "nslua"

-- Starts Lua code in the background. Returns the process and what it writes.
local function start(code)
  local r, w = ns.pipe()
  local child = ns.fork(function()
    w:dup2(1)
    ns.exec { helpers.program, "-e", code }
  end)
  w:close()
  return child, r
end

describe("the program", function()
  it("loads no module of ours before it is asked to", function()
    local out = helpers.nslua [[
      for name in pairs(package.loaded) do
        if name:find "nslua" then print(name) end
      end]]
    assert.equal("", out)
  end)

  it("shows control bytes of an error, and leaves line ends and UTF-8", function()
    local _, err, status = helpers.nslua [[error("a\27[31m\r\b\x9b \xff\xc2\x9b é\tb\nc\x7f", 0)]]
    assert.equal("a\\x1B[31m\\x0D\\x08\\x9B \\xFF\\xC2\\x9B é\tb\nc\\x7F\n", err:match ": (.-\n.-\n)")
    assert.equal(1, status)
  end)

  it("shows control bytes of a file's name, an option and a warning", function()
    local function printed(args)
      local _, err = helpers.nslua(args)
      return err:match ": ([^\n]*)"
    end
    assert.matches("^cannot open \\x1B%[0m", printed { "\27[0m" })
    assert.equal("unrecognized option '-\\x1B'", printed { "-\27" })
    assert.equal("w\\x07w", printed { "-W", "-e", "warn('w', '\7', 'w')" })
  end)

  it("shows no frames of nslua's own modules, but with --traceback", function()
    local path = os.tmpname()
    do
      local file <close> = assert(io.open(path, "w"))
      file:write "local function inner() require 'nslua'.list { tpye = 1 } end\nlocal function f() inner() end\nf()\n"
    end
    local env = { NSLUA_DEV = false }
    local _, short = helpers.nslua({ path }, { env = env })
    local _, long = helpers.nslua({ "--traceback", path }, { env = env })
    os.remove(path)
    assert.equal(("%s:1: bad argument #1 to 'list' (unknown option 'tpye', did you mean 'type'?)\nstack traceback:\n" ..
      "\t%s:1: in upvalue 'inner'\n\t%s:2: in local 'f'\n\t%s:3: in main chunk\n\t[C]: in ?\n"):format(path, path, path, path),
      (short:gsub("^%S+: ", "")))
    assert.truthy(long:find("\n\tnslua/list.lua:%d+: in "), long)
  end)

  it("says an error of the kernel with its why, and no traceback", function()
    local _, err, status = helpers.nslua "require 'nslua'.chdir '/no/such/folder'"
    assert.matches("chdir%(\"/no/such/folder\"%): No such file or directory %(ENOENT%)", err)
    assert.equal(1, status)
  end)

  it("tells the ends of programs though its parent ignores SIGCHLD", function()
    local out = helpers.run { "sh", "-c", "trap '' CHLD; exec \"$0\" -e 'print(os.execute [[exit 3]])'",
      helpers.program }
    assert.equal("nil\texit\t3\n", out)
  end)

  helpers.root_it("does not run with the rights of another user", function()
    local folder = ns.mkdtemp "/tmp/nslua-setuid-XXXXXX"
    helpers.run { "cp", helpers.program, folder .. "/nslua" }
    ns.chmod(folder, "755")
    ns.chown(folder .. "/nslua", 65534, 65534)
    ns.chmod(folder .. "/nslua", "4755")
    local out, err, status = helpers.run { folder .. "/nslua", "-e", "print(1)" }
    helpers.run { "rm", "-r", folder }
    assert.same({ "", 1 }, { out, status })
    assert.matches("set%-user%-ID", err)
  end)
end)

describe("the prompt in a pipe", function()
  local function session(lines)
    local out, err, status = helpers.nslua({ "-i" }, { stdin = lines })
    assert.equal(0, status)
    return out:gsub("^[^\n]*\n", ""), err
  end

  it("reads a line whole that holds a zero byte", function()
    local out, err = session '"a\0b"\n=#"a\0b", 2\nprint(#"\0\0")\n'
    assert.equal('> "a\0b"\na\0b\n> =#"a\0b", 2\n3\t2\n> print(#"\0\0")\n2\n> \n', out)
    assert.equal("", err)
  end)

  it("runs no first part of a line that a zero byte breaks", function()
    local out, err = session "print 'ran'\0 + 1\n=print 'ran'\0 + 1\n"
    assert.is_nil(out:find "\nran\n")
    local _, errors = err:gsub("stdin:1: ", "")
    assert.equal(2, errors)
  end)

  it("says what is missing when the input ends within a chunk", function()
    local _, err = session "for i = 1, 2 do\nprint(i)"
    assert.matches("^stdin:2: 'end' expected.* near <eof>\n$", err)
  end)
end)

describe("a C module of the distribution", function()
  local function has(name)
    return function() return package.searchpath(name, package.cpath) ~= nil, name .. " is not installed" end
  end

  for _, name in ipairs { "lfs", "term.core", "system.core" } do
    helpers.need_it(has(name), "finds the Lua of the program, and no other: " .. name, function()
      local out, err = helpers.nslua(([[
        local made = require(%q)
        for line in io.lines "/proc/self/maps" do
          if line:find "/liblua[%%d.-]*%%.so" then print(line) end
        end
        print(type(made))]]):format(name))
      assert.same({ "table\n", "" }, { out, err })
    end)
  end
end)

describe("Ctrl-C", function()
  it("is an error that a script may catch", function()
    local child <close>, output = start [[
      io.stdout:setvbuf 'no'
      print(pcall(function() print 'ready' while true do end end))]]
    assert.equal("ready", output:read())
    child:kill "INT"
    assert.matches("^false\t.*interrupted!$", output:read())
    assert.same({ true, "exit", 0 }, { child:wait(10) })
    output:close()
  end)

  it("while something is waited for shows the lines of the script alone", function()
    local child <close>, output = start [[
      local ns = require "nslua"
      io.stdout:setvbuf 'no'
      ns.fd(1):dup2(2)
      print 'ready'
      ns.poll({}, 60)]]
    assert.equal("ready", output:read())
    assert.is_nil(child:wait(0.3)) -- until it waits
    child:kill "INT"
    assert.matches("interrupted!\nstack traceback:\n\t%[C%]: in [^\n]*poll'\n\t%(command line%):5: in main chunk\n\t%[C%]: in %?\n$",
      output:read "a")
    assert.same({ nil, "exit", 1 }, { child:wait(10) })
    output:close()
  end)

  it("given twice ends what cannot be interrupted", function()
    local child <close>, output = start [[
      io.stdout:setvbuf 'no'
      print 'ready'
      string.find(('a'):rep(2000000), '.-.-.-b')]]
    assert.equal("ready", output:read())
    output:close()
    assert.is_nil(child:wait(0.3)) -- until it is in the search
    child:kill "INT"
    assert.is_nil(child:wait(0.3))
    child:kill "INT"
    assert.same({ nil, "signal", 2 }, { child:wait(10) })
  end)
end)

describe("the child of a bare fork", function()
  local fork = "local ns = require 'nslua' io.write 'once ' local pid = ns.fork() "

  it("ends with its chunk, keeps what it wrote and closes no state", function()
    local out, _, status = helpers.nslua(fork .. [[
      setmetatable({}, { __gc = function() io.write 'gc ' end })
      if pid == 0 then io.write 'child ' else ns.wait(pid) io.write 'parent ' end]])
    assert.same({ "once child parent gc ", 0 }, { out, status })
  end)

  it("ends with 1 after an error, which the parent does not see", function()
    local out, err, status = helpers.nslua(fork .. [[
      if pid == 0 then error 'in the child' end
      print(ns.wait(pid))]])
    assert.matches("^once nil\texit\t1", out)
    assert.matches("in the child", err)
    assert.equal(0, status)
  end)

  it("does not run what comes after the script", function()
    local file = os.tmpname()
    local f = assert(io.open(file, "w"))
    f:write "local ns = require 'nslua' pid = ns.fork() if pid > 0 then ns.wait(pid) end"
    f:close()
    local out = helpers.nslua({ "-i", file }, { stdin = "print(pid > 0)\n" })
    os.remove(file)
    assert.matches("\n> print%(pid > 0%)\ntrue\n> \n$", out)
  end)

  it("never prompts", function()
    local out, _, status = helpers.nslua({ "-i" }, {
      stdin = "ns = require 'nslua'\npid = ns.fork()\nif pid ~= 0 then ns.wait(pid) end\n1 + 1\n",
    })
    local _, sums = out:gsub("\n2\n", "")
    local _, prompts = out:gsub("> ", "")
    assert.same({ 1, 5, 0 }, { sums, prompts, status })
  end)
end)
