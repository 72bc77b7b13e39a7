/* SPDX-License-Identifier: MIT
 *
 * writer.c - entries of an archive become files, at the place that place.c
 * finds for each. A file is always made anew (O_EXCL); its owner, mode, times
 * and attributes come last. Six system calls or so for each entry.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <lauxlib.h>

#include "archive/place.h"

/* -- owner, mode, times ---------------------------------------------------- */

static void entry_times(struct archive_entry *e, struct timespec times[2]) {
  times[1].tv_sec = archive_entry_mtime(e);
  times[1].tv_nsec = archive_entry_mtime_nsec(e);
  if (!archive_entry_mtime_is_set(e))
    times[1] = (struct timespec){0, UTIME_NOW};
  times[0] = times[1];
  if (archive_entry_atime_is_set(e)) {
    times[0].tv_sec = archive_entry_atime(e);
    times[0].tv_nsec = archive_entry_atime_nsec(e);
  }
}

/* An owner that is not mapped here is left out and counted. */
static bool give_owner(Writer *w, int dir, const char *base,
                       struct archive_entry *e) {
  int64_t uid = archive_entry_uid(e), gid = archive_entry_gid(e);
  if (!w->may_chown || (uid == 0 && gid == 0 && !w->inherits))
    return true;
  int flags = *base == '\0' ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
  if (uid >= 0 && gid >= 0 && uid < UINT32_MAX && gid < UINT32_MAX &&
      fchownat(dir, base, (uid_t)uid, (gid_t)gid, flags) == 0)
    return true;
  w->owners++;
  return uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX ||
         errno == EINVAL || errno == EPERM;
}

/* Of extended attributes only those that a root needs: what overlayfs and
   security modules keep in them is theirs. */
static void give_attributes(Writer *w, int fd, struct archive_entry *e) {
  const char *name;
  const void *value;
  size_t size;
  if (archive_entry_xattr_reset(e) == 0)
    return;
  while (archive_entry_xattr_next(e, &name, &value, &size) == ARCHIVE_OK) {
    bool wanted = name != NULL && ((strncmp(name, "user.", 5) == 0 &&
                                    strncmp(name, "user.overlay.", 13) != 0) ||
                                   strcmp(name, "security.capability") == 0);
    if (!wanted || fsetxattr(fd, name, value, size, 0) == -1)
      w->attributes++;
  }
}

/* The finishing touches of a file or directory that is open. chown first: it
   takes set-id bits away. */
static bool finish_open(Writer *w, int fd, struct archive_entry *e,
                        mode_t made_with) {
  struct timespec times[2];
  mode_t mode = archive_entry_mode(e) & 07777;
  entry_times(e, times);
  if (!give_owner(w, fd, "", e))
    return false;
  give_attributes(w, fd, e);
  if ((mode != made_with || w->inherits) && fchmod(fd, mode) == -1)
    return false;
  return futimens(fd, times) == 0;
}

/* -- kinds of entries ------------------------------------------------------ */

static bool write_block(int fd, const char *from, size_t size, off_t at) {
  while (size > 0) {
    ssize_t n = pwrite(fd, from, size, at);
    if (n == -1 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    from += n;
    at += n;
    size -= (size_t)n;
  }
  return true;
}

static bool write_data(Writer *w, int fd, struct archive *a, int64_t size) {
  const void *data;
  size_t n;
  int64_t at, end = 0;
  int result;
  while ((result = archive_read_data_block(a, &data, &n, &at)) ==
         ARCHIVE_OK) {
    if (at < end || at > size || n > (uint64_t)(size - at))
      return refuse(w, w->path.text, "its data does not fit its size");
    if (!write_block(fd, data, n, at))
      return failed(w, w->path.text);
    end = at + (int64_t)n;
  }
  if (result != ARCHIVE_EOF)
    return refuse(w, w->path.text, archive_error_string(a));
  if (end < size && ftruncate(fd, size) == -1) /* ends in a hole */
    return failed(w, w->path.text);
  return true;
}

static int create(Writer *w, int dir, mode_t mode) {
  int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(dir, w->path.base, flags, mode);
  if (fd == -1 && errno == EEXIST && place_clear(dir, w->path.base))
    fd = openat(dir, w->path.base, flags, mode);
  return fd;
}

static bool add_file(Writer *w, int dir, struct archive *a,
                     struct archive_entry *e) {
  int64_t size = archive_entry_size(e);
  mode_t mode = archive_entry_mode(e) & 0777;
  if (size < 0 || (uint64_t)size > w->limits.bytes - w->bytes)
    return refuse(w, w->path.text, size < 0 ? "its size is negative"
                                            : "the archive is too big");
  w->bytes += (uint64_t)size;
  int fd = create(w, dir, mode);
  if (fd == -1)
    return failed(w, w->path.text);
  bool well = write_data(w, fd, a, size);
  if (well && !finish_open(w, fd, e, mode))
    well = failed(w, w->path.text);
  close(fd);
  return well;
}

static bool add_directory(Writer *w, int dir, struct archive_entry *e) {
  struct stat st;
  const char *base = w->path.base;
  if (mkdirat(dir, base, 0700) == -1) {
    bool is_dir = errno == EEXIST &&
                  fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                  S_ISDIR(st.st_mode);
    if (!is_dir && (!place_clear(dir, base) || mkdirat(dir, base, 0700) == -1))
      return failed(w, w->path.text);
  }
  int fd = openat(dir, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd == -1)
    return failed(w, w->path.text);
  /* without CAP_DAC_OVERRIDE a directory must let us in */
  if (!w->may_chown)
    archive_entry_set_perm(e, archive_entry_perm(e) | 0700);
  bool well = finish_open(w, fd, e, 0700) || failed(w, w->path.text);
  close(fd);
  return well;
}

/* The archive's own "." */
static bool change_root(Writer *w, struct archive_entry *e) {
  if (archive_entry_filetype(e) != AE_IFDIR || archive_entry_hardlink(e))
    return refuse(w, archive_entry_pathname(e),
                  "the root itself can only be a directory");
  place_leave(w);
  archive_entry_set_perm(e, archive_entry_perm(e) | 0700);
  return finish_open(w, w->root, e, 0) || failed(w, ".");
}

static bool finish_name(Writer *w, int dir, struct archive_entry *e) {
  struct timespec times[2];
  entry_times(e, times);
  return (give_owner(w, dir, w->path.base, e) &&
          utimensat(dir, w->path.base, times, AT_SYMLINK_NOFOLLOW) == 0) ||
         failed(w, w->path.text);
}

static bool add_symlink(Writer *w, int dir, struct archive_entry *e) {
  const char *target = archive_entry_symlink(e), *base = w->path.base;
  if (target == NULL || *target == '\0')
    return refuse(w, w->path.text, "a symbolic link to nothing");
  if (symlinkat(target, dir, base) == -1 &&
      !(errno == EEXIST && place_clear(dir, base) &&
        symlinkat(target, dir, base) == 0))
    return failed(w, w->path.text);
  return finish_name(w, dir, e);
}

static bool add_fifo(Writer *w, int dir, struct archive_entry *e) {
  const char *base = w->path.base;
  mode_t mode = archive_entry_mode(e) & 0777;
  if (mkfifoat(dir, base, mode) == -1 &&
      !(errno == EEXIST && place_clear(dir, base) &&
        mkfifoat(dir, base, mode) == 0))
    return failed(w, w->path.text);
  return finish_name(w, dir, e);
}

static bool same_file(int dir, const char *base, int dir2, const char *base2) {
  struct stat a, b;
  return fstatat(dir, base, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
         fstatat(dir2, base2, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
         a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Another name for what an earlier entry made; never through a link. */
static bool add_hardlink(Writer *w, int dir, const char *name) {
  Path target;
  char parent[MOST_PATH] = ".";
  if (!place_clean(w, &target, name))
    return false;
  if (target.base > target.text) {
    target.base[-1] = '\0';
    memcpy(parent, target.text, strlen(target.text) + 1);
  }
  int from = place_open(w->root, parent, O_PATH | O_DIRECTORY);
  const char *base = w->path.base;
  bool well = from >= 0 && linkat(from, target.base, dir, base, 0) == 0;
  if (!well && from >= 0 && errno == EEXIST)
    well = same_file(from, target.base, dir, base) ||
           (place_clear(dir, base) &&
            linkat(from, target.base, dir, base, 0) == 0);
  if (!well)
    reason_set(w->why, "%.120s: a hard link to %.120s: %s", w->path.text,
               name, strerror(errno));
  if (from >= 0)
    close(from);
  return well;
}

/* -- one entry ------------------------------------------------------------- */

static bool add(Writer *w, int dir, struct archive *a,
                struct archive_entry *e) {
  if (archive_entry_hardlink(e) != NULL)
    return add_hardlink(w, dir, archive_entry_hardlink(e));
  switch (archive_entry_filetype(e)) {
  case AE_IFREG: return add_file(w, dir, a, e);
  case AE_IFDIR: return add_directory(w, dir, e);
  case AE_IFLNK: return add_symlink(w, dir, e);
  case AE_IFIFO: return add_fifo(w, dir, e);
  case AE_IFCHR:
  case AE_IFBLK: w->devices++; return true; /* a box gets its own */
  case AE_IFSOCK: w->sockets++; return true;
  default: return refuse(w, w->path.text, "an entry of an unknown kind");
  }
}

bool writer_entry(Writer *w, struct archive *a, struct archive_entry *e) {
  const char *name = archive_entry_pathname(e);
  if (name == NULL || *name == '\0')
    return reason_set(w->why, "an entry has no name");
  if (++w->entries > w->limits.entries)
    return reason_set(w->why, "the archive has more than %llu entries",
                      (unsigned long long)w->limits.entries);
  if (!place_clean(w, &w->path, name))
    return false;
  if (w->path.text[0] == '\0')
    return change_root(w, e);
  int dir = place_enter(w, &w->path);
  return dir >= 0 && add(w, dir, a, e);
}

const char *writer_last(const Writer *w) { return w->path.text; }

bool writer_finish(Writer *w) {
  place_leave(w);
  return syncfs(w->root) == 0 ||
         reason_set(w->why, "cannot write to the disk: %s", strerror(errno));
}

/* What a folder hands down to all below it (its group, an access list) is no
   part of the archive. */
static void disinherit(int root) {
  fremovexattr(root, "system.posix_acl_default");
  fchown(root, 0, 0);
  fchmod(root, 0755);
}

Writer *writer_new(int root, const Limits *limits, Reason *why) {
  Writer *w = calloc(1, sizeof *w);
  if (w == NULL)
    return NULL;
  w->root = root;
  w->parent_fd = -1;
  w->limits = *limits;
  w->why = why;
  w->may_chown = geteuid() == 0;
  disinherit(root);
  return w;
}

void writer_push_stats(lua_State *L, const Writer *w) {
  struct {
    const char *name;
    uint64_t n;
  } stats[] = {
    {"entries", w->entries},       {"bytes", w->bytes},
    {"devices", w->devices},       {"sockets", w->sockets},
    {"attributes", w->attributes}, {"owners", w->owners},
  };
  lua_createtable(L, 0, 6);
  for (size_t i = 0; i < sizeof stats / sizeof *stats; i++) {
    lua_pushinteger(L, (lua_Integer)stats[i].n);
    lua_setfield(L, -2, stats[i].name);
  }
}

void writer_free(Writer *w) {
  if (w != NULL && w->parent_fd >= 0)
    close(w->parent_fd);
  free(w);
}
