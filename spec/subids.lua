-- SPDX-License-Identifier: MIT
-- A machine on which somebody has subordinate ids: /etc with other files in
-- it, in a mount namespace that ends with the spec. The machine's own /etc is
-- not touched.

local helpers = require "spec.helpers"
local ns = require "nslua"

local subids = {}


-- For the rest of this process: /etc as it is, with these files on top.
function subids.overlay_etc(files)
  ns.unshare "mnt"
  ns.propagate "rprivate"
  ns.mount("tmpfs", "/mnt", "tmpfs")
  ns.mkdir "/mnt/upper"
  ns.mkdir "/mnt/work"
  ns.overlay { lower = "/etc", upper = "/mnt/upper", work = "/mnt/work", target = "/etc" }
  for name, text in pairs(files) do
    local file <close> = assert(io.open("/etc/" .. name, "w"))
    file:write(text)
  end
end


---Runs Lua code as nobody on such a machine; what it prints, errors too.
---@param files table<string, string>  name in /etc -> text
function subids.as_nobody(files, code)
  helpers.public_program()
  return helpers.in_child(function()
    subids.overlay_etc(files)
    local out, err = helpers.as_nobody(code)
    return out .. err
  end)
end


local function usable()
  if ns.geteuid() ~= 0 then return false, "needs root, to give somebody subordinate ids" end
  if not ns.access("/usr/bin/newuidmap", "x") then return false, "needs newuidmap (package uidmap)" end
  return helpers.probe("subids", function()
    subids.overlay_etc { subuid = "nobody:200000:65536\n" }
  end)()
end


function subids.it(name, fn) return helpers.need_it(usable, name, fn) end

return subids
