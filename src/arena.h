/* SPDX-License-Identifier: MIT
 *
 * arena.h - the Lua state of the program and its memory.
 */
#ifndef NSLUA_ARENA_H
#define NSLUA_ARENA_H

#include <stdbool.h>

#include <lauxlib.h>
#include <lua.h>

/* As luaL_newstate: the program makes one. */
lua_State *arena_newstate(void);

/* Before anything else gets a finalizer; may raise. */
void arena_mark_first(lua_State *L);

/* Variables are closed and finalizers run; the memory goes with the process,
   which ends here. */
_Noreturn void arena_close(lua_State *L, int status);

#endif
