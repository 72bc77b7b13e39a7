-- SPDX-License-Identifier: MIT
-- Runs benchmarks and prints them: run.lua BUILD [NAME...]. A benchmark is
-- spec/bench/cases/NAME.lua and returns, given the context, a list of tables:
--
--   title, rounds=, warmup=; in_order: a row undoes what the one before it did
--   { "name", {argv...}, per=N, asked=true, goals={ {"other row", 0.9} },
--     memory={ {"other row", 1.0} }, most=milliseconds }
--   worlds={ {processes, namespaces}... }: made before and ended after (many.c);
--     argv may be a function of their first pids
--   prefix: a command line that ends in running what follows (or a function)
--   between: a command line that runs before each run, untimed
--
-- The first row is the reference. Ratios are medians of the ratios of each
-- round: what the machine does meanwhile falls on both sides.

local build = arg[1]

local ORDER = { "start", "cold", "warm", "heap", "root", "calls", "list", "rootfs", "net", "lesson", "prompt" }


local function capture(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read "a"
end

local function works(command)
  return (os.execute(command .. " >/dev/null 2>&1"))
end

local function median(values)
  local sorted = table.move(values, 1, #values, 1, {})
  table.sort(sorted)
  local n = #sorted
  return (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2
end

local function ratio(row, other)
  local ratios = {}
  for i, t in ipairs(row.times) do ratios[i] = (t / row.per) / (other.times[i] / other.per) end
  return median(ratios)
end


-- -- running --------------------------------------------------------------------

local function quote(word)
  return "'" .. word:gsub("'", [['\'']]) .. "'"
end

local function command_line(case)
  local prefix = case.prefix or ""
  if type(prefix) == "function" then prefix = prefix(case.pids) end
  local words = { prefix .. build .. "/times", case.rounds or 21, case.warmup or 3,
    case.in_order and "given" or "any", quote(case.between or "") }
  for i, row in ipairs(case) do
    if i > 1 then words[#words + 1] = "--" end
    if row.asked then words[#words + 1] = "@" end
    local argv = type(row[2]) == "function" and row[2](case.pids) or row[2]
    for _, word in ipairs(argv) do words[#words + 1] = quote(word) end
  end
  return table.concat(words, " ")
end

-- Starts the worlds of a case; returns what ends them.
local function make_worlds(case)
  local pipes, pids = {}, {}
  for i, world in ipairs(case.worlds or {}) do
    local ready = os.tmpname()
    pipes[i] = assert(io.popen(("%s/many %s %d %d"):format(build, ready, world[1], world[2]), "w"))
    repeat
      os.execute "sleep 0.1"
      local file <close> = assert(io.open(ready))
      pids[i] = file:read "n"
    until pids[i]
    os.remove(ready)
  end
  return pids, function() for _, pipe in ipairs(pipes) do pipe:close() end end
end

local function measure(case)
  for _, row in ipairs(case) do
    row.times, row.per = {}, row.per or 1
    case[row[1]] = row
  end
  local finish
  case.pids, finish = make_worlds(case)
  local out = capture(command_line(case))
  finish()
  for index, kind, value in out:gmatch "(%d+) (%S+) ?(%d*)\n" do
    local row = case[tonumber(index)]
    if kind == "rss" then
      row.rss = tonumber(value)
    else
      row.times[#row.times + 1] = tonumber(kind)
    end
  end
  for _, row in ipairs(case) do
    assert(row.rss, case.title .. ": " .. row[1] .. " did not run to its end")
  end
end


-- -- printing --------------------------------------------------------------------

local function time(ns)
  if ns < 1e4 then return ("%.0f ns"):format(ns) end
  return ("%.0f us"):format(ns / 1e3)
end

local met, missed = 0, 0

local function print_goal(what, value, row, other, goal)
  local ok = value <= goal
  if ok then met = met + 1 else missed = missed + 1 end
  local digits = goal < 0.1 and "%.4f" or "%.2f"
  print(("  %s  %s: " .. digits .. " of %s, wanted at most " .. digits .. " (%s)"):format(
    ok and "met   " or "MISSED", row[1], value, other[1], goal, what))
end

local function print_most(row)
  local value = median(row.times) / row.per / 1e6
  local ok = value <= row.most
  if ok then met = met + 1 else missed = missed + 1 end
  print(("  %s  %s: %.1f ms, wanted at most %d ms"):format(ok and "met   " or "MISSED", row[1], value, row.most))
end

local function print_case(case)
  print(("\n%s  (%d rounds in turn)"):format(case.title, case.rounds or 21))
  print(("  %-34s %9s %9s %9s %7s %9s"):format("", "median", "min", "max", "ratio", "peak RSS"))
  for _, row in ipairs(case) do
    local function each(t) return time(t / row.per) end
    print(("  %-34s %9s %9s %9s %7.2f %5.1f MiB"):format(row[1], each(median(row.times)),
      each(math.min(table.unpack(row.times))), each(math.max(table.unpack(row.times))),
      ratio(row, case[1]), row.rss / 1024))
  end
  for _, row in ipairs(case) do
    for _, goal in ipairs(row.goals or {}) do
      local other = case[goal[1]]
      if other then print_goal("time", ratio(row, other), row, other, goal[2]) end
    end
    if row.most then print_most(row) end
    for _, goal in ipairs(row.memory or {}) do
      local other = case[goal[1]]
      if other then print_goal("peak RSS", row.rss / other.rss, row, other, goal[2]) end
    end
  end
end


-- -- the context that cases are built with --------------------------------------------

local context = {
  build = build,
  tiny = build .. "/tiny",
  root = build .. "/root", -- a root file system with /tiny in it
  is_root = capture "id -u" == "0\n",
  has = function(program) return works("command -v " .. program) end,
}

-- Leaves out rows whose program is not here, saying so.
local function present(case)
  local kept = { title = case.title, rounds = case.rounds, warmup = case.warmup,
    worlds = case.worlds, prefix = case.prefix, between = case.between,
    in_order = case.in_order }
  for _, row in ipairs(case) do
    if type(row[2]) == "function" or context.has(row[2][1]) then
      kept[#kept + 1] = row
    else
      print(("\n(%s: no %s here)"):format(case.title, row[2][1]))
    end
  end
  return kept
end

local names = #arg > 1 and { table.unpack(arg, 2) } or ORDER
for _, name in ipairs(names) do
  for _, case in ipairs(dofile(("spec/bench/cases/%s.lua"):format(name))(context)) do
    case = present(case)
    measure(case)
    print_case(case)
  end
end
print(("\ngoals: %d met, %d missed"):format(met, missed))
