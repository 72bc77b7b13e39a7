/* SPDX-License-Identifier: MIT
 *
 * ask.c - what a scan asks once for each namespace: which process it is known
 * by, who owns it, which one bore it. A pidfd answers for a process and leads
 * to its namespaces without a walk through /proc; older kernels, and the
 * procfs of another pid namespace, are asked by path. ioctl_nsfs(2),
 * pidfd_open(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"
#include "netid.h"
#include "scan.h"

/* -- the process that a namespace is known by ----------------------------- */

/* Its parent and user, from the pidfd; false: the kernel does not say. */
static bool ask_pidfd(Scan *s) {
  pidfd_Info info = {.mask = PIDFD_INFO_PID | PIDFD_INFO_CREDS};
  if (s->last_fd == -1 || ioctl(s->last_fd, PIDFD_GET_INFO, &info) == -1 ||
      !(info.mask & PIDFD_INFO_CREDS))
    return false;
  s->last_ppid = (pid_t)info.ppid;
  s->last_uid = info.euid;
  return true;
}

/* The same from /proc. */
static void ask_procfs(Scan *s) {
  char path[PROCFS_PATH];
  struct stat st;
  procfs_Stat stat;
  procfs_path(path, s->last, "")[-1] = '\0';
  s->last_uid = fstatat(s->proc_fd, path, &st, 0) == 0 ? st.st_uid : (uid_t)-1;
  s->last_ppid = procfs_stat(s->proc_fd, s->last, &stat) ? stat.ppid : -1;
}

/* Command line, parent, user. One process stands for most of its namespaces,
   so it is asked once. */
static void ask_process(Scan *s, Entry *e) {
  char args[4096];
  if (e->pid == 0)
    return;
  if (s->last != e->pid) {
    if (s->last_fd >= 0)
      close(s->last_fd);
    s->last = e->pid;
    s->last_fd =
      s->foreign ? -1 : (int)syscall(SYS_pidfd_open, e->pid, 0);
    if (!ask_pidfd(s))
      ask_procfs(s);
    s->last_command = scan_keep(
      s, args, procfs_args(s->proc_fd, e->pid, false, args, sizeof args));
  }
  e->lost = s->last_ppid == -1;
  e->ppid = s->last_ppid;
  e->uid = s->last_uid;
  e->command = s->last_command;
}

/* -- the namespace itself ------------------------------------------------- */

/* A namespace of the process that was asked last. */
static int open_by_process(Scan *s, const Entry *e) {
  char path[PROCFS_PATH];
  int flag = lib_nsflags[e->type];
  int fd = s->last == e->pid ? lib_nsofpidfd(s->last_fd, e->type) : -1;
  if (fd >= 0)
    return fd;
  stpcpy(procfs_path(path, e->pid, "ns/"), lib_nsword(flag));
  return openat(s->proc_fd, path, O_RDONLY | O_CLOEXEC);
}

/* Is this the one? Its process may be gone and its number another's, and
   another mount may cover it. */
static int checked(int fd, ino_t wanted) {
  struct stat st;
  if (fd == -1 || (fstat(fd, &st) == 0 && st.st_ino == wanted))
    return fd;
  close(fd);
  return -1;
}

/* A descriptor of the namespace, wherever it can be had; -1: nowhere. */
static int open_entry(Scan *s, Entry *e) {
  int fd = checked(e->fd, e->ino);
  e->fd = -1;
  if (fd == -1 && e->pid > 0) {
    fd = checked(open_by_process(s, e), e->ino);
    e->lost = e->lost || fd == -1;
  }
  if (fd == -1 && e->mount > 0)
    fd = checked(open(s->text + s->mounts[e->mount - 1].path,
                      O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC),
                 e->ino);
  if (fd == -1 && e->path > 0)
    fd = checked(openat(s->proc_fd, s->text + e->path, O_RDONLY | O_CLOEXEC),
                 e->ino);
  return fd;
}

/* The namespace that `request` leads to: its number, 0 when the kernel does
   not say. One that nothing else was seen to keep is taken up, too. */
static ino_t follow(Scan *s, int fd, unsigned long request, int type) {
  struct stat st;
  int other = ioctl(fd, request);
  if (other == -1)
    return 0;
  bool readable = fstat(other, &st) == 0;
  if (!readable || !scan_wanted(s, type)) {
    close(other);
    return readable ? st.st_ino : 0;
  }
  int before = s->count;
  Entry *e = scan_find(s, type, st.st_ino);
  if (e != NULL)
    e->by |= BY_CHILD;
  if (e == NULL || s->count == before) {
    close(other);
  } else {
    e->fd = other;
    scan_ask(s, before);
  }
  return st.st_ino;
}

static uint64_t ask_id(int fd, int type) {
  uint64_t id = 0;
  if (ioctl(fd, NS_GET_ID, &id) == 0)
    return id;
  if (lib_nsflags[type] == CLONE_NEWNS && ioctl(fd, NS_GET_MNTNS_ID, &id) == 0)
    return id;
  return 0;
}

void scan_ask(Scan *s, int index) {
  Entry *e = &s->entries[index];
  int flag = lib_nsflags[e->type], user = scan_type(CLONE_NEWUSER);
  e->known = true;
  ask_process(s, e);
  int fd = open_entry(s, e);
  if (fd == -1)
    return;
  e->id = ask_id(fd, e->type);
  if (flag == CLONE_NEWUSER && ioctl(fd, NS_GET_OWNER_UID, &e->owner_uid) < 0)
    e->owner_uid = (uid_t)-1;
  if (flag == CLONE_NEWNET)
    e->netnsid = netid_ask(&s->netlink_fd, fd);
  ino_t owner = follow(s, fd, NS_GET_USERNS, user);
  ino_t parent = flag == CLONE_NEWUSER  ? owner
                 : flag == CLONE_NEWPID ? follow(s, fd, NS_GET_PARENT, e->type)
                                        : 0;
  e = &s->entries[index]; /* the array may have moved */
  e->owner = owner;
  e->parent = parent;
  close(fd);
}
