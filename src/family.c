/* SPDX-License-Identifier: MIT
 *
 * family.c - which processes are our children: those with a handle, those
 * that lost theirs, and those that a subreaper inherits. What was started is
 * collected, so that no zombie keeps a pid namespace alive. wait(2),
 * PR_SET_CHILD_SUBREAPER(2const), pid_namespaces(7).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib.h"

/* Our children, by pid: handles in a weak table; what lost its handle while
   it ran, in another. Both belong to the process that filled them. */
static void push_family(lua_State *L, const char *name, const char *mode) {
  lua_Integer mine = (lua_Integer)lib_generation();
  if (luaL_getsubtable(L, LUA_REGISTRYINDEX, name)) {
    lua_getfield(L, -1, "generation");
    bool current = lua_tointeger(L, -1) == mine;
    lua_pop(L, 1);
    if (current)
      return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, name);
  }
  lua_pushinteger(L, mine);
  lua_setfield(L, -2, "generation");
  lua_createtable(L, 0, 1);
  lua_pushstring(L, mode);
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
}

void lib_adopt(lua_State *L, int index, pid_t pid) {
  lib_Proc *proc = lib_checkproc(L, index);
  index = lua_absindex(L, index);
  proc->pid = pid;
  proc->owned = true;
  luaL_checkstack(L, 6, "children");
  push_family(L, "nslua.children", "v");
  lua_pushvalue(L, index);
  lua_rawseti(L, -2, pid);
  push_family(L, "nslua.orphans", ""); /* somebody collected one behind us, */
  lua_pushnil(L);                      /* and the number is new */
  lua_rawseti(L, -2, pid);
  lua_pop(L, 2);
}

lib_Proc *lib_find_child(lua_State *L, pid_t pid) {
  luaL_checkstack(L, 6, "children");
  push_family(L, "nslua.children", "v");
  lua_rawgeti(L, -1, pid);
  lib_Proc *proc = luaL_testudata(L, -1, LIB_PROC);
  lua_pop(L, 2);
  return proc != NULL && proc->state == LIB_RUNNING ? proc : NULL;
}

static void reap_orphans(lua_State *L) {
  siginfo_t info;
  push_family(L, "nslua.orphans", "");
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (!lua_isinteger(L, -2))
      continue;
    pid_t pid = (pid_t)lua_tointeger(L, -2);
    info.si_pid = 0;
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | __WALL) == -1 ||
        info.si_pid != 0) {
      lua_pushnil(L); /* clearing a field is allowed while we walk */
      lua_rawseti(L, -4, pid);
    }
  }
  lua_pop(L, 1);
}

void lib_orphan(lua_State *L, pid_t pid) {
  luaL_checkstack(L, 6, "children");
  reap_orphans(L); /* so that there is never more than one zombie of them */
  push_family(L, "nslua.orphans", "");
  lua_pushboolean(L, 1);
  lua_rawseti(L, -2, pid);
  lua_pop(L, 1);
}

/* Collects children that ended and that nobody waits for. */
void lib_reap_others(lua_State *L) {
  luaL_checkstack(L, 6, "children");
  push_family(L, "nslua.children", "v");
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    lib_Proc *proc = luaL_testudata(L, -1, LIB_PROC);
    if (proc != NULL && proc->owned && proc->state == LIB_RUNNING &&
        lib_mine(&proc->h))
      lib_reap(proc, WNOHANG);
  }
  lua_pop(L, 1);
  reap_orphans(L);
}

/* -- all children, known or inherited ------------------------------------- */

enum { MOST_CHILDREN = 4096 };

/* Reads the pids of our children; -1 without a procfs that tells. */
static int read_children(lua_State *L, pid_t *pids) {
  static const char path[] = "/proc/thread-self/children";
  char text[MOST_CHILDREN * 8];
  size_t have = 0;
  ssize_t n = 0;
  int count = 0, fd = lib_open_proc(L, path, O_RDONLY);
  if (fd == -1)
    return -1;
  while (have < sizeof text - 1 &&
         (n = read(fd, text + have, sizeof text - 1 - have)) > 0)
    have += (size_t)n;
  close(fd);
  text[have] = '\0';
  for (char *p = text, *end; count < MOST_CHILDREN; p = end) {
    long pid = strtol(p, &end, 10);
    if (end == p)
      break;
    pids[count++] = (pid_t)pid;
  }
  return count;
}

/* sys.children() -> { pid, ... }    proc_tid_children(5) */
static int family_children(lua_State *L) {
  pid_t *pids = lib_scratch(L, MOST_CHILDREN * sizeof *pids);
  int n = read_children(L, pids);
  lua_createtable(L, n > 0 ? n : 0, 0);
  for (int i = 0; i < n; i++) {
    lua_pushinteger(L, pids[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static bool is_kept(lua_State *L, pid_t pid) {
  lua_rawgeti(L, 1, pid);
  bool kept = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return kept;
}

/* Kills and collects; how many are still there. */
static int end_once(lua_State *L, pid_t *pids) {
  int n = read_children(L, pids), left = 0;
  siginfo_t info;
  for (int i = 0; i < n; i++)
    if (!is_kept(L, pids[i]))
      kill(pids[i], SIGKILL); /* unreaped: the number is still theirs */
  for (int i = 0; i < n; i++) {
    if (is_kept(L, pids[i]))
      continue;
    info.si_pid = 0;
    if (waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOHANG | __WALL) == 0 &&
        info.si_pid == 0)
      left++;
  }
  return n < 0 ? 0 : left;
}

/* sys.end_children(keep) -> boolean: kills every child that is no key of
   `keep`, and theirs as they are inherited, until none is left */
static int family_end_children(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  pid_t *pids = lib_scratch(L, MOST_CHILDREN * sizeof *pids);
  int quiet = 0;
  /* Orphans arrive while others die: the end is two looks without any. */
  for (int tries = 0; tries < 5000 && quiet < 2; tries++) {
    int left = end_once(L, pids);
    quiet = left == 0 && read_children(L, pids) <= 0 ? 2
            : left == 0                          ? quiet + 1
                                                 : 0;
    if (quiet < 2)
      poll(NULL, 0, tries < 20 ? 1 : 5);
  }
  lua_pushboolean(L, quiet >= 2);
  return 1;
}

static const luaL_Reg internals[] = {
  {"children", family_children},
  {"end_children", family_end_children},
  {NULL, NULL},
};

void family_open(lua_State *L) { lib_internals(L, internals); }
