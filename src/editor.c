/* SPDX-License-Identifier: MIT
 *
 * editor.c - a line from the terminal: edited by a library (readline.c), else
 * as the terminal gives it. The waiting is ours, so that Ctrl-C, Ctrl-Z and a
 * new size of the window take effect at once. ppoll(2), signal(7), termios(3).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include <lauxlib.h>

#include "editor.h"
#include "readline.h"

/* -- signals while we wait ------------------------------------------------ */

/* They are blocked but for the waiting, so that no key is half handled by
   then, and none comes unnoticed. */
static const int waited_for[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM,
                                 SIGTSTP, SIGWINCH};
enum { WAITED_FOR = sizeof waited_for / sizeof *waited_for,
       ENDING = 4 }; /* the first of them end a line; then the clock */

static sigset_t while_waiting; /* the signals that come then */
static sigset_t ending_set;    /* those that end a line, and the clock's */
static volatile sig_atomic_t came[NSIG];
static struct sigaction before[WAITED_FOR];
static int ending_signal;
static const char *asked_with = ""; /* the prompt */
static int watched_fd = -1;

/* Who waits for a key without us would go on waiting when a signal came just
   before that: the next one comes from a clock. */
static volatile sig_atomic_t waits_by_itself;

static void note_signal(int signal_number) {
  static const struct itimerval soon = {.it_value = {.tv_usec = 20000}};
  came[signal_number] = 1;
  if (waits_by_itself)
    setitimer(ITIMER_REAL, &soon, NULL);
}

int editor_signal(void) { return ending_signal; }

void editor_watch(int pidfd) { watched_fd = pidfd; }

/* What is ignored stays so: nohup nslua. */
static void take_signals(void) {
  struct sigaction action = {.sa_handler = note_signal};
  sigset_t blocked;
  sigfillset(&action.sa_mask);
  sigemptyset(&blocked);
  for (int i = 0; i < WAITED_FOR; i++) {
    came[waited_for[i]] = 0;
    sigaddset(&blocked, waited_for[i]);
  }
  sigprocmask(SIG_BLOCK, &blocked, &while_waiting);
  sigemptyset(&ending_set);
  for (int i = 0; i <= ENDING; i++)
    sigaddset(&ending_set, waited_for[i]);
  for (int i = 0; i < WAITED_FOR; i++) {
    sigaction(waited_for[i], NULL, &before[i]);
    if (before[i].sa_handler != SIG_IGN)
      sigaction(waited_for[i], &action, NULL);
  }
}

static void give_signals_back(void) {
  sigprocmask(SIG_SETMASK, &while_waiting, NULL);
  for (int i = 0; i < WAITED_FOR; i++)
    sigaction(waited_for[i], &before[i], NULL);
}

/* Ctrl-Z: the terminal is as it was until the shell says fg. Our group stops,
   those who wait for us too. */
static void stop(void) {
  struct sigaction ours, stopping = {.sa_handler = SIG_DFL};
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, SIGTSTP);
  if (editor.release != NULL)
    editor.release();
  sigaction(SIGTSTP, &stopping, &ours);
  kill(0, SIGTSTP);
  sigprocmask(SIG_UNBLOCK, &only, NULL); /* here we stop */
  sigprocmask(SIG_BLOCK, &only, NULL);
  sigaction(SIGTSTP, &ours, NULL);
  if (editor.prepare != NULL)
    editor.prepare(1);
  if (editor.redraw != NULL)
    editor.redraw();
  else
    (void)fputs(asked_with, stdout);
  fflush(stdout);
}

/* The size may have changed while a chunk ran, too. */
static void follow_size(void) {
  static struct winsize known;
  struct winsize now;
  if (editor.resize == NULL || ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) == -1)
    return;
  if (known.ws_row != 0 && memcmp(&known, &now, sizeof now) != 0)
    editor.resize();
  known = now;
}

static bool must_end(void) {
  for (int i = 1; i < ENDING; i++)
    if (came[waited_for[i]])
      ending_signal = waited_for[i];
  return ending_signal != 0;
}

/* Waits for a key; false when Ctrl-C came or the terminal went: before the key
   that may be there as well, which is for the next line. */
static bool wait_for_key(void) {
  struct pollfd input[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = watched_fd, .events = POLLIN}};
  while (!came[SIGINT] && !must_end()) {
    if (came[SIGWINCH])
      follow_size();
    came[SIGWINCH] = 0;
    if (came[SIGTSTP])
      stop();
    came[SIGTSTP] = 0;
    int n = ppoll(input, 2, NULL, &while_waiting);
    if (n > 0 && input[1].revents != 0)
      return false;
    if (n > 0 && !came[SIGINT] && !must_end())
      return !(input[0].revents & (POLLHUP | POLLERR | POLLNVAL));
  }
  return false;
}

/* -- one line ------------------------------------------------------------- */

static char *edited; /* the line that the editor gave */
static bool edit_done;

static void take_edited(char *line) {
  edited = line;
  edit_done = true;
  editor.remove();
}

/* From here on a wait that is not ours ends with a signal that ends the line,
   even when that came just before the wait began. */
static void let_signals_end(void) {
  waits_by_itself = 1;
  sigprocmask(SIG_UNBLOCK, &ending_set, NULL);
}

static void let_them_wait(void) {
  static const struct itimerval never;
  sigprocmask(SIG_BLOCK, &ending_set, NULL);
  waits_by_itself = 0;
  if (came[SIGINT] || must_end())
    setitimer(ITIMER_REAL, &never, NULL);
}

/* Readline gets its keys here. One that was there may be gone by now: Ctrl-C
   takes all that was typed before it out of the terminal. */
static int get_key(FILE *input) {
  unsigned char key;
  ssize_t n;
  (void)input;
  let_signals_end();
  do
    n = came[SIGINT] || must_end() ? 0 : read(STDIN_FILENO, &key, 1);
  while (n == -1 && errno == EINTR);
  let_them_wait();
  return n == 1 ? key : EOF;
}

/* Libedit waits for keys itself, in its search; its line is spoilt by then. */
static void read_key(void) {
  readline_before_key();
  if (!is_readline())
    let_signals_end();
  else if (editor.on_key != NULL)
    *editor.on_key = get_key;
  editor.read_char();
  if (!is_readline())
    let_them_wait();
  readline_after_key();
}

static void display_nothing(void) {}

/* The end of a search would draw the old prompt, where the next one comes. */
static void clean_up(void) {
  void (*display)(void) = NULL;
  if (editor.on_display != NULL) {
    display = *editor.on_display;
    *editor.on_display = display_nothing;
  }
  editor.cleanup();
  if (editor.on_display != NULL)
    *editor.on_display = display;
}

static Got give_up(void) {
  /* before the editor takes the cursor to the first column */
  puts(came[SIGINT] ? "^C" : "");
  fflush(stdout);
  if (editor.cleanup != NULL)
    clean_up();
  if (editor.replace_line != NULL)
    editor.replace_line("", 0);
  editor.remove();
  return came[SIGINT] ? INTERRUPTED : GONE;
}

static Got edit_line(lua_State *L, const char *prompt) {
  free(edited);
  edited = NULL;
  edit_done = false;
  readline_serve(L, &while_waiting);
  editor.install(prompt, take_edited);
  follow_size();
  while (!edit_done && wait_for_key())
    read_key();
  if (!edit_done || came[SIGINT] || must_end()) /* to readline that is Enter */
    return give_up();
  if (edited != NULL)
    lua_pushstring(L, edited);
  return edited != NULL ? LINE : END;
}

/* A terminal without an editor. Reads beside stdio, as the editors do. */
static Got typed_line(lua_State *L, const char *prompt) {
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
    if (!wait_for_key()) {
      putchar('\n');
      return came[SIGINT] ? INTERRUPTED : GONE;
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

Got editor_read(lua_State *L, const char *prompt) {
  ending_signal = 0;
  asked_with = prompt;
  take_signals();
  Got got = editor.install != NULL ? edit_line(L, prompt)
                                   : typed_line(L, prompt);
  give_signals_back();
  return got;
}

/* -- for Lua -------------------------------------------------------------- */

/* editor.open() -> the library, or nil */
static int editor_lua_open(lua_State *L) {
  lua_pushstring(L, editor_open());
  return 1;
}

/* editor.read(prompt) -> line | nil, "end" | "interrupted" | "gone" */
static int editor_lua_read(lua_State *L) {
  static const char *const words[] = {[END] = "end",
                                      [INTERRUPTED] = "interrupted",
                                      [GONE] = "gone"};
  const char *prompt = luaL_checkstring(L, 1);
  Got got = editor_read(L, prompt);
  if (got == LINE)
    return 1;
  luaL_pushfail(L);
  lua_pushstring(L, words[got]);
  return 2;
}

/* editor.remember(line): for the arrow keys */
static int editor_lua_remember(lua_State *L) {
  editor_remember(luaL_checkstring(L, 1));
  return 0;
}

static const luaL_Reg funcs[] = {
  {"complete_with", readline_complete_with},
  {"open", editor_lua_open},
  {"read", editor_lua_read},
  {"remember", editor_lua_remember},
  {NULL, NULL},
};

void editor_functions(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
