/* SPDX-License-Identifier: MIT
 *
 * lib.c - the error object and the trace. Both are made from the same words:
 * the name of the system call and its arguments as the kernel got them.
 * Nothing touches Lua between a call and the reading of its errno.
 */
#include "lib.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define ERROR_TYPE "nslua.error"

static const char trace_key = 't';   /* registry: who gets the trace */
static const char explain_key = 'e'; /* registry: fn(err) -> why, fix */
static const char departure_key = 'd'; /* registry: who keeps a way back */

/* True while any state of the process traces: one load on the hot path. */
static atomic_int tracers;

/* -- one argument of a call, as text -------------------------------------- */

static void add_string(luaL_Buffer *B, const char *s) {
  if (s == NULL)
    luaL_addstring(B, "NULL");
  else
    lib_addquoted(B, s, strlen(s));
}

static void add_secret(luaL_Buffer *B, const char *s) {
  char text[48];
  snprintf(text, sizeof text, "<%zu bytes>", s ? strlen(s) : 0);
  luaL_addstring(B, text);
}

static void add_decimal(luaL_Buffer *B, long n) {
  char text[32];
  snprintf(text, sizeof text, "%ld", n);
  luaL_addstring(B, text);
}

static void add_octal(luaL_Buffer *B, unsigned n) {
  char text[32];
  snprintf(text, sizeof text, "0%o", n);
  luaL_addstring(B, text);
}

static void add_vector(luaL_Buffer *B, const char *const *v) {
  luaL_addchar(B, '[');
  for (int i = 0; v != NULL && v[i] != NULL; i++) {
    if (i > 0)
      luaL_addstring(B, ", ");
    if (i == 16) { /* a line of trace stays a line */
      luaL_addstring(B, "...");
      break;
    }
    add_string(B, v[i]);
  }
  luaL_addchar(B, ']');
}

/* Puts the next argument on B; `fmt` points at its letter. */
static void add_argument(luaL_Buffer *B, char letter, va_list *ap) {
  switch (letter) {
  case 's': add_string(B, va_arg(*ap, const char *)); break;
  case 'S': add_secret(B, va_arg(*ap, const char *)); break;
  case 'r': luaL_addstring(B, va_arg(*ap, const char *)); break;
  case 'd': add_decimal(B, va_arg(*ap, int)); break;
  case 'l': add_decimal(B, va_arg(*ap, long)); break;
  case 'o': add_octal(B, va_arg(*ap, unsigned)); break;
  case 'n': lib_addflags(B, (unsigned)va_arg(*ap, int), lib_nstypes); break;
  case 'v': add_vector(B, va_arg(*ap, const char *const *)); break;
  case 'w': {
    const lib_Word *set = va_arg(*ap, const lib_Word *);
    lib_addflags(B, va_arg(*ap, unsigned long), set);
    break;
  }
  default: luaL_addchar(B, '?');
  }
}

/* Pushes a table with one text for each argument. */
static void push_arguments(lua_State *L, const char *fmt, va_list *ap) {
  lua_newtable(L);
  for (int i = 0; fmt[i] != '\0'; i++) {
    luaL_Buffer B;
    luaL_buffinit(L, &B);
    add_argument(&B, fmt[i], ap);
    luaL_pushresult(&B);
    lua_rawseti(L, -2, i + 1);
  }
}

/* Pushes the texts of the table at `index` with commas between them. */
static void push_joined(lua_State *L, int index) {
  luaL_Buffer B;
  int n = (int)lua_rawlen(L, index);
  index = lua_absindex(L, index);
  luaL_buffinit(L, &B);
  for (int i = 1; i <= n; i++) {
    if (i > 1)
      luaL_addstring(&B, ", ");
    lua_rawgeti(L, index, i);
    luaL_addvalue(&B);
  }
  luaL_pushresult(&B);
}

/* -- the error object ----------------------------------------------------- */

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
static void finish_error(lua_State *L, int error_number, const char *call) {
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

static void trace_result(lua_State *L, long result, int error_number,
                         const char *call, const char *args) {
  luaL_Buffer B;
  char number[32];
  luaL_buffinit(L, &B);
  luaL_addstring(&B, call);
  luaL_addchar(&B, '(');
  luaL_addstring(&B, args);
  luaL_addstring(&B, ") = ");
  snprintf(number, sizeof number, "%ld", result);
  luaL_addstring(&B, number);
  if (result == -1) {
    luaL_addchar(&B, ' ');
    luaL_addstring(&B, lib_errno_name(error_number));
  }
  luaL_pushresult(&B);
  lib_trace_text(L, lua_tostring(L, -1));
  lua_pop(L, 1);
}

_Noreturn static void fail_va(lua_State *L, int error_number,
                              const char *call, const char *fmt, va_list *ap) {
  luaL_checkstack(L, 12, "error object");
  push_arguments(L, fmt, ap);
  push_joined(L, -1);
  if (lib_tracing())
    trace_result(L, -1, error_number, call, lua_tostring(L, -1));
  finish_error(L, error_number, call);
  lua_error(L);
  __builtin_unreachable();
}

static void trace_va(lua_State *L, long result, const char *call,
                     const char *fmt, va_list *ap) {
  luaL_checkstack(L, 12, "trace");
  push_arguments(L, fmt, ap);
  push_joined(L, -1);
  trace_result(L, result, 0, call, lua_tostring(L, -1));
  lua_pop(L, 2);
}

long lib_check(lua_State *L, long result, const char *call, const char *fmt,
               ...) {
  int error_number = errno;
  if (result != -1 && !lib_tracing())
    return result;
  va_list ap;
  va_start(ap, fmt);
  if (result == -1)
    fail_va(L, error_number, call, fmt, &ap);
  trace_va(L, result, call, fmt, &ap);
  va_end(ap);
  return result;
}

int lib_done(lua_State *L, long result, const char *call, const char *fmt,
             ...) {
  int error_number = errno;
  if (result == -1 || lib_tracing()) {
    va_list ap;
    va_start(ap, fmt);
    if (result == -1)
      fail_va(L, error_number, call, fmt, &ap);
    trace_va(L, result, call, fmt, &ap);
    va_end(ap);
  }
  lua_pushboolean(L, 1);
  return 1;
}

_Noreturn void lib_fail(lua_State *L, int error_number, const char *call,
                        const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fail_va(L, error_number, call, fmt, &ap);
}

void lib_pusherror(lua_State *L, int error_number, const char *call,
                   const char *args) {
  luaL_checkstack(L, 12, "error object");
  lua_newtable(L);
  lua_pushstring(L, args);
  lua_rawseti(L, -2, 1);
  lua_pushstring(L, args);
  finish_error(L, error_number, call);
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

/* -- what the error object answers ---------------------------------------- */

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

/* -- a change without a way back ------------------------------------------ */

static bool departures_watched; /* by anybody in this process */

void lib_departure(lua_State *L, const char *call) {
  if (!departures_watched)
    return;
  luaL_checkstack(L, 4, call);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &departure_key) == LUA_TFUNCTION) {
    lua_pushstring(L, call);
    lua_call(L, 1, 0);
  } else {
    lua_pop(L, 1);
  }
}

/* nslua.sys.on_departure(fn(call) | nil) */
static int sys_on_departure(lua_State *L) {
  lua_settop(L, 1);
  if (!lua_isnil(L, 1))
    departures_watched = true;
  lua_rawsetp(L, LUA_REGISTRYINDEX, &departure_key);
  return 0;
}

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

/* -- trace ---------------------------------------------------------------- */

bool lib_tracing(void) {
  return atomic_load_explicit(&tracers, memory_order_relaxed) > 0;
}

void lib_trace_text(lua_State *L, const char *line) {
  luaL_checkstack(L, 4, "trace");
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &trace_key) == LUA_TFUNCTION) {
    /* The call is made: an error in here must not look like a refusal. */
    lua_pushstring(L, line);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
      lua_warning(L, "ns.trace: the function that gets the lines raised", 0);
      lua_pop(L, 1);
    }
  } else {
    lua_pop(L, 1);
  }
}

int lib_settrace(lua_State *L) {
  int had, has;
  if (!lua_isnoneornil(L, 1))
    luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  had = lua_rawgetp(L, LUA_REGISTRYINDEX, &trace_key) == LUA_TFUNCTION;
  has = lua_isfunction(L, 1);
  atomic_fetch_add(&tracers, has - had);
  lua_pushvalue(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &trace_key);
  return 1; /* who got them until now */
}

void lib_leave_root(void) {
  if (libm_open != NULL)
    libm_open();
}

void lib_interrupt_point(lua_State *L) {
  if (lua_gethook(L) == NULL)
    return;
  /* A hook runs only while the VM does: give it one instruction. */
  if (luaL_loadstring(L, "return") == LUA_OK)
    lua_call(L, 0, 0);
  else
    lua_pop(L, 1);
}

/* nslua.sys.clean(s) -> s with control bytes and broken UTF-8 as \\xNN */
static int sys_clean(lua_State *L) {
  size_t length;
  const char *s = luaL_checklstring(L, 1, &length);
  lib_pushclean(L, s, length);
  return 1;
}

/* nslua.sys.nearest(word, words) -> the one that may have been meant | nil */
static int sys_nearest(lua_State *L) {
  const char *word = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Unsigned n = lua_rawlen(L, 2), count = 0;
  if (n > 1000)
    luaL_argerror(L, 2, "too many words");
  luaL_checkstack(L, (int)n + 4, "words");
  lib_Word *set = lib_scratch(L, (n + 1) * sizeof *set);
  for (lua_Unsigned i = 1; i <= n; i++)
    if (lua_rawgeti(L, 2, (lua_Integer)i) == LUA_TSTRING)
      set[count++] = (lib_Word){lua_tostring(L, -1), i, ""};
  set[count].word = NULL;
  lua_pushstring(L, lib_nearest(word, set));
  return 1;
}

/* nslua.sys.trace_line([text]) -> boolean: is there a trace? A line of it from
   a library's call. */
static int sys_trace_line(lua_State *L) {
  const char *line = luaL_optstring(L, 1, NULL);
  if (lib_tracing() && line != NULL)
    lib_trace_text(L, line);
  lua_pushboolean(L, lib_tracing());
  return 1;
}

static const luaL_Reg funcs[] = {
  {"clean", sys_clean},
  {"error", sys_error},
  {"explain", sys_explain},
  {"on_departure", sys_on_departure},
  {"nearest", sys_nearest},
  {"raise", sys_raise},
  {"set_trace", lib_settrace},
  {"trace_line", sys_trace_line},
  {NULL, NULL},
};

static const luaL_Reg error_metamethods[] = {
  {"__index", error_index},
  {"__tostring", error_tostring},
  {NULL, NULL},
};

/* A closed state stops tracing for the process. */
static int tracer_gc(lua_State *L) {
  lua_settop(L, 0);
  lua_pushnil(L);
  lib_settrace(L);
  return 0;
}

void lib_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  if (luaL_newmetatable(L, ERROR_TYPE))
    luaL_setfuncs(L, error_metamethods, 0);
  lua_setfield(L, -2, "error_type");
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, tracer_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_setfield(L, -2, "tracer");
}
