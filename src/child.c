/* SPDX-License-Identifier: MIT
 *
 * child.c - the child's side of a plan. It may run in the parent's memory on
 * a small stack of its own (CLONE_VM), so it makes bare system calls only:
 * no libc, no errno, no allocation. What failed goes into the shared outcome.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "kernel.h"
#include "plan.h"
#include "raw.h"
#include "report.h"

_Noreturn void child_exit(int status) {
  for (;;)
    RAW1(SYS_exit_group, status);
}

static long length(const char *s) {
  long n = 0;
  while (s[n] != '\0')
    n++;
  return n;
}

static long write_file(const char *path, const char *text) {
  long fd = RAW4(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  if (fd < 0)
    return fd;
  long n = RAW3(SYS_write, fd, text, length(text));
  RAW1(SYS_close, fd);
  return n;
}

/* A file that is there is fine, a symbolic link is not. */
static long create_file(const char *path, long mode) {
  long result = RAW4(SYS_mknodat, AT_FDCWD, path, S_IFREG | mode, 0);
  if (result != E_EXIST)
    return result;
  long fd = RAW4(SYS_openat, AT_FDCWD, path,
                 O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd >= 0)
    RAW1(SYS_close, fd);
  return fd < 0 ? fd : 0;
}

static long make_directory(const char *path, long mode) {
  long result = RAW3(SYS_mkdirat, AT_FDCWD, path, mode);
  return result == E_EXIST ? 0 : result;
}

static long loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  long fd = RAW3(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return fd;
  long result = RAW3(SYS_ioctl, fd, SIOCSIFFLAGS, &request);
  RAW1(SYS_close, fd);
  return result;
}

/* The signal first, the look at the parent after: one of the two notices,
   whenever the parent dies. getppid would be 0 in a new pid namespace. */
long child_death_signal(int parent, long sig) {
  struct pollfd p = {parent, POLLIN, 0};
  struct timespec now = {0, 0};
  long result = RAW2(SYS_prctl, PR_SET_PDEATHSIG, sig);
  if (parent >= 0 && RAW5(SYS_ppoll, &p, 1, &now, 0, 8) == 1)
    child_exit(128 + SIGKILL);
  return result;
}

/* One byte from the parent says go; its end of the pipe closed says die. */
static long wait_go(const Plan *plan) {
  char go;
  RAW1(SYS_close, plan->channel_parent);
  if (RAW3(SYS_read, plan->channel, &go, 1) != 1)
    child_exit(128 + SIGKILL);
  return 0;
}

static long enter_time(void) {
  long fd = RAW4(SYS_openat, AT_FDCWD, "/proc/self/ns/time_for_children",
                 O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0)
    return fd;
  long result = RAW2(SYS_setns, fd, CLONE_NEWTIME);
  RAW1(SYS_close, fd);
  return result;
}

/* Out of reach for good: bounding set, then the sets in use, then ambient so
   that a program of an ordinary uid keeps what it was given. */
static long keep_capabilities(unsigned long keep) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
  long result = RAW2(SYS_capget, &header, data);
  if (result < 0)
    return result;
  for (int i = 0; i < 2; i++) /* a change of ids has emptied these */
    data[i].effective = data[i].permitted;
  result = RAW2(SYS_capset, &header, data);
  for (long cap = 0; cap < 64 && result == 0; cap++)
    if (!(keep >> cap & 1))
      result = RAW2(SYS_prctl, PR_CAPBSET_DROP, cap);
  if (result < 0 && result != E_INVAL) /* past the last one it knows */
    return result;
  for (int i = 0; i < 2; i++) {
    data[i].permitted &= (unsigned)(keep >> (32 * i));
    data[i].effective = data[i].permitted;
    data[i].inheritable = data[i].permitted;
  }
  result = RAW2(SYS_capset, &header, data);
  RAW5(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (long cap = 0; result == 0 && cap < 64; cap++)
    if (data[cap / 32].permitted >> (cap % 32) & 1)
      RAW5(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
  return result;
}

static long set_attributes(long fd, const char *path, long attributes) {
  struct {
    __u64 set, clear, propagation, userns;
  } attr = {(__u64)attributes, 0, 0, 0};
  return RAW5(SYS_mount_setattr, fd, path, AT_RECURSIVE | AT_EMPTY_PATH, &attr,
              sizeof attr);
}

/* Taken while the source can still be named, mounted once the new root is in
   place: no symbolic link of that root can lead the mount astray. */
static long open_tree_into_slot(Plan *plan, const Step *step) {
  long flags = 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC | AT_RECURSIVE;
  long fd = RAW3(SYS_open_tree, AT_FDCWD, step->s[0], flags);
  if (fd < 0)
    return fd;
  plan->slots[step->n[0]] = (int)fd;
  return step->n[1] ? set_attributes(fd, "", step->n[1]) : 0;
}

static long move_from_slot(const Plan *plan, const Step *step) {
  int fd = plan->slots[step->n[0]];
  long result = RAW5(SYS_move_mount, fd, "", AT_FDCWD, step->s[0],
                     4 /* MOVE_MOUNT_F_EMPTY_PATH */);
  RAW1(SYS_close, fd);
  return result;
}

/* What is still wanted from the old root is named from there. */
static long pivot_root(const char *new_root, const char *put_old) {
  long old = RAW4(SYS_openat, AT_FDCWD, "/",
                  O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (old < 0)
    return old;
  long result = RAW2(SYS_pivot_root, new_root, put_old);
  if (result == 0)
    result = RAW1(SYS_fchdir, old);
  RAW1(SYS_close, old);
  return result;
}

/* In a user namespace nobody makes devices (EPERM): then it is the one at the
   same place in the old root, where we are; none there, none here. */
static long make_node(const char *path, long mode, long device) {
  long result = RAW4(SYS_mknodat, AT_FDCWD, path, S_IFCHR | mode, device);
  if (result != E_PERM)
    return result;
  result = create_file(path, mode);
  if (result == 0)
    result = RAW5(SYS_mount, path + 1, path, 0, MS_BIND, 0);
  return result == E_NOENT ? RAW3(SYS_unlinkat, AT_FDCWD, path, 0) : result;
}

static long set_umask(Plan *plan, long mask) {
  plan->umask = (int)RAW1(SYS_umask, mask);
  return 0;
}

static long set_rlimit(const Step *step) {
  struct {
    __u64 soft, hard;
  } limit = {(__u64)step->n[1], (__u64)step->n[2]};
  return RAW4(SYS_prlimit64, 0, step->n[0], &limit, 0);
}

static long give_terminal(long fd) {
  int group = (int)RAW1(SYS_getpgid, 0);
  return RAW3(SYS_ioctl, fd, TIOCSPGRP, &group);
}

static long duplicate(long from, long to) {
  if (from == to)
    return RAW3(SYS_fcntl, from, F_SETFD, 0);
  return RAW3(SYS_dup3, from, to, 0);
}

/* -- exec ----------------------------------------------------------------- */

static long try_program(const Plan *plan, const char *file) {
  return RAW3(SYS_execve, file, plan->argv, plan->envp);
}

/* Puts "dir/name" into `file`; the directory ends at ':' or the end. */
static const char *next_candidate(const char *dirs, const char *name,
                                  char *file, long size) {
  long n = 0;
  while (*dirs != ':' && *dirs != '\0' && n < size - 2)
    file[n++] = *dirs++;
  while (*dirs != ':' && *dirs != '\0')
    dirs++;
  if (n == 0)
    file[n++] = '.';
  file[n++] = '/';
  while (*name != '\0' && n < size - 1)
    file[n++] = *name++;
  file[n] = '\0';
  return dirs;
}

/* execvp(3): a directory that cannot be looked into does not end the search,
   and "permission denied" is told only when nothing better was found. */
static long exec_program(const Plan *plan) {
  char file[4096];
  const char *name = plan->argv[0], *dirs = plan->path;
  long denied = 0, result = E_NOENT;
  if (name[0] == '\0')
    return E_NOENT;
  for (const char *c = name; *c != '\0'; c++)
    if (*c == '/')
      return try_program(plan, name);
  if (length(name) > 255)
    return E_NAMETOOLONG;
  for (;;) {
    dirs = next_candidate(dirs, name, file, sizeof file);
    result = try_program(plan, file);
    if (result == E_ACCES)
      denied = result;
    else if (result != E_NOENT && result != E_NOTDIR &&
             result != E_NAMETOOLONG)
      return result;
    if (*dirs == '\0')
      break;
    dirs++;
  }
  return denied < 0 ? denied : E_NOENT;
}

/* The image stands in a sealed memory file, so that nothing in the box can
   change it; the report pipe gets the number that the reaper expects. */
static long exec_reaper(const Plan *plan, long report) {
  long image = RAW3(SYS_fcntl, plan->image, F_DUPFD_CLOEXEC, 10);
  if (image < 0)
    return image;
  long result = duplicate(report, REPORT_FD);
  if (result < 0)
    return result;
  return RAW5(SYS_execveat, image, "", plan->argv, plan->envp, AT_EMPTY_PATH);
}

/* -- steps ---------------------------------------------------------------- */

static long mount_step(const Step *step) {
  return RAW5(SYS_mount, step->s[0], step->s[1], step->s[2], step->n[0],
              step->s[3]);
}

/* Steps about files and names; the rest is below. */
static long file_step(const Step *step) {
  const char *const *s = step->s;
  const long *n = step->n;
  switch (step->op) {
  case OP_CHDIR: return RAW1(SYS_chdir, s[0]);
  case OP_CHROOT: return RAW1(SYS_chroot, s[0]);
  case OP_CREAT: return create_file(s[0], n[0]);
  case OP_FCHDIR: return RAW1(SYS_fchdir, n[0]);
  case OP_MKDIR: return make_directory(s[0], n[0]);
  case OP_MOUNT: return mount_step(step);
  case OP_MOUNT_SETATTR: return set_attributes(AT_FDCWD, s[0], n[0]);
  case OP_NODE: return make_node(s[0], n[0], n[1]);
  case OP_PIVOT_ROOT: return pivot_root(s[0], s[1]);
  case OP_SETDOMAINNAME: return RAW2(SYS_setdomainname, s[0], length(s[0]));
  case OP_SETHOSTNAME: return RAW2(SYS_sethostname, s[0], length(s[0]));
  case OP_SYMLINK: return RAW3(SYS_symlinkat, s[0], AT_FDCWD, s[1]);
  case OP_UMOUNT: return RAW2(SYS_umount2, s[0], n[0]);
  case OP_WRITE: return write_file(s[0], s[1]);
  default: return E_NOSYS;
  }
}

static long do_step(Plan *plan, const Step *step) {
  const long *n = step->n;
  switch (step->op) {
  case OP_CAPS: return keep_capabilities((unsigned long)n[0]);
  case OP_CLOSE_OTHERS:
    return RAW3(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
  case OP_CTTY: return RAW3(SYS_ioctl, 0, TIOCSCTTY, 0);
  case OP_DEATHSIG: return child_death_signal(plan->parent, n[0]);
  case OP_DUP: return duplicate(n[0], n[1]);
  case OP_ENTER_TIME: return enter_time();
  case OP_EXEC: return exec_program(plan);
  case OP_EXEC_REAPER: return exec_reaper(plan, n[0]);
  case OP_FOREGROUND: return give_terminal(n[0]);
  case OP_LO_UP: return loopback_up();
  case OP_MOVE_MOUNT: return move_from_slot(plan, step);
  case OP_NET: return beside_join(plan->beside);
  case OP_OPEN_TREE: return open_tree_into_slot(plan, step);
  case OP_PRCTL: return RAW5(SYS_prctl, n[0], n[1], n[2], 0, 0);
  case OP_SETGROUPS: return RAW2(SYS_setgroups, n[0], step->data);
  case OP_SETPGID: return RAW2(SYS_setpgid, 0, 0);
  case OP_SETRESGID: return RAW3(SYS_setresgid, n[0], n[0], n[0]);
  case OP_SETRESUID: return RAW3(SYS_setresuid, n[0], n[0], n[0]);
  case OP_SETRLIMIT: return set_rlimit(step);
  case OP_SETSID: return RAW0(SYS_setsid);
  case OP_SIGNALS:
    return RAW4(SYS_rt_sigprocmask, SIG_SETMASK, step->data, 0, 8);
  case OP_UMASK: return set_umask(plan, n[0]);
  case OP_UMASK_BACK: return set_umask(plan, plan->umask);
  case OP_UNSHARE: return RAW1(SYS_unshare, n[0]);
  case OP_WAIT_GO: return wait_go(plan);
  default: return file_step(step);
  }
}

void child_work(Plan *plan) {
  for (int i = 0; i < plan->nsteps; i++) {
    long result = do_step(plan, &plan->steps[i]);
    if (result < 0) {
      plan->outcome->error = (int)-result;
      plan->outcome->step = i;
      child_exit(127);
    }
  }
}

void child_worker(void *arg) { child_work(arg); }
