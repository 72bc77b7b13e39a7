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
} Limits;

typedef struct Writer Writer;
/* Writes below the directory `root`, which it keeps open. */
Writer *writer_new(int root, const Limits *limits, Reason *why);
bool writer_entry(Writer *w, struct archive *a, struct archive_entry *e);
bool writer_finish(Writer *w);
/* What was left out, by kind. */
void writer_push_stats(lua_State *L, const Writer *w);
void writer_free(Writer *w);

#endif
