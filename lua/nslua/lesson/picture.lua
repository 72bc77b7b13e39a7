-- SPDX-License-Identifier: MIT
-- Host and boxes as a picture: a column for each of them, a row for each type
-- of namespace. What is shared is one bar across; what is a box's own stands
-- alone, in the colour of its type.

local graph = require "nslua.graph"
local text = require "nslua.text"
local views = require "nslua.lesson.views"
local ns = require "nslua"

local picture = {}

local TYPES = { "user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time" }
local MOST = 4 -- processes of a column


-- -- what there is, asked on the stage --------------------------------------------------

local function processes_of(proc, host)
  if proc:ns "pid" == host:ns "pid" then
    return ns.ps { "pid", "args", pid = proc }
  end
  return ns.ps { "pid", "inpid", "args", inside = proc }
end

---Host and boxes with their namespaces and processes.
---@param run table
---@return table[] sides
function picture.look(run)
  local sides = {}
  for _, place in ipairs(views.everybody(run.t)) do
    local name, proc = table.unpack(place)
    local side = { name = name, ns = {}, processes = {} }
    local ok = pcall(function()
      for _, type in ipairs(TYPES) do side.ns[type] = ns.access("/proc/self/ns/" .. type) and proc:ns(type).inode end
      for i, row in ipairs(processes_of(proc, run.t.host)) do
        side.processes[i] = { pid = row.pid, inside = row.inpid, args = row.args }
      end
    end)
    if ok then sides[#sides + 1] = side end
  end
  return sides
end


-- -- SVG --------------------------------------------------------------------------------

local LABEL, WIDE, GAP, ROW, HEAD, LINE = 54, 138, 6, 26, 26, 17

-- Neighbours in the same namespace are one bar.
local function bars_of(sides, type)
  local bars = {}
  for i, side in ipairs(sides) do
    local last = bars[#bars]
    if last and last.ns == side.ns[type] then
      last.last = i
    else
      bars[#bars + 1] = { first = i, last = i, ns = side.ns[type], shared = side.ns[type] == sides[1].ns[type] }
    end
  end
  return bars
end

local BAR = ([[
<g class="%s" style="--of:%s"><rect x="%d" y="%d" width="%d" height="%d" rx="5"/>
<text x="%d" y="%d" text-anchor="middle">%s</text></g>]]):gsub("\n", "")

local function add_row(out, sides, type, y)
  out[#out + 1] = ('<text class="type" style="--of:%s" x="0" y="%d">%s</text>'):format(graph.colors[type], y + 17, type)
  for _, bar in ipairs(bars_of(sides, type)) do
    local x = LABEL + (bar.first - 1) * (WIDE + GAP)
    local width = (bar.last - bar.first + 1) * (WIDE + GAP) - GAP
    local word = bar.ns or "?"
    if #sides > 1 then word = word .. (bar.shared and (bar.last > 1 and " shared" or "") or " new") end
    out[#out + 1] = BAR:format(bar.shared and "shared" or "new", graph.colors[type], x, y, width, ROW - 5,
      x + width // 2, y + 15, graph.xml(tostring(word)))
  end
end

local function process_line(process)
  local number = process.inside and ("%s = %d"):format(process.pid, process.inside) or tostring(process.pid)
  return text.cut(number .. "  " .. text.clean(process.args), 19, "…")
end

local function add_processes(out, sides, y)
  local most = 0
  for i, side in ipairs(sides) do
    local x = LABEL + (i - 1) * (WIDE + GAP)
    for j, process in ipairs(side.processes) do
      if j > MOST then break end
      most = math.max(most, j)
      out[#out + 1] = ('<text class="who" x="%d" y="%d">%s</text>'):format(x, y + j * LINE - 3,
        graph.xml(process_line(process)))
    end
  end
  return most * LINE
end

local STYLE = [[
svg.ns{font:12px ui-monospace,"DejaVu Sans Mono",monospace;fill:currentColor}
svg.ns .type{font-weight:bold;fill:var(--of)}svg.ns .head{font-weight:bold}svg.ns .who{font-size:11.5px}
svg.ns .new rect{fill:var(--of);fill-opacity:.2;stroke:var(--of);stroke-width:2}
svg.ns .shared rect{fill:#888;fill-opacity:.1;stroke:#888}svg.ns .new text{font-weight:bold}
@media (prefers-color-scheme:dark){svg.ns .type{filter:brightness(1.7)}svg.ns .new rect{filter:brightness(1.4)}}]]

picture.style = STYLE

local function size(sides)
  local most = 0
  for _, side in ipairs(sides) do most = math.max(most, math.min(#side.processes, MOST)) end
  return LABEL + #sides * (WIDE + GAP), HEAD + #TYPES * ROW + most * LINE + 6
end

local function said(sides)
  local words = {}
  for i = 2, #sides do
    local own = {}
    for _, type in ipairs(TYPES) do
      if sides[i].ns[type] ~= sides[1].ns[type] then own[#own + 1] = type end
    end
    words[#words + 1] = ("%s: %s"):format(sides[i].name, #own > 0 and "its own " .. table.concat(own, ", ")
      or "shares everything with the host")
  end
  return #words > 0 and table.concat(words, "; ") or "the host alone"
end


---The picture, to stand in a page that has picture.style.
---@param sides table[]
---@return string
function picture.svg(sides)
  local width, height = size(sides)
  local out = {}
  out[1] = ('<svg class="ns" role="img" xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">')
    :format(width, height, width, height)
  out[2] = "<title>" .. graph.xml(said(sides)) .. "</title>"
  for i, side in ipairs(sides) do
    out[#out + 1] = ('<text class="head" x="%d" y="16">%s</text>'):format(LABEL + (i - 1) * (WIDE + GAP),
      graph.xml(side.name:upper()))
  end
  for i, type in ipairs(TYPES) do add_row(out, sides, type, HEAD + (i - 1) * ROW) end
  add_processes(out, sides, HEAD + #TYPES * ROW)
  out[#out + 1] = "</svg>"
  return table.concat(out, "\n")
end


-- -- DOT --------------------------------------------------------------------------------

---Who is in which namespace, in Graphviz's language.
---@param sides table[]
---@param name string
---@return string
function picture.dot(sides, name)
  local out, seen = { ("digraph %q {"):format(name), "  rankdir=LR; node [shape=box, fontname=monospace];" }, {}
  for _, side in ipairs(sides) do
    out[#out + 1] = ("  %q [style=bold];"):format(side.name)
    for _, type in ipairs(TYPES) do
      local inode = side.ns[type]
      local id = inode and ("%s:[%s]"):format(type, inode)
      if id and not seen[id] then
        seen[id] = true
        out[#out + 1] = ("  %q [style=rounded, color=%q];"):format(id, graph.colors[type])
      end
      if id then out[#out + 1] = ("  %q -> %q;"):format(side.name, id) end
    end
  end
  out[#out + 1] = "}"
  return table.concat(out, "\n") .. "\n"
end


return picture
