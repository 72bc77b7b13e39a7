---@meta nslua.tty
-- Terminals: a pair of one's own, size, modes and the foreground group.

---@class nslua
local ns = {}

---@class nslua.Fd
local Fd = {}

---A pseudo terminal: what a program writes to the second is read from the first.
---
---    local master, slave = ns.pty(24, 80)
---
---Raises: ENOENT (no /dev/ptmx), ENOSPC (too many terminals), EMFILE.
---Source: pty(7)
---@param rows? integer  default 24
---@param columns? integer  default 80
---@return nslua.Fd master
---@return nslua.Fd slave
function ns.pty(rows, columns) end

---The size of a terminal; with numbers, sets it (its foreground group hears
---SIGWINCH).
---
---    local master, slave = ns.pty(); print(slave:winsize())
---
---Raises: ENOTTY (no terminal).
---Source: TIOCGWINSZ(2const)
---@param rows? integer
---@param columns? integer
---@return integer|true rows
---@return integer? columns
function Fd:winsize(rows, columns) end

---The modes of a terminal, for tcsetattr.
---
---    local master, slave = ns.pty()
---    local modes = slave:tcgetattr(); slave:raw(); slave:tcsetattr(modes)
---
---Raises: ENOTTY.
---Source: tcgetattr(3)
---@return string state
function Fd:tcgetattr() end

---Sets the modes of a terminal, also when another group is in front.
---
---    local master, slave = ns.pty(); slave:tcsetattr(master:tcgetattr())
---
---Raises: ENOTTY, EIO (the terminal is gone).
---Source: tcsetattr(3)
---@param state string  from tcgetattr
---@return true
function Fd:tcsetattr(state) end

---Makes a terminal hand over each key at once, without echo.
---
---    local master, slave = ns.pty(); slave:raw()
---
---Raises: ENOTTY.
---Source: cfmakeraw(3)
---@return string state  the modes before
function Fd:raw() end

---The process group that has the terminal.
---
---    if ns.isatty(0) then print(ns.fd(0):tcgetpgrp()) end
---
---Raises: ENOTTY.
---Source: tcgetpgrp(3)
---@return integer pgid
function Fd:tcgetpgrp() end

---Gives the terminal to a process group; SIGTTOU stays away meanwhile.
---
---    if ns.isatty(0) then ns.fd(0):tcsetpgrp() end
---
---Raises: ENOTTY, EPERM (a group of another session).
---Source: tcsetpgrp(3)
---@param pgid? integer|nslua.Proc  default: the caller's own group
---@return true
function Fd:tcsetpgrp(pgid) end

return ns
