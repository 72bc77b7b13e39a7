/* SPDX-License-Identifier: MIT
 *
 * argument.c - arguments of Lua as the values of C that a system call takes,
 * and strings on their way to a screen: quoted or clean, so that no control
 * byte and nothing that a terminal would obey gets there. utf-8(7).
 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib.h"

/* -- arguments ------------------------------------------------------------ */

static const char *path_value(lua_State *L, int arg, int type) {
  size_t length;
  if (type != LUA_TSTRING)
    luaL_typeerror(L, arg, "string");
  const char *s = lua_tolstring(L, arg, &length);
  if (strlen(s) != length)
    luaL_argerror(L, arg, "string contains a NUL");
  return s;
}

const char *lib_checkpath(lua_State *L, int arg) {
  return path_value(L, arg, lua_type(L, arg));
}

const char *lib_optpath(lua_State *L, int arg, const char *fallback) {
  int type = lua_type(L, arg);
  return type <= LUA_TNIL ? fallback : path_value(L, arg, type);
}

int lib_checkint(lua_State *L, int arg, lua_Integer low, lua_Integer high) {
  int exact;
  lua_Integer n;
  if (lua_type(L, arg) != LUA_TNUMBER)
    luaL_typeerror(L, arg, "integer");
  n = lua_tointegerx(L, arg, &exact);
  if (!exact)
    luaL_argerror(L, arg, "number has no integer representation");
  if (n < low || n > high) {
    lua_pushfstring(L, "must be between %I and %I", low, high);
    luaL_argerror(L, arg, lua_tostring(L, -1));
  }
  return (int)n;
}

int lib_optmilliseconds(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg))
    return -1;
  double seconds = luaL_checknumber(L, arg);
  if (!(seconds >= 0))
    luaL_argerror(L, arg, "seconds must be >= 0");
  double ms = ceil(seconds * 1000);
  return ms > INT_MAX ? INT_MAX : (int)ms;
}

unsigned lib_optmode(lua_State *L, int arg, unsigned fallback) {
  char *end;
  if (lua_isnoneornil(L, arg))
    return fallback;
  if (lua_type(L, arg) == LUA_TNUMBER)
    return (unsigned)lib_checkint(L, arg, 0, 07777);
  const char *s = lib_checkpath(L, arg);
  unsigned long mode = strtoul(s, &end, 8);
  if (*s < '0' || *s > '7' || *end != '\0' || mode > 07777)
    luaL_argerror(L, arg, "a mode is octal text as \"755\", or bits");
  return (unsigned)mode;
}

/* Of three bytes: overlong, surrogates, line marks, what turns the line around
   (U+202A, U+2066 ...), and U+FFFE and U+FFFF, which no XML may hold. */
static bool is_harmful(const unsigned char *s) {
  if (s[0] == 0xe0)
    return s[1] < 0xa0;
  if (s[0] == 0xe2 && s[1] == 0x80)
    return s[2] >= 0xa8 && s[2] <= 0xae;
  if (s[0] == 0xe2 && s[1] == 0x81)
    return s[2] >= 0xa6 && s[2] <= 0xa9;
  if (s[0] == 0xef && s[1] == 0xbf)
    return s[2] >= 0xbe;
  return s[0] == 0xed && s[1] >= 0xa0;
}

/* The length of the well-formed UTF-8 character at s, if a terminal may see
   it; 0 for control characters (C1 too) and for broken sequences. */
size_t lib_printable(const char *text, size_t left) {
  const unsigned char *s = (const unsigned char *)text;
  if (s[0] >= 0x20 && s[0] < 0x7f)
    return 1;
  size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
  if (n == 0 || n > left || s[0] > 0xf4)
    return 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80)
      return 0;
  if (n == 2 && s[0] == 0xc2 && s[1] < 0xa0) /* C1 */
    return 0;
  if (n == 3 && is_harmful(s))
    return 0;
  if (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90) ||
                 (s[0] == 0xf4 && s[1] >= 0x90)))
    return 0;
  return n;
}

typedef enum { A_LINE, A_LITERAL, LINES } Form;

static void add_clean(luaL_Buffer *B, const char *s, size_t length,
                      Form form) {
  char hex[8];
  while (length > 0) {
    size_t n = lib_printable(s, length);
    if (form == A_LITERAL && (*s == '"' || *s == '\\'))
      luaL_addchar(B, '\\');
    if (n > 0) {
      luaL_addlstring(B, s, n);
    } else if (form == LINES && (*s == '\n' || *s == '\t')) {
      luaL_addchar(B, *s);
    } else if (*s == '\n') {
      luaL_addstring(B, "\\n");
    } else if (*s == '\t') {
      luaL_addstring(B, "\\t");
    } else {
      snprintf(hex, sizeof hex, "\\x%02X", (unsigned char)*s);
      luaL_addstring(B, hex);
    }
    n = n > 0 ? n : 1;
    s += n;
    length -= n;
  }
}

void lib_addquoted(luaL_Buffer *B, const char *s, size_t length) {
  luaL_addchar(B, '"');
  add_clean(B, s, length, A_LITERAL);
  luaL_addchar(B, '"');
}

const char *lib_pushclean(lua_State *L, const char *s, size_t length) {
  luaL_Buffer B;
  luaL_buffinit(L, &B);
  add_clean(&B, s, length, A_LINE);
  luaL_pushresult(&B);
  return lua_tostring(L, -1);
}

void lib_pushlines(lua_State *L, const char *s, size_t length) {
  luaL_Buffer B;
  luaL_buffinit(L, &B);
  add_clean(&B, s, length, LINES);
  luaL_pushresult(&B);
}

void *lib_scratch(lua_State *L, size_t size) {
  return lua_newuserdatauv(L, size > 0 ? size : 1, 0);
}

/* -- for our Lua modules -------------------------------------------------- */

/* sys.quote(s) -> the string as a literal without control bytes */
static int argument_quote(lua_State *L) {
  size_t length;
  luaL_Buffer B;
  const char *s = luaL_checklstring(L, 1, &length);
  luaL_buffinit(L, &B);
  lib_addquoted(&B, s, length);
  luaL_pushresult(&B);
  return 1;
}

/* nslua.sys.clean(s) -> s with control bytes and broken UTF-8 as \\xNN */
static int argument_clean(lua_State *L) {
  size_t length;
  const char *s = luaL_checklstring(L, 1, &length);
  lib_pushclean(L, s, length);
  return 1;
}

static const luaL_Reg internals[] = {
  {"clean", argument_clean},
  {"quote", argument_quote},
  {NULL, NULL},
};

void argument_open(lua_State *L) { luaL_setfuncs(L, internals, 0); }
