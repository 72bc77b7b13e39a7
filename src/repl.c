/* SPDX-License-Identifier: MIT
 *
 * repl.c - the terminal side of the prompt: where lines come from and how
 * they become chunks. In a pipe it is the prompt of lua; on a terminal lines
 * are edited by readline or libedit, if one of them is there: it is opened
 * when the prompt starts, never linked.
 */
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "host.h"
#include "nslua.h"

/* -- the line editor ------------------------------------------------------ */

/* readline's callback interface, which libedit has too. With it the waiting is
   ours, so that Ctrl-C takes effect at once. */
static struct {
  void (*install)(const char *prompt, void (*on_line)(char *));
  void (*read_char)(void);
  void (*remove)(void);
  void (*add_history)(const char *line);
  void (*replace_line)(const char *text, int clear_undo);
  void (*cleanup)(void);
  const char **name;    /* for "$if" in ~/.inputrc */
  int *catch_signals;
} editor;

static const struct {
  const char *symbol;
  void *where;
  bool required;
} editor_symbols[] = {
  {"rl_callback_handler_install", &editor.install, true},
  {"rl_callback_read_char", &editor.read_char, true},
  {"rl_callback_handler_remove", &editor.remove, true},
  {"add_history", &editor.add_history, false},
  {"rl_replace_line", &editor.replace_line, false},
  {"rl_callback_sigcleanup", &editor.cleanup, false},
  {"rl_readline_name", &editor.name, false},
  {"rl_catch_signals", &editor.catch_signals, false},
};

static bool bind_editor(const char *library) {
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL)
    return false;
  for (size_t i = 0; i < sizeof editor_symbols / sizeof *editor_symbols; i++) {
    void *found = dlsym(handle, editor_symbols[i].symbol);
    if (found == NULL && editor_symbols[i].required) {
      memset(&editor, 0, sizeof editor);
      dlclose(handle);
      return false;
    }
    memcpy(editor_symbols[i].where, &found, sizeof found);
  }
  if (editor.name != NULL)
    *editor.name = "lua";
  if (editor.catch_signals != NULL)
    *editor.catch_signals = 0;
  return true;
}

/* NSLUA_READLINELIB names another library; empty, it means none. */
static void open_editor(void) {
  const char *chosen = getenv("NSLUA_READLINELIB");
  if (!isatty(STDOUT_FILENO))
    return;
  if (chosen != NULL) {
    if (*chosen != '\0' && !bind_editor(chosen))
      host_message("NSLUA_READLINELIB", "no such line editor; plain input");
  } else if (!bind_editor("libreadline.so.8")) {
    bind_editor("libedit.so.2");
  }
}

/* -- one line ------------------------------------------------------------- */

typedef enum { LINE, END, INTERRUPTED } Got;

static bool on_terminal; /* is standard input one? */
static volatile sig_atomic_t interrupted;
static char *edited; /* the line that the editor gave */
static bool edit_done;

static void note_interrupt(int signal_number) {
  (void)signal_number;
  interrupted = 1;
}

/* Waits for a key; false when Ctrl-C came or the terminal went. SIGINT is
   blocked but for here, so that no key is half handled by then, and none comes
   unnoticed. */
static bool wait_for_key(const sigset_t *waiting) {
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  while (!interrupted)
    if (ppoll(&input, 1, NULL, waiting) > 0)
      return !(input.revents & (POLLHUP | POLLERR | POLLNVAL));
  return false;
}

static void take_edited(char *line) {
  edited = line;
  edit_done = true;
  editor.remove();
}

static Got edit_line(lua_State *L, const char *prompt,
                     const sigset_t *waiting) {
  free(edited);
  edited = NULL;
  edit_done = false;
  editor.install(prompt, take_edited);
  while (!edit_done && wait_for_key(waiting))
    editor.read_char();
  if (edit_done && edited != NULL)
    lua_pushstring(L, edited);
  if (edit_done)
    return edited != NULL ? LINE : END;
  if (interrupted)
    puts("^C"); /* before the editor takes the cursor to the first column */
  fflush(stdout);
  if (editor.cleanup != NULL)
    editor.cleanup();
  if (editor.replace_line != NULL)
    editor.replace_line("", 0);
  editor.remove();
  return interrupted ? INTERRUPTED : END;
}

/* A terminal without an editor. Reads beside stdio, as the editors do. */
static Got typed_line(lua_State *L, const char *prompt,
                      const sigset_t *waiting) {
  static char held[4096];
  static size_t length;
  luaL_Buffer B;
  luaL_buffinit(L, &B);
  fputs(prompt, stdout);
  fflush(stdout);
  for (;;) {
    const char *end = memchr(held, '\n', length);
    size_t used = end != NULL ? (size_t)(end - held) : length;
    luaL_addlstring(&B, held, used);
    length -= end != NULL ? used + 1 : used;
    if (end != NULL) {
      memmove(held, end + 1, length);
      break;
    }
    if (!wait_for_key(waiting)) {
      putchar('\n');
      return interrupted ? INTERRUPTED : END;
    }
    ssize_t n = read(STDIN_FILENO, held, sizeof held);
    length = n > 0 ? (size_t)n : 0;
    if (length == 0 && luaL_bufflen(&B) == 0)
      return END;
    if (length == 0)
      break;
  }
  luaL_pushresult(&B);
  return LINE;
}

/* On a terminal Ctrl-C gives the line up. */
static Got terminal_line(lua_State *L, const char *prompt) {
  struct sigaction action = {.sa_handler = note_interrupt}, before;
  sigset_t blocked, waiting;
  interrupted = 0;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGINT);
  sigprocmask(SIG_BLOCK, &blocked, &waiting);
  sigaction(SIGINT, &action, &before);
  Got got = editor.install != NULL ? edit_line(L, prompt, &waiting)
                                   : typed_line(L, prompt, &waiting);
  sigprocmask(SIG_SETMASK, &waiting, NULL);
  sigaction(SIGINT, &before, NULL);
  return got;
}

/* What does not come from a terminal is shown behind its prompt, as lua does
   it: the output then reads like the session. */
static Got piped_line(lua_State *L, const char *prompt) {
  static char *line;
  static size_t size;
  fputs(prompt, stdout);
  fflush(stdout);
  ssize_t n = getline(&line, &size, stdin);
  if (n < 0)
    return END;
  if (n > 0 && line[n - 1] == '\n')
    n--;
  fwrite(line, 1, (size_t)n, stdout);
  putchar('\n');
  fflush(stdout);
  lua_pushlstring(L, line, (size_t)n);
  return LINE;
}

/* Pushes the prompt and the next line, if there is one. */
static Got read_line(lua_State *L, bool first) {
  lua_getglobal(L, first ? "_PROMPT" : "_PROMPT2");
  if (lua_isnil(L, -1))
    lua_pushstring(L, first ? "> " : ">> ");
  const char *prompt = luaL_tolstring(L, -1, NULL);
  return on_terminal ? terminal_line(L, prompt) : piped_line(L, prompt);
}

/* -- from lines to a chunk ------------------------------------------------ */

/* Pushes the chunk of "return TEXT", or nothing when it does not compile. */
static bool load_expression(lua_State *L, const char *text) {
  const char *code = lua_pushfstring(L, "return %s;", text);
  if (luaL_loadbuffer(L, code, strlen(code), "=stdin") == LUA_OK)
    return true;
  lua_pop(L, 2);
  return false;
}

/* Did the chunk end too early? */
static bool is_incomplete(lua_State *L, int status) {
  size_t length;
  const char *message = lua_tolstring(L, -1, &length);
  return status == LUA_ERRSYNTAX && length >= 5 &&
         strcmp(message + length - 5, "<eof>") == 0;
}

/* Reads more lines while the text at `at` is incomplete; leaves the chunk or
   the error message on top. */
static Got load_statements(lua_State *L, int at, int *status) {
  for (;;) {
    size_t length;
    const char *text = lua_tolstring(L, at, &length);
    *status = luaL_loadbuffer(L, text, length, "=stdin");
    if (!is_incomplete(L, *status))
      return LINE;
    int message = lua_gettop(L);
    Got got = read_line(L, false);
    if (got == END)
      lua_settop(L, message);
    if (got != LINE)
      return got == END ? LINE : got;
    lua_pushvalue(L, at);
    lua_pushliteral(L, "\n");
    lua_pushvalue(L, -3);
    lua_concat(L, 3);
    lua_replace(L, at);
    lua_settop(L, at);
  }
}

/* Reads a chunk: one line that is an expression, or as many as it takes. */
static Got read_chunk(lua_State *L, int *status) {
  lua_settop(L, 0);
  Got got = read_line(L, true);
  if (got != LINE)
    return got;
  lua_replace(L, 1);
  lua_settop(L, 1);
  const char *text = lua_tostring(L, 1);
  if (text[0] == '=') { /* "=x", from before expressions were tried first */
    lua_pushfstring(L, "return %s", text + 1);
    lua_replace(L, 1);
    text = lua_tostring(L, 1);
  }
  *status = LUA_OK;
  if (!load_expression(L, text))
    got = load_statements(L, 1, status);
  text = lua_tostring(L, 1);
  if (got == LINE && editor.add_history != NULL && text[0] != '\0')
    editor.add_history(text);
  return got;
}

/* -- the loop ------------------------------------------------------------- */

/* Hands all values from `first` up to the global print. */
static void print_values(lua_State *L, int first) {
  int n = lua_gettop(L) - first + 1;
  if (n <= 0)
    return;
  luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
  lua_getglobal(L, "print");
  lua_insert(L, first);
  if (lua_pcall(L, n, 0, 0) != LUA_OK)
    host_message(host_program,
                 lua_pushfstring(L, "error calling 'print' (%s)",
                                 lua_tostring(L, -1)));
}

/* On a terminal `ns` is there already, unless the script made one. */
static void greet(lua_State *L) {
  puts("nslua " NSLUA_VERSION "  try ns.unshare(\"uts\") and ns.trace(true); "
       "Ctrl-D leaves");
  if (lua_getglobal(L, "ns") == LUA_TNIL) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "nslua");
    if (host_report(L, host_call(L, 1, 1)) == LUA_OK)
      lua_setglobal(L, "ns");
  }
  open_editor();
}

int repl_run(lua_State *L) {
  const char *program = host_program;
  int status = LUA_OK;
  Got got;
  host_program = NULL;
  on_terminal = isatty(STDIN_FILENO);
  if (on_terminal)
    greet(L);
  while ((got = read_chunk(L, &status)) != END) {
    if (got == INTERRUPTED)
      continue;
    lua_remove(L, 1);
    int first = lua_gettop(L);
    if (status == LUA_OK)
      status = host_call(L, 0, LUA_MULTRET);
    status = host_report(L, status);
    if (host_forked())
      return status == LUA_OK ? EXIT_SUCCESS : EXIT_FAILURE;
    if (status == LUA_OK)
      print_values(L, first);
  }
  putchar('\n');
  fflush(stdout);
  lua_settop(L, 0);
  host_program = program;
  return EXIT_SUCCESS;
}

int repl_inside(lua_State *L) {
  host_settle();
  lua_settop(L, 0);
  lua_pushinteger(L, repl_run(L));
  return 1;
}
