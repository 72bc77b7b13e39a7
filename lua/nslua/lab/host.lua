-- SPDX-License-Identifier: MIT
-- A host of a lab: a network namespace, held by its handle. What runs in it
-- makes a process that stands for the host, when it is first wanted.

local sys = require "nslua.sys"
local ns = require "nslua"

local host = {}

---@class nslua.LabHost
local Host = {}

local state = setmetatable({}, { __mode = "k" }) -- host -> { lab=, process= }

local function check(self)
  local known = state[self]
  if not known then sys.raise "a host of a lab is wanted: host:method()" end
  if known.closed then sys.raise(("the lab of %s is gone"):format(self.name)) end
  return known
end

local function holder(self)
  local known = check(self)
  if not (known.process and known.process.running) then
    known.process = ns.box { net = self.net, user = known.lab.owner, hostname = self.name,
      pid = false }
  end
  return known.process
end

local metatable = {
  __name = "nslua.LabHost",
  __tostring = function(self)
    local parts = { sys.clean(self.name) }
    for _, link in ipairs(self.plan.links) do
      parts[#parts + 1] = ("%s %s"):format(link.name, table.concat(link.addresses, " "))
    end
    return (table.concat(parts, "  "):gsub("%s+$", ""))
  end,
  -- Everything else that a process can do is done by the one that stands here.
  __index = function(_, key)
    if Host[key] then return Host[key] end
    if type(key) ~= "string" or not sys.methods.Proc[key] then return nil end
    return function(self, ...)
      local process = holder(self)
      return process[key](process, ...)
    end
  end,
}

local function no_host(known, what)
  local names = {}
  for name in pairs(known.lab.by_name) do names[#names + 1] = name end
  local near = sys.nearest(what, names)
  sys.raise(("%s is no host of this lab%s, and no address"):format(sys.quote(what),
    near and (' (did you mean "%s"?)'):format(near) or ""))
end

---The address that an argument means: its own, that of a host, or of its name.
local function address_of(known, what, v6)
  local other = type(what) == "string" and known.lab.by_name[what] or what
  if type(other) == "string" and not other:find "[.:]" then no_host(known, other) end
  if state[other] then
    local address = v6 and other.plan.address6 or other.plan.address or other.plan.address6
    if not address then sys.raise(("%s has no address"):format(other.name)) end
    return address
  end
  return what
end


---@return table host
function host.new(lab, net, plan)
  local made = setmetatable({ name = plan.name, net = net, plan = plan }, metatable)
  state[made] = { lab = lab }
  return made
end


---@return boolean
function host.is(value) return state[value] ~= nil end


---Ends what runs in the host and lets go of it.
function host.close(self)
  local known = state[self]
  if known.closed then return end
  known.closed = true
  if known.process then known.process:close() end
  self.net:close()
end


---The process that stands for this host: a box in its network namespace, with
---the host's name.
---
---    local lab <close> = ns.lab{ a = {} }; print(lab.a:process().pid)
---
---Source: network_namespaces(7)
---@return nslua.Proc
function Host:process() return holder(self) end


---Sends echoes from this host to an address, a host, or the name of a host.
---
---    local lab <close> = ns.lab{ a={"10.0.0.1/24"}, b={"10.0.0.2/24"}, link={"a","b"} }
---    print(lab.a:ping "b")
---
---Raises: what ns.ping raises.
---Source: icmp(7)
---@param to string|nslua.LabHost
---@param opts? { count?: integer, interval?: number, timeout?: number, dev?: string }
---@return table result
function Host:ping(to, opts)
  local with = { ns = check(self).net or self.net }
  if opts ~= nil and type(opts) ~= "table" then sys.raise("ping wants a table of options") end
  for key, value in pairs(opts or {}) do with[key] = value end
  return ns.ping(address_of(check(self), to), with)
end


---The links of this host.
---
---    local lab <close> = ns.lab{ a = {} }; print(lab.a:links())
---
---Source: rtnetlink(7)
---@return nslua.List
function Host:links()
  check(self)
  return ns.link.list { ns = self }
end


---One link of this host.
---
---    local lab <close> = ns.lab{ a = {} }; print(lab.a:link "lo")
---
---Raises: ENODEV.
---Source: rtnetlink(7)
---@param name string
---@return nslua.Link
function Host:link(name)
  check(self)
  return ns.link.get(name, { ns = self })
end


---The addresses of this host.
---
---    local lab <close> = ns.lab{ a = {} }; print(lab.a:addresses())
---
---Source: rtnetlink(7)
---@return nslua.List
function Host:addresses()
  check(self)
  return ns.address.list { ns = self }
end


---The routes of this host.
---
---    local lab <close> = ns.lab{ a = {} }; print(lab.a:routes())
---
---Source: rtnetlink(7)
---@return nslua.List
function Host:routes()
  check(self)
  return ns.route.list { ns = self }
end

return host
