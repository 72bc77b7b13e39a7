/* SPDX-License-Identifier: MIT
 *
 * poll.c - waiting for any of several descriptors and processes. poll(2).
 */
#include <errno.h>
#include <poll.h>

#include "lib.h"

/* poll(2) in slices, so that Ctrl-C comes through even when it was early. */
static int poll_until(lua_State *L, struct pollfd *fds, nfds_t n, int ms) {
  double end = lib_now() + ms / 1000.0;
  for (;;) {
    double left = ms < 0 ? 500 : (end - lib_now()) * 1000;
    int slice = left > 500 ? 500 : left < 0 ? 0 : (int)left + (left > 0);
    int ready = poll(fds, n, slice);
    if (ready > 0)
      return ready;
    if (ready == -1 && errno != EINTR)
      lib_check(L, -1, "poll", "dd", (int)n, ms);
    if (ready == 0 && ms >= 0 && lib_now() >= end)
      return 0;
    lib_interrupt_point(L);
  }
}

/* A process whose end is known keeps no pidfd, and is as ready as can be. */
static bool has_ended(lua_State *L, lua_Integer i) {
  lua_rawgeti(L, 1, i);
  lib_Proc *proc = luaL_testudata(L, -1, LIB_PROC);
  lua_pop(L, 1);
  return proc != NULL && proc->state != LIB_RUNNING;
}

/* ns.poll({Fd | Proc | Ns | number...} [, seconds]) -> list of the ready ones
   poll(2) */
static int poll_poll(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  int ms = lib_optmilliseconds(L, 2);
  lua_settop(L, 1);
  lua_Unsigned n = lua_rawlen(L, 1);
  if (n > 100000)
    luaL_argerror(L, 1, "too many elements");
  struct pollfd *fds = lib_scratch(L, n * sizeof *fds);
  for (lua_Unsigned i = 0; i < n; i++) {
    lua_Integer at = (lua_Integer)i + 1;
    bool ended = has_ended(L, at);
    fds[i] = (struct pollfd){
      .fd = ended ? -1 : lib_checkfdat(L, 1, at), .events = POLLIN};
    ms = ended ? 0 : ms;
  }
  poll_until(L, fds, n, ms);
  lua_newtable(L);
  for (lua_Unsigned i = 0; i < n; i++) {
    if (fds[i].revents & POLLNVAL)
      lib_fail(L, EBADF, "poll", "d", fds[i].fd);
    if (fds[i].revents != 0 || fds[i].fd == -1) {
      lua_rawgeti(L, 1, (lua_Integer)i + 1);
      lua_rawseti(L, 3, (lua_Integer)lua_rawlen(L, 3) + 1);
    }
  }
  return 1;
}

static const luaL_Reg funcs[] = {
  {"poll", poll_poll},
  {NULL, NULL},
};

void poll_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
