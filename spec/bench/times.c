/* SPDX-License-Identifier: MIT
 *
 * times.c - runs commands in rounds (A B C, C A B, ...) and prints what each
 * run took, so that a drift of the machine falls on all of them alike. Each
 * round has an order of its own unless ORDER is "given": the kernel takes
 * namespaces apart after their command has ended, and nobody is to follow the
 * same predecessor each time.
 *
 *     times ROUNDS WARMUP any|given BETWEEN COMMAND... [-- COMMAND...]...
 *
 * BETWEEN is for the shell and runs before each run, untimed; "" is none.
 * A command is started anew in each round and timed from vfork to its end. One
 * that begins with "@" is started once and asked: it gets a line on its
 * standard input for each round, and the time is until its answering line.
 * Output: "INDEX NANOSECONDS" for each timed run, "INDEX rss KIB" at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 32 };

typedef struct Command {
  char **argv;
  int asked;      /* a process that answers, instead of one a round */
  pid_t pid;
  int to, from;   /* our ends of its pipes */
  long rss;
} Command;

extern char **environ;

_Noreturn static void fail(const char *what, const char *why) {
  fprintf(stderr, "times: %s: %s\n", what, why);
  exit(EXIT_FAILURE);
}

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static pid_t start(char **argv, int in, int out) {
  pid_t pid;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  int error_number =
      posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error_number != 0)
    fail(argv[0], strerror(error_number));
  return pid;
}

static void finish(Command *c, pid_t pid) {
  int status;
  struct rusage usage;
  if (wait4(pid, &status, 0, &usage) != pid)
    fail("wait4", strerror(errno));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    for (char **arg = c->argv; *arg != NULL; arg++)
      fprintf(stderr, "%s ", *arg);
    fail("it did not end well", WIFEXITED(status) ? "exit" : "signal");
  }
  if (usage.ru_maxrss > c->rss)
    c->rss = usage.ru_maxrss;
}

static void start_asked(Command *c) {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
    fail("pipe2", strerror(errno));
  c->pid = start(c->argv, in[0], out[1]);
  close(in[0]);
  close(out[1]);
  c->to = in[1];
  c->from = out[0];
}

static void ask(Command *c) {
  char answer[2];
  if (write(c->to, "\n", 1) != 1 || read(c->from, answer, 2) != 1)
    fail(c->argv[0], "no answer");
}

static long long run(Command *c, int null) {
  long long before = now();
  if (c->asked)
    ask(c);
  else
    finish(c, start(c->argv, null, null));
  return now() - before;
}

static int parse(Command *commands, char **argv) {
  int n = 0;
  while (*argv != NULL && n < MOST) {
    Command *c = &commands[n++];
    c->asked = strcmp(*argv, "@") == 0;
    argv += c->asked;
    c->argv = argv;
    while (*argv != NULL && strcmp(*argv, "--") != 0)
      argv++;
    if (*argv != NULL)
      *argv++ = NULL;
  }
  return n;
}

/* The same orders in each run: a generator with a fixed start. */
static void shuffle(int *order, int n) {
  static unsigned long long state = 1;
  for (int i = n - 1; i > 0; i--) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    int j = (int)((state >> 33) % (unsigned)(i + 1)), other = order[j];
    order[j] = order[i];
    order[i] = other;
  }
}

int main(int argc, char **argv) {
  int order[MOST];
  static Command commands[MOST];
  if (argc < 6)
    fail("usage",
         "times ROUNDS WARMUP any|given BETWEEN [@] COMMAND... [-- ...]...");
  long rounds = strtol(argv[1], NULL, 10), warmup = strtol(argv[2], NULL, 10);
  int given = strcmp(argv[3], "given") == 0;
  int n = parse(commands, argv + 5);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int i = 0; i < n; i++)
    if (commands[i].asked)
      start_asked(&commands[i]);
  for (int i = 0; i < n; i++)
    order[i] = i;
  for (long round = -warmup; round < rounds; round++) {
    if (!given)
      shuffle(order, n);
    for (int i = 0; i < n; i++) {
      if (argv[4][0] != '\0' && system(argv[4]) != 0)
        fail(argv[4], "it did not end well");
      long long took = run(&commands[order[i]], null);
      if (round >= 0)
        printf("%d %lld\n", order[i] + 1, took);
    }
  }
  for (int i = 0; i < n; i++) {
    if (commands[i].asked) {
      close(commands[i].to);
      finish(&commands[i], commands[i].pid);
    }
    printf("%d rss %ld\n", i + 1, commands[i].rss);
  }
  return EXIT_SUCCESS;
}
