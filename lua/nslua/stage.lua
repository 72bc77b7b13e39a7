-- SPDX-License-Identifier: MIT
-- The stage: a throw-away host that lessons run on, and three processes that
-- see to its end. The front is the one that the user sees; the janitor has a
-- session of its own, so that no group kill reaches it; the runner acts. Each
-- watches the others through pidfds: whoever dies first, the rest end, every
-- descendant is killed, the terminal comes back and what was noted is removed.

local sys = require "nslua.sys"
local identity = require "nslua.identity"
local mounts = require "nslua.stage.mounts"
local ns = sys.primitives

local stage = {}

local CANNOT = 77
local INTERRUPTED = 130


-- -- the runner's namespaces -------------------------------------------------

local function id_map(ordinary)
  if ns.geteuid() ~= 0 then return ordinary and "current" or "root" end
  return identity.map()
end

local function stage_spec(opts)
  local types = { "mnt", "uts" }
  if opts.net then types[#types + 1] = "net" end
  if not opts.uid0 then types[#types + 1] = "user" end
  local flags = 0
  for _, name in ipairs(types) do
    flags = flags | select(2, sys.nstype(name))
  end
  local steps = mounts.steps(opts.keep)
  if opts.net then steps[#steps + 1] = { "lo_up" } end
  return { flags = flags, steps = steps, deathsig = "KILL",
    map = not opts.uid0 and id_map(opts.ordinary) or nil }
end


-- -- what must be put back ---------------------------------------------------

-- The terminal as it was, kept open: its modes can be set from any session.
local function save_terminal()
  for fd = 0, 2 do
    if ns.isatty(fd) then
      local tty = ns.fd(fd)
      local ok, modes = pcall(tty.tcgetattr, tty)
      if ok then
        return { fd = tty, modes = modes, ours = sys.lends_terminal(fd) }
      end
    end
  end
end

local function restore_terminal(terminal, is_front)
  if not terminal then return end
  if is_front and terminal.ours then pcall(terminal.fd.tcsetpgrp, terminal.fd) end
  pcall(terminal.fd.tcsetattr, terminal.fd, terminal.modes)
end

-- [kind, path] lines, written before the thing itself is made; last first.
local function remove_noted(notes)
  local acts = {
    rmdir = ns.rmdir, unlink = ns.unlink,
    umount = function(path) return ns.umount(path, "detach") end,
  }
  local list = {}
  notes:seek("set", 0)
  for kind, path in notes:read "a":gmatch "(%a+) ([^\0]*)\0" do
    list[#list + 1] = { kind, path }
  end
  for i = #list, 1, -1 do pcall(acts[list[i][1]] or print, list[i][2]) end
end


---Writes down what has to be removed when the lesson is over, whatever ends
---it: to be called before the thing is made.
---@param kind "rmdir"|"unlink"|"umount"
---@param path string
function stage.note(kind, path)
  if stage.notes then stage.notes:write(("%s %s\0"):format(kind, path)) end
end


-- -- Ctrl-C ------------------------------------------------------------------

-- In the front, until the janitor ends: the runner says when Ctrl-C is for what
-- it has opened, and waits until it is heard no more.
local function attend(watcher, runner)
  local watched = { watcher, runner }
  while true do
    for _, ready in ipairs(ns.poll(watched)) do
      if ready == watcher then return watcher:wait() end
      local ok, word = pcall(runner.read, runner, 1)
      if ok and word and word ~= "" then
        sys.heed_interrupt(word == "+")
        pcall(runner.write, runner, word)
      else
        watched[2] = nil
      end
    end
  end
end


---Runs fn, in the runner, while Ctrl-C ends the lesson no more: it is for a
---prompt that has the terminal.
---@param fn fun()
function stage.undisturbed(fn)
  local function heed(word)
    pcall(stage.front.write, stage.front, word)
    pcall(stage.front.read, stage.front, 1)
  end
  heed "-"
  local ok, err = pcall(fn)
  heed "+"
  if not ok then error(err, 0) end
end


-- -- the three processes -----------------------------------------------------

local function status_of(ok, how, code)
  if ok then return 0 end
  if how ~= "signal" then return code end
  return code == 2 and INTERRUPTED or 128 + code
end

-- root plays the user who called sudo, or the first that a machine has. The
-- rights come back with the next user namespace, but over that one alone.
local function become_ordinary()
  if ns.geteuid() ~= 0 then return end
  local id = math.tointeger(os.getenv "SUDO_UID") or 1000
  if not pcall(ns.setresgid, id, id, id) then return end -- it is not mapped
  ns.setgroups {}
  ns.setresuid(id, id, id)
  ns.dumpable(true)
  ns.pdeathsig "KILL"
end

-- What was made read-only could be made writable again by whoever owns the
-- mounts. One user namespace further down they are another's, and the kernel
-- locks them as they are. The maps have to be written from outside.
local function lock_mounts(net, ordinary)
  local map = identity.map()
  local runner = ns.getpid()
  local ready <close>, go = ns.pipe()
  local writer <close> = ns.fork(function()
    go:close()
    if ready:read(1) == "g" then ns.map(runner, map) end
  end)
  if ordinary then become_ordinary() end
  ns.unshare("user", "mnt", "uts", net and "net" or "uts")
  go:write "g"
  go:close()
  if not writer:wait() then error("the stage's ids could not be mapped", 0) end
  if net then ns.lo_up() end
  sys.forget_start()
end

-- In the runner: the host of the lesson is another process on the stage, so
-- that a step which unshares itself does not change it.
local function play(fn, opts, refusal)
  if not opts.uid0 then
    local ok, err = pcall(lock_mounts, opts.net, opts.ordinary)
    if not ok then -- a filter that lets clone pass, but not unshare; the depth
      refusal:write(tostring(err))
      return CANNOT
    end
  end
  refusal:close()
  local host <close> = sys.clone { reaper = true, deathsig = "KILL",
    bound = true }
  sys.fields(host).spawned = {}
  return fn(host)
end

-- A refusal that nobody expected is told as it is; other errors keep their
-- traceback.
local function act(fn, opts, refusal)
  local ok, result = xpcall(play, function(err)
    if debug.getmetatable(err) == sys.error_type then return err end
    return debug.traceback(tostring(err), 2)
  end, fn, opts, refusal)
  if ok then return result end
  io.stderr:write("nslua: ", (tostring(result):gsub("\n", "\nnslua: ")), "\n")
  return 1
end

-- In the janitor: the front's end, the runner's end, then everybody's.
local function watch(runner, front, terminal, notes)
  ns.setsid()
  ns.setname "janitor"
  ns.poll { runner, front }
  local status = 128 + 9
  if not runner.running then
    status = status_of(runner:wait())
  else
    local ok, how, code = runner:wait(0)
    if how ~= "timeout" then status = status_of(ok, how, code) end
  end
  pcall(ns.kill, runner, "KILL")
  sys.end_children {}
  restore_terminal(terminal)
  remove_noted(notes)
  return status
end

local function janitor(opts, fn, front, terminal, notes, refusal)
  ns.subreaper(true)
  local ok, runner = pcall(function()
    local spec = stage_spec(opts)
    spec.fn, spec.args = act, table.pack(fn, opts, refusal)
    return sys.clone(spec)
  end)
  if not ok then
    refusal:write(tostring(runner))
    return CANNOT
  end
  refusal:close()
  return watch(runner, front, terminal, notes)
end

-- Children that the caller had before are not ours to end.
local function own_children()
  local keep = {}
  for _, pid in ipairs(sys.children()) do keep[pid] = true end
  return keep
end

local function refused(reason)
  io.stderr:write("nslua: a stage for the lesson cannot be made here\n  ",
    (reason:gsub("\n", "\n  ")), "\n")
  return CANNOT
end


---Runs fn in a throw-away host and gives back what it returned. A machine that
---cannot make one says why on standard error: 77. Ctrl-C: 130.
---@param opts { net: boolean?, uid0: boolean?, ordinary: boolean?, keep: string[]? }
---  uid0: real root, no user namespace; ordinary: an ordinary user with a
---  number of his own, not root; keep: folders that stay, read-only
---@param fn fun(host: nslua.Proc): integer  runs on the stage; host is another process there
---@return integer status
function stage.run(opts, fn)
  local keep = own_children()
  local terminal = save_terminal()
  local notes <close> = ns.memfd "nslua-notes"
  local reason <close>, refusal = ns.pipe()
  local front <close> = ns.pidfd_open(ns.getpid())
  local asking <close>, to_front = ns.socketpair()
  stage.notes, stage.front = notes, to_front
  ns.subreaper(true)
  local watcher = ns.fork(function()
    asking:close()
    return janitor(opts, fn, front, terminal, notes, refusal)
  end)
  refusal:close()
  to_front:close()
  local ok, a, how, code = pcall(attend, watcher, asking)
  sys.heed_interrupt(true)
  if not ok then watcher:close() end
  sys.end_children(keep)
  ns.subreaper(false)
  restore_terminal(terminal, true)
  remove_noted(notes)
  stage.notes, stage.front = nil, nil
  if not ok then -- Ctrl-C came as an error of the host
    return INTERRUPTED
  end
  local status = status_of(a, how, code)
  local why = status == CANNOT and reason:read "a" or ""
  return why ~= "" and refused(why) or status
end

return stage
