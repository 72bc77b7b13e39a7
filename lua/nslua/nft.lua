-- SPDX-License-Identifier: MIT
-- ns.nft: rules of nftables (filters, NAT) by libnftables, where it is
-- installed: opened at first use, never linked and never required.

local sys = require "nslua.sys"
local rtnl = require "nslua.rtnl"
local ns = sys.primitives

local nft = {}

-- What libnftables says last in an error of the kernel's.
local REASONS = {
  { "Operation not permitted", 1 }, { "No such file or directory", 2 }, { "File exists", 17 },
  { "Device or resource busy", 16 }, { "Invalid argument", 22 },
  { "Protocol not supported", 93 }, { "Operation not supported", 95 },
  { "Address family not supported", 97 }, { "Could not process rule", 22 },
}

local function open()
  local lib = rtnl.library()
  local ok, reason = lib.nft_open()
  if not ok then
    error(sys.error(2, "dlopen", sys.quote "libnftables.so.1", sys.clean(reason) .. ": "), 0)
  end
  return lib
end

-- A mistake in the text is EINVAL, with the first line that was said of it.
local function fail(commands, said)
  local errno = 22
  for _, reason in ipairs(REASONS) do
    if said:find(reason[1], 1, true) then
      errno = reason[2]
      break
    end
  end
  local first = commands:match "^%s*([^\n]*)"
  error(sys.error(errno, "nft", sys.quote(first), sys.clean(said:match "[^\n]+" or "refused") .. ": "), 0)
end

-- A child goes where libnftables is to act, and tells what it was told: the
-- library writes on standard error and may end its process.
local function run_there(lib, net, commands, json)
  local owner <close> = net and not sys.is_admin() and net:owner() or nil
  local r, w = ns.pipe()
  local _ <close> = r
  local child <close> = ns.fork(function()
    r:close()
    local ok, err = pcall(function()
      local null <close> = ns.open("/dev/null", "w")
      null:dup2(2)
      if owner then ns.setns(owner, "user") end
      if net then ns.setns(net, "net") end
    end)
    if not ok then
      w:write(string.pack("<i4s4s4", -2, err.call or tostring(err), tostring(err.errno or 5)))
    else
      w:write(string.pack("<i4s4s4", lib.nft_run(commands, json)))
    end
    ns._exit(0)
  end)
  w:close()
  local text = r:read "a" or ""
  child:wait()
  if #text < 12 then
    error(sys.error(1, "nft", sys.quote(commands:match "^%s*([^\n]*)"), "libnftables gave up: "), 0)
  end
  return string.unpack("<i4s4s4", text)
end


---Runs commands of nft(8): text, or a list of lines. Gives what they print. A
---list of commands holds as a whole or not at all.
---
---    ns.nft({ "add table ip nat",
---      "add chain ip nat post { type nat hook postrouting priority 100; }",
---      "add rule ip nat post oifname eth0 masquerade" }, { ns = box })
---    print(ns.nft("list ruleset", { ns = box }))
---
---Raises: ENOENT (libnftables is not installed; no such table), EPERM (a network that
---is not yours), EINVAL (a mistake in the text), EOPNOTSUPP (a kernel without nftables).
---Source: nft(8), libnftables(3)
---@param commands string|string[]
---@param opts? { ns?: any, json?: boolean }
---@return string output
function nft.nft(commands, opts)
  opts = rtnl.check_keys("ns.nft", opts or {}, "ns json")
  if type(commands) == "table" then
    for i, line in ipairs(commands) do
      if type(line) ~= "string" then sys.raise(("ns.nft: line %d is a %s"):format(i, type(line))) end
    end
    commands = table.concat(commands, "\n")
  end
  if type(commands) ~= "string" or commands:find "%z" then
    sys.raise "ns.nft wants commands: text, or a list of lines"
  end
  local lib = open()
  local net, ours = rtnl.net(opts.ns)
  local _ <close> = ours and net or nil
  local status, output, said = run_there(lib, net, commands, opts.json)
  if status == -2 then error(sys.error(tonumber(said), output, "CLONE_NEWNET"), 0) end
  if status ~= 0 then fail(commands, said) end
  return output
end

return nft
