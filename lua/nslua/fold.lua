-- SPDX-License-Identifier: MIT
-- Long lines, broken between words, so that no terminal breaks them within.

local text = require "nslua.text"

local fold = {}


---Words in lines of so many cells; a word that is longer has a line of its own.
---@param words string
---@param width integer  of a line, without what is in front of it
---@param margin? integer  spaces in front of all lines but the first
---@return string
function fold.words(words, width, margin)
  local lines, line, room = {}, "", width
  for gap, word in words:gmatch "( *)([^ ]+)" do
    local needs = text.width(word)
    if line ~= "" and needs + #gap > room then
      lines[#lines + 1], line, room = line, "", width
    end
    if line ~= "" then word, needs = gap .. word, needs + #gap end
    line, room = line .. word, room - needs
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n" .. (" "):rep(margin or 0))
end

-- What the lines that follow stand below: behind "  why  ", "note: " or "(".
local LABELS = { "^%s*%S.-%s%s+", "^%s*%l+:%s+", "^%s*%(", "^%s*" }

local function fold_line(line, width)
  if text.width(line) <= width then return line end
  for _, label in ipairs(LABELS) do
    local head = line:match(label)
    if head and #head <= width // 2 then
      return head .. fold.words(line:sub(#head + 1), width - #head, #head)
    end
  end
  return line
end


---A clean text whose lines are at most so wide, where their words allow it.
---@param s string
---@param width integer
---@return string
function fold.text(s, width)
  if #s <= width then return s end
  return (s:gsub("[^\n]+", function(line) return fold_line(line, width) end))
end


---The same for prose: when a line is too wide, its paragraph is set anew. What
---is indented keeps its lines.
---@param s string
---@param width integer
---@return string
function fold.prose(s, width)
  local wide = false
  for line in s:gmatch "[^\n]+" do wide = wide or text.width(line) > width end
  if not wide then return s end
  local out = {}
  for paragraph in (s .. "\n\n"):gmatch "(.-)\n\n+" do
    out[#out + 1] = paragraph:find "^%s" and paragraph or fold.words(paragraph:gsub("\n", " "), width)
  end
  return table.concat(out, "\n\n")
end

return fold
