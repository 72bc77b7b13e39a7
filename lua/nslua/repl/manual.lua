-- SPDX-License-Identifier: MIT
-- Lua's own library, a line for each function. The words behind `?print` and
-- beside the candidates of completion.

local manual = {}

local LINES = [==[
assert(v [, message, ...])  its arguments; raises the message when v is false or nil
collectgarbage([what [, arg]])  collects garbage, or asks and steers the collector
dofile([file])  runs a file as a Lua chunk
error(message [, level])  raises an error; level says whose line it names
getmetatable(object)  the metatable of a value, or its __metatable
ipairs(t)  for i, v in ipairs(t): the list in a table, in order
load(chunk [, name [, mode [, env]]])  compiles a chunk; nil and a message when it cannot
loadfile([file [, mode [, env]]])  compiles a file
next(table [, key])  the entry behind a key; nil at the end
pairs(t)  for k, v in pairs(t): all entries, in no order
pcall(f [, ...])  calls f; true and its results, or false and the error
print(...)  writes its arguments to standard output, with tabs between
rawequal(a, b)  are these the same, no metamethod asked?
rawget(table, key)  an entry, no metamethod asked
rawlen(v)  the length of a table or string, no metamethod asked
rawset(table, key, value)  sets an entry, no metamethod asked
require(module)  loads a module, once
select(n, ...)  the arguments from number n on; "#" counts them
setmetatable(table, metatable)  gives a table its metatable, and returns it
tonumber(v [, base])  a number from a string, or nil
tostring(v)  a string that says what v is
type(v)  its type as a string
warn(message [, ...])  a warning on standard error; "@on" and "@off" switch them
xpcall(f, handler [, ...])  pcall with a handler that sees the error where it happens
coroutine.close(co)  closes a coroutine and its <close> variables
coroutine.create(f)  a new coroutine
coroutine.isyieldable([co])  may this one yield?
coroutine.resume(co [, ...])  runs it on: true and what it yields, or false and the error
coroutine.running()  the coroutine that runs, and whether it is the main one
coroutine.status(co)  "running", "suspended", "normal" or "dead"
coroutine.wrap(f)  a function that resumes a new coroutine
coroutine.yield(...)  hands values to who resumed this
debug.getinfo([thread,] f [, what])  what is known of a function or of a level of the stack
debug.getlocal([thread,] f, n)  name and value of a local variable
debug.getmetatable(v)  the metatable, whatever __metatable says
debug.getupvalue(f, n)  name and value of an upvalue
debug.sethook([thread,] hook, mask [, count])  a function to call on calls, returns, lines
debug.traceback([thread,] [message [, level]])  the stack as text
io.close([file])  closes a file, or the default output
io.input([file])  the default input, or sets it
io.lines([file, ...])  for line in io.lines(file): reads it line by line
io.open(file [, mode])  a file handle, or nil, message and errno; modes r w a r+ w+ a+, b
io.output([file])  the default output, or sets it
io.popen(command [, mode])  a pipe to or from a shell command
io.read(...)  reads from the default input: "l", "L", "n", "a" or a number of bytes
io.tmpfile()  a file without a name
io.type(v)  "file", "closed file" or nil
io.write(...)  writes to the default output
math.abs(x)  its distance from zero
math.acos(x)  arc cosine, in radians
math.asin(x)  arc sine, in radians
math.atan(y [, x])  arc tangent of y / x, in radians
math.ceil(x)  the next integer that is not less
math.cos(x)  cosine of radians
math.deg(x)  radians as degrees
math.exp(x)  e to the power of x
math.floor(x)  the next integer that is not more
math.fmod(x, y)  what is left of a division, rounded to zero
math.log(x [, base])  logarithm, natural by default
math.max(x, ...)  the greatest
math.min(x, ...)  the least
math.modf(x)  the integral and the fractional part
math.rad(x)  degrees as radians
math.random([m [, n]])  a number in [0, 1), or an integer in [1, m] or [m, n]
math.randomseed([x [, y]])  where the pseudo-random numbers begin
math.sin(x)  sine of radians
math.sqrt(x)  square root
math.tan(x)  tangent of radians
math.tointeger(x)  the integer that equals x, or nil
math.type(x)  "integer", "float" or nil
math.ult(m, n)  m < n, as unsigned integers
os.clock()  processor time that was used, in seconds
os.date([format [, time]])  a date as text or as a table ("*t")
os.difftime(a, b)  seconds between two times
os.execute([command])  runs a shell command: true or nil, "exit" or "signal", code
os.exit([code [, close]])  ends the program
os.getenv(name)  an environment variable, or nil
os.remove(file)  removes a file or an empty directory
os.rename(old, new)  gives a file another name
os.setlocale(locale [, category])  sets the locale of the program, or asks for it
os.time([t])  the time now, or of a date table, in seconds
os.tmpname()  a name for a temporary file
package.loadlib(library, function)  a C function from a shared object
package.searchpath(name, path [, sep [, rep]])  which file a module would come from
string.byte(s [, i [, j]])  the codes of its bytes
string.char(...)  a string from codes
string.dump(f [, strip])  a function as bytecode
string.find(s, pattern [, init [, plain]])  where it matches, and the captures
string.format(format, ...)  values put into a text; %q quotes as Lua does
string.gmatch(s, pattern [, init])  for captures in s:gmatch(pattern): every match
string.gsub(s, pattern, replacement [, n])  the text with matches replaced, and how many were
string.len(s)  its length in bytes
string.lower(s)  in lower case
string.match(s, pattern [, init])  the captures of the first match
string.pack(format, ...)  values as bytes
string.packsize(format)  how many bytes string.pack makes
string.rep(s, n [, sep])  n copies of it
string.reverse(s)  its bytes backwards
string.sub(s, i [, j])  a part of it; negative places count from the end
string.unpack(format, s [, at])  values from bytes
string.upper(s)  in upper case
table.concat(list [, sep [, i [, j]]])  a list of strings as one
table.insert(list, [at,] value)  puts a value into a list, at its end by default
table.move(a, from, to, at [, b])  copies a part of a list
table.pack(...)  its arguments as a table, with their number as n
table.remove(list [, at])  takes an element out of a list, the last one by default
table.sort(list [, less])  sorts a list in place
table.unpack(list [, i [, j]])  the elements of a list as values
utf8.char(...)  a string from code points
utf8.codepoint(s [, i [, j]])  the code points in a string
utf8.codes(s)  for at, code in utf8.codes(s): every character
utf8.len(s [, i [, j]])  how many characters; nil and a place when it is no UTF-8
utf8.offset(s, n [, i])  where the n-th character begins
]==]

-- Values that are no functions.
local VALUES = {
  _G = "the table of all globals", _VERSION = '"Lua 5.4"',
  arg = "the arguments of the script", ns = "Linux namespaces: ?ns lists what it has",
  coroutine = "coroutines", debug = "looks inside functions and the stack", io = "files",
  math = "numbers", os = "time, environment, files by name", package = "where modules come from",
  string = "strings and patterns", table = "lists", utf8 = "UTF-8",
  ["math.pi"] = "3.14159...", ["math.huge"] = "more than any number",
  ["math.maxinteger"] = "the greatest integer", ["math.mininteger"] = "the least integer",
  ["package.path"] = "where require looks for Lua files",
  ["package.cpath"] = "where require looks for shared objects",
  ["package.loaded"] = "the modules that are loaded", ["io.stdin"] = "standard input",
  ["package.preload"] = "functions that load modules", ["io.stdout"] = "standard output",
  ["io.stderr"] = "standard error", ["utf8.charpattern"] = "a pattern for one character",
}

local entries


---name -> { signature =, text = } of what Lua itself has.
---@return table<string, { signature: string, text: string }>
function manual.all()
  if entries then return entries end
  entries = {}
  for signature, text in LINES:gmatch "([^\n]-)  ([^\n]+)\n" do
    entries[signature:match "^[%w_.]+"] = { signature = signature, text = text }
  end
  for name, text in pairs(VALUES) do entries[name] = { signature = name, text = text } end
  return entries
end

return manual
