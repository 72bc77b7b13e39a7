-- SPDX-License-Identifier: MIT
-- Everybody pings everybody: the echoes of all pairs over one socket a host,
-- and the table of what came back.

local sys = require "nslua.sys"
local ping = require "nslua.ping".internals
local rtnl = require "nslua.rtnl"

local pings = {}

local MOST_COLUMNS = 16 -- wider tables are told in words

local function word(result)
  if not result then return "." end
  return result.ok and ("%.2f"):format(result.min * 1000) or "lost"
end

-- Columns as wide as the widest word of all.
local function as_table(matrix)
  local rows, width, lines = { { "" } }, 4, {}
  for _, name in ipairs(matrix.names) do table.insert(rows[1], sys.clean(name)) end
  for _, from in ipairs(matrix.names) do
    local row = { sys.clean(from) }
    for _, to in ipairs(matrix.names) do row[#row + 1] = word(matrix[from][to]) end
    rows[#rows + 1] = row
  end
  for _, row in ipairs(rows) do
    for _, text in ipairs(row) do width = math.max(width, #text) end
  end
  local cell = ("%%-%ds"):format(width + 1)
  for i, row in ipairs(rows) do
    for j, text in ipairs(row) do row[j] = cell:format(text) end
    lines[i] = table.concat(row):gsub("%s+$", "")
  end
  return table.concat(lines, "\n") .. "\n"
end

-- The pairs that got no answer, a line for each host.
local function failures(matrix)
  local lines = {}
  for _, from in ipairs(matrix.names) do
    local lost = {}
    for _, to in ipairs(matrix.names) do
      local result = matrix[from][to]
      if result and not result.ok then lost[#lost + 1] = sys.clean(to) end
    end
    if #lost > 0 then lines[#lines + 1] = ("%s lost: %s\n"):format(sys.clean(from), table.concat(lost, " ")) end
  end
  return table.concat(lines)
end

local matrix_type = {
  __name = "nslua.Pings",
  __tostring = function(m)
    local body = #m.names <= MOST_COLUMNS and as_table(m) or failures(m)
    return ("%s%d of %d echoes answered%s"):format(body, m.received, m.sent,
      #m.names <= MOST_COLUMNS and m.received > 0 and " (milliseconds)" or "")
  end,
}

local function address_of(made, family)
  if family == "inet" then return made.plan.address end
  if family == "inet6" then return made.plan.address6 end
  return made.plan.address or made.plan.address6
end

-- A socket in every host for one family, all made by one child.
local function open_sockets(hosts, v6)
  local family, protocol, nets = v6 and "inet6" or "inet", v6 and "icmp6" or "icmp", {}
  for i, made in ipairs(hosts) do nets[i] = made.net end
  return sys.sockets(nets, family, "raw", protocol)
end

-- For each host and each family that is wanted a job, with all other hosts.
local function make_jobs(hosts, family, sockets)
  local jobs, wanted = {}, { [false] = {}, [true] = {} }
  for _, made in ipairs(hosts) do
    local address = address_of(made, family)
    if address then table.insert(wanted[address:find(":", 1, true) ~= nil], { made, address }) end
  end
  for v6, targets in pairs(wanted) do
    if #targets > 0 then sockets[v6] = open_sockets(hosts, v6) end
    for i, from in ipairs(#targets > 0 and hosts or {}) do
      local job = { fd = sys.fd_number(sockets[v6][i]), from = from.name, to = {} }
      for _, target in ipairs(targets) do
        if target[1] ~= from then
          table.insert(job, target[2])
          table.insert(job.to, target[1].name)
        end
      end
      jobs[#jobs + 1] = job
    end
  end
  return jobs
end

local function collect(hosts, jobs, results)
  local names = {}
  for i, made in ipairs(hosts) do names[i] = made.name end
  local matrix = { sent = #results, received = 0 }
  for _, name in ipairs(names) do matrix[name] = {} end
  local at = 0
  for _, job in ipairs(jobs) do
    for _, to in ipairs(job.to) do
      at = at + 1
      matrix[job.from][to] = results[at]
      if results[at].ok then matrix.received = matrix.received + 1 end
    end
  end
  matrix.names, matrix.ok = names, matrix.received == matrix.sent
  matrix.lost = matrix.sent > 0 and 1 - matrix.received / matrix.sent or 0
  return setmetatable(matrix, matrix_type)
end


---The echoes of all pairs of hosts.
function pings.all(hosts, opts)
  opts = ping.check("pingall", opts or {}, "timeout family")
  local family = opts.family
  rtnl.check_family("pingall", family)
  local sockets <close> = setmetatable({}, { __close = function(list)
    for _, fds in pairs(list) do
      for _, fd in ipairs(fds) do fd:close() end
    end
  end })
  local jobs = make_jobs(hosts, family, sockets)
  return collect(hosts, jobs, ping.run(jobs, { timeout = opts.timeout }))
end

return pings
