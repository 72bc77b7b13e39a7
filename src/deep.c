/* SPDX-License-Identifier: MIT
 *
 * deep.c - namespaces that live without a process in them: held by a mount in
 * another mount namespace, by an open descriptor, by a thread that went its own
 * way, by what a process has chosen for its children, or by nothing that /proc
 * shows. namespaces(7), proc(5), NS_MNT_GET_NEXT(2const), listns(2).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel.h"
#include "scan.h"

/* -- numbered folders: PID/fd, PID/task ----------------------------------- */

typedef void Visit(Scan *s, pid_t pid, int number);

/* Calls visit for each number in PID/NAME; false when it may not be read. */
static bool each_number(Scan *s, pid_t pid, const char *name, Visit *visit) {
  char path[PROCFS_PATH], buffer[8192] __attribute__((aligned(8)));
  long n;
  procfs_path(path, pid, name);
  int fd = openat(s->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd == -1)
    return errno != EACCES;
  while ((n = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
    for (long at = 0; at < n;) {
      const struct dirent64 *entry = (const void *)(buffer + at);
      const char *digits = entry->d_name;
      at += entry->d_reclen;
      if (*digits >= '0' && *digits <= '9')
        visit(s, pid, (int)procfs_number(&digits));
    }
  close(fd);
  return true;
}

/* Reads the link PID/NAME as a namespace; -1: it is none. */
static int read_name(const Scan *s, const char *path, ino_t *ino) {
  char link[64];
  ssize_t n = readlinkat(s->proc_fd, path, link, sizeof link - 1);
  if (n <= 0)
    return -1;
  link[n] = '\0';
  return scan_parse(link, ino);
}

/* Notes who holds a namespace, and where it can be opened. */
static void hold(Scan *s, int type, ino_t ino, unsigned by, pid_t pid,
                 int number, const char *path) {
  Entry *e = scan_wanted(s, type) ? scan_find(s, type, ino) : NULL;
  if (e == NULL || e->nprocs > 0 || e->holder > 0)
    return;
  e->by |= by;
  e->holder = pid;
  e->holder_fd = number;
  e->path = scan_keep(s, path, strlen(path));
}

/* -- mounts of others ----------------------------------------------------- */

bool scan_is_new_table(Scan *s, ino_t ino) {
  for (int i = 0; i < s->table_count; i++)
    if (s->tables[i] == ino)
      return false;
  if (!scan_grow(s, &s->tables, s->table_count, &s->table_room,
                 sizeof *s->tables))
    return false;
  s->tables[s->table_count++] = ino;
  return true;
}

/* A namespace that is mounted where only that process and its like see it. */
static void see_their_mount(Scan *s, pid_t pid, char *line) {
  char path[PROCFS_PATH + PATH_MAX];
  int type;
  ino_t ino = 0;
  const char *point = scan_mount_point(line, &type, &ino);
  Entry *e = point != NULL && scan_wanted(s, type) ? scan_find(s, type, ino)
                                                   : NULL;
  if (e == NULL || e->nprocs > 0 || e->holder > 0 || e->mount > 0)
    return;
  int n = snprintf(path, sizeof path, "%d/root%s", (int)pid, point);
  e->by |= BY_MOUNT;
  e->holder = pid;
  e->path = scan_keep(s, path, (size_t)n < sizeof path ? (size_t)n : 0);
}

/* The mounts of each mount namespace are read once. */
static void see_their_mounts(Scan *s, pid_t pid) {
  char path[PROCFS_PATH];
  ino_t ino;
  procfs_path(path, pid, "ns/mnt");
  if (read_name(s, path, &ino) >= 0 && scan_is_new_table(s, ino))
    scan_mountinfo(s, pid, see_their_mount);
}

/* -- descriptors ---------------------------------------------------------- */

/* A namespace file that was opened by its mount point shows that path and not
   its name: then the device tells. No file system is asked for news. */
static int look_behind(const Scan *s, const char *path, ino_t *ino) {
  struct statx st;
  if (statx(s->proc_fd, path, AT_STATX_DONT_SYNC, STATX_INO, &st) == -1 ||
      st.stx_dev_major != s->nsfs_major || st.stx_dev_minor != s->nsfs_minor)
    return -1;
  int fd = openat(s->proc_fd, path, O_RDONLY | O_CLOEXEC);
  if (fd == -1)
    return -1;
  int type = scan_type(ioctl(fd, NS_GET_NSTYPE));
  close(fd);
  *ino = st.stx_ino;
  return type;
}

static void see_descriptor(Scan *s, pid_t pid, int number) {
  char path[PROCFS_PATH], link[64];
  ino_t ino = 0;
  snprintf(path, sizeof path, "%d/fd/%d", (int)pid, number);
  ssize_t n = readlinkat(s->proc_fd, path, link, sizeof link - 1);
  if (n <= 0)
    return;
  link[n] = '\0';
  int type = link[0] == '/' ? look_behind(s, path, &ino)
                            : scan_parse(link, &ino);
  if (type >= 0)
    hold(s, type, ino, BY_FD, pid, number, path);
}

/* -- threads and future children ------------------------------------------ */

static void see_thread(Scan *s, pid_t pid, int tid) {
  char path[PROCFS_PATH];
  ino_t ino;
  if (tid == pid)
    return;
  for (int i = 0; i < LIB_NSCOUNT; i++) {
    snprintf(path, sizeof path, "%d/task/%d/ns/%s", (int)pid, tid,
             lib_nsword(lib_nsflags[i]));
    if (scan_wanted(s, i) && read_name(s, path, &ino) == i)
      hold(s, i, ino, BY_THREAD, pid, tid, path);
  }
}

static void see_future(Scan *s, pid_t pid) {
  static const char *const links[] = {"ns/pid_for_children",
                                      "ns/time_for_children"};
  char path[PROCFS_PATH];
  ino_t ino;
  for (int i = 0; i < 2; i++) {
    procfs_path(path, pid, links[i]);
    int type = read_name(s, path, &ino);
    if (type >= 0)
      hold(s, type, ino, BY_FUTURE, pid, 0, path);
  }
}

/* After every process was counted: `hold` passes over what has processes. */
void scan_deep_process(Scan *s, pid_t pid) {
  see_their_mounts(s, pid);
  see_future(s, pid);
  each_number(s, pid, "task", see_thread);
  if (!each_number(s, pid, "fd", see_descriptor))
    s->hidden_fds++;
}

/* -- what only the kernel knows ------------------------------------------- */

/* Takes up the namespace behind a descriptor, which it closes. */
static void take(Scan *s, int fd, int type) {
  struct stat st;
  int before = s->count;
  if (fstat(fd, &st) == 0 && scan_wanted(s, type)) {
    Entry *e = scan_find(s, type, st.st_ino);
    if (e != NULL && s->count > before) {
      e->by |= BY_KERNEL;
      e->fd = fd;
      scan_ask(s, before);
      return;
    }
  }
  close(fd);
}

/* Every mount namespace of the system, one leading to the next. */
static void walk_mount_namespaces(Scan *s, unsigned long step) {
  int type = scan_type(CLONE_NEWNS);
  int fd = openat(s->proc_fd, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
  while (fd >= 0) {
    struct mnt_ns_info info = {.size = sizeof info};
    int next = ioctl(fd, step, &info);
    take(s, fd, type);
    fd = next;
  }
}

/* All namespaces that listns tells of; nothing on a kernel without it. */
static void list_by_id(Scan *s) {
  __u64 ids[128];
  struct ns_id_req request = {.size = sizeof request};
  long n;
  while ((n = syscall(SYS_listns, &request, ids, 128, 0)) > 0) {
    for (long i = 0; i < n; i++) {
      int fd = lib_open_handle(&(lib_Number){.id = ids[i]});
      if (fd >= 0)
        take(s, fd, scan_type(ioctl(fd, NS_GET_NSTYPE)));
    }
    request.ns_id = ids[n - 1];
  }
}

void scan_deep_kernel(Scan *s) {
  walk_mount_namespaces(s, NS_MNT_GET_NEXT);
  walk_mount_namespaces(s, NS_MNT_GET_PREV);
  list_by_id(s);
}
