---@meta nslua.regex
-- Regular expressions, as filters over lists take them.

---@class nslua
local ns = {}

---Does a POSIX extended regular expression match somewhere in a text? What
---`=~` means in a filter.
---
---    print(ns.matches("sleep 1000", "^sleep [0-9]+$"))
---
---Raises: an error in the pattern, or one of more than 1000 bytes.
---Source: regex(3), regex(7)
---@param text string  up to its first zero byte
---@param pattern string
---@return boolean
function ns.matches(text, pattern) end

return ns
