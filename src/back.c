/* SPDX-License-Identifier: MIT
 *
 * back.c - where the process began, kept before its first change, and the way
 * back there: its namespaces, root and working directory; and the /proc that
 * was in sight then. setns(2), chroot(2), fchdir(2), proc(5).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"
#include "ns.h"

static const char start_key = 's'; /* registry: where the process began */

static void add_directory(lua_State *L, const char *field, const char *path) {
  lib_Fd *h = lib_newfd(L);
  h->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (h->fd >= 0)
    lua_setfield(L, -2, field);
  else
    lua_pop(L, 1);
}

static int push_here(lua_State *L) {
  ns_push_all(L, 0, -1);
  add_directory(L, "root", "/");
  add_directory(L, "cwd", ".");
  return 1;
}

/* Before the first change of the process, once: what ns.back() goes to. A
   machine without procfs has no way back, but the change itself may go on. */
void lib_remember_start(lua_State *L) {
  luaL_checkstack(L, 6, "nslua");
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &start_key) == LUA_TNIL) {
    lua_pushcfunction(L, push_here);
    if (lua_pcall(L, 0, 1, 0) != LUA_OK) {
      lua_pop(L, 1);
      lua_pushboolean(L, 0);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &start_key);
  }
  lua_pop(L, 1);
}

/* -- the /proc of the start ----------------------------------------------- */

static const char proc_key = 'p'; /* registry: the /proc before we left it */

/* Opened as late as a root can go out of sight: a descriptor on it keeps the
   mount busy. */
void lib_keep_proc(lua_State *L) {
  luaL_checkstack(L, 4, "nslua");
  bool kept = lua_rawgetp(L, LUA_REGISTRYINDEX, &proc_key) == LUA_TUSERDATA;
  lua_pop(L, 1);
  if (kept || access("/proc/self", F_OK) == -1)
    return;
  lua_newtable(L);
  add_directory(L, "proc", "/proc");
  lua_getfield(L, -1, "proc");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &proc_key);
  lua_pop(L, 1);
}

/* The kept /proc, when there is none here and it counts processes as we do;
   else -1. */
static int kept_proc(lua_State *L) {
  char self[16];
  if (access("/proc/self", F_OK) == 0)
    return -1;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &proc_key);
  const lib_Fd *h = luaL_testudata(L, -1, LIB_FD);
  lua_pop(L, 1);
  if (h == NULL)
    return -1;
  ssize_t n = readlinkat(h->fd, "self", self, sizeof self - 1);
  self[n > 0 ? n : 0] = '\0';
  return strtol(self, NULL, 10) == getpid() ? h->fd : -1;
}

int lib_open_proc(lua_State *L, const char *path, int flags) {
  int fd = open(path, flags | O_CLOEXEC);
  if (fd >= 0 || errno != ENOENT)
    return fd;
  int at = kept_proc(L);
  errno = ENOENT;
  if (at >= 0)
    fd = openat(at, path + strlen("/proc/"), flags | O_CLOEXEC);
  return fd;
}

static const char *check_proc_path(lua_State *L) {
  const char *path = lib_checkpath(L, 1);
  luaL_argcheck(L, strncmp(path, "/proc/", 6) == 0, 1, "path below /proc");
  return path;
}

/* sys.open_proc(path [, place]) -> Fd    open(2); `place`: where a folder is */
static int sys_open_proc(lua_State *L) {
  const char *path = check_proc_path(L);
  bool place = lua_toboolean(L, 2);
  lib_Fd *h = lib_newfd(L);
  h->fd = lib_open_proc(L, path, place ? O_PATH | O_DIRECTORY : O_RDONLY);
  lib_check(L, h->fd, "open", "sr", path,
            place ? "O_DIRECTORY|O_PATH|O_CLOEXEC" : "O_RDONLY|O_CLOEXEC");
  return 1;
}

/* sys.read_proc_link(path) -> string    readlink(2) */
static int sys_read_proc_link(lua_State *L) {
  char target[PATH_MAX];
  const char *path = check_proc_path(L);
  ssize_t n = readlink(path, target, sizeof target);
  if (n == -1 && errno == ENOENT) {
    int at = kept_proc(L);
    errno = ENOENT;
    if (at >= 0)
      n = readlinkat(at, path + strlen("/proc/"), target, sizeof target);
  }
  lib_check(L, n, "readlink", "s", path);
  lua_pushlstring(L, target, (size_t)n);
  return 1;
}

/* -- the way back --------------------------------------------------------- */

/* ns.here() -> a table of handles for ns.back */
static int ns_here(lua_State *L) { return push_here(L); }

static void back_one(lua_State *L, int saved, int index) {
  if (lua_getfield(L, saved, lib_nstypes[index].word) == LUA_TUSERDATA) {
    lib_Ns *ns = lib_checkns(L, -1);
    if (!ns_is_current(ns)) {
      if (ns->type == CLONE_NEWUSER)
        lib_fail_text(L, EPERM, "setns", "the old user namespace",
                      "no way back to user: ");
      if (setns(ns->h.fd, ns->type) == -1)
        lib_fail_text(L, errno, "setns", lib_nstypes[index].name,
                      lua_pushfstring(L, "no way back to %s: ",
                                      lib_nstypes[index].word));
    }
  }
  lua_pop(L, 1);
}

static bool is_directory(int fd, const char *path) {
  struct stat a, b;
  return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino &&
         a.st_dev == b.st_dev;
}

/* The root and working directory: setns(mnt) and chroot move them. */
static void back_directories(lua_State *L, int saved) {
  if (lua_getfield(L, saved, "root") == LUA_TUSERDATA) {
    int fd = lib_checkfd(L, -1);
    if (!is_directory(fd, "/"))
      if (fchdir(fd) == -1 || chroot(".") == -1)
        lib_fail_text(L, errno, "chroot", "\".\"", "no way back to the root: ");
  }
  if (lua_getfield(L, saved, "cwd") == LUA_TUSERDATA) {
    int fd = lib_checkfd(L, -1);
    if (!is_directory(fd, "."))
      lib_check(L, fchdir(fd), "fchdir", "d", fd);
  }
  lua_pop(L, 2);
}

/* ns.back([saved]) -> true    setns(2)
   The default is the state at the start of the program. */
static int ns_back(lua_State *L) {
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &start_key);
    lua_replace(L, 1);
    if (lua_isnil(L, 1)) { /* nothing has changed yet */
      lua_pushboolean(L, 1);
      return 1;
    }
    if (lua_isboolean(L, 1))
      return luaL_error(L, "the start was not saved: no /proc was mounted");
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  lib_number_mounts(L);
  for (int i = LIB_NSCOUNT - 1; i >= 0; i--)
    back_one(L, 1, i);
  back_directories(L, 1);
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg funcs[] = {
  {"back", ns_back},
  {"here", ns_here},
  {NULL, NULL},
};

/* sys.forget_start(): where the process is now is where it began */
static int ns_forget_start(lua_State *L) {
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &start_key);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &proc_key);
  return 0;
}

/* sys.left_user() -> boolean: is this another user namespace than at the
   start? Nobody goes back there. */
static int sys_left_user(lua_State *L) {
  bool left = false;
  lua_settop(L, 0);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &start_key) == LUA_TTABLE &&
      lua_getfield(L, 1, lib_nstypes[0].word) == LUA_TUSERDATA)
    left = !ns_is_current(lib_checkns(L, 2));
  lua_pushboolean(L, left);
  return 1;
}

static const luaL_Reg internals[] = {
  {"forget_start", ns_forget_start},
  {"left_user", sys_left_user},
  {"open_proc", sys_open_proc},
  {"read_proc_link", sys_read_proc_link},
  {NULL, NULL},
};

void back_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  lib_internals(L, internals);
}
