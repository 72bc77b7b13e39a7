/* SPDX-License-Identifier: MIT
 *
 * mount.c - mounts and the root: one mount(2) for one ns.mount, a handle that
 * takes its own mount away and no other, chroot and pivot_root. mount(2),
 * umount(2), mount_namespaces(7), chroot(2), pivot_root(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"

#define PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

/* -- the handle --------------------------------------------------------------
 * It knows its mount by number: a path may mean another mount by the time
 * that the handle closes, in this namespace or another. The number is asked for
 * when it is wanted, or before our next call that could change what is there:
 * a mount whose handle nobody uses is one system call. */

static const char newest_key = 'm'; /* registry: the mount that is fresh */

/* Its user values, as properties. */
enum { SOURCE = 1, TARGET, TYPE, VALUES = TYPE };

static int mount_get(lua_State *L) {
  static const char *const names[VALUES] = {"source", "target", "type"};
  const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  for (int i = 0; i < VALUES; i++)
    if (strcmp(key, names[i]) == 0) {
      lua_getiuservalue(L, 1, i + 1);
      return 1;
    }
  return 0;
}

/* The number of the mount at a path; 0 when there is none, and when nobody can
   tell. */
static uint64_t mount_id(const char *path) {
  struct statx st;
  if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
            STATX_MNT_ID | STATX_MNT_ID_UNIQUE, &st) == -1)
    return 0;
  if (st.stx_attributes_mask & ~st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
    return 0;
  return st.stx_mask & (STATX_MNT_ID | STATX_MNT_ID_UNIQUE) ? st.stx_mnt_id : 0;
}

/* [path] -> [one that means the same from every directory] */
static void make_absolute(lua_State *L) {
  char cwd[PATH_MAX];
  const char *path = lua_tostring(L, -1);
  if (*path == '/' || getcwd(cwd, sizeof cwd) == NULL)
    return;
  if (strcmp(path, ".") == 0)
    lua_pushstring(L, cwd);
  else
    lua_pushfstring(L, "%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, path);
  lua_remove(L, -2);
}

lib_Mount *lib_newmount(lua_State *L) {
  int values = lua_gettop(L) - VALUES;
  lib_Mount *m = lua_newuserdatauv(L, sizeof *m, VALUES);
  m->h.fd = -1;
  m->h.generation = lib_generation();
  m->id = 0;
  m->fresh = false;
  luaL_setmetatable(L, LIB_MOUNT);
  lua_insert(L, values + 1);
  lua_setiuservalue(L, values + 1, TYPE);
  make_absolute(L);
  lua_setiuservalue(L, values + 1, TARGET);
  lua_setiuservalue(L, values + 1, SOURCE);
  return m;
}

/* Pushes where it was mounted. */
static const char *push_target(lua_State *L, int index) {
  lua_getiuservalue(L, index, TARGET);
  return lua_tostring(L, -1);
}

void lib_mounted(lua_State *L, int index) {
  lib_Mount *m = luaL_checkudata(L, index, LIB_MOUNT);
  m->fresh = true;
  lua_pushvalue(L, index);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &newest_key);
}

/* Pushes the mount that is fresh; with none it pushes nothing: NULL. */
static lib_Mount *push_newest(lua_State *L) {
  luaL_checkstack(L, 4, "mount");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &newest_key);
  lib_Mount *m = lua_touserdata(L, -1);
  if (m == NULL)
    lua_pop(L, 1);
  return m;
}

/* [the newest] -> []    It is fresh no longer. */
static void settle(lua_State *L, lib_Mount *newest, uint64_t id) {
  newest->id = id;
  newest->fresh = false;
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &newest_key);
  lua_pop(L, 1);
}

void lib_number_mounts(lua_State *L) {
  lib_Mount *newest = push_newest(L);
  if (newest == NULL)
    return;
  uint64_t id = mount_id(push_target(L, -1));
  lua_pop(L, 1);
  settle(L, newest, id);
}

/* mount:umount([flags = "detach"]) -> whether it was still there
   umount2(2) */
static int mount_umount_handle(lua_State *L) {
  lib_Mount *m = lib_self(L, LIB_MOUNT);
  unsigned long flags = lua_isnoneornil(L, 2)
                          ? MNT_DETACH
                          : lib_checkflags(L, 2, lib_umountflags);
  lib_number_mounts(L);
  uint64_t id = m->id;
  const char *target = push_target(L, 1);
  if (id == 0 || !lib_mine(&m->h) || mount_id(target) != id) {
    m->id = 0;
    lua_pushboolean(L, 0);
    return 1;
  }
  lib_done(L, umount2(target, (int)flags), "umount2", "sw", target,
           lib_umountflags, flags);
  m->id = 0;
  return 1;
}

/* Leaving a block must not hide the error that it is left with. */
static int mount_close(lua_State *L) {
  lib_Mount *m = luaL_checkudata(L, 1, LIB_MOUNT);
  if (lua_isnoneornil(L, 2)) {
    lua_settop(L, 1);
    return mount_umount_handle(L);
  }
  lib_number_mounts(L);
  const char *target = push_target(L, 1);
  if (m->id != 0 && lib_mine(&m->h) && mount_id(target) == m->id)
    umount2(target, MNT_DETACH);
  m->id = 0;
  return 0;
}

static int mount_eq(lua_State *L) {
  lib_Mount *a = luaL_testudata(L, 1, LIB_MOUNT);
  lib_Mount *b = luaL_testudata(L, 2, LIB_MOUNT);
  lib_number_mounts(L);
  lua_pushboolean(L, a != NULL && b != NULL && a->id != 0 && a->id == b->id);
  return 1;
}

static int mount_tostring(lua_State *L) {
  lib_Mount *m = luaL_checkudata(L, 1, LIB_MOUNT);
  const char *target = push_target(L, 1);
  const char *clean = lib_pushclean(L, target, strlen(target));
  lua_getiuservalue(L, 1, TYPE);
  const char *type =
    m->id != 0 || m->fresh ? lua_tostring(L, -1) : "unmounted";
  lua_pushfstring(L, "mount %s (%s)", clean, type);
  return 1;
}

/* -- mount and umount ----------------------------------------------------- */

/* What the kernel would cut off without a word is refused. */
static const char *opt_data(lua_State *L, int arg) {
  const char *data = lib_optpath(L, arg, NULL);
  if (data != NULL && strlen(data) >= 4096)
    luaL_argerror(L, arg, "mount(2) takes at most 4095 bytes of options");
  return data;
}

/* The string at `arg`, or the text where there is none. */
static void push_given(lua_State *L, int arg, const char *text) {
  if (arg != 0 && lua_isstring(L, arg))
    lua_pushvalue(L, arg);
  else
    lua_pushstring(L, text);
}

/* ns.mount(source | nil, target, type | nil [, flags [, data]])
   -> Mount, or true when it only changes one    mount(2) */
static int mount_mount(lua_State *L) {
  const char *target = lib_checkpath(L, 2);
  const char *type = lib_optpath(L, 3, NULL);
  unsigned long flags = lib_checkflags(L, 4, lib_mountflags);
  const char *data = opt_data(L, 5);
  bool changes = flags & (MS_REMOUNT | PROPAGATION);
  const char *source = lib_optpath(L, 1, changes ? NULL : "none");
  if (type == NULL && !(flags & (MS_BIND | MS_MOVE)) && !changes)
    luaL_argerror(L, 3, "a new mount wants a file system type");
  if (!changes) {
    lib_number_mounts(L);
    lua_settop(L, 5);
    push_given(L, 1, source);
    lua_pushvalue(L, 2);
    push_given(L, flags & (MS_MOVE | MS_BIND) ? 0 : 3,
               flags & MS_MOVE ? "move" : "bind");
    lib_newmount(L);
  }
  lib_leave_root();
  lib_done(L, mount(source, target, type, flags, data), "mount", "sssws",
           source, target, type, lib_mountflags, flags, data);
  if (changes)
    return 1;
  lua_pop(L, 1);
  lib_mounted(L, 6);
  return 1;
}

/* What is taken away at the place of the newest mount is that mount. */
static lib_Mount *push_newest_at(lua_State *L, const char *target) {
  lib_Mount *newest = push_newest(L);
  if (newest == NULL)
    return NULL;
  bool same = strcmp(push_target(L, -1), target) == 0;
  lua_pop(L, 1);
  if (same)
    return newest;
  lua_pop(L, 1);
  lib_number_mounts(L);
  return NULL;
}

/* ns.umount(target | Mount [, flags]) -> true    umount2(2) */
static int mount_umount(lua_State *L) {
  unsigned long flags = lib_checkflags(L, 2, lib_umountflags);
  if (flags > INT_MAX)
    luaL_argerror(L, 2, "number has bits that umount2(2) does not know");
  lib_Mount *m = luaL_testudata(L, 1, LIB_MOUNT);
  const char *target = m ? push_target(L, 1) : lib_checkpath(L, 1);
  lib_Mount *newest = push_newest_at(L, target);
  lib_check(L, umount2(target, (int)flags), "umount2", "sw", target,
            lib_umountflags, flags);
  if (newest != NULL)
    settle(L, newest, 0);
  if (m != NULL)
    m->id = 0;
  lua_pushboolean(L, 1);
  return 1;
}

/* -- the root ------------------------------------------------------------- */

/* ns.chroot(path) -> true    chroot(2): the directory stays where it is */
static int mount_chroot(lua_State *L) {
  const char *path = lib_checkpath(L, 1);
  lib_remember_start(L);
  lib_keep_proc(L);
  lib_departure(L, "chroot");
  lib_number_mounts(L);
  lib_leave_root();
  return lib_done(L, chroot(path), "chroot", "s", path);
}

/* ns.chdir(path | Fd) -> true    chdir(2), fchdir(2) */
static int mount_chdir(lua_State *L) {
  if (lua_type(L, 1) == LUA_TSTRING) {
    const char *path = lib_checkpath(L, 1);
    lib_remember_start(L);
    return lib_done(L, chdir(path), "chdir", "s", path);
  }
  int fd = lib_checkfd(L, 1);
  lib_remember_start(L);
  return lib_done(L, fchdir(fd), "fchdir", "d", fd);
}

static long pivot(const char *new_root, const char *put_old) {
  return syscall(SYS_pivot_root, new_root, put_old);
}

/* The old root goes under the new one and off at once: no directory for it.
   A refusal leaves the caller where it was. */
static int pivot_and_drop(lua_State *L, const char *path) {
  lib_Fd *before = lib_newfd(L);
  lua_toclose(L, -1);
  before->fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  lib_check(L, chdir(path), "chdir", "s", path);
  long result = pivot(".", ".");
  int error_number = errno;
  if (result == -1 && before->fd >= 0 && fchdir(before->fd) == -1)
    chdir("/");
  errno = error_number;
  lib_check(L, result, "pivot_root", "ss", ".", ".");
  lib_check(L, umount2(".", MNT_DETACH), "umount2", "sr", ".", "MNT_DETACH");
  return lib_done(L, chdir("/"), "chdir", "s", "/");
}

/* ns.pivot_root(new [, old]) -> true    pivot_root(2); without `old` the old
   root is gone afterwards and the caller is in "/" */
static int mount_pivot_root(lua_State *L) {
  const char *path = lib_checkpath(L, 1);
  const char *old = lib_optpath(L, 2, NULL);
  lib_remember_start(L);
  lib_keep_proc(L);
  lib_departure(L, "pivot_root");
  lib_number_mounts(L);
  lib_leave_root();
  if (old == NULL)
    return pivot_and_drop(L, path);
  return lib_done(L, pivot(path, old), "pivot_root", "ss", path, old);
}

static const luaL_Reg funcs[] = {
  {"chdir", mount_chdir},
  {"chroot", mount_chroot},
  {"mount", mount_mount},
  {"pivot_root", mount_pivot_root},
  {"umount", mount_umount},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"close", mount_umount_handle},
  {"umount", mount_umount_handle},
  {NULL, NULL},
};

/* No __gc: what is mounted stays when a handle is only forgotten. */
static const luaL_Reg metamethods[] = {
  {"__close", mount_close},
  {"__eq", mount_eq},
  {"__tostring", mount_tostring},
  {NULL, NULL},
};

void mount_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  lib_newtype(L, LIB_MOUNT, metamethods, methods, mount_get);
}
