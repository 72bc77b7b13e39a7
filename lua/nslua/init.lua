-- SPDX-License-Identifier: MIT
-- The facade: every primitive, and every composite by name. A composite's
-- module is loaded when one of its names is first used.

local sys = require "nslua.sys"

-- name -> the module that has it
local lazy = {
  box = "nslua.box", clone = "nslua.box", run = "nslua.box",
  try = "nslua.core", trace = "nslua.core",
  bind = "nslua.mounts", overlay = "nslua.mounts", propagate = "nslua.mounts",
  list = "nslua.list", ps = "nslua.ps", matrix = "nslua.matrix",
  can = "nslua.doctor", lesson = "nslua.lesson",
  subids = "nslua.maps",
  cap_drop = "nslua.caps", cap_keep = "nslua.caps", cap_raise = "nslua.caps",
  ping = "nslua.ping", lab = "nslua.lab", nft = "nslua.nft",
  pid_in = "nslua.pids", pid_from = "nslua.pids", watch = "nslua.watch",
}

-- modules with a name of their own in ns
local modules = {
  netns = "nslua.netns",
  link = "nslua.link", address = "nslua.address", route = "nslua.route",
  rootfs = "nslua.rootfs",
}

-- method -> the module that adds it, for each handle type
local lazy_methods = {
  Proc = {
    call = "nslua.proc", enter = "nslua.proc", read = "nslua.proc",
    repl = "nslua.proc", run = "nslua.proc", sh = "nslua.proc",
    spawn = "nslua.proc",
    hostname = "nslua.look", mounts = "nslua.look", ns = "nslua.look",
    view = "nslua.look",
    command = "nslua.command",
    ping = "nslua.ping", links = "nslua.link", addresses = "nslua.address", routes = "nslua.route",
    pids = "nslua.pids", pid_in = "nslua.pids", ps = "nslua.pids",
  },
  Ns = { members = "nslua.pids" },
  Fd = {}, Mount = {},
}

local ns = sys.primitives

local function resolve(t, name)
  local module = lazy[name] or modules[name]
  if not module then return nil end
  local value = require(module)
  if lazy[name] then value = value[name] end
  rawset(t, name, value)
  return value
end

for type_name, names in pairs(lazy_methods) do
  setmetatable(sys.methods[type_name] or {}, { __index = function(methods, name)
    local module = names[name]
    if not module then return nil end
    local method = require(module).methods[type_name][name]
    rawset(methods, name, method)
    return method
  end })
end

-- Help and completion know the names that are not loaded yet.
sys.lazy = {
  names = lazy, modules = modules, methods = lazy_methods,
  documented = { "nslua.list", "nslua.rootfs.handle", "nslua.lab.host",
    "nslua.link.object" },
}

-- Why a call was refused is worked out when somebody asks.
sys.explain(function(err) return require("nslua.doctor").explain(err) end)

---Which nslua this is: "0.1.0".
ns.version = sys.version

return setmetatable(ns, { __index = resolve })
