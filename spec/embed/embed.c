/* SPDX-License-Identifier: MIT
 *
 * embed.c - a C program with nslua in it, as somebody else would write one.
 * It proves what nslua.h promises: a script makes a namespace, two states
 * work in two threads, a thousand states come and go, and the library leaves
 * descriptors and signal handlers of the program alone.
 *
 *     embed namespace | threads | locks | ignored | cycles [n] | quiet | memory
 *
 * One line "ok ..." and 0, or what went wrong and 1.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>
#include <nslua.h>

_Noreturn static void fail(const char *what, const char *why) {
  printf("embed: %s: %s\n", what, why);
  exit(EXIT_FAILURE);
}

static lua_State *open_state(void) {
  lua_State *L = luaL_newstate();
  if (L == NULL)
    fail("luaL_newstate", "no memory");
  luaL_openlibs(L);
  nslua_openlibs(L);
  return L;
}

/* Runs a script with one string argument; its result is on the stack. */
static void run(lua_State *L, const char *script, const char *arg) {
  if (luaL_loadstring(L, script) == LUA_OK) {
    lua_pushstring(L, arg);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK)
      return;
  }
  fail("script", luaL_tolstring(L, -1, NULL));
}

static int count_descriptors(void) {
  int n = 0;
  DIR *d = opendir("/proc/self/fd");
  if (d == NULL)
    fail("/proc/self/fd", strerror(errno));
  while (readdir(d) != NULL)
    n++;
  closedir(d);
  return n;
}

/* Where the process itself is: the link that the kernel shows. */
static void read_uts(char *link, size_t size) {
  ssize_t n = readlink("/proc/self/ns/uts", link, size - 1);
  link[n > 0 ? n : 0] = '\0';
}

/* -- what it proves ------------------------------------------------------- */

/* The script fails before it can name the host when unshare was refused. */
static const char make_namespace[] =
    "local ns, name = require 'nslua', ...\n"
    "if ns.geteuid() == 0 then ns.unshare('uts')\n"
    "else ns.unshare('user', 'uts') end\n"
    "ns.sethostname(name)\n"
    "return ns.gethostname()\n";

static void test_namespace(void) {
  char before[64], after[64], name[65] = "";
  lua_State *L = open_state();
  read_uts(before, sizeof before);
  run(L, make_namespace, "embedded");
  read_uts(after, sizeof after);
  if (strcmp(before, after) == 0)
    fail("namespace", "the process is still in the old one");
  gethostname(name, sizeof name - 1);
  if (strcmp(name, "embedded") != 0 || strcmp(lua_tostring(L, -1), name) != 0)
    fail("hostname", name);
  lua_close(L);
}

/* Errors, children and handles, again and again. */
static const char work[] =
    "local ns, id = require 'nslua', tonumber((...))\n"
    "for i = 1, 100 do\n"
    "  local ok, err = pcall(ns.chdir, '/no/such/folder/' .. id)\n"
    "  assert(not ok and err.name == 'ENOENT')\n"
    "  assert(err.message:find(id, 1, true))\n"
    "  local child <close> = ns.fork(function() return id end)\n"
    "  local ok, how, code = child:wait()\n"
    "  assert(how == 'exit' and code == id, code)\n"
    "end\n"
    "return id\n";

static void *test_one_thread(void *id) {
  lua_State *L = open_state();
  run(L, work, id);
  if (strcmp(lua_tostring(L, -1), id) != 0)
    fail("thread", "it got another thread's result");
  lua_close(L);
  return NULL;
}

static void test_threads(void) {
  pthread_t threads[2];
  static char ids[2][3] = {"11", "22"};
  for (int i = 0; i < 2; i++)
    if (pthread_create(&threads[i], NULL, test_one_thread, ids[i]) != 0)
      fail("pthread_create", "refused");
  for (int i = 0; i < 2; i++)
    pthread_join(threads[i], NULL);
}

/* Takes libc's locks, again and again. */
static void *take_locks(void *stop) {
  while (!*(atomic_bool *)stop) {
    void *block[64];
    FILE *f = fopen("/dev/null", "w");
    for (int i = 0; i < 64; i++)
      block[i] = malloc(5000 + (size_t)i * 100);
    for (int i = 0; i < 64; i++)
      free(block[i]);
    if (f != NULL)
      fclose(f);
  }
  return NULL;
}

/* Children that allocate and use files, from a new place and a joined one. */
static const char allocate[] =
    "local ns = require 'nslua'\n"
    "local function work()\n"
    "  for i = 1, 50 do ('y'):rep(i * 100):upper() end\n"
    "  io.open('/dev/null'):close()\n"
    "  return 7\n"
    "end\n"
    "for _ = 1, 200 do\n"
    "  local child <close> = ns.clone({}, work)\n"
    "  local _, how, code = child:wait(20)\n"
    "  assert(how == 'exit' and code == 7, how)\n"
    "end\n"
    "local types = ns.geteuid() == 0 and { 'uts' } or { 'user', 'uts' }\n"
    "local box <close> = ns.box(types)\n"
    "for _ = 1, 50 do assert(box:call(work) == 7) end\n"
    "return 1\n";

static void test_locks(void) {
  pthread_t thread;
  atomic_bool stop = false;
  if (pthread_create(&thread, NULL, take_locks, &stop) != 0)
    fail("pthread_create", "refused");
  lua_State *L = open_state();
  run(L, allocate, "");
  lua_close(L);
  stop = true;
  pthread_join(thread, NULL);
}

/* A host that ignores SIGCHLD: the kernel keeps nobody's exit status. */
static const char await_children[] =
    "local ns = require 'nslua'\n"
    "local types = ns.geteuid() == 0 and { 'uts' } or { 'user', 'uts' }\n"
    "local box <close> = ns.box(types)\n"
    "for i = 1, 20 do\n"
    "  assert(box:call(function() return i end) == i)\n"
    "  local child <close> = ns.clone({}, function() return i end)\n"
    "  local _, how, code = child:wait()\n"
    "  assert(how == 'exit' and code == i, code)\n"
    "end\n"
    "for i = 1, 200 do -- it may have ended before its parent goes on\n"
    "  local child <close> = ns.fork(function() return i end)\n"
    "  local _, how, code = child:wait()\n"
    "  assert(how == 'exit' and code == i, code)\n"
    "end\n"
    "return 1\n";

static void test_ignored(void) {
  signal(SIGCHLD, SIG_IGN);
  lua_State *L = open_state();
  run(L, await_children, "");
  lua_close(L);
}

static void test_cycles(int n) {
  int before = count_descriptors();
  for (int i = 0; i < n; i++) {
    lua_State *L = open_state();
    run(L, "local ns = require 'nslua'; ns.open('/dev/null'); return 1", "");
    lua_close(L);
  }
  if (count_descriptors() != before)
    fail("cycles", "descriptors were left open");
}

/* Loading everything changes no signal and opens no descriptor. */
static const char load_all[] =
    "local ns = require 'nslua'\n"
    "for _, path in ipairs(require 'nslua.sys'.embedded()) do\n"
    "  local name = path:match '^lua/(.*)%.lua$'\n"
    "  if name and not name:find '/meta/' then\n"
    "    pcall(require, (name:gsub('/init$', ''):gsub('/', '.')))\n"
    "  end\n"
    "end\n"
    "collectgarbage()\n";

static void test_quiet(void) {
  struct sigaction before[NSIG], after;
  int descriptors = count_descriptors();
  memset(before, 0, sizeof before);
  for (int sig = 1; sig < NSIG; sig++)
    sigaction(sig, NULL, &before[sig]);
  lua_State *L = open_state();
  run(L, load_all, "");
  for (int sig = 1; sig < NSIG; sig++)
    if (sigaction(sig, NULL, &after) == 0 &&
        after.sa_handler != before[sig].sa_handler)
      fail("signal handler", strsignal(sig));
  lua_close(L);
  if (count_descriptors() != descriptors)
    fail("descriptors", "some were left open");
  if (nslua_forked() != 0)
    fail("nslua_forked", "this is not a child");
}

/* -- without memory ------------------------------------------------------- */

static long allocations_left;

static void *stingy(void *ud, void *block, size_t old, size_t size) {
  (void)ud;
  if (size == 0) {
    free(block);
    return NULL;
  }
  /* What shrinks never fails: Lua counts on it. */
  if (block != NULL && size <= old)
    return realloc(block, size);
  return allocations_left-- > 0 ? realloc(block, size) : NULL;
}

/* Resources of every kind, errors, words, vectors: each may run out. */
static const char needy[] =
    "local ns = require 'nslua'\n"
    "local r, w = ns.pipe()\n"
    "w:write('x'); r:read(1)\n"
    "ns.uname(); ns.readdir('/proc/self/fd'); ns.stat('/')\n"
    "local ok, err = pcall(ns.chdir, '/no/such/folder')\n"
    "local text = tostring(err)\n"
    "pcall(ns.mount, 'a', 'b', 'c', 'ro,no such word')\n"
    "pcall(ns.exec, { '/no/such/program' }, { A = 'b' })\n"
    "local here <close> = ns.of('/proc/self/ns/uts')\n"
    "pcall(ns.of, 1 << 22)\n";

static int run_needy(lua_State *L) {
  luaL_openlibs(L);
  nslua_openlibs(L);
  if (luaL_dostring(L, needy) != LUA_OK)
    return lua_error(L);
  return 0;
}

/* Lets the n-th allocation fail for every n, until nothing fails any more:
   no crash, no descriptor left. */
static void test_memory(void) {
  int before = count_descriptors();
  long n = 0;
  for (;; n += 1 + n / 128) {
    allocations_left = n;
    lua_State *L = lua_newstate(stingy, NULL);
    if (L == NULL)
      continue;
    lua_pushcfunction(L, run_needy);
    int status = lua_pcall(L, 0, 0, 0);
    bool enough = allocations_left > 0;
    allocations_left = LONG_MAX;
    if (status != LUA_OK && status != LUA_ERRMEM && enough)
      fail("script", luaL_tolstring(L, -1, NULL));
    lua_close(L);
    if (count_descriptors() != before)
      fail("memory", "a descriptor was left open");
    if (enough)
      break;
  }
  if (n < 1000)
    fail("memory", "the script was never short of it");
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "namespace") == 0)
    test_namespace();
  else if (strcmp(what, "threads") == 0)
    test_threads();
  else if (strcmp(what, "locks") == 0)
    test_locks();
  else if (strcmp(what, "ignored") == 0)
    test_ignored();
  else if (strcmp(what, "cycles") == 0)
    test_cycles(argc > 2 ? atoi(argv[2]) : 1000);
  else if (strcmp(what, "quiet") == 0)
    test_quiet();
  else if (strcmp(what, "memory") == 0)
    test_memory();
  else
    fail("usage", "embed namespace | threads | locks | ignored | cycles [n] | "
                  "quiet | memory");
  printf("ok %s\n", what);
  return EXIT_SUCCESS;
}
