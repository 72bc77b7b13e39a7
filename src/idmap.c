/* SPDX-License-Identifier: MIT
 *
 * idmap.c - which ids of the parent a user namespace knows. The kernel takes
 * each map once, in one write, and from an unprivileged writer only after
 * setgroups is denied: deny, gid_map, uid_map. user_namespaces(7).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"

enum { MOST_RANGES = 340 }; /* the kernel's limit */

/* -- which id is ours, seen from outside? ------------------------------------
 * Once in an unmapped namespace the kernel answers 65534, so the ids are kept
 * when unshare("user") leaves them behind: a fact of the process, not of a
 * Lua state. */
static bool left_behind, uid_left_behind, gid_left_behind;
static uid_t left_uid;
static gid_t left_gid;

void lib_ids_left_behind(uid_t uid, gid_t gid) {
  left_uid = uid;
  left_gid = gid;
  left_behind = uid_left_behind = gid_left_behind = true;
}

/* -- reading a map from Lua ----------------------------------------------- */

static lua_Integer range_field(lua_State *L, int arg, int table, int i) {
  int exact;
  bool number = lua_rawgeti(L, table, i) == LUA_TNUMBER;
  lua_Integer n = lua_tointegerx(L, -1, &exact);
  lua_pop(L, 1);
  if (!number || !exact || n < 0 || n > 0xffffffffLL)
    luaL_argerror(L, arg, "a range is {inside, outside, count} of numbers "
                          "from 0 to 4294967295");
  return n;
}

typedef struct Ids {
  int ranges;
  lua_Integer outside, count; /* of the last range */
} Ids;

/* Not by printf, whose code a short program would map for these alone. */
static char *put_number(char *out, lua_Integer n, char after) {
  char digits[24];
  int count = 0;
  do
    digits[count++] = (char)('0' + n % 10);
  while ((n /= 10) > 0);
  while (count > 0)
    *out++ = digits[--count];
  *out++ = after;
  return out;
}

/* The text grows on the Lua stack: [text] -> [longer text] */
static void add_range(lua_State *L, int arg, int table, Ids *ids) {
  char line[64];
  lua_Integer inside = range_field(L, arg, table, 1);
  ids->outside = range_field(L, arg, table, 2);
  ids->count = range_field(L, arg, table, 3);
  if (++ids->ranges > MOST_RANGES)
    luaL_argerror(L, arg, "a map has at most 340 ranges");
  char *end = put_number(line, inside, ' ');
  end = put_number(end, ids->outside, ' ');
  end = put_number(end, ids->count, '\n');
  lua_pushlstring(L, line, (size_t)(end - line));
  lua_concat(L, 2);
}

/* Pushes the text of map[field]: a number (that id inside is `own` outside),
   one range or a list of ranges. */
static void push_ranges(lua_State *L, int arg, int map, const char *field,
                        unsigned own, Ids *ids) {
  int type = lua_getfield(L, map, field);
  int value = lua_gettop(L);
  memset(ids, 0, sizeof *ids);
  lua_pushliteral(L, "");
  if (type == LUA_TNUMBER) {
    lua_createtable(L, 3, 0);
    lua_pushvalue(L, value);
    lua_rawseti(L, -2, 1);
    lua_pushinteger(L, own);
    lua_rawseti(L, -2, 2);
    lua_pushinteger(L, 1);
    lua_rawseti(L, -2, 3);
    lua_insert(L, -2);
    add_range(L, arg, value + 1, ids);
    lua_remove(L, value + 1);
  } else if (type == LUA_TTABLE && lua_rawgeti(L, value, 1) == LUA_TTABLE) {
    lua_Integer n = (lua_Integer)lua_rawlen(L, value);
    lua_pop(L, 1);
    for (lua_Integer i = 1; i <= n; i++) {
      if (lua_rawgeti(L, value, i) != LUA_TTABLE)
        luaL_argerror(L, arg, "a list of ranges holds tables only");
      lua_insert(L, -2);
      add_range(L, arg, lua_gettop(L) - 1, ids);
      lua_remove(L, -2);
    }
  } else if (type == LUA_TTABLE) {
    lua_pop(L, 1);
    add_range(L, arg, value, ids);
  } else if (type != LUA_TNIL) {
    luaL_argerror(L, arg, "uid and gid are a number, a range or ranges");
  }
  lua_remove(L, value);
}

/* The words for maps that need one id only, as tables. */
static void push_word(lua_State *L, int arg, uid_t uid, gid_t gid) {
  const char *word = lib_checkpath(L, arg);
  bool root = strcmp(word, "root") == 0;
  if (!root && strcmp(word, "current") != 0)
    luaL_argerror(L, arg, "a map is \"root\", \"current\" or "
                          "{uid=, gid=, setgroups=}");
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, root ? 0 : (lua_Integer)uid);
  lua_setfield(L, -2, "uid");
  lua_pushinteger(L, root ? 0 : (lua_Integer)gid);
  lua_setfield(L, -2, "gid");
}

static bool is_capable(int cap) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  return syscall(SYS_capget, &header, data) == 0 &&
         (data[cap / 32].effective >> (cap % 32) & 1) != 0;
}

/* sys.is_admin() -> boolean: CAP_SYS_ADMIN in the caller's user namespace */
static int idmap_is_admin(lua_State *L) {
  lua_pushboolean(L, is_capable(CAP_SYS_ADMIN));
  return 1;
}

static const char *check_setgroups(lua_State *L, int arg, int map,
                                   const lib_Map *m) {
  static const char *const words[] = {"allow", "deny", NULL};
  int type = lua_getfield(L, map, "setgroups");
  size_t length = type == LUA_TSTRING ? lua_rawlen(L, -1) : 0;
  const char *word = type == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  lua_pop(L, 1);
  if (type == LUA_TNIL) {
    if (*m->gid == '\0')
      return NULL;
    if (m->newgidmap != NULL) /* it knows by itself who has to give up groups */
      return NULL;
    return m->self || left_behind || !is_capable(CAP_SETGID) ? words[1] : NULL;
  }
  for (int i = 0; word != NULL && words[i] != NULL; i++)
    if (strcmp(word, words[i]) == 0 && length == strlen(words[i]))
      return words[i];
  luaL_argerror(L, arg, "setgroups is \"allow\" or \"deny\"");
  __builtin_unreachable();
}

/* A word that C does not know, {inside, outside, count} for both, or a word in
   uid or gid: nslua.maps makes plain ranges of them. */
static bool is_wordy(lua_State *L, int map) {
  if (lua_type(L, map) == LUA_TSTRING) {
    const char *word = lua_tostring(L, map);
    return strcmp(word, "root") != 0 && strcmp(word, "current") != 0;
  }
  if (lua_type(L, map) != LUA_TTABLE)
    return false;
  lua_pushliteral(L, "uid");
  bool wordy = lua_rawget(L, map) == LUA_TSTRING;
  lua_pushliteral(L, "gid");
  wordy = lua_rawget(L, map) == LUA_TSTRING || wordy;
  lua_pop(L, 2);
  return wordy || lua_rawlen(L, map) > 0;
}

/* Pushes what a function of nslua.maps returns for the map at `arg`. */
static void ask_maps(lua_State *L, const char *function, int arg, uid_t uid,
                     gid_t gid) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "nslua.maps");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, function);
  lua_remove(L, -2);
  lua_pushvalue(L, arg);
  lua_pushinteger(L, uid);
  lua_pushinteger(L, gid);
  lua_call(L, 3, 2);
}

/* Pushes the map as a table. */
static void push_table(lua_State *L, int arg, uid_t uid, gid_t gid) {
  if (lua_type(L, arg) == LUA_TBOOLEAN && lua_toboolean(L, arg)) {
    lua_pushliteral(L, "root");
    push_word(L, lua_gettop(L), uid, gid);
    lua_remove(L, -2);
  } else if (is_wordy(L, arg)) {
    ask_maps(L, "resolve", arg, uid, gid);
    if (lua_isnil(L, -2))
      luaL_argerror(L, arg, lua_tostring(L, -1));
    lua_pop(L, 1);
  } else if (lua_type(L, arg) == LUA_TSTRING) {
    push_word(L, arg, uid, gid);
  } else {
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_pushvalue(L, arg);
  }
}

static void check_keys(lua_State *L, int arg, int map) {
  static const char *const keys[] = {"uid", "gid", "setgroups"};
  for (lua_pushnil(L); lua_next(L, map) != 0; lua_pop(L, 1)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    bool known = false;
    for (int i = 0; i < 3; i++)
      known = known || strcmp(key, keys[i]) == 0;
    if (!known)
      luaL_argerror(L, arg, "a map has the keys uid, gid and setgroups");
  }
}

static bool is_own(const Ids *ids, unsigned id) {
  return ids->ranges <= 1 && ids->count <= 1 &&
         (!ids->ranges || ids->outside == id);
}

/* What we have no right to write, two programs may (but not from inside the
   namespace, where they gain nothing): pushes their names, nil for none. */
static void push_helpers(lua_State *L, lib_Map *m, int map, bool own_uid,
                         bool own_gid) {
  if ((own_uid && own_gid) ||
      (is_capable(CAP_SETUID) && is_capable(CAP_SETGID))) {
    lua_pushnil(L);
    lua_pushnil(L);
    return;
  }
  ask_maps(L, "helpers", map, 0, 0);
  if (!own_uid)
    m->newuidmap = lua_tostring(L, -2);
  if (!own_gid)
    m->newgidmap = lua_tostring(L, -1);
}

void lib_pushmap(lua_State *L, int arg, bool own, lib_Map *m) {
  Ids uid, gid;
  uid_t euid = own && uid_left_behind ? left_uid : geteuid();
  gid_t egid = own && gid_left_behind ? left_gid : getegid();
  luaL_checkstack(L, 12, "map");
  memset(m, 0, sizeof *m);
  push_table(L, arg, euid, egid);
  int map = lua_gettop(L);
  check_keys(L, arg, map);
  push_ranges(L, arg, map, "uid", euid, &uid);
  push_ranges(L, arg, map, "gid", egid, &gid);
  m->uid = lua_tostring(L, -2);
  m->gid = lua_tostring(L, -1);
  bool own_uid = is_own(&uid, euid), own_gid = is_own(&gid, egid);
  m->self = own_uid && own_gid;
  push_helpers(L, m, map, own_uid || own, own_gid || own);
  m->setgroups = check_setgroups(L, arg, map, m);
  if (m->setgroups != NULL && strcmp(m->setgroups, "allow") == 0 &&
      is_capable(CAP_SETGID))
    m->self = false; /* it is for who has the right out here */
  lua_remove(L, map);
}

/* -- writing it for a process --------------------------------------------- */

/* 0 or -1 with errno. A /proc that is no procfs is not written to. */
static int write_file(int proc, const char *name, const char *text) {
  struct statfs fs;
  ssize_t n = -1;
  int fd = openat(proc, name, O_WRONLY | O_CLOEXEC);
  if (fd == -1)
    return -1;
  if (fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
    n = write(fd, text, strlen(text));
  else
    errno = EXDEV;
  int error_number = errno;
  close(fd);
  errno = error_number;
  return n == -1 ? -1 : 0;
}

static char helper_said[256]; /* of the last one that refused */

static int write_ids(int proc, pid_t pid, const char *name, const char *text,
                     const char *helper) {
  if (*text == '\0')
    return 0;
  return helper ? lib_newidmap(helper, pid > 0 ? pid : getpid(), text,
                               helper_said, sizeof helper_said)
                : write_file(proc, name, text);
}

const char *lib_writemap(pid_t pid, const lib_Map *m) {
  char path[64];
  const char *failed = NULL;
  snprintf(path, sizeof path, "/proc/%d", (int)pid);
  int proc = open(pid > 0 ? path : "/proc/self",
                  O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (proc == -1)
    return "/proc/PID";
  if (m->setgroups && write_file(proc, "setgroups", m->setgroups) == -1)
    failed = "setgroups";
  else if (write_ids(proc, pid, "gid_map", m->gid, m->newgidmap) == -1)
    failed = "gid_map";
  else if (write_ids(proc, pid, "uid_map", m->uid, m->newuidmap) == -1)
    failed = "uid_map";
  int error_number = errno;
  close(proc);
  errno = error_number;
  return failed;
}

/* newuidmap(1) has no errno: what it said stands in the message. */
_Noreturn static void fail_helper(lua_State *L, int error_number,
                                  const char *program, pid_t pid,
                                  const char *text) {
  const char *name = strrchr(program, '/');
  lua_pushfstring(L, "%d ", (int)pid);
  lua_pushlstring(L, text, strlen(text) - 1); /* without the last newline */
  lua_concat(L, 2);
  luaL_gsub(L, lua_tostring(L, -1), "\n", " ");
  lib_pusherror(L, error_number, name ? name + 1 : program,
                lua_tostring(L, -1));
  if (*helper_said != '\0') {
    lua_getfield(L, -1, "message");
    lua_pushliteral(L, ": ");
    lib_pushclean(L, helper_said, strlen(helper_said));
    lua_concat(L, 3);
    lua_setfield(L, -2, "message");
  }
  lua_error(L);
  __builtin_unreachable();
}

_Noreturn void lib_failmap(lua_State *L, int error_number, const char *failed,
                           pid_t pid, const lib_Map *m) {
  const char *text = m->setgroups ? m->setgroups : "deny", *helper = NULL;
  if (strcmp(failed, "gid_map") == 0) {
    text = m->gid;
    helper = m->newgidmap;
  } else if (strcmp(failed, "uid_map") == 0) {
    text = m->uid;
    helper = m->newuidmap;
  }
  if (helper != NULL)
    fail_helper(L, error_number, helper, pid, text);
  lib_fail(L, error_number, "write", "rs", failed, text);
}

/* ns.map(proc | pid | nil, {uid=, gid=, setgroups=}) -> true
   user_namespaces(7): deny setgroups, then gid_map, then uid_map */
static int idmap_map(lua_State *L) {
  lib_Map m;
  pid_t pid = lua_isnil(L, 1) ? 0 : lib_checkpid(L, 1);
  lib_pushmap(L, 2, pid == 0, &m);
  const char *failed = lib_writemap(pid, &m);
  if (failed == NULL && pid == 0) {
    uid_left_behind = uid_left_behind && *m.uid == '\0';
    gid_left_behind = gid_left_behind && *m.gid == '\0';
    left_behind = uid_left_behind || gid_left_behind;
  }
  if (failed == NULL)
    return lib_done(L, 0, "write", "rsrs", "gid_map", m.gid, "uid_map", m.uid);
  lib_failmap(L, errno, failed, pid, &m);
}

static const luaL_Reg funcs[] = {
  {"map", idmap_map},
  {NULL, NULL},
};

static const luaL_Reg internals[] = {
  {"is_admin", idmap_is_admin},
  {NULL, NULL},
};

void idmap_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  lib_internals(L, internals);
}
