/* SPDX-License-Identifier: MIT
 *
 * ns.c - a namespace as a handle, which stays valid without any process: how
 * one is found (by process, path, descriptor or number), and what it answers.
 * namespaces(7), ioctl_ns(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"
#include "ns.h"

/* -- opening -------------------------------------------------------------- */

/* One of our own; `request` may ask for our children's. */
static int open_own(unsigned long request) {
  int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
  int fd = pidfd < 0 ? -1 : ioctl(pidfd, request, 0);
  int error_number = errno;
  if (pidfd >= 0)
    close(pidfd);
  errno = error_number;
  return fd;
}

static int open_by_proc(pid_t pid, int index) {
  char path[64];
  if (pid == 0)
    snprintf(path, sizeof path, "/proc/thread-self/ns/%s",
             lib_nstypes[index].word);
  else
    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid,
             lib_nstypes[index].word);
  return open(path, O_RDONLY | O_CLOEXEC);
}

/* Pushes a handle on one namespace of a process. pid 0 is the caller. A
   kernel without that type leaves nil. */
void ns_push(lua_State *L, pid_t pid, int pidfd, int index) {
  lib_Ns *ns = lib_newns(L);
  ns->type = lib_nsflags[index];
  ns->h.fd = lib_nsofpidfd(pidfd, index);
  if (pidfd >= 0 && ns->h.fd == -1 && errno == ESRCH)
    lib_fail(L, errno, "ioctl", "dr", pidfd, "PIDFD_GET_NAMESPACE");
  if (ns->h.fd == -1)
    ns->h.fd = open_by_proc(pid, index);
  if (ns->h.fd == -1 && pid == 0)
    ns->h.fd = open_own(lib_nsrequests[index]);
  if (ns->h.fd == -1 && errno == ENOENT && access("/proc/self/ns", F_OK) == 0 &&
      (pid == 0 || pidfd >= 0)) {
    lua_pop(L, 1);
    lua_pushnil(L); /* procfs is here, the type is not */
    return;
  }
  if (ns->h.fd == -1 || !lib_identify(ns))
    lib_fail(L, errno, "open", "rs", "/proc/PID/ns", lib_nstypes[index].word);
}

static int type_index(int type) {
  for (int i = 0; i < LIB_NSCOUNT; i++)
    if (lib_nsflags[i] == type)
      return i;
  return 0;
}

/* Pushes { user = Ns, mnt = Ns, ... } of a process. */
void ns_push_all(lua_State *L, pid_t pid, int pidfd) {
  lua_createtable(L, 0, LIB_NSCOUNT + 2);
  for (int i = 0; i < LIB_NSCOUNT; i++) {
    ns_push(L, pid, pidfd, i);
    lua_setfield(L, -2, lib_nstypes[i].word);
  }
}

void ns_push_path(lua_State *L, const char *path) {
  lib_Ns *ns = lib_newns(L);
  ns->h.fd = open(path, O_RDONLY | O_CLOEXEC);
  if (ns->h.fd == -1 || !lib_identify(ns)) {
    int error_number = errno;
    lib_close(&ns->h);
    lib_fail(L, error_number, "open", "s", path);
  }
}

static void push_by_fd(lua_State *L, int fd) {
  lib_Ns *ns = lib_newns(L);
  ns->h.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (ns->h.fd == -1 || !lib_identify(ns)) {
    int error_number = errno;
    lib_close(&ns->h);
    lib_fail(L, error_number, "ioctl", "dr", fd, "NS_GET_NSTYPE");
  }
}

/* No pid is larger: a number above it is a namespace, as lsns prints it. */
#define LARGEST_PID 4194304

/* Pushes the namespace with these numbers. */
static void push_by_number(lua_State *L, const lib_Number *wanted) {
  lib_Ns *ns = lib_newns(L);
  ns->h.fd = lib_open_number(wanted);
  if (ns->h.fd == -1)
    lib_fail(L, errno, "open", "rl", "/proc/*/ns/*",
             (long)(wanted->id != 0 ? wanted->id : wanted->inode));
  lib_check(L, lib_identify(ns) ? 0 : -1, "fstat", "d", ns->h.fd);
}

static uint64_t number_field(lua_State *L, const char *name) {
  lua_Integer n = 0;
  lua_pushstring(L, name);
  if (lua_rawget(L, 1) != LUA_TNIL) {
    int is_number;
    n = lua_tointegerx(L, -1, &is_number);
    if (!is_number || lua_type(L, -1) != LUA_TNUMBER || n <= 0)
      luaL_argerror(L, 1, lua_pushfstring(L, "%s is a number above 0", name));
  }
  lua_pop(L, 1);
  return (uint64_t)n;
}

/* { id =, ns = | inode =, type = }, as a row of ns.list has them. */
static void check_number(lua_State *L, int type, lib_Number *wanted) {
  wanted->type = type;
  wanted->id = number_field(L, "id");
  wanted->inode = number_field(L, "ns");
  if (wanted->inode == 0)
    wanted->inode = number_field(L, "inode");
  if (wanted->id == 0 && wanted->inode == 0)
    luaL_argerror(L, 1, "the table has neither id nor ns nor inode");
  lua_pushliteral(L, "type");
  if (lua_rawget(L, 1) != LUA_TNIL && type == 0) {
    lua_replace(L, 1);
    wanted->type = lib_checknstype(L, 1);
  }
}

/* A large number is an inode, else the id of a kernel that is long awake. */
static void push_by_integer(lua_State *L, int type) {
  lib_Number wanted = {.inode = (uint64_t)lua_tointeger(L, 1), .type = type};
  lib_Number other = {.id = wanted.inode, .type = type};
  lib_Ns *ns = lib_newns(L);
  ns->h.fd = lib_open_number(&wanted);
  if (ns->h.fd >= 0)
    lib_check(L, lib_identify(ns) ? 0 : -1, "fstat", "d", ns->h.fd);
  else
    push_by_number(L, &other);
}

/* ns.of([target [, type]]) -> { user = Ns, ... } | Ns    namespaces(7)
   target: pid, Proc, path of a namespace file, Fd, the inode of a namespace,
   { id = }; nil is the caller */
static int ns_of(lua_State *L) {
  int index = lua_isnoneornil(L, 2) ? -1 : type_index(lib_checknstype(L, 2));
  lua_settop(L, 1);
  if (lua_type(L, 1) == LUA_TSTRING) {
    ns_push_path(L, lib_checkpath(L, 1));
    return 1;
  }
  if (luaL_testudata(L, 1, LIB_FD) || luaL_testudata(L, 1, LIB_NS)) {
    push_by_fd(L, lib_checkfd(L, 1));
    return 1;
  }
  if (lua_isinteger(L, 1) && lua_tointeger(L, 1) > LARGEST_PID) {
    push_by_integer(L, index < 0 ? 0 : lib_nsflags[index]);
    return 1;
  }
  if (lua_istable(L, 1)) {
    lib_Number wanted;
    check_number(L, index < 0 ? 0 : lib_nsflags[index], &wanted);
    push_by_number(L, &wanted);
    return 1;
  }
  pid_t pid = lua_isnil(L, 1) ? 0 : lib_checkpid(L, 1);
  int pidfd = pid == 0 ? -1 : lib_checkpidfd(L, 1);
  if (index < 0)
    ns_push_all(L, pid, pidfd);
  else
    ns_push(L, pid, pidfd, index);
  return 1;
}

/* True when the saved namespace of this type is the one we are in (for pid
   and time: the one our children will be in). */
bool ns_is_current(const lib_Ns *saved) {
  unsigned long request = saved->type == CLONE_NEWPID
                            ? PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE
                          : saved->type == CLONE_NEWTIME
                            ? PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE
                            : lib_nsrequests[type_index(saved->type)];
  bool children = saved->type == CLONE_NEWPID || saved->type == CLONE_NEWTIME;
  char path[64];
  struct stat st;
  snprintf(path, sizeof path, "/proc/thread-self/ns/%s%s",
           lib_nsword(saved->type), children ? "_for_children" : "");
  int result = stat(path, &st);
  if (result == -1) { /* no procfs, or one of another pid namespace */
    int fd = open_own(request);
    result = fd < 0 ? -1 : fstat(fd, &st);
    if (fd >= 0)
      close(fd);
  }
  return result == 0 && st.st_ino == saved->ino && st.st_dev == saved->dev;
}

/* -- the handle ----------------------------------------------------------- */

static int handle_close(lua_State *L) {
  lib_Ns *ns = lib_self(L, LIB_NS);
  lib_close(&ns->h);
  return 0;
}

static int handle_eq(lua_State *L) {
  lib_Ns *a = luaL_testudata(L, 1, LIB_NS);
  lib_Ns *b = luaL_testudata(L, 2, LIB_NS);
  lua_pushboolean(L, a != NULL && b != NULL && a->type == b->type &&
                       a->ino == b->ino && a->dev == b->dev);
  return 1;
}

static int handle_tostring(lua_State *L) {
  lib_Ns *ns = luaL_checkudata(L, 1, LIB_NS);
  lua_pushfstring(L, "%s:[%I]%s", lib_nsword(ns->type), (lua_Integer)ns->ino,
                  ns->h.fd < 0 ? " (closed)" : "");
  return 1;
}

/* The kernel's number that is never used again (Linux 6.18), or nil. */
static int push_id(lua_State *L, const lib_Ns *ns) {
  __u64 id = 0;
  if (ns->h.fd < 0)
    return 0;
  if (ioctl(ns->h.fd, NS_GET_ID, &id) == -1 &&
      (ns->type != CLONE_NEWNS || ioctl(ns->h.fd, NS_GET_MNTNS_ID, &id) == -1))
    return 0;
  lua_pushinteger(L, (lua_Integer)id);
  return 1;
}

static int handle_get(lua_State *L) {
  lib_Ns *ns = luaL_checkudata(L, 1, LIB_NS);
  const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (strcmp(key, "type") == 0)
    lua_pushstring(L, lib_nsword(ns->type));
  else if (strcmp(key, "inode") == 0)
    lua_pushinteger(L, (lua_Integer)ns->ino);
  else if (strcmp(key, "dev") == 0)
    lua_pushinteger(L, (lua_Integer)ns->dev);
  else if (strcmp(key, "id") == 0)
    return push_id(L, ns);
  else
    return 0;
  return 1;
}

/* The namespace that an ioctl leads to; nil when it is out of sight: the
   initial one has none, and above one's own nobody may look (EPERM). */
static int push_related(lua_State *L, unsigned long request,
                        const char *name) {
  lib_self(L, LIB_NS);
  lib_Ns *from = lib_checkns(L, 1);
  lib_Ns *to = lib_newns(L);
  to->h.fd = ioctl(from->h.fd, request);
  if (to->h.fd == -1 && errno == EPERM) {
    luaL_pushfail(L);
    return 1;
  }
  lib_check(L, to->h.fd, "ioctl", "dr", from->h.fd, name);
  fcntl(to->h.fd, F_SETFD, FD_CLOEXEC);
  lib_check(L, lib_identify(to) ? 0 : -1, "fstat", "d", to->h.fd);
  return 1;
}

/* n:owner() -> Ns | nil    NS_GET_USERNS(2const) */
static int handle_owner(lua_State *L) {
  return push_related(L, NS_GET_USERNS, "NS_GET_USERNS");
}

/* n:parent() -> Ns | nil    NS_GET_PARENT(2const), user and pid only */
static int handle_parent(lua_State *L) {
  return push_related(L, NS_GET_PARENT, "NS_GET_PARENT");
}

/* n:owner_uid() -> integer    NS_GET_OWNER_UID(2const), user only */
static int handle_owner_uid(lua_State *L) {
  lib_self(L, LIB_NS);
  lib_Ns *ns = lib_checkns(L, 1);
  uid_t uid;
  lib_check(L, ioctl(ns->h.fd, NS_GET_OWNER_UID, &uid), "ioctl", "dr",
            ns->h.fd, "NS_GET_OWNER_UID");
  lua_pushinteger(L, uid);
  return 1;
}

/* n:pin(path) -> true    mount(2): the namespace lives on without processes
   while path stays mounted. An existing file is used, else one is made. */
static int handle_pin(lua_State *L) {
  lib_self(L, LIB_NS);
  lib_Ns *ns = lib_checkns(L, 1);
  const char *path = lib_checkpath(L, 2);
  char self[64];
  lib_Fd *file = lib_newfd(L);
  file->fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
  bool made = file->fd >= 0;
  if (!made && errno != EEXIST)
    lib_fail(L, errno, "open", "sr", path, "O_CREAT|O_EXCL");
  lib_close(file);
  snprintf(self, sizeof self, "/proc/self/fd/%d", ns->h.fd);
  int result = mount(self, path, NULL, MS_BIND, NULL);
  int error_number = errno;
  if (result == -1 && made)
    unlink(path);
  errno = error_number;
  return lib_done(L, result, "mount", "ssrr", self, path, "NULL", "MS_BIND");
}

static const luaL_Reg funcs[] = {
  {"of", ns_of},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"close", handle_close},
  {"owner", handle_owner},
  {"owner_uid", handle_owner_uid},
  {"parent", handle_parent},
  {"pin", handle_pin},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", handle_close},
  {"__eq", handle_eq},
  {"__gc", handle_close},
  {"__tostring", handle_tostring},
  {NULL, NULL},
};

void ns_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  lib_newtype(L, LIB_NS, metamethods, methods, handle_get);
}
