/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "lib.h"

/* ns.chroot(path) -> true    chroot(2): the directory stays where it is */
static int mount_chroot(lua_State *L) {
  const char *path = lib_checkpath(L, 1);
  lib_remember_start(L);
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

static const luaL_Reg funcs[] = {
  {"chdir", mount_chdir},
  {"chroot", mount_chroot},
  {NULL, NULL},
};

void mount_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
