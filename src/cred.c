/* SPDX-License-Identifier: MIT
 *
 * cred.c - who a process is: user and group ids. These are the real system
 * calls for this process; a user namespace decides what they mean.
 * credentials(7), setresuid(2), setgroups(2), user_namespaces(7).
 */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"

enum { LEAVE = -1 };

/* -- reading -------------------------------------------------------------- */

/* ns.getuid() -> id    getuid(2) */
static int cred_getuid(lua_State *L) {
  lua_pushinteger(L, lib_check(L, getuid(), "getuid", ""));
  return 1;
}

/* ns.geteuid() -> id    geteuid(2) */
static int cred_geteuid(lua_State *L) {
  lua_pushinteger(L, lib_check(L, geteuid(), "geteuid", ""));
  return 1;
}

/* ns.getgid() -> id    getgid(2) */
static int cred_getgid(lua_State *L) {
  lua_pushinteger(L, lib_check(L, getgid(), "getgid", ""));
  return 1;
}

/* ns.getegid() -> id    getegid(2) */
static int cred_getegid(lua_State *L) {
  lua_pushinteger(L, lib_check(L, getegid(), "getegid", ""));
  return 1;
}

static int push_three(lua_State *L, unsigned real, unsigned effective,
                      unsigned saved) {
  lua_pushinteger(L, real);
  lua_pushinteger(L, effective);
  lua_pushinteger(L, saved);
  return 3;
}

/* ns.getresuid() -> real, effective, saved    getresuid(2) */
static int cred_getresuid(lua_State *L) {
  uid_t r, e, s;
  lib_check(L, getresuid(&r, &e, &s), "getresuid", "");
  return push_three(L, r, e, s);
}

/* ns.getresgid() -> real, effective, saved    getresgid(2) */
static int cred_getresgid(lua_State *L) {
  gid_t r, e, s;
  lib_check(L, getresgid(&r, &e, &s), "getresgid", "");
  return push_three(L, r, e, s);
}

/* ns.getgroups() -> list of ids    getgroups(2) */
static int cred_getgroups(lua_State *L) {
  int n = (int)lib_check(L, getgroups(0, NULL), "getgroups", "dr", 0, "NULL");
  gid_t *ids = lib_scratch(L, (size_t)n * sizeof *ids);
  n = (int)lib_check(L, getgroups(n, ids), "getgroups", "d", n);
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_pushinteger(L, ids[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* -- changing ------------------------------------------------------------- */

static unsigned check_id(lua_State *L, int arg) {
  int exact;
  if (lua_type(L, arg) != LUA_TNUMBER)
    luaL_typeerror(L, arg, "id");
  lua_Integer id = lua_tointegerx(L, arg, &exact);
  if (!exact || id < 0 || id >= (lua_Integer)UINT_MAX)
    luaL_argerror(L, arg, "an id is between 0 and 4294967294");
  return (unsigned)id;
}

/* nil leaves that id as it is. */
static unsigned opt_id(lua_State *L, int arg) {
  return lua_isnoneornil(L, arg) ? (unsigned)LEAVE : check_id(L, arg);
}

/* ns.setuid(uid) -> true    setuid(2) */
static int cred_setuid(lua_State *L) {
  unsigned id = check_id(L, 1);
  lib_departure(L, "setuid");
  return lib_done(L, setuid(id), "setuid", "l", (long)id);
}

/* ns.setgid(gid) -> true    setgid(2) */
static int cred_setgid(lua_State *L) {
  unsigned id = check_id(L, 1);
  lib_departure(L, "setgid");
  return lib_done(L, setgid(id), "setgid", "l", (long)id);
}

/* ns.seteuid(uid) -> true    seteuid(2) */
static int cred_seteuid(lua_State *L) {
  unsigned id = check_id(L, 1);
  lib_departure(L, "seteuid");
  return lib_done(L, seteuid(id), "seteuid", "l", (long)id);
}

/* ns.setegid(gid) -> true    setegid(2) */
static int cred_setegid(lua_State *L) {
  unsigned id = check_id(L, 1);
  lib_departure(L, "setegid");
  return lib_done(L, setegid(id), "setegid", "l", (long)id);
}

/* ns.setreuid(real | nil, effective | nil) -> true    setreuid(2) */
static int cred_setreuid(lua_State *L) {
  unsigned r = opt_id(L, 1), e = opt_id(L, 2);
  lib_departure(L, "setreuid");
  return lib_done(L, setreuid(r, e), "setreuid", "dd", (int)r, (int)e);
}

/* ns.setregid(real | nil, effective | nil) -> true    setregid(2) */
static int cred_setregid(lua_State *L) {
  unsigned r = opt_id(L, 1), e = opt_id(L, 2);
  lib_departure(L, "setregid");
  return lib_done(L, setregid(r, e), "setregid", "dd", (int)r, (int)e);
}

/* ns.setresuid(real | nil, effective | nil, saved | nil) -> true
   setresuid(2) */
static int cred_setresuid(lua_State *L) {
  unsigned r = opt_id(L, 1), e = opt_id(L, 2), s = opt_id(L, 3);
  lib_departure(L, "setresuid");
  return lib_done(L, setresuid(r, e, s), "setresuid", "ddd", (int)r, (int)e,
                  (int)s);
}

/* ns.setresgid(real | nil, effective | nil, saved | nil) -> true
   setresgid(2) */
static int cred_setresgid(lua_State *L) {
  unsigned r = opt_id(L, 1), e = opt_id(L, 2), s = opt_id(L, 3);
  lib_departure(L, "setresgid");
  return lib_done(L, setresgid(r, e, s), "setresgid", "ddd", (int)r, (int)e,
                  (int)s);
}

/* ns.setgroups({gid...}) -> true    setgroups(2) */
static int cred_setgroups(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Unsigned n = lua_rawlen(L, 1);
  if (n > 1000000)
    luaL_argerror(L, 1, "too many groups");
  gid_t *ids = lib_scratch(L, n * sizeof *ids);
  for (lua_Unsigned i = 0; i < n; i++) {
    int exact;
    lua_rawgeti(L, 1, (lua_Integer)i + 1);
    lua_Integer id = lua_tointegerx(L, -1, &exact);
    if (lua_type(L, -1) != LUA_TNUMBER || !exact || id < 0 ||
        id >= (lua_Integer)UINT_MAX)
      luaL_argerror(L, 1, lua_pushfstring(L, "element %I is no group id",
                                          (lua_Integer)i + 1));
    ids[i] = (gid_t)id;
    lua_pop(L, 1);
  }
  lib_departure(L, "setgroups");
  return lib_done(L, setgroups(n, ids), "setgroups", "l", (long)n);
}

static const luaL_Reg funcs[] = {
  {"getegid", cred_getegid},
  {"geteuid", cred_geteuid},
  {"getgid", cred_getgid},
  {"getgroups", cred_getgroups},
  {"getresgid", cred_getresgid},
  {"getresuid", cred_getresuid},
  {"getuid", cred_getuid},
  {"setegid", cred_setegid},
  {"seteuid", cred_seteuid},
  {"setgid", cred_setgid},
  {"setgroups", cred_setgroups},
  {"setregid", cred_setregid},
  {"setresgid", cred_setresgid},
  {"setresuid", cred_setresuid},
  {"setreuid", cred_setreuid},
  {"setuid", cred_setuid},
  {NULL, NULL},
};

void cred_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
