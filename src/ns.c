/* SPDX-License-Identifier: MIT
 *
 * ns.c - namespaces as such: leaving one (unshare), joining one (setns),
 * naming one (a handle that stays valid without any process), and the way
 * back. namespaces(7), unshare(2), setns(2), ioctl_ns(2), time_namespaces(7).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <net/if.h>
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

static const char start_key = 's'; /* registry: where the process began */

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
static void push_of_process(lua_State *L, pid_t pid, int pidfd, int index) {
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
static void push_all(lua_State *L, pid_t pid, int pidfd) {
  lua_createtable(L, 0, LIB_NSCOUNT + 2);
  for (int i = 0; i < LIB_NSCOUNT; i++) {
    push_of_process(L, pid, pidfd, i);
    lua_setfield(L, -2, lib_nstypes[i].word);
  }
}

static void push_by_path(lua_State *L, const char *path) {
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
    push_by_path(L, lib_checkpath(L, 1));
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
    push_all(L, pid, pidfd);
  else
    push_of_process(L, pid, pidfd, index);
  return 1;
}

/* -- where the process began ---------------------------------------------- */

static void add_directory(lua_State *L, const char *field, const char *path) {
  lib_Fd *h = lib_newfd(L);
  h->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (h->fd >= 0)
    lua_setfield(L, -2, field);
  else
    lua_pop(L, 1);
}

static int push_here(lua_State *L) {
  push_all(L, 0, -1);
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

/* ns.here() -> a table of handles for ns.back */
static int ns_here(lua_State *L) { return push_here(L); }

/* True when the saved namespace of this type is the one we are in (for pid
   and time: the one our children will be in). */
static bool is_current(const lib_Ns *saved) {
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

static void back_one(lua_State *L, int saved, int index) {
  if (lua_getfield(L, saved, lib_nstypes[index].word) == LUA_TUSERDATA) {
    lib_Ns *ns = lib_checkns(L, -1);
    if (!is_current(ns)) {
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

/* -- unshare and setns ---------------------------------------------------- */

/* setns(2) leads back to the old namespace of the other types. */
static void depart(lua_State *L, int types, const char *call) {
  if (types & (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID))
    lib_departure(L, call);
}

static int check_types(lua_State *L, int first) {
  int types = 0;
  for (int i = first; i <= lua_gettop(L); i++)
    types |= lib_checknstype(L, i);
  return types;
}

/* ns.unshare(type...) -> true    unshare(2)
   0 asks for nothing: only a system call filter can refuse that. */
static int ns_unshare(lua_State *L) {
  bool nothing = lua_gettop(L) == 1 && lua_isinteger(L, 1) &&
                 lua_tointeger(L, 1) == 0;
  int types = nothing ? 0 : check_types(L, 1);
  if (types == 0 && !nothing)
    luaL_argerror(L, 1, "namespace type expected");
  lib_remember_start(L);
  depart(L, types, "unshare");
  if (types & CLONE_NEWNS) { /* mounts will follow */
    lib_number_mounts(L);
    lib_leave_root();
  }
  bool user = types & CLONE_NEWUSER;
  uid_t uid = user ? geteuid() : 0;
  gid_t gid = user ? getegid() : 0;
  lib_check(L, unshare(types), "unshare", "n", types);
  if (user)
    lib_ids_left_behind(uid, gid);
  lua_pushboolean(L, 1);
  return 1;
}

/* The types in which a process differs from the caller. */
static int different_types(lua_State *L, pid_t pid, int pidfd) {
  int types = 0;
  for (int i = 0; i < LIB_NSCOUNT; i++) {
    push_of_process(L, pid, pidfd, i);
    lib_Ns *ns = luaL_testudata(L, -1, LIB_NS);
    if (ns != NULL && !is_current(ns))
      types |= ns->type;
    if (ns != NULL)
      lib_close(&ns->h);
    lua_pop(L, 1);
  }
  return types;
}

/* sys.different(proc | pid) -> bits of the types in which it differs */
static int ns_different(lua_State *L) {
  pid_t pid = lib_checkpid(L, 1);
  lua_settop(L, 1);
  lua_pushinteger(L, different_types(L, pid, lib_checkpidfd(L, 1)));
  return 1;
}

static int setns_process(lua_State *L, int types) {
  pid_t pid = lib_checkpid(L, 1);
  lua_settop(L, 1);
  int pidfd = lib_checkpidfd(L, 1);
  if (types == 0)
    types = different_types(L, pid, pidfd);
  if (types == 0) { /* nothing differs: we are there */
    lua_pushboolean(L, 1);
    return 1;
  }
  depart(L, types, "setns");
  return lib_done(L, setns(pidfd, types), "setns", "dn", pidfd, types);
}

/* ns.setns(target, type...) -> true    setns(2)
   target: Ns, Proc, Fd, pid, path. A process without types: all that differ. */
static int ns_setns(lua_State *L) {
  luaL_checkany(L, 1);
  int types = check_types(L, 2);
  lib_remember_start(L);
  lib_number_mounts(L);
  lib_leave_root();
  if (lua_isinteger(L, 1) || luaL_testudata(L, 1, LIB_PROC))
    return setns_process(L, types);
  lua_settop(L, 1);
  if (lua_type(L, 1) == LUA_TSTRING) {
    push_by_path(L, lib_checkpath(L, 1));
    lua_toclose(L, 2);
  }
  int fd = lib_checkfd(L, -1);
  depart(L, types != 0 ? types : ioctl(fd, NS_GET_NSTYPE), "setns");
  return lib_done(L, setns(fd, types), "setns", "dn", fd, types);
}

/* -- a namespace as a handle ---------------------------------------------- */

static int handle_close(lua_State *L) {
  lib_Ns *ns = luaL_checkudata(L, 1, LIB_NS);
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

/* -- time offsets and the loopback device --------------------------------- */

static void add_offset(lua_State *L, luaL_Buffer *B, const char *clock) {
  char line[96];
  if (lua_getfield(L, 1, clock) != LUA_TNIL) {
    int number;
    double seconds = lua_tonumberx(L, -1, &number);
    if (!number || !(fabs(seconds) < 9e9))
      luaL_error(L, "bad offset '%s' (seconds expected)", clock);
    double whole = floor(seconds);
    snprintf(line, sizeof line, "%s %.0f %.0f\n", clock, whole,
             floor((seconds - whole) * 1e9));
    lua_pop(L, 1);
    luaL_addstring(B, line);
  } else {
    lua_pop(L, 1);
  }
}

static void check_clocks(lua_State *L) {
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    if (strcmp(key, "monotonic") != 0 && strcmp(key, "boottime") != 0)
      luaL_argerror(L, 1, "the clocks are monotonic and boottime");
  }
}

/* ns.timens_offsets{monotonic = s, boottime = s} -> true
   time_namespaces(7): after unshare "time", before the first child */
static int ns_timens_offsets(lua_State *L) {
  luaL_Buffer B;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  check_clocks(L);
  luaL_buffinit(L, &B);
  add_offset(L, &B, "monotonic");
  add_offset(L, &B, "boottime");
  luaL_pushresult(&B);
  const char *text = lua_tostring(L, -1);
  lib_Fd *file = lib_newfd(L);
  file->fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
  lib_check(L, file->fd, "open", "sr", "/proc/self/timens_offsets",
            "O_WRONLY");
  ssize_t n = write(file->fd, text, strlen(text));
  int error_number = errno;
  lib_close(file);
  errno = error_number;
  return lib_done(L, n, "write", "rs", "/proc/self/timens_offsets", text);
}

/* ns.lo_up() -> true    netdevice(7): the loopback device of a new network
   namespace starts down */
static int ns_lo_up(lua_State *L) {
  struct ifreq request = {.ifr_name = "lo"};
  lib_Fd *h = lib_newfd(L);
  h->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  lib_check(L, h->fd, "socket", "rr", "AF_INET", "SOCK_DGRAM");
  request.ifr_flags = IFF_UP;
  int result = ioctl(h->fd, SIOCSIFFLAGS, &request);
  int error_number = errno;
  lib_close(h);
  errno = error_number;
  return lib_done(L, result, "ioctl", "rrr", "SIOCSIFFLAGS", "lo", "IFF_UP");
}

static const luaL_Reg funcs[] = {
  {"back", ns_back},
  {"here", ns_here},
  {"lo_up", ns_lo_up},
  {"of", ns_of},
  {"setns", ns_setns},
  {"timens_offsets", ns_timens_offsets},
  {"unshare", ns_unshare},
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

/* sys.forget_start(): where the process is now is where it began */
static int ns_forget_start(lua_State *L) {
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &start_key);
  return 0;
}

/* sys.rejoin_pid() -> Fd | "new" | nil    setns(2), pid_namespaces(7)
   After unshare("pid") children are born in another pid namespace than this
   process's; this lets them be born here again. The result leads back; nil:
   there was nothing to do, or it is refused. The kernel shows that namespace
   only when somebody was born in it: before, a new one is as good. */
static int ns_rejoin_pid(lua_State *L) {
  struct stat here, there;
  if (stat("/proc/self/ns/pid", &here) == -1)
    return 0;
  bool born = stat("/proc/self/ns/pid_for_children", &there) == 0;
  if (born && here.st_ino == there.st_ino)
    return 0;
  lib_Fd *later = lib_newfd(L);
  if (born)
    later->fd =
      open("/proc/self/ns/pid_for_children", O_RDONLY | O_CLOEXEC);
  int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
  int moved = setns(own, CLONE_NEWPID);
  if (own >= 0)
    close(own);
  if (!born)
    lua_pushliteral(L, "new");
  return moved == 0 && (later->fd >= 0 || !born) ? 1 : 0;
}

/* sys.leave_pid(fd | "new") -> true    setns(2), unshare(2)
   Undoes sys.rejoin_pid. */
static int ns_leave_pid(lua_State *L) {
  if (lua_type(L, 1) == LUA_TSTRING) {
    luaL_argcheck(L, strcmp(lua_tostring(L, 1), "new") == 0, 1, "Fd or 'new'");
    return lib_done(L, unshare(CLONE_NEWPID), "unshare", "r", "CLONE_NEWPID");
  }
  const lib_Fd *later = luaL_checkudata(L, 1, LIB_FD);
  return lib_done(L, setns(later->fd, CLONE_NEWPID), "setns", "dr", later->fd,
                  "CLONE_NEWPID");
}

static const luaL_Reg internals[] = {
  {"different", ns_different},
  {"forget_start", ns_forget_start},
  {"leave_pid", ns_leave_pid},
  {"rejoin_pid", ns_rejoin_pid},
  {NULL, NULL},
};

void ns_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  lib_internals(L, internals);
  lib_newtype(L, LIB_NS, metamethods, methods, handle_get);
}
