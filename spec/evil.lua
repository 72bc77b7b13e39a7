-- SPDX-License-Identifier: MIT
-- Archives that mean harm: { name, bytes, verdict }. `out` is a folder that
-- they try to reach, with a file "canary" in it; `up` leads to it from below
-- the target by "..". The verdict is "whole" (unpacked, and contained) or a
-- pattern of the refusal.

local tar = require "spec.tar"

local file, dir, symlink, hardlink, device = tar.file, tar.dir, tar.symlink, tar.hardlink, tar.device

local evil = {}


local function names(add, out, up)
  local climbs = "climbs out"
  add("absolute", "whole", { file(out .. "/absolute") })
  add("absolute over the canary", "whole", { file(out .. "/canary", "evil") })
  add("double slash", "whole", { file("//" .. out .. "/canary", "evil") })
  add("dotdot", climbs, { file(up .. "/dotdot") })
  add("dotdot in the middle", climbs, { dir "a", file("a/../" .. up .. "/x") })
  add("dotdot after the root", climbs, { file("/.." .. out .. "/x") })
  add("dotdot alone", climbs, { dir ".." })
  add("dotdot at the end", climbs, { dir "a", file "a/.." })
  add("dot dot slash in a pax path", climbs, { file("x", "d", { pax = { { "path", up .. "/x" } } }) })
  add("absolute pax path", "whole", { file("x", "d", { pax = { { "path", out .. "/x" } } }) })
  add("absolute long name", "whole", { file("x", "d", { long = out .. "/x" }) })
  add("climbing long name", climbs, { file("x", "d", { long = up .. "/x" }) })
  add("climbing prefix", climbs, { file("x", "d", { prefix = up }) })
  add("no name", "no name", { file("", "d") })
  add("only slashes", "", { file("///", "d") })
  add("the root as a file", "", { file("./", "d") })
  add("the root as a link", "root itself", { symlink(".", out) })
  add("the root as a link, then a file", "root itself", { symlink("./", out), file "x" })
  add("the root as a hard link", "root itself", { file "a", hardlink(".", "a") })
  add("a name of 5000 bytes", "too long", { file("x", "d", { pax = { { "path", ("a/"):rep(2500) } } }) })
  add("a part of 300 bytes", "too long", { file("x", "d", { long = ("a"):rep(300) }) })
  add("control characters", "whole", { file "a\27[2J\7\r\nb" })
  add("control characters, refused", climbs, { file "../\27]0;owned\7\27[2J" })
  add("not UTF-8", "whole", { file "a\255\254\192b" })
  add("not UTF-8, refused", climbs, { file "../\255\254\192b" })
  add("letters that turn the line around, refused", climbs, { file "../\u{202e}a\u{2066}b" })
  add("C1 control characters, refused", climbs, { file "../a\194\155\0312Jb" })
  add("a file below a file", "Not a directory", { file "a", file "a/b" })
  add("deep", "whole", { file("x", "d", { pax = { { "path", ("d/"):rep(1000) .. "f" } } }) })
end

local function links(add, out, up)
  add("through an absolute link", "nowhere", { symlink("l", out), file "l/x" })
  add("through a climbing link", "nowhere", { symlink("l", up), file "l/x" })
  add("through a link to /", "whole", { symlink("l", "/"), file "l/x" })
  add("through two links", "nowhere", { symlink("a", "."), symlink("a/b", up), file "b/x" })
  add("a link over the canary", "whole", { symlink("l", out .. "/canary"), file("l", "evil") })
  add("a link replaced by a directory", "whole", { symlink("l", out), dir "l", file "l/x" })
  add("a directory replaced by a link", "nowhere",
    { dir "d", symlink("d", out), file "d/x" })
  add("a full directory replaced by a link", "not empty",
    { dir "d", file "d/a", symlink("d", out), file "d/x" })
  add("a loop of links", "Too many", { symlink("a", "b"), symlink("b", "a"), file "a/x" })
  add("a link to itself", "Too many", { symlink("a", "a"), file "a/x" })
  add("a link to nothing", "nothing", { symlink("a", "") })
  add("the mode of a link's target", "whole", { symlink("l", out .. "/canary"), dir("l", 511) })
  add("a long climb", "nowhere", { { name = "l", type = "2", link = "x", pax = { { "linkpath",
    ("../"):rep(60) .. out:sub(2) } } }, file "l/x" })
  add("proc/self/root", "nowhere", { symlink("l", "/proc/self/root" .. out), file "l/x" })
  add("proc/self/cwd", "nowhere", { symlink("l", "/proc/self/cwd/.."), file "l/x" })
  add("a link of 5000 bytes", "",
    { { name = "l", type = "2", link = "x", pax = { { "linkpath", ("a/"):rep(2500) } } } })
end

local function hard_links(add, out, up)
  add("hard link to an absolute name", "No such", { hardlink("h", out .. "/canary") })
  add("hard link, climbing", "climbs out", { hardlink("h", up .. "/canary") })
  add("hard link, then written", "No such", { hardlink("h", out .. "/canary"), file("h", "evil") })
  add("hard link below nothing", "h: a hard link to a/b: No such", { hardlink("h", "a/b") })
  add("hard link through a link", "No such",
    { symlink("l", out), hardlink("h", "l/canary"), file("h", "evil") })
  add("hard link to a link", "whole",
    { symlink("l", out .. "/canary"), hardlink("h", "l"), file("h", "evil") })
  add("hard link with data", "",
    { symlink("l", out .. "/canary"), hardlink("h", "l", { data = "evil", size = 4 }) })
  add("hard link to a directory", "not permitted", { dir "d", hardlink("h", "d") })
  add("hard link to itself", "", { hardlink("h", "h") })
  add("hard link to itself, there", "whole", { file "h", hardlink("h", "h") })
  add("hard link to what is not there", "No such", { hardlink("h", "x") })
  add("hard link to /proc", "No such", { hardlink("h", "/proc/1/root" .. out .. "/canary") })
  add("hard link to nothing", "", { hardlink("h", "") })
  add("a file over one of two names", "whole",
    { file("a", "one"), hardlink("b", "a"), file("b", "two") })
end

local function kinds(add, out)
  add("a disk", "whole", { device("sda", "4", 8, 0) })
  add("memory", "whole", { device("mem", "3", 1, 1) })
  add("a device written to", "whole", { device("null", "3", 1, 3), file("null", "x") })
  add("an overlay's white-out", "whole", { device("gone", "3", 0, 0), file "gone/x" })
  add("white-outs of layers", "whole", { file ".wh.x", file ".wh..wh..opq", dir "d", file "d/.wh.y" })
  add("a fifo", "whole", { { name = "pipe", type = "6" } })
  add("a fifo written to", "whole", { { name = "pipe", type = "6" }, file("pipe", "x") })
  add("set-id files", "whole", { file("su", "x", { mode = 2541 }), file("sg", "x", { mode = 1517 }) })
  add("an unknown type", "", { file("x", "d", { type = "Q" }) })
  add("a foreign owner", "whole", { file("x", "d", { uid = 4294967295, gid = 4294967295 }) })
  add("a big owner", "whole", { file("x", "d", { uid = 1 << 40, gid = 1 << 40 }) })
  add("a negative owner", "whole", { file("x", "d", { uid = -5, gid = -5 }) })
  add("a mode of ones", "whole", { file("x", "d", { mode = 4095 }), dir("d", 4095) })
  add("the root closed", "whole", { dir("./", 0), file "x" })
  add("a directory closed", "whole", { dir("d", 0), file "d/x" })
  add("a time before time", "whole", { file("x", "d", { mtime = -1 << 40 }) })
  add("a time after time", "whole", { file("x", "d", { mtime = 1 << 60 }) })
  add("trusted attributes", "whole", { file("x", "d", { pax = {
    { "SCHILY.xattr.trusted.overlay.opaque", "y" }, { "SCHILY.xattr.user.overlay.redirect", out },
    { "SCHILY.xattr.security.capability", "\1\0\0\2\255\255\255\255\0\0\0\0\255\255\255\255\0\0\0\0" },
    { "SCHILY.xattr.security.selinux", "x" } } }) })
  add("an access list", "whole", { file("x", "d", { pax = { { "SCHILY.acl.access", "user::rwx" } } }) })
  add("immutable", "whole", { file("x", "d", { pax = { { "SCHILY.fflags", "immutable,append" } } }) })
end

local function sizes(add)
  add("a negative size", "x: ", { tar.header { name = "x", size = -512 } })
  add("a size without its data", "cut off", { tar.header { name = "x", size = 1 << 20 } })
  add("a size that overflows", "", { tar.header { name = "x", size = math.maxinteger } })
  add("a pax size that overflows", "", { file("x", "d", { pax = { { "size", "99999999999999999999" } } }) })
  add("a negative pax size", "", { file("x", "d", { pax = { { "size", "-1" } } }) })
  add("a hole of an exabyte", "", { file("x", "0\n", { pax = {
    { "GNU.sparse.major", "1" }, { "GNU.sparse.minor", "0" }, { "GNU.sparse.name", "x" },
    { "GNU.sparse.realsize", tostring(1 << 60) } }, data = "0\n" .. ("\0"):rep(510) }) })
  add("a hole of data out of order", "", { file("x", "d", { pax = {
    { "GNU.sparse.major", "1" }, { "GNU.sparse.minor", "0" }, { "GNU.sparse.name", "x" },
    { "GNU.sparse.realsize", "4" } }, data = "2\n1000\n10\n0\n10\n" .. ("\0"):rep(1024) }) })
  add("a pax header without an end", "", { tar.header { name = "p", type = "x", size = 1 << 33 } })
  add("a pax record longer than its header", "", {
    tar.header { name = "p", type = "x", size = 20 } .. "999 path=aaaaaaaaaaa" .. ("\0"):rep(492), file "x" })
  add("a pax record without a length", "x: ", { tar.header { name = "p", type = "x", size = 9 } .. "path=aaa\n"
    .. ("\0"):rep(503), file "x" })
  add("a pax record of no length", "x: ", { tar.header { name = "p", type = "x", size = 9 } .. "0 path=a\n"
    .. ("\0"):rep(503), file "x" })
  add("a long name without an end", "", { tar.header { name = "p", type = "L", size = 1 << 33 } })
  add("a bad check sum after a good one", "the entry after a: ",
    { file "a", (tar.header { name = "x" }:gsub("root", "rout", 1)) })
  add("a disk image", "no tar archive", {}, ("\0"):rep(32768) .. "\1CD001" .. ("\0"):rep(2042))
  add("a bad check sum", "no tar archive", { (tar.header { name = "x" }:gsub("root", "rout", 1)) })
  add("no end mark", "cut off after x", {}, tar.entry(file "x"))
  add("no end mark after zeros", "cut off after z", {}, tar.entry(file("z", ("\0"):rep(2048))))
  add("half a header", "", {}, tar.entry(file "x"):sub(1, 700))
  add("nothing at all", "empty", {}, "")
  add("a web page", "no tar archive", {}, "<html><body>404</body></html>\n")
  add("zeros", "whole", {}, ("\0"):rep(10240))
end

local function duplicates(add)
  add("a file twice", "whole", { file("a", "one"), file("a", "two") })
  add("a directory over a file", "whole", { file "a", dir "a", file "a/b" })
  add("a file over a full directory", "not empty", { dir "a", file "a/b", file "a" })
  add("a file over an empty directory", "whole", { dir "a", file "a" })
  add("a directory twice", "whole", { dir("a", 448), file "a/b", dir("a", 493) })
  add("a link twice", "whole", { symlink("l", "x"), symlink("l", "y") })
  add("other case", "whole", { dir "A", symlink("a", "A"), file "a/x", file "A/X" })
end


---@param out string  absolute
---@param up string  "../../..", as far as it takes
---@return { [1]: string, [2]: string, [3]: string }[]
function evil.archives(out, up)
  local list = {}
  local function add(name, verdict, entries, bytes)
    list[#list + 1] = { name, bytes or tar.archive(entries), verdict }
  end
  names(add, out, up)
  links(add, out, up)
  hard_links(add, out, up)
  kinds(add, out)
  sizes(add)
  duplicates(add)
  return list
end

return evil
