-- SPDX-License-Identifier: MIT
-- One session at the prompt as a person sees it: in the window of tmux, which
-- draws what a terminal draws.

local helpers = require "spec.helpers"
local prompts = require "spec.prompts"
local ns = require "nslua"

local PATIENCE = 10 -- seconds until something must be in the window

local function has_tmux()
  local _, _, status = helpers.run { "sh", "-c", "command -v tmux" }
  return status == 0, "tmux is not installed"
end

describe("a session in the window of tmux", function()
  local folder
  setup(function() folder = prompts.folder() end)
  teardown(prompts.clean)

  local function tmux(...) return (helpers.run { "tmux", "-S", folder .. "/socket", "-f", "/dev/null", ... }) end

  local function window() return tmux("capture-pane", "-p", "-t", "w") end

  -- Waits until the end of the window is what the pattern says.
  local function expect(pattern)
    local deadline, seen = ns.clock() + PATIENCE
    repeat
      seen = window():gsub("\n+$", "")
      if seen:find(pattern .. "$") then return seen end
      helpers.run { "sleep", "0.05" }
    until ns.clock() > deadline
    error(("%q is not at the end of %q"):format(pattern, seen), 2)
  end

  local function type_line(text)
    tmux("send-keys", "-t", "w", "-l", "--", text)
    tmux("send-keys", "-t", "w", "Enter")
  end

  helpers.need_it(has_tmux, "shows what a person is to see", function()
    local editor = prompts.can_open(prompts.readline)() and prompts.readline or ""
    tmux("new-session", "-d", "-s", "w", "-x", "80", "-y", "24", "env", "LANG=C.UTF-8", "INPUTRC=/dev/null",
      "LUA_INIT=", "XDG_STATE_HOME=" .. folder, "NSLUA_READLINELIB=" .. editor, helpers.program)
    finally(function() tmux "kill-server" end)
    expect "Ctrl%-D leave\nhost ▸"
    type_line "local n = 20"
    expect "\nnote: local n: kept for this session %(plain lua would forget it%)\nhost ▸"
    type_line "n + 1, '日本語'"
    expect "\n21      日本語\nhost ▸"
    type_line "for i = 1, 2 do"
    expect "\n     …"
    tmux("send-keys", "-t", "w", "C-c")
    expect "%^C\nhost ▸"
    type_line "ns.hostname()"
    expect "\nns has no hostname; did you mean ns%.gethostname%?\nhost ▸"
    tmux("resize-window", "-t", "w", "-x", "40", "-y", "24")
    type_line "ns.mount('none', '/no/x', 'tmpfs')"
    for line in expect("\n  why [^▸]+\nhost ▸"):match("\n  why .*"):gmatch "[^\n]+" do
      assert.is_true(utf8.len(line) < 40, line)
    end
    type_line "while true do end"
    expect "do end"
    for _ = 1, 50 do
      tmux("send-keys", "-t", "w", "C-c")
      if window():find "interrupted after" then break end
      helpers.run { "sleep", "0.1" }
    end
    type_line "print('go' .. 'es on')"
    expect "\ngoes on\nhost ▸"
    if editor ~= "" then
      tmux("set-buffer", "-b", "lines", "t = {\n  1,\n  2,\n}")
      tmux("paste-buffer", "-p", "-b", "lines", "-t", "w")
      tmux("send-keys", "-t", "w", "Enter")
      type_line "#t"
      expect "\n2\nhost ▸"
      tmux("send-keys", "-t", "w", "Up", "Up", "Up")
      expect "host ▸ print%('go' %.%. 'es on'%)"
      tmux("send-keys", "-t", "w", "C-u", "ns.gethostn", "Tab")
      expect "host ▸ ns%.gethostname"
      tmux("send-keys", "-t", "w", "C-u")
    end
    tmux("send-keys", "-t", "w", "C-d")
    local deadline = ns.clock() + PATIENCE
    repeat
      local _, _, status = helpers.run { "tmux", "-S", folder .. "/socket", "has-session", "-t", "w" }
    until status ~= 0 or ns.clock() > deadline
    assert.is_true(ns.clock() < deadline, window())
  end)
end)
