/* SPDX-License-Identifier: MIT
 *
 * host.h - what the parts of the program share: the command line (main.c), the
 * prompt (repl.c) and what both need (host.c). None is in the library.
 */
#ifndef NSLUA_HOST_H
#define NSLUA_HOST_H

#include <stdbool.h>

#include <lua.h>

/* What messages begin with: argv[0]; NULL at the prompt. */
extern const char *host_program;
extern bool host_whole_traceback; /* frames of our own modules, too */

/* Writes "PROGRAM: text" and a line end to stderr; control bytes other than
   line ends and tabs are shown as \xNN. */
void host_message(const char *program, const char *text);

/* lua_WarnFunction: warn(), and errors that a finalizer cannot raise. Says what
   Lua's own says, cleaned; `ud` is the bool that "@on" and "@off" switch. */
void host_warning(void *ud, const char *text, int to_continue);

/* lua_pcall with a traceback, and with Ctrl-C raising "interrupted!". */
int host_call(lua_State *L, int nargs, int nresults);

/* Does a second Ctrl-C leave the program alive? */
extern bool host_survives;
/* After how many seconds the last chunk was interrupted; -1: it was not. */
double host_interrupted(void);
/* Ctrl-C reaches what runs in coroutines, too. */
void host_watch_coroutines(lua_State *L);
/* Raises an error that no pcall holds up before the last host_call. */
int host_unwind(lua_State *L);

/* Prints and pops the error message that a status other than LUA_OK left. */
int host_report(lua_State *L, int status);

/* Is this a child that ns.fork() made? It must end instead of going on. */
bool host_forked(void);
/* This process is where the session is from now on. */
void host_settle(void);

/* Prints Lua's version line. */
void host_version(void);

/* The prompt: reads, runs and prints until standard input ends, or until a
   chunk forked and this is the child; returns the exit status. */
int repl_run(lua_State *L);
/* The same as a Lua function, for a child that is meant to prompt:
   proc:repl(). */
int repl_inside(lua_State *L);

#endif
