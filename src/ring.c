/* SPDX-License-Identifier: MIT
 *
 * ring.c - nslua/ring.so: makes the ring (feed/feed.h) for the two processes
 * that share it, and shows how far they are. A shared object without any
 * library, so that who only waits for the two loads nothing. mmap(2), pipe(7).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <lauxlib.h>

#include "feed/feed.h"

static void close_end(int *fd) {
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}

static void close_pipes(Ring *ring) {
  for (int i = 0; i < 2; i++) {
    close_end(&ring->filled[i]);
    close_end(&ring->freed[i]);
  }
}

/* -- Lua's view ------------------------------------------------------------ */

/* ring.new() -> Ring, to be made before the two processes are */
static int ring_new(lua_State *L) {
  Ring *ring = lua_newuserdatauv(L, sizeof *ring, 0);
  memset(ring, 0, sizeof *ring);
  ring->filled[0] = ring->filled[1] = ring->freed[0] = ring->freed[1] = -1;
  ring->credit = RING_BLOCKS;
  luaL_setmetatable(L, FEED_RING);
  void *memory = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return luaL_fileresult(L, 0, "mmap");
  ring->shared = memory;
  if (pipe2(ring->filled, O_CLOEXEC) == -1 ||
      pipe2(ring->freed, O_CLOEXEC) == -1)
    return luaL_fileresult(L, 0, "pipe");
  return 1;
}

/* ring:side("fill" | "empty" | "watch"): drops the ends of the others */
static int ring_side(lua_State *L) {
  static const char *const sides[] = {"fill", "empty", "watch", NULL};
  Ring *ring = ring_check(L, 1);
  int side = luaL_checkoption(L, 2, NULL, sides);
  if (side == 2) {
    close_pipes(ring);
    return 0;
  }
  signal(SIGPIPE, SIG_IGN); /* both sides are processes of their own */
  close_end(&ring->filled[side == 0 ? 0 : 1]);
  close_end(&ring->freed[side == 0 ? 1 : 0]);
  return 0;
}

/* ring:put(bytes) -> true | nil when the other side is gone */
static int ring_put(lua_State *L) {
  size_t left, n;
  Ring *ring = ring_check(L, 1);
  const char *bytes = luaL_checklstring(L, 2, &left);
  for (; left > 0; left -= n, bytes += n) {
    n = left < RING_BLOCK ? left : RING_BLOCK;
    unsigned char *block = ring_begin(ring);
    if (block == NULL) {
      luaL_pushfail(L);
      return 1;
    }
    memcpy(block, bytes, n);
    if (!ring_commit(ring, n)) {
      luaL_pushfail(L);
      return 1;
    }
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* ring:finish() -> boolean: that was all */
static int ring_finish(lua_State *L) {
  lua_pushboolean(L, ring_commit(ring_check(L, 1), 0));
  return 1;
}

/* ring:say("fill" | "empty", text): how that side ended, for who watches */
static int ring_say(lua_State *L) {
  static const char *const sides[] = {"fill", "empty", NULL};
  Ring *ring = ring_check(L, 1);
  int side = luaL_checkoption(L, 2, NULL, sides);
  size_t n;
  const char *text = luaL_checklstring(L, 3, &n);
  if (n >= RING_TEXT)
    n = RING_TEXT - 1;
  memcpy(ring->shared->text[side], text, n);
  ring->shared->text[side][n] = '\0';
  return 0;
}

/* ring:said("fill" | "empty") -> text; the other side is not to be trusted */
static int ring_said(lua_State *L) {
  static const char *const sides[] = {"fill", "empty", NULL};
  char text[RING_TEXT];
  Ring *ring = ring_check(L, 1);
  memcpy(text, ring->shared->text[luaL_checkoption(L, 2, NULL, sides)],
         sizeof text);
  lua_pushlstring(L, text, strnlen(text, sizeof text));
  return 1;
}

/* ring:expect(bytes): the size of what comes, for the progress bar */
static int ring_expect(lua_State *L) {
  Ring *ring = ring_check(L, 1);
  atomic_store(&ring->shared->total, (uint64_t)luaL_checkinteger(L, 2));
  return 0;
}

/* ring:progress() -> fetched, total, plain, entries */
static int ring_progress(lua_State *L) {
  Shared *s = ring_check(L, 1)->shared;
  lua_pushinteger(L, (lua_Integer)atomic_load(&s->fetched));
  lua_pushinteger(L, (lua_Integer)atomic_load(&s->total));
  lua_pushinteger(L, (lua_Integer)atomic_load(&s->plain));
  lua_pushinteger(L, (lua_Integer)atomic_load(&s->entries));
  return 4;
}

static int ring_close(lua_State *L) {
  Ring *ring = luaL_checkudata(L, 1, FEED_RING);
  close_pipes(ring);
  if (ring->shared != NULL)
    munmap(ring->shared, sizeof(Shared));
  ring->shared = NULL;
  return 0;
}

static const luaL_Reg funcs[] = {
  {"new", ring_new},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"close", ring_close},
  {"expect", ring_expect},
  {"finish", ring_finish},
  {"progress", ring_progress},
  {"put", ring_put},
  {"said", ring_said},
  {"say", ring_say},
  {"side", ring_side},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", ring_close},
  {"__gc", ring_close},
  {NULL, NULL},
};

LUALIB_API int luaopen_nslua_ring(lua_State *L);

__attribute__((visibility("default"))) int luaopen_nslua_ring(lua_State *L) {
  luaL_newmetatable(L, FEED_RING);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  luaL_newlib(L, funcs);
  remove_open(L);
  return 1;
}
