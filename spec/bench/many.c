/* SPDX-License-Identifier: MIT
 *
 * many.c - a world of sleeping processes for a benchmark to look at:
 *
 *     many READY PROCESSES NAMESPACES
 *
 * In a pid and mount namespace with a /proc of its own; the first NAMESPACES
 * of them have mnt, uts, ipc, net and cgroup namespaces of their own. When all
 * are there, READY holds the pid of the first one. It ends with its standard
 * input.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OWN = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
             CLONE_NEWCGROUP };

_Noreturn static void fail(const char *what) {
  perror(what);
  exit(EXIT_FAILURE);
}

/* PID 1 of the world: makes the others, then sleeps as they do. */
_Noreturn static void populate(int processes, int namespaces, int report) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
      mount("proc", "/proc", "proc", 0, NULL) == -1)
    fail("mount");
  for (int i = 1; i < processes; i++) {
    pid_t pid = fork();
    if (pid == -1)
      fail("fork");
    if (pid != 0)
      continue;
    if (i <= namespaces && unshare(OWN) == -1)
      fail("unshare");
    if (write(report, "x", 1) != 1)
      _exit(EXIT_FAILURE);
    close(report);
    for (;;)
      pause();
  }
  close(report);
  for (;;)
    pause();
}

/* Waits until all but PID 1 have reported. */
static void wait_for_all(int fd, int processes) {
  char buffer[4096];
  ssize_t n;
  int seen = 1;
  while (seen < processes && (n = read(fd, buffer, sizeof buffer)) > 0)
    seen += (int)n;
  if (seen < processes)
    fail("a process is missing");
}

static void tell(const char *path, pid_t pid) {
  FILE *f = fopen(path, "w");
  if (f == NULL || fprintf(f, "%d\n", (int)pid) < 0 || fclose(f) != 0)
    fail(path);
}

int main(int argc, char **argv) {
  int ends[2], user = geteuid() == 0 ? 0 : CLONE_NEWUSER;
  if (argc != 4 || pipe(ends) == -1)
    fail("many READY PROCESSES NAMESPACES");
  int processes = atoi(argv[2]);
  if (unshare(CLONE_NEWPID | CLONE_NEWNS | user) == -1)
    fail("unshare");
  pid_t pid = fork();
  if (pid == -1)
    fail("fork");
  if (pid == 0) {
    close(ends[0]);
    populate(processes, atoi(argv[3]), ends[1]);
  }
  close(ends[1]);
  wait_for_all(ends[0], processes);
  tell(argv[1], pid);
  while (getchar() != EOF)
    continue;
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  return EXIT_SUCCESS;
}
