-- SPDX-License-Identifier: MIT
-- Where the archive is at a URL, a third child downloads; it hands on what
-- comes through a ring of its own. What has come is kept in a part file too,
-- so that a download that was cut off goes on where it stopped: asked for with
-- Range and If-Range, continued only when the server says that it is the same
-- file.

local sys = require "nslua.sys"
local job = require "nslua.rootfs.job"
local library = require "nslua.library"
local ns = sys.primitives

local download = {}

local TRIES = 5
local BLOCK = 256 * 1024
local STATUS = {
  [401] = "it wants a user name and password", [403] = "it does not let us have it",
  [404] = "there is no such file", [407] = "the proxy wants a user name and password",
  [410] = "the file is gone", [416] = "it is not as long as what we have of it",
  [429] = "too many requests", [500] = "it has a fault", [503] = "it is busy or down",
}


-- -- words -------------------------------------------------------------------

---A URL without what must not be shown.
function download.shown(url)
  return (url:gsub("^(%a[%w+.-]*://)[^/?#]*@", "%1"))
end

local function host_of(url)
  return url:match "^%a[%w+.-]*://([^/?#]*)" or url
end

local SENTENCES = {
  proxy = "the proxy that the environment names cannot be found (http_proxy, https_proxy)",
  redirects = "the server sends us round in circles (more than 10 redirects)",
  size = "it is bigger than allowed", url = "the URL is malformed",
  headers = "the server's headers have no end",
}

local sentence_of = {
  status = function(_, text)
    local meaning = STATUS[text]
    return ("the server answers %d%s"):format(text, meaning and ": " .. meaning or "")
  end,
  dns = function(host)
    return ("the host %s cannot be found (no network, no DNS, or a wrong name)"):format(host)
  end,
  connect = function(host, text) return ("no connection to %s: %s"):format(host, text) end,
  timeout = function(host, _, received)
    return received > 0 and ("the server stalled after %d bytes"):format(received)
      or ("%s does not answer in time"):format(host)
  end,
  tls = function(_, text)
    return ("the server's identity cannot be verified (TLS): %s"):format(text)
  end,
  cut = function(_, text, received)
    return ("the connection was cut off after %d bytes (%s)"):format(received, text)
  end,
  protocol = function(_, text) -- libcurl has one code for both
    return text:find "^Protocol" and "a redirect leads away from http and https, which is refused"
      or ("the server does not speak HTTP as it should: %s"):format(text)
  end,
}

local function sentence(kind, text, answer, url)
  local host = host_of(download.shown(answer.url ~= "" and answer.url or url))
  local say = sentence_of[kind]
  return say and say(host, text, answer.received) or SENTENCES[kind] or text
end


-- -- the part that is kept ---------------------------------------------------
-- part: { fd = Fd of the locked file, path =, check = "etag" or "modified" that
-- the server gave, from the file beside it }

local function truncate(part)
  ns.open(part.path, "wronly,trunc"):close()
  part.fd:seek("set", 0)
end

---Takes away the part: it is done with, or it was wrong.
function download.forget(part)
  os.remove(part.path .. ".from")
  os.remove(part.path)
end

local function read_check(path, url)
  local file <close> = io.open(path .. ".from")
  if not file then return nil end
  local said, check = file:read("l", "l")
  return said == url and check ~= "" and check or nil
end

---Opens the part file of a URL and locks it; waits for another who fetches it.
---@return table part
function download.part(path, url, on_wait)
  local fd = ns.open(path, "rdwr,create", 384)
  if not ns.try(fd.flock, fd, "ex,nb") then
    if on_wait then on_wait() end
    fd:flock "ex"
  end
  local there = ns.try(ns.stat, path)
  if not there or there.ino ~= ns.stat(fd).ino then -- done and forgotten meanwhile
    fd:close()
    return download.part(path, url, on_wait)
  end
  return { fd = fd, path = path, check = read_check(path, url) }
end

---Can the next call go on with it? What it is to be known by may be new.
function download.is_of_use(part, spec)
  return part.fd:seek "end" > 0 and (spec.sha256 or read_check(part.path, spec.url)) ~= nil
end

local function note_origin(part, url, answer)
  local check = answer.etag ~= "" and not answer.etag:find "^W/" and answer.etag
    or answer.modified
  part.check = check ~= "" and check or nil
  local file <close> = assert(io.open(part.path .. ".from", "w"))
  file:write(url, "\n", check, "\n")
end

local function feed_part(part, size, push)
  part.fd:seek("set", 0)
  while size > 0 do
    local bytes = part.fd:read(math.min(size, BLOCK))
    if not bytes then return nil, "the part that was kept has shrunk" end
    if not push(bytes) then return nil end
    size = size - #bytes
  end
  return true
end


-- -- one download ------------------------------------------------------------

-- What the callbacks of one download share.
local function new_transfer(spec, push, ring)
  local t = { fed = 0 }

  function t.start(answer)
    if answer.total then ring:expect(answer.total) end
    if not answer.resumed then
      if t.fed > 0 then
        t.reason = "the connection was cut off, and the server cannot continue a download"
        return nil
      end
      truncate(spec.part)
      note_origin(spec.part, spec.url, answer)
      t.page = answer.type:find "^text/html"
      return true
    end
    if t.fed > 0 then return true end
    t.resumed = true
    local ok, reason = feed_part(spec.part, t.from, push)
    if ok then t.fed = t.from else t.reason = reason end
    return ok
  end

  function t.push(bytes)
    if t.page and t.fed == 0 and bytes:find "^%s*<" then
      t.reason = "the server sends a web page, not an archive"
      return nil
    end
    local kept, message = ns.try(spec.part.fd.write, spec.part.fd, bytes)
    if not kept then
      t.reason, t.kind = "the download cannot be kept: " .. message, "disk"
      return nil
    end
    t.fed = t.fed + #bytes
    return push(bytes)
  end

  return t
end

-- The certificates that are believed, where the environment says so. curl(1)
local function trusted()
  local function set(name)
    local value = os.getenv(name)
    return value ~= "" and value or nil
  end
  return set "CURL_CA_BUNDLE" or set "SSL_CERT_FILE", set "SSL_CERT_DIR"
end

local function get(fetch, options, push, start)
  options.cainfo, options.capath = trusted()
  return fetch.get(options, push, start)
end

local function attempt(fetch, spec, t)
  t.from = t.fed
  if t.fed == 0 and (spec.part.check or spec.sha256) then
    t.from = spec.part.fd:seek("end", 0)
  end
  spec.part.fd:seek("end", 0)
  return get(fetch, { url = spec.url, from = t.from, if_range = spec.part.check,
    timeout = spec.timeout, max_bytes = spec.max_download }, t.push, t.start)
end

-- Worth another try at once: some of it came, and the server gave something to
-- know the file by.
local function try_again(t, spec, kind, answer)
  return kind == "cut" and answer.received > 0 and t.fed > 0
    and (spec.part.check or spec.sha256)
end


---The digest in URL.sha256, when there is such a file.
function download.sidecar(fetch, url, timeout)
  local text, place, query = "", url:match "^([^?#]*)(.*)$"
  local answer = get(fetch, { url = place .. ".sha256" .. query, timeout = math.min(timeout or 4, 4),
    max_bytes = 65536 }, function(bytes)
    text = text .. bytes
    return true
  end, function() return true end)
  return answer and download.parse_sidecar(text, place:match "([^/]+)$")
end

---A line of sha256sum: the digest, alone or with this file's name.
function download.parse_sidecar(text, name)
  for line in text:gmatch "[^\r\n]+" do
    local digest, said = line:match "^(%x+)%s*%*?(.-)%s*$"
    if digest and #digest == 64 and (said == "" or said:match "([^/]+)$" == name) then
      return digest:lower()
    end
  end
end


-- true, or nil, kind, reason. When the reader has gone it knows the reason.
local function fetch_all(spec, push, progress)
  local fetch = library.open "fetch"
  local t = new_transfer(spec, push, progress)
  for try = 1, TRIES do
    local answer, kind, text, last = attempt(fetch, spec, t)
    if answer then return true end
    if (kind == "status" and text == 416 or kind == "refused") and t.fed == 0 and t.from > 0 then
      truncate(spec.part) -- not the part that was asked for
    elseif try == TRIES or not try_again(t, spec, kind, last) then
      if t.reason then return nil, t.kind or "net", t.reason end
      return nil, "net", sentence(kind, text, last, spec.url)
    end
  end
end

-- In the child that downloads.
local function serve(spec, pieces, progress)
  progress:side "watch"
  pieces:side "fill"
  local ok, kind, reason = fetch_all(spec, function(bytes) return pieces:put(bytes) end, progress)
  if ok then
    local beside = not spec.sha256 and download.sidecar(library.open "fetch", spec.url, spec.timeout)
    pieces:say("fill", "ok " .. (beside or "-"))
    pieces:finish()
  else
    pieces:say("fill", ("no %s %s"):format(kind, reason))
  end
end

local function serve_guarded(spec, pieces, progress)
  local ok, err = pcall(serve, spec, pieces, progress)
  if not ok then
    pieces:say("fill", "no net " .. (type(err) == "table" and err.message or tostring(err)))
  end
  ns._exit(0)
end


---What reads spec.url, for unpack.run's spec.read: starts the child that
---downloads, and returns what takes its pieces.
---@param spec { url: string, part: table, sha256: string?, timeout: number?, max_download: integer? }
function download.reader(spec)
  return function(progress)
    local pieces = library.open("ring").new()
    local child = job.fork(serve_guarded, spec, pieces, progress)
    pieces:side "empty"
    return function(feed)
      local ok, reason, gone = feed:drain(pieces)
      if reason then return nil, reason, gone, "data" end
      local _, how, code = child:wait()
      local said = pieces:said "fill"
      spec.found_beside = said:match "^ok (%x+)$"
      if ok and said:find "^ok" then return true end
      local kind, words = said:match "^no (%a+) (.*)$"
      return nil, words or ("the process that downloads ended early (%s %s)"):format(how, code),
        false, kind or "net"
    end
  end
end

return download
