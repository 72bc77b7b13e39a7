/* SPDX-License-Identifier: MIT
 *
 * feed.h - what nslua/ring.so, feed.so and archive.so share. Two processes work
 * on one archive: the reader (network or file -> digest -> inflate) and the
 * writer (tar -> disk). Between them is a ring of blocks in shared memory,
 * so nothing is copied and no thread is needed.
 */
#ifndef NSLUA_FEED_H
#define NSLUA_FEED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

/* A reason, in words for people. The first one stays: later ones are only
   its consequences. A name in it is raw: whoever shows it cleans it. */
typedef struct Reason {
  char text[1000];
} Reason;

/* reason.c */
bool reason_set(Reason *r, const char *fmt, ...)
  __attribute__((format(printf, 2, 3))); /* always false */

/* A bomb shows only in bulk: below this any ratio is fine. */
#define FEED_RATIO_MATTERS ((uint64_t)64 << 20)

/* -- ring.c ---------------------------------------------------------------- */

enum { RING_BLOCK = 256 * 1024, RING_BLOCKS = 8, RING_TEXT = 1200 };

/* What both processes and the one that waits for them see. */
typedef struct Shared {
  _Atomic uint64_t fetched; /* bytes in, still compressed */
  _Atomic uint64_t total;   /* of them, 0 when not known */
  _Atomic uint64_t plain;   /* bytes after inflating */
  _Atomic uint64_t entries; /* written */
  char text[2][RING_TEXT];  /* how the writer, the reader ended */
  unsigned char block[RING_BLOCKS][RING_BLOCK];
} Shared;

typedef struct Ring {
  Shared *shared;
  int filled[2], freed[2]; /* pipes: a length, or a token, for each block */
  unsigned next;           /* block to fill or to read */
  unsigned credit;         /* blocks that may be filled without asking */
  bool holding;            /* the reader's side has not given back its block */
} Ring;

#define FEED_RING "nslua.feed.Ring"
Ring *ring_check(lua_State *L, int arg);
/* The block to fill, or NULL when the other side is gone. */
unsigned char *ring_begin(Ring *ring);
bool ring_commit(Ring *ring, size_t size); /* 0 ends the stream */
/* The next full block: its size, 0 at the end, -1 when cut off. */
long ring_next(Ring *ring, const void **block);

/* -- inflate.c ------------------------------------------------------------- */

/* Whatever inflates gzip: zlib, or ISA-L when it is there. */
typedef struct Inflater Inflater;
struct Inflater {
  const char *name;
  /* Consumes from *in, fills *out; both move on. 1: the member ended and its
     CRC and length are right, 0: go on, -1: *why says what is wrong. */
  int (*run)(Inflater *z, const unsigned char **in, size_t *in_left,
             unsigned char **out, size_t *out_left, const char **why);
  bool (*reset)(Inflater *z);
  void (*free)(Inflater *z);
  void *state;
};

/* Looks for ISA-L: before the first bytes are there is a good time. */
void inflater_prepare(void);
bool inflater_open(Inflater *z, bool fast);
void inflater_close(Inflater *z);

/* -- remove.c -------------------------------------------------------------- */

void remove_open(lua_State *L);

#endif
