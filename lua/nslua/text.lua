-- SPDX-License-Identifier: MIT
-- Text for people: how wide it is on the screen, colours where they are
-- wanted, tables that fit. Nothing here prints.

local sys = require "nslua.sys"
local ns = sys.primitives

local text = {}


-- -- harmless, and how wide --------------------------------------------------

-- First and last of the characters that take no cell, and of those that take
-- two, in ascending order. Rough where Unicode is: enough for file names.
local NONE = {
  0x300, 0x36f, 0x483, 0x489, 0x591, 0x5bd, 0x610, 0x61a, 0x64b, 0x65f, 0x6d6, 0x6dc, 0x900, 0x902,
  0x93c, 0x93c, 0x941, 0x948, 0xe31, 0xe31, 0xe34, 0xe3a, 0xe47, 0xe4e, 0x1ab0, 0x1aff,
  0x1dc0, 0x1dff, 0x200b, 0x200f, 0x2060, 0x2064, 0x20d0, 0x20ff, 0xfe00, 0xfe0f, 0xfe20, 0xfe2f,
  0xfeff, 0xfeff, 0xe0100, 0xe01ef,
}
local TWO = {
  0x1100, 0x115f, 0x231a, 0x231b, 0x2329, 0x232a, 0x23e9, 0x23ec, 0x25fd, 0x25fe, 0x2614, 0x2615,
  0x2648, 0x2653, 0x26a1, 0x26a1, 0x26bd, 0x26be, 0x2705, 0x2705, 0x274c, 0x274c, 0x2753, 0x2755,
  0x2795, 0x2797, 0x2b1b, 0x2b1c, 0x2b50, 0x2b50, 0x2e80, 0x303e, 0x3041, 0x33ff, 0x3400, 0x4dbf,
  0x4e00, 0x9fff, 0xa000, 0xa4cf, 0xa960, 0xa97f, 0xac00, 0xd7a3, 0xf900, 0xfaff, 0xfe30, 0xfe6f,
  0xff00, 0xff60, 0xffe0, 0xffe6, 0x16fe0, 0x18cff, 0x1b000, 0x1b2ff, 0x1f300, 0x1f64f,
  0x1f680, 0x1f6ff, 0x1f900, 0x1f9ff, 0x1fa70, 0x1faff, 0x20000, 0x3fffd,
}

local function within(ranges, code)
  local low, high = 1, #ranges // 2
  while low <= high do
    local middle = (low + high) // 2
    if code < ranges[2 * middle - 1] then
      high = middle - 1
    elseif code > ranges[2 * middle] then
      low = middle + 1
    else
      return true
    end
  end
  return false
end

local function cells(code)
  if code < 0x300 then return 1 end
  if within(NONE, code) then return 0 end
  return within(TWO, code) and 2 or 1
end


---The same text, harmless for a terminal: control characters, escape
---sequences and broken UTF-8 are shown as `\n` or `\x1B`.
---@param s any
---@return string
function text.clean(s)
  s = tostring(s)
  if not s:find "[^ -~]" then return s end
  return sys.clean(s)
end


---How many cells a clean text takes on a terminal.
---@param s string
---@return integer
function text.width(s)
  if not s:find "[\128-\255]" then return #s end
  local n = 0
  for _, code in utf8.codes(s) do n = n + cells(code) end
  return n
end


---Cuts a clean text to a number of cells; what was cut is marked.
---@param s string
---@param width integer
---@param mark? string  the default is "…", or "+" without UTF-8
---@return string
function text.cut(s, width, mark)
  if text.width(s) <= width then return s end
  mark = mark or text.symbol "more"
  local room, at = width - text.width(mark), 1
  if room < 0 then return "" end
  for position, code in utf8.codes(s) do
    room = room - cells(code)
    if room < 0 then break end
    at = utf8.offset(s, 2, position)
  end
  return s:sub(1, at - 1) .. mark
end


---Fills up with spaces to a number of cells; on the left when `right` is true.
---@param s string
---@param width integer
---@param right? boolean
---@return string
function text.pad(s, width, right)
  local space = (" "):rep(width - text.width(s))
  return right and space .. s or s .. space
end


-- -- what the terminal can do ------------------------------------------------

local choice = {} -- what the command line said: color, utf8, width

local function env(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end


---Overrides what the environment says (--color and its like).
---@param what { color?: "always"|"never"|"auto", utf8?: boolean, width?: integer }
function text.choose(what)
  for key, value in pairs(what) do choice[key] = value end
end


---Calls f(...) under other choices, and takes them back.
---@param what { color?: "always"|"never"|"auto", utf8?: boolean, width?: integer }
---@param f fun(...): any
---@return any ...
function text.within(what, f, ...)
  local before = choice
  choice = setmetatable({}, { __index = before })
  text.choose(what)
  local results = table.pack(pcall(f, ...))
  choice = before
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end


---Are colours wanted on this descriptor? --color, then NO_COLOR, then
---CLICOLOR_FORCE or FORCE_COLOR, then whether it is a terminal.
---@param fd? integer  the default is 1
---@return boolean
function text.color(fd)
  if choice.color == "always" then return true end
  if choice.color == "never" or env "NO_COLOR" then return false end
  local force = env "CLICOLOR_FORCE" or env "FORCE_COLOR"
  if force then return force ~= "0" end
  return env "TERM" ~= "dumb" and ns.isatty(fd or 1)
end


---May characters beyond ASCII be shown?
---@return boolean
function text.utf8()
  if choice.utf8 ~= nil then return choice.utf8 end
  local locale = env "LC_ALL" or env "LC_CTYPE" or env "LANG" or ""
  return locale:lower():find("utf%-?8") ~= nil
end


---How many cells a line of the terminal has; nil when it is none.
---@param fd? integer  the default is 1
---@return integer?
function text.columns(fd)
  if choice.width then return choice.width end
  if not ns.isatty(fd or 1) then return nil end
  local ok, _, columns = pcall(sys.methods.Fd.winsize, fd or 1)
  if ok and columns > 0 then return columns end
  return math.tointeger(tonumber(env "COLUMNS")) or 80
end


local SYMBOLS = {
  more = { "…", "+" }, yes = { "✔", "+" }, no = { "✘", "x" }, here = { "◀", "<" },
  branch = { "├─", "|-" }, last = { "└─", "`-" }, pass = { "│ ", "| " }, gap = { "  ", "  " },
  owned = { "⋄─", "*-" }, line = { "─", "-" }, bar = { "│", "|" }, full = { "█", "#" }, empty = { "░", "." },
  to = { "→", "->" },
}


---A sign by name, in ASCII where UTF-8 is not wanted: more yes no here branch
---last pass gap owned line bar full empty to.
---@param name string
---@return string
function text.symbol(name)
  local pair = SYMBOLS[name] or sys.raise("no symbol is named " .. tostring(name))
  return text.utf8() and pair[1] or pair[2]
end


local STYLES = {
  bold = 1, dim = 2, underline = 4, inverse = 7, red = 31, green = 32, yellow = 33,
  blue = 34, magenta = 35, cyan = 36,
}


---Puts a style ("bold", "red", "bold red") around a text, when colours are
---wanted on the descriptor. The styles are the theme's own eight and bold.
---@param s string
---@param style string
---@param fd? integer
---@return string
function text.paint(s, style, fd)
  if not text.color(fd) then return s end
  local codes = {}
  for word in style:gmatch "%a+" do
    codes[#codes + 1] = STYLES[word] or sys.raise("no style is named " .. word)
  end
  return ("\27[%sm%s\27[0m"):format(table.concat(codes, ";"), s)
end


-- -- tables ------------------------------------------------------------------

local function widths(titles, rows)
  local wide = {}
  for i, title in ipairs(titles) do
    local most = text.width(title)
    for _, row in ipairs(rows) do
      local s = row[i]
      local n = s:find "[\128-\255]" and text.width(s) or #s
      if n > most then most = n end
    end
    wide[i] = most
  end
  return wide
end

-- The widest column that may be cut gives way until the line fits.
local function fit(columns, titles, wide, room)
  local total, least = #columns - 1, {}
  for i = 1, #wide do
    total = total + wide[i]
    least[i] = columns[i].whole and wide[i] or math.max(text.width(titles[i]), columns[i].least or 4)
  end
  while total > room do
    local victim
    for i = 1, #wide do
      if wide[i] > least[i] and (not victim or wide[i] > wide[victim]) then victim = i end
    end
    if not victim and not columns[#wide].whole and wide[#wide] > 4 then -- its title too
      victim, least[#wide] = #wide, 4
    end
    if not victim then return end -- wider than the screen: better than wrong
    local give = math.min(total - room, wide[victim] - least[victim])
    wide[victim], total = wide[victim] - give, total - give
  end
end

-- One line; the last column is not filled up.
local function format_line(columns, wide, row)
  local out = {}
  for i = 1, #columns do
    local s, room = row[i], wide[i]
    local n = s:find "[\128-\255]" and text.width(s) or #s
    if n > room then
      s = text.cut(s, room)
      n = text.width(s)
    end
    if columns[i].right then
      s = n < room and (" "):rep(room - n) .. s or s
    elseif i < #columns and n < room then
      s = s .. (" "):rep(room - n)
    end
    out[i] = s
  end
  return table.concat(out, " ")
end


---Lays rows out in columns.
---
---    text.table({ { title = "PID", right = true }, { title = "COMMAND" } },
---      { { "1", "sh" }, { "2", "sleep 1000" } })
---
---@param columns { title: string, right?: boolean, whole?: boolean, least?: integer }[]
---   right: numbers; whole: never cut
---@param rows string[][]  clean texts, one for each column
---@param opts? { width?: integer, headings?: boolean, style?: string }
---   width: the most cells of a line; headings=false: none
---@return string[] lines
function text.table(columns, rows, opts)
  opts = opts or {}
  local titles, lines = {}, {}
  for i, column in ipairs(columns) do titles[i] = opts.headings == false and "" or column.title end
  local wide = widths(titles, rows)
  if opts.width then fit(columns, titles, wide, opts.width) end
  if opts.headings ~= false then
    local line = format_line(columns, wide, titles)
    lines[1] = opts.style and text.paint(line, opts.style) or line
  end
  for _, row in ipairs(rows) do lines[#lines + 1] = format_line(columns, wide, row) end
  return lines
end

---Lines that print themselves, as a list of theirs.
---@param lines string[]
---@return nslua.Lines
function text.lines(lines)
  return setmetatable(lines, {
    __name = "nslua.Lines",
    __tostring = function(self) return table.concat(self, "\n") end,
  })
end

return text
