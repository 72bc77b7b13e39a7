-- SPDX-License-Identifier: MIT
-- Lessons as one HTML file that needs nothing else: no script, no font, no
-- picture from elsewhere; for a screen, a phone and a printer.

local graph = require "nslua.graph"
local picture = require "nslua.lesson.picture"
local text = require "nslua.text"

local html = {}

local STYLE = [[
:root{color-scheme:light dark;--bg:#fff;--fg:#1b2430;--soft:#5b6673;--line:#d5dbe1;--code:#f4f6f8;
--yes:#15703a;--no:#b3261e;--link:#1d5fa8}
@media(prefers-color-scheme:dark){:root{--bg:#12161c;--fg:#e2e7ec;--soft:#a3aebb;--line:#36404c;
--code:#1b222b;--yes:#6cd08f;--no:#ff8a80;--link:#86b7f0}}
*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}
body{margin:0 auto;padding:1rem;max-width:50rem;background:var(--bg);color:var(--fg);
font:1rem/1.55 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.7rem;line-height:1.2;margin:2rem 0 .5rem}h2{font-size:1.2rem;line-height:1.3;margin:0 0 .5rem}
h3{font-size:.85rem;color:var(--soft);margin:1rem 0 .3rem}a{color:var(--link)}
section{border-top:1px solid var(--line);padding:1.4rem 0 .6rem}
pre{margin:0;padding:.7rem .8rem;background:var(--code);border:1px solid var(--line);border-radius:6px;
overflow-x:auto;font:.82rem/1.45 ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:normal}
.pair{display:grid;gap:0 1rem}@media(min-width:44rem){.pair.two{grid-template-columns:1fr 1fr}}
.pair>*{min-width:0}
ul.claims{list-style:none;padding:0;margin:1rem 0}ul.claims li{padding-left:1.6rem;text-indent:-1.6rem;
margin:.2rem 0}ul.claims pre{text-indent:0;margin-top:.3rem}
.yes::before{content:"✔ ";color:var(--yes);font-weight:bold}.no::before{content:"✘ ";color:var(--no);
font-weight:bold}
.picture{overflow-x:auto;margin:1rem 0}.picture svg{display:block}
details{margin:.6rem 0}summary{cursor:pointer;color:var(--soft)}.note{color:var(--soft)}
nav ol{padding-left:1.4rem}
@media print{:root{--bg:#fff;--fg:#000;--soft:#444;--line:#bbb;--code:#f6f6f6}section{break-inside:avoid}
pre{white-space:pre-wrap}}
]]


local xml = graph.xml

local function add(out, fmt, ...) out[#out + 1] = fmt:format(...) end

local function lines(content)
  local list = {}
  for line in (content:gsub("%s+$", "") .. "\n"):gmatch "([^\n]*)\n" do list[#list + 1] = xml(line) end
  return table.concat(list, "\n")
end

local function add_prose(out, long, class)
  for paragraph in (long .. "\n\n"):gmatch "(.-)\n%s*\n" do
    if paragraph:find "%S" then
      add(out, "<p%s>%s</p>", class and (' class="%s"'):format(class) or "", xml((paragraph:gsub("%s+", " "))))
    end
  end
end

local function block(heading, content)
  return ("<div><h3>%s</h3><pre>%s</pre></div>"):format(xml(heading), lines(content))
end

local BESIDE = 44 -- columns of code that fit beside another block

local function is_narrow(content)
  for line in content:gmatch "[^\n]+" do
    if text.width(line) > BESIDE then return false end
  end
  return true
end

local function add_code(out, step)
  local parts = {}
  if step.code then parts[1] = block(step.solution and "a solution" or "this runs", step.code) end
  if step.shell then parts[#parts + 1] = block("the same by hand", step.shell) end
  if #parts > 0 then
    local two = #parts == 2 and is_narrow(step.code) and is_narrow(step.shell)
    add(out, '<div class="pair%s">%s</div>', two and " two" or "", table.concat(parts))
  end
end

local function add_claims(out, claims)
  if #claims == 0 then return end
  add(out, '<ul class="claims">')
  for _, claim in ipairs(claims) do
    local why = claim.why and (not claim.ok or claim.kind == "expect")
    add(out, '<li class="%s">%s%s</li>', claim.ok and "yes" or "no", xml(claim.text),
      why and "<pre>" .. lines(claim.why) .. "</pre>" or "")
  end
  add(out, "</ul>")
end

local function add_result(out, result)
  if result.output:find "%S" then add(out, "%s", block("it prints", result.output)) end
  if result.view and result.view:find "%S" then add(out, "%s", block("to be seen", result.view)) end
  if result.answer then add_prose(out, "The answer: " .. result.answer) end
  if result.problem then add(out, "%s", block("the step could not run", result.problem)) end
  if #result.sides > 0 then add(out, '<div class="picture">%s</div>', picture.svg(result.sides)) end
  add_claims(out, result.claims)
end

local function add_more(out, summary, content)
  add(out, "<details><summary>%s</summary>%s</details>", summary, content)
end

local function add_calls(out, calls)
  if calls and calls ~= "" then add_more(out, "the system calls", "<pre>" .. lines(calls) .. "</pre>") end
end

local function add_step(out, step, result)
  add(out, '<section id="%s"><h2>%d. %s</h2>', xml(step.id:gsub("/", "-")), step.index, xml(step.title))
  if step.say then add_prose(out, step.say) end
  if step.ask then add_prose(out, "Before it runs: " .. step.ask[1], "note") end
  add_code(out, step)
  if result then
    add_result(out, result)
    add_calls(out, result.calls)
  end
  if step.hint then
    local hints = {}
    for i, hint in ipairs(step.hint) do hints[i] = "<li>" .. xml((hint:gsub("%s+", " "))) .. "</li>" end
    add_more(out, #hints == 1 and "a hint" or "hints", "<ul>" .. table.concat(hints) .. "</ul>")
  end
  add(out, "</section>")
end

local function add_lesson(out, one)
  add(out, '<article id="%s"><h1>%s</h1>', xml(one.lesson.id), xml(one.lesson.title))
  add(out, "<nav><ol>")
  for _, step in ipairs(one.lesson.steps) do
    add(out, '<li><a href="#%s">%s</a></li>', xml(step.id:gsub("/", "-")), xml(step.title))
  end
  add(out, "</ol></nav>")
  for i, step in ipairs(one.lesson.steps) do add_step(out, step, one.results[i]) end
  if one.lesson.done then add_prose(out, one.lesson.done, "note") end
  add(out, "</article>")
end


---One page with all lessons.
---@param all table[]  lesson, results
---@return string
function html.html(all)
  local titles = {}
  for i, one in ipairs(all) do titles[i] = one.lesson.title end
  local out = {}
  add(out, '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">')
  add(out, '<meta name="viewport" content="width=device-width,initial-scale=1">')
  add(out, "<title>%s</title><style>\n%s%s</style></head><body>", xml(table.concat(titles, ", ")), STYLE, picture.style)
  for _, one in ipairs(all) do add_lesson(out, one) end
  add(out, "</body></html>")
  return table.concat(out, "\n") .. "\n"
end


-- The last picture of a lesson: where it has come to.
local function last_sides(one)
  for i = #one.results, 1, -1 do
    if #one.results[i].sides > 1 then return one.results[i].sides end
  end
  return one.results[#one.results].sides
end


---The namespaces of a lesson at its fullest, as a picture of its own.
---@param all table[]
---@return string
function html.svg(all)
  local svg = picture.svg(last_sides(all[#all]))
  return (svg:gsub("</title>", function() return "</title><style>" .. picture.style .. "</style>" end, 1)) .. "\n"
end


---The same for Graphviz.
---@param all table[]
---@return string
function html.dot(all)
  return picture.dot(last_sides(all[#all]), text.clean(all[#all].lesson.id))
end


return html
