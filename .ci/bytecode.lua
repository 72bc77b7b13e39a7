-- bytecode.lua DIR FILE... - compiles Lua modules into DIR, with their line
-- numbers, under the names that embedded modules have in error messages.

local ns = require "nslua"

local function make_folders(path)
  local made = ""
  for part in path:gmatch "([^/]+)/" do
    made = made .. part .. "/"
    if not ns.access(made) then ns.mkdir(made) end
  end
end

local dir = arg[1]
for i = 2, #arg do
  local path = arg[i]
  local source = assert(io.open(path)):read "a"
  local chunk = assert(load(source, "@" .. path:gsub("^lua/", "")))
  local target = dir .. "/" .. path
  make_folders(target)
  local out = assert(io.open(target, "wb"))
  out:write(string.dump(chunk))
  out:close()
end
