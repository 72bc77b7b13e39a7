/* SPDX-License-Identifier: MIT
 *
 * proc.c - processes: fork, exec, wait, signals, pidfds. A child that runs a
 * Lua function never comes back into its parent's script: it ends in _exit.
 * fork(2), execve(2), waitid(2), pidfd_open(2), pidfd_send_signal(2).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"
#include "report.h"

extern char **environ;

/* -- the end of a process ------------------------------------------------- */

/* true | nil, "exit" | "signal", code: what os.execute gives */
static int push_outcome(lua_State *L, int state, int code) {
  bool well = state == LIB_EXITED && code == 0;
  if (well)
    lua_pushboolean(L, 1);
  else
    luaL_pushfail(L);
  lua_pushstring(L, state == LIB_SIGNALED ? "signal" : "exit");
  lua_pushinteger(L, code);
  return 3;
}

static void close_report(lib_Proc *proc) {
  if (proc->report_fd >= 0)
    close(proc->report_fd);
  proc->report_fd = -1;
}

/* A reaper tells what became of its program before it goes itself. True when
   it is about to go: it has told, or its end of the pipe is closed. */
static bool hear_reaper(lib_Proc *proc) {
  Report r;
  if (read(proc->report_fd, &r, sizeof r) != (ssize_t)sizeof r) {
    close_report(proc);
    return true;
  }
  if (r.kind != REPORT_EXITED && r.kind != REPORT_SIGNALED)
    return false;
  proc->told = r.kind == REPORT_EXITED ? LIB_EXITED : LIB_SIGNALED;
  proc->told_code = r.value;
  return true;
}

static void record_end(lib_Proc *proc, const siginfo_t *info) {
  proc->state = info->si_code == CLD_EXITED ? LIB_EXITED : LIB_SIGNALED;
  proc->code = info->si_status;
  while (proc->report_fd >= 0)
    hear_reaper(proc);
  if (proc->told != LIB_RUNNING) {
    proc->state = proc->told;
    proc->code = proc->told_code;
  }
  lib_close(&proc->h); /* there is nobody left to ask */
}

/* waitid on our child without raising: 1 it ended, 0 it runs, -1 errno. */
int lib_reap(lib_Proc *proc, int options) {
  siginfo_t info;
  int result;
  do {
    info.si_pid = 0;
    result = waitid((idtype_t)P_PID, (id_t)proc->pid, &info,
                    WEXITED | __WALL | options);
  } while (result == -1 && errno == EINTR && !(options & WNOHANG));
  if (result == -1)
    return -1;
  if (info.si_pid == 0)
    return 0;
  record_end(proc, &info);
  return 1;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Waits for the end of a process: false after `ms` (-1: no limit). Short
   slices let Ctrl-C through even when it came just before the poll. The init
   of a box is not gone before what we started in there is reaped by us. */
static bool wait_end(lua_State *L, lib_Proc *proc, int ms) {
  double end = ms < 0 ? 0 : now() + ms / 1000.0;
  bool ours = proc->owned && lib_mine(&proc->h);
  int most = ours && proc->bound && proc->report_fd < 0 ? 50 : 500;
  while (proc->state == LIB_RUNNING) {
    double left = ms < 0 ? most : (end - now()) * 1000;
    struct pollfd p[2] = {{proc->h.fd, POLLIN, 0},
                          {ours ? proc->report_fd : -1, POLLIN, 0}};
    int slice = left > most ? most : left < 0 ? 0 : (int)left + (left > 0);
    int n = poll(p, 2, slice);
    if (n == -1 && errno != EINTR)
      lib_check(L, -1, "poll", "d", proc->h.fd);
    if (n > 0 && p[0].revents != 0)
      return true;
    if (n > 0 && hear_reaper(proc))
      most = 1;
    if (most < 500) {
      lib_reap_others(L);
      most = most < 25 ? most * 2 : 50;
    }
    if (n == 0 && ms >= 0 && now() >= end)
      return proc->state != LIB_RUNNING;
    lib_interrupt_point(L);
  }
  return true;
}

/* The end of a process that is not our child: only that it ended. */
static int foreign_end(lib_Proc *proc) {
  proc->state = LIB_EXITED;
  proc->code = -1;
  return 1;
}

/* proc:wait([seconds]) -> true | nil, "exit" | "signal" | "timeout", code */
static int proc_wait(lua_State *L) {
  lib_Proc *proc = lib_checkproc(L, 1);
  int ms = lib_optmilliseconds(L, 2);
  if (proc->state == LIB_RUNNING) {
    if (proc->h.fd < 0)
      luaL_argerror(L, 1, "the handle is closed");
    if (!wait_end(L, proc, ms)) {
      luaL_pushfail(L);
      lua_pushliteral(L, "timeout");
      return 2;
    }
  }
  if (proc->state == LIB_RUNNING) {
    int ended = proc->owned && lib_mine(&proc->h) ? lib_reap(proc, 0)
                                                  : foreign_end(proc);
    lib_check(L, ended, "waitid", "d", (int)proc->pid);
  }
  return push_outcome(L, proc->state, proc->code);
}

/* ns.wait([target [, seconds]]) -> as proc:wait; with no target any child,
   and its pid as fourth value    waitid(2) */
static int proc_wait_any(lua_State *L) {
  siginfo_t info = {0};
  if (luaL_testudata(L, 1, LIB_PROC) != NULL)
    return proc_wait(L);
  idtype_t which = lua_isnoneornil(L, 1) ? P_ALL : P_PID;
  pid_t pid = which == P_ALL ? 0 : lib_checkpid(L, 1);
  int ms = lib_optmilliseconds(L, 2);
  double end = now() + ms / 1000.0;
  for (;;) {
    int options = WEXITED | __WALL | (ms >= 0 ? WNOHANG : 0);
    int result = waitid(which, (id_t)pid, &info, options);
    if (result == 0 && info.si_pid != 0)
      break;
    if (result == -1 && errno != EINTR)
      lib_check(L, -1, "waitid", "d", (int)pid);
    lib_interrupt_point(L);
    if (ms >= 0 && now() >= end) {
      luaL_pushfail(L);
      lua_pushliteral(L, "timeout");
      return 2;
    }
    if (ms >= 0)
      poll(NULL, 0, 5);
  }
  lib_Proc *proc = lib_find_child(L, info.si_pid);
  if (proc != NULL) {
    record_end(proc, &info);
    push_outcome(L, proc->state, proc->code);
  } else {
    push_outcome(L, info.si_code == CLD_EXITED ? LIB_EXITED : LIB_SIGNALED,
                 info.si_status);
  }
  lua_pushinteger(L, info.si_pid);
  return 4;
}

/* -- signals -------------------------------------------------------------- */

/* A signal is a number, no set of bits; those of real time have no word. */
static const char *signal_name(lua_State *L, int sig) {
  for (const lib_Word *w = lib_signals; w->word != NULL; w++)
    if (w->bits == (unsigned long)sig)
      return w->name;
  return lua_pushfstring(L, "%d", sig);
}

static int send_signal(lua_State *L, int pidfd, int sig) {
  const char *name = signal_name(L, sig);
  return lib_done(L, syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0),
                  "pidfd_send_signal", "dr", pidfd, name);
}

/* ns.kill(target [, signal = "TERM"]) -> true    pidfd_send_signal(2) */
static int proc_kill(lua_State *L) {
  int sig = lib_checksignal(L, 2, SIGTERM);
  lua_settop(L, 1);
  if (luaL_testudata(L, 1, LIB_PROC) != NULL)
    lib_checkpid(L, 1);
  return send_signal(L, lib_checkpidfd(L, 1), sig);
}

/* ns.killpg(pgid [, signal = "TERM"]) -> true    killpg(3) */
static int proc_killpg(lua_State *L) {
  pid_t pgid = lib_checkpid(L, 1);
  int sig = lib_checksignal(L, 2, SIGTERM);
  if (pgid <= 1) /* kill(-1) would mean everybody */
    luaL_argerror(L, 1, "a process group > 1 is wanted");
  const char *name = signal_name(L, sig);
  return lib_done(L, kill(-pgid, sig), "killpg", "dr", (int)pgid, name);
}

/* -- Proc as a handle ----------------------------------------------------- */

/* The init of a pid namespace is gone only when all in it are reaped, and
   some of those may be our own children: they go first. A child that became
   somebody else (a setuid program) is left to end by itself. */
static void kill_and_reap(lua_State *L, lib_Proc *proc) {
  struct pollfd p = {proc->h.fd, POLLIN, 0};
  if (syscall(SYS_pidfd_send_signal, proc->h.fd, SIGKILL, NULL, 0) == -1 &&
      errno == EPERM) {
    lib_orphan(L, proc->pid);
    return;
  }
  for (int ms = 1; poll(&p, 1, ms) <= 0; ms = ms < 50 ? ms * 2 : 50)
    lib_reap_others(L);
  lib_reap(proc, 0);
}

/* Ends what is ours; a forked copy only closes. Idempotent. */
static void end_proc(lua_State *L, lib_Proc *proc, bool kill_it) {
  if (proc->h.fd < 0)
    return;
  if (proc->owned && lib_mine(&proc->h) && proc->state == LIB_RUNNING) {
    if (kill_it) {
      kill_and_reap(L, proc);
    } else if (lib_reap(proc, WNOHANG) == 0) {
      lib_orphan(L, proc->pid);
    }
  }
  close_report(proc);
  lib_close(&proc->h);
}

/* proc:close() or the end of its block: kills and reaps a child of ours. */
static int proc_close(lua_State *L) {
  end_proc(L, lib_checkproc(L, 1), true);
  return 0;
}

/* A handle that is merely forgotten ends a box, but not a plain process. */
static int proc_gc(lua_State *L) {
  lib_Proc *proc = lib_checkproc(L, 1);
  end_proc(L, proc, proc->bound);
  return 0;
}

static int proc_eq(lua_State *L) {
  lib_Proc *a = luaL_testudata(L, 1, LIB_PROC);
  lib_Proc *b = luaL_testudata(L, 2, LIB_PROC);
  lua_pushboolean(L, a != NULL && b != NULL && a->pid == b->pid &&
                       a->h.generation == b->h.generation &&
                       a->state == LIB_RUNNING && b->state == LIB_RUNNING);
  return 1;
}

static int proc_tostring(lua_State *L) {
  lib_Proc *proc = lib_checkproc(L, 1);
  if (proc->state == LIB_EXITED)
    lua_pushfstring(L, "process %d (exit %d)", (int)proc->pid, proc->code);
  else if (proc->state == LIB_SIGNALED)
    lua_pushfstring(L, "process %d (signal %d)", (int)proc->pid, proc->code);
  else
    lua_pushfstring(L, "process %d%s", (int)proc->pid,
                    proc->h.fd < 0 ? " (closed)" : "");
  return 1;
}

static int proc_get(lua_State *L) {
  lib_Proc *proc = lib_checkproc(L, 1);
  const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (strcmp(key, "pid") == 0)
    lua_pushinteger(L, proc->pid);
  else if (strcmp(key, "running") == 0)
    lua_pushboolean(L, proc->state == LIB_RUNNING && proc->h.fd >= 0);
  else
    return 0;
  return 1;
}

/* ns.pidfd_open(pid) -> Proc    pidfd_open(2)
   A process that somebody else started: closing the handle leaves it be. */
static int proc_pidfd_open(lua_State *L) {
  pid_t pid = lib_checkpid(L, 1);
  lib_Proc *proc = lib_newproc(L);
  proc->h.fd = (int)lib_check(L, syscall(SYS_pidfd_open, pid, 0),
                              "pidfd_open", "dd", (int)pid, 0);
  proc->pid = pid;
  return 1;
}

/* -- fork ----------------------------------------------------------------- */

static int traceback(lua_State *L) {
  const char *message = luaL_tolstring(L, 1, NULL);
  luaL_traceback(L, L, message, 1);
  return 1;
}

/* What a function's first value says as an exit status. */
static int exit_status(lua_State *L, int index) {
  if (lua_isinteger(L, index))
    return (int)(lua_tointeger(L, index) & 0xff);
  return lua_toboolean(L, index) || lua_isnone(L, index) ||
             lua_isnil(L, index)
           ? EXIT_SUCCESS
           : EXIT_FAILURE;
}

/* [fn, args...] runs under a traceback and ends the process. */
_Noreturn void proc_run_and_exit(lua_State *L, int nargs) {
  int base = lua_gettop(L) - nargs;
  int status = EXIT_FAILURE;
  lua_pushcfunction(L, traceback);
  lua_insert(L, base);
  if (lua_pcall(L, nargs, LUA_MULTRET, base) == LUA_OK)
    status = lua_gettop(L) > base ? exit_status(L, base + 1) : EXIT_SUCCESS;
  else
    fprintf(stderr, "nslua: %s\n", lua_tostring(L, -1));
  fflush(NULL);
  _exit(status);
}

/* The host's handlers mean the host: a child starts with the defaults. */
static void default_signals(void) {
  struct sigaction act;
  for (int sig = 1; sig < NSIG; sig++)
    if (sigaction(sig, NULL, &act) == 0 && act.sa_handler != SIG_DFL &&
        act.sa_handler != SIG_IGN)
      signal(sig, SIG_DFL);
}

/* ns.fork() -> pid | 0    fork(2), returns twice */
static int fork_twice(lua_State *L) {
  fflush(NULL);
  pid_t pid = (pid_t)lib_check(L, fork(), "fork", "");
  lua_pushinteger(L, pid);
  return 1;
}

/* ns.fork(fn, ...) -> Proc    fork(2) */
static int proc_fork(lua_State *L) {
  sigset_t all, old;
  lib_number_mounts(L);
  if (lua_isnoneornil(L, 1))
    return fork_twice(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  int nargs = lua_gettop(L) - 1;
  lib_Proc *proc = lib_newproc(L);
  lua_insert(L, 1);
  /* A place for the pidfd, before there is a child that could go without. */
  proc->h.fd = (int)lib_check(L, syscall(SYS_pidfd_open, getpid(), 0),
                              "pidfd_open", "dd", (int)getpid(), 0);
  fflush(NULL);
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &old);
  pid_t pid = fork();
  int error_number = errno;
  if (pid == 0) {
    default_signals();
    sigprocmask(SIG_SETMASK, &old, NULL);
    proc_run_and_exit(L, nargs);
  }
  sigprocmask(SIG_SETMASK, &old, NULL);
  lib_close(&proc->h);
  if (pid == -1)
    lib_fail(L, error_number, "fork", "");
  lib_adopt(L, 1, pid);
  /* Unreaped, so the number still means our child. */
  proc->h.fd = (int)lib_check(L, syscall(SYS_pidfd_open, pid, 0),
                              "pidfd_open", "dd", (int)pid, 0);
  lua_settop(L, 1);
  return 1;
}

/* -- exec ----------------------------------------------------------------- */

/* A table of strings or numbers as a C vector; the strings live in the table
   that is pushed under the vector. [-0, +2] */
const char **lib_pushvector(lua_State *L, int arg, const char *what) {
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_Unsigned n = lua_rawlen(L, arg);
  if (n > 100000)
    lib_raise(L, "too many elements in a list");
  luaL_checkstack(L, 8, what);
  lua_createtable(L, (int)n, 0);
  int anchor = lua_gettop(L);
  const char **v = lib_scratch(L, (n + 1) * sizeof *v);
  for (lua_Unsigned i = 0; i < n; i++) {
    size_t length;
    int type = lua_rawgeti(L, arg, (lua_Integer)i + 1);
    if (type != LUA_TSTRING && type != LUA_TNUMBER) {
      lib_raise(L, lua_pushfstring(L, "%s[%I] is a %s, not a string", what,
                                   (lua_Integer)i + 1, luaL_typename(L, -1)));
    }
    v[i] = lua_tolstring(L, -1, &length);
    if (strlen(v[i]) != length)
      lib_raise(L, lua_pushfstring(L, "%s[%I] contains a NUL", what,
                                   (lua_Integer)i + 1));
    lua_rawseti(L, anchor, (lua_Integer)i + 1);
  }
  v[n] = NULL;
  return v;
}

/* {NAME = "value"} as "NAME=value" strings. [-0, +2] */
const char **lib_pushenvironment(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg)) {
    lua_pushnil(L);
    lua_pushnil(L);
    return (const char **)environ;
  }
  luaL_checktype(L, arg, LUA_TTABLE);
  luaL_checkstack(L, 8, "env");
  lua_newtable(L);
  int list = lua_gettop(L);
  lua_Integer n = 0;
  lua_pushnil(L);
  while (lua_next(L, arg) != 0) {
    int type = lua_type(L, -1);
    if (lua_type(L, -2) != LUA_TSTRING ||
        (type != LUA_TSTRING && type != LUA_TNUMBER))
      lib_raise(L, "env holds NAME = \"value\" pairs");
    lua_pushfstring(L, "%s=", lua_tostring(L, -2));
    const char *name = lua_tostring(L, -3);
    if (*name == '\0' || strpbrk(name, "=") != NULL ||
        strlen(name) != lua_rawlen(L, -3))
      lib_raise(L, "a name in env is empty or contains '=' or NUL");
    lua_pushvalue(L, -2);
    lua_concat(L, 2);
    lua_rawseti(L, list, ++n);
    lua_pop(L, 1);
  }
  const char **v = lib_pushvector(L, list, "env");
  lua_remove(L, list);
  return v;
}

/* ns.exec(argv [, env])    execvpe(3): does not return */
static int proc_exec(lua_State *L) {
  lua_settop(L, 2);
  const char **argv = lib_pushvector(L, 1, "argv");
  const char **envp = lib_pushenvironment(L, 2);
  if (argv[0] == NULL)
    return luaL_argerror(L, 1, "argv is empty: the first element names the "
                               "program");
  fflush(NULL);
  execvpe(argv[0], (char *const *)argv, (char *const *)envp);
  return lib_done(L, -1, "execve", "sv", argv[0], argv);
}

/* -- ids ------------------------------------------------------------------ */

static int proc_getpid(lua_State *L) {
  lua_pushinteger(L, lib_check(L, getpid(), "getpid", ""));
  return 1;
}

static int proc_getppid(lua_State *L) {
  lua_pushinteger(L, lib_check(L, getppid(), "getppid", ""));
  return 1;
}

/* ns.setsid() -> sid    setsid(2) */
static int proc_setsid(lua_State *L) {
  lua_pushinteger(L, lib_check(L, setsid(), "setsid", ""));
  return 1;
}

/* ns.pdeathsig([signal]) -> true    PR_SET_PDEATHSIG(2const) */
static int proc_pdeathsig(lua_State *L) {
  int sig = lib_checksignal(L, 1, SIGKILL);
  return lib_done(L, prctl(PR_SET_PDEATHSIG, sig), "prctl", "rw",
                  "PR_SET_PDEATHSIG", lib_signals, (unsigned long)sig);
}

/* ns.subreaper([on = true]) -> true    PR_SET_CHILD_SUBREAPER(2const) */
static int proc_subreaper(lua_State *L) {
  if (!lua_isnone(L, 1))
    luaL_checktype(L, 1, LUA_TBOOLEAN);
  int on = lua_isnone(L, 1) || lua_toboolean(L, 1);
  return lib_done(L, prctl(PR_SET_CHILD_SUBREAPER, on, 0, 0, 0), "prctl",
                  "rd", "PR_SET_CHILD_SUBREAPER", on);
}

/* ns.dumpable([on]) -> boolean    PR_SET_DUMPABLE(2const) */
static int proc_dumpable(lua_State *L) {
  if (!lua_isnone(L, 1)) {
    luaL_checktype(L, 1, LUA_TBOOLEAN);
    lib_check(L, prctl(PR_SET_DUMPABLE, lua_toboolean(L, 1), 0, 0, 0),
              "prctl", "rd", "PR_SET_DUMPABLE", lua_toboolean(L, 1));
  }
  lua_pushboolean(L, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
  return 1;
}

/* ns.setname(name) -> true    PR_SET_NAME(2const): 15 bytes */
static int proc_setname(lua_State *L) {
  const char *name = lib_checkpath(L, 1);
  return lib_done(L, prctl(PR_SET_NAME, name), "prctl", "rs", "PR_SET_NAME",
                  name);
}

/* ns._exit([status = 0])    _exit(2): no flush but stdio's, no handlers */
static int proc__exit(lua_State *L) {
  int status = lua_isnoneornil(L, 1) ? 0 : lib_checkint(L, 1, 0, 255);
  fflush(NULL);
  _exit(status);
}

/* ns.generation() -> forks between the start of the program and here */
static int proc_generation(lua_State *L) {
  lua_pushinteger(L, lib_generation());
  return 1;
}

static const luaL_Reg funcs[] = {
  {"_exit", proc__exit},
  {"dumpable", proc_dumpable},
  {"exec", proc_exec},
  {"fork", proc_fork},
  {"generation", proc_generation},
  {"getpid", proc_getpid},
  {"getppid", proc_getppid},
  {"kill", proc_kill},
  {"killpg", proc_killpg},
  {"pdeathsig", proc_pdeathsig},
  {"pidfd_open", proc_pidfd_open},
  {"setname", proc_setname},
  {"setsid", proc_setsid},
  {"subreaper", proc_subreaper},
  {"wait", proc_wait_any},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"close", proc_close},
  {"kill", proc_kill},
  {"wait", proc_wait},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", proc_close},
  {"__eq", proc_eq},
  {"__gc", proc_gc},
  {"__tostring", proc_tostring},
  {NULL, NULL},
};

void proc_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  lib_newtype(L, LIB_PROC, metamethods, methods, proc_get);
}
