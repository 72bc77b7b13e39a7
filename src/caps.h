/* SPDX-License-Identifier: MIT
 *
 * caps.h - sets of capabilities as Lua values (capset.c), for the calls that
 * read and change them (caps.c).
 */
#ifndef NSLUA_CAPS_H
#define NSLUA_CAPS_H

#include "lib.h"

/* Those that have a name, and how many a set can hold. */
enum { CAPS_NAMED = 41, CAPS_POSSIBLE = 64 };
extern const lib_Word caps_names[];

/* The bits that this kernel knows. */
unsigned long caps_known(void);
/* Pushes {sys_admin = true, ...}, which prints as its words. */
void caps_push(lua_State *L, unsigned long bits);
/* "sys_admin,chown", {"sys_admin"}, {sys_admin = true}, "all", "none",
   "-sys_time", "all but sys_time", {drop=, add=} */
unsigned long caps_check(lua_State *L, int arg);
/* Makes the type of what caps_push pushes. */
void caps_newtype(lua_State *L);

#endif
