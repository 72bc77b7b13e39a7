/* SPDX-License-Identifier: MIT
 *
 * repl.c - the prompt. In a pipe it is the prompt of lua, and that is here. On
 * a terminal (both what is read and what is written) it is nslua.prompt, which
 * gets its lines from editor.c; should it fail, the plain prompt goes on.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "editor.h"
#include "host.h"

/* -- one line ------------------------------------------------------------- */

static bool on_terminal; /* is standard input one? */

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
  return on_terminal ? editor_read(L, prompt) : piped_line(L, prompt);
}

/* -- from lines to a chunk ------------------------------------------------ */

/* Pushes the chunk of "return TEXT" of the text at `at`, or nothing when it
   does not compile. A string in it may hold a zero byte. */
static bool load_expression(lua_State *L, int at) {
  size_t length;
  lua_pushliteral(L, "return ");
  lua_pushvalue(L, at);
  lua_pushliteral(L, ";");
  lua_concat(L, 3);
  const char *code = lua_tolstring(L, -1, &length);
  if (luaL_loadbuffer(L, code, length, "=stdin") == LUA_OK)
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
  size_t length;
  const char *text = lua_tolstring(L, 1, &length);
  if (text[0] == '=') { /* "=x", from before expressions were tried first */
    lua_pushliteral(L, "return ");
    lua_pushlstring(L, text + 1, length - 1);
    lua_concat(L, 2);
    lua_replace(L, 1);
  }
  *status = LUA_OK;
  if (!load_expression(L, 1))
    got = load_statements(L, 1, status);
  text = lua_tostring(L, 1);
  if (got == LINE && on_terminal && text[0] != '\0')
    editor_remember(text);
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

static int plain_prompt(lua_State *L) {
  int status = LUA_OK;
  Got got;
  while ((got = read_chunk(L, &status)) != END && got != GONE) {
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
  return EXIT_SUCCESS;
}

/* -- on a terminal -------------------------------------------------------- */

/* editor.call(f, ...) -> true, values... | false, message; Ctrl-C is an error
   in f */
static int repl_call(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  int status = host_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 1);
  return lua_gettop(L);
}

/* editor.interrupted() -> the seconds after which the last call was, or nil */
static int repl_interrupted(lua_State *L) {
  if (host_interrupted() < 0)
    luaL_pushfail(L);
  else
    lua_pushnumber(L, host_interrupted());
  return 1;
}

/* editor.forked() -> is this a child that a chunk made? */
static int repl_forked(lua_State *L) {
  lua_pushboolean(L, host_forked());
  return 1;
}

static const luaL_Reg funcs[] = {
  {"call", repl_call},
  {"forked", repl_forked},
  {"interrupted", repl_interrupted},
  {NULL, NULL},
};

/* Pushes the status that the prompt in Lua ended with, or its error. */
static int run_driver(lua_State *L) {
  host_watch_coroutines(L);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "nslua.prompt");
  int status = lua_pcall(L, 1, 1, 0);
  if (status != LUA_OK)
    return status;
  lua_getfield(L, -1, "run");
  luaL_newlib(L, funcs);
  editor_functions(L);
  lua_newtable(L);
  checkpoint_functions(L);
  lua_setfield(L, -2, "checkpoint");
  return lua_pcall(L, 1, 1, 0);
}

/* A group that our pid namespace does not show could not get the terminal back
   from whom we lend it to (unshare --pid --fork nslua): then we lead one. */
static void lead_a_group(void) {
  sigset_t set, old;
  if (getpgrp() != 0 || setpgid(0, 0) == -1)
    return;
  sigemptyset(&set);
  sigaddset(&set, SIGTTOU);
  sigprocmask(SIG_BLOCK, &set, &old);
  tcsetpgrp(STDIN_FILENO, getpgrp());
  sigprocmask(SIG_SETMASK, &old, NULL);
}

int repl_run(lua_State *L) {
  const char *program = host_program;
  bool survives = host_survives;
  int status;
  host_program = NULL;
  on_terminal = isatty(STDIN_FILENO);
  host_survives = on_terminal;
  bool is_seen = on_terminal && isatty(STDOUT_FILENO);
  if (on_terminal && !is_seen)
    editor_open();
  if (is_seen)
    lead_a_group();
  if (is_seen && host_report(L, run_driver(L)) == LUA_OK)
    status = (int)lua_tointeger(L, -1);
  else
    status = plain_prompt(L);
  if (on_terminal && editor_signal() != 0)
    status = 128 + editor_signal();
  lua_settop(L, 0);
  host_program = program;
  host_survives = survives;
  return status;
}

int repl_inside(lua_State *L) {
  bool forked = host_forked();
  host_settle();
  if (forked)
    checkpoint_reset();
  lua_settop(L, 0);
  lua_pushinteger(L, repl_run(L));
  return 1;
}
