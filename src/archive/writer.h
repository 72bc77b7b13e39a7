/* SPDX-License-Identifier: MIT
 *
 * writer.h - the disk's side of nslua/archive.so.
 */
#ifndef NSLUA_WRITER_H
#define NSLUA_WRITER_H

#include "feed/feed.h"

struct archive;
struct archive_entry;

typedef struct Limits {
  uint64_t bytes;   /* of all files, holes included */
  uint64_t entries;
  uint64_t ratio;   /* of the tar archive to what it is compressed to */
} Limits;

typedef struct Writer Writer;
/* Writes below the directory `root`, which it keeps open. */
Writer *writer_new(int root, const Limits *limits, Reason *why);
bool writer_entry(Writer *w, struct archive *a, struct archive_entry *e);
/* The name of the entry that was written last; "" before the first. */
const char *writer_last(const Writer *w);
bool writer_finish(Writer *w);
/* What was left out, by kind. */
void writer_push_stats(lua_State *L, const Writer *w);
void writer_free(Writer *w);

#endif
