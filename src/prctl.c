/* SPDX-License-Identifier: MIT
 *
 * prctl.c - what the process is and asks of the kernel for itself: its ids, its
 * session, its name, who dies with whom, and its end. getpid(2), setsid(2),
 * prctl(2), _exit(2).
 */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib.h"

static int prctl_getpid(lua_State *L) {
  lua_pushinteger(L, lib_check(L, getpid(), "getpid", ""));
  return 1;
}

static int prctl_getppid(lua_State *L) {
  lua_pushinteger(L, lib_check(L, getppid(), "getppid", ""));
  return 1;
}

/* ns.setsid() -> sid    setsid(2) */
static int prctl_setsid(lua_State *L) {
  lua_pushinteger(L, lib_check(L, setsid(), "setsid", ""));
  return 1;
}

/* ns.pdeathsig([signal]) -> true    PR_SET_PDEATHSIG(2const) */
static int prctl_pdeathsig(lua_State *L) {
  int sig = lib_checksignal(L, 1, SIGKILL);
  return lib_done(L, prctl(PR_SET_PDEATHSIG, sig), "prctl", "rw",
                  "PR_SET_PDEATHSIG", lib_signals, (unsigned long)sig);
}

/* ns.subreaper([on = true]) -> true    PR_SET_CHILD_SUBREAPER(2const) */
static int prctl_subreaper(lua_State *L) {
  if (!lua_isnone(L, 1))
    luaL_checktype(L, 1, LUA_TBOOLEAN);
  int on = lua_isnone(L, 1) || lua_toboolean(L, 1);
  return lib_done(L, prctl(PR_SET_CHILD_SUBREAPER, on, 0, 0, 0), "prctl",
                  "rd", "PR_SET_CHILD_SUBREAPER", on);
}

/* ns.dumpable([on]) -> boolean    PR_SET_DUMPABLE(2const) */
static int prctl_dumpable(lua_State *L) {
  if (!lua_isnone(L, 1)) {
    luaL_checktype(L, 1, LUA_TBOOLEAN);
    lib_check(L, prctl(PR_SET_DUMPABLE, lua_toboolean(L, 1), 0, 0, 0),
              "prctl", "rd", "PR_SET_DUMPABLE", lua_toboolean(L, 1));
  }
  lua_pushboolean(L, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
  return 1;
}

/* ns.setname(name) -> true    PR_SET_NAME(2const): 15 bytes */
static int prctl_setname(lua_State *L) {
  const char *name = lib_checkpath(L, 1);
  return lib_done(L, prctl(PR_SET_NAME, name), "prctl", "rs", "PR_SET_NAME",
                  name);
}

/* ns._exit([status = 0])    _exit(2): no flush but stdio's, no handlers */
static int prctl__exit(lua_State *L) {
  int status = lua_isnoneornil(L, 1) ? 0 : lib_checkint(L, 1, 0, 255);
  fflush(NULL);
  _exit(status);
}

/* ns.generation() -> forks between the start of the program and here */
static int prctl_generation(lua_State *L) {
  lua_pushinteger(L, lib_generation());
  return 1;
}

static const luaL_Reg funcs[] = {
  {"_exit", prctl__exit},
  {"dumpable", prctl_dumpable},
  {"generation", prctl_generation},
  {"getpid", prctl_getpid},
  {"getppid", prctl_getppid},
  {"pdeathsig", prctl_pdeathsig},
  {"setname", prctl_setname},
  {"setsid", prctl_setsid},
  {"subreaper", prctl_subreaper},
  {NULL, NULL},
};

void prctl_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
