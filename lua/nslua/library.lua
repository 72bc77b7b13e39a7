-- SPDX-License-Identifier: MIT
-- Shared objects of our own, opened on first use: nslua/fetch.so, ring.so,
-- feed.so, archive.so, net.so. What a process will need after its root
-- has changed it opens before.

local sys = require "nslua.sys"
local ns = sys.primitives

local library = {}

local opened = {}


-- Where it may stand, one after the other; package.cpath last, for it has
-- relative paths.
local function candidates(name)
  return coroutine.wrap(function()
    for _, template in ipairs(sys.library_paths()) do
      coroutine.yield((template:gsub("%?", name)))
    end
    local found = package.searchpath("nslua." .. name, package.cpath)
    if found then coroutine.yield(found) end
  end)
end

-- After chroot, pivot_root or setns("mnt") our own program is out of sight.
local function root_changed()
  local own = sys.own_file()
  local _, _, errno = ns.try(ns.stat, own)
  return own ~= "" and errno == 2
end

local BUILT_WITH = { archive = "libarchive", fetch = "libcurl", net = "libnl-route-3" }

local function explain(name, tried)
  if root_changed() then
    return ("nslua/%s.so cannot be opened: this process has changed its root, and %s is out of sight;"
      .. " open it before: require(\"nslua.library\").open \"%s\""):format(name, sys.clean(sys.own_file()), name)
  end
  local with = BUILT_WITH[name]
  return ("nslua/%s.so cannot be opened:\n  %s%s"):format(name, table.concat(tried, "\n  "),
    with and ("\n  (it is built where %s is: make deps && make)"):format(with) or "")
end


---Opens a shared object of ours: beside the program, in a checkout, where
---`make install` puts it, or on package.cpath. Opened once a process.
---
---    local archive = require("nslua.library").open("archive")
---
---@param name "archive"|"feed"|"fetch"|"ring"|"net"
---@return table
function library.open(name)
  if opened[name] then return opened[name] end
  local tried = {}
  for path in candidates(name) do
    if ns.access(path, "r") then
      local open, message = sys.load_library(path, "luaopen_nslua_" .. name)
      if open then
        opened[name] = open()
        return opened[name]
      end
      tried[#tried + 1] = message
    else
      tried[#tried + 1] = "no " .. path
    end
  end
  sys.raise(explain(name, tried))
end


return library
