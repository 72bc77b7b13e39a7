/* SPDX-License-Identifier: MIT
 *
 * caps.c - what a process may do beyond its ids: capabilities, its own and
 * those of files, securebits, no_new_privs. capabilities(7), capget(2),
 * capset(2), getxattr(2), PR_CAPBSET_DROP(2const), PR_CAP_AMBIENT(2const).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "caps.h"
#include "kernel.h"
#include "lib.h"

/* -- reading -------------------------------------------------------------- */

typedef struct __user_cap_header_struct Header;
typedef struct __user_cap_data_struct Data;

static unsigned long join(unsigned low, unsigned high) {
  return (unsigned long)high << 32 | low;
}

static void get_own(lua_State *L, unsigned long sets[3]) {
  Header header = {_LINUX_CAPABILITY_VERSION_3, 0};
  Data data[2];
  memset(data, 0, sizeof data);
  lib_check(L, syscall(SYS_capget, &header, data), "capget", "rd",
            "_LINUX_CAPABILITY_VERSION_3", 0);
  sets[0] = join(data[0].effective, data[1].effective);
  sets[1] = join(data[0].permitted, data[1].permitted);
  sets[2] = join(data[0].inheritable, data[1].inheritable);
}

static const char *const set_names[] = {
  "effective", "permitted", "inheritable", "bounding", "ambient",
};

static int push_sets(lua_State *L, const unsigned long sets[5]) {
  lua_createtable(L, 0, 5);
  for (int i = 0; i < 5; i++) {
    caps_push(L, sets[i]);
    lua_setfield(L, -2, set_names[i]);
  }
  return 1;
}

static int push_own(lua_State *L) {
  unsigned long sets[5] = {0};
  get_own(L, sets);
  for (int i = 0; i < CAPS_POSSIBLE; i++) {
    int bound = prctl(PR_CAPBSET_READ, i, 0, 0, 0);
    if (bound == -1)
      break;
    int ambient = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0);
    sets[3] |= (unsigned long)(bound == 1) << i;
    sets[4] |= (unsigned long)(ambient == 1) << i;
  }
  return push_sets(L, sets);
}

static unsigned long status_set(const char *text, const char *label) {
  const char *at = strstr(text, label);
  return at ? strtoul(at + strlen(label), NULL, 16) : 0;
}

/* ns.capabilities([Proc | pid]) -> {effective=, permitted=, inheritable=,
   bounding=, ambient=}    capget(2), proc_pid_status(5) */
static int caps_capabilities(lua_State *L) {
  char path[64], text[8192];
  if (lua_isnoneornil(L, 1))
    return push_own(L);
  snprintf(path, sizeof path, "/proc/%d/status", (int)lib_checkpid(L, 1));
  lua_settop(L, 1);
  lib_Fd *h = lib_newfd(L);
  lua_toclose(L, -1);
  h->fd = open(path, O_RDONLY | O_CLOEXEC);
  lib_check(L, h->fd, "open", "sr", path, "O_RDONLY|O_CLOEXEC");
  long n = lib_check(L, read(h->fd, text, sizeof text - 1), "read", "s", path);
  text[n] = '\0';
  const unsigned long sets[5] = {
    status_set(text, "\nCapEff:\t"), status_set(text, "\nCapPrm:\t"),
    status_set(text, "\nCapInh:\t"), status_set(text, "\nCapBnd:\t"),
    status_set(text, "\nCapAmb:\t"),
  };
  return push_sets(L, sets);
}

/* -- files ---------------------------------------------------------------- */

static unsigned little(const unsigned char *at) {
  return at[0] | (unsigned)at[1] << 8 | (unsigned)at[2] << 16 |
         (unsigned)at[3] << 24;
}

/* Pushes what the attribute says; 0 when it is none that we know. The layout
   is that of struct vfs_ns_cap_data, little-endian on every machine. */
static int push_file_caps(lua_State *L, const unsigned char *data, ssize_t n) {
  unsigned magic = n >= 4 ? little(data) : 0;
  unsigned version = (magic & VFS_CAP_REVISION_MASK) >> VFS_CAP_REVISION_SHIFT;
  if (version < 1 || version > 3 || n != (version == 1 ? 12 : version * 4 + 12))
    return 0;
  bool wide = version > 1;
  lua_createtable(L, 0, 5);
  caps_push(L, join(little(data + 4), wide ? little(data + 12) : 0));
  lua_setfield(L, -2, "permitted");
  caps_push(L, join(little(data + 8), wide ? little(data + 16) : 0));
  lua_setfield(L, -2, "inheritable");
  lua_pushboolean(L, (magic & VFS_CAP_FLAGS_EFFECTIVE) != 0);
  lua_setfield(L, -2, "effective");
  lua_pushinteger(L, version);
  lua_setfield(L, -2, "version");
  if (version == 3) {
    lua_pushinteger(L, little(data + 20));
    lua_setfield(L, -2, "rootid");
  }
  return 1;
}

/* ns.getcap(path | Fd) -> {permitted=, inheritable=, effective=, version=,
   rootid=} | nil    getxattr(2), capabilities(7) */
static int caps_getcap(lua_State *L) {
  static const char name[] = "security.capability";
  unsigned char data[64];
  long n;
  if (lua_type(L, 1) == LUA_TSTRING) {
    const char *path = lib_checkpath(L, 1);
    n = getxattr(path, name, data, sizeof data);
    if (n == -1 && errno != ENODATA && errno != EOPNOTSUPP)
      lib_fail(L, errno, "getxattr", "ss", path, name);
  } else {
    int fd = lib_checkfd(L, 1);
    n = fgetxattr(fd, name, data, sizeof data);
    if (n == -1 && errno != ENODATA && errno != EOPNOTSUPP)
      lib_fail(L, errno, "fgetxattr", "ds", fd, name);
  }
  if (n < 0) {
    lua_pushnil(L);
    return 1;
  }
  if (push_file_caps(L, data, n) == 0)
    lib_fail(L, EINVAL, "getxattr", "rs", "?", name);
  return 1;
}

/* -- changing ------------------------------------------------------------- */

static const lib_Word set_keys[] = {
  {"effective", 0, "effective"}, {"permitted", 1, "permitted"},
  {"inheritable", 2, "inheritable"}, {NULL, 0, NULL},
};

/* [table at arg] puts what its keys say into sets[] */
static void read_sets(lua_State *L, int arg, unsigned long sets[3]) {
  lua_pushvalue(L, arg);
  int table = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, table) != 0) {
    unsigned long which;
    size_t length = 0;
    const char *key = "";
    if (lua_type(L, -2) == LUA_TSTRING)
      key = lua_tolstring(L, -2, &length);
    if (!lib_findword(set_keys, key, length, &which))
      lib_unknown(L, arg, "set", key, set_keys);
    lua_replace(L, arg); /* so that an error names this argument */
    sets[which] = caps_check(L, arg);
  }
}

/* ns.capset{effective=, permitted=, inheritable=} -> true    capset(2) */
static int caps_capset(lua_State *L) {
  Header header = {_LINUX_CAPABILITY_VERSION_3, 0};
  unsigned long sets[3];
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  get_own(L, sets);
  read_sets(L, 1, sets);
  Data data[2] = {
    {(unsigned)sets[0], (unsigned)sets[1], (unsigned)sets[2]},
    {(unsigned)(sets[0] >> 32), (unsigned)(sets[1] >> 32),
     (unsigned)(sets[2] >> 32)},
  };
  lib_departure(L, "capset");
  return lib_done(L, syscall(SYS_capset, &header, data), "capset", "www",
                  caps_names, sets[0], caps_names, sets[1], caps_names,
                  sets[2]);
}

/* ns.cap_drop_bounding(names) -> true    PR_CAPBSET_DROP(2const), one call for
   each name */
static int caps_drop_bounding(lua_State *L) {
  unsigned long bits = caps_check(L, 1);
  lib_departure(L, "cap_drop_bounding");
  for (int i = 0; i < CAPS_NAMED; i++)
    if (bits >> i & 1)
      lib_check(L, prctl(PR_CAPBSET_DROP, i, 0, 0, 0), "prctl", "rw",
                "PR_CAPBSET_DROP", caps_names, 1UL << i);
  lua_pushboolean(L, 1);
  return 1;
}

#define AMBIENT(word, NAME) {word, NAME, #NAME}
static const lib_Word ambient_words[] = {
  AMBIENT("raise", PR_CAP_AMBIENT_RAISE),
  AMBIENT("lower", PR_CAP_AMBIENT_LOWER),
  AMBIENT("clear", PR_CAP_AMBIENT_CLEAR_ALL),
  {NULL, 0, NULL},
};

/* ns.cap_ambient("raise" | "lower", names), ns.cap_ambient("clear") -> true
   PR_CAP_AMBIENT(2const), one call for each name */
static int caps_ambient(lua_State *L) {
  unsigned long how = lib_checkword(L, 1, ambient_words);
  if (how == PR_CAP_AMBIENT_CLEAR_ALL)
    return lib_done(L, prctl(PR_CAP_AMBIENT, how, 0, 0, 0), "prctl", "rw",
                    "PR_CAP_AMBIENT", ambient_words, how);
  if (how != PR_CAP_AMBIENT_RAISE && how != PR_CAP_AMBIENT_LOWER)
    luaL_argerror(L, 1, "\"raise\", \"lower\" or \"clear\" is wanted");
  unsigned long bits = caps_check(L, 2);
  for (int i = 0; i < CAPS_NAMED; i++)
    if (bits >> i & 1)
      lib_check(L, prctl(PR_CAP_AMBIENT, how, i, 0, 0), "prctl", "rww",
                "PR_CAP_AMBIENT", ambient_words, how, caps_names, 1UL << i);
  lua_pushboolean(L, 1);
  return 1;
}

static const lib_Word securebits[] = {
  {"noroot", SECBIT_NOROOT, "SECBIT_NOROOT"},
  {"noroot_locked", SECBIT_NOROOT_LOCKED, "SECBIT_NOROOT_LOCKED"},
  {"no_setuid_fixup", SECBIT_NO_SETUID_FIXUP, "SECBIT_NO_SETUID_FIXUP"},
  {"no_setuid_fixup_locked", SECBIT_NO_SETUID_FIXUP_LOCKED,
   "SECBIT_NO_SETUID_FIXUP_LOCKED"},
  {"keep_caps", SECBIT_KEEP_CAPS, "SECBIT_KEEP_CAPS"},
  {"keep_caps_locked", SECBIT_KEEP_CAPS_LOCKED, "SECBIT_KEEP_CAPS_LOCKED"},
  {"no_cap_ambient_raise", SECBIT_NO_CAP_AMBIENT_RAISE,
   "SECBIT_NO_CAP_AMBIENT_RAISE"},
  {"no_cap_ambient_raise_locked", SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
   "SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED"},
  {NULL, 0, NULL},
};

/* ns.securebits([words]) -> list of words, or true
   PR_SET_SECUREBITS(2const) */
static int caps_securebits(lua_State *L) {
  if (!lua_isnoneornil(L, 1)) {
    unsigned long bits = lib_checkflags(L, 1, securebits);
    lib_departure(L, "securebits");
    return lib_done(L, prctl(PR_SET_SECUREBITS, bits, 0, 0, 0), "prctl", "rw",
                    "PR_SET_SECUREBITS", securebits, bits);
  }
  long bits = lib_check(L, prctl(PR_GET_SECUREBITS, 0, 0, 0, 0), "prctl", "r",
                        "PR_GET_SECUREBITS");
  lua_newtable(L);
  for (const lib_Word *w = securebits; w->word != NULL; w++)
    if ((unsigned long)bits & w->bits) {
      lua_pushstring(L, w->word);
      lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    }
  return 1;
}

/* ns.no_new_privs([true]) -> boolean    PR_SET_NO_NEW_PRIVS(2const) */
static int caps_no_new_privs(lua_State *L) {
  if (!lua_isnoneornil(L, 1)) {
    luaL_checktype(L, 1, LUA_TBOOLEAN);
    if (!lua_toboolean(L, 1))
      luaL_argerror(L, 1, "no_new_privs cannot be taken back");
    lib_departure(L, "no_new_privs");
    lib_check(L, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl", "rd",
              "PR_SET_NO_NEW_PRIVS", 1);
  }
  lua_pushboolean(L, lib_check(L, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
                               "prctl", "r", "PR_GET_NO_NEW_PRIVS") == 1);
  return 1;
}

static const luaL_Reg funcs[] = {
  {"cap_ambient", caps_ambient},
  {"cap_drop_bounding", caps_drop_bounding},
  {"capabilities", caps_capabilities},
  {"capset", caps_capset},
  {"getcap", caps_getcap},
  {"no_new_privs", caps_no_new_privs},
  {"securebits", caps_securebits},
  {NULL, NULL},
};

/* sys.capability_mask(set) -> bits: for the steps of a child */
static int caps_mask(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)caps_check(L, 1));
  return 1;
}

static const luaL_Reg internals[] = {
  {"capability_mask", caps_mask},
  {NULL, NULL},
};

void caps_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  lib_internals(L, internals);
  caps_newtype(L);
}
