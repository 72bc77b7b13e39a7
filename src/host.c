/* SPDX-License-Identifier: MIT
 *
 * host.c - how the program speaks on standard error and how it runs a chunk:
 * messages without raw control bytes, tracebacks, Ctrl-C as an error.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

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

static lua_State *running; /* whom Ctrl-C interrupts */

static void handle_interrupt(void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler};
  sigaction(SIGINT, &action, NULL);
}

static void interrupt_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "interrupted!");
}

/* The first Ctrl-C asks Lua to stop at its next instruction; the second finds
   the default action, for code that never comes to a next instruction. */
static void on_interrupt(int signal_number) {
  (void)signal_number;
  handle_interrupt(SIG_DFL);
  lua_sethook(running, interrupt_hook,
              LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
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
  return 1;
}

int host_call(lua_State *L, int nargs, int nresults) {
  int function = lua_gettop(L) - nargs;
  lua_pushcfunction(L, explain_error);
  lua_insert(L, function);
  running = L;
  handle_interrupt(on_interrupt);
  int status = lua_pcall(L, nargs, nresults, function);
  handle_interrupt(SIG_DFL);
  lua_remove(L, function);
  return status;
}
