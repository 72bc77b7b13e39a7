/* SPDX-License-Identifier: MIT
 *
 * nslua.h - Linux namespaces in Lua: the embedding API.
 *
 *     lua_State *L = luaL_newstate();
 *     luaL_openlibs(L);
 *     nslua_openlibs(L);
 *     luaL_dostring(L, "local ns = require 'nslua' ...");
 *
 * Build with `pkg-config --cflags --libs nslua`. The library never prints,
 * never exits, installs no signal handler and starts no thread. Any number of
 * states in any number of threads may use it, each state in one thread at a
 * time; what a namespace call does to the process or the thread that makes it
 * is the kernel's business (unshare(2)).
 *
 * ns.fork(fn), ns.clone(opts, fn) and proc:call(fn) never return in the child.
 * The bare ns.fork() does, like fork(2): the program that embeds nslua must
 * then end the child itself; nslua_forked tells it whether this is one.
 */
#ifndef NSLUA_H
#define NSLUA_H

#include <lua.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NSLUA_VERSION "0.1.0"
#define NSLUA_API __attribute__((visibility("default")))

/* Puts every module of nslua into package.preload: nothing is loaded yet. */
NSLUA_API void nslua_openlibs(lua_State *L);

/* For require "nslua" from a stock Lua: opens the libraries, returns the
   module. */
NSLUA_API int luaopen_nslua(lua_State *L);

/* How many forks lie between the process that loaded the library and this
   one: 0 in the process that the user started. */
NSLUA_API unsigned nslua_forked(void);

#ifdef __cplusplus
}
#endif

#endif
