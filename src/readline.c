/* SPDX-License-Identifier: MIT
 *
 * readline.c - readline or libedit, if one of them is there: opened when the
 * prompt starts, never linked. Each symbol is looked for, and one that is
 * missing costs only what it is for. Tab asks Lua. readline(3), dlopen(3).
 */
#include <dlfcn.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <lauxlib.h>

#include "editor.h"
#include "host.h"
#include "readline.h"

/* -- the library ---------------------------------------------------------- */

Editor editor;

static const struct {
  const char *symbol;
  void *where;
} editor_symbols[] = {
  {"rl_callback_handler_install", &editor.install}, /* the first three are */
  {"rl_callback_read_char", &editor.read_char},     /* needed */
  {"rl_callback_handler_remove", &editor.remove},
  {"add_history", &editor.add_history},
  {"stifle_history", &editor.limit_history},
  {"rl_replace_line", &editor.replace_line},
  {"rl_callback_sigcleanup", &editor.cleanup},
  {"rl_readline_name", &editor.name},
  {"rl_catch_signals", &editor.catch_signals},
  {"rl_catch_sigwinch", &editor.catch_resize},
  {"rl_change_environment", &editor.change_environment},
  {"rl_resize_terminal", &editor.resize},
  {"rl_prep_terminal", &editor.prepare},
  {"rl_deprep_terminal", &editor.release},
  {"rl_forced_update_display", &editor.redraw},
  {"rl_redisplay", &editor.display},
  {"rl_redisplay_function", &editor.on_display},
  {"rl_getc_function", &editor.on_key},
  {"rl_attempted_completion_function", &editor.on_complete},
  {"rl_completion_display_matches_hook", &editor.on_matches},
  {"rl_attempted_completion_over", &editor.complete_over},
  {"rl_completion_append_character", &editor.append},
  {"rl_completion_query_items", &editor.most_unasked},
  {"rl_completer_word_break_characters", &editor.breaks},
  {"rl_basic_word_break_characters", &editor.basic_breaks},
  {"rl_line_buffer", &editor.line},
  {"rl_point", &editor.point},
  {"rl_end", &editor.end},
  {"el_init", &editor.el_init},
  {"rl_initialize", &editor.initialize},
  {"rl_insert_text", &editor.insert},
  {"rl_crlf", &editor.new_line},
};

static const char *editor_name; /* the library that was opened */

/* libedit writes to rl_line_buffer[rl_end] after each key. A line that grows
   beyond a kilobyte is elsewhere by then, and that would be somebody's memory:
   it may write to a room of our own. Until then the text is where it was. */
static const char *text_of_line;
static char *room;

enum { ROOM = 1 << 28, MOVES = 1000 };

static bool make_room(void) {
  if (editor.el_init == NULL)
    return true;
  if (editor.initialize == NULL || editor.line == NULL || editor.end == NULL)
    return false;
  editor.initialize();
  void *made = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (made == MAP_FAILED)
    return false;
  text_of_line = *editor.line;
  room = made;
  return true;
}

static const char *edited_text(void) {
  return room == NULL ? *editor.line : text_of_line;
}

static bool bind_editor(const char *library) {
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL)
    return false;
  for (size_t i = 0; i < sizeof editor_symbols / sizeof *editor_symbols; i++) {
    void *found = dlsym(handle, editor_symbols[i].symbol);
    if (found == NULL && i < 3) {
      memset(&editor, 0, sizeof editor);
      dlclose(handle);
      return false;
    }
    memcpy(editor_symbols[i].where, &found, sizeof found);
  }
  editor_name = library;
  return true;
}

/* -- completion ----------------------------------------------------------- */

static lua_State *asking;      /* who reads the line */
static sigset_t while_waiting; /* the signals that come then */
static const char complete_key, show_key; /* registry: Lua's part of it */

static bool more_keys(void) {
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  return poll(&input, 1, 0) > 0;
}

/* [function, arguments] -> [one value]; Ctrl-C ends it, and errors are not for
   somebody who presses Tab. */
static bool ask_lua(int nargs) {
  sigset_t editing;
  sigprocmask(SIG_SETMASK, &while_waiting, &editing);
  int status = host_call(asking, nargs, 1);
  sigprocmask(SIG_SETMASK, &editing, NULL);
  return status == LUA_OK;
}

void readline_serve(lua_State *L, const sigset_t *signals) {
  asking = L;
  while_waiting = *signals;
}

static size_t common_length(const char *a, const char *b) {
  size_t n = 0;
  while (a[n] != '\0' && a[n] == b[n])
    n++;
  while (n > 0 && ((unsigned char)a[n] & 0xC0) == 0x80)
    n--; /* not within a character */
  return n;
}

/* The list on top as what readline frees: what all begin with, then all. */
static char **copy_matches(lua_State *L) {
  size_t n = lua_rawlen(L, -1), common = 0, kept = 0;
  char **matches = n > 0 ? calloc(n + 2, sizeof *matches) : NULL;
  if (matches == NULL)
    return NULL;
  for (size_t i = 1; i <= n; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i);
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
                                                      : NULL;
    char *copy = text != NULL ? strdup(text) : NULL;
    lua_pop(L, 1);
    if (copy == NULL)
      continue;
    matches[++kept] = copy;
    size_t same = common_length(matches[1], copy);
    common = kept == 1 || same < common ? same : common;
  }
  if (kept > 0)
    matches[0] = strndup(matches[1], common);
  if (kept == 1) {
    free(matches[1]);
    matches[1] = NULL;
  }
  if (matches[0] == NULL) {
    free(matches);
    return NULL;
  }
  return matches;
}

/* A Tab of an indentation, or of a paste that comes without brackets. */
static bool is_plain_tab(const char *line, int point) {
  return (int)strspn(line, " \t") >= point || (!is_readline() && more_keys());
}

static char **complete(const char *text, int start, int end) {
  char **matches = NULL;
  (void)text;
  (void)end;
  if (editor.complete_over != NULL)
    *editor.complete_over = 1; /* no file names when we find nothing */
  if (editor.append != NULL)
    *editor.append = '\0';
  const char *line = edited_text();
  if (line == NULL)
    return NULL;
  if (is_plain_tab(line, *editor.point)) {
    if (editor.insert != NULL)
      editor.insert("\t");
    return NULL;
  }
  int top = lua_gettop(asking);
  if (lua_rawgetp(asking, LUA_REGISTRYINDEX, &complete_key) == LUA_TFUNCTION) {
    lua_pushstring(asking, line);
    lua_pushinteger(asking, *editor.point);
    lua_pushinteger(asking, start);
    if (ask_lua(3) && lua_istable(asking, -1))
      matches = copy_matches(asking);
  }
  lua_settop(asking, top);
  return matches;
}

/* All candidates, as Lua wants them shown. */
static void show_matches(char **matches, int n, int longest) {
  int top = lua_gettop(asking);
  (void)longest;
  lua_rawgetp(asking, LUA_REGISTRYINDEX, &show_key);
  lua_createtable(asking, n, 0);
  for (int i = 1; i <= n; i++) {
    lua_pushstring(asking, matches[i]);
    lua_rawseti(asking, -2, i);
  }
  editor.new_line();
  if (ask_lua(1) && lua_isstring(asking, -1))
    (void)fputs(lua_tostring(asking, -1), stdout);
  lua_settop(asking, top);
  editor.redraw();
}

/* Each key of a very long line that is still coming would draw it anew. To
   readline a display that is not its own means a terminal that can do nothing
   (no bracketed paste): it is for such lines only. */
static void display_when_idle(void) {
  if (!more_keys())
    editor.display();
}

static void choose_display(void) {
  if (editor.on_display != NULL && editor.display != NULL && editor.end != NULL)
    *editor.on_display = *editor.end < 2000 ? editor.display
                                            : display_when_idle;
}

void readline_before_key(void) {
  if (is_readline())
    choose_display();
  if (room != NULL)
    *editor.line = room;
}

void readline_after_key(void) {
  if (room != NULL && *editor.end > MOVES)
    text_of_line = NULL;
}

/* editor.complete_with(complete, show): complete(line, cursor, start) gives
   what may replace the bytes between start and cursor; show(candidates) the
   text that lists them */
int readline_complete_with(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &show_key);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &complete_key);
  return 0;
}

/* -- opening -------------------------------------------------------------- */

static void set_editor_up(void) {
  static const char breaks[] = " \t\n\"'`\\@$><=;|&{}()[].:,+-*/%#~^?!";
  if (editor.name != NULL)
    *editor.name = "lua";
  if (editor.catch_signals != NULL)
    *editor.catch_signals = 0;
  if (editor.catch_resize != NULL)
    *editor.catch_resize = 0;
  if (editor.change_environment != NULL) /* a shell would not see a new size */
    *editor.change_environment = 0;
  if (editor.breaks != NULL)
    *editor.breaks = breaks;
  if (editor.basic_breaks != NULL)
    *editor.basic_breaks = breaks;
  if (editor.limit_history != NULL)
    editor.limit_history(5000);
  if (editor.most_unasked != NULL)
    *editor.most_unasked = INT_MAX; /* the list is short enough: no question */
  if (editor.on_complete != NULL && editor.line != NULL &&
      editor.point != NULL)
    *editor.on_complete = complete;
  if (is_readline() && editor.on_matches != NULL && editor.redraw != NULL &&
      editor.new_line != NULL)
    *editor.on_matches = show_matches;
}

/* NSLUA_READLINELIB names another library; empty, it means none. */
const char *editor_open(void) {
  static bool tried;
  const char *chosen = getenv("NSLUA_READLINELIB");
  if (tried || !isatty(STDOUT_FILENO))
    return editor_name;
  tried = true;
  if (chosen != NULL) {
    if (*chosen != '\0' && !bind_editor(chosen))
      host_message("NSLUA_READLINELIB", "no such line editor; plain input");
  } else if (!bind_editor("libreadline.so.8")) {
    bind_editor("libedit.so.2");
  }
  if (editor_name == NULL)
    return NULL;
  (void)setlocale(LC_CTYPE, "");
  set_editor_up();
  if (!make_room()) {
    memset(&editor, 0, sizeof editor);
    editor_name = NULL;
  }
  return editor_name;
}

void editor_remember(const char *line) {
  if (editor.add_history != NULL)
    editor.add_history(line);
}
