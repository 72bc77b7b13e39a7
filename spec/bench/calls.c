/* SPDX-License-Identifier: MIT
 *
 * calls.c - bare system calls in a loop, the peer of calls.lua: for each line
 * it reads it makes argv[2] calls of argv[1], and answers with a line.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static int do_getpid(void) { return getpid() > 0 ? 0 : -1; }

static int do_sethostname(void) { return sethostname("bench", 5); }

static int do_unshare(void) { return unshare(CLONE_NEWUTS); }

static int do_propagate(void) {
  return mount(NULL, "/", NULL, MS_PRIVATE, NULL);
}

static int do_bind(void) {
  if (mount("/tmp", "/tmp", NULL, MS_BIND, NULL) != 0)
    return -1;
  return umount2("/tmp", MNT_DETACH);
}

static const struct {
  const char *name;
  int (*call)(void);
} calls[] = {
  {"getpid", do_getpid},       {"sethostname", do_sethostname},
  {"unshare", do_unshare},     {"propagate", do_propagate},
  {"bind", do_bind},
};

static void leave_host(void) {
  int types = CLONE_NEWUTS | CLONE_NEWNS;
  if (geteuid() != 0)
    types |= CLONE_NEWUSER;
  if (unshare(types) != 0 ||
      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
    perror("calls: unshare");
    exit(EXIT_FAILURE);
  }
}

int main(int argc, char **argv) {
  char line[64];
  int (*call)(void) = NULL;
  for (size_t i = 0; argc > 2 && i < sizeof calls / sizeof *calls; i++)
    if (strcmp(argv[1], calls[i].name) == 0)
      call = calls[i].call;
  if (call == NULL)
    return EXIT_FAILURE;
  leave_host();
  while (fgets(line, sizeof line, stdin) != NULL) {
    for (long n = atol(argv[2]); n > 0; n--)
      if (call() != 0) {
        perror(argv[1]);
        return EXIT_FAILURE;
      }
    puts("");
    fflush(stdout);
  }
  return EXIT_SUCCESS;
}
