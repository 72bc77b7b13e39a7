/* SPDX-License-Identifier: MIT
 *
 * fork.c - a copy of this process, and another program in its place. A child
 * that runs a Lua function never comes back into its parent's script: it ends
 * in _exit. fork(2), execve(2), environ(7).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib.h"

extern char **environ;

/* -- fork ----------------------------------------------------------------- */

static int traceback(lua_State *L) {
  size_t length;
  const char *message = luaL_tolstring(L, 1, NULL);
  luaL_traceback(L, L, message, 1);
  message = lua_tolstring(L, -1, &length);
  lib_pushlines(L, message, length);
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

/* The child goes on when there is a pidfd of it (where SIGCHLD is ignored its
   number means nobody as soon as it ends), or when its parent is gone. */
static void wait_at_gate(const int gate[2]) {
  char word;
  close(gate[1]);
  while (read(gate[0], &word, 1) == -1 && errno == EINTR)
    ;
  close(gate[0]);
}

/* Returns the pidfd: the end that closes first is its place, whatever the
   limit of descriptors. */
static int open_gate(const int gate[2], pid_t pid) {
  close(gate[0]);
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  int error_number = errno;
  send(gate[1], "", 1, MSG_NOSIGNAL); /* it may have been killed */
  close(gate[1]);
  errno = error_number;
  return fd;
}

/* ns.fork(fn, ...) -> Proc    fork(2) */
static int fork_fork(lua_State *L) {
  sigset_t all, old;
  int gate[2];
  lib_number_mounts(L);
  if (lua_isnoneornil(L, 1))
    return fork_twice(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  int nargs = lua_gettop(L) - 1;
  lib_Proc *proc = lib_newproc(L);
  lua_insert(L, 1);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gate) == -1)
    lib_fail(L, errno, "socketpair", "r", "AF_UNIX, SOCK_STREAM");
  fflush(NULL);
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &old);
  pid_t pid = fork();
  int error_number = errno;
  if (pid == 0) {
    wait_at_gate(gate);
    default_signals();
    sigprocmask(SIG_SETMASK, &old, NULL);
    proc_run_and_exit(L, nargs);
  }
  proc->h.fd = open_gate(gate, pid);
  if (pid > 0)
    error_number = errno;
  sigprocmask(SIG_SETMASK, &old, NULL);
  if (pid == -1)
    lib_fail(L, error_number, "fork", "");
  lib_adopt(L, 1, pid);
  if (proc->h.fd == -1)
    lib_fail(L, error_number, "pidfd_open", "dd", (int)pid, 0);
  lua_settop(L, 1);
  return 1;
}

/* -- exec ----------------------------------------------------------------- */

/* Linux takes at most 6 MB of arguments and environment, and each string costs
   9 bytes or more; a table says of its length what it likes. */
enum { MOST_STRINGS = 6 * 1024 * 1024 / 9 };

/* A table of strings or numbers as a C vector; the strings live in the table
   that is pushed under the vector. [-0, +2] */
const char **lib_pushvector(lua_State *L, int arg, const char *what) {
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_Unsigned n = lua_rawlen(L, arg);
  if (n > MOST_STRINGS)
    lib_raise(L, lua_pushfstring(L, "%s has too many elements: more than the "
                                    "kernel takes", what));
  luaL_checkstack(L, 8, what);
  lua_createtable(L, (int)n, 0);
  int anchor = lua_gettop(L);
  const char **v = lib_scratch(L, (n + 1) * sizeof *v);
  for (lua_Unsigned i = 0; i < n; i++) {
    size_t length;
    int type = lua_rawgeti(L, arg, (lua_Integer)i + 1);
    if (type != LUA_TSTRING && type != LUA_TNUMBER)
      lib_raise(L, lua_pushfstring(L, "%s[%I] is %s%s, not a string", what,
                                   (lua_Integer)i + 1,
                                   type == LUA_TNIL ? "" : "a ",
                                   lua_typename(L, type)));
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
static int fork_exec(lua_State *L) {
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

static const luaL_Reg funcs[] = {
  {"exec", fork_exec},
  {"fork", fork_fork},
  {NULL, NULL},
};

void fork_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
