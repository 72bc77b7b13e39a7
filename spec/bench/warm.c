/* SPDX-License-Identifier: MIT
 *
 * warm.c - the peer of a running script that starts programs in namespaces: a
 * C loop that makes the same system calls. For each line it reads it starts
 * argv[2] in seven new namespaces, argv[1] times, and answers with a line.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char stack[64 * 1024] __attribute__((aligned(16)));
static char map[2][32]; /* gid, uid */
static char **program;

static int put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd == -1)
    return -1;
  ssize_t n = write(fd, text, strlen(text));
  close(fd);
  return n < 0 ? -1 : 0;
}

/* The child, in the parent's memory until it execs. */
static int child(void *old_mask) {
  if (put("/proc/self/setgroups", "deny") != 0 ||
      put("/proc/self/gid_map", map[0]) != 0 ||
      put("/proc/self/uid_map", map[1]) != 0 ||
      mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
    _exit(1);
  syscall(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
  sigprocmask(SIG_SETMASK, old_mask, NULL);
  execv(program[0], program);
  _exit(1);
}

static void start_one(void) {
  enum {
    FLAGS = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_NEWUSER |
            CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
            CLONE_NEWNET | CLONE_NEWCGROUP | SIGCHLD
  };
  int pidfd = -1;
  sigset_t all, old;
  siginfo_t info = {0};
  sigfillset(&all);
  prctl(PR_GET_DUMPABLE);
  sigprocmask(SIG_BLOCK, &all, &old);
  pid_t pid = clone(child, stack + sizeof stack, FLAGS, &old, &pidfd);
  prctl(PR_GET_DUMPABLE);
  sigprocmask(SIG_SETMASK, &old, NULL);
  if (pid == -1) {
    perror("warm: clone");
    exit(EXIT_FAILURE);
  }
  struct pollfd ready = {pidfd, POLLIN, 0};
  poll(&ready, 1, -1);
  if (waitid(P_PID, (id_t)pid, &info, WEXITED) != 0 || info.si_status != 0) {
    fprintf(stderr, "warm: the child failed\n");
    exit(EXIT_FAILURE);
  }
  close(pidfd);
}

int main(int argc, char **argv) {
  char line[64];
  if (argc < 3)
    return EXIT_FAILURE;
  program = argv + 2;
  snprintf(map[0], sizeof map[0], "0 %u 1\n", getegid());
  snprintf(map[1], sizeof map[1], "0 %u 1\n", geteuid());
  while (fgets(line, sizeof line, stdin) != NULL) {
    for (int i = atoi(argv[1]); i > 0; i--)
      start_one();
    puts("");
    fflush(stdout);
  }
  return EXIT_SUCCESS;
}
