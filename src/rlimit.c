/* SPDX-License-Identifier: MIT
 *
 * rlimit.c - how much of a resource the process and its children may use.
 * getrlimit(2), setrlimit(2).
 */
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "lib.h"

/* A number >= 0, math.huge or "unlimited"; nil is `fallback`. */
static rlim_t opt_limit(lua_State *L, int arg, rlim_t fallback) {
  if (lua_isnoneornil(L, arg))
    return fallback;
  if (lua_type(L, arg) == LUA_TSTRING &&
      strcmp(lua_tostring(L, arg), "unlimited") == 0)
    return RLIM_INFINITY;
  if (lua_type(L, arg) != LUA_TNUMBER)
    luaL_typeerror(L, arg, "number or \"unlimited\"");
  if (lua_tonumber(L, arg) == HUGE_VAL)
    return RLIM_INFINITY;
  lua_Integer n = luaL_checkinteger(L, arg);
  if (n < 0)
    luaL_argerror(L, arg, "a limit is >= 0");
  return (rlim_t)n;
}

static void push_limit(lua_State *L, rlim_t n) {
  if (n == RLIM_INFINITY)
    lua_pushnumber(L, HUGE_VAL);
  else
    lua_pushinteger(L, (lua_Integer)n);
}

/* ns.rlimit(name [, soft [, hard]]) -> soft, hard as they are now
   setrlimit(2) */
static int rlimit_rlimit(lua_State *L) {
  struct rlimit r;
  int which = (int)lib_checkword(L, 1, lib_limits);
  if (which < 0 || which >= RLIM_NLIMITS)
    luaL_argerror(L, 1, "no limit has this number");
  lib_check(L, getrlimit((__rlimit_resource_t)which, &r), "getrlimit", "w",
            lib_limits, (unsigned long)which);
  if (!lua_isnoneornil(L, 2) || !lua_isnoneornil(L, 3)) {
    r.rlim_cur = opt_limit(L, 2, r.rlim_cur);
    r.rlim_max = opt_limit(L, 3, r.rlim_max);
    lib_check(L, setrlimit((__rlimit_resource_t)which, &r), "setrlimit", "wll",
              lib_limits, (unsigned long)which, (long)r.rlim_cur,
              (long)r.rlim_max);
  }
  push_limit(L, r.rlim_cur);
  push_limit(L, r.rlim_max);
  return 2;
}

static const luaL_Reg funcs[] = {
  {"rlimit", rlimit_rlimit},
  {NULL, NULL},
};

void rlimit_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
