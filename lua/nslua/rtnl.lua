-- SPDX-License-Identifier: MIT
-- Where a request of rtnetlink goes, and what became of it. A target is
-- nothing (the caller's network namespace), a Ns, a process or pid, a name of
-- `ip netns`, a path, or anything with a field `net` that is a Ns. One socket
-- of the caller's own network namespace stays open; others close at once, so
-- that no network outlives its users for our sake.

local sys = require "nslua.sys"
local library = require "nslua.library"
local ns = sys.primitives

local rtnl = {}

---Where each Link lives: { target=, inode= }.
rtnl.places = setmetatable({}, { __mode = "k" })

-- The words of rtnetlink(7) for the calls of net.so.
local CALLS = {
  add_link = "RTM_NEWLINK", change_link = "RTM_NEWLINK", delete_link = "RTM_DELLINK",
  link = "RTM_GETLINK", links = "RTM_GETLINK", stats = "RTM_GETLINK",
  add_address = "RTM_NEWADDR", delete_address = "RTM_DELADDR", addresses = "RTM_GETADDR",
  add_route = "RTM_NEWROUTE", delete_route = "RTM_DELROUTE", routes = "RTM_GETROUTE",
  add_neighbours = "RTM_NEWNEIGH", netem = "RTM_NEWQDISC", no_netem = "RTM_DELQDISC",
}


---What opens the library: a process that will change its root does it before.
function rtnl.library() return library.open "net" end


-- -- targets -----------------------------------------------------------------

local function is_net(value)
  return getmetatable(value) == "nslua.Ns" and value.type == "net"
end


-- A process that has ended has no network any more.
local function net_of_process(process)
  local ok, net = pcall(ns.of, process, "net")
  if ok then return net end
  if type(net) == "string" then
    net = sys.error(3, "setns", "CLONE_NEWNET", "the process of that network has ended: ")
  end
  error(net, 0)
end

---The network namespace of a target, and whether the handle is the caller's
---to close. Raises for what is no target; the kernel's refusals pass.
---@return nslua.Ns? net, boolean? ours
function rtnl.net(target, what)
  if target == nil then return nil end
  if is_net(target) then return target, false end
  local kind = type(target)
  if getmetatable(target) == "nslua.Proc" or math.type(target) == "integer" and target > 0 then
    return net_of_process(target), true
  elseif kind == "string" and target ~= "" and not target:find "%z" then
    if target:find("/", 1, true) then return ns.of(target, "net"), true end
    return ns.netns.open(target), true
  elseif kind == "table" and is_net(target.net) then
    return target.net, false
  end
  sys.raise(("%s: a network namespace is a handle, a process, a pid, a name or a path, not %s")
    :format(what or "ns", kind == "string" and sys.quote(target) or "a " .. kind))
end


---The same for something that is kept: a pid may be another process later.
function rtnl.lasting(target)
  if math.type(target) == "integer" then return (rtnl.net(target)) end
  return target
end


-- -- sockets -----------------------------------------------------------------

local own = {} -- the socket of the network namespace that this process is in

---A socket for requests over one that ns.socket made, which is closed.
function rtnl.over(fd)
  local _ <close> = fd
  local socket, errno = rtnl.library().socket(sys.fd_number(fd))
  if not socket then error(sys.error(errno, "bind", "AF_NETLINK"), 0) end
  return socket
end

local function open_socket(net)
  rtnl.library()
  return rtnl.over(ns.socket("netlink", "raw", "route", net))
end

---The number of the network namespace that the caller is in.
function rtnl.own_inode()
  local handle <close> = ns.of(nil, "net")
  return handle.inode
end

local function own_socket()
  local inode, generation = rtnl.own_inode(), ns.generation()
  if own.inode ~= inode or own.generation ~= generation then
    if own.socket then own.socket:close() end
    own = { socket = open_socket(), inode = inode, generation = generation }
  end
  return own.socket
end


---A socket that the caller keeps, and closes.
function rtnl.open(target)
  local net, ours = rtnl.net(target)
  local socket = open_socket(net)
  if ours then net:close() end
  return socket
end


-- -- requests ----------------------------------------------------------------

local fields

local function shown(value)
  if type(value) == "string" then return sys.quote(value) end
  if type(value) ~= "table" then return tostring(value) end
  return "{" .. fields(value) .. "}"
end

function fields(value)
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do parts[i] = key .. "=" .. shown(value[key]) end
  return table.concat(parts, ", ")
end

local function words(...)
  local parts = {}
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if value ~= nil then parts[#parts + 1] = shown(value) end
  end
  return table.concat(parts, ", ")
end

-- A refusal as the error object; what the kernel said of it comes in front.
local function refuse(call, args, errno, text)
  local err = sys.error(errno, call, args, text and sys.clean(text) .. ": ")
  sys.trace_line(("%s(%s) = -1 %s"):format(call, args, err.name))
  err.see = "rtnetlink(7)"
  error(err, 0)
end

-- A wrong field is a plain error, at the line of who gave it. The words of a
-- call are put together only when somebody will read them.
local function ask(socket, method, ...)
  local ok, value, errno, text = pcall(socket[method], socket, ...)
  if not ok then sys.raise(tostring(value)) end
  if not value then refuse(CALLS[method], words(...), errno, text) end
  if sys.trace_line() then sys.trace_line(("%s(%s) = 0"):format(CALLS[method], words(...))) end
  if errno == nil then return value end
  return value, errno, text -- after success: more values
end

rtnl.ask = ask


---Makes one request in the network namespace of the target.
function rtnl.request(target, method, ...)
  if target == nil then return ask(own_socket(), method, ...) end
  local socket <close> = rtnl.open(target)
  return ask(socket, method, ...)
end


---Several requests over one socket: fn(ask, inode, net) with ask(method, ...)
---and the network namespace that it is in (no handle for the caller's own).
function rtnl.with(target, fn)
  if target == nil then
    local socket = own_socket()
    return fn(function(method, ...) return ask(socket, method, ...) end, own.inode)
  end
  local net, ours = rtnl.net(target)
  local _ <close> = ours and net or nil
  local socket <close> = open_socket(net)
  return fn(function(method, ...) return ask(socket, method, ...) end, net.inode, net)
end


-- -- options -----------------------------------------------------------------

---Raises for a key that is none, and names the nearest.
function rtnl.check_keys(what, opts, known)
  if type(opts) ~= "table" then sys.raise(what .. " wants a table of options") end
  local list = {}
  for name in known:gmatch "%S+" do list[#list + 1] = name end
  for key in pairs(opts) do
    if type(key) ~= "string" or not (" " .. known .. " "):find(" " .. key .. " ", 1, true) then
      local near = type(key) == "string" and sys.nearest(key, list)
      sys.raise(("%s: unknown option %s%s"):format(what, type(key) == "string" and sys.quote(key)
        or ("[%s]"):format(math.type(key) and key or type(key)), near and (' (did you mean "%s"?)'):format(near) or ""))
    end
  end
  return opts
end


---Which addresses are meant; nil is all of them.
function rtnl.check_family(what, family)
  if family ~= nil and family ~= "inet" and family ~= "inet6" then
    sys.raise(what .. ": family is \"inet\" or \"inet6\"")
  end
end


---A link's name: up to 15 bytes, no blank, no slash.
function rtnl.check_name(name, what)
  if type(name) ~= "string" then
    sys.raise(("%s: a link's name is a string, not a %s"):format(what, type(name)))
  elseif name == "" or name == "." or name == ".." or name:find "[%s/:%z]" then
    sys.raise(("%s: %s cannot be the name of a link"):format(what, sys.quote(name)))
  elseif #name > 15 then
    sys.raise(("%s: %s has %d bytes; the name of a link has at most 15"):format(what,
      sys.quote(name), #name))
  end
  return name
end


---An address as text; a prefix is needed with `wants_prefix`.
function rtnl.check_address(text, what)
  if type(text) ~= "string" or not text:find "^%x*[:.][%x:.]*/?%d*$" then
    sys.raise(("%s: %s is no address such as \"10.0.0.1/24\" or \"fd00::1/64\""):format(what,
      type(text) == "string" and sys.quote(text) or "a " .. type(text)))
  end
  return text
end

return rtnl
