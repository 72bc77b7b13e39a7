-- SPDX-License-Identifier: MIT
-- One command in user, pid, mnt, uts, ipc, net and cgroup namespaces, from the
-- start of the tool to its end.

local TYPES = '"user", "pid", "mnt", "uts", "ipc", "net", "cgroup"'

return function(bench)
  local function nslua(form) return { "./nslua", "-e", form:format(TYPES, bench.tiny) } end
  local function goals() return { { "unshare", 1.0 }, { "bwrap", 0.60 } } end
  return { {
    title = "cold: a command in seven namespaces", rounds = 61, warmup = 3,
    { "unshare", { "unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount", "--uts",
      "--ipc", "--net", "--cgroup", bench.tiny } },
    { "bwrap", { "bwrap", "--unshare-all", "--ro-bind", "/", "/", bench.tiny } },
    { "nslua, ns.clone", goals = goals(), nslua [[
      require "nslua".clone({ %s, map = "root", propagation = "rprivate" }, { "%s" }):wait()]] },
    { "nslua, ns.run{init=false}", goals = goals(), nslua [[
      require "nslua".run({ %s, init = false }, { "%s" })]] },
    { "nslua, ns.run with its reaper", nslua [[require "nslua".run({ %s }, { "%s" })]] },
    { "lua5.4, os.execute 'unshare ...'", { "lua5.4", "-e",
      "os.execute 'unshare --user --map-root-user --pid --fork --mount --uts --ipc --net --cgroup "
      .. bench.tiny .. "'" } },
  } }
end
