/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <unistd.h>
#include "nslua.h"

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  nslua_openlibs(L);
  lua_createtable(L, argc, 1);
  for (int i = 0; i < argc; i++) { lua_pushstring(L, argv[i]); lua_rawseti(L, -2, i - 1); }
  lua_setglobal(L, "arg");
  int bad;
  if (argc > 2 && argv[1][0] == '-' && argv[1][1] == 'e') bad = luaL_dostring(L, argv[2]);
  else bad = luaL_dofile(L, argc > 1 ? argv[1] : NULL);
  if (bad) fprintf(stderr, "nslua: %s\n", luaL_tolstring(L, -1, NULL));
  if (nslua_forked()) { fflush(NULL); _exit(bad); }
  lua_close(L);
  return bad;
}
