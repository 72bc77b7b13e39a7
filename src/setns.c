/* SPDX-License-Identifier: MIT
 *
 * setns.c - the caller leaves its namespaces for new ones (unshare) or for
 * those of others (setns), and what a new one wants done from within: clocks,
 * the loopback device. unshare(2), setns(2), time_namespaces(7), netdevice(7).
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"
#include "ns.h"

/* -- unshare and setns ---------------------------------------------------- */

/* setns(2) leads back to the old namespace of the other types. */
static void depart(lua_State *L, int types, const char *call) {
  if (types & CLONE_NEWNS)
    lib_keep_proc(L);
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
    ns_push(L, pid, pidfd, i);
    lib_Ns *ns = luaL_testudata(L, -1, LIB_NS);
    if (ns != NULL && !ns_is_current(ns))
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
    ns_push_path(L, lib_checkpath(L, 1));
    lua_toclose(L, 2);
  }
  int fd = lib_checkfd(L, lua_gettop(L));
  depart(L, types != 0 ? types : ioctl(fd, NS_GET_NSTYPE), "setns");
  return lib_done(L, setns(fd, types), "setns", "dn", fd, types);
}

/* -- where children are born ---------------------------------------------- */

/* sys.rejoin_pid() -> Fd | "new" | nil    setns(2), pid_namespaces(7)
   After unshare("pid") children are born in another pid namespace than this
   process's; this lets them be born here again. The result leads back; nil:
   there was nothing to do, or it is refused. The kernel shows that namespace
   only when somebody was born in it: before, a new one is as good. */
static int ns_rejoin_pid(lua_State *L) {
  struct stat here, there;
  lib_Fd *own = lib_newfd(L), *later = lib_newfd(L);
  own->fd = lib_open_proc(L, "/proc/self/ns/pid", O_RDONLY);
  if (own->fd == -1 || fstat(own->fd, &here) == -1)
    return 0;
  later->fd = lib_open_proc(L, "/proc/self/ns/pid_for_children", O_RDONLY);
  bool born = later->fd >= 0 && fstat(later->fd, &there) == 0;
  int moved = -1;
  if (!born || here.st_ino != there.st_ino)
    moved = setns(own->fd, CLONE_NEWPID);
  lib_close(own);
  if (moved == -1)
    lib_close(later);
  if (!born)
    lua_pushliteral(L, "new");
  return moved == 0;
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
  {"lo_up", ns_lo_up},
  {"setns", ns_setns},
  {"timens_offsets", ns_timens_offsets},
  {"unshare", ns_unshare},
  {NULL, NULL},
};

static const luaL_Reg internals[] = {
  {"different", ns_different},
  {"leave_pid", ns_leave_pid},
  {"rejoin_pid", ns_rejoin_pid},
  {NULL, NULL},
};

void setns_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  lib_internals(L, internals);
}
