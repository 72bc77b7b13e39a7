-- SPDX-License-Identifier: MIT
-- The Tab key: what nslua.repl knows as candidates, for the editor's way to
-- take them and with a line of help each where it can show that.

local text = require "nslua.text"
local ns = require "nslua"

local tab = {}

local MOST_HELPED = 40 -- candidates; more of them stand in columns, unexplained


-- The editor replaces what stands between its own start of the word and the
-- cursor; the session may have meant more or less than that.
local function fit(found, line, start)
  local list, help = {}, {}
  local before = found.from - 1 -- bytes in front of the candidate
  for _, item in ipairs(found.items) do
    local candidate = item.text
    if before < start then
      candidate = candidate:sub(start - before + 1)
    else
      candidate = line:sub(start + 1, before) .. candidate
    end
    list[#list + 1] = candidate
    help[candidate] = item.help or ""
  end
  return list, help
end

local function columns_of(list, width)
  local widest = 0
  for _, one in ipairs(list) do widest = math.max(widest, text.width(one)) end
  local across = math.max(1, width // (widest + 2))
  local down = (#list + across - 1) // across
  local lines = {}
  for row = 1, down do
    local cells = {}
    for at = row, #list, down do
      cells[#cells + 1] = at + down > #list and list[at] or text.pad(list[at], widest + 2)
    end
    lines[row] = table.concat(cells)
  end
  return lines
end

local function explained(list, help, width)
  local widest = 0
  for _, one in ipairs(list) do widest = math.max(widest, text.width(one)) end
  widest = math.min(widest, width // 2)
  local lines = {}
  for i, one in ipairs(list) do
    lines[i] = text.cut(text.pad(one, widest) .. "  " .. help[i], width)
  end
  return lines
end

-- All candidates with their help, below the line.
local function listed(list, help, width)
  local clean, helps, any = {}, {}, false
  for i, one in ipairs(list) do
    clean[i], helps[i] = text.clean(one), text.clean(help[one] or "")
    any = any or helps[i] ~= ""
  end
  local lines = any and #list <= MOST_HELPED and explained(clean, helps, width)
    or columns_of(clean, width)
  return table.concat(lines, "\n") .. "\n"
end


---Lets the editor ask the session.
---@param self table  the prompt
function tab.bind(self)
  local help = {}
  self.editor.complete_with(function(line, cursor, start)
    local found = self.session:complete(line, cursor)
    if not found then return nil end
    local list
    list, help = fit(found, line, start)
    return list
  end, function(list)
    local _, columns = ns.try(function() return ns.fd(1):winsize() end)
    return listed(list, help, (math.tointeger(columns) or 80) - 1)
  end)
end

tab.fit, tab.listed = fit, listed -- for their spec

return tab
