/* SPDX-License-Identifier: MIT
 *
 * ring.c - a ring of blocks between two processes that share nothing else. The
 * memory is anonymous and shared; two pipes carry "this one is full"
 * and "this one is free". A pipe ends by itself when its other side dies, so
 * neither process can wait for a dead one. pipe(7).
 */
#include <errno.h>
#include <unistd.h>

#include <lauxlib.h>

#include "feed/feed.h"

Ring *ring_check(lua_State *L, int arg) {
  Ring *ring = luaL_checkudata(L, arg, FEED_RING);
  if (ring->shared == NULL) {
    luaL_argerror(L, arg, "the ring is closed");
    __builtin_unreachable();
  }
  return ring;
}

/* -- the two sides --------------------------------------------------------- */

static bool read_all(int fd, void *into, size_t size) {
  char *at = into;
  while (size > 0) {
    ssize_t n = read(fd, at, size);
    if (n == -1 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    at += n;
    size -= (size_t)n;
  }
  return true;
}

static bool write_all(int fd, const void *from, size_t size) {
  ssize_t n; /* less than PIPE_BUF: all of it or nothing */
  do
    n = write(fd, from, size);
  while (n == -1 && errno == EINTR);
  return n == (ssize_t)size;
}

unsigned char *ring_begin(Ring *ring) {
  char token;
  if (ring->credit == 0) {
    if (!read_all(ring->freed[0], &token, 1))
      return NULL;
    ring->credit++;
  }
  return ring->shared->block[ring->next];
}

bool ring_commit(Ring *ring, size_t size) {
  uint32_t n = (uint32_t)size;
  if (size > 0) {
    ring->credit--;
    ring->next = (ring->next + 1) % RING_BLOCKS;
  }
  return write_all(ring->filled[1], &n, sizeof n);
}

long ring_next(Ring *ring, const void **block) {
  uint32_t n;
  if (ring->holding && !write_all(ring->freed[1], "", 1))
    ring->holding = false; /* the filler has gone: what is full is still ours */
  ring->holding = false;
  if (!read_all(ring->filled[0], &n, sizeof n) || n > RING_BLOCK)
    return -1;
  if (n > 0) {
    *block = ring->shared->block[ring->next];
    ring->next = (ring->next + 1) % RING_BLOCKS;
    ring->holding = true;
  }
  return (long)n;
}
