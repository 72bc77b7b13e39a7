/* SPDX-License-Identifier: MIT
 *
 * procfs.c - walking /proc with few system calls. A process may end between
 * any two of them: then a read fails with ESRCH or ENOENT and the caller goes
 * on. proc(5), getdents64(2).
 */
#include "procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel.h"

/* -- the walk ------------------------------------------------------------- */

static int walk_close(lua_State *L) {
  lib_close(luaL_checkudata(L, 1, "nslua.Walk"));
  return 0;
}

procfs_Walk *procfs_newwalk(lua_State *L, const char *path) {
  struct statfs fs;
  procfs_Walk *walk = lua_newuserdatauv(L, sizeof *walk, 0);
  walk->h.fd = -1;
  walk->h.generation = lib_generation();
  walk->length = walk->at = 0;
  lib_endwithcall(L, "nslua.Walk", walk_close);
  walk->h.fd = (int)lib_check(
    L, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "openat", "s", path);
  lib_check(L, fstatfs(walk->h.fd, &fs), "fstatfs", "s", path);
  if (fs.f_type != PROC_SUPER_MAGIC) {
    lib_close(&walk->h);
    lib_fail_text(L, ENOENT, "openat", path, "no procfs is mounted there: ");
  }
  return walk;
}

pid_t procfs_next(procfs_Walk *walk) {
  for (;;) {
    if (walk->at >= walk->length) {
      walk->at = 0;
      walk->length = syscall(SYS_getdents64, walk->h.fd, walk->entries,
                             sizeof walk->entries);
      if (walk->length <= 0)
        return (pid_t)walk->length;
    }
    const struct dirent64 *entry =
      (const void *)(walk->entries + walk->at);
    const char *name = entry->d_name;
    walk->at += entry->d_reclen;
    if (*name >= '1' && *name <= '9')
      return (pid_t)procfs_number(&name);
  }
}

bool procfs_foreign(const procfs_Walk *walk) {
  char self[32];
  const char *s = self;
  ssize_t n = readlinkat(walk->h.fd, "self", self, sizeof self - 1);
  self[n > 0 ? n : 0] = '\0';
  return (pid_t)procfs_number(&s) != getpid();
}

void procfs_checkours(lua_State *L, const procfs_Walk *walk) {
  if (procfs_foreign(walk))
    lib_fail_text(L, ESRCH, "readlinkat", "\"/proc/self\"",
                  "this /proc is of another pid namespace: ");
}

/* -- small reads ---------------------------------------------------------- */

unsigned long procfs_number(const char **s) {
  unsigned long n = 0;
  for (; **s >= '0' && **s <= '9'; (*s)++)
    n = n * 10 + (unsigned long)(**s - '0');
  return n;
}

char *procfs_path(char *path, pid_t pid, const char *name) {
  char digits[12];
  int n = 0;
  do
    digits[n++] = (char)('0' + pid % 10);
  while ((pid /= 10) > 0);
  while (n > 0)
    *path++ = digits[--n];
  *path++ = '/';
  return stpcpy(path, name);
}

ssize_t procfs_read(int proc_fd, pid_t pid, const char *name, char *buffer,
                    size_t size) {
  char path[PROCFS_PATH];
  procfs_path(path, pid, name);
  int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
  if (fd == -1)
    return -1;
  ssize_t n = read(fd, buffer, size - 1);
  int error_number = errno;
  close(fd);
  errno = error_number;
  buffer[n > 0 ? n : 0] = '\0';
  return n;
}

ino_t procfs_inode(int proc_fd, const char *path) {
  char link[48];
  ssize_t n = readlinkat(proc_fd, path, link, sizeof link - 1);
  if (n <= 0)
    return 0;
  link[n] = '\0';
  const char *s = strchr(link, '[');
  errno = EINVAL;
  return s ? (s++, procfs_number(&s)) : 0;
}

/* "4491 (a) b) S 4490 4491 4490 34816 ...": the name may hold anything. */
bool procfs_stat(int proc_fd, pid_t pid, procfs_Stat *stat) {
  char text[1024];
  ssize_t n = procfs_read(proc_fd, pid, "stat", text, sizeof text);
  char *open = n > 0 ? strchr(text, '(') : NULL;
  char *close = open ? strrchr(open, ')') : NULL;
  if (close == NULL || close[1] != ' ')
    return false;
  size_t length = (size_t)(close - open - 1);
  if (length >= sizeof stat->comm)
    length = sizeof stat->comm - 1;
  memcpy(stat->comm, open + 1, length);
  stat->comm[length] = '\0';
  stat->state = close[2];
  char *end = close + 3;
  stat->ppid = (pid_t)strtol(end, &end, 10);
  stat->pgid = (pid_t)strtol(end, &end, 10);
  stat->sid = (pid_t)strtol(end, &end, 10);
  stat->tty = (int)strtol(end, &end, 10);
  return true;
}

/* What ps shows for a process without a command line: a kernel thread, a
   zombie, one that overwrote its arguments. */
static size_t name_only(int proc_fd, pid_t pid, bool marked, char *buffer,
                        size_t size) {
  procfs_Stat stat;
  if (!procfs_stat(proc_fd, pid, &stat) || size < sizeof stat.comm + 16)
    return 0;
  if (!marked)
    return (size_t)(stpcpy(buffer, stat.comm) - buffer);
  char *end = buffer;
  *end++ = '[';
  end = stpcpy(end, stat.comm);
  end = stpcpy(end, stat.state == 'Z' ? "] <defunct>" : "]");
  return (size_t)(end - buffer);
}

size_t procfs_args(int proc_fd, pid_t pid, bool marked, char *buffer,
                   size_t size) {
  ssize_t n = procfs_read(proc_fd, pid, "cmdline", buffer, size);
  while (n > 0 && buffer[n - 1] == '\0')
    n--;
  if (n <= 0)
    return name_only(proc_fd, pid, marked, buffer, size);
  for (char *p = buffer; (p = memchr(p, '\0', (size_t)(buffer + n - p)));)
    *p = ' ';
  return (size_t)n;
}

/* -- users ---------------------------------------------------------------- */

/* "name:x:uid:...": the length of the name when the number is the one wanted,
   else 0. */
static size_t name_of(const char *line, uid_t uid) {
  const char *name = strchr(line, ':');
  const char *digits = name ? strchr(name + 1, ':') : NULL;
  if (digits == NULL || *line == '+' || *line == '-')
    return 0;
  const char *end = ++digits;
  bool same = procfs_number(&end) == uid && end > digits && *end == ':';
  return same ? (size_t)(name - line) : 0;
}

/* /etc/passwd first: the name service brings in half of libc and may ask a
   daemon, and only for users that the file does not have. It is read by hand,
   for the C library's way needs more memory than the whole scan. The name is
   left where the file was read to. */
static size_t find_in_file(uid_t uid, char *text, size_t size) {
  size_t kept = 0, found = 0;
  ssize_t n;
  int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
  if (fd == -1)
    return 0;
  do {
    char *line = text, *end;
    n = read(fd, text + kept, size - 1 - kept);
    text[kept + (size_t)(n > 0 ? n : 0)] = '\0';
    while (found == 0 && (end = strchrnul(line, '\n')) &&
           (*end != '\0' || (n <= 0 && end > line))) {
      bool last = *end == '\0';
      *end = '\0';
      found = name_of(line, uid);
      memmove(text, line, found);
      line = last ? end : end + 1;
    }
    kept = strlen(line);
    if (found == 0)
      memmove(text, line, kept);
    if (kept == size - 1)
      kept = 0; /* no line of that file */
  } while (found == 0 && n > 0);
  close(fd);
  return found;
}

void procfs_pushuser(lua_State *L, int cache, uid_t uid) {
  struct passwd record, *found = NULL;
  char text[2048];
  if (lua_rawgeti(L, cache, (lua_Integer)uid) == LUA_TSTRING)
    return;
  lua_pop(L, 1);
  size_t length = find_in_file(uid, text, sizeof text);
  if (length > 0)
    lua_pushlstring(L, text, length);
  else if (getpwuid_r(uid, &record, text, sizeof text, &found) == 0 && found)
    lua_pushstring(L, record.pw_name);
  else
    lua_pushfstring(L, "%I", (LUAI_UACINT)uid);
  lua_pushvalue(L, -1);
  lua_rawseti(L, cache, (lua_Integer)uid);
}
