/* SPDX-License-Identifier: MIT
 *
 * feed.c - nslua/feed.so: the reader's end of the ring. What comes from the
 * network or a file is digested as it is (SHA-256), inflated when it is gzip,
 * and passed on. A shared object apart from archive.so, so that each of the
 * two processes loads only what it needs.
 * Nothing that follows a gzip member may be anything but another member or
 * zero bytes (gzip(1) pads tapes with them).
 */
#include <string.h>

#include <lauxlib.h>
#include <openssl/evp.h>

#include "feed/feed.h"

#define FEED_TYPE "nslua.feed.Feed"

enum { SNIFF, GZIP, BETWEEN, PADDING, PLAIN };

typedef struct Feed {
  Ring *ring; /* kept alive by uservalue 1 */
  EVP_MD_CTX *hash;
  Inflater z;
  int state;
  unsigned char *block; /* being filled, or NULL */
  size_t used;
  unsigned char first[2]; /* what SNIFF and BETWEEN look at */
  size_t held;
  uint64_t fetched, plain;
  uint64_t max_plain, max_ratio;
  bool fast;
  bool writer_gone;
  Reason why;
} Feed;

/* -- out: blocks of the ring ---------------------------------------------- */

static bool room(Feed *f) {
  if (f->block != NULL && f->used < RING_BLOCK)
    return true;
  if (f->block != NULL && !ring_commit(f->ring, f->used))
    f->writer_gone = true;
  f->block = f->writer_gone ? NULL : ring_begin(f->ring);
  f->used = 0;
  f->writer_gone = f->block == NULL;
  return !f->writer_gone || reason_set(&f->why, "the writer ended");
}

static bool count_plain(Feed *f, size_t n) {
  f->used += n;
  f->plain += n;
  atomic_store_explicit(&f->ring->shared->plain, f->plain,
                        memory_order_relaxed);
  if (f->plain > f->max_plain)
    return reason_set(&f->why, "the archive unpacks to more than %llu bytes",
                      (unsigned long long)f->max_plain);
  if (f->plain > FEED_RATIO_MATTERS && f->plain / f->max_ratio > f->fetched)
    return reason_set(&f->why,
                      "the archive unpacks to more than %llu times its size",
                      (unsigned long long)f->max_ratio);
  return true;
}

static bool copy(Feed *f, const unsigned char *in, size_t left) {
  while (left > 0) {
    if (!room(f))
      return false;
    size_t n = RING_BLOCK - f->used;
    if (n > left)
      n = left;
    memcpy(f->block + f->used, in, n);
    in += n;
    left -= n;
    if (!count_plain(f, n))
      return false;
  }
  return true;
}

/* -- in: what the bytes are ----------------------------------------------- */

/* Inflates until the input is used up or the member ended. */
static bool inflate_some(Feed *f, const unsigned char **in, size_t *left) {
  for (bool full = true; *left > 0 || full;) {
    const char *why = NULL;
    if (!room(f))
      return false;
    unsigned char *out = f->block + f->used;
    size_t before = RING_BLOCK - f->used, out_left = before;
    int result = f->z.run(&f->z, in, left, &out, &out_left, &why);
    if (result == -1)
      return reason_set(&f->why, "the gzip data is damaged (%s)", why);
    if (!count_plain(f, before - out_left))
      return false;
    full = out_left == 0;
    if (result == 1) {
      f->state = BETWEEN;
      f->held = 0;
      return true;
    }
  }
  return true;
}

/* Two bytes decide; they may come one at a time. */
static bool take_two(Feed *f, const unsigned char **in, size_t *left) {
  while (f->held < 2 && *left > 0) {
    f->first[f->held++] = *(*in)++;
    --*left;
  }
  return f->held == 2;
}

static bool run_two(Feed *f) {
  const unsigned char *in = f->first;
  size_t left = f->held;
  f->held = 0;
  return f->state == GZIP ? inflate_some(f, &in, &left) : copy(f, in, left);
}

static bool sniff(Feed *f, const unsigned char **in, size_t *left) {
  bool first = f->state == SNIFF;
  if (!take_two(f, in, left))
    return true;
  if (f->first[0] == 0x1f && f->first[1] == 0x8b) {
    f->state = GZIP;
    if (first ? !inflater_open(&f->z, f->fast) : !f->z.reset(&f->z))
      return reason_set(&f->why, "out of memory");
    return run_two(f);
  }
  if (first) {
    f->state = PLAIN;
    return run_two(f);
  }
  if (f->first[0] != 0 || f->first[1] != 0)
    return reason_set(&f->why, "there is something after the gzip data");
  f->state = PADDING;
  return true;
}

static bool padding(Feed *f, const unsigned char **in, size_t *left) {
  for (; *left > 0; ++*in, --*left)
    if (**in != 0)
      return reason_set(&f->why, "there is something after the gzip data");
  return true;
}

static bool feed(Feed *f, const unsigned char *in, size_t left) {
  f->fetched += left;
  atomic_store_explicit(&f->ring->shared->fetched, f->fetched,
                        memory_order_relaxed);
  EVP_DigestUpdate(f->hash, in, left);
  bool well = true;
  while (well && left > 0) {
    switch (f->state) {
    case SNIFF:
    case BETWEEN: well = sniff(f, &in, &left); break;
    case GZIP: well = inflate_some(f, &in, &left); break;
    case PADDING: well = padding(f, &in, &left); break;
    default: well = copy(f, in, left); left = 0;
    }
  }
  return well;
}

/* The input ended: may it end here? */
static bool ended_well(Feed *f) {
  if (f->fetched == 0)
    return reason_set(&f->why, "it is empty");
  if (f->state == GZIP)
    return reason_set(&f->why, "the gzip data is cut off");
  if (f->state == BETWEEN && f->held == 1 && f->first[0] != 0)
    return reason_set(&f->why, "there is something after the gzip data");
  if (f->state == SNIFF && f->held > 0 && !copy(f, f->first, f->held))
    return false;
  return true;
}

/* -- Lua's view ----------------------------------------------------------- */

static Feed *check_feed(lua_State *L) {
  Feed *f = luaL_checkudata(L, 1, FEED_TYPE);
  if (f->hash == NULL || f->ring->shared == NULL)
    luaL_argerror(L, 1, "the feed is closed");
  return f;
}

static int result(lua_State *L, Feed *f, bool well) {
  if (well) {
    lua_pushboolean(L, 1);
    return 1;
  }
  luaL_pushfail(L);
  lua_pushstring(L, f->why.text);
  lua_pushboolean(L, f->writer_gone);
  return 3;
}

/* feed.new(ring, max_plain, max_ratio, fast) -> Feed */
static int feed_new(lua_State *L) {
  Ring *ring = ring_check(L, 1);
  lua_Integer max_plain = luaL_checkinteger(L, 2);
  lua_Integer max_ratio = luaL_checkinteger(L, 3);
  luaL_argcheck(L, max_plain > 0, 2, "a size > 0 is wanted");
  luaL_argcheck(L, max_ratio > 0, 3, "a ratio > 0 is wanted");
  Feed *f = lua_newuserdatauv(L, sizeof *f, 1);
  memset(f, 0, sizeof *f);
  luaL_setmetatable(L, FEED_TYPE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  f->ring = ring;
  f->max_plain = (uint64_t)max_plain;
  f->max_ratio = (uint64_t)max_ratio;
  f->fast = lua_isnone(L, 4) || lua_toboolean(L, 4);
  f->hash = EVP_MD_CTX_new();
  if (f->hash == NULL || EVP_DigestInit_ex(f->hash, EVP_sha256(), NULL) != 1)
    return luaL_error(L, "out of memory");
  if (f->fast)
    inflater_prepare();
  return 1;
}

/* feed:write(bytes) -> true | nil, reason, writer_gone */
static int feed_write(lua_State *L) {
  size_t n;
  Feed *f = check_feed(L);
  const char *s = luaL_checklstring(L, 2, &n);
  return result(L, f, feed(f, (const unsigned char *)s, n));
}

/* feed:drain(ring) -> true | nil, reason, writer_gone | nil when the ring was
   cut off: all that another process puts into that ring */
static int feed_drain(lua_State *L) {
  Feed *f = check_feed(L);
  Ring *from = ring_check(L, 2);
  const void *block;
  long n;
  while ((n = ring_next(from, &block)) > 0)
    if (!feed(f, block, (size_t)n))
      return result(L, f, false);
  if (n == 0)
    lua_pushboolean(L, 1);
  else
    luaL_pushfail(L);
  return 1;
}

/* feed:digest() -> hex, bytes | nil, reason, writer_gone: nothing follows;
   the writer is not yet told that all is well */
static int feed_digest(lua_State *L) {
  static const char digits[] = "0123456789abcdef";
  unsigned char sum[EVP_MAX_MD_SIZE];
  char hex[2 * EVP_MAX_MD_SIZE];
  unsigned size = 0;
  Feed *f = check_feed(L);
  if (!ended_well(f))
    return result(L, f, false);
  EVP_DigestFinal_ex(f->hash, sum, &size);
  for (size_t i = 0; i < size; i++) {
    hex[2 * i] = digits[sum[i] >> 4];
    hex[2 * i + 1] = digits[sum[i] & 15];
  }
  lua_pushlstring(L, hex, 2 * (size_t)size);
  lua_pushinteger(L, (lua_Integer)f->fetched);
  return 2;
}

/* feed:finish() -> true | nil, reason, writer_gone: the writer gets the rest
   and the end */
static int feed_finish(lua_State *L) {
  Feed *f = check_feed(L);
  bool well = true;
  if (f->block != NULL && f->used > 0)
    well = ring_commit(f->ring, f->used);
  f->block = NULL;
  well = well && ring_commit(f->ring, 0);
  if (!well) {
    f->writer_gone = true;
    reason_set(&f->why, "the writer ended");
  }
  return result(L, f, well);
}

/* feed:engine() -> "zlib" | "ISA-L" | nil: what inflates */
static int feed_engine(lua_State *L) {
  lua_pushstring(L, check_feed(L)->z.name);
  return 1;
}

static int feed_close(lua_State *L) {
  Feed *f = luaL_checkudata(L, 1, FEED_TYPE);
  EVP_MD_CTX_free(f->hash);
  f->hash = NULL;
  inflater_close(&f->z);
  return 0;
}

static const luaL_Reg funcs[] = {
  {"new", feed_new},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"close", feed_close},
  {"digest", feed_digest},
  {"drain", feed_drain},
  {"engine", feed_engine},
  {"finish", feed_finish},
  {"write", feed_write},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", feed_close},
  {"__gc", feed_close},
  {NULL, NULL},
};

LUALIB_API int luaopen_nslua_feed(lua_State *L);

__attribute__((visibility("default"))) int luaopen_nslua_feed(lua_State *L) {
  luaL_newmetatable(L, FEED_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  luaL_newlib(L, funcs);
  return 1;
}
