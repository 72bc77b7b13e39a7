-- .ci/manual.lua - the annotations as what people and editors read:
--   nslua .ci/manual.lua man     the manual page nslua(3)
--   nslua .ci/manual.lua program the manual page nslua(1), from `nslua --help`
--   nslua .ci/manual.lua stubs   one file of definitions for LuaLS
-- The others come from nslua.help, as the prompt's help does.

local help = require "nslua.help"


-- The records in the order of the manual: functions, modules, methods.
local function sections()
  local by_title, titles = {}, {}
  for name, record in pairs(help.all()) do
    local module, class = name:match "^ns%.(%w+)%.", name:match "^(%u%w*):"
    local title = class and "methods of " .. class or module and "ns." .. module
      or name:find "^ns%." and "ns" or nil
    if title then
      if not by_title[title] then
        by_title[title] = {}
        titles[#titles + 1] = title
      end
      table.insert(by_title[title], record)
    end
  end
  table.sort(titles, function(a, b)
    local methods_a, methods_b = a:find "^methods" ~= nil, b:find "^methods" ~= nil
    if methods_a ~= methods_b then return methods_b end
    return a < b
  end)
  for _, records in pairs(by_title) do
    table.sort(records, function(a, b) return a.name < b.name end)
  end
  return titles, by_title
end


local function sorted_types()
  local names = {}
  for name in pairs(help.types()) do names[#names + 1] = name end
  table.sort(names)
  return names
end


-- -- the manual page ---------------------------------------------------------

-- Text as roff has it: no line may begin with a request by accident.
local function roff(text)
  return (("\n" .. text):gsub("\\", "\\e"):gsub("-", "\\-"):gsub("\n([.'])", "\n\\&%1"):sub(2))
end

local function example(out, code)
  out[#out + 1] = ".PP\n.RS 4\n.EX\n" .. roff(code) .. "\n.EE\n.RE"
end

local function paragraphs(out, text)
  for paragraph in (text .. "\n\n"):gmatch "(.-)\n\n+" do
    out[#out + 1] = ".PP\n" .. roff(paragraph)
  end
end

local function items(out, title, list)
  for _, item in ipairs(list) do
    local name = item.name and item.name .. (item.optional and "? " or " ") or ""
    out[#out + 1] = (".TP\n%s \\fB%s\\fR\\fI%s\\fR\n%s"):format(title, roff(name),
      roff(item.type or ""), item.text and item.text ~= "" and roff(item.text) or "\\&")
  end
end

local function man_record(out, record)
  out[#out + 1] = ('.SS "%s"'):format((roff(record.signature):gsub('"', "\\(dq")))
  paragraphs(out, record.text)
  if record.example then example(out, record.example) end
  items(out, "takes", record.params)
  items(out, "gives", record.returns)
  if record.raises then out[#out + 1] = ".PP\nRaises: " .. roff(record.raises) end
  if record.source then out[#out + 1] = ".PP\nSee: " .. roff(record.source) end
end

-- What the fields of records and options are.
local function man_types(out)
  out[#out + 1] = ".SH TYPES"
  for _, name in ipairs(sorted_types()) do
    local shown = {}
    for _, line in ipairs(help.types()[name]) do
      local field, rest = line:match "^@field ([%w_]+%??)%s+(.*)"
      if field then
        local kind, text = rest:match "^(.-)%s%s+(.*)$"
        shown[#shown + 1] = (".TP\n\\fB%s\\fR \\fI%s\\fR\n%s"):format(roff(field), roff(kind or rest),
          text and roff(text) or "\\&")
      end
    end
    if #shown > 0 then out[#out + 1] = (".SS %s\n%s"):format(name, table.concat(shown, "\n")) end
  end
end

local HEAD = [[
.TH NSLUA 3 "" "nslua %s" "nslua"
.SH NAME
nslua \- Linux namespaces in Lua: the functions of the module
.SH SYNOPSIS
.EX
local ns = require "nslua"
.EE
.SH DESCRIPTION
A refusal of the kernel raises an error object (nslua.Error) with call, errno,
name, why and fix; ns.try(f, ...) gives it as values. Handles (Proc, Ns, Fd,
Mount) are closed at the end of their block when declared <close>.]]

local TAIL = [[
.SH SEE ALSO
.BR nslua (1),
.BR namespaces (7),
.BR unshare (2),
.BR clone (2),
.BR setns (2),
.BR mount (2)]]

local function version()
  local header <close> = assert(io.open "src/nslua.h")
  return header:read "a":match 'NSLUA_VERSION "(.-)"'
end

local function man()
  local out = { HEAD:format(roff(version())) }
  local titles, by_title = sections()
  for _, title in ipairs(titles) do
    out[#out + 1] = ('.SH "%s"'):format(title == "ns" and "FUNCTIONS" or title:upper():gsub("NS%.", "ns."))
    for _, record in ipairs(by_title[title]) do man_record(out, record) end
  end
  man_types(out)
  out[#out + 1] = TAIL
  return out
end


-- -- the manual page of the program ------------------------------------------

local PROGRAM_HEAD = [[
.TH NSLUA 1 "" "nslua %s" "nslua"
.SH NAME
nslua \- Lua with Linux namespaces in it, and lessons on them]]

local PROGRAM_TAIL = [[
.SH SEE ALSO
.BR nslua (3),
.BR lua5.4 (1),
.BR unshare (1),
.BR nsenter (1),
.BR lsns (8),
.BR namespaces (7)]]

-- Options of `nslua --help` stand as "  --word VALUE   text", one or two in a line,
-- and their text goes on, further to the right, in the lines below.
local function options_of(out, lines)
  for _, line in ipairs(lines) do
    local first, second = line:match "^  (%-.-)  +(%-.*)$"
    for _, entry in ipairs(first and { "  " .. first, "  " .. second } or { line }) do
      local option, text = entry:match "^  (%-.-)  +(%S.*)$"
      if not option then option, text = entry:match "^  (%-.*)$", "" end
      if option then
        out[#out + 1] = ".TP\n\\fB" .. roff(option) .. "\\fR"
        if text ~= "" then out[#out + 1] = roff(text) end
      else
        out[#out + 1] = roff((entry:gsub("^ +", "")))
      end
    end
  end
end

-- A block of the help: a title with options below, "Title: text", or text.
local function program_block(out, block)
  local lines = {}
  for line in block:gmatch "[^\n]+" do lines[#lines + 1] = line end
  local title, rest = lines[1]:match "^(%u[%l ]+): (.*)$"
  if lines[2] and lines[2]:find "^  " then
    out[#out + 1] = ('.SS "%s"'):format(roff(lines[1]))
    options_of(out, table.move(lines, 2, #lines, 1, {}))
  elseif title then
    lines[1] = rest
    out[#out + 1] = ('.SH "%s"'):format(title:upper()) .. "\n" .. roff(table.concat(lines, "\n"))
  else
    out[#out + 1] = ".PP\n" .. roff(block)
  end
end

local function program()
  local process <close> = assert(io.popen "./nslua --help")
  local usage, rest = process:read "a":match "^usage: (.-)\n\n(.*)$"
  local out = { PROGRAM_HEAD:format(roff(version())),
    ".SH SYNOPSIS\n.nf\n" .. roff((usage:gsub("\n +", "\n"))) .. "\n.fi",
    ".SH DESCRIPTION" }
  local described = false
  for block in (rest .. "\n"):gmatch "(.-)\n\n" do
    if not described and block:find "\n  %-" then
      out[#out + 1], described = ".SH OPTIONS", true
    end
    program_block(out, block)
  end
  out[#out + 1] = PROGRAM_TAIL
  return out
end


-- -- definitions for the editor ----------------------------------------------

local function comment(out, lines)
  for _, line in ipairs(lines) do out[#out + 1] = "---" .. line end
end

-- A variable for each class, so that its methods have somewhere to stand.
local function stub_types(out)
  for _, name in ipairs(sorted_types()) do
    comment(out, help.types()[name])
    local is_class = table.concat(help.types()[name], "\n"):find "@class"
    out[#out + 1] = is_class and ("local %s = {}\n"):format(name == "nslua" and "ns" or name:match "[^.]*$") or ""
  end
end

local function stubs()
  local out = { "---@meta nslua", "-- Made from nslua's annotations: for editors, never run.\n" }
  stub_types(out)
  local titles, by_title = sections()
  for _, title in ipairs(titles) do
    if title:find "^ns%." then out[#out + 1] = title .. " = {}\n" end
    for _, record in ipairs(by_title[title]) do
      comment(out, record.lines)
      out[#out + 1] = ("function %s(%s) end\n"):format(record.name, record.arguments)
    end
  end
  out[#out + 1] = "return ns"
  return out
end


local makers = { man = man, program = program, stubs = stubs }
local make = makers[arg[1]] or error("man, program or stubs?")
print(table.concat(make(), "\n"))
