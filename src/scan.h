/* SPDX-License-Identifier: MIT
 *
 * scan.h - what a pass over the system collects. Shared by scan.c, which sees
 * processes and mounts, deep.c, which sees the rest, and rows.c.
 */
#ifndef NSLUA_SCAN_H
#define NSLUA_SCAN_H

#include "procfs.h"

/* What was seen to keep a namespace alive, beside its processes. */
enum { BY_CHILD = 1, BY_FD = 2, BY_FUTURE = 4, BY_THREAD = 8, BY_KERNEL = 16,
       BY_MOUNT = 32 };

typedef struct Entry {
  ino_t ino, owner, parent;
  uint64_t id;
  int type; /* index into lib_nstypes */
  int nprocs;
  pid_t pid, ppid; /* the lowest pid in it, 0: no process */
  uid_t uid, owner_uid;
  int netnsid; /* -1: none, -2: not known */
  unsigned by;
  pid_t holder; /* a process with a descriptor or a link to it */
  int holder_fd;
  size_t path, command; /* texts; 0 is none */
  int mount; /* number of its first mount + 1 */
  int fd;
  bool known;
  bool lost;    /* the process was gone before it was asked */
  bool settled; /* counted by an earlier look */
} Entry;

typedef struct Mount {
  size_t path;
  int next; /* number of the next mount of the same namespace + 1 */
} Mount;

typedef struct Scan {
  Entry *entries;
  int count, room;
  int *slots; /* open hash: number of the entry + 1, 0 is free */
  unsigned mask;
  char *text; /* all strings, one after the other; text[0] is 0 */
  size_t text_length, text_room;
  Mount *mounts;
  int mount_count, mount_room;
  int proc_fd, netlink_fd;
  unsigned types; /* a bit for each type wanted */
  unsigned looked_for; /* the same for the look that is under way */
  bool again;          /* it is not the first one */
  bool deep, failed;
  bool foreign; /* this /proc's pids are not the caller's */
  bool unseen_mounts; /* and it does not show the caller's mounts */
  int processes, hidden, hidden_fds;
  pid_t last; /* the process whose particulars are these: */
  int last_fd; /* its pidfd, -1: none */
  pid_t last_ppid;
  uid_t last_uid;
  size_t last_command;
  unsigned nsfs_major, nsfs_minor; /* the device of namespace files */
  ino_t *tables; /* mount namespaces whose mounts were seen */
  int table_count, table_room;
} Scan;

/* Pushes an empty scan; what it holds is freed with it. */
Scan *scan_new(lua_State *L);
/* Fills it; `failed` tells that memory was short. */
void scan_run(Scan *s, procfs_Walk *walk);

/* The entry of a namespace, made when it is new; NULL: no memory. */
Entry *scan_find(Scan *s, int type, ino_t ino);
/* "uts:[4026531838]" -> its type and number; -1: it is no namespace. */
int scan_parse(const char *name, ino_t *ino);
/* Index of a CLONE_NEW* bit in lib_nstypes, -1: none. */
int scan_type(int flag);
bool scan_wanted(const Scan *s, int type);
/* Room for one more of an array that doubles; false when memory is out. */
bool scan_grow(Scan *s, void *array, int count, int *room, size_t size);
/* Calls see(s, pid, line) for each line of PID/mountinfo, of self's for 0;
   false when it cannot be read. */
typedef void scan_Line(Scan *s, pid_t pid, char *line);
bool scan_mountinfo(Scan *s, pid_t pid, scan_Line *see);
/* The mount point in a line of mountinfo, NULL when no namespace is mounted
   there; *type and *ino tell which. */
char *scan_mount_point(char *line, int *type, ino_t *ino);
/* True the first time that it is told of this mount namespace. */
bool scan_is_new_table(Scan *s, ino_t ino);
/* Keeps a string; returns where it begins, 0 for none. */
size_t scan_keep(Scan *s, const char *text, size_t length);
/* Asks for the particulars of an entry, once. */
void scan_ask(Scan *s, int index);
/* Descriptors, threads, future children of a process. */
void scan_deep_process(Scan *s, pid_t pid);
/* Namespaces that only the kernel knows of. */
void scan_deep_kernel(Scan *s);

#endif
