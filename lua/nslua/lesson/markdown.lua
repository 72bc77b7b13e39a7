-- SPDX-License-Identifier: MIT
-- Lessons as Markdown: what a page of a book or a wiki can hold.

local plain = require "nslua.lesson.plain"
local text = require "nslua.text"

local markdown = {}

local WIDTH = 100


local function add(out, ...) out[#out + 1] = table.concat { ... } end

-- Prose as it is: what would be a sign of Markdown's is made harmless.
local function escape(s)
  s = text.clean((s:gsub("%s+", " "))):gsub("[\\`*<]", "\\%0"):gsub("%f[%S]_", "\\_"):gsub("_%f[%s%z]", "\\_")
  return (s:gsub("^([#+>-])", "\\%1"):gsub("^(%d+)([.)])", "%1\\%2"))
end

local function add_prose(out, long)
  for paragraph in (long .. "\n\n"):gmatch "(.-)\n%s*\n" do
    if paragraph:find "%S" then
      add(out, "")
      for _, line in ipairs(plain.fill(escape(paragraph), WIDTH)) do add(out, line) end
    end
  end
end

-- A fence longer than any in it.
local function add_block(out, heading, language, content)
  local longest = 2
  for ticks in content:gmatch "`+" do longest = math.max(longest, #ticks) end
  local fence = ("`"):rep(longest + 1)
  add(out, "")
  if heading then
    add(out, "**", heading, "**")
    add(out, "")
  end
  add(out, fence, language)
  for line in (content:gsub("%s+$", "") .. "\n"):gmatch "([^\n]*)\n" do add(out, text.clean(line)) end
  add(out, fence)
end

local function add_claims(out, claims)
  if #claims > 0 then add(out, "") end
  for _, claim in ipairs(claims) do
    add(out, "- ", claim.ok and "✔ " or "✘ ", escape(claim.text))
    if claim.why and (not claim.ok or claim.kind == "expect") then add_block(out, nil, "text", claim.why) end
  end
end

local function add_step(out, step, result)
  add(out, "")
  add(out, "## ", tostring(step.index), ". ", escape(step.title))
  if step.say then add_prose(out, step.say) end
  if step.ask then add_prose(out, "Before it runs: " .. step.ask[1]) end
  if step.code then add_block(out, step.solution and "A solution" or "This runs", "lua", step.code) end
  if step.shell then add_block(out, "The same by hand", "sh", step.shell) end
  if not result then return end
  if result.output:find "%S" then add_block(out, "It prints", "text", result.output) end
  if result.view and result.view:find "%S" then add_block(out, "To be seen", "text", result.view) end
  if result.answer then add_prose(out, "The answer: " .. result.answer) end
  if result.calls and result.calls ~= "" then add_block(out, "The system calls", "text", result.calls) end
  if result.problem then add_block(out, "The step could not run", "text", result.problem) end
  add_claims(out, result.claims)
end


---@param all table[]  lesson, results
---@return string
function markdown.md(all)
  local out = {}
  for i, one in ipairs(all) do
    if i > 1 then add(out, "") end
    add(out, "# ", escape(one.lesson.title))
    local file = one.lesson.file
    add(out, "")
    add(out, "Run it: `nslua ", text.clean(file:match "scripts/[^/]*$" or file:match "[^/]*$"), "`")
    for j, step in ipairs(one.lesson.steps) do add_step(out, step, one.results[j]) end
    if one.lesson.done then add_prose(out, one.lesson.done) end
  end
  return table.concat(out, "\n") .. "\n"
end


return markdown
