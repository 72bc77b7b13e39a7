-- SPDX-License-Identifier: MIT
-- ns.address: the addresses of links, IPv4 and IPv6, by rtnetlink.

local sys = require "nslua.sys"
local list = require "nslua.list"
local rtnl = require "nslua.rtnl"

local address = { methods = { Proc = {} } }

local OPTIONS = "peer broadcast label nodad"

-- The rows of one link together, in the order of links.
local function print_grouped(self)
  local linktext = require "nslua.linktext"
  local lines, by_index = {}, {}
  for _, row in ipairs(self) do
    by_index[row.index] = by_index[row.index] or {}
    table.insert(by_index[row.index], row)
  end
  for _, link in ipairs(self.links) do
    if by_index[link.index] or self.all then
      lines[#lines + 1] = linktext.addresses(link, by_index[link.index] or {})
    end
  end
  return table.concat(lines, "\n")
end

local function make(rows, links, all)
  local names = {}
  for _, link in ipairs(links) do names[link.index] = link.name end
  for _, row in ipairs(rows) do row.dev = names[row.index] end
  local made = list.make(rows, "addresses", { "dev", "family", "address", "prefix", "scope" },
    { links = links, all = all })
  getmetatable(made).__tostring = print_grouped
  return made
end


---The addresses of a link, as Link:addresses gives them.
local function of(link)
  local place = rtnl.places[link]
  local rows = {}
  for _, row in ipairs(rtnl.request(place.target, "addresses")) do
    if row.index == link.index then rows[#rows + 1] = row end
  end
  return make(rows, { link }, true)
end

-- Link:add_address and Link:delete_address.
local function change(link, method, text, opts)
  local place = rtnl.places[link]
  if not place then sys.raise "a link is wanted: link:method()" end
  local set = { index = link.index, address = rtnl.check_address(text, method) }
  for key, value in pairs(rtnl.check_keys(method, opts or {}, OPTIONS)) do set[key] = value end
  rtnl.request(place.target, method, set)
  return link
end

address.internals = { of = of, change = change }


---The addresses of a network namespace: records with `dev`, `index`, `family`,
---`address`, `prefix`, `scope`, `peer`, `broadcast`, `tentative`. The list prints
---itself as `ip -br addr` does.
---
---    print(ns.address.list())
---    print(ns.address.list{ ns = "blue", family = "inet6" })
---
---Raises: ENOENT, ESRCH (a namespace that is gone), EPERM (one that may not be joined).
---Source: rtnetlink(7)
---@param opts? { ns?: any, family?: "inet"|"inet6", dev?: string|nslua.Link }
---@return nslua.List
function address.list(opts)
  opts = rtnl.check_keys("ns.address.list", opts or {}, "ns family dev")
  rtnl.check_family("ns.address.list", opts.family)
  local links = require("nslua.link").list { ns = opts.ns }
  local dev = type(opts.dev) == "table" and opts.dev.name or opts.dev
  local rows = {}
  for _, row in ipairs(rtnl.request(opts.ns, "addresses")) do
    if (not opts.family or row.family == opts.family) then rows[#rows + 1] = row end
  end
  local made = make(rows, links, not opts.family and not dev)
  for i = #made, 1, -1 do
    if dev and made[i].dev ~= dev then table.remove(made, i) end
  end
  return made
end

local function link_of(dev, opts, what)
  if rtnl.places[dev] then return dev end
  if type(dev) ~= "string" and math.type(dev) ~= "integer" then
    sys.raise(what .. ": the second argument is a link or its name")
  end
  return require("nslua.link").get(dev, { ns = opts.ns })
end

-- The options without `ns`.
local function rest(opts)
  local kept = {}
  for key, value in pairs(opts) do
    if key ~= "ns" then kept[key] = value end
  end
  return kept
end


---Gives a link an address.
---
---    ns.address.add("10.0.0.1/24", "veth0", { ns = box })
---
---Raises: EEXIST (it has it), ENODEV (no such link), EPERM, EOPNOTSUPP (no IPv6).
---Source: rtnetlink(7)
---@param text string  the address with its prefix
---@param dev nslua.Link|string|integer
---@param opts? { ns?: any, peer?: string, broadcast?: string, label?: string, nodad?: boolean }
---@return true
function address.add(text, dev, opts)
  opts = rtnl.check_keys("ns.address.add", opts or {}, "ns " .. OPTIONS)
  rtnl.check_address(text, "ns.address.add")
  change(link_of(dev, opts, "ns.address.add"), "add_address", text, rest(opts))
  return true
end


---Takes an address from a link.
---
---    ns.address.delete("10.0.0.1/24", "veth0", { ns = box })
---
---Raises: EADDRNOTAVAIL (it has no such address), ENODEV, EPERM.
---Source: rtnetlink(7)
---@param text string  the address with its prefix
---@param dev nslua.Link|string|integer
---@param opts? { ns?: any }
---@return true
function address.delete(text, dev, opts)
  opts = rtnl.check_keys("ns.address.delete", opts or {}, "ns")
  rtnl.check_address(text, "ns.address.delete")
  change(link_of(dev, opts, "ns.address.delete"), "delete_address", text)
  return true
end


---The addresses that this process sees.
---
---    print(b:addresses())
---
---Raises: EPERM (a namespace that may not be joined), ESRCH (it has ended).
---Source: rtnetlink(7)
---@return nslua.List
function address.methods.Proc:addresses()
  sys.self(self, "Proc")
  return address.list { ns = self }
end

return address
