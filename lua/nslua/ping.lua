-- SPDX-License-Identifier: MIT
-- ns.ping: echoes of our own, so that nothing needs a ping program. The
-- sockets are made in the network namespaces that the echoes leave from.

local sys = require "nslua.sys"
local rtnl = require "nslua.rtnl"
local ns = sys.primitives

local ping = { methods = { Proc = {} } }

local OPTIONS = "ns count interval timeout dev"


-- -- results -----------------------------------------------------------------

local function milliseconds(t) return ("%.3f"):format(t * 1000) end

local result_type = {
  __name = "nslua.Echoes",
  __tostring = function(r)
    local head = ("%s: %d sent, %d received, %g%% lost"):format(r.address, r.sent, r.received,
      r.lost * 100)
    if r.received == 0 then
      return r.error and ("%s (%s)"):format(head, r.error) or head
    end
    return ("%s, %s/%s/%s ms"):format(head, milliseconds(r.min), milliseconds(r.avg),
      milliseconds(r.max))
  end,
}

-- What net.so counted, with what people ask for.
local function finish(r, address)
  r.address, r.lost, r.ok = address, 1 - r.received / r.sent, r.received > 0
  if r.errno then r.error = sys.error(r.errno, "sendto").name end
  return setmetatable(r, result_type)
end


-- Numbers only: names are not looked up.
local function is_address(text)
  if type(text) ~= "string" then return false end
  if text:find(":", 1, true) then return text:find "^[%x:.]+$" ~= nil end
  local parts = { text:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$" }
  for _, part in ipairs(parts) do
    if #part > 3 or tonumber(part) > 255 then return false end
  end
  return #parts == 4
end


-- -- the work ----------------------------------------------------------------

---A socket for echoes in a network namespace: raw where that is allowed, else
---the kind that ping_group_range opens.
local function socket(v6, net)
  local family, protocol = v6 and "inet6" or "inet", v6 and "icmp6" or "icmp"
  local ok, _, errno, err = ns.try(ns.socket, family, "raw", protocol, net)
  if ok then return ok end
  if errno ~= 1 or err.call ~= "socket" then error(err, 0) end
  return ns.socket(family, "dgram", protocol, net)
end

---Sends echoes for a list of { fd=, scope=, address... }, all at once.
---@return table[] results  in the order of the jobs and their addresses
local function run(jobs, opts)
  local addresses = {}
  for _, job in ipairs(jobs) do table.move(job, 1, #job, #addresses + 1, addresses) end
  if #addresses == 0 then return {} end
  local lib = rtnl.library()
  local echoes <close> = lib.echoes(jobs, opts.count or 1,
    math.floor((opts.interval or 1) * 1000), math.ceil((opts.timeout or 1) * 1000))
  while not echoes:step() do end
  local results = echoes:results()
  for i, address in ipairs(addresses) do finish(results[i], address) end
  return results
end

local function check(what, opts, known)
  rtnl.check_keys(what, opts, known)
  local function number(key, low, high)
    local value = opts[key]
    if value ~= nil and (type(value) ~= "number" or not (value >= low and value <= high)) then
      sys.raise(("%s: %s is a number from %g to %g"):format(what, key, low, high))
    end
  end
  number("count", 1, 65535)
  number("interval", 0, 3600)
  number("timeout", 0, 3600)
  if opts.count and math.type(opts.count) ~= "integer" then
    sys.raise(what .. ": count is an integer")
  end
  return opts
end

ping.internals = { socket = socket, run = run, check = check, finish = finish }


---Sends ICMP echo requests to an address, IPv4 or IPv6, and waits for the
---replies. Needs no program. The result prints itself; its fields: `ok`, `sent`,
---`received`, `lost` (0 to 1), `min`, `avg`, `max` (seconds), `error`.
---
---    print(require "nslua".ping "127.0.0.1")
---    if ns.ping("10.0.0.2", { ns = box, count = 3, interval = 0.2 }).ok then print "there" end
---
---Raises: EPERM, EACCES (neither raw sockets nor ping_group_range allow it), ESRCH
---(a namespace that is gone).
---Source: icmp(7), ping(8)
---@param address string
---@param opts? { ns?: any, count?: integer, interval?: number, timeout?: number, dev?: string|nslua.Link }
---seconds; `timeout` from the last request on; dev: for addresses of one link (fe80::)
---@return table result
function ping.ping(address, opts)
  opts = check("ns.ping", opts or {}, OPTIONS)
  if not is_address(address) then
    sys.raise("ns.ping wants an address, such as \"10.0.0.2\"; names are not looked up")
  end
  local scope = opts.dev and (rtnl.places[opts.dev] and opts.dev.index
    or rtnl.request(opts.ns, "link", rtnl.check_name(opts.dev, "dev")).index)
  local net, ours = rtnl.net(opts.ns)
  local _ <close> = ours and net or nil
  local fd <close> = socket(address:find(":", 1, true) ~= nil, net)
  return run({ { address, fd = sys.fd_number(fd), scope = scope } }, opts)[1]
end


---ns.ping from where this process is: from its network namespace.
---
---    print(b:ping "127.0.0.1")
---
---Raises: what ns.ping raises.
---Source: icmp(7), ping(8)
---@param address string
---@param opts? { count?: integer, interval?: number, timeout?: number, dev?: string }
---@return table result
function ping.methods.Proc:ping(address, opts)
  sys.self(self, "Proc")
  local with = { ns = self }
  if opts ~= nil and type(opts) ~= "table" then sys.raise("ping wants a table of options") end
  for key, value in pairs(opts or {}) do with[key] = value end
  return ping.ping(address, with)
end

return ping
