-- SPDX-License-Identifier: MIT
-- Web servers on loopback: nginx with TLS from a CA made for the occasion, and
-- one of ours that misbehaves.

local helpers = require "spec.helpers"
local ns = require "nslua"

local servers = {}


-- A program with pipes for its standard input and output.
local function start(argv)
  local in_r, in_w = ns.pipe()
  local out_r, out_w = ns.pipe()
  local child = ns.fork(function()
    ns.pdeathsig "KILL"
    in_r:dup2(0); out_w:dup2(1)
    ns.exec(argv)
  end)
  in_r:close(); out_w:close()
  return { child = child, input = in_w, output = out_r }
end

local function stop(server)
  server.input:close()
  server.output:close()
  if server.child.running then
    server.child:kill "TERM"
    server.child:wait(5)
  end
  server.child:close()
end


---The one that misbehaves, serving a file. -> { url =, stop = }
function servers.bad(path)
  local server = start { "python3", "spec/server.py", path }
  local port = server.output:read("l"):match "%d+"
  server.url = "http://127.0.0.1:" .. port
  server.stop = stop
  return server
end

local CONF = [[
daemon off; pid %s/pid; error_log %s/error.log; worker_processes 1;
events { }
http {
  access_log off; default_type application/octet-stream;
  client_body_temp_path %s/a; proxy_temp_path %s/b; fastcgi_temp_path %s/c;
  uwsgi_temp_path %s/d; scgi_temp_path %s/e;
  server { listen 127.0.0.1:%d; listen 127.0.0.1:%d ssl; root %s/www;
    ssl_certificate %s/server.pem; ssl_certificate_key %s/server.key;
    location /down { return 302 http://127.0.0.1:%d/root.tar.gz; }
    location /slow/ { alias %s/www/; limit_rate 300k; } } }
]]

local CA = [[
  set -e; cd "$1"
  openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=spec-ca
  openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=127.0.0.1
  printf 'subjectAltName=IP:127.0.0.1' > ext
  openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem \
    -days 2 -extfile ext
  chmod 644 *.key
]]

local function listening(port)
  local out = helpers.run { "sh", "-c", "cat /proc/net/tcp" }
  return out:find(("0100007F:%04X 00000000:0000 0A"):format(port), 1, true) ~= nil
end


---nginx in a folder that has www/ in it. -> { url =, secure =, ca =, stop = }
function servers.nginx(dir)
  local _, err, status = helpers.run { "sh", "-c", CA, "sh", dir }
  assert(status == 0, err)
  for _ = 1, 10 do
    local port = math.random(20000, 60000)
    local conf = (CONF:gsub("%%s", function() return dir end)):format(port, port + 1, port)
    local fd = ns.open(dir .. "/nginx.conf", "w")
    fd:write(conf)
    fd:close()
    local server = start { "nginx", "-e", dir .. "/error.log", "-c", dir .. "/nginx.conf", "-p", dir }
    for _ = 1, 100 do
      if listening(port + 1) or server.child:wait(0.05) == nil and not server.child.running then break end
    end
    if listening(port + 1) then
      server.url, server.secure = "http://127.0.0.1:" .. port, "https://127.0.0.1:" .. port + 1
      server.ca, server.stop = dir .. "/ca.pem", stop
      return server
    end
    stop(server)
  end
  error "nginx did not start"
end


---Is this program here?
function servers.have(program)
  return function()
    for path in (os.getenv "PATH" .. ":/usr/sbin:/sbin"):gmatch "[^:]+" do
      if ns.access(path .. "/" .. program, "x") then return true end
    end
    return false, "there is no " .. program
  end
end

return servers
