/* SPDX-License-Identifier: MIT
 *
 * error.c - the error object: what a refused call was, and, once somebody asks,
 * why it was refused here and what helps. errno(3).
 */
#include <errno.h>
#include <string.h>

#include "lib.h"

#define ERROR_TYPE "nslua.error"

static const char explain_key = 'e'; /* registry: fn(err) -> why, fix */

/* -- names ---------------------------------------------------------------- */

#define E(name) {name, #name}
static const struct {
  int number;
  const char *name;
} errno_names[] = {
  E(EPERM),        E(ENOENT),          E(ESRCH),         E(EINTR),
  E(EIO),          E(ENXIO),           E(E2BIG),         E(ENOEXEC),
  E(EBADF),        E(ECHILD),          E(EAGAIN),        E(ENOMEM),
  E(EACCES),       E(EFAULT),          E(ENOTBLK),       E(EBUSY),
  E(EEXIST),       E(EXDEV),           E(ENODEV),        E(ENOTDIR),
  E(EISDIR),       E(EINVAL),          E(ENFILE),        E(EMFILE),
  E(ENOTTY),       E(ETXTBSY),         E(EFBIG),         E(ENOSPC),
  E(ESPIPE),       E(EROFS),           E(EMLINK),        E(EPIPE),
  E(EDOM),         E(ERANGE),          E(EDEADLK),       E(ENAMETOOLONG),
  E(ENOLCK),       E(ENOSYS),          E(ENOTEMPTY),     E(ELOOP),
  E(ENODATA),      E(ETIME),           E(ENOLINK),       E(EPROTO),
  E(EBADMSG),      E(EOVERFLOW),       E(EBADFD),        E(EILSEQ),
  E(EUSERS),       E(ENOTSOCK),        E(EDESTADDRREQ),  E(EMSGSIZE),
  E(EPROTOTYPE),   E(ENOPROTOOPT),     E(EPROTONOSUPPORT),
  E(ESOCKTNOSUPPORT), E(EOPNOTSUPP),   E(EPFNOSUPPORT),  E(EAFNOSUPPORT),
  E(EADDRINUSE),   E(EADDRNOTAVAIL),   E(ENETDOWN),      E(ENETUNREACH),
  E(ECONNABORTED), E(ECONNRESET),      E(ENOBUFS),       E(EISCONN),
  E(ENOTCONN),     E(ESHUTDOWN),       E(ETIMEDOUT),     E(ECONNREFUSED),
  E(EHOSTDOWN),    E(EHOSTUNREACH),    E(EALREADY),      E(EINPROGRESS),
  E(ESTALE),       E(EDQUOT),          E(ECANCELED),     E(EKEYREJECTED),
  E(ENOKEY),       E(ERESTART),        E(ENOTUNIQ),      E(EREMOTE),
};

const char *lib_errno_name(int error_number) {
  for (size_t i = 0; i < sizeof errno_names / sizeof *errno_names; i++)
    if (errno_names[i].number == error_number)
      return errno_names[i].name;
  return "errno";
}

/* -- making one ----------------------------------------------------------- */

/* Pushes "file:line: " of the innermost line that is not ours, or "". */
static void push_where(lua_State *L) {
  lua_Debug ar;
  for (int level = 0; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline > 0 && strncmp(ar.source, "@nslua/", 7) != 0) {
      lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
      lib_pushclean(L, lua_tostring(L, -1), lua_rawlen(L, -1));
      lua_remove(L, -2);
      return;
    }
  }
  lua_pushliteral(L, "");
}

/* [args table, args text] -> [error object] */
void lib_makeerror(lua_State *L, int error_number, const char *call) {
  char reason[128];
  const char *name = lib_errno_name(error_number);
  const char *text = strerror_r(error_number, reason, sizeof reason);
  int args = lua_gettop(L) - 1;
  lua_createtable(L, 0, 8);
  lua_pushfstring(L, "%s(%s): %s (%s)", call, lua_tostring(L, args + 1), text,
                  name);
  lua_setfield(L, -2, "message");
  lua_pushvalue(L, args);
  lua_setfield(L, -2, "args");
  lua_pushstring(L, call);
  lua_setfield(L, -2, "call");
  lua_pushinteger(L, error_number);
  lua_setfield(L, -2, "errno");
  lua_pushstring(L, name);
  lua_setfield(L, -2, "name");
  lua_pushfstring(L, "%s(2)", call);
  lua_setfield(L, -2, "see");
  push_where(L);
  lua_setfield(L, -2, "where");
  luaL_setmetatable(L, ERROR_TYPE);
  lua_replace(L, args);
  lua_settop(L, args);
}

void lib_pusherror(lua_State *L, int error_number, const char *call,
                   const char *args) {
  luaL_checkstack(L, 12, "error object");
  lua_newtable(L);
  lua_pushstring(L, args);
  lua_rawseti(L, -2, 1);
  lua_pushstring(L, args);
  lib_makeerror(L, error_number, call);
}

_Noreturn void lib_fail_text(lua_State *L, int error_number, const char *call,
                             const char *args, const char *step) {
  lib_pusherror(L, error_number, call, args);
  if (step != NULL) {
    lua_pushstring(L, step);
    lua_setfield(L, -2, "step");
  }
  lua_error(L);
  __builtin_unreachable();
}

/* -- what it answers ------------------------------------------------------ */

/* err.why, err.fix and err.hint are worked out when first asked for: probing
   the machine is too dear for an error that is only tried. */
static void explain(lua_State *L) {
  lua_pushliteral(L, "");
  lua_setfield(L, 1, "hint"); /* an error in here must not come back here */
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &explain_key) != LUA_TFUNCTION) {
    lua_pop(L, 1);
    return;
  }
  lua_pushvalue(L, 1);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK || !lua_istable(L, -1)) {
    lua_pop(L, 1);
    return;
  }
  static const char *const fields[] = {"why", "fix", "hint", "see"};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    if (lua_getfield(L, -1, fields[i]) == LUA_TSTRING)
      lua_setfield(L, 1, fields[i]);
    else
      lua_pop(L, 1);
  lua_pop(L, 1);
}

static int error_index(lua_State *L) {
  if (!lua_istable(L, 1) || lua_type(L, 2) != LUA_TSTRING)
    return 0;
  const char *key = lua_tostring(L, 2);
  if (strcmp(key, "hint") != 0 && strcmp(key, "why") != 0 &&
      strcmp(key, "fix") != 0)
    return 0;
  lua_pushliteral(L, "hint");
  if (lua_rawget(L, 1) == LUA_TNIL)
    explain(L);
  lua_settop(L, 2);
  lua_rawget(L, 1);
  return 1;
}

/* A buffer may hold no value of ours above it while it grows: the field is
   looked at, then fetched again. */
static void add_field(lua_State *L, luaL_Buffer *B, const char *label,
                      const char *field) {
  bool has = lua_getfield(L, 1, field) == LUA_TSTRING && lua_rawlen(L, -1) > 0;
  lua_pop(L, 1);
  if (!has)
    return;
  luaL_addstring(B, label);
  lua_getfield(L, 1, field);
  luaL_addvalue(B);
}

static int error_tostring(lua_State *L) {
  luaL_Buffer B;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "hint"); /* fills why and fix before the buffer opens */
  lua_settop(L, 1);
  luaL_buffinit(L, &B);
  add_field(L, &B, "", "where");
  add_field(L, &B, "", "step");
  add_field(L, &B, "", "message");
  add_field(L, &B, "\n  why  ", "why");
  add_field(L, &B, "\n  fix  ", "fix");
  luaL_pushresult(&B);
  return 1;
}

/* nslua.sys.explain(fn): who answers for why and fix */
static int sys_explain(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &explain_key);
  return 0;
}

/* -- for our Lua modules -------------------------------------------------- */

/* nslua.sys.error(errno, call [, args [, step]]) -> error object */
static int sys_error(lua_State *L) {
  int error_number = lib_checkint(L, 1, 1, 4095);
  const char *call = luaL_checkstring(L, 2);
  lib_pusherror(L, error_number, call, luaL_optstring(L, 3, ""));
  if (lua_type(L, 4) == LUA_TSTRING) {
    lua_pushvalue(L, 4);
    lua_setfield(L, -2, "step");
  }
  return 1;
}

_Noreturn void lib_raise(lua_State *L, const char *message) {
  push_where(L);
  lua_pushstring(L, message);
  lua_concat(L, 2);
  lua_error(L);
  __builtin_unreachable();
}

/* nslua.sys.raise(message): a plain error at the caller's own line, however
   deep in our modules it was found */
static int sys_raise(lua_State *L) { lib_raise(L, luaL_checkstring(L, 1)); }

static const luaL_Reg funcs[] = {
  {"error", sys_error},
  {"explain", sys_explain},
  {"raise", sys_raise},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__index", error_index},
  {"__tostring", error_tostring},
  {NULL, NULL},
};

void error_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  if (luaL_newmetatable(L, ERROR_TYPE))
    luaL_setfuncs(L, metamethods, 0);
  lua_setfield(L, -2, "error_type");
}
