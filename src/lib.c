/* SPDX-License-Identifier: MIT
 *
 * lib.c - a system call is judged: its result goes on, or becomes an error
 * object (error.c) and a line of the trace. Both are made from the same words:
 * the name of the call and its arguments as the kernel got them. Nothing
 * touches Lua between a call and the reading of its errno.
 */
#include "lib.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const char trace_key = 't';   /* registry: who gets the trace */
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

/* -- the result of a call ------------------------------------------------- */

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
  lib_makeerror(L, error_number, call);
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
  if (result != -1 && !lib_tracing())
    return result;
  int error_number = errno;
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
  if (result == -1 || lib_tracing()) {
    int error_number = errno;
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

/* nslua.sys.trace_line([text]) -> boolean: is there a trace? A line of it from
   a library's call. */
static int sys_trace_line(lua_State *L) {
  const char *line = luaL_optstring(L, 1, NULL);
  if (lib_tracing() && line != NULL)
    lib_trace_text(L, line);
  lua_pushboolean(L, lib_tracing());
  return 1;
}

/* -- before and within a call --------------------------------------------- */

void lib_leave_root(void) {
  if (libm_open != NULL)
    libm_open();
}

void lib_interrupt_point(lua_State *L) {
  if (lua_gethook(L) == NULL)
    return;
  /* A hook runs only while the VM does: give it one instruction. */
  if (luaL_loadbuffer(L, "return", 6, "@nslua/interrupt.lua") == LUA_OK)
    lua_call(L, 0, 0);
  else
    lua_pop(L, 1);
}

static const luaL_Reg funcs[] = {
  {"on_departure", sys_on_departure},
  {"set_trace", lib_settrace},
  {"trace_line", sys_trace_line},
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
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, tracer_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_setfield(L, -2, "tracer");
}
