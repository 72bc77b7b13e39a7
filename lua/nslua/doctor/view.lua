-- SPDX-License-Identifier: MIT
-- How the doctor's report looks: text for people, JSON for programs, and one
-- block of remedies to copy.

local sys = require "nslua.sys"
local fold = require "nslua.fold"
local text = require "nslua.text"

local view = {}


-- Words in lines of at most 79 columns, those after the first indented.
local function wrap(words, indent) return fold.words(words, 79 - indent, indent) end


---The abilities, one a line.
---@param list table[]
---@return string
function view.rows(list)
  local lines = {}
  for i, row in ipairs(list) do
    lines[i] = ("%s %-12s %s%s"):format(text.symbol(row.ok and "yes" or "no"), row.name,
      row.title, row.ok and "" or "  " .. (row.errno or ""))
    if row.why then lines[i] = lines[i] .. "\n    why  " .. wrap(row.why, 9) end
    if row.fix then lines[i] = lines[i] .. "\n    fix  " .. wrap(row.fix, 9) end
  end
  return table.concat(lines, "\n")
end


local function place(s)
  local parts = { "Linux " .. (s.kernel or sys.primitives.uname().release) }
  if s.distribution then parts[2] = s.distribution end
  parts[#parts + 1] = "uid " .. tostring(s.uid or sys.primitives.getuid())
  if s.wsl then parts[#parts + 1] = "WSL " .. s.wsl end
  if s.container then parts[#parts + 1] = "in " .. s.container end
  if s.chrooted or s.below_root then parts[#parts + 1] = "in a chroot" end
  return sys.clean(table.concat(parts, ", "))
end


local function add_finding(out, found)
  out[#out + 1] = ("\n%s %s"):format(found.note and "-" or text.symbol "no",
    found.note and wrap(found.why, 2) or
    (found.probe .. ": " .. found.errno .. "\n  why  " .. wrap(found.why, 7)))
  if found.fix then out[#out + 1] = "  fix  " .. wrap(found.fix, 7) end
  if found.weakens then
    out[#out + 1] = "       " .. wrap("(which weakens: " .. found.weakens .. ")", 7)
  end
  if found.see then out[#out + 1] = "  see  " .. found.see end
end


---The report for people.
---@param report table
---@return string
function view.text(report)
  local works, fails = {}, {}
  for _, row in ipairs(report.list) do
    table.insert(row.ok and works or fails, row.name)
  end
  local out = { "nslua --doctor: " .. wrap(place(report.signals), 16), "" }
  out[#out + 1] = "works     " .. wrap(#works > 0 and table.concat(works, " ") or "nothing", 10)
  if #fails > 0 then out[#out + 1] = "does not  " .. wrap(table.concat(fails, " "), 10) end
  local commands
  for _, found in ipairs(report.findings) do
    add_finding(out, found)
    commands = commands or found.command
  end
  if commands then
    out[#out + 1] = "\nnslua --doctor=fix prints the commands alone, with what each weakens."
  end
  return table.concat(out, "\n") .. "\n"
end


-- A profile is shown, not recommended: the interpreter runs any script.
local function apparmor_profile(out)
  local path = "/usr/local/bin/nslua"
  local ok, exe = pcall(sys.primitives.readlink, "/proc/self/exe")
  if ok and not exe:find("[%c\"{}]") then path = exe end
  for _, line in ipairs {
    "# or, for this program alone (weakens: nslua runs any script, so every local",
    "# user may use it to create user namespaces with capabilities):",
    "# printf '%s\\n' 'abi <abi/4.0>,' 'include <tunables/global>' \\",
    ("#   'profile nslua %s flags=(unconfined) { userns, }' |"):format(path),
    "#   sudo tee /etc/apparmor.d/nslua >/dev/null && " ..
      "sudo apparmor_parser -r /etc/apparmor.d/nslua",
  } do out[#out + 1] = line end
end


---Only the remedies, as one block for a shell. Everything that weakens the
---machine says so on the line before it.
---@param report table
---@return string
function view.fix(report)
  local out, seen = { "# BEGIN remedies for nslua: read, choose, then paste" }, {}
  for _, found in ipairs(report.findings) do
    if found.command and not seen[found.command] then
      seen[found.command] = true
      out[#out + 1] = "# " .. wrap(found.why, 0):gsub("\n", "\n# ")
      out[#out + 1] = "# weakens: " .. wrap(found.weakens or "nothing", 11):gsub("\n", "\n#")
      out[#out + 1] = found.command
      if found.id:find("^apparmor") then apparmor_profile(out) end
    end
  end
  if #out == 1 then out[2] = "# nothing to do" end
  out[#out + 1] = "# END remedies for nslua"
  return table.concat(out, "\n") .. "\n"
end


---The report for programs: abilities, findings and signals (the mount table and
---the list of file systems left out).
---@param report table
---@return string
function view.json(report)
  local s = {}
  for key, value in pairs(report.signals) do
    if key ~= "mounts" and key ~= "filesystems" then s[key] = value end
  end
  local abilities = {}
  for i, row in ipairs(report.list) do abilities[i] = row end
  return require("nslua.json").encode({
    abilities = abilities, findings = report.findings, signals = s,
  }, 2) .. "\n"
end

return view
