/* SPDX-License-Identifier: MIT
 *
 * handle.c - userdata that own a descriptor: Fd, Ns, Proc. The userdata comes
 * first, the descriptor second, so that a Lua error cannot leak one. A handle
 * belongs to one process: after a fork the child may close its copy of the
 * descriptor, and that is all its copy of the handle does.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"

/* -- whose handle is it? -------------------------------------------------- */

/* Not getpid(): parent and child may both be PID 1, each in its namespace. */
static unsigned generation;

unsigned lib_generation(void) { return generation; }

void lib_forked(void) { generation++; }

/* Forks that we do not make ourselves (the host program's) count too. */
static void watch_forks(void) { pthread_atfork(NULL, NULL, lib_forked); }

bool lib_mine(const lib_Fd *handle) {
  return handle->generation == generation;
}

void lib_close(lib_Fd *handle) {
  int fd = handle->fd;
  handle->fd = -1;
  if (fd >= 0)
    close(fd); /* never tried again: Linux frees the number in any case */
}

/* -- making and checking -------------------------------------------------- */

static void *new_handle(lua_State *L, size_t size, int uservalues,
                        const char *type) {
  lib_Fd *h = lua_newuserdatauv(L, size, uservalues);
  memset(h, 0, size);
  h->fd = -1;
  h->generation = generation;
  luaL_setmetatable(L, type);
  return h;
}

lib_Fd *lib_newfd(lua_State *L) {
  return new_handle(L, sizeof(lib_Fd), 0, LIB_FD);
}

lib_Ns *lib_newns(lua_State *L) {
  return new_handle(L, sizeof(lib_Ns), 0, LIB_NS);
}

lib_Proc *lib_newproc(lua_State *L) {
  lib_Proc *proc = new_handle(L, sizeof(lib_Proc), 1, LIB_PROC);
  proc->report_fd = -1;
  lua_newtable(L);
  lua_setiuservalue(L, -2, 1);
  return proc;
}

static void *check_open(lua_State *L, int arg, const char *type) {
  lib_Fd *h = luaL_checkudata(L, arg, type);
  if (h->fd < 0)
    luaL_argerror(L, arg, "the handle is closed");
  return h;
}

lib_Ns *lib_checkns(lua_State *L, int arg) {
  return check_open(L, arg, LIB_NS);
}

lib_Proc *lib_checkproc(lua_State *L, int arg) {
  return luaL_checkudata(L, arg, LIB_PROC);
}

/* The descriptor in a value: -1 when it is a closed handle, -2 when it is
   nothing of the kind. */
static int find_fd(lua_State *L, int index) {
  static const char *const types[] = {LIB_FD, LIB_NS, LIB_PROC};
  if (lua_isinteger(L, index)) {
    lua_Integer n = lua_tointeger(L, index);
    return n >= 0 && n <= 0x7fffffff ? (int)n : -2;
  }
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    lib_Fd *h = luaL_testudata(L, index, types[i]);
    if (h != NULL)
      return h->fd < 0 ? -1 : h->fd;
  }
  luaL_Stream *file = luaL_testudata(L, index, LUA_FILEHANDLE);
  if (file != NULL)
    return file->closef != NULL ? fileno(file->f) : -1;
  return -2;
}

int lib_checkfd(lua_State *L, int arg) {
  int fd = find_fd(L, arg);
  if (lua_isinteger(L, arg))
    return lib_checkint(L, arg, 0, 0x7fffffff);
  if (fd == -1)
    luaL_argerror(L, arg, "the handle is closed");
  return fd >= 0 ? fd : luaL_typeerror(L, arg, "Fd");
}

int lib_checkfdat(lua_State *L, int arg, lua_Integer i) {
  lua_rawgeti(L, arg, i);
  int fd = find_fd(L, -1);
  if (fd < 0)
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "element %I is %s", i,
                                  fd == -1 ? "closed" : "no open Fd"));
  lua_pop(L, 1);
  return fd;
}

pid_t lib_checkpid(lua_State *L, int arg) {
  if (lua_type(L, arg) == LUA_TNUMBER)
    return lib_checkint(L, arg, 1, 0x7fffffff);
  lib_Proc *proc = luaL_testudata(L, arg, LIB_PROC);
  if (proc == NULL)
    return luaL_typeerror(L, arg, "Proc or pid");
  if (proc->h.fd < 0 || proc->state != LIB_RUNNING)
    lib_raise(L, lua_pushfstring(L, "the process has ended: %d",
                                 (int)proc->pid));
  return proc->pid;
}

int lib_checkpidfd(lua_State *L, int arg) {
  lib_Proc *proc = luaL_testudata(L, arg, LIB_PROC);
  if (proc != NULL)
    return ((lib_Fd *)check_open(L, arg, LIB_PROC))->fd;
  pid_t pid = lib_checkpid(L, arg);
  lib_Fd *h = lib_newfd(L);
  lua_toclose(L, -1);
  h->fd = (int)lib_check(L, syscall(SYS_pidfd_open, pid, 0), "pidfd_open",
                         "dd", (int)pid, 0);
  return h->fd;
}

/* -- methods called with a dot --------------------------------------------- */

/* The method of ours that a script called: the last of our frames before it.
   NULL when its caller has no name for it, as pcall. */
static const char *called_name(lua_State *L) {
  lua_Debug ar, ours;
  int level = 1, found = lua_getstack(L, 0, &ours);
  while (lua_getstack(L, level, &ar)) {
    lua_getinfo(L, "S", &ar);
    if (strncmp(ar.source, "@nslua/", 7) != 0)
      break;
    ours = ar;
    level++;
  }
  if (!found || !lua_getinfo(L, "n", &ours) || ours.name == NULL)
    return "method";
  return lib_pushclean(L, ours.name, strlen(ours.name));
}

/* A method that was called with a dot got its first argument for a handle. */
_Noreturn static void no_self(lua_State *L, const char *what) {
  char example[16];
  bool is_ns = strcmp(what, "Ns") == 0; /* `ns` is the module, to everybody */
  const char *article = *what == 'F' || *what == 'N' ? "an" : "a";
  snprintf(example, sizeof example, "%s", is_ns ? "handle" : what);
  example[0] = (char)(example[0] | 0x20);
  lib_raise(L, lua_pushfstring(L, "%s %s is wanted: %s:%s(), with a colon",
                               article, what, example, called_name(L)));
}

void *lib_self(lua_State *L, const char *type) {
  void *handle = luaL_testudata(L, 1, type);
  if (handle == NULL)
    no_self(L, strchr(type, '.') + 1);
  return handle;
}

lib_Fd *lib_openself(lua_State *L) {
  lib_self(L, LIB_FD);
  return check_open(L, 1, LIB_FD);
}

int lib_selffd(lua_State *L) {
  if (find_fd(L, 1) == -2)
    no_self(L, "Fd");
  return lib_checkfd(L, 1);
}

/* nslua.sys.self(value, what): is it one, as a method of `what` needs? */
static int sys_self(lua_State *L) {
  const char *what = luaL_checkstring(L, 2);
  if (luaL_getmetafield(L, 1, "__name") != LUA_TSTRING ||
      strncmp(lua_tostring(L, -1), "nslua.", 6) != 0 ||
      strcmp(lua_tostring(L, -1) + 6, what) != 0)
    no_self(L, what);
  return 0;
}

/* -- which namespace is it? ----------------------------------------------- */

/* For one that turned out to be something else: nobody will want it. */
static bool refuse(lib_Ns *ns, int error_number) {
  lib_close(&ns->h);
  errno = error_number;
  return false;
}

bool lib_identify(lib_Ns *ns) {
  struct statfs fs;
  struct stat st;
  if (fstatfs(ns->h.fd, &fs) == -1 || fstat(ns->h.fd, &st) == -1)
    return refuse(ns, errno);
  if (fs.f_type != NSFS_MAGIC && fs.f_type != PROC_SUPER_MAGIC)
    return refuse(ns, EINVAL);
  int type = ioctl(ns->h.fd, NS_GET_NSTYPE);
  if (type == -1)
    return refuse(ns, EINVAL);
  ns->type = type;
  ns->dev = st.st_dev;
  ns->ino = st.st_ino;
  return true;
}

int lib_nsofpidfd(int pidfd, int index) {
  return pidfd < 0 ? -1 : ioctl(pidfd, lib_nsrequests[index], 0);
}

/* -- handle types --------------------------------------------------------- */

/* handle[key]: a property, else a method, else what Lua keeps with it */
static int handle_index(lua_State *L) {
  lua_CFunction get = lua_tocfunction(L, lua_upvalueindex(2));
  luaL_argexpected(L, lua_type(L, 1) == LUA_TUSERDATA, 1, "handle");
  lua_settop(L, 2);
  if (get != NULL) {
    int n = get(L);
    if (n > 0)
      return n;
    lua_settop(L, 2);
  }
  lua_pushvalue(L, 2);
  if (lua_gettable(L, lua_upvalueindex(1)) != LUA_TNIL)
    return 1;
  if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE)
    return 0;
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return 1;
}

/* Lua adds methods through sys.methods[name] and reads what a handle keeps
   through sys.fields(handle). */
static int sys_fields(lua_State *L) {
  luaL_checktype(L, 1, LUA_TUSERDATA);
  if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE)
    luaL_argerror(L, 1, "the handle keeps no fields");
  return 1;
}

/* The name "nslua.Proc" is known to Lua as "Proc".
   [methods] -> [methods] */
static void publish_methods(lua_State *L, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, "nslua.methods");
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, strrchr(name, '.') + 1);
  lua_pop(L, 1);
}

static size_t count(const luaL_Reg *functions) {
  size_t n = 0;
  while (functions[n].name != NULL)
    n++;
  return n;
}

void lib_newtype(lua_State *L, const char *name, const luaL_Reg *metamethods,
                 const luaL_Reg *methods, lua_CFunction get) {
  if (!luaL_newmetatable(L, name)) {
    lua_pop(L, 1);
    return;
  }
  luaL_setfuncs(L, metamethods, 0);
  lua_createtable(L, 0, (int)count(methods));
  luaL_setfuncs(L, methods, 0);
  publish_methods(L, name);
  lua_pushcfunction(L, get);
  lua_pushcclosure(L, handle_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__metatable"); /* scripts cannot take it apart */
  lua_pop(L, 1);
}

void lib_endwithcall(lua_State *L, const char *name, lua_CFunction end) {
  if (luaL_newmetatable(L, name)) {
    lua_pushcfunction(L, end);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, end);
    lua_setfield(L, -2, "__close");
  }
  lua_setmetatable(L, -2);
  lua_toclose(L, -1);
}

void lib_addmethods(lua_State *L, const char *name, const luaL_Reg *methods) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, "nslua.methods");
  luaL_getsubtable(L, -1, strrchr(name, '.') + 1);
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 2);
}

static const luaL_Reg funcs[] = {
  {"fields", sys_fields},
  {"self", sys_self},
  {NULL, NULL},
};

void handle_open(lua_State *L) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, watch_forks);
  luaL_setfuncs(L, funcs, 0);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, "nslua.methods");
  lua_setfield(L, -2, "methods");
}
