/* SPDX-License-Identifier: MIT
 *
 * boxed.c - what a container in a root costs in C: boxed ROOT PROGRAM makes the
 * calls that ns.run makes for root=, /dev and a host name, and nothing else.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(long result, const char *call) {
  if (result == -1) {
    perror(call);
    _exit(127);
  }
}

static void make_dev(void) {
  static const struct {
    const char *path;
    int major, minor;
  } nodes[] = {
    {"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
    {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
  };
  static const char *const links[][2] = {
    {"/proc/self/fd", "/dev/fd"}, {"fd/0", "/dev/stdin"},
    {"fd/1", "/dev/stdout"},      {"fd/2", "/dev/stderr"},
    {"pts/ptmx", "/dev/ptmx"},
  };
  mkdir("/dev", 0755);
  check(mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_STRICTATIME,
              "mode=755"), "mount /dev");
  check(mkdir("/dev/pts", 0755), "mkdir");
  check(mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
              "newinstance,ptmxmode=0666,mode=620"), "mount /dev/pts");
  mode_t mask = umask(0);
  check(mkdir("/dev/shm", 01777), "mkdir");
  for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
    check(mknod(nodes[i].path, S_IFCHR | 0666,
                makedev(nodes[i].major, nodes[i].minor)), "mknod");
  umask(mask);
  for (size_t i = 0; i < sizeof links / sizeof *links; i++)
    check(symlink(links[i][0], links[i][1]), "symlink");
}

_Noreturn static void enter(const char *root, char **argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  check(sethostname("box", 3), "sethostname");
  check(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount /");
  check(mount(root, root, NULL, MS_BIND | MS_REC, NULL), "mount the root");
  check(chdir(root), "chdir");
  check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
  make_dev();
  mkdir("/proc", 0755);
  check(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL),
        "mount /proc");
  check(umount2(".", MNT_DETACH), "umount2");
  check(chdir("/"), "chdir");
  execv(argv[0], argv);
  check(-1, argv[0]);
  _exit(127);
}

int main(int argc, char **argv) {
  int status, types = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
                      CLONE_NEWNET | CLONE_NEWCGROUP;
  if (argc < 3)
    return EXIT_FAILURE;
  long pid = syscall(SYS_clone, CLONE_VFORK | types | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0)
    enter(argv[1], argv + 2);
  check(pid, "clone");
  check(waitpid((pid_t)pid, &status, 0), "waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
