-- SPDX-License-Identifier: MIT
-- The graph of namespaces as a picture. Who owns what is drawn as frames in
-- frames: a user namespace is a frame around all that belongs to it. An arrow
-- leads from a pid namespace to the one that it was born in.

local text = require "nslua.text"

local graph = {}

-- A colour for each type; the word always stands beside it.
local COLORS = {
  user = "#7a5195", mnt = "#2f6db3", pid = "#c2410c", uts = "#15803d", ipc = "#0e7490",
  net = "#b45309", cgroup = "#be185d", time = "#4d7c0f",
}

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

local function xml(s) return (text.clean(s):gsub("[&<>\"']", ENTITIES)) end

graph.colors, graph.xml = COLORS, xml

local function processes(row)
  if row.nprocs == 0 then return "no process" end
  return row.nprocs == 1 and "1 process" or row.nprocs .. " processes"
end

-- What a namespace is known by: its first process, or what keeps it.
local function known_by(row)
  if row.nprocs == 0 then return row.kept_by end
  return ("%d %s"):format(row.pid or 0, row.command or "")
end

-- Frames: { row = user namespace | nil, owned = rows, frames = inner frames }
local function frames_of(list)
  local at, roots, stray = {}, {}, { owned = {}, frames = {} }
  for _, row in ipairs(list) do
    if row.type == "user" then at[row.ns] = { row = row, owned = {}, frames = {} } end
  end
  for _, row in ipairs(list) do
    if row.type == "user" then
      local up = at[row.pns]
      table.insert(up and up.frames or roots, at[row.ns])
    else
      table.insert((at[row.ons] or stray).owned, row)
    end
  end
  for _, frame in pairs(at) do
    table.sort(frame.owned, function(a, b) -- pid first: the arrows run on the left
      if (a.type == "pid") ~= (b.type == "pid") then return a.type == "pid" end
      return a.ns < b.ns
    end)
  end
  if #stray.owned > 0 then roots[#roots + 1] = stray end
  return roots
end


-- -- DOT ---------------------------------------------------------------------

local function quote(s) return '"' .. text.clean(s):gsub('[\\"]', "\\%0") .. '"' end

local function dot_frame(out, frame, indent)
  local pad = ("  "):rep(indent)
  local function add(fmt, ...) out[#out + 1] = pad .. fmt:format(...) end
  local row = frame.row
  add("subgraph cluster_%s {", row and row.ns or "unseen")
  add("  label=%s; style=rounded;", quote(row and ("user:[%d]"):format(row.ns) or "owner not visible"))
  if row then
    local about = quote("user " .. processes(row) .. " " .. known_by(row))
    add("  n%d [label=%s, color=%q];", row.ns, about, COLORS.user)
  end
  for _, owned in ipairs(frame.owned) do
    local label = ("%s:[%d] %s, %s"):format(owned.type, owned.ns, processes(owned), known_by(owned))
    add("  n%d [label=%s, color=%q];", owned.ns, quote(text.cut(text.clean(label), 80, "...")), COLORS[owned.type])
  end
  for _, inner in ipairs(frame.frames) do dot_frame(out, inner, indent + 1) end
  add("}")
end


---The graph in Graphviz's language.
---@param list nslua.List
---@return string
function graph.dot(list)
  local out = { "digraph namespaces {", "  rankdir=LR; fontname=monospace;",
    "  node [shape=box, style=rounded, fontname=monospace];" }
  for _, frame in ipairs(frames_of(list)) do dot_frame(out, frame, 1) end
  local known = {}
  for _, row in ipairs(list) do known[row.ns] = true end
  for _, row in ipairs(list) do
    if row.pns and known[row.pns] then
      out[#out + 1] = ("  n%d -> n%d [style=%s];"):format(row.ns, row.pns, row.type == "pid" and "dashed" or "solid")
    end
  end
  out[#out + 1] = "}"
  return table.concat(out, "\n") .. "\n"
end


-- -- SVG ---------------------------------------------------------------------

local CHIP_W, CHIP_H, GAP, PAD, HEAD, COLUMNS = 236, 56, 12, 14, 34, 4

-- The size of a frame and of all within; positions are relative to it.
local function measure(frame)
  local n = #frame.owned
  local columns = math.min(n, COLUMNS)
  local rows = (n + COLUMNS - 1) // COLUMNS
  frame.w = math.max(columns * (CHIP_W + GAP) - GAP, 360)
  local y = HEAD + rows * (CHIP_H + GAP)
  for _, inner in ipairs(frame.frames) do
    measure(inner)
    inner.x, inner.y = PAD, y
    y = y + inner.h + GAP
    frame.w = math.max(frame.w, inner.w)
  end
  frame.w = frame.w + 2 * PAD
  frame.h = y + PAD - (y > HEAD and GAP or 0)
end

local CHIP = ([[
<g class="ns" transform="translate(%d %d)"><title>%s</title>
<rect class="chip" width="%d" height="%d" rx="5"/><rect width="6" height="%d" rx="3" fill="%s"/>
<text class="type" x="16" y="18" fill="%s">%s</text><text x="72" y="18">%d</text>
<text class="count" x="%d" y="18" text-anchor="end">%s</text>
<text class="who" x="16" y="40">%s</text></g>]]):gsub("\n", "")

local function chip(out, places, row, x, y)
  places[row.ns] = { x = x, y = y }
  local second = text.cut(text.clean(known_by(row)), 30, "…")
  local tip = ("%s:[%d] kept by %s\n%s"):format(row.type, row.ns, row.kept_by, row.command or "")
  out[#out + 1] = CHIP:format(x, y, xml(tip),
      CHIP_W, CHIP_H, CHIP_H, COLORS[row.type], COLORS[row.type], row.type, row.ns, CHIP_W - 8,
      row.nprocs == 1 and "1 proc" or row.nprocs .. " procs", xml(second))
end

-- Frames and chips apart: what is drawn between them lies under the chips.
local function draw(out, chips, places, frame, x, y, inner_one)
  local row = frame.row
  local label = "owner not visible from here"
  if row then label = ("user:[%d] · %s · %s"):format(row.ns, processes(row), known_by(row)) end
  out[#out + 1] = ([[<rect class="frame%s" x="%d" y="%d" width="%d" height="%d" rx="8"/>]])
    :format(inner_one and " odd" or "", x, y, frame.w, frame.h)
  out[#out + 1] = ([[<text class="head" x="%d" y="%d" fill="%s">%s</text>]])
    :format(x + PAD, y + 21, COLORS.user, xml(text.cut(text.clean(label), (frame.w - 2 * PAD) // 8, "…")))
  for i, owned in ipairs(frame.owned) do
    chip(chips, places, owned, x + PAD + ((i - 1) % COLUMNS) * (CHIP_W + GAP),
      y + HEAD + ((i - 1) // COLUMNS) * (CHIP_H + GAP))
  end
  for _, inner in ipairs(frame.frames) do draw(out, chips, places, inner, x + inner.x, y + inner.y, not inner_one) end
end

-- A way from each pid namespace to its parent that keeps between the chips:
-- out on the left, along the row, up the gutter beside the parent.
local function arrows(out, list, places)
  for _, row in ipairs(list) do
    local from, to = places[row.ns], places[row.pns]
    if row.type == "pid" and from and to then
      local gutter = to.x - GAP / 2
      out[#out + 1] = ([[<path class="born" d="M%g %g H%g V%g H%g V%g H%g" marker-end="url(#arrow)"/>]])
        :format(from.x, from.y + 12, from.x - GAP / 2, from.y - GAP / 2, gutter, to.y + CHIP_H - 12, to.x)
    end
  end
end

local STYLE = [[
text { font: 13px ui-monospace, "DejaVu Sans Mono", monospace; fill: #1f2933 }
.bg { fill: #fff } .frame { fill: #f6f3f8; stroke: #7a5195; stroke-width: 1.2 } .odd { fill: #ebe4f0 }
.chip { fill: #f5f7fa; stroke: #9aa5b1 } .head, .type { font-weight: bold } .head { fill: #7a5195 }
.count, .note { font-size: 11px; fill: #52606d } .who { font-size: 11.5px }
.born { fill: none; stroke: #c2410c; stroke-width: 1.6; stroke-dasharray: 5 3; stroke-linejoin: round }
.tip { fill: #c2410c }
@media (prefers-color-scheme: dark) {
text { fill: #e4e7eb } .bg { fill: #12161c } .chip { fill: #1f2733; stroke: #52606d }
.frame { fill: #1e1d26; stroke: #b497d6 } .odd { fill: #2b2836 } .head { fill: #cbb4e6 } .count, .note { fill: #a7b1bd }
.born { stroke: #fb923c } .tip { fill: #fb923c } }]]


---The graph as an SVG picture without any outside part.
---@param list nslua.List
---@return string
function graph.svg(list)
  local roots, y, width = frames_of(list), GAP + 26, 480
  for _, frame in ipairs(roots) do
    measure(frame)
    frame.y = y
    y, width = y + frame.h + GAP, math.max(width, frame.w + 2 * GAP)
  end
  local head, body, chips, places = {}, {}, {}, {}
  for _, frame in ipairs(roots) do draw(body, chips, places, frame, GAP, frame.y) end
  arrows(body, list, places)
  table.move(chips, 1, #chips, #body + 1, body)
  head[1] = ([[<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">]])
    :format(width, y, width, y)
  head[2] = "<title>Namespaces and who owns them</title><style>" .. STYLE .. "</style>"
  head[3] = [[<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5"]]
    .. [[ orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>]]
  head[4] = '<rect class="bg" width="100%" height="100%"/>'
  head[5] = ([[<text class="note" x="%d" y="22">%d namespaces; a frame is a user namespace and holds what]]
    .. [[ it owns; a dashed arrow leads to the parent pid namespace</text>]]):format(GAP, #list)
  return table.concat(head, "\n") .. "\n" .. table.concat(body, "\n") .. "\n</svg>\n"
end

return graph
