/* SPDX-License-Identifier: MIT
 *
 * clock.c - the clocks that a time namespace moves, and the one that it does
 * not. clock_gettime(2), time_namespaces(7).
 */
#include <limits.h>
#include <time.h>

#include "lib.h"

static const lib_Word clocks[] = {
  {"monotonic", CLOCK_MONOTONIC, "CLOCK_MONOTONIC"},
  {"boottime", CLOCK_BOOTTIME, "CLOCK_BOOTTIME"},
  {"realtime", CLOCK_REALTIME, "CLOCK_REALTIME"},
  {NULL, 0, NULL},
};

double lib_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ns.clock([name = "monotonic"]) -> seconds    clock_gettime(2) */
static int clock_clock_gettime(lua_State *L) {
  struct timespec t;
  unsigned long number = CLOCK_MONOTONIC;
  if (!lua_isnoneornil(L, 1))
    number = lib_checkword(L, 1, clocks);
  luaL_argcheck(L, number <= INT_MAX, 1, "no number of a clock");
  clockid_t clock = (clockid_t)number;
  lib_check(L, clock_gettime(clock, &t), "clock_gettime", "d", (int)clock);
  lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
  return 1;
}

static const luaL_Reg funcs[] = {
  {"clock", clock_clock_gettime},
  {NULL, NULL},
};

void clock_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
