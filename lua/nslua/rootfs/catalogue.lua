-- SPDX-License-Identifier: MIT
-- Roots known by name, with the digest that their archive must have: a server
-- or a mirror can refuse to give one, but not give another.

local sys = require "nslua.sys"
local ns = sys.primitives

local catalogue = {}

local ALPINE = "https://dl-cdn.alpinelinux.org/alpine"

-- version -> machine -> SHA-256 and size of the archive
local releases = {
  ["3.24.1"] = {
    x86_64 = { "41f73e3cf5fa919b8aa5ca6b30dc48f0da2720776d7423e2a7748211456fe081", 3698422 },
    aarch64 = { "f55a90f69052c5bd6f92cb09a8f47065970830b194c917a006fb94028e721259" },
  },
  ["3.20.3"] = {
    x86_64 = { "d4e6fd67dcf75e40c451560ac7265166c2b72a0f38ddc9aae756a7de3d1efa0c" },
  },
}
local NEWEST = "3.24.1"


-- "3.20" is the release of it that is known
local function release_of(version)
  if version == "" then return NEWEST end
  if releases[version] then return version end
  for known in pairs(releases) do
    if known:match "^(%d+%.%d+)%." == version then return known end
  end
end


---What the catalogue has.
---@return string[] names
function catalogue.names()
  local names = { "alpine" }
  for version in pairs(releases) do names[#names + 1] = "alpine:" .. version end
  table.sort(names)
  return names
end


---@param name string  "alpine", "alpine:3.20", "alpine:3.20.3"
---@return { url: string, sha256: string, size: integer?, name: string }? entry
---@return string? why
function catalogue.find(name)
  local version = name:match "^alpine:?([%d.]*)$"
  if not version then return nil end
  local release, machine = release_of(version), ns.uname().machine
  local facts = release and releases[release][machine]
  if not facts then
    return nil, release and ("there is none for %s"):format(machine)
      or "the catalogue has " .. table.concat(catalogue.names(), ", ")
  end
  local mirror = (os.getenv "NSLUA_ALPINE_MIRROR" or ALPINE):gsub("/+$", "")
  return {
    name = "alpine:" .. release, sha256 = facts[1], size = facts[2],
    url = ("%s/v%s/releases/%s/alpine-minirootfs-%s-%s.tar.gz"):format(mirror,
      release:match "^%d+%.%d+", machine, release, machine),
  }
end

return catalogue
