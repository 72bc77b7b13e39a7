/* SPDX-License-Identifier: MIT
 *
 * checkpoint.c - the way back of the prompt. Before its process changes for
 * good it forks: the child goes on, the parent waits, as it was. ":undo" ends
 * the child, and the parent takes over. It then also takes over when the child
 * is killed; when the child just ends, so does the parent. fork(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <lauxlib.h>

#include "editor.h"
#include "host.h"

static int depth;          /* how many wait for us to end */
static int undo_fd = -1;   /* where ":undo" is told to the nearest */
static bool taken;         /* a chunk needs one at most */
static const char *became; /* what the parent came back for, or NULL */
static int became_code;
static char reason[32]; /* the call that the last one was made for */

void checkpoint_reset(void) {
  depth = 0;
  undo_fd = -1; /* the descriptor is that of the prompt around this one */
  taken = false;
}

/* -- the child ------------------------------------------------------------ */

/* It must not outlive who waits for it: credentials may change and take the
   signal away, so the waiting for keys looks too. */
static void go_on(int parent, int undo) {
  prctl(PR_SET_PDEATHSIG, SIGHUP);
  editor_watch(parent);
  undo_fd = undo;
  depth++;
  host_settle();
}

/* -- the parent ----------------------------------------------------------- */

static void set_terminal(const struct termios *modes) {
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGTTOU); /* it may be another group's by now */
  sigprocmask(SIG_BLOCK, &set, &old);
  tcsetpgrp(STDIN_FILENO, getpgrp());
  tcsetattr(STDIN_FILENO, TCSADRAIN, modes);
  sigprocmask(SIG_SETMASK, &old, NULL);
}

/* Keys that mean the child must not end us. */
static int wait_for_end(pid_t pid) {
  struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;
  int status = 0;
  sigaction(SIGINT, &ignore, &interrupt);
  sigaction(SIGQUIT, &ignore, &quit);
  while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
    ;
  sigaction(SIGINT, &interrupt, NULL);
  sigaction(SIGQUIT, &quit, NULL);
  return status;
}

static void stand_by(pid_t pid, int told) {
  struct termios modes;
  char word = 0;
  bool saved = tcgetattr(STDIN_FILENO, &modes) == 0;
  int status = wait_for_end(pid);
  if (saved)
    set_terminal(&modes);
  became = "left";
  became_code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  if (WIFSIGNALED(status))
    became = "killed";
  if (read(told, &word, 1) == 1)
    became = "undone";
  close(told);
}

/* -- both ----------------------------------------------------------------- */

static int pidfd_of_self(void) {
  return (int)syscall(SYS_pidfd_open, getpid(), 0);
}

/* What nslua.sys.on_departure calls: checkpoint.keep(call). In the parent it
   comes back much later, and then only to give the chunk up. */
static int checkpoint_keep(lua_State *L) {
  const char *call = luaL_checkstring(L, 1);
  int ends[2], self;
  if (taken || host_forked())
    return 0;
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1)
    return 0;
  self = pidfd_of_self();
  fflush(NULL);
  pid_t pid = fork();
  taken = true;
  if (pid > 0) {
    close(ends[1]);
    if (self >= 0)
      close(self);
    snprintf(reason, sizeof reason, "%s", call);
    stand_by(pid, ends[0]);
    return host_unwind(L);
  }
  close(ends[0]);
  if (pid == 0) {
    go_on(self, ends[1]);
    return 0;
  }
  host_message(NULL, "note: no way back is kept: fork failed");
  close(ends[1]);
  if (self >= 0)
    close(self);
  return 0;
}

/* checkpoint.begin(): the next chunk may make one */
static int checkpoint_begin(lua_State *L) {
  (void)L;
  taken = false;
  return 0;
}

/* checkpoint.depth() -> how many there are */
static int checkpoint_depth(lua_State *L) {
  lua_pushinteger(L, depth);
  return 1;
}

/* checkpoint.returned() -> nil, or "undone" | "left" | "killed", code, call:
   why this process goes on, once */
static int checkpoint_returned(lua_State *L) {
  lua_pushstring(L, became);
  lua_pushinteger(L, became_code);
  lua_pushstring(L, reason);
  became = NULL;
  return 3;
}

/* checkpoint.undo(): ends this process; nil when there is nobody to go on */
static int checkpoint_undo(lua_State *L) {
  if (depth == 0 || undo_fd < 0 || write(undo_fd, "u", 1) != 1) {
    luaL_pushfail(L);
    return 1;
  }
  fflush(NULL);
  _exit(EXIT_SUCCESS);
}

static const luaL_Reg funcs[] = {
  {"begin", checkpoint_begin},
  {"depth", checkpoint_depth},
  {"keep", checkpoint_keep},
  {"returned", checkpoint_returned},
  {"undo", checkpoint_undo},
  {NULL, NULL},
};

void checkpoint_functions(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
