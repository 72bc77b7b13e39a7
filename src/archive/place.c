/* SPDX-License-Identifier: MIT
 *
 * place.c - where an entry of an archive goes. The kernel is the wall: this
 * process has the target as its root. On top of it every parent directory is
 * looked up by openat2(2) with RESOLVE_IN_ROOT, and the last name is never
 * followed, so that nothing is ever written through a link. Directories that
 * entries take for granted are made.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "archive/place.h"

/* -- names ----------------------------------------------------------------- */

/* Appends the part [from, to) of a name. */
static bool add_part(Path *p, size_t *length, const char *from, size_t n) {
  if (*length + n + 2 > sizeof p->text)
    return false;
  if (*length > 0)
    p->text[(*length)++] = '/';
  p->base = p->text + *length;
  memcpy(p->base, from, n);
  *length += n;
  p->text[*length] = '\0';
  return true;
}

bool place_clean(Writer *w, Path *p, const char *name) {
  size_t length = 0;
  p->text[0] = '\0';
  p->base = p->text;
  for (const char *at = name; *at != '\0';) {
    size_t n = strcspn(at, "/");
    if (n == 2 && memcmp(at, "..", 2) == 0)
      return refuse(w, name, "the name climbs out of the archive (..)");
    if (n > 0 && !(n == 1 && *at == '.') && !add_part(p, &length, at, n))
      return refuse(w, name, "the name is too long");
    at += n;
    at += strspn(at, "/");
  }
  return true;
}

/* -- parents --------------------------------------------------------------- */

int place_open(int root, const char *path, int flags) {
  struct open_how how = {
    .flags = (uint64_t)(flags | O_CLOEXEC),
    .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
  };
  return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

/* Files made in a directory change its times: they are put back. */
void place_leave(Writer *w) {
  if (w->parent_fd < 0)
    return;
  futimens(w->parent_fd, w->parent_times);
  close(w->parent_fd);
  w->parent_fd = -1;
}

/* Makes `path` one part at a time, as far as it is missing. */
static int make_parents(Writer *w, const char *path) {
  char part[MOST_PATH];
  int fd = place_open(w->root, ".", O_RDONLY | O_DIRECTORY);
  for (const char *at = path; fd >= 0 && *at != '\0';) {
    at += strcspn(at, "/");
    memcpy(part, path, (size_t)(at - path));
    part[at - path] = '\0';
    const char *slash = strrchr(part, '/');
    int next = place_open(w->root, part, O_RDONLY | O_DIRECTORY);
    if (next == -1 && errno == ENOENT) {
      struct stat st;
      if (fstat(fd, &st) == 0 &&
          mkdirat(fd, slash ? slash + 1 : part, 0755) == 0) {
        struct timespec times[2] = {st.st_atim, st.st_mtim};
        futimens(fd, times);
        next = place_open(w->root, part, O_RDONLY | O_DIRECTORY);
      }
    }
    int error_number = errno;
    close(fd);
    errno = error_number;
    fd = next;
    at += *at == '/';
  }
  return fd;
}

int place_enter(Writer *w, Path *p) {
  struct stat st;
  size_t n = (size_t)(p->base - p->text);
  n -= n > 0; /* the '/' */
  if (w->parent_fd >= 0 && strlen(w->parent) == n &&
      memcmp(w->parent, p->text, n) == 0)
    return w->parent_fd;
  place_leave(w);
  memcpy(w->parent, p->text, n);
  w->parent[n] = '\0';
  int fd = place_open(w->root, n ? w->parent : ".", O_RDONLY | O_DIRECTORY);
  if (fd == -1 && errno == ENOENT)
    fd = make_parents(w, w->parent);
  if (fd == -1 || fstat(fd, &st) == -1) {
    if (errno == EEXIST)
      refuse(w, p->text, "a symbolic link on its way leads nowhere in here");
    else
      failed(w, p->text);
    return -1;
  }
  w->parent_times[0] = st.st_atim;
  w->parent_times[1] = st.st_mtim;
  w->inherits = (st.st_mode & S_ISGID) != 0;
  return w->parent_fd = fd;
}

bool place_clear(int dir, const char *base) {
  if (unlinkat(dir, base, 0) == 0)
    return true;
  if (errno != EISDIR && errno != EPERM)
    return errno == ENOENT;
  return unlinkat(dir, base, AT_REMOVEDIR) == 0;
}
