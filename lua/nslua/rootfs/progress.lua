-- SPDX-License-Identifier: MIT
-- How far a download or an unpacking is: a bar on a terminal, a line at its
-- start and end elsewhere, nothing when it is over before anybody looks.

local sys = require "nslua.sys"
local text = require "nslua.text"
local ns = sys.primitives

local progress = {}

local PATIENCE = 0.4 -- seconds that need no bar
local BAR = 18


local function now()
  local file <close> = io.open "/proc/uptime"
  return file and file:read "n" or os.time()
end

---Bytes for people: "2.1 MB".
function progress.size(n)
  for _, unit in ipairs { "B", "kB", "MB", "GB" } do
    if n < 1000 or unit == "GB" then
      return (unit == "B" and "%d %s" or "%.1f %s"):format(n, unit)
    end
    n = n / 1000
  end
end

local function bar(share)
  local full = math.floor(share * BAR + 0.5)
  if text.utf8() then return ("█"):rep(full) .. ("░"):rep(BAR - full) end
  return ("#"):rep(full) .. ("."):rep(BAR - full)
end

-- The figures are what it is looked at for: of a long name there is less.
local function line(name, columns, fetched, total, entries, seconds)
  local rate = fetched / math.max(seconds, 0.01)
  local parts = {}
  if total > 0 then
    parts[#parts + 1] = bar(math.min(fetched / total, 1))
    parts[#parts + 1] = ("%s/%s"):format(progress.size(fetched), progress.size(total))
  else
    parts[#parts + 1] = progress.size(fetched)
  end
  parts[#parts + 1] = progress.size(rate) .. "/s"
  if total > fetched and fetched > 0 then
    parts[#parts + 1] = ("%d s left"):format(math.ceil((total - fetched) / rate))
  else
    parts[#parts + 1] = ("%d files"):format(entries)
  end
  local figures = table.concat(parts, "  ")
  local room = math.max(8, columns - text.width(figures) - 2)
  return text.cut(text.cut(text.clean(name), room) .. "  " .. figures, columns)
end


---A function for unpack.run's `watch`, and one that ends the display and says
---its last words.
---@param name string
---@param opts { quiet: boolean?, remote: boolean? }
---@return fun(fetched: integer, total: integer, plain: integer, entries: integer)? watch
---@return fun(words: string?) finish
function progress.new(name, opts)
  if opts.quiet then return nil, function() end end
  local terminal, began, drawn = ns.isatty(2), now(), 0 -- columns
  local short = name:match "([^/]+)/*$" or name
  if opts.remote and not terminal then
    io.stderr:write("nslua: fetching ", text.clean(name), "\n")
  end
  local function watch(fetched, total, _, entries)
    local seconds = now() - began
    if not terminal or seconds < PATIENCE then return end
    local columns = (text.columns(2) or 80) - 1
    local words = line(short, columns, fetched, total, entries, seconds)
    -- spaces: any terminal knows them
    io.stderr:write("\r", text.pad(words, math.min(drawn, columns)))
    drawn = text.width(words)
  end
  local function finish(words)
    if drawn > 0 then io.stderr:write("\r", (" "):rep(drawn), "\r") end
    if words and (opts.remote or drawn > 0) then io.stderr:write("nslua: ", words, "\n") end
  end
  return watch, finish
end

return progress
