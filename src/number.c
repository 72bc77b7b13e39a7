/* SPDX-License-Identifier: MIT
 *
 * number.c - a namespace by its number: by the inode that people read in
 * /proc/PID/ns and lsns, or by the 64-bit id that is never used again.
 * namespaces(7), open_by_handle_at(2), NS_GET_ID(2const).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"

/* A namespace file as a file handle: the kernel opens it if it lives, whoever
   is in it. All three numbers from Linux 6.18 on, the id alone from 6.19. */
int lib_open_handle(const lib_Number *wanted) {
  struct {
    struct file_handle head;
    struct {
      __u64 id;
      __u32 type, ino;
    } body;
  } handle = {.head = {.handle_bytes = 16, .handle_type = FILEID_NSFS}};
  char *body = (char *)&handle + sizeof handle.head; /* 8 bytes: not aligned */
  __u32 rest[2] = {(__u32)wanted->type, (__u32)wanted->inode};
  memcpy(body, &wanted->id, sizeof wanted->id);
  memcpy(body + sizeof wanted->id, rest, sizeof rest);
  return open_by_handle_at(FD_NSFS_ROOT, &handle.head, O_RDONLY | O_CLOEXEC);
}

/* -- through the processes that are in it --------------------------------- */

/* Does the link show this inode? */
static bool has_inode(const char *path, const char *type, uint64_t inode) {
  char target[64], wanted[64];
  ssize_t n = readlink(path, target, sizeof target - 1);
  snprintf(wanted, sizeof wanted, "%s:[%llu]", type, (unsigned long long)inode);
  if (n <= 0)
    return false;
  target[n] = '\0';
  return strcmp(target, wanted) == 0;
}

static bool has_id(int fd, uint64_t wanted) {
  __u64 id = 0;
  return (ioctl(fd, NS_GET_ID, &id) == 0 ||
          ioctl(fd, NS_GET_MNTNS_ID, &id) == 0) && id == wanted;
}

/* Looks at the namespaces of one process. */
static int open_if_in(const char *pid, const lib_Number *wanted) {
  char path[64];
  for (int i = 0; i < LIB_NSCOUNT; i++) {
    if (wanted->type != 0 && wanted->type != lib_nsflags[i])
      continue;
    snprintf(path, sizeof path, "/proc/%.20s/ns/%s", pid, lib_nstypes[i].word);
    if (wanted->inode != 0 &&
        !has_inode(path, lib_nstypes[i].word, wanted->inode))
      continue;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && (wanted->id == 0 || has_id(fd, wanted->id)))
      return fd;
    if (fd >= 0)
      close(fd);
  }
  return -1;
}

static int open_by_processes(const lib_Number *wanted) {
  struct dirent *entry;
  int fd = open_if_in("thread-self", wanted);
  DIR *proc = fd >= 0 ? NULL : opendir("/proc");
  if (proc == NULL)
    return fd;
  while (fd == -1 && (entry = readdir(proc)) != NULL)
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
      fd = open_if_in(entry->d_name, wanted);
  closedir(proc);
  if (fd == -1)
    errno = ENOENT;
  return fd;
}

int lib_open_number(const lib_Number *wanted) {
  int fd = wanted->id == 0 ? -1 : lib_open_handle(wanted);
  return fd >= 0 ? fd : open_by_processes(wanted);
}
