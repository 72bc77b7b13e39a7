/* SPDX-License-Identifier: MIT
 *
 * subid.c - ids that somebody may use besides his own: whose they are, asked
 * of libsubid where the system keeps them elsewhere than in a file (opened
 * when asked, never linked), and the two programs that may map them.
 * subuid(5), newuidmap(1), getpwuid(3).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"

/* -- libsubid ------------------------------------------------------------- */

struct subid_range { /* as in <shadow/subid.h> */
  unsigned long start, count;
};

typedef int (*get_ranges)(const char *, struct subid_range **);

/* Its function for uids or gids; NULL without the library. It stays open. */
static get_ranges find_ranges(bool gids) {
  static const char *const sonames[] = {"libsubid.so.5", "libsubid.so.4"};
  static void *library;
  static bool tried;
  for (size_t i = 0; !tried && library == NULL && i < 2; i++)
    library = dlopen(sonames[i], RTLD_NOW | RTLD_LOCAL);
  tried = true;
  if (library == NULL)
    return NULL;
  bool (*start)(const char *, FILE *);
  *(void **)&start = dlsym(library, "subid_init");
  if (start != NULL)
    start("nslua", NULL);
  get_ranges get;
  *(void **)&get = dlsym(library, gids ? "subid_get_gid_ranges"
                                       : "subid_get_uid_ranges");
  return get;
}

/* sys.libsubid(user, gids: boolean) -> {{first, count}, ...} | nil without the
   library    subid_get_uid_ranges(3) */
static int subid_ranges(lua_State *L) {
  const char *user = lib_checkpath(L, 1);
  get_ranges get = find_ranges(lua_toboolean(L, 2));
  if (get == NULL)
    return 0;
  struct subid_range *ranges = NULL, *copy;
  int n = get(user, &ranges);
  n = n > 0 && ranges != NULL ? n : 0;
  copy = lua_newuserdatauv(L, (size_t)n * sizeof *copy + 1, 0);
  if (n > 0)
    memcpy(copy, ranges, (size_t)n * sizeof *copy);
  free(ranges);
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_createtable(L, 2, 0);
    lua_pushinteger(L, (lua_Integer)copy[i].start);
    lua_rawseti(L, -2, 1);
    lua_pushinteger(L, (lua_Integer)copy[i].count);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* -- names ---------------------------------------------------------------- */

/* sys.user_name(uid) -> string | nil    getpwuid(3) */
static int subid_user_name(lua_State *L) {
  const struct passwd *user = getpwuid((uid_t)luaL_checkinteger(L, 1));
  lua_pushstring(L, user ? user->pw_name : NULL);
  return 1;
}

/* sys.id_of(name, gids: boolean) -> id | nil    getpwnam(3), getgrnam(3) */
static int subid_id_of(lua_State *L) {
  const char *name = lib_checkpath(L, 1);
  const struct group *group = lua_toboolean(L, 2) ? getgrnam(name) : NULL;
  const struct passwd *user = lua_toboolean(L, 2) ? NULL : getpwnam(name);
  if (group == NULL && user == NULL)
    return 0;
  lua_pushinteger(L, group ? group->gr_gid : user->pw_uid);
  return 1;
}

/* -- newuidmap and newgidmap ---------------------------------------------- */

/* Cuts a copy of the map's text into the words of an argument vector. */
static char **make_arguments(const char *program, pid_t pid, const char *text) {
  enum { MOST = 3 * 340 + 3 };
  char number[16], *rest;
  size_t room = MOST * sizeof(char *), length = strlen(text) + 1, n = 0;
  int digits = snprintf(number, sizeof number, "%d", (int)pid) + 1;
  char **argv = calloc(1, room + (size_t)digits + length);
  if (argv == NULL)
    return NULL;
  char *at = (char *)argv + room;
  memcpy(at, number, (size_t)digits);
  argv[n++] = (char *)program;
  argv[n++] = at;
  at = memcpy(at + digits, text, length);
  for (at = strtok_r(at, " \n", &rest); at != NULL && n < MOST - 1;
       at = strtok_r(NULL, " \n", &rest))
    argv[n++] = at;
  return argv;
}

/* Reads what the program says until it ends, the last line for `said`. */
static void listen(int fd, char *said, size_t size) {
  size_t have = 0;
  ssize_t n;
  char lost[256];
  do {
    n = have < size - 1 ? read(fd, said + have, size - 1 - have)
                        : read(fd, lost, sizeof lost);
    if (n > 0 && have < size - 1)
      have += (size_t)n;
  } while (n > 0 || (n == -1 && errno == EINTR));
  while (have > 0 && said[have - 1] == '\n')
    have--;
  said[have] = '\0';
}

static int spawn(const char *program, char **argv, char *said, size_t size) {
  int fds[2], status = -1;
  pid_t pid;
  posix_spawn_file_actions_t actions;
  if (pipe2(fds, O_CLOEXEC) == -1)
    return -1;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
  posix_spawn_file_actions_adddup2(&actions, fds[1], 2);
  int failed = posix_spawn(&pid, program, &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(fds[1]);
  if (failed == 0) {
    listen(fds[0], said, size);
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
      ;
    if (status == -1 && *said == '\0') /* a host that ignores SIGCHLD */
      status = 0;
  }
  close(fds[0]);
  errno = failed ? failed : EPERM;
  return failed == 0 && status == 0 ? 0 : -1;
}

int lib_newidmap(const char *program, pid_t pid, const char *text, char *said,
                 size_t size) {
  *said = '\0';
  char **argv = make_arguments(program, pid, text);
  if (argv == NULL)
    return -1;
  int result = spawn(program, argv, said, size);
  int error_number = errno;
  free(argv);
  errno = error_number;
  return result;
}

static const luaL_Reg internals[] = {
  {"id_of", subid_id_of},
  {"libsubid", subid_ranges},
  {"user_name", subid_user_name},
  {NULL, NULL},
};

void subid_open(lua_State *L) { lib_internals(L, internals); }
