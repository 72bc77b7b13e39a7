-- SPDX-License-Identifier: MIT
-- A container in a root of its own: the root bound, /proc, /dev, a host name.
-- Each tool as it does it: unshare makes no /dev and chroots, so that the old
-- root stays in reach and nobody waits for its umount. What our calls cost
-- without any Lua is the row of the C program.

return function(bench)
  local user = not bench.is_root
  local unshare = { "unshare", "--pid", "--fork", "--mount", "--uts", "--ipc", "--net", "--cgroup",
    "--root=" .. bench.root, "--mount-proc", "/tiny" }
  if user then table.insert(unshare, 2, "--map-root-user") end
  local types = (user and '"user", ' or "") .. '"pid", "mnt", "uts", "ipc", "net", "cgroup"'
  local function goals() return { { "unshare --root", 1.0 }, { "bwrap", 0.55 } } end
  local function nslua(more)
    return { "./nslua", "-e", ([[require "nslua".run({ %s, root = "%s", hostname = "box", %s },
      { "/tiny" })]]):format(types, bench.root, more) }
  end
  local case = {
    title = "root: a container in a root", rounds = 61, warmup = 3,
    { "unshare --root", unshare },
    { "bwrap", { "bwrap", "--unshare-all", "--bind", bench.root, "/", "--proc", "/proc", "--dev", "/dev",
      "--hostname", "box", "/tiny" } },
    { "nslua, ns.run{init=false}", nslua "init = false", goals = goals() },
    { "nslua, without /dev, as unshare", nslua "init = false, dev = false" },
    { "nslua, with its reaper", nslua "" },
  }
  if not user then
    case[#case + 1] = { "C, the calls of the first of ours", { bench.build .. "/boxed", bench.root, "/tiny" } }
  end
  return { case }
end
