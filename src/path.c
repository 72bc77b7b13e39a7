/* SPDX-License-Identifier: MIT
 *
 * path.c - names in the file system: what Lua's io and os lack and lessons
 * about /proc, mounts and roots need. stat(2), readlink(2), getdents(2),
 * mkdir(2), rename(2), chmod(2), chown(2), mknod(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"

/* -- what is there? ------------------------------------------------------- */

static const lib_Word file_types[] = {
  {"file", S_IFREG, "S_IFREG"},   {"dir", S_IFDIR, "S_IFDIR"},
  {"link", S_IFLNK, "S_IFLNK"},   {"char", S_IFCHR, "S_IFCHR"},
  {"block", S_IFBLK, "S_IFBLK"},  {"fifo", S_IFIFO, "S_IFIFO"},
  {"socket", S_IFSOCK, "S_IFSOCK"}, {NULL, 0, NULL},
};

static void set_integer(lua_State *L, const char *field, lua_Integer n) {
  lua_pushinteger(L, n);
  lua_setfield(L, -2, field);
}

static int push_stat(lua_State *L, const struct stat *st) {
  lua_createtable(L, 0, 18);
  lib_pushword(L, st->st_mode & S_IFMT, file_types);
  lua_setfield(L, -2, "type");
  set_integer(L, "mode", st->st_mode & 07777);
  set_integer(L, "dev", (lua_Integer)st->st_dev);
  set_integer(L, "ino", (lua_Integer)st->st_ino);
  set_integer(L, "nlink", (lua_Integer)st->st_nlink);
  set_integer(L, "uid", st->st_uid);
  set_integer(L, "gid", st->st_gid);
  set_integer(L, "size", st->st_size);
  set_integer(L, "blocks", st->st_blocks);
  set_integer(L, "atime", st->st_atime);
  set_integer(L, "mtime", st->st_mtime);
  set_integer(L, "ctime", st->st_ctime);
  set_integer(L, "mtime_nsec", st->st_mtim.tv_nsec);
  set_integer(L, "ctime_nsec", st->st_ctim.tv_nsec);
  if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
    set_integer(L, "major", major(st->st_rdev));
    set_integer(L, "minor", minor(st->st_rdev));
  }
  return 1;
}

/* ns.stat(path | Fd) -> table    stat(2), fstat(2) */
static int path_stat(lua_State *L) {
  struct stat st;
  if (lua_type(L, 1) == LUA_TSTRING) {
    const char *path = lib_checkpath(L, 1);
    lib_check(L, stat(path, &st), "stat", "s", path);
  } else {
    int fd = lib_checkfd(L, 1);
    lib_check(L, fstat(fd, &st), "fstat", "d", fd);
  }
  return push_stat(L, &st);
}

/* ns.lstat(path) -> table, of a symbolic link itself    lstat(2) */
static int path_lstat(lua_State *L) {
  struct stat st;
  const char *path = lib_checkpath(L, 1);
  lib_check(L, lstat(path, &st), "lstat", "s", path);
  return push_stat(L, &st);
}

/* ns.access(path [, "rwx"]) -> boolean, for the real ids    access(2) */
static int path_access(lua_State *L) {
  static const struct { char letter; int bit; } letters[] = {
    {'r', R_OK}, {'w', W_OK}, {'x', X_OK}, {'f', F_OK},
  };
  const char *path = lib_checkpath(L, 1);
  const char *mode = lib_optpath(L, 2, "f");
  int bits = 0;
  for (const char *p = mode; *p != '\0'; p++) {
    size_t i = 0;
    while (i < 4 && letters[i].letter != *p)
      i++;
    if (i == 4)
      luaL_argerror(L, 2, "letters of \"rwx\" are wanted, or \"f\"");
    bits |= letters[i].bit;
  }
  int result = access(path, bits);
  if (result == -1 && errno != EACCES && errno != ENOENT && errno != EROFS &&
      errno != ENOTDIR && errno != EPERM && errno != ELOOP && errno != ETXTBSY)
    lib_check(L, -1, "access", "sr", path, mode);
  lua_pushboolean(L, result == 0);
  return 1;
}

/* ns.is_mount(path) -> boolean | nil when the kernel (before 5.8) cannot tell
   statx(2): needs no /proc, and is false of "/" in a plain chroot */
static int path_is_mount(lua_State *L) {
  const char *path = lib_checkpath(L, 1);
  struct statx st;
  lib_check(L, statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, 0, &st), "statx", "s",
            path);
  if (st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)
    lua_pushboolean(L, (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0);
  else
    luaL_pushfail(L);
  return 1;
}

/* ns.readlink(path) -> string    readlink(2) */
static int path_readlink(lua_State *L) {
  char target[PATH_MAX];
  const char *path = lib_checkpath(L, 1);
  long n = lib_check(L, readlink(path, target, sizeof target), "readlink", "s",
                     path);
  lua_pushlstring(L, target, (size_t)n);
  return 1;
}

/* -- folders -------------------------------------------------------------- */

struct entry { /* struct linux_dirent64 */
  uint64_t ino;
  int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[];
};

static bool is_dots(const char *name) {
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Pushes the names in the order that the kernel gives them. */
static int push_names(lua_State *L, int fd, const char *path) {
  char buffer[16 * 1024] __attribute__((aligned(8)));
  lua_Integer count = 0;
  long n;
  lua_newtable(L);
  while ((n = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
    for (long at = 0; at < n;) {
      const struct entry *e = (const void *)(buffer + at);
      at += e->length;
      if (is_dots(e->name))
        continue;
      lua_pushstring(L, e->name);
      lua_rawseti(L, -2, ++count);
    }
  lib_check(L, n, "getdents64", "ds", fd, path);
  return 1;
}

/* ns.readdir(path | Fd) -> list of names    open(2), getdents(2) */
static int path_readdir(lua_State *L) {
  if (lua_type(L, 1) != LUA_TSTRING) {
    int fd = lib_checkfd(L, 1);
    lib_check(L, lseek(fd, 0, SEEK_SET), "lseek", "ddr", fd, 0, "SEEK_SET");
    return push_names(L, fd, "");
  }
  const char *path = lib_checkpath(L, 1);
  lua_settop(L, 1);
  lib_Fd *h = lib_newfd(L);
  lua_toclose(L, 2);
  h->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  lib_check(L, h->fd, "open", "sr", path,
            "O_RDONLY|O_DIRECTORY|O_CLOEXEC");
  return push_names(L, h->fd, path);
}

/* ns.mkdir(path [, mode = "777"]) -> true    mkdir(2) */
static int path_mkdir(lua_State *L) {
  const char *path = lib_checkpath(L, 1);
  unsigned mode = lib_optmode(L, 2, 0777);
  return lib_done(L, mkdir(path, mode), "mkdir", "so", path, mode);
}

/* ns.mkdtemp(template) -> path    mkdtemp(3): ends in XXXXXX */
static int path_mkdtemp(lua_State *L) {
  const char *template = lib_checkpath(L, 1);
  size_t size = lua_rawlen(L, 1) + 1;
  char *path = lib_scratch(L, size);
  memcpy(path, template, size);
  lib_check(L, mkdtemp(path) == NULL ? -1 : 0, "mkdtemp", "s", template);
  lua_pushstring(L, path);
  return 1;
}

/* ns.rmdir(path) -> true    rmdir(2) */
static int path_rmdir(lua_State *L) {
  const char *path = lib_checkpath(L, 1);
  return lib_done(L, rmdir(path), "rmdir", "s", path);
}

/* ns.getcwd() -> path    getcwd(2) */
static int path_getcwd(lua_State *L) {
  char path[PATH_MAX];
  lib_check(L, getcwd(path, sizeof path) == NULL ? -1 : 0, "getcwd", "");
  lua_pushstring(L, path);
  return 1;
}

/* -- names ---------------------------------------------------------------- */

/* ns.unlink(path) -> true    unlink(2) */
static int path_unlink(lua_State *L) {
  const char *path = lib_checkpath(L, 1);
  return lib_done(L, unlink(path), "unlink", "s", path);
}

/* ns.symlink(target, path) -> true    symlink(2) */
static int path_symlink(lua_State *L) {
  const char *target = lib_checkpath(L, 1), *path = lib_checkpath(L, 2);
  return lib_done(L, symlink(target, path), "symlink", "ss", target, path);
}

/* ns.hardlink(old, new) -> true    link(2) */
static int path_link(lua_State *L) {
  const char *from = lib_checkpath(L, 1), *to = lib_checkpath(L, 2);
  return lib_done(L, link(from, to), "link", "ss", from, to);
}

/* ns.rename(old, new) -> true    rename(2) */
static int path_rename(lua_State *L) {
  const char *from = lib_checkpath(L, 1), *to = lib_checkpath(L, 2);
  return lib_done(L, rename(from, to), "rename", "ss", from, to);
}

/* ns.mknod(path, type [, mode = "666" [, major, minor]]) -> true    mknod(2) */
static int path_mknod(lua_State *L) {
  const char *path = lib_checkpath(L, 1);
  unsigned long type = lib_checkword(L, 2, file_types);
  unsigned mode = lib_optmode(L, 3, 0666);
  bool device = type == S_IFCHR || type == S_IFBLK;
  unsigned high = device ? (unsigned)lib_checkint(L, 4, 0, 0xfff) : 0;
  unsigned low = device ? (unsigned)lib_checkint(L, 5, 0, 0xfffff) : 0;
  if ((type & ~(unsigned long)S_IFMT) != 0)
    luaL_argerror(L, 2, "no such type of file");
  return lib_done(L, mknod(path, (mode_t)type | mode, makedev(high, low)),
                  "mknod", "swodd", path, file_types, type, mode, (int)high,
                  (int)low);
}

/* -- owners and permissions ----------------------------------------------- */

/* ns.chmod(path | Fd, mode) -> true    chmod(2), fchmod(2) */
static int path_chmod(lua_State *L) {
  luaL_checkany(L, 2);
  if (lua_isnil(L, 2))
    luaL_typeerror(L, 2, "mode");
  unsigned mode = lib_optmode(L, 2, 0);
  if (lua_type(L, 1) == LUA_TSTRING) {
    const char *path = lib_checkpath(L, 1);
    return lib_done(L, chmod(path, mode), "chmod", "so", path, mode);
  }
  int fd = lib_checkfd(L, 1);
  return lib_done(L, fchmod(fd, mode), "fchmod", "do", fd, mode);
}

/* nil leaves an id as it is: -1 for the kernel. */
static unsigned opt_id(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg))
    return (unsigned)-1;
  int exact;
  lua_Integer id = lua_tointegerx(L, arg, &exact);
  if (lua_type(L, arg) != LUA_TNUMBER || !exact || id < 0 ||
      id >= (lua_Integer)UINT_MAX)
    luaL_argerror(L, arg, "an id is between 0 and 4294967294");
  return (unsigned)id;
}

static void check_ids(lua_State *L, unsigned *uid, unsigned *gid) {
  *uid = opt_id(L, 2);
  *gid = opt_id(L, 3);
  if (*uid == (unsigned)-1 && *gid == (unsigned)-1)
    luaL_argerror(L, 2, "a uid or a gid is wanted");
}

/* ns.chown(path | Fd, uid | nil, gid | nil) -> true    chown(2), fchown(2) */
static int path_chown(lua_State *L) {
  unsigned uid, gid;
  check_ids(L, &uid, &gid);
  if (lua_type(L, 1) == LUA_TSTRING) {
    const char *path = lib_checkpath(L, 1);
    return lib_done(L, chown(path, uid, gid), "chown", "sdd", path, (int)uid,
                    (int)gid);
  }
  int fd = lib_checkfd(L, 1);
  return lib_done(L, fchown(fd, uid, gid), "fchown", "ddd", fd, (int)uid,
                  (int)gid);
}

/* ns.lchown(path, uid | nil, gid | nil) -> true    lchown(2) */
static int path_lchown(lua_State *L) {
  unsigned uid, gid;
  const char *path = lib_checkpath(L, 1);
  check_ids(L, &uid, &gid);
  return lib_done(L, lchown(path, uid, gid), "lchown", "sdd", path, (int)uid,
                  (int)gid);
}

/* ns.umask([mode]) -> the mask before, as bits    umask(2) */
static int path_umask(lua_State *L) {
  bool change = !lua_isnoneornil(L, 1);
  unsigned mask = lib_optmode(L, 1, 0);
  if (mask > 0777)
    luaL_argerror(L, 1, "a mask is between \"0\" and \"777\"");
  mode_t before = umask(mask);
  if (!change)
    umask(before);
  lib_check(L, 0, "umask", "o", mask);
  lua_pushinteger(L, before);
  return 1;
}

static const luaL_Reg funcs[] = {
  {"access", path_access},
  {"chmod", path_chmod},
  {"chown", path_chown},
  {"getcwd", path_getcwd},
  {"hardlink", path_link},
  {"lchown", path_lchown},
  {"lstat", path_lstat},
  {"mkdir", path_mkdir},
  {"mkdtemp", path_mkdtemp},
  {"mknod", path_mknod},
  {"is_mount", path_is_mount},
  {"readdir", path_readdir},
  {"readlink", path_readlink},
  {"rename", path_rename},
  {"rmdir", path_rmdir},
  {"stat", path_stat},
  {"symlink", path_symlink},
  {"umask", path_umask},
  {"unlink", path_unlink},
  {NULL, NULL},
};

void path_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
