-- SPDX-License-Identifier: MIT
-- One annotation: the lines that stand above a function, as LuaLS has them,
-- become what help and the manual show of it.

local annotation = {}


-- "name? type  text" -> a parameter
local function parse_param(rest)
  local name, optional, tail = rest:match("^([%w_%.]+)(%??)%s*(.*)$")
  local kind, text = tail:match("^(.-)%s%s+(.*)$")
  return { name = name, optional = optional == "?", type = kind or tail, text = text }
end


-- "type name  text" -> a result. A type may hold spaces within brackets.
local function parse_return(rest)
  local kind = rest:match("^fun%b()%S*") or rest:match("^%b{}%S*") or rest:match("^%S+")
  local tail = rest:sub(#(kind or "") + 1)
  local name, text = tail:match("^ ([%w_]+)%s*(.*)$")
  return { type = kind, name = name, text = name and text or tail:match("^%s*(.-)$") }
end


-- Lines that stand by themselves after "Raises:" or "Source:" run on to the
-- next such word, tag or blank line.
local function take_section(record, section, line)
  record[section] = record[section] and record[section] .. " " .. line or line
end


local function take_tag(record, tag, rest)
  if tag == "param" then
    table.insert(record.params, parse_param(rest))
    return record.params[#record.params]
  elseif tag == "return" then
    table.insert(record.returns, parse_return(rest))
    return record.returns[#record.returns]
  elseif tag == "deprecated" then
    record.deprecated = rest
  end
end


-- Where a line of text goes: example (four spaces), a section, the text.
local function take_line(record, state, line)
  local section, rest = line:match("^(%u%l+): (.*)$")
  if section == "Raises" or section == "Source" then
    state.section = section:lower()
    take_section(record, state.section, rest)
  elseif line:find("^    ") then
    state.section = nil
    table.insert(record.example, line:sub(5))
  elseif line == "" then
    state.section = nil
    if #record.example > 0 and not state.after then table.insert(record.example, "") end
    table.insert(record.text, "")
  elseif state.section then
    take_section(record, state.section, line)
  else
    table.insert(record.text, line)
  end
end


local function trim(lines)
  local text = table.concat(lines, "\n"):gsub("\n\n\n+", "\n\n")
  return (text:gsub("^\n+", ""):gsub("%s+$", ""))
end


---The lines of one block -> a record without a name.
---@param lines string[]
---@return table record  params, returns, text, example, and what its sections say
function annotation.parse(lines)
  local record = { params = {}, returns = {}, text = {}, example = {} }
  local state, last = {}, nil
  for _, line in ipairs(lines) do
    local tag, rest = line:match("^@(%a+)%s*(.*)$")
    if tag then
      last = take_tag(record, tag, rest)
    elseif last then -- a tag's text goes on
      last.text = (last.text or "") .. " " .. line:match("^%s*(.*)$")
    else
      take_line(record, state, line)
    end
  end
  record.text, record.example = trim(record.text), trim(record.example)
  if record.example == "" then record.example = nil end
  return record
end


---"path [, flags [, mode]]"
---@param record table
---@param arguments string  as they stand in the code
---@return string
function annotation.parameters(record, arguments)
  local optional, names, parts = {}, {}, {}
  for _, param in ipairs(record.params) do optional[param.name] = param.optional end
  for name in arguments:gmatch("[%w_%.]+") do names[#names + 1] = name end
  local last = 0 -- what must be there, with nil for those before it that need not
  for i, name in ipairs(names) do last = (optional[name] or name == "...") and last or i end
  local open = 0
  for i, name in ipairs(names) do
    local comma = i > 1 and ", " or ""
    if i > last and name ~= "..." then
      open = open + 1
      comma = i > 1 and " [, " or "["
    end
    parts[i] = comma .. name
  end
  return table.concat(parts) .. ("]"):rep(open)
end


return annotation
