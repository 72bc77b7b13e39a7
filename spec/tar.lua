-- SPDX-License-Identifier: MIT
-- Archives written by hand, so that they can be as wrong as specs want them.

local tar = {}

local BLOCK = 512

local function octal(n, width)
  if n < 0 or n >= 8 ^ (width - 1) then -- base 256, negative numbers too
    local bytes = {}
    for i = width, 1, -1 do
      bytes[i] = string.char(n & 255)
      n = n >> 8 | (n < 0 and ~(-1 >> 8) or 0)
    end
    bytes[1] = string.char(bytes[1]:byte() | 0x80)
    return table.concat(bytes)
  end
  return ("%0" .. width - 1 .. "o\0"):format(n)
end

local function padded(data)
  return data .. ("\0"):rep(-#data % BLOCK)
end

local function field(text, width)
  return (text .. ("\0"):rep(width)):sub(1, width)
end


---One header block. e: name, type ("0" file, "1" hard link, "2" symbolic, "3"
---char, "4" block, "5" directory, "6" fifo), link, mode, uid, gid, size, mtime, prefix
function tar.header(e)
  local head = field(e.name or "", 100) .. octal(e.mode or 420, 8) .. octal(e.uid or 0, 8)
    .. octal(e.gid or 0, 8) .. octal(e.size or #(e.data or ""), 12) .. octal(e.mtime or 1e9 // 1, 12)
    .. "        " .. (e.type or "0") .. field(e.link or "", 100) .. "ustar\00000"
    .. field("root", 32) .. field("root", 32) .. octal(e.major or 0, 8) .. octal(e.minor or 0, 8)
    .. field(e.prefix or "", 155) .. ("\0"):rep(12)
  local sum = 0
  for i = 1, BLOCK do sum = sum + head:byte(i) end
  return head:sub(1, 148) .. ("%06o\0 "):format(sum) .. head:sub(157)
end

-- "LENGTH key=value\n" counts itself
local function pax_record(key, value)
  local rest = " " .. key .. "=" .. value .. "\n"
  local length = #rest + 1
  while #tostring(length) + #rest ~= length do length = #tostring(length) + #rest end
  return length .. rest
end


---An entry; with `pax` (a list of {key, value}) an extended header before it.
function tar.entry(e)
  local out = ""
  if e.pax then
    local records = ""
    for _, pair in ipairs(e.pax) do records = records .. pax_record(pair[1], pair[2]) end
    out = tar.header { name = "pax", type = e.global and "g" or "x", size = #records } .. padded(records)
  end
  if e.long then
    out = out .. tar.header { name = "././@LongLink", type = "L", size = #e.long + 1 }
      .. padded(e.long .. "\0")
  end
  return out .. tar.header(e) .. padded(e.data or "")
end


---A whole archive of entries (tables, or strings as they are).
function tar.archive(entries)
  local out = {}
  for _, e in ipairs(entries) do
    out[#out + 1] = type(e) == "string" and e or tar.entry(e)
  end
  out[#out + 1] = ("\0"):rep(2 * BLOCK)
  return table.concat(out)
end


-- Short names for entries.
function tar.file(name, data, more)
  local e = { name = name, data = data or "data\n" }
  for k, v in pairs(more or {}) do e[k] = v end
  return e
end

function tar.dir(name, mode) return { name = name, type = "5", mode = mode or 493 } end

function tar.symlink(name, link) return { name = name, type = "2", link = link, mode = 511 } end

function tar.hardlink(name, link, more)
  local e = { name = name, type = "1", link = link }
  for k, v in pairs(more or {}) do e[k] = v end
  return e
end

function tar.device(name, kind, major, minor)
  return { name = name, type = kind, major = major, minor = minor }
end


---A gzip member that is not compressed (stored blocks); crc and length right.
function tar.gzip(text)
  local out = { "\31\139\8\0\0\0\0\0\0\255" }
  for at = 1, math.max(#text, 1), 65535 do
    local piece = text:sub(at, at + 65534)
    out[#out + 1] = string.pack("<BI2I2", at + 65535 > #text and 1 or 0, #piece, ~#piece & 0xffff) .. piece
  end
  local crc = 0xffffffff
  for i = 1, #text do
    crc = crc ~ text:byte(i)
    for _ = 1, 8 do crc = crc & 1 == 1 and crc >> 1 ~ 0xedb88320 or crc >> 1 end
  end
  out[#out + 1] = string.pack("<I4I4", crc ~ 0xffffffff, #text & 0xffffffff)
  return table.concat(out)
end

return tar
