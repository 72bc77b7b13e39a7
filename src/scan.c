/* SPDX-License-Identifier: MIT
 *
 * scan.c - every namespace that can be found from here, in one pass over
 * /proc: a readlink for each process and type, and the dear questions (who is
 * in it, who owns it) once for each namespace. The pass itself touches no Lua;
 * what it found is turned into tables at the end. namespaces(7), ioctl_nsfs(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel.h"
#include "scan.h"

/* Of mountinfo: a path may be 4096 bytes, and each of them "\\012". */
#define LONGEST_LINE (20 * 1024)

/* -- memory --------------------------------------------------------------- */

static int scan_gc(lua_State *L) {
  Scan *s = lua_touserdata(L, 1);
  for (int i = 0; i < s->count; i++)
    if (s->entries[i].fd >= 0)
      close(s->entries[i].fd);
  if (s->netlink_fd >= 0)
    close(s->netlink_fd);
  if (s->last_fd >= 0)
    close(s->last_fd);
  free(s->entries);
  free(s->slots);
  free(s->text);
  free(s->mounts);
  free(s->tables);
  memset(s, 0, sizeof *s);
  s->netlink_fd = s->last_fd = -1;
  return 0;
}

Scan *scan_new(lua_State *L) {
  Scan *s = lua_newuserdatauv(L, sizeof *s, 0);
  memset(s, 0, sizeof *s);
  s->netlink_fd = s->last_fd = -1;
  lib_endwithcall(L, "nslua.Scan", scan_gc);
  return s;
}

bool scan_grow(Scan *s, void *array, int count, int *room, size_t size) {
  if (count < *room)
    return true;
  int more = *room ? *room * 2 : 64;
  void *bigger = realloc(*(void **)array, (size_t)more * size);
  if (bigger == NULL) {
    s->failed = true;
    return false;
  }
  *(void **)array = bigger;
  *room = more;
  return true;
}

size_t scan_keep(Scan *s, const char *text, size_t length) {
  size_t at = s->text_length ? s->text_length : 1;
  if (length == 0)
    return 0;
  if (at + length + 1 > s->text_room) {
    size_t room = (at + length + 1) * 2 + 4096;
    char *bigger = realloc(s->text, room);
    if (bigger == NULL) {
      s->failed = true;
      return 0;
    }
    s->text = bigger;
    s->text_room = room;
  }
  memcpy(s->text + at, text, length);
  s->text[at + length] = '\0';
  s->text_length = at + length + 1;
  return at;
}

/* -- the set of namespaces ------------------------------------------------ */

static unsigned hash(int type, ino_t ino) {
  return (unsigned)((ino * 8 + (unsigned)type) * 0x9E3779B97F4A7C15u >> 32);
}

static int *slot(Scan *s, int type, ino_t ino) {
  unsigned i = hash(type, ino);
  for (;; i++) {
    int n = s->slots[i & s->mask];
    if (n == 0 || (s->entries[n - 1].ino == ino &&
                   s->entries[n - 1].type == type))
      return &s->slots[i & s->mask];
  }
}

static bool rehash(Scan *s) {
  unsigned size = s->mask ? (s->mask + 1) * 2 : 256;
  int *slots = calloc(size, sizeof *slots);
  if (slots == NULL) {
    s->failed = true;
    return false;
  }
  free(s->slots);
  s->slots = slots;
  s->mask = size - 1;
  for (int i = 0; i < s->count; i++)
    *slot(s, s->entries[i].type, s->entries[i].ino) = i + 1;
  return true;
}

Entry *scan_find(Scan *s, int type, ino_t ino) {
  if ((s->slots == NULL || (unsigned)s->count * 2 > s->mask) && !rehash(s))
    return NULL;
  int *at = slot(s, type, ino);
  if (*at > 0)
    return &s->entries[*at - 1];
  if (!scan_grow(s, &s->entries, s->count, &s->room, sizeof *s->entries))
    return NULL;
  Entry *e = &s->entries[s->count];
  memset(e, 0, sizeof *e);
  e->type = type;
  e->ino = ino;
  e->fd = -1;
  e->netnsid = -2;
  e->owner_uid = (uid_t)-1;
  *at = ++s->count;
  return e;
}

int scan_type(int flag) {
  for (int i = 0; i < LIB_NSCOUNT; i++)
    if (lib_nsflags[i] == flag)
      return i;
  return -1;
}

int scan_parse(const char *name, ino_t *ino) {
  for (int i = 0; i < LIB_NSCOUNT; i++) {
    const char *word = lib_nsword(lib_nsflags[i]);
    size_t n = strlen(word);
    if (strncmp(name, word, n) == 0 && strncmp(name + n, ":[", 2) == 0) {
      name += n + 2;
      *ino = procfs_number(&name);
      return *name == ']' && *ino != 0 ? i : -1;
    }
  }
  return -1;
}

bool scan_wanted(const Scan *s, int type) {
  return type >= 0 && (s->types >> type & 1) != 0;
}

/* -- by process ----------------------------------------------------------- */

/* Counts one process more. The first one is who the namespace is known by; one
   that was lost before is held on to at once. */
static void count_process(Scan *s, Entry *e, pid_t pid, const char *path) {
  if (e->settled || e->nprocs++ > 0)
    return;
  e->pid = pid;
  if (s->again && e->fd == -1)
    e->fd = openat(s->proc_fd, path, O_RDONLY | O_CLOEXEC);
}

/* Counts the process in each of its namespaces. Without the right to trace
   it the kernel shows none of them, so the first refusal answers for all. */
static void see_process(Scan *s, pid_t pid) {
  char path[PROCFS_PATH], link[48];
  char *name = procfs_path(path, pid, "ns/");
  s->processes++;
  for (int i = 0; i < LIB_NSCOUNT; i++) {
    if (!(s->looked_for >> i & 1))
      continue;
    stpcpy(name, lib_nsword(lib_nsflags[i]));
    ssize_t n = readlinkat(s->proc_fd, path, link, sizeof link - 1);
    if (n == -1 && errno == EACCES) {
      s->hidden++;
      return;
    }
    if (n <= 0)
      continue; /* it ended, or is a zombie, which has only some */
    link[n] = '\0';
    ino_t ino;
    Entry *e = scan_parse(link, &ino) == i ? scan_find(s, i, ino) : NULL;
    if (e != NULL)
      count_process(s, e, pid, path);
  }
}

/* -- by bind mount -------------------------------------------------------- */

/* Undoes \040 and its like in place. */
static void unescape(char *s) {
  char *to = s;
  for (; *s != '\0'; s++, to++) {
    if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
      *to = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
      s += 3;
    } else {
      *to = *s;
    }
  }
  *to = '\0';
}

/* "36 35 0:4 net:[4026532189] /run/netns/a rw shared:1 - nsfs nsfs rw" */
char *scan_mount_point(char *line, int *type, ino_t *ino) {
  char *field[5], *rest = line;
  for (int i = 0; i < 5; i++)
    if ((field[i] = strsep(&rest, " ")) == NULL)
      return NULL;
  *type = scan_parse(field[3], ino);
  if (*type < 0 || rest == NULL || strstr(rest, " - nsfs ") == NULL)
    return NULL;
  unescape(field[4]);
  return field[4];
}

static void see_mount(Scan *s, pid_t pid, char *line) {
  int type;
  ino_t ino = 0;
  (void)pid;
  const char *path = scan_mount_point(line, &type, &ino);
  if (path == NULL || !scan_wanted(s, type))
    return;
  Entry *e = scan_find(s, type, ino);
  if (e == NULL || !scan_grow(s, &s->mounts, s->mount_count, &s->mount_room,
                              sizeof *s->mounts))
    return;
  int *link = &e->mount;
  for (; *link > 0; link = &s->mounts[*link - 1].next)
    if (strcmp(s->text + s->mounts[*link - 1].path, path) == 0)
      return; /* mounted over itself */
  s->mounts[s->mount_count] = (Mount){scan_keep(s, path, strlen(path)), 0};
  *link = ++s->mount_count;
}

bool scan_mountinfo(Scan *s, pid_t pid, scan_Line *see) {
  char buffer[LONGEST_LINE], path[PROCFS_PATH] = "self/mountinfo";
  size_t kept = 0;
  ssize_t n;
  if (pid > 0)
    procfs_path(path, pid, "mountinfo");
  int fd = openat(s->proc_fd, path, O_RDONLY | O_CLOEXEC);
  if (fd == -1)
    return false;
  while ((n = read(fd, buffer + kept, sizeof buffer - 1 - kept)) > 0) {
    char *line = buffer, *end;
    buffer[kept + (size_t)n] = '\0';
    while ((end = strchr(line, '\n')) != NULL) {
      *end = '\0';
      see(s, pid, line);
      line = end + 1;
    }
    kept = strlen(line);
    memmove(buffer, line, kept);
    if (kept == sizeof buffer - 1)
      kept = 0; /* a line longer than any path: not one of ours */
  }
  close(fd);
  return true;
}

/* -- the whole of it ------------------------------------------------------ */

static int by_number(const void *a, const void *b) {
  const Entry *x = a, *y = b;
  if (x->ino != y->ino)
    return x->ino < y->ino ? -1 : 1;
  return x->type - y->type;
}

static void ask_all(Scan *s) {
  for (int i = 0; i < s->count; i++)
    if (!s->entries[i].known)
      scan_ask(s, i);
}

static void look(Scan *s, procfs_Walk *walk, unsigned types) {
  s->looked_for = types;
  s->processes = s->hidden = 0;
  lseek(walk->h.fd, 0, SEEK_SET);
  for (pid_t pid; (pid = procfs_next(walk)) > 0;)
    see_process(s, pid);
  for (int i = 0; i < s->count; i++)
    s->entries[i].settled = true;
}

/* Forgets what was counted in namespaces whose process was lost; returns the
   types of these. */
static unsigned forget_lost(Scan *s) {
  unsigned types = 0;
  for (int i = 0; i < s->count; i++) {
    Entry *e = &s->entries[i];
    if (!e->lost)
      continue;
    types |= 1u << e->type;
    e->lost = e->known = e->settled = false;
    e->pid = e->nprocs = 0;
  }
  return types;
}

/* A process may end after it was counted and before it was asked. Who else is
   in its namespaces only another look can tell. */
static void look_again(Scan *s, procfs_Walk *walk) {
  unsigned types;
  s->again = true;
  for (int tries = 0; tries < 3 && (types = forget_lost(s)) != 0; tries++) {
    s->last = 0;
    look(s, walk, types);
    ask_all(s);
  }
}

/* A second walk: only now it is known which ones have no process. */
static void run_deep(Scan *s, procfs_Walk *walk) {
  struct stat st;
  if (fstatat(s->proc_fd, "self/ns/mnt", &st, 0) == 0) {
    s->nsfs_major = major(st.st_dev);
    s->nsfs_minor = minor(st.st_dev);
    scan_is_new_table(s, st.st_ino); /* its mounts were seen */
  }
  lseek(walk->h.fd, 0, SEEK_SET);
  for (pid_t pid; (pid = procfs_next(walk)) > 0;)
    scan_deep_process(s, pid);
  ask_all(s);
  scan_deep_kernel(s);
}

/* Leaves out those that ended with their last process during the scan. */
static void drop_ended(Scan *s) {
  int kept = 0;
  for (int i = 0; i < s->count; i++) {
    const Entry *e = &s->entries[i];
    if (e->nprocs > 0 || e->mount > 0 || e->by != 0)
      s->entries[kept++] = *e;
  }
  s->count = kept;
}

void scan_run(Scan *s, procfs_Walk *walk) {
  look(s, walk, s->types);
  s->unseen_mounts = !scan_mountinfo(s, 0, see_mount);
  ask_all(s);
  look_again(s, walk);
  if (s->deep)
    run_deep(s, walk);
  drop_ended(s);
  if (s->count > 0)
    qsort(s->entries, (size_t)s->count, sizeof *s->entries, by_number);
}
