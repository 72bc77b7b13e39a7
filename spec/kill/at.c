/* SPDX-License-Identifier: MIT */
/* at GENERATION STOP PROGRAM [ARG...]: runs a program and kills one process of
 * it at its system call: 0 is the program itself, 1 its first child, 2 the
 * first child of that. STOP counts from 1; an odd one is before a call, an even
 * one after it. Says "killed CALL" at that moment, or "ended STOPS" when the
 * process ended before. ptrace(2), wait(2). */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIRTHS (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)

static pid_t victim;      /* or the one of its line that is there already */
static pid_t early;       /* a child that stopped before its birth was told */
static int generations;   /* until the victim is born */
static long stops, wanted;

static void say(const char *word, long number) {
  printf("%s %ld\n", word, number);
  fflush(stdout);
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void watch(pid_t pid) {
  victim = pid;
  long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC;
  if (generations > 0) options |= BIRTHS;
  if (ptrace(PTRACE_SETOPTIONS, pid, 0, options) != 0 && errno != ESRCH)
    fail("ptrace");
}

static void go_on(pid_t pid, int signal_number) {
  ptrace(generations > 0 ? PTRACE_CONT : PTRACE_SYSCALL, pid, 0,
         signal_number);
}

/* A child of the victim's line is born: the next one to watch. It stops by
   itself at once, and is waited for here, as its parent would run meanwhile. */
static void descend(pid_t parent) {
  unsigned long child;
  ptrace(PTRACE_GETEVENTMSG, parent, 0, &child);
  if (early != (pid_t)child) waitpid((pid_t)child, NULL, __WALL);
  generations--;
  watch((pid_t)child);
  ptrace(PTRACE_DETACH, parent, 0, 0);
  go_on((pid_t)child, 0);
}

static long call_number(pid_t pid) {
  struct __ptrace_syscall_info info;
  if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0) return -1;
  return info.op == PTRACE_SYSCALL_INFO_ENTRY ? (long)info.entry.nr : -1;
}

static void at_call(pid_t pid) {
  if (++stops != wanted) {
    go_on(pid, 0);
    return;
  }
  say("killed", call_number(pid));
  kill(pid, SIGKILL);
}

static void stopped(pid_t pid, int status) {
  int event = status >> 16, signal_number = WSTOPSIG(status);
  if (pid != victim && generations > 0) {
    early = pid;
  } else if (pid != victim) {
    ptrace(PTRACE_DETACH, pid, 0, 0);
  } else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
             event == PTRACE_EVENT_CLONE) {
    descend(pid);
  } else if (signal_number == (SIGTRAP | 0x80)) {
    at_call(pid);
  } else {
    go_on(pid, event != 0 ? 0 : signal_number);
  }
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  generations = atoi(argv[1]);
  wanted = atol(argv[2]);
  pid_t program = fork();
  if (program == 0) {
    if (!freopen("/dev/null", "w", stdout)) _exit(127);
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    execvp(argv[3], argv + 3);
    _exit(127);
  }
  int status;
  waitpid(program, &status, 0);
  watch(program);
  go_on(program, 0);
  pid_t pid;
  while ((pid = waitpid(-1, &status, __WALL)) > 0) {
    if (WIFSTOPPED(status)) {
      stopped(pid, status);
    } else if (pid == victim && stops < wanted) {
      say("ended", stops);
      wanted = 0;
    }
  }
  return 0;
}
