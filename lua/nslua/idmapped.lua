-- SPDX-License-Identifier: MIT
-- A bind mount through which owners look different: ns.bind's idmap=. The map
-- is that of a user namespace, which somebody has to be in while it is taken.
-- mount_setattr(2), user_namespaces(7).

local ns = require "nslua"
local sys = require "nslua.sys"

local idmapped = {}


local function is_ns(value)
  return type(value) == "userdata" and type(value.inode) == "number"
end


-- A user namespace with this map: made, taken by a handle, and left. Told at
-- the caller's line when the map is none.
local function namespace_of(map)
  local holder <close> = ns.clone({ "user", map = map, die_with_parent = true, stdin = "null",
    stdout = "null", stderr = "null" }, function() ns.poll({}, 600) end)
  return ns.of(holder, "user")
end


-- The handle to use, and whether it is ours to close.
local function user_namespace(idmap)
  if not is_ns(idmap) then
    if type(idmap) ~= "userdata" then return namespace_of(idmap), true end
    return ns.of(idmap, "user"), true
  end
  if idmap.type ~= "user" then
    sys.raise(("idmap = %s: that is a %s namespace"):format(tostring(idmap), idmap.type))
  end
  return idmap, false
end


---Attaches a copy of source at target, its owners read through the map.
---@param source string
---@param target string
---@param idmap string|table|nslua.Proc|nslua.Ns
---@param change table  as for ns.mount_setattr
---@return nslua.Mount
function idmapped.bind(source, target, idmap, change)
  local tree <close> = ns.open_tree(source, change.recursive and "clone,recursive" or "clone")
  local handle, ours = user_namespace(idmap)
  local _ <close> = ours and handle or nil
  change.userns = handle
  ns.mount_setattr(tree, change)
  return ns.move_mount(tree, target)
end

return idmapped
