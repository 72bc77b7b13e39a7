-- SPDX-License-Identifier: MIT
-- A root from a server on loopback: download, digest, inflate, unpack; then a
-- box over the cached tree. Removals stand between the rows, not in them.

local DIR = "/dev/shm/nslua-bench"
local URL = "http://127.0.0.1:18099/"

local function by_tar(name)
  return { "sh", "-c", ("mkdir %s/t && curl -s %s%s.tar.gz | tar -xz -C %s/t"):format(DIR, URL, name, DIR) }
end

local function by_nslua(name, env)
  return { "env", "XDG_CACHE_HOME=" .. DIR .. "/c", env or "A=a", "./nslua", "-e",
    ("require'nslua'.rootfs.get('%s%s.tar.gz', {quiet = true, sha256 = io.open('%s/www/%s.sum'):read(64)})")
      :format(URL, name, DIR, name) }
end

local function remove(what, name)
  return { "(" .. name .. ")", { "rm", "-rf", DIR .. "/" .. what } }
end

local function unpacking(name, goals, rounds)
  return {
    title = "rootfs: download and unpack, the " .. name .. " root", rounds = rounds, warmup = 1,
    in_order = true,
    prefix = "spec/bench/served " .. DIR .. " ",
    { "curl | tar -xz", by_tar(name) }, remove("t", "its removal"),
    { "nslua, zlib", by_nslua(name, "NSLUA_NO_ISAL=1"), goals = goals[1] }, remove("c", "its removal, zlib"),
    { "nslua, ISA-L if there is one", by_nslua(name), goals = goals[2] },
    remove("c", "its removal, ISA-L"),
  }
end

local GET = { "./nslua", "spec/bench/rootfs.lua", URL .. "big.tar.gz", "/usr/bin/true" }

local function boxed(cache, ...)
  local argv = { ... }
  table.move({ "env", "XDG_CACHE_HOME=" .. DIR .. cache }, 1, 2, #argv + 1, argv)
  return table.move(GET, 1, #GET, #argv + 1, argv)
end

local function boxes(bench)
  local case = {
    title = "rootfs: a box over the cached big root", rounds = 9, warmup = 1, in_order = true,
    prefix = "spec/bench/served " .. DIR .. " ",
    { "curl | tar -xz", by_tar "big" }, remove("t", "its removal"),
    { "nslua, get to the first program", boxed "/k", asked = true,
      goals = { { "curl | tar -xz", bench.is_root and 0.004 or 0.008 } } },
  }
  if bench.is_root then
    case[#case + 1] = { "the same, an ordinary user", boxed("/user/c", "setpriv", "--reuid=65534",
      "--regid=65534", "--clear-groups"), asked = true, goals = { { "curl | tar -xz", 0.008 } } }
  end
  return case
end

return function(bench)
  return {
    unpacking("big", { { { "curl | tar -xz", 0.67 } }, { { "curl | tar -xz", 0.40 } } }, 7),
    unpacking("small", { nil, { { "curl | tar -xz", 0.85 } } }, 21),
    boxes(bench),
  }
end
