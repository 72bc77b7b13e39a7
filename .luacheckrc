-- luacheck's options; the specs' and the lessons' globals are theirs alone.
std = "lua54"
max_line_length = 120
max_code_line_length = 120
color = false
-- An unused `self`, and names that start with _ (a <close> variable is used
-- by being there), are said on purpose.
self = false
unused_secondaries = false
-- In specs: what only keeps handles or a heap alive is never read.
files["spec"] = { std = "lua54+busted", ignore = { "241" },
  max_line_length = 150, max_code_line_length = 150 }
-- ---@meta files are signatures without bodies.
files["lua/nslua/meta"] = { unused_args = false, ignore = { "211", "212", "221", "241" } }
