-- SPDX-License-Identifier: MIT
-- Roots as people have them, beside GNU tar: what this system's packages put
-- below /etc and /usr/share; and, where NSLUA_DEBIAN names one, a whole Debian
-- made by debootstrap (`make check` makes it).

local helpers = require "spec.helpers"
local roots = require "spec.roots"

local base = roots.base "real"

local function sh(script, ...)
  local out, err, status = helpers.run { "sh", "-c", script, "sh", ... }
  assert.equal(0, status, err)
  return out
end

-- Every entry with its kind, mode, owners, size, target, time and links, and
-- what is in every file.
local LISTING = [[cd "$1" && find . ! -path . -printf '%p %y %m %U %G %s %l %T@ %n\n' | LC_ALL=C sort
  find . -type f -exec sha256sum {} + | LC_ALL=C sort]]

local function listing(dir)
  return (sh(LISTING, dir):gsub("(%.%/[^\n]- d %S+ %S+ %S+) %d+", "%1"))
end

-- The same without owners, and without the set-id bits that go with them.
local function ownerless(text)
  return (text:gsub("( %l )(%d?)(%d%d%d) %d+ %d+ ", function(kind, high, low)
    return kind .. (kind == " d " and high or "") .. low .. " "
  end))
end

-- The first line that differs, not two books.
local function assert_same_tree(expected, found)
  local theirs, ours = expected:gmatch "[^\n]+", found:gmatch "[^\n]+"
  repeat
    local a, b = theirs(), ours()
    assert.equal(a, b)
  until a == nil
end

local function get(archive, opts)
  local code = ("local r = require 'nslua'.rootfs.get(%q, { quiet = true }) io.write(r:path())"):format(archive)
  opts = opts or {}
  opts.env = { XDG_CACHE_HOME = opts.cache }
  local out, err, status = (opts.nobody and helpers.as_nobody or helpers.nslua)(code, opts)
  assert.equal("", err)
  assert.equal(0, status)
  return out
end

-- The same tar twice: by GNU tar, by us.
local function compare(name, pack)
  local archive, beside = ("%s/%s.tar.gz"):format(base, name), ("%s/%s.tar"):format(base, name)
  sh(pack, archive)
  sh([[mkdir "$2" && tar -xzf "$1" --numeric-owner -p -C "$2"]], archive, beside)
  local expected = listing(beside)
  assert.is_true(#expected > 10000)
  assert_same_tree(expected, listing(get(archive, { cache = ("%s/%s.cache"):format(base, name) })))
  return archive, expected
end

local SYSTEM = [[cd /
  pick() { find "$@" -xdev -type s -prune -o -type f -size +999k -prune -o -print0 2>/dev/null | head -z -n 1500; }
  { pick etc; printf 'usr\0'; pick usr/share; } | tar --no-recursion --null -T - -czf "$1" 2>/dev/null
  test -s "$1"]]

local DEBIAN = [[tar -C "$NSLUA_DEBIAN" --numeric-owner --exclude='./var/cache/apt/archives/*.deb' \
  --exclude='./proc/*' --exclude='./sys/*' --exclude='./dev/*' -czf "$1" .]]

teardown(function() helpers.run { "rm", "-rf", base } end)

describe("a real tree", function()
  helpers.root_it("is what GNU tar makes of it, entry by entry; for nobody without the owners", function()
    local archive, expected = compare("system", SYSTEM)
    sh([[chmod 644 "$1"; mkdir -m 777 "$2"]], archive, base .. "/nobody")
    local tree = get(archive, { nobody = true, cache = base .. "/nobody/cache" })
    assert_same_tree(ownerless(expected), ownerless(listing(tree)))
    assert.is_nil(sh([[find "$1" -perm /6000 -type f]], tree):match "%S")
  end)

  if os.getenv "NSLUA_DEBIAN" then
    helpers.root_it("may be a whole Debian, and runs", function()
      local archive = compare("debian", DEBIAN)
      local code = ([[local ns = require 'nslua'
        io.write((ns.box { root = ns.rootfs.get(%q, { quiet = true }):overlay() }:read "cat /etc/shadow | wc -l; dpkg -l | wc -l"))]])
        :format(archive)
      local out = helpers.nslua(code, { env = { XDG_CACHE_HOME = base .. "/debian.cache" } })
      local users, packages = out:match "(%d+)\n(%d+)"
      assert.is_true(tonumber(users) > 10 and tonumber(packages) > 50)
    end)
  end
end)
