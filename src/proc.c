/* SPDX-License-Identifier: MIT
 *
 * proc.c - a process as a handle: waiting for its end, signals to it, and what
 * becomes of a child whose handle is closed. A reaper's report counts as the
 * end of the program that it stands for. waitid(2), pidfd_open(2),
 * pidfd_send_signal(2).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"
#include "report.h"

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
   it is about to go: it has told, or its end of the pipe is closed. It is asked
   when there is something to read, or when it has gone. */
static bool hear_reaper(lib_Proc *proc) {
  Report r;
  struct pollfd p = {proc->report_fd, POLLIN, 0};
  if (poll(&p, 1, 0) != 1 ||
      read(proc->report_fd, &r, sizeof r) != (ssize_t)sizeof r) {
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

/* What the pidfd knows of the end. A death that nobody is to wait for is seen a
   moment before the kernel has written down how it was: with that the pidfd
   hangs up. */
static bool get_exit_info(int pidfd, pidfd_Info *info) {
  struct pollfd p = {pidfd, 0, 0};
  for (int tries = 0; tries < 2; tries++) {
    *info = (pidfd_Info){.mask = PIDFD_INFO_EXIT};
    if (ioctl(pidfd, PIDFD_GET_INFO, info) == -1)
      return false;
    if (info->mask & PIDFD_INFO_EXIT)
      return true;
    poll(&p, 1, 200);
  }
  return false;
}

/* Somebody else has waited, or the program ignores SIGCHLD and nobody can. */
static bool ask_end(lib_Proc *proc) {
  pidfd_Info info;
  siginfo_t end = {0};
  if (!get_exit_info(proc->h.fd, &info))
    return false;
  bool exited = WIFEXITED(info.exit_code);
  end.si_code = exited ? CLD_EXITED : CLD_KILLED;
  end.si_status = exited ? WEXITSTATUS(info.exit_code)
                         : WTERMSIG(info.exit_code);
  record_end(proc, &end);
  return true;
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
  if (result == -1) {
    int error_number = errno;
    if (error_number == ECHILD && ask_end(proc))
      return 1;
    errno = error_number;
    return -1;
  }
  if (info.si_pid == 0)
    return 0;
  record_end(proc, &info);
  return 1;
}

/* Waits for the end of a process: false after `ms` (-1: no limit). Short
   slices let Ctrl-C through even when it came just before the poll. The init
   of a box is not gone before what we started in there is reaped by us. */
static bool wait_end(lua_State *L, lib_Proc *proc, int ms) {
  double end = ms < 0 ? 0 : lib_now() + ms / 1000.0;
  bool ours = proc->owned && lib_mine(&proc->h);
  int most = ours && proc->bound && proc->report_fd < 0 ? 50 : 500;
  while (proc->state == LIB_RUNNING) {
    double left = ms < 0 ? most : (end - lib_now()) * 1000;
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
    if (n == 0 && ms >= 0 && lib_now() >= end)
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
  lib_Proc *proc = lib_self(L, LIB_PROC);
  int ms = lib_optmilliseconds(L, 2);
  if (proc->state != LIB_RUNNING)
    return push_outcome(L, proc->state, proc->code);
  if (proc->h.fd < 0)
    luaL_argerror(L, 1, "the handle is closed");
  if (!wait_end(L, proc, ms)) {
    luaL_pushfail(L);
    lua_pushliteral(L, "timeout");
    return 2;
  }
  int ended = 1; /* reaped already, with others: told of all the same */
  if (proc->state == LIB_RUNNING)
    ended = proc->owned && lib_mine(&proc->h) ? lib_reap(proc, 0)
                                              : foreign_end(proc);
  lib_check(L, ended, "waitid", "d", (int)proc->pid);
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
  double end = lib_now() + ms / 1000.0;
  for (;;) {
    int options = WEXITED | __WALL | (ms >= 0 ? WNOHANG : 0);
    int result = waitid(which, (id_t)pid, &info, options);
    if (result == 0 && info.si_pid != 0)
      break;
    if (result == -1 && errno != EINTR)
      lib_check(L, -1, "waitid", "d", (int)pid);
    lib_interrupt_point(L);
    if (ms >= 0 && lib_now() >= end) {
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

/* proc:kill([signal = "TERM"]) -> true    pidfd_send_signal(2) */
static int proc_kill_handle(lua_State *L) {
  lib_self(L, LIB_PROC);
  return proc_kill(L);
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
  end_proc(L, lib_self(L, LIB_PROC), true);
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

/* One that has ended and that nobody has collected does not run. */
static bool is_running(const lib_Proc *proc) {
  struct pollfd p = {proc->h.fd, POLLIN, 0};
  return proc->state == LIB_RUNNING && proc->h.fd >= 0 && poll(&p, 1, 0) == 0;
}

static int proc_get(lua_State *L) {
  lib_Proc *proc = lib_checkproc(L, 1);
  const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (strcmp(key, "pid") == 0)
    lua_pushinteger(L, proc->pid);
  else if (strcmp(key, "running") == 0)
    lua_pushboolean(L, is_running(proc));
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

static const luaL_Reg funcs[] = {
  {"kill", proc_kill},
  {"killpg", proc_killpg},
  {"pidfd_open", proc_pidfd_open},
  {"wait", proc_wait_any},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"close", proc_close},
  {"kill", proc_kill_handle},
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
