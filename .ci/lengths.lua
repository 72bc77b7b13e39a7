-- lengths.lua CAP FILE... - names each Lua function longer than CAP lines, as
-- "file:line: function NAME is N lines", and ends with 1 when there is one. In
-- specs a callback of describe and its like may be longer.

-- Blanks out comments and strings, so that only code is left; lines stay.
local function code_of(text)
  local function blank(s) return (s:gsub("[^\n]", " ")) end
  local out, i = {}, 1
  while i <= #text do
    local piece = text:match("^%-%-%[(=*)%[", i)
    local long = text:match("^%[(=*)%[", i)
    local quote = text:match("^[\"']", i)
    local last
    if piece or long then
      local close = "]" .. (piece or long) .. "]"
      last = select(2, text:find(close, i, true))
    elseif text:match("^%-%-", i) then
      last = (text:find("\n", i, true) or #text + 1) - 1
    elseif quote then
      last = i + 1
      while text:sub(last, last) ~= quote do
        last = last + (text:sub(last, last) == "\\" and 2 or 1)
      end
    else
      local word = text:match("^[%w_]+", i)
      last = i + #(word or " ") - 1
      out[#out + 1] = text:sub(i, last)
      i = last + 1
      goto continue
    end
    last = last or #text
    out[#out + 1] = blank(text:sub(i, last))
    i = last + 1
    ::continue::
  end
  return table.concat(out)
end


local OPENS = { ["function"] = true, ["do"] = true, ["if"] = true, ["repeat"] = true }
local CLOSES = { ["end"] = true, ["until"] = true }

-- All functions of a file: name, first line, number of lines.
local function functions_of(text)
  local open, found, line = {}, {}, 1
  local at = 1
  local code = code_of(text)
  for start, word, after in code:gmatch "()([%a_][%w_]*)()" do
    line = line + select(2, code:sub(at, start - 1):gsub("\n", ""))
    at = start
    if OPENS[word] then
      local name = word == "function" and (code:match("^%s+([%w_.:]+)", after) or "")
      open[#open + 1] = { name = name, line = line }
    elseif CLOSES[word] then
      local block = table.remove(open)
      if block.name then
        block.lines = line - block.line + 1
        found[#found + 1] = block
      end
    end
  end
  assert(#open == 0, "blocks and their ends do not match")
  return found
end


local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end


local cap, bad = tonumber(arg[1]), 0
for i = 2, #arg do
  local in_spec = arg[i]:match "^spec/"
  for _, f in ipairs(functions_of(read(arg[i]))) do
    if f.lines > cap and not (in_spec and f.name == "") then
      print(("%s:%d: function %s is %d lines, the cap is %d"):format(arg[i], f.line, f.name, f.lines, cap))
      bad = bad + 1
    end
  end
end
os.exit(bad == 0)
