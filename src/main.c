/* SPDX-License-Identifier: MIT
 *
 * main.c - the command line: everything that the stand-alone lua does, in the
 * same order and with the same messages (section 7 of the Lua manual), and
 * beside it --words of our own, which nslua.cli understands. Nothing of ours
 * is loaded before a script or a word asks for it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "arena.h"
#include "host.h"
#include "nslua.h"

/* Runs the chunk that a luaL_load... function left, or reports why not. */
static int run_chunk(lua_State *L, int status) {
  return host_report(L, status == LUA_OK ? host_call(L, 0, 0) : status);
}

/* -- the options ---------------------------------------------------------- */

enum { HAS_CODE = 1, HAS_VERSION = 2, HAS_PROMPT = 4, NO_ENVIRONMENT = 8 };

typedef struct Command {
  int argc;
  char **argv;
  int script;      /* argv index of the first that is no option */
  int bad;         /* argv index of a wrong option, or 0 */
  unsigned has;    /* HAS_... bits */
  int words;       /* how many options are words of our own */
  int status;      /* what the program ends with */
} Command;

/* The words of our own; what they mean is written in nslua.cli. */
static const char *const our_words[] = {
  "batch", "color", "doctor",  "export", "forget",    "frozen",  "help",
  "lint",  "list",  "new",     "plain",  "rootfs",    "traceback", "version",
};

/* --word or --word=value */
static bool is_word(const char *option) {
  size_t length = strcspn(option + 2, "=");
  for (size_t i = 0; i < sizeof our_words / sizeof *our_words; i++)
    if (strlen(our_words[i]) == length &&
        strncmp(our_words[i], option + 2, length) == 0)
      return true;
  return false;
}

/* Notes what the option at argv[i] is; returns how many arguments it takes up,
   0 when it is wrong. */
static int read_option(Command *c, int i) {
  const char *option = c->argv[i];
  const char *next = c->argv[i + 1];
  bool alone = option[2] == '\0';
  switch (option[1]) {
  case '-':
    c->words += 1;
    host_whole_traceback |= strcmp(option, "--traceback") == 0;
    return is_word(option);
  case 'E':
    c->has |= NO_ENVIRONMENT;
    return alone;
  case 'W':
    return alone;
  case 'i':
    c->has |= HAS_PROMPT | HAS_VERSION;
    return alone;
  case 'v':
    c->has |= HAS_VERSION;
    return alone;
  case 'e':
    c->has |= HAS_CODE;
    __attribute__((fallthrough));
  case 'l':
    if (!alone)
      return 1;
    return next != NULL && next[0] != '-' ? 2 : 0;
  default:
    return 0;
  }
}

/* Looks at the options without doing anything yet. */
static void read_options(Command *c) {
  for (int i = 1, n; i < c->argc; i += n) {
    c->script = i;
    if (c->argv[i][0] != '-' || c->argv[i][1] == '\0')
      return;
    if (strcmp(c->argv[i], "--") == 0) {
      c->script = i + 1;
      return;
    }
    n = read_option(c, i);
    if (n == 0) {
      c->bad = i;
      return;
    }
  }
  c->script = c->argc;
}

static void print_usage(const char *option) {
  static const char text[] =
    "usage: %s [options] [script [args]]\n"
    "Options, as those of lua:\n"
    "  -e code   run the string 'code'\n"
    "  -i        go on at the prompt after the script\n"
    "  -l mod    require 'mod' into a global of that name\n"
    "  -l g=mod  require 'mod' into the global 'g'\n"
    "  -v        print Lua's version\n"
    "  -E        look at no environment variable\n"
    "  -W        turn warnings on\n"
    "  --        end of the options\n"
    "  -         end of the options, the script is standard input\n"
    "  --help    explain these and the options of nslua's own";
  char line[sizeof text + 256];
  if (option[1] == 'e' || option[1] == 'l')
    snprintf(line, sizeof line, "'%.200s' needs argument", option);
  else
    snprintf(line, sizeof line, "unrecognized option '%.200s'", option);
  host_message(host_program, line);
  snprintf(line, sizeof line, text, host_program);
  host_message(NULL, line);
}

/* Kilobytes that a program may allocate before the first collection: most
   short ones end before it. */
enum { FREE_OF_COLLECTION = 256 };

/* -- what the options ask for --------------------------------------------- */

static void push_arg_table(lua_State *L, const Command *c) {
  int script = c->script == c->argc ? 0 : c->script;
  lua_createtable(L, c->argc - script, script + 1);
  for (int i = 0; i < c->argc; i++) {
    lua_pushstring(L, c->argv[i]);
    lua_rawseti(L, -2, i - script);
  }
}

static void open_libraries(lua_State *L, const Command *c) {
  if (c->has & NO_ENVIRONMENT) { /* package.path and cpath look at this */
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  arena_mark_first(L);
  lua_gc(L, LUA_GCGEN, 0, 0);
  lua_gc(L, LUA_GCSTOP);
  luaL_openlibs(L);
  nslua_openlibs(L);
  lua_pushcfunction(L, repl_inside);
  lua_setfield(L, LUA_REGISTRYINDEX, "nslua.prompt");
  push_arg_table(L, c);
  lua_setglobal(L, "arg");
  lua_gc(L, LUA_GCRESTART);
  lua_gc(L, LUA_GCSTEP, -FREE_OF_COLLECTION);
}

static int run_environment(lua_State *L) {
  const char *name = "=LUA_INIT" LUA_VERSUFFIX;
  const char *code = getenv(name + 1);
  if (code == NULL) {
    name = "=LUA_INIT";
    code = getenv(name + 1);
  }
  if (code == NULL)
    return LUA_OK;
  if (*code == '@')
    return run_chunk(L, luaL_loadfile(L, code + 1));
  return run_chunk(L, luaL_loadbuffer(L, code, strlen(code), name));
}

/* -l mod, -l global=mod. The version suffix of "mod-v2" is no part of the
   global's name; releases before 5.4.5 kept it, so that name is set too. */
static int run_require(lua_State *L, const char *what) {
  const char *equals = strchr(what, '=');
  const char *module = equals ? equals + 1 : what;
  const char *suffix = equals ? NULL : strchr(module, '-');
  lua_getglobal(L, "require");
  lua_pushstring(L, module);
  int status = host_call(L, 1, 1);
  if (status != LUA_OK)
    return host_report(L, status);
  lua_pushglobaltable(L);
  if (suffix != NULL) {
    lua_pushlstring(L, module, (size_t)(suffix - module));
    lua_pushvalue(L, -3);
    lua_settable(L, -3);
  }
  lua_pushlstring(L, what, equals ? (size_t)(equals - what) : strlen(what));
  lua_pushvalue(L, -3);
  lua_settable(L, -3);
  lua_pop(L, 2);
  return LUA_OK;
}

/* -e, -l and -W, in their order. */
static bool run_options(lua_State *L, const Command *c) {
  for (int i = 1; i < c->script && strcmp(c->argv[i], "--") != 0; i++) {
    char option = c->argv[i][1];
    if (option == 'W')
      lua_warning(L, "@on", 0);
    if (option != 'e' && option != 'l')
      continue;
    const char *text = c->argv[i][2] ? c->argv[i] + 2 : c->argv[++i];
    int status =
      option == 'l'
        ? run_require(L, text)
        : run_chunk(L, luaL_loadbuffer(L, text, strlen(text),
                                       "=(command line)"));
    if (status != LUA_OK)
      return false;
  }
  return true;
}

/* -- words of our own, and lessons ---------------------------------------- */

/* [arguments] -> calls nslua.cli's function; it returns an exit status (nil:
   go on) and a message. */
static bool call_cli(lua_State *L, Command *c, const char *function,
                     int nargs) {
  int top = lua_gettop(L) - nargs;
  lua_getglobal(L, "require");
  lua_pushliteral(L, "nslua.cli");
  int status = host_call(L, 1, 1);
  if (status == LUA_OK) {
    lua_getfield(L, -1, function);
    lua_replace(L, -2);
    lua_insert(L, top + 1);
    status = host_call(L, nargs, 2);
  }
  c->status = EXIT_FAILURE;
  bool done = host_report(L, status) != LUA_OK || !lua_isnil(L, top + 1);
  if (status == LUA_OK && done) {
    c->status = (int)lua_tointeger(L, top + 1);
    if (lua_isstring(L, top + 2))
      host_message(host_program, lua_tostring(L, top + 2));
  }
  lua_settop(L, top);
  return done;
}

/* Hands the words and the operands over; true when that was all to do. */
static bool run_words(lua_State *L, Command *c) {
  int n = 0;
  lua_createtable(L, c->words, 0);
  for (int i = 1; i < c->script && strcmp(c->argv[i], "--") != 0; i++)
    if (c->argv[i][1] == '-') {
      lua_pushstring(L, c->argv[i]);
      lua_rawseti(L, -2, ++n);
    } else if (strchr("el", c->argv[i][1]) && c->argv[i][2] == '\0') {
      i++;
    }
  lua_createtable(L, c->argc - c->script, 0);
  for (int i = c->script; i < c->argc; i++) {
    lua_pushstring(L, c->argv[i]);
    lua_rawseti(L, -2, i - c->script + 1);
  }
  return call_cli(L, c, "main", 2);
}

static bool is_lesson(lua_State *L, int index) {
  bool is = luaL_getmetafield(L, index, "__name") == LUA_TSTRING &&
            strcmp(lua_tostring(L, -1), "nslua.lesson") == 0;
  lua_settop(L, index);
  return is;
}

/* -- the script ----------------------------------------------------------- */

static int push_script_arguments(lua_State *L) {
  if (lua_getglobal(L, "arg") != LUA_TTABLE)
    luaL_error(L, "'arg' is not a table");
  int table = lua_gettop(L);
  int n = (int)luaL_len(L, -1);
  luaL_checkstack(L, n + 3, "too many arguments to script");
  for (int i = 1; i <= n; i++)
    lua_rawgeti(L, table, i);
  lua_remove(L, table);
  return n;
}

/* Runs a file, or standard input for NULL; a lesson that it returns is run
   too. */
static int run_file(lua_State *L, Command *c, const char *file) {
  int top = lua_gettop(L);
  int status = luaL_loadfile(L, file);
  if (status == LUA_OK)
    status = host_call(L, file == NULL && c->script == c->argc
                            ? 0
                            : push_script_arguments(L),
                       LUA_MULTRET);
  if (host_report(L, status) != LUA_OK)
    return status;
  c->status = EXIT_SUCCESS;
  if (lua_gettop(L) > top && !host_forked() && is_lesson(L, top + 1))
    call_cli(L, c, "lesson", 1);
  lua_settop(L, top);
  return LUA_OK;
}

static int run_script(lua_State *L, Command *c) {
  const char *file = c->argv[c->script];
  if (strcmp(file, "-") == 0 && strcmp(c->argv[c->script - 1], "--") != 0)
    file = NULL;
  return run_file(L, c, file);
}

/* The whole command, protected; leaves the result in c->status. */
static int run_command(lua_State *L) {
  Command *c = lua_touserdata(L, 1);
  lua_settop(L, 0);
  luaL_checkversion(L);
  if (c->has & HAS_VERSION)
    host_version();
  open_libraries(L, c);
  if (!(c->has & NO_ENVIRONMENT) && run_environment(L) != LUA_OK)
    return 0;
  if (!run_options(L, c))
    return 0;
  if (c->words > 0 && run_words(L, c))
    return 0;
  if (c->script < c->argc && run_script(L, c) != LUA_OK)
    return 0;
  if (c->script == c->argc)
    c->status = EXIT_SUCCESS;
  if (host_forked())
    return 0;
  if (c->has & HAS_PROMPT) {
    c->status |= repl_run(L);
  } else if (c->script == c->argc && !(c->has & (HAS_CODE | HAS_VERSION))) {
    if (isatty(STDIN_FILENO)) {
      host_version();
      c->status |= repl_run(L);
    } else {
      run_file(L, c, NULL); /* lua ends with 0 then, whatever happened */
    }
  }
  return 0;
}

int main(int argc, char **argv) {
  static bool warnings;
  Command c = {.argc = argc, .argv = argv, .script = argc,
               .status = EXIT_FAILURE};
  if (argc > 0 && argv[0][0] != '\0')
    host_program = argv[0];
  if (getauxval(AT_SECURE) != 0) {
    host_message(host_program, "will not run with the rights of its file's "
                               "owner (set-user-ID): use sudo, or none");
    return EXIT_FAILURE;
  }
  signal(SIGCHLD, SIG_DFL); /* ignored, it would swallow exit codes */
  host_settle();
  read_options(&c);
  if (c.bad != 0) {
    print_usage(argv[c.bad]);
    return EXIT_FAILURE;
  }
  lua_State *L = arena_newstate();
  if (L == NULL) {
    host_message(host_program, "cannot create state: not enough memory");
    return EXIT_FAILURE;
  }
  lua_setwarnf(L, host_warning, &warnings);
  lua_pushcfunction(L, run_command);
  lua_pushlightuserdata(L, &c);
  if (host_report(L, lua_pcall(L, 1, 0, 0)) != LUA_OK)
    c.status = EXIT_FAILURE;
  if (host_forked()) { /* a child's end is not the end of the session */
    fflush(NULL);
    _exit(c.status);
  }
  arena_close(L, c.status);
}
