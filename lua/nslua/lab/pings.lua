-- SPDX-License-Identifier: MIT
-- Everybody pings everybody: the echoes of all pairs over one socket a host,
-- and the table of what came back.

local sys = require "nslua.sys"
local ping = require "nslua.ping".internals

local pings = {}

local MOST_COLUMNS = 16 -- wider tables are told in words

local function word(result)
  if not result then return "." end
  return result.ok and ("%.2f"):format(result.min * 1000) or "lost"
end

local function as_table(matrix)
  local width, lines = 4, {}
  for _, name in ipairs(matrix.names) do width = math.max(width, #name) end
  local cell = ("%%-%ds"):format(width + 1)
  local row = { cell:format "" }
  for _, name in ipairs(matrix.names) do row[#row + 1] = cell:format(name) end
  lines[1] = table.concat(row)
  for _, from in ipairs(matrix.names) do
    row = { cell:format(from) }
    for _, to in ipairs(matrix.names) do row[#row + 1] = cell:format(word(matrix[from][to])) end
    lines[#lines + 1] = table.concat(row)
  end
  for i, line in ipairs(lines) do lines[i] = line:gsub("%s+$", "") end
  return table.concat(lines, "\n") .. "\n"
end

-- The pairs that got no answer, a line for each host.
local function failures(matrix)
  local lines = {}
  for _, from in ipairs(matrix.names) do
    local lost = {}
    for _, to in ipairs(matrix.names) do
      local result = matrix[from][to]
      if result and not result.ok then lost[#lost + 1] = to end
    end
    if #lost > 0 then lines[#lines + 1] = ("%s lost: %s\n"):format(from, table.concat(lost, " ")) end
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

local function make_jobs(hosts, family, sockets)
  local jobs = {}
  for _, to in ipairs(hosts) do
    local address = address_of(to, family)
    local v6 = address and address:find(":", 1, true) ~= nil
    if address and not sockets[v6] then sockets[v6] = open_sockets(hosts, v6) end
    for i, from in ipairs(address and hosts or {}) do
      if from ~= to then
        jobs[#jobs + 1] = { fd = sys.fd_number(sockets[v6][i]), address = address,
          from = from.name, to = to.name }
      end
    end
  end
  return jobs
end

local function collect(hosts, jobs, results)
  local names = {}
  for i, made in ipairs(hosts) do names[i] = made.name end
  local matrix = { sent = 0, received = 0 }
  for _, name in ipairs(names) do matrix[name] = {} end
  for i, job in ipairs(jobs) do
    matrix[job.from][job.to] = results[i]
    matrix.sent = matrix.sent + 1
    if results[i].ok then matrix.received = matrix.received + 1 end
  end
  matrix.names, matrix.ok = names, matrix.received == matrix.sent
  matrix.lost = matrix.sent > 0 and 1 - matrix.received / matrix.sent or 0
  return setmetatable(matrix, matrix_type)
end


---The echoes of all pairs of hosts.
function pings.all(hosts, opts)
  opts = ping.check("pingall", opts or {}, "timeout family")
  local family = opts.family
  if family ~= nil and family ~= "inet" and family ~= "inet6" then
    sys.raise "pingall: family is \"inet\" or \"inet6\""
  end
  local sockets <close> = setmetatable({}, { __close = function(list)
    for _, fds in pairs(list) do
      for _, fd in ipairs(fds) do fd:close() end
    end
  end })
  local jobs = make_jobs(hosts, family, sockets)
  if #jobs == 0 then return collect(hosts, jobs, {}) end
  return collect(hosts, jobs, ping.run(jobs, { timeout = opts.timeout }))
end

return pings
