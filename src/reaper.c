/* SPDX-License-Identifier: MIT
 *
 * reaper.c - PID 1 of a box: a static program without libc that starts one
 * program (or none), collects orphans, passes signals on, and ends when the
 * program ends. Because it is not a forked Lua, no page of the host's heap
 * can be read in the box. pid_namespaces(7), signal(7).
 *
 * argv[0] is a name for ps, argv[1] the program; what becomes of it is
 * reported on descriptor REPORT_FD (report.h).
 */
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

#include "raw.h"
#include "report.h"

typedef unsigned long Mask; /* the kernel's sigset: 64 bits */

#define BIT(sig) (1UL << ((sig)-1))

static void report(int kind, int value) {
  Report r = {kind, value};
  RAW3(SYS_write, REPORT_FD, &r, sizeof r);
}

static void leave(int status) {
  for (;;)
    RAW1(SYS_exit_group, status);
}

/* -- starting the program ------------------------------------------------- */

typedef struct Start {
  char **argv, **envp;
  long error;
} Start;

static long find_and_exec(const char *name, char **argv, char **envp);

/* Runs in the reaper's memory until exec, on a stack of its own. */
static void start_child(void *arg) {
  Start *start = arg;
  Mask none = 0;
  RAW4(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
  start->error = -find_and_exec(start->argv[0], start->argv, start->envp);
  RAW1(SYS_exit_group, 127);
}

static int same_name(const char *entry, const char *name) {
  while (*name != '\0' && *entry == *name)
    entry++, name++;
  return *name == '\0' && *entry == '=';
}

static const char *search_path(char **envp) {
  for (; *envp != NULL; envp++)
    if (same_name(*envp, "PATH"))
      return *envp + 5;
  return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

static long find_and_exec(const char *name, char **argv, char **envp) {
  char file[4096];
  long denied = 0, result;
  for (const char *c = name; *c != '\0'; c++)
    if (*c == '/')
      return RAW3(SYS_execve, name, argv, envp);
  for (const char *dirs = search_path(envp); *name != '\0'; dirs++) {
    size_t n = 0;
    for (; *dirs != ':' && *dirs != '\0'; dirs++)
      if (n < sizeof file - 300)
        file[n++] = *dirs;
    if (n > 0)
      file[n++] = '/';
    for (size_t i = 0; name[i] != '\0' && i < 256; i++)
      file[n++] = name[i];
    file[n] = '\0';
    result = RAW3(SYS_execve, file, argv, envp);
    if (result == E_ACCES)
      denied = result;
    else if (result != -2 && result != -20 && result != -36)
      return result;
    if (*dirs == '\0')
      break;
  }
  return denied < 0 ? denied : -2; /* ENOENT */
}

static long start_program(char **argv, char **envp) {
  static char stack[16384] __attribute__((aligned(16)));
  Start start = {argv, envp, 0};
  struct clone_args args = {
    .flags = CLONE_VM | CLONE_VFORK,
    .exit_signal = SIGCHLD,
    .stack = (__u64)(unsigned long)stack,
    .stack_size = sizeof stack,
  };
  long pid = raw_clone(SYS_clone3, (long)&args, sizeof args, 0, start_child,
                       &start);
  if (pid == E_NOSYS) /* a filter of an outer container; clone(2) will do */
    pid = raw_clone(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD,
                    (long)(stack + sizeof stack), 0, start_child, &start);
  if (pid < 0)
    start.error = -pid;
  if (start.error != 0) {
    report(REPORT_REFUSED, (int)start.error);
    leave(127);
  }
  report(REPORT_STARTED, (int)pid);
  return pid;
}

/* -- the life of PID 1 ---------------------------------------------------- */

/* Collects every child that ended; leaves with the program. */
static void collect(long program) {
  int status = 0;
  for (;;) {
    long pid = RAW4(SYS_wait4, -1, &status, WNOHANG | WUNTRACED, 0);
    if (pid <= 0)
      return;
    if (pid != program)
      continue;
    if (WIFSTOPPED(status)) {
      report(REPORT_STOPPED, WSTOPSIG(status));
    } else if (WIFEXITED(status)) {
      report(REPORT_EXITED, WEXITSTATUS(status));
      leave(WEXITSTATUS(status));
    } else {
      report(REPORT_SIGNALED, WTERMSIG(status));
      leave(128 + WTERMSIG(status));
    }
  }
}

static void pass_on(int sig, const siginfo_t *info, long program) {
  if (info->si_code == SI_KERNEL)
    return; /* the terminal told the program itself: same group */
  if (program > 0)
    RAW2(SYS_kill, program, sig);
  else if (sig == SIGTERM || sig == SIGINT || sig == SIGHUP || sig == SIGQUIT)
    leave(128 + sig);
}

__attribute__((used, noreturn)) static void reap(long *sp) {
  char **argv = (char **)(sp + 1), **envp = argv + sp[0] + 1;
  Mask all = ~0UL;
  siginfo_t info;
  long program = 0;
  info.si_code = 0;
  RAW4(SYS_rt_sigprocmask, SIG_SETMASK, &all, 0, 8);
  RAW3(SYS_fcntl, REPORT_FD, 2 /* F_SETFD */, 1 /* FD_CLOEXEC */);
  RAW2(SYS_prctl, 15 /* PR_SET_NAME: ps sees no name of a file */, argv[0]);
  RAW2(SYS_prctl, 36 /* PR_SET_CHILD_SUBREAPER: without a pid namespace */, 1);
  if (sp[0] > 1)
    program = start_program(argv + 1, envp);
  else
    report(REPORT_STARTED, 0);
  for (int fd = 0; fd < 3; fd++) /* a pipe ends when the program ends */
    RAW1(SYS_close, fd);
  for (;;) {
    long sig = RAW4(SYS_rt_sigtimedwait, &all, &info, 0, 8);
    if (sig == SIGCHLD)
      collect(program);
    else if (sig > 0)
      pass_on((int)sig, &info, program);
  }
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n"
        "xor %ebp, %ebp\n"
        "mov %rsp, %rdi\n"
        "and $-16, %rsp\n"
        "call reap\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n"
        "mov x29, 0\n"
        "mov x0, sp\n"
        "bl reap\n");
#endif
