/* SPDX-License-Identifier: MIT
 *
 * uts.c - the UTS namespace: hostname and NIS domain name. uts_namespaces(7),
 * sethostname(2), setdomainname(2), uname(2).
 */
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib.h"

/* A name for the kernel: unlike a path it may hold any byte but NUL. */
static const char *check_name(lua_State *L, int arg, size_t *length) {
  const char *name = lib_checkpath(L, arg);
  *length = lua_rawlen(L, arg);
  return name;
}

/* ns.sethostname(name) -> true    sethostname(2) */
static int uts_sethostname(lua_State *L) {
  size_t length;
  const char *name = check_name(L, 1, &length);
  return lib_done(L, sethostname(name, length), "sethostname", "sl", name,
                  (long)length);
}

/* ns.gethostname() -> string    uname(2) */
static int uts_gethostname(lua_State *L) {
  struct utsname u;
  lib_check(L, uname(&u), "uname", "");
  lua_pushstring(L, u.nodename);
  return 1;
}

/* ns.setdomainname(name) -> true    setdomainname(2) */
static int uts_setdomainname(lua_State *L) {
  size_t length;
  const char *name = check_name(L, 1, &length);
  return lib_done(L, setdomainname(name, length), "setdomainname", "sl", name,
                  (long)length);
}

/* ns.getdomainname() -> string    getdomainname(2) */
static int uts_getdomainname(lua_State *L) {
  char name[256];
  lib_check(L, getdomainname(name, sizeof name), "getdomainname", "");
  lua_pushstring(L, name);
  return 1;
}

/* ns.uname() -> table    uname(2) */
static int uts_uname(lua_State *L) {
  struct utsname u;
  lib_check(L, uname(&u), "uname", "");
  lua_createtable(L, 0, 5);
  lua_pushstring(L, u.sysname);
  lua_setfield(L, -2, "sysname");
  lua_pushstring(L, u.nodename);
  lua_setfield(L, -2, "nodename");
  lua_pushstring(L, u.release);
  lua_setfield(L, -2, "release");
  lua_pushstring(L, u.version);
  lua_setfield(L, -2, "version");
  lua_pushstring(L, u.machine);
  lua_setfield(L, -2, "machine");
  return 1;
}

static const luaL_Reg funcs[] = {
  {"getdomainname", uts_getdomainname},
  {"gethostname", uts_gethostname},
  {"setdomainname", uts_setdomainname},
  {"sethostname", uts_sethostname},
  {"uname", uts_uname},
  {NULL, NULL},
};

void uts_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
