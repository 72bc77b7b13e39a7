-- SPDX-License-Identifier: MIT
-- Tables in a text whose words are given other names: where the names have
-- another length the columns would move, so each table is set anew.

local text = require "nslua.text"

local columns = {}


-- Numbers of another length move the columns: a table is set anew. A line is a
-- list of characters here, for columns are not bytes.
local function characters(line)
  local list = {}
  for c in line:gmatch(utf8.charpattern) do list[#list + 1] = c end
  return list
end

local function cells_of(line, starts)
  local cells = {}
  for i, at in ipairs(starts) do
    local stop = starts[i + 1] and starts[i + 1] - 1 or #line
    cells[i] = table.concat(line, "", at, math.min(stop, #line)):gsub("%s+$", "")
  end
  return cells
end

-- Where columns begin: behind places that are blank in every line.
local function columns_of(lines, most)
  local wide = 0
  for _, line in ipairs(lines) do wide = math.max(wide, #line) end
  local starts, blank = {}, true
  for at = 1, wide do
    local empty = true
    for _, line in ipairs(lines) do empty = empty and (line[at] or " ") == " " end
    if blank and not empty and #starts < most then starts[#starts + 1] = at end
    blank = empty
  end
  return starts
end

local function is_heading(line)
  return line:find "^%s*%u[%u%d]+%s+%a" and not line:find "[^%w%s%%_-]"
end

-- Lines that belong to a heading: down to the first that is empty.
local function set_table(lines, first, last, rename)
  local block = table.move(lines, first, last, 1, {})
  local same = true
  for _, line in ipairs(block) do same = same and rename(line) == line end
  if same then return block end
  local _, most = block[1]:gsub("%S+", "")
  for i, line in ipairs(block) do block[i] = characters(line) end
  local starts = columns_of(block, most)
  local rows, heads = {}, {}
  for i, line in ipairs(block) do rows[i] = cells_of(line, starts) end
  for c in ipairs(starts) do
    local stop = starts[c + 1]
    local right = stop ~= nil
    for i in ipairs(block) do
      right = right and (i == 1 or rows[i][c]:find "^ *[%d/-]*$" ~= nil)
    end
    for i in ipairs(block) do
      local cell = rename(rows[i][c])
      rows[i][c] = right and cell:gsub("^ +", "") or cell
    end
    heads[c] = { title = rows[1][c], right = right, whole = true }
  end
  return text.table(heads, table.move(rows, 2, #rows, 1, {}), {})
end

---A text with each part of it renamed, its tables set anew.
---@param s string
---@param rename fun(part: string): string
---@return string
function columns.rename(s, rename)
  local lines, out = {}, {}
  for line in (s .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  local i = 1
  while i <= #lines do
    local last = i
    if is_heading(lines[i]) then
      while lines[last + 1] and lines[last + 1]:find "%S" do last = last + 1 end
    end
    if last > i then
      for _, line in ipairs(set_table(lines, i, last, rename)) do out[#out + 1] = (line:gsub(" +$", "")) end
    else
      out[#out + 1] = rename(lines[i])
    end
    i = last + 1
  end
  return table.concat(out, "\n")
end


return columns
