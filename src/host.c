/* SPDX-License-Identifier: MIT
 *
 * host.c - how the program speaks on standard error and how it runs a chunk:
 * messages without raw control bytes, tracebacks, Ctrl-C as an error.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "host.h"
#include "lib.h"
#include "nslua.h"

const char *host_program = "nslua";

/* -- messages ------------------------------------------------------------- */

/* One message leaves in one write, so that those of two processes on the same
   terminal do not mix. */
typedef struct Message {
  size_t length;
  char text[1024];
} Message;

static void flush_message(Message *m) {
  fwrite(m->text, 1, m->length, stderr);
  fflush(stderr);
  m->length = 0;
}

static void add_bytes(Message *m, const char *s, size_t n) {
  if (m->length + n > sizeof m->text)
    flush_message(m);
  memcpy(m->text + m->length, s, n);
  m->length += n;
}

static void add_clean(Message *m, const char *s) {
  char hex[8];
  for (size_t left = strlen(s), n; left > 0; s += n, left -= n) {
    n = lib_printable(s, left);
    if (n == 0 && *s != '\n' && *s != '\t') {
      snprintf(hex, sizeof hex, "\\x%02X", (unsigned char)*s);
      add_bytes(m, hex, 4);
      n = 1;
    } else {
      n = n == 0 ? 1 : n;
      add_bytes(m, s, n);
    }
  }
}

void host_message(const char *program, const char *text) {
  Message m = {.length = 0};
  if (program != NULL) {
    add_clean(&m, program);
    add_bytes(&m, ": ", 2);
  }
  add_clean(&m, text);
  add_bytes(&m, "\n", 1);
  flush_message(&m);
}

void host_version(void) {
  puts(LUA_COPYRIGHT);
  fflush(stdout);
}

void host_warning(void *ud, const char *text, int to_continue) {
  static bool inside; /* between the pieces of one warning */
  bool *on = ud;
  Message m = {.length = 0};
  if (!inside && !to_continue && *text == '@') {
    if (strcmp(text, "@on") == 0)
      *on = true;
    else if (strcmp(text, "@off") == 0)
      *on = false;
    return;
  }
  if (*on) {
    if (!inside)
      add_bytes(&m, "Lua warning: ", 13);
    add_clean(&m, text);
    if (!to_continue)
      add_bytes(&m, "\n", 1);
    flush_message(&m);
  }
  inside = to_continue;
}

int host_report(lua_State *L, int status) {
  if (status != LUA_OK) {
    const char *text = lua_tostring(L, -1);
    host_message(host_program, text ? text : "(error message not a string)");
    lua_pop(L, 1);
  }
  return status;
}

/* -- running -------------------------------------------------------------- */

static unsigned home_generation;

bool host_forked(void) { return nslua_forked() != home_generation; }

void host_settle(void) { home_generation = nslua_forked(); }

static lua_State *volatile running; /* whom Ctrl-C interrupts */
static volatile bool hook_waits;    /* it was pressed, Lua has not heard yet */
static bool unwinding;              /* no pcall holds the error up */
static int interrupts;              /* in this chunk */
static struct timespec started;
static double interrupted_after;

bool host_survives;

static double seconds_since(const struct timespec *then) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)(t.tv_sec - then->tv_sec) +
         (double)(t.tv_nsec - then->tv_nsec) / 1e9;
}

double host_interrupted(void) { return interrupted_after; }

static void unwind_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  luaL_error(L, "interrupted!");
}

/* A pcall in the chunk does not stop it: the error comes again. */
int host_unwind(lua_State *L) {
  unwinding = true;
  lua_sethook(L, unwind_hook, LUA_MASKCOUNT, 1);
  if (running != NULL)
    lua_sethook(running, unwind_hook, LUA_MASKCOUNT, 1);
  return luaL_error(L, "interrupted!");
}

/* A chunk that caught the first is not asked again. */
static void interrupt_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  hook_waits = false;
  interrupted_after = seconds_since(&started);
  if (++interrupts > 1)
    host_unwind(L);
  luaL_error(L, "interrupted!");
}

static void hook_in(lua_State *L) {
  lua_sethook(L, interrupt_hook,
              LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static void handle_interrupt(void (*handler)(int), struct sigaction *old) {
  struct sigaction action = {.sa_handler = handler};
  sigaction(SIGINT, &action, old);
}

/* The first Ctrl-C asks Lua to stop at its next instruction; the second finds
   the default action, for code that never comes to a next instruction. On a
   terminal the session is worth more than that. */
static void on_interrupt(int signal_number) {
  static const char text[] = "\nstill inside a function that Ctrl-C cannot "
                             "interrupt; Ctrl-\\ ends nslua\n";
  (void)signal_number;
  if (hook_waits && host_survives && write(2, text, sizeof text - 1) < 0)
    return;
  hook_waits = true;
  if (!host_survives)
    handle_interrupt(SIG_DFL, NULL);
  hook_in(running);
}

/* -- coroutines ----------------------------------------------------------- */

/* [arguments] -> what `function`, which resumes co, gives; meanwhile Ctrl-C is
   for co. */
static int resume_watched(lua_State *L, lua_State *co) {
  lua_State *outer = running;
  int nargs = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  if (outer != NULL && co != NULL)
    running = co;
  int status = lua_pcall(L, nargs, LUA_MULTRET, 0);
  running = outer;
  if (hook_waits && outer != NULL) /* co did not come to it */
    hook_in(outer);
  if (unwinding)
    lua_sethook(L, unwind_hook, LUA_MASKCOUNT, 1);
  return status;
}

/* coroutine.resume */
static int watched_resume(lua_State *L) {
  if (resume_watched(L, lua_tothread(L, 1)) != LUA_OK)
    return lua_error(L);
  return lua_gettop(L);
}

/* What coroutine.wrap made. Its own view of who called is one level off. */
static int watched_call(lua_State *L) {
  if (resume_watched(L, lua_tothread(L, lua_upvalueindex(2))) == LUA_OK)
    return lua_gettop(L);
  if (lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

/* coroutine.wrap */
static int watched_wrap(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  if (lua_getupvalue(L, -1, 1) == NULL || !lua_isthread(L, -1)) {
    lua_settop(L, 1);
    return 1;
  }
  lua_pushcclosure(L, watched_call, 2);
  return 1;
}

static void watch(lua_State *L, const char *name, lua_CFunction watched) {
  lua_getfield(L, -1, name);
  if (lua_iscfunction(L, -1) && lua_tocfunction(L, -1) != watched) {
    lua_pushcclosure(L, watched, 1);
    lua_setfield(L, -2, name);
  } else {
    lua_pop(L, 1);
  }
}

void host_watch_coroutines(lua_State *L) {
  if (lua_getglobal(L, LUA_COLIBNAME) == LUA_TTABLE) {
    watch(L, "resume", watched_resume);
    watch(L, "wrap", watched_wrap);
  }
  lua_pop(L, 1);
}

/* -- a chunk -------------------------------------------------------------- */

bool host_whole_traceback;

static bool begins(const char *line, const char *with) {
  return line != NULL && strncmp(line, with, strlen(with)) == 0;
}

/* Frames of nslua's own modules help nobody who did not write them: they go,
   with the C functions that they called and the tail calls below. */
static void hide_own_frames(lua_State *L) {
  static const char ours[] = "\n\tnslua/", c[] = "\n\t[C]: in ";
  const char *trace = lua_tostring(L, -1), *line, *next;
  bool hidden = false;
  luaL_Buffer b;
  for (line = trace; (next = strstr(line, "\nstack traceback:")) != NULL;)
    line = next + 1; /* the last: before it is the message */
  if (line == trace)
    return;
  luaL_buffinit(L, &b);
  luaL_addlstring(&b, trace, (size_t)(line - trace));
  for (; line != NULL; line = next) {
    next = strchr(line + 1, '\n');
    bool tail = hidden && begins(line, "\n\t(...tail calls...)");
    hidden = begins(line, ours) || (begins(line, c) && begins(next, ours));
    if (!hidden && !tail)
      luaL_addlstring(&b, line, next ? (size_t)(next - line) : strlen(line));
  }
  luaL_pushresult(&b);
}

/* error value -> message with a traceback; a value that has its own text
   stays without one */
static int explain_error(lua_State *L) {
  const char *text = lua_tostring(L, 1);
  if (text == NULL) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
      return 1;
    text = lua_pushfstring(L, "(error object is a %s value)",
                           luaL_typename(L, 1));
  }
  luaL_traceback(L, L, text, 1);
  if (!host_whole_traceback)
    hide_own_frames(L);
  return 1;
}

int host_call(lua_State *L, int nargs, int nresults) {
  int function = lua_gettop(L) - nargs;
  lua_State *outer = running;
  struct sigaction before;
  lua_pushcfunction(L, explain_error);
  lua_insert(L, function);
  if (outer == NULL)
    clock_gettime(CLOCK_MONOTONIC, &started);
  running = L;
  hook_waits = unwinding = false;
  interrupts = 0;
  interrupted_after = -1;
  handle_interrupt(on_interrupt, &before);
  int status = lua_pcall(L, nargs, nresults, function);
  sigaction(SIGINT, &before, NULL);
  lua_Hook hook = lua_gethook(L); /* it came too late, or unwinding is over */
  if (hook == interrupt_hook || hook == unwind_hook)
    lua_sethook(L, NULL, 0, 0);
  hook_waits = unwinding = false;
  running = outer;
  lua_remove(L, function);
  return status;
}
