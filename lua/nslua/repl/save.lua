-- SPDX-License-Identifier: MIT
-- The lines of a session that went well, as a script that runs by itself.

local lexer = require "nslua.lexer"

local save = {}

local HEAD = [[
#!/usr/bin/env nslua
-- Saved from a prompt of nslua.

local ns = require "nslua"
]]


-- "return a, b" at the end of a chunk would end the script: its values print.
local function without_return(code, printed)
  local tokens, depth = lexer.tokens(code), 0
  for _, token in ipairs(tokens) do
    if depth == 0 and token.kind == "keyword" and token.text == "return" then
      local values = code:sub(token.stop + 1):gsub("^%s+", ""):gsub("%s*;?%s*$", "")
      local head = code:sub(1, token.at - 1)
      return head .. (values:find "%S" and printed(values) or "")
    end
    depth = depth + lexer.depth(token)
  end
  return code
end

-- Does the chunk end in a comment? What closes a bracket needs a new line then.
local function closed(values)
  local tokens = lexer.tokens(values)
  local last = tokens[#tokens]
  return last and last.kind == "comment" and values .. "\n" or values
end

local function is_statement(text) return load(text, "=line", "t", {}) ~= nil end

-- Do other lines use the results before? Then every result is kept.
local function uses_results(chunks)
  for _, chunk in ipairs(chunks) do
    for _, token in ipairs(lexer.tokens(chunk.code)) do
      if token.kind == "name" and token.text:find "^_%d*$" then return true end
    end
  end
  return false
end

local RESULT = [[
local _
local function result(...)
  if ... ~= nil then _3, _2, _1, _ = _2, _1, _, (...) end
  return ...
end
]]

-- One chunk as statements. What printed nothing is a statement already.
local function statements(chunk, keeps)
  local function printed(values)
    values = closed(values)
    if keeps then return ("print(result(%s))"):format(values) end
    return ("print(%s)"):format(values)
  end
  if chunk.silent and is_statement(chunk.line) then return chunk.line end
  return without_return(chunk.code, printed)
end

---The script.
---@param chunks { line: string, code: string, silent: boolean? }[]
---@return string
function save.script(chunks)
  local keeps = uses_results(chunks)
  local out = { HEAD .. (keeps and "\n" .. RESULT or "") }
  for _, chunk in ipairs(chunks) do
    if not chunk.line:find "^%s*help%f[^%w_]" then out[#out + 1] = statements(chunk, keeps) end
  end
  return table.concat(out, "\n") .. "\n"
end


local written = {} -- files of this program's own

---Writes the script. A file that is there already is only replaced when it came
---from here.
---@param session nslua.Session
---@param path string
---@return integer? lines
---@return string? problem
function save.write(session, path)
  if #session.good == 0 then return nil, "there is nothing to save yet" end
  local script = save.script(session.good)
  local ok, problem = load(script:gsub("^#[^\n]*", ""), "=script", "t", {})
  if not ok then return nil, "these lines make no script: " .. problem end
  local there <close> = io.open(path, "rb")
  if there and not written[path] then return nil, path .. " is there already: another name, please" end
  local file <close>, why = io.open(path, "wb")
  if not file then return nil, why end
  ok, why = file:write(script)
  if not ok then return nil, why end
  written[path] = true
  return #session.good
end

return save
