/* SPDX-License-Identifier: MIT
 *
 * archive.c - nslua/archive.so: reads tar archives with libarchive and writes
 * them below one directory (archive/writer.c). The bytes come through a ring
 * (feed.h) from a process that has digested and inflated them. Reasons are
 * words for people, returned as nil, reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <lauxlib.h>

#include "archive/writer.h"
#include "kernel.h"

/* -- the wall ------------------------------------------------------------- */

static void limit(int what, rlim_t most) {
  struct rlimit r = {most, most};
  setrlimit((__rlimit_resource_t)what, &r);
}

/* Only what making files takes stays; what could undo a chroot goes. */
static bool drop_capabilities(void) {
  const uint32_t keep = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE |
                        1U << CAP_FOWNER | 1U << CAP_FSETID |
                        1U << CAP_SETFCAP;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{0}};
  if (syscall(SYS_capget, &header, data) == -1)
    return false;
  data[0].effective &= keep;
  data[0].permitted &= keep;
  data[0].inheritable = 0;
  data[1] = (struct __user_cap_data_struct){0};
  return syscall(SYS_capset, &header, data) == 0;
}

/* A descriptor that leads elsewhere would be a hole: only the ring stays. */
static void close_others(const Ring *ring) {
  int keep[3] = {2, ring->filled[0], ring->freed[1]};
  if (keep[1] > keep[2]) {
    int other = keep[1];
    keep[1] = keep[2];
    keep[2] = other;
  }
  for (int i = 0; i < 3; i++) {
    unsigned last = i < 2 ? (unsigned)keep[i + 1] - 1 : ~0U;
    if (keep[i] >= 0 && (unsigned)keep[i] + 1 <= last)
      syscall(SYS_close_range, (unsigned)keep[i] + 1, last, 0);
  }
}

/* From here on this process can write below `path` and nowhere else, and
   never gains a privilege: its root is `path`. */
static bool wall(const char *path, const Ring *ring, const Limits *limits,
                 rlim_t memory, Reason *why) {
  if (chdir(path) == -1 || (geteuid() == 0 && chroot(".") == -1))
    return reason_set(why, "cannot make %s the root: %s", path,
                      strerror(errno));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || !drop_capabilities())
    return reason_set(why, "cannot give up privileges: %s", strerror(errno));
  close_others(ring);
  signal(SIGXFSZ, SIG_IGN);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_NPROC, 0);
  limit(RLIMIT_NOFILE, 64);
  limit(RLIMIT_CPU, 3600);
  limit(RLIMIT_FSIZE, limits->bytes);
#ifndef __SANITIZE_ADDRESS__ /* its allocator has no words for "no" */
  limit(RLIMIT_DATA, memory);
#else
  (void)memory;
#endif
  umask(0);
  return true;
}

/* -- reading -------------------------------------------------------------- */

/* Ring -> decompressor (xz, zstd, bzip2 or none) -> tar -> writer. The first
   two are one libarchive reader of "raw" format, so that all of the stream
   is read and checked, also what follows the last entry. */
typedef struct Source {
  Ring *ring;
  struct archive *stream;
  bool ended;       /* the ring said so: the reader found all in order */
  bool cut;         /* the reader died or gave up */
  bool at_end;      /* the tar reader has seen the end of the stream */
  bool filled;      /* not all of it was zero */
  uint64_t taken, plain; /* bytes: of the ring, of the tar archive */
  const Limits *limits;
  Reason *why;
} Source;

static la_ssize_t from_ring(struct archive *a, void *data, const void **block) {
  Source *s = data;
  long n = s->ended || s->cut ? 0 : ring_next(s->ring, block);
  s->ended = s->ended || n == 0;
  if (n == -1 || s->cut) {
    s->cut = true;
    archive_set_error(a, EIO, "the input was cut off");
    return -1;
  }
  s->taken += (uint64_t)n;
  return n;
}

/* The reader did this for gzip; what is decompressed here is counted here. */
static bool count_plain(Source *s, size_t n) {
  s->plain += n;
  if (s->plain > s->limits->bytes)
    return reason_set(s->why, "the archive unpacks to more than %llu bytes",
                      (unsigned long long)s->limits->bytes);
  if (s->plain > FEED_RATIO_MATTERS &&
      s->plain / s->limits->ratio > s->taken)
    return reason_set(s->why,
                      "the archive unpacks to more than %llu times its size",
                      (unsigned long long)s->limits->ratio);
  return true;
}

static la_ssize_t from_stream(struct archive *a, void *data,
                              const void **block) {
  Source *s = data;
  size_t n = 0;
  int64_t at;
  int result;
  do
    result = archive_read_data_block(s->stream, block, &n, &at);
  while (result == ARCHIVE_OK && n == 0);
  if (result == ARCHIVE_EOF) {
    s->at_end = true;
    return 0;
  }
  if (result != ARCHIVE_OK) {
    const char *text = archive_error_string(s->stream);
    archive_set_error(a, EIO, "%s", text != NULL ? text : "read error");
    return -1;
  }
  const char *bytes = *block;
  for (size_t i = 0; i < n && !s->filled; i++)
    s->filled = bytes[i] != 0;
  if (count_plain(s, n))
    return (la_ssize_t)n;
  archive_set_error(a, EFBIG, "%s", s->why->text);
  return -1;
}

static bool cannot(struct archive *a, Reason *why) {
  const char *text = archive_error_string(a);
  return reason_set(why, "the archive cannot be read: %s",
                    text != NULL ? text : "out of memory");
}

/* A header that is wrong: its own name, if it has come to that. */
static bool bad_entry(struct archive *tar, struct archive_entry *e,
                      const Writer *w, Reason *why) {
  const char *name = archive_entry_pathname(e), *last = writer_last(w);
  const char *text = archive_error_string(tar);
  if (text == NULL)
    text = "its header is damaged";
  if (name != NULL && *name != '\0')
    return reason_set(why, "%.120s: %s", name, text);
  if (*last != '\0')
    return reason_set(why, "the entry after %.120s: %s", last, text);
  return reason_set(why, "the archive cannot be read: %s", text);
}

/* A pax header that cannot be read is only a warning to libarchive: the entry
   would lose its name. Names in another character set stay as they are. */
static bool is_damaged(struct archive *tar) {
  const char *text = archive_error_string(tar);
  return text != NULL && strstr(text, "pax") != NULL &&
         strstr(text, "convert") == NULL;
}

static bool open_stream(Source *s, struct archive *stream) {
  struct archive_entry *e;
  archive_read_support_filter_xz(stream);
  archive_read_support_filter_zstd(stream);
  archive_read_support_filter_bzip2(stream);
  archive_read_support_format_raw(stream);
  if (archive_read_open(stream, s, NULL, from_ring, NULL) != ARCHIVE_OK)
    return cannot(stream, s->why);
  int result = archive_read_next_header(stream, &e);
  if (result == ARCHIVE_EOF)
    return reason_set(s->why, "the archive is empty");
  return result == ARCHIVE_OK || cannot(stream, s->why);
}

static bool copy_entries(Source *s, struct archive *tar, Writer *w) {
  struct archive_entry *e;
  int result;
  archive_read_support_format_tar(tar);
  if (archive_read_open(tar, s, NULL, from_stream, NULL) != ARCHIVE_OK)
    return cannot(tar, s->why);
  while ((result = archive_read_next_header(tar, &e)) == ARCHIVE_OK ||
         (result == ARCHIVE_WARN && !is_damaged(tar))) {
    if (!writer_entry(w, tar, e))
      return false;
    atomic_fetch_add_explicit(&s->ring->shared->entries, 1,
                              memory_order_relaxed);
  }
  if (result != ARCHIVE_EOF)
    return bad_entry(tar, e, w, s->why);
  /* Where a header would be stands a block of zeros, or nothing at all. */
  int64_t end = archive_read_header_position(tar);
  if (s->at_end && s->plain < (uint64_t)end + 512)
    return reason_set(s->why,
                      "the archive is cut off after %.120s: it has no end mark",
                      writer_last(w));
  return true;
}

/* What follows the end mark is read, for the sake of its checks. */
static bool drain(Source *s, struct archive *tar) {
  const void *block;
  la_ssize_t n = 1;
  while (n > 0 && !s->at_end)
    n = from_stream(tar, s, &block);
  while (!s->cut && !s->ended)
    from_ring(s->stream, s, &block);
  if (n < 0 || s->cut)
    return cannot(tar, s->why);
  if (archive_file_count(tar) == 0 && s->filled)
    return reason_set(s->why, "Unrecognized archive format");
  return true;
}

static bool unpack(Source *s, Writer *w) {
  struct archive *tar = archive_read_new();
  s->stream = archive_read_new();
  bool well = tar != NULL && s->stream != NULL && open_stream(s, s->stream) &&
              copy_entries(s, tar, w) && drain(s, tar) && writer_finish(w);
  archive_read_free(tar);
  archive_read_free(s->stream);
  return well || reason_set(s->why, "out of memory");
}

/* archive.unpack(ring, directory, max_bytes, max_entries, max_ratio,
                  max_memory)
     -> {entries=, bytes=, devices=, ...} | nil, reason, cut
   Makes `directory` the root of this process: for a child only. */
static int archive_unpack(lua_State *L) {
  Ring *ring = ring_check(L, 1);
  const char *path = luaL_checkstring(L, 2);
  Limits limits = {(uint64_t)luaL_checkinteger(L, 3),
                   (uint64_t)luaL_checkinteger(L, 4),
                   (uint64_t)luaL_checkinteger(L, 5)};
  rlim_t memory = (rlim_t)luaL_checkinteger(L, 6);
  luaL_argcheck(L, limits.ratio > 0, 5, "a ratio > 0 is wanted");
  Reason *why = lua_newuserdatauv(L, sizeof *why, 0);
  why->text[0] = '\0';
  Source s = {.ring = ring, .why = why, .limits = &limits};
  Writer *w = NULL;
  int root = -1;
  bool well = wall(path, ring, &limits, memory, why);
  if (well) {
    root = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w = root >= 0 ? writer_new(root, &limits, why) : NULL;
    well = w != NULL ? unpack(&s, w) : reason_set(why, "%s", strerror(errno));
  }
  if (well) {
    writer_push_stats(L, w);
  } else {
    luaL_pushfail(L);
    lua_pushstring(L, why->text);
    lua_pushboolean(L, s.cut);
  }
  writer_free(w); /* after an error of Lua's the process ends anyway */
  if (root >= 0)
    close(root);
  return well ? 1 : 3;
}

static const luaL_Reg funcs[] = {
  {"unpack", archive_unpack},
  {NULL, NULL},
};

LUALIB_API int luaopen_nslua_archive(lua_State *L);

__attribute__((visibility("default"))) int luaopen_nslua_archive(lua_State *L) {
  luaL_newlib(L, funcs);
  return 1;
}
