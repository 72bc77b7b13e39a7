/* SPDX-License-Identifier: MIT
 *
 * readline.h - the line editor's library as editor.c uses it. A null pointer is
 * a symbol that the library lacks; without `install` there is none.
 */
#ifndef NSLUA_READLINE_H
#define NSLUA_READLINE_H

#include <signal.h>

#include <lua.h>

/* readline's callback interface, which libedit has too. With it the waiting is
   ours, so that Ctrl-C takes effect at once. */
typedef struct Editor {
  void (*install)(const char *prompt, void (*on_line)(char *));
  void (*read_char)(void);
  void (*remove)(void);
  void (*add_history)(const char *line);
  void (*limit_history)(int most);
  void (*replace_line)(const char *text, int clear_undo);
  void (*cleanup)(void);
  const char **name; /* for "$if" in ~/.inputrc */
  int *catch_signals, *catch_resize;
  int *change_environment; /* LINES and COLUMNS, for what we start */
  void (*resize)(void);
  void (*prepare)(int meta); /* the terminal, for editing */
  void (*release)(void);
  void (*redraw)(void);
  void (*display)(void);
  void (**on_display)(void);
  int (**on_key)(FILE *input);
  char **(**on_complete)(const char *text, int start, int end);
  void (**on_matches)(char **matches, int n, int longest);
  int *complete_over, *append, *most_unasked;
  const char **breaks, **basic_breaks;
  char **line;
  int *point, *end;
  void *el_init; /* only libedit has it */
  int (*initialize)(void);
  int (*insert)(const char *text);
  int (*new_line)(void);
} Editor;

extern Editor editor;

/* Only GNU readline has it, and with it bracketed paste and a display hook. */
static inline bool is_readline(void) { return editor.cleanup != NULL; }

/* For whom Tab asks, and with which signals: those that come while we wait. */
void readline_serve(lua_State *L, const sigset_t *signals);
/* Around each key that the editor reads: how the line is drawn from here on,
   and where libedit may write. */
void readline_before_key(void);
void readline_after_key(void);
/* editor.complete_with of Lua. */
int readline_complete_with(lua_State *L);

#endif
