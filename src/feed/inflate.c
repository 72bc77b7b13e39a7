/* SPDX-License-Identifier: MIT
 *
 * inflate.c - gzip members, CRC and length checked, which libarchive does not
 * do (RFC 1952). zlib does the work, or ISA-L, three times as fast, when the
 * machine has it: opened by name, and used only after it has shown on a
 * small member that it accepts what is right and refuses what is not.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST /* next_in is const */
#include <zlib.h>

#include "feed/feed.h"

/* -- zlib ------------------------------------------------------------------ */

static int zlib_run(Inflater *inflater, const unsigned char **in,
                    size_t *in_left, unsigned char **out, size_t *out_left,
                    const char **why) {
  z_stream *z = inflater->state;
  z->next_in = *in;
  z->avail_in = (uInt)*in_left;
  z->next_out = *out;
  z->avail_out = (uInt)*out_left;
  int result = inflate(z, Z_NO_FLUSH);
  *in = z->next_in;
  *in_left = z->avail_in;
  *out = z->next_out;
  *out_left = z->avail_out;
  if (result == Z_STREAM_END)
    return 1;
  if (result == Z_OK || result == Z_BUF_ERROR)
    return 0;
  *why = z->msg != NULL ? z->msg : "out of memory";
  return -1;
}

static bool zlib_reset(Inflater *inflater) {
  return inflateReset(inflater->state) == Z_OK;
}

static void zlib_free(Inflater *inflater) {
  inflateEnd(inflater->state);
  free(inflater->state);
}

static bool zlib_open(Inflater *inflater) {
  z_stream *z = calloc(1, sizeof *z);
  if (z == NULL || inflateInit2(z, 16 + MAX_WBITS) != Z_OK) {
    free(z);
    return false;
  }
  *inflater = (Inflater){"zlib", zlib_run, zlib_reset, zlib_free, z};
  return true;
}

/* -- ISA-L ------------------------------------------------------------------
 * The layout of struct inflate_state of libisal.so.2 (igzip_lib.h), which is
 * not needed to build: the part before the tables, the tables, what follows.
 * Room is left at the end. */

enum { ISAL_GZIP = 1, ISAL_FINISH = 5, ISAL_OK = 0, ISAL_BAD_SUM = -6 };

typedef struct IsalState {
  unsigned char *next_out;
  uint32_t avail_out;
  uint32_t total_out;
  const unsigned char *next_in;
  uint64_t read_in;
  uint32_t avail_in;
  int32_t read_in_length;
  uint32_t long_short[1 << 12];
  uint16_t long_long[1264];
  uint16_t dist_short[1 << 10];
  uint16_t dist_long[80];
  int block_state;
  uint32_t dict_length, bfinal, crc_flag, crc, hist_bits;
  unsigned char rest[256 * 1024];
} IsalState;

static struct {
  void (*init)(IsalState *);
  int (*inflate)(IsalState *);
} isal;

static int isal_run(Inflater *inflater, const unsigned char **in,
                    size_t *in_left, unsigned char **out, size_t *out_left,
                    const char **why) {
  IsalState *z = inflater->state;
  z->next_in = *in;
  z->avail_in = (uint32_t)*in_left;
  z->next_out = *out;
  z->avail_out = (uint32_t)*out_left;
  int result = isal.inflate(z);
  *in = z->next_in;
  *in_left = z->avail_in;
  *out = z->next_out;
  *out_left = z->avail_out;
  if (result != ISAL_OK) {
    *why = result == ISAL_BAD_SUM ? "incorrect data check"
                                  : "invalid compressed data";
    return -1;
  }
  return z->block_state == ISAL_FINISH;
}

static bool isal_reset(Inflater *inflater) {
  IsalState *z = inflater->state;
  isal.init(z);
  z->crc_flag = ISAL_GZIP;
  return true;
}

static void isal_free(Inflater *inflater) { free(inflater->state); }

static bool isal_new(Inflater *inflater) {
  IsalState *z = calloc(1, sizeof *z);
  *inflater = (Inflater){"ISA-L", isal_run, isal_reset, isal_free, z};
  return z != NULL && isal_reset(inflater);
}

/* "nslua" as a gzip member; `broken` (0: none) is a byte to spoil. */
static bool isal_accepts(size_t broken) {
  static const unsigned char member[] = {
    0x1f, 0x8b, 8,    0,    0,    0,    0,    0,    2,    255,  0xcb, 0x2b,
    0xce, 0x29, 0x4d, 0x04, 0x00, 0x7a, 0xdf, 0x9a, 0xb0, 5,    0,    0, 0};
  unsigned char copy[sizeof member], text[64];
  const unsigned char *in = copy;
  unsigned char *out = text;
  size_t in_left = sizeof copy, out_left = sizeof text;
  const char *why;
  Inflater z;
  memcpy(copy, member, sizeof copy);
  if (broken != 0)
    copy[broken] ^= 1;
  bool good = isal_new(&z) &&
              isal_run(&z, &in, &in_left, &out, &out_left, &why) == 1 &&
              in_left == 0 && out == text + 5 && memcmp(text, "nslua", 5) == 0;
  free(z.state);
  return good;
}

static void isal_find(void) {
  void *library = dlopen("libisal.so.2", RTLD_NOW | RTLD_LOCAL);
  if (library == NULL)
    return;
  *(void **)&isal.init = dlsym(library, "isal_inflate_init");
  *(void **)&isal.inflate = dlsym(library, "isal_inflate");
  enum { CRC = 17, LENGTH = 21 };
  if (isal.init == NULL || isal.inflate == NULL || !isal_accepts(0) ||
      isal_accepts(CRC) || isal_accepts(LENGTH))
    isal.inflate = NULL;
}

void inflater_prepare(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, isal_find);
}

static bool isal_open(Inflater *inflater) {
  inflater_prepare();
  return isal.inflate != NULL && isal_new(inflater);
}

bool inflater_open(Inflater *z, bool fast) {
  return (fast && isal_open(z)) || zlib_open(z);
}

void inflater_close(Inflater *z) {
  if (z->free != NULL)
    z->free(z);
  *z = (Inflater){0};
}
