/* SPDX-License-Identifier: MIT
 *
 * procfs.h - walking /proc with few system calls: entries in large gulps,
 * paths built in place, small files in one read. Shared by scan.c and ps.c.
 */
#ifndef NSLUA_PROCFS_H
#define NSLUA_PROCFS_H

#include "lib.h"

/* A walk over the numbers in /proc. It lives in a userdata whose first part
   is the handle, so that a Lua error closes the directory. */
typedef struct procfs_Walk {
  lib_Fd h; /* the directory */
  long length, at;
  char entries[128 * 1024];
} procfs_Walk;

/* Pushes a walk over the procfs at `path`; raises what openat raises. */
procfs_Walk *procfs_newwalk(lua_State *L, const char *path);
/* The next pid, in ascending order; 0 at the end, -1 with errno. */
pid_t procfs_next(procfs_Walk *walk);
/* Is this the procfs of another pid namespace than the caller's? */
bool procfs_foreign(const procfs_Walk *walk);
/* Raises ESRCH if it is: its numbers would mean other processes to us. */
void procfs_checkours(lua_State *L, const procfs_Walk *walk);

/* A path below /proc: "4294967295/ns/" and a short name fit. */
#define PROCFS_PATH 64
/* Writes "PID/NAME" and returns where NAME ends. */
char *procfs_path(char *path, pid_t pid, const char *name);
/* Reads PID/NAME; -1 with errno. The buffer is ended with a NUL. */
ssize_t procfs_read(int proc_fd, pid_t pid, const char *name, char *buffer,
                    size_t size);
/* The number in a link such as "uts:[4026531838]", 0 with errno. */
ino_t procfs_inode(int proc_fd, const char *path);
/* A decimal number at *s, which moves behind it. */
unsigned long procfs_number(const char **s);

typedef struct procfs_Stat {
  char state;
  pid_t ppid, pgid, sid;
  int tty;
  char comm[64]; /* kernel threads have longer names than 15 bytes */
} procfs_Stat;

bool procfs_stat(int proc_fd, pid_t pid, procfs_Stat *stat);
/* The command line with spaces between the words, or the name for one that
   has none, `marked` as ps does: "[kthreadd]"; returns its length, 0 when the
   process is gone. */
size_t procfs_args(int proc_fd, pid_t pid, bool marked, char *buffer,
                   size_t size);

/* Pushes the name of a user, or the number; `cache` is a table. */
void procfs_pushuser(lua_State *L, int cache, uid_t uid);

#endif
