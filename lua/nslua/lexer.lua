-- SPDX-License-Identifier: MIT
-- Lua's words: what a text is made of, with the place of each piece. It takes
-- any text, finished or not: what never ends says so.

local lexer = {}

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or
  repeat return then true until while]]):gmatch "%a+" do
  KEYWORDS[word] = true
end

lexer.keywords = KEYWORDS

-- Longest first.
local SIGNS = { "...", "..", "==", "~=", "<=", ">=", "//", "::", "<<", ">>" }


local function long_bracket(text, at)
  local level = text:match("^%[(=*)%[", at)
  if not level then return nil end
  local _, stop = text:find("]" .. level .. "]", at, true)
  return stop or #text, stop == nil
end

local function scan_comment(text, at)
  local stop, open = long_bracket(text, at + 2)
  if stop then return "comment", stop, open end
  stop = text:find("\n", at, true)
  return "comment", stop and stop - 1 or #text
end

local function scan_string(text, at)
  local quote, stop = text:sub(at, at), at + 1
  while true do
    stop = text:find("[\\\n" .. quote .. "]", stop)
    if not stop then return "string", #text, true end
    local c = text:sub(stop, stop)
    if c == quote then return "string", stop end
    if c == "\n" then return "string", stop - 1, true end
    if text:find("^z", stop + 1) then
      stop = text:match("^%s*()", stop + 2)
    else
      stop = stop + 2
    end
  end
end

local function scan_number(text, at)
  local exponent = text:find("^0[xX]", at) and "[pP]" or "[eE]"
  local stop = at
  while true do
    if text:find("^" .. exponent .. "[+-]", stop) then
      stop = stop + 2
    elseif text:find("^[%w.]", stop) then
      stop = stop + 1
    else
      return "number", stop - 1
    end
  end
end

local function scan_sign(text, at)
  for _, sign in ipairs(SIGNS) do
    if text:sub(at, at + #sign - 1) == sign then return "sign", at + #sign - 1 end
  end
  return "sign", at
end

-- The kind and the end of what begins here, and whether its end is missing.
local function scan(text, at)
  local c = text:sub(at, at)
  if text:find("^%-%-", at) then return scan_comment(text, at) end
  if c == '"' or c == "'" then return scan_string(text, at) end
  if c == "[" then
    local stop, open = long_bracket(text, at)
    if stop then return "string", stop, open end
  end
  if text:find("^%.?%d", at) then return scan_number(text, at) end
  local _, stop = text:find("^[%a_][%w_]*", at)
  if stop then return KEYWORDS[text:sub(at, stop)] and "keyword" or "name", stop end
  if text:find("^[.=~<>/:]", at) then return scan_sign(text, at) end
  return "sign", at
end


---The words of a text, without its comments (they are counted when they do not
---end). kind: name, keyword, number, string, sign, comment.
---@param text string
---@return { kind: string, text: string, at: integer, stop: integer, line: integer, open: boolean? }[]
function lexer.tokens(text)
  local tokens, line, at, counted = {}, 1, 1, 1
  while true do
    local start = text:find("%S", at)
    if not start then return tokens end
    local feed = text:find("\n", counted, true)
    while feed and feed < start do
      line, counted = line + 1, feed + 1
      feed = text:find("\n", counted, true)
    end
    local kind, stop, open = scan(text, start)
    if kind ~= "comment" or open or stop == #text then
      tokens[#tokens + 1] = { kind = kind, text = text:sub(start, stop), at = start,
        stop = stop, line = line, open = open }
    end
    at = stop + 1
  end
end


---What a word adds to the depth of blocks and brackets: 1, -1 or 0.
---@param token table
---@return integer
function lexer.depth(token)
  local word, kind = token.text, token.kind
  if kind == "keyword" then
    if word == "function" or word == "if" or word == "do" or word == "repeat" then return 1 end
    if word == "end" or word == "until" then return -1 end
  elseif kind == "sign" then
    if word == "(" or word == "{" or word == "[" then return 1 end
    if word == ")" or word == "}" or word == "]" then return -1 end
  end
  return 0
end


---The number of the word that closes what word i opens, or the last one.
---@param tokens table[]
---@param i integer
---@return integer
function lexer.closing(tokens, i)
  local depth = 0
  for j = i, #tokens do
    depth = depth + lexer.depth(tokens[j])
    if depth == 0 then return j end
  end
  return #tokens
end

return lexer
