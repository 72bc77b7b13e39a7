/* SPDX-License-Identifier: MIT
 *
 * tty.c - terminals: a pseudo terminal pair, its size and modes, and the loan
 * of the caller's terminal to a child. A shell inside another pid namespace
 * leaves a dead foreground group behind; who lent the terminal takes it back.
 * pty(7), termios(3), tcsetpgrp(3), credentials(7).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"
#include "report.h"

/* -- a pair --------------------------------------------------------------- */

/* ns.pty([rows = 24 [, columns = 80]]) -> Fd master, Fd slave    pty(7) */
static int tty_pty(lua_State *L) {
  struct winsize size = {0};
  size.ws_row = (unsigned short)(lua_isnoneornil(L, 1)
                                   ? 24 : lib_checkint(L, 1, 0, 65535));
  size.ws_col = (unsigned short)(lua_isnoneornil(L, 2)
                                   ? 80 : lib_checkint(L, 2, 0, 65535));
  lib_Fd *master = lib_newfd(L);
  lib_Fd *slave = lib_newfd(L);
  master->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  lib_check(L, master->fd, "posix_openpt", "r", "O_RDWR|O_NOCTTY");
  lib_check(L, unlockpt(master->fd), "unlockpt", "d", master->fd);
  slave->fd = ioctl(master->fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  lib_check(L, slave->fd, "ioctl", "dr", master->fd, "TIOCGPTPEER");
  lib_check(L, ioctl(master->fd, TIOCSWINSZ, &size), "ioctl", "dr",
            master->fd, "TIOCSWINSZ");
  return 2;
}

/* -- size and modes ------------------------------------------------------- */

/* fd:winsize() -> rows, columns    fd:winsize(rows, columns) -> true
   TIOCGWINSZ(2const); the foreground group hears SIGWINCH */
static int tty_winsize(lua_State *L) {
  struct winsize size = {0};
  int fd = lib_selffd(L);
  if (lua_isnoneornil(L, 2) && lua_isnoneornil(L, 3)) {
    lib_check(L, ioctl(fd, TIOCGWINSZ, &size), "ioctl", "dr", fd,
              "TIOCGWINSZ");
    lua_pushinteger(L, size.ws_row);
    lua_pushinteger(L, size.ws_col);
    return 2;
  }
  size.ws_row = (unsigned short)lib_checkint(L, 2, 0, 65535);
  size.ws_col = (unsigned short)lib_checkint(L, 3, 0, 65535);
  return lib_done(L, ioctl(fd, TIOCSWINSZ, &size), "ioctl", "dr", fd,
                  "TIOCSWINSZ");
}

/* fd:tcgetattr() -> state, a string for tcsetattr    tcgetattr(3) */
static int tty_tcgetattr(lua_State *L) {
  struct termios modes;
  int fd = lib_selffd(L);
  memset(&modes, 0, sizeof modes); /* padding too: equal modes, equal states */
  lib_check(L, tcgetattr(fd, &modes), "tcgetattr", "d", fd);
  lua_pushlstring(L, (const char *)&modes, sizeof modes);
  return 1;
}

/* Another group's terminal may be changed too: SIGTTOU would stop us. */
static void block_ttou(sigset_t *old) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTTOU);
  sigprocmask(SIG_BLOCK, &set, old);
}

static int set_modes(int fd, const struct termios *modes) {
  sigset_t old;
  block_ttou(&old);
  int result = tcsetattr(fd, TCSADRAIN, modes);
  int error_number = errno;
  sigprocmask(SIG_SETMASK, &old, NULL);
  errno = error_number;
  return result;
}

static int set_group(int fd, pid_t group) {
  sigset_t old;
  block_ttou(&old);
  int result = tcsetpgrp(fd, group);
  int error_number = errno;
  sigprocmask(SIG_SETMASK, &old, NULL);
  errno = error_number;
  return result;
}

/* fd:tcsetattr(state) -> true    tcsetattr(3) */
static int tty_tcsetattr(lua_State *L) {
  size_t length;
  struct termios modes;
  int fd = lib_selffd(L);
  const char *state = luaL_checklstring(L, 2, &length);
  luaL_argcheck(L, length == sizeof modes, 2,
                "a state from fd:tcgetattr() is wanted");
  memcpy(&modes, state, sizeof modes);
  return lib_done(L, set_modes(fd, &modes), "tcsetattr", "dr", fd,
                  "TCSADRAIN");
}

/* fd:raw() -> the state before    cfmakeraw(3): every key is seen at once */
static int tty_raw(lua_State *L) {
  struct termios modes;
  int fd = lib_selffd(L);
  tty_tcgetattr(L);
  memcpy(&modes, lua_tostring(L, -1), sizeof modes);
  cfmakeraw(&modes);
  modes.c_oflag |= OPOST; /* "\n" still begins a new line */
  lib_check(L, set_modes(fd, &modes), "tcsetattr", "dr", fd, "TCSADRAIN");
  return 1;
}

/* fd:tcgetpgrp() -> the foreground group    tcgetpgrp(3) */
static int tty_tcgetpgrp(lua_State *L) {
  int fd = lib_selffd(L);
  lua_pushinteger(L, lib_check(L, tcgetpgrp(fd), "tcgetpgrp", "d", fd));
  return 1;
}

/* fd:tcsetpgrp([pgid = our own]) -> true    tcsetpgrp(3) */
static int tty_tcsetpgrp(lua_State *L) {
  int fd = lib_selffd(L);
  pid_t group = lua_isnoneornil(L, 2) ? getpgrp() : lib_checkpid(L, 2);
  return lib_done(L, set_group(fd, group), "tcsetpgrp", "dd", fd, (int)group);
}

/* -- the loan ------------------------------------------------------------- */

/* sys.lends_terminal(fd) -> boolean: is fd a terminal, and ours to lend? Group
   0 is one that our pid namespace does not show: it could not take it back. */
static int tty_lends_terminal(lua_State *L) {
  int fd = lib_checkfd(L, 1);
  lua_pushboolean(L, isatty(fd) && getpgrp() != 0 &&
                       tcgetpgrp(fd) == getpgrp());
  return 1;
}

/* sys.heed_interrupt(boolean): false: Ctrl-C is somebody else's, and nothing
   here hears it; true: what it was before. */
static int tty_heed_interrupt(lua_State *L) {
  static struct sigaction before;
  static bool ignored;
  bool heed = lua_toboolean(L, 1);
  if (heed && ignored)
    sigaction(SIGINT, &before, NULL);
  else if (!heed && !ignored)
    sigaction(SIGINT, &(struct sigaction){.sa_handler = SIG_IGN}, &before);
  ignored = !heed;
  return 0;
}

enum { ENDED, STOPPED, INTERRUPTED };

/* What happens next to a child that may also be stopped. A reaper tells about
   its program; a plain child about itself. */
static int next_event(lib_Proc *proc) {
  siginfo_t info = {0};
  Report r;
  if (proc->report_fd >= 0) {
    struct pollfd p[2] = {{proc->report_fd, POLLIN, 0},
                          {proc->h.fd, POLLIN, 0}};
    if (poll(p, 2, 500) <= 0)
      return INTERRUPTED;
    if (p[1].revents != 0) /* proc:wait reads the last reports */
      return ENDED;
    if (read(proc->report_fd, &r, sizeof r) != (ssize_t)sizeof r)
      return ENDED;
    if (r.kind == REPORT_EXITED || r.kind == REPORT_SIGNALED) {
      proc->state = r.kind == REPORT_EXITED ? LIB_EXITED : LIB_SIGNALED;
      proc->code = r.value;
      waitid((idtype_t)P_PID, (id_t)proc->pid, &info, WEXITED | __WALL);
      return ENDED;
    }
    return r.kind == REPORT_STOPPED ? STOPPED : INTERRUPTED;
  }
  if (waitid((idtype_t)P_PID, (id_t)proc->pid, &info,
             WEXITED | WSTOPPED | WNOWAIT | __WALL) == -1)
    return errno == EINTR ? INTERRUPTED : ENDED;
  if (info.si_code != CLD_STOPPED)
    return ENDED;
  waitid((idtype_t)P_PID, (id_t)proc->pid, &info, WSTOPPED | __WALL);
  return STOPPED;
}

/* Waits until the terminal is ours to give: who was continued with bg stops
   again, as any job that wants the terminal. EIO: there is no shell above. */
static void await_foreground(int fd) {
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGTTOU);
  sigprocmask(SIG_UNBLOCK, &set, &old);
  while (tcsetpgrp(fd, getpgrp()) == -1 && errno == EINTR)
    ;
  sigprocmask(SIG_SETMASK, &old, NULL);
}

/* sys.await_foreground(fd): returns when this job has the terminal */
static int tty_await_foreground(lua_State *L) {
  await_foreground(lib_checkfd(L, 1));
  return 0;
}

/* The child was stopped (Ctrl-Z): we stop too, as one job, and go on together
   when the shell above says so. Without such a shell SIGTSTP does nothing
   (our group is an orphan) and the child goes on at once. */
static void stop_together(int fd, pid_t group, const struct termios *ours) {
  struct termios theirs;
  bool saved = tcgetattr(fd, &theirs) == 0;
  set_group(fd, getpgrp());
  set_modes(fd, ours);
  kill(0, SIGTSTP);
  await_foreground(fd);
  if (saved)
    set_modes(fd, &theirs);
  set_group(fd, group);
  kill(-group, SIGCONT);
}

/* sys.lend_terminal(proc, fd): waits until the child, which leads its own
   group and has the terminal, ends; then takes the terminal back as it was. */
static int tty_lend_terminal(lua_State *L) {
  struct termios modes;
  lib_Proc *proc = lib_checkproc(L, 1);
  int fd = lib_checkfd(L, 2), event;
  bool saved = lua_type(L, 3) == LUA_TSTRING &&
               lua_rawlen(L, 3) == sizeof modes;
  if (saved)
    memcpy(&modes, lua_tostring(L, 3), sizeof modes);
  else
    saved = tcgetattr(fd, &modes) == 0;
  while ((event = next_event(proc)) != ENDED)
    if (event == STOPPED)
      stop_together(fd, proc->pid, &modes);
  set_group(fd, getpgrp());
  if (saved)
    set_modes(fd, &modes);
  return 0;
}

static const luaL_Reg funcs[] = {
  {"pty", tty_pty},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"raw", tty_raw},
  {"tcgetattr", tty_tcgetattr},
  {"tcgetpgrp", tty_tcgetpgrp},
  {"tcsetattr", tty_tcsetattr},
  {"tcsetpgrp", tty_tcsetpgrp},
  {"winsize", tty_winsize},
  {NULL, NULL},
};

static const luaL_Reg internals[] = {
  {"await_foreground", tty_await_foreground},
  {"heed_interrupt", tty_heed_interrupt},
  {"lend_terminal", tty_lend_terminal},
  {"lends_terminal", tty_lends_terminal},
  {NULL, NULL},
};

void tty_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  lib_addmethods(L, LIB_FD, methods);
  lib_internals(L, internals);
}
