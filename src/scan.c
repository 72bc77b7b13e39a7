/* SPDX-License-Identifier: MIT */
#include "lib.h"

static const luaL_Reg funcs[] = {
  {NULL, NULL},
};

void scan_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
