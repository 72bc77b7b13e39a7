/* SPDX-License-Identifier: MIT
 *
 * editor.h - where the prompt's lines come from on a terminal (editor.c with
 * readline.c), and the way back that it keeps (checkpoint.c). Part of the
 * program.
 */
#ifndef NSLUA_EDITOR_H
#define NSLUA_EDITOR_H

#include <stdbool.h>

#include <lua.h>

/* GONE: the terminal is, or somebody wants us to end. */
typedef enum { LINE, END, INTERRUPTED, GONE } Got;

/* Opens readline or libedit, if it can; once is enough. Its name or NULL. */
const char *editor_open(void);
/* Pushes a line without its end when there is one. */
Got editor_read(lua_State *L, const char *prompt);
void editor_remember(const char *line);
/* The signal that made the last read GONE, or 0. */
int editor_signal(void);
/* A process without which we must not go on, by its pidfd. */
void editor_watch(int pidfd);
/* Adds its functions to the table on top of the stack. */
void editor_functions(lua_State *L);

/* The prompt of this process has no way back yet. */
void checkpoint_reset(void);
void checkpoint_functions(lua_State *L);

#endif
