/* SPDX-License-Identifier: MIT
 *
 * regex.c - POSIX extended regular expressions, for filters over lists: what
 * lsns(8) has as =~. The work is the C library's. regex(3), regex(7).
 */
#include <regex.h>

#include "lib.h"

enum { LONGEST = 1000 }; /* of a pattern: its nesting costs C stack */

/* ns.matches(text, pattern) -> boolean    regex(3)
   Nothing between regcomp and regfree can raise. */
static int regex_matches(lua_State *L) {
  const char *text = luaL_checkstring(L, 1);
  const char *pattern = lib_checkpath(L, 2);
  luaL_argcheck(L, lua_rawlen(L, 2) <= LONGEST, 2,
                "a pattern has at most 1000 bytes");
  regex_t regex;
  char why[256];
  int err = regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB);
  if (err != 0) {
    regerror(err, &regex, why, sizeof why);
    return luaL_argerror(L, 2, why);
  }
  err = regexec(&regex, text, 0, NULL, 0);
  regfree(&regex);
  lua_pushboolean(L, err == 0);
  return 1;
}

static const luaL_Reg funcs[] = {
  {"matches", regex_matches},
  {NULL, NULL},
};

void regex_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
