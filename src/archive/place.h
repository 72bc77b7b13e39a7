/* SPDX-License-Identifier: MIT
 *
 * place.h - what the two files of the writer share: where an entry's name leads
 * (place.c), and what is made there (writer.c).
 */
#ifndef NSLUA_PLACE_H
#define NSLUA_PLACE_H

#include <errno.h>
#include <string.h>
#include <time.h>

#include "archive/writer.h"

enum { MOST_PATH = 4096 };

/* A name from the archive, made harmless: no leading '/', no "." parts. */
typedef struct Path {
  char text[MOST_PATH];
  char *base; /* its last part; the text before it is the parent */
} Path;

struct Writer {
  int root;
  Limits limits;
  uint64_t bytes, entries;
  uint64_t devices, sockets, attributes, owners; /* left out */
  Path path;
  char parent[MOST_PATH]; /* whose directory is open in parent_fd */
  int parent_fd;          /* -1 when none is */
  struct timespec parent_times[2];
  bool inherits; /* what is made there gets its group (set-group-id) */
  bool may_chown;
  Reason *why;
};

/* A message is one line on a screen: of a long name it has the beginning. */
static inline bool refuse(Writer *w, const char *name, const char *why) {
  int most = 120;
  return reason_set(w->why, "%.*s%s: %s", most, name,
                    strlen(name) > (size_t)most ? "..." : "", why);
}

static inline bool failed(Writer *w, const char *name) {
  return refuse(w, name, strerror(errno));
}

/* A name from the archive into p; false when it climbs or is too long. */
bool place_clean(Writer *w, Path *p, const char *name);
/* A descriptor below the root, whatever links are on the way; -1 with errno. */
int place_open(int root, const char *path, int flags);
/* The directory that p lies in, made where it is missing; -1 with w->why. It
   stays open for the next entry. */
int place_enter(Writer *w, Path *p);
void place_leave(Writer *w);
/* What stands in the way of a new entry goes. False with errno. */
bool place_clear(int dir, const char *base);

#endif
