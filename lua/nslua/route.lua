-- SPDX-License-Identifier: MIT
-- ns.route: routes, IPv4 and IPv6, by rtnetlink.

local sys = require "nslua.sys"
local list = require "nslua.list"
local rtnl = require "nslua.rtnl"

local route = { methods = { Proc = {} } }

local TABLES = { main = 254, ["local"] = 255, default = 253 }
local OPTIONS = "ns to via dev src metric table type"

local function table_number(value)
  local number = TABLES[value] or value
  if math.type(number) ~= "integer" or number < 0 or number > 0xffffffff then
    sys.raise "table is \"main\", \"local\", \"default\" or a number"
  end
  return number
end


---The routes of a network namespace: records with `to`, `via`, `dev`, `src`, `metric`,
---`protocol`, `scope`, `type`, `table`, `family`. The list prints itself as
---`ip route` and `ip -6 route` do.
---
---    print(ns.route.list())
---    print(ns.route.list{ ns = box, family = "inet6", table = "all" })
---
---Raises: ENOENT, ESRCH (a namespace that is gone), EPERM (one that may not be joined).
---Source: rtnetlink(7)
---@param opts? { ns?: any, family?: "inet"|"inet6", table?: string|integer }  both
---families and the table "main", unless given
---@return nslua.List
function route.list(opts)
  opts = rtnl.check_keys("ns.route.list", opts or {}, "ns family table")
  rtnl.check_family("ns.route.list", opts.family)
  local wanted = opts.table ~= "all" and table_number(opts.table or "main")
  local names, rows = {}, {}
  rtnl.with(opts.ns, function(ask)
    for _, link in ipairs(ask "links") do names[link.index] = link.name end
    for _, row in ipairs(ask "routes") do
      if (not wanted or row.table == wanted) and (not opts.family or row.family == opts.family) then
        row.dev = names[row.index]
        rows[#rows + 1] = row
      end
    end
  end)
  local order = {}
  for i, row in ipairs(rows) do order[row] = i end
  table.sort(rows, function(a, b)
    if a.family ~= b.family then return a.family < b.family end
    return order[a] < order[b]
  end)
  return list.make(rows, "routes", { "to", "via", "dev", "src" },
    { format = require("nslua.linktext").route, nothing = "no route" })
end

-- What the kernel calls a destination; the gateway tells a default's family.
local function destination(to, via, what)
  if to == "default" then
    return via and via:find(":", 1, true) and "::/0" or "0.0.0.0/0"
  end
  return rtnl.check_address(to, what)
end

local function is_v6(text) return text and text:find(":", 1, true) ~= nil end

-- What would be taken for something else is told here.
local function check(set, is_new)
  local metric = set.metric
  if metric ~= nil and (math.type(metric) ~= "integer" or metric < 0 or metric > 0xffffffff) then
    sys.raise "metric is an integer from 0 to 4294967295"
  end
  for _, key in ipairs { "via", "src" } do
    if set[key] and is_v6(set[key]) ~= is_v6(set.to) then
      sys.raise(("%s: %s and %s are of two families"):format(key, set[key], set.to))
    end
  end
  if is_new and not set.via and not set.index and (set.type or "unicast") == "unicast" then
    sys.raise "ns.route.add: a route leads to a gateway (via=) or a link (dev=)"
  end
end

local function compile(to, opts, what)
  opts = opts or {}
  if type(to) == "table" then opts, to = to, to.to end
  rtnl.check_keys(what, opts, OPTIONS)
  if opts.via then rtnl.check_address(opts.via, "via") end
  if opts.src then rtnl.check_address(opts.src, "src") end
  local set = { to = destination(to, opts.via, what), via = opts.via, src = opts.src,
    type = opts.type, metric = opts.metric }
  if opts.table then set.table = table_number(opts.table) end
  local dev = opts.dev
  if rtnl.places[dev] then
    set.index = dev.index
    if opts.ns == nil then return set, rtnl.places[dev].target end
  elseif dev then
    set.index = rtnl.request(opts.ns, "link", rtnl.check_name(dev, "dev")).index
  end
  return set, opts.ns
end


---Adds a route.
---
---    ns.route.add("default", { via = "10.0.0.1", ns = box })
---    ns.route.add("10.1.0.0/16", { dev = "veth0" })
---
---Raises: EEXIST (it is there), ENETUNREACH (the gateway is on no network of a link
---that is up), EPERM, ENODEV.
---Source: rtnetlink(7)
---@param to string  "default", an address or a network
---@param opts { via?: string, dev?: nslua.Link|string, src?: string, metric?: integer,
---table?: string|integer, type?: "unicast"|"blackhole"|"unreachable"|"prohibit", ns?: any }
---@return true
function route.add(to, opts)
  local set, target = compile(to, opts, "ns.route.add")
  check(set, true)
  return rtnl.request(target, "add_route", set)
end


---Deletes a route.
---
---    ns.route.delete("default", { ns = box })
---
---Raises: ESRCH (there is no such route), EPERM.
---Source: rtnetlink(7)
---@param to string  "default", an address or a network
---@param opts? { via?: string, dev?: nslua.Link|string, metric?: integer,
---table?: string|integer, type?: string, ns?: any }
---@return true
function route.delete(to, opts)
  local set, target = compile(to, opts, "ns.route.delete")
  check(set, false)
  return rtnl.request(target, "delete_route", set)
end


---The routes that this process sees.
---
---    print(b:routes())
---
---Raises: EPERM (a namespace that may not be joined), ESRCH (it has ended).
---Source: rtnetlink(7)
---@return nslua.List
function route.methods.Proc:routes()
  sys.self(self, "Proc")
  return route.list { ns = self }
end

return route
