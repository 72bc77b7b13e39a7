/* SPDX-License-Identifier: MIT
 *
 * caps.c - what a process may do beyond its ids: capabilities, its own and
 * those of files, securebits, no_new_privs, resource limits. capabilities(7),
 * capget(2), capset(2), getxattr(2), PR_CAPBSET_DROP(2const),
 * PR_CAP_AMBIENT(2const), prlimit(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"

#define CAPS_SET "nslua.capabilities"

/* -- names ---------------------------------------------------------------- */

#define CAP(word, number, NAME) {word, 1UL << (number), NAME}
static const lib_Word capabilities[] = {
  CAP("chown", 0, "CAP_CHOWN"),
  CAP("dac_override", 1, "CAP_DAC_OVERRIDE"),
  CAP("dac_read_search", 2, "CAP_DAC_READ_SEARCH"),
  CAP("fowner", 3, "CAP_FOWNER"),
  CAP("fsetid", 4, "CAP_FSETID"),
  CAP("kill", 5, "CAP_KILL"),
  CAP("setgid", 6, "CAP_SETGID"),
  CAP("setuid", 7, "CAP_SETUID"),
  CAP("setpcap", 8, "CAP_SETPCAP"),
  CAP("linux_immutable", 9, "CAP_LINUX_IMMUTABLE"),
  CAP("net_bind_service", 10, "CAP_NET_BIND_SERVICE"),
  CAP("net_broadcast", 11, "CAP_NET_BROADCAST"),
  CAP("net_admin", 12, "CAP_NET_ADMIN"),
  CAP("net_raw", 13, "CAP_NET_RAW"),
  CAP("ipc_lock", 14, "CAP_IPC_LOCK"),
  CAP("ipc_owner", 15, "CAP_IPC_OWNER"),
  CAP("sys_module", 16, "CAP_SYS_MODULE"),
  CAP("sys_rawio", 17, "CAP_SYS_RAWIO"),
  CAP("sys_chroot", 18, "CAP_SYS_CHROOT"),
  CAP("sys_ptrace", 19, "CAP_SYS_PTRACE"),
  CAP("sys_pacct", 20, "CAP_SYS_PACCT"),
  CAP("sys_admin", 21, "CAP_SYS_ADMIN"),
  CAP("sys_boot", 22, "CAP_SYS_BOOT"),
  CAP("sys_nice", 23, "CAP_SYS_NICE"),
  CAP("sys_resource", 24, "CAP_SYS_RESOURCE"),
  CAP("sys_time", 25, "CAP_SYS_TIME"),
  CAP("sys_tty_config", 26, "CAP_SYS_TTY_CONFIG"),
  CAP("mknod", 27, "CAP_MKNOD"),
  CAP("lease", 28, "CAP_LEASE"),
  CAP("audit_write", 29, "CAP_AUDIT_WRITE"),
  CAP("audit_control", 30, "CAP_AUDIT_CONTROL"),
  CAP("setfcap", 31, "CAP_SETFCAP"),
  CAP("mac_override", 32, "CAP_MAC_OVERRIDE"),
  CAP("mac_admin", 33, "CAP_MAC_ADMIN"),
  CAP("syslog", 34, "CAP_SYSLOG"),
  CAP("wake_alarm", 35, "CAP_WAKE_ALARM"),
  CAP("block_suspend", 36, "CAP_BLOCK_SUSPEND"),
  CAP("audit_read", 37, "CAP_AUDIT_READ"),
  CAP("perfmon", 38, "CAP_PERFMON"),
  CAP("bpf", 39, "CAP_BPF"),
  CAP("checkpoint_restore", 40, "CAP_CHECKPOINT_RESTORE"),
  {"all", (1UL << 41) - 1, "all"},
  {"none", 0, "none"},
  {NULL, 0, NULL},
};
enum { NAMED = 41, POSSIBLE = 64 };

/* Those that this kernel has. */
static unsigned long known_bits(void) {
  static unsigned long bits;
  for (int i = 0; bits == 0 && i < NAMED; i++)
    if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == -1)
      bits = (1UL << i) - 1;
  if (bits == 0)
    bits = (1UL << NAMED) - 1;
  return bits;
}

/* -- sets ----------------------------------------------------------------- */

/* Pushes {sys_admin = true, ...}, which prints as its words. */
static void push_set(lua_State *L, unsigned long bits) {
  lua_newtable(L);
  for (int i = 0; i < POSSIBLE; i++) {
    if (!(bits >> i & 1))
      continue;
    if (i < NAMED)
      lua_pushstring(L, capabilities[i].word);
    else
      lua_pushfstring(L, "cap_%d", i);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
  }
  luaL_setmetatable(L, CAPS_SET);
}

static void add_words(luaL_Buffer *B, unsigned long bits) {
  const char *separator = "";
  for (int i = 0; i < NAMED; i++)
    if (bits >> i & 1) {
      luaL_addstring(B, separator);
      luaL_addstring(B, capabilities[i].word);
      separator = ",";
    }
}

/* "none", "all", "all but sys_resource", "chown,kill" */
static int set_tostring(lua_State *L) {
  luaL_Buffer B;
  unsigned long bits = 0, all = known_bits();
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  for (int i = 0; i < NAMED; i++) {
    lua_pushstring(L, capabilities[i].word);
    lua_rawget(L, 1);
    bits |= (unsigned long)lua_toboolean(L, -1) << i;
    lua_pop(L, 1);
  }
  luaL_buffinit(L, &B);
  if (bits == 0)
    luaL_addstring(&B, "none");
  else if (__builtin_popcountl(all & ~bits) < __builtin_popcountl(bits))
    luaL_addstring(&B, bits == all ? "all" : "all but ");
  if (bits != 0 && bits != all)
    add_words(&B, __builtin_popcountl(all & ~bits) < __builtin_popcountl(bits)
                    ? all & ~bits : bits);
  luaL_pushresult(&B);
  return 1;
}

/* Bits of a table {sys_admin = true}; false takes a name out. */
static unsigned long keyed_bits(lua_State *L, int arg) {
  unsigned long bits = 0, one;
  lua_pushnil(L);
  while (lua_next(L, arg) != 0) {
    size_t length = 0;
    const char *word = "";
    if (lua_type(L, -2) == LUA_TSTRING)
      word = lua_tolstring(L, -2, &length);
    if (!lib_findword(capabilities, word, length, &one))
      lib_unknown(L, arg, "capability", word, capabilities);
    if (!lua_isboolean(L, -1))
      luaL_argerror(L, arg, "a capability is true or false");
    if (lua_toboolean(L, -1))
      bits |= one;
    lua_pop(L, 1);
  }
  return bits;
}

static unsigned long check_set(lua_State *L, int arg);

/* Pushes the words of the text that begin with '-' or, else, those that do
   not. "all but sys_time" says the same as "-sys_time". */
static bool push_signed(lua_State *L, const char *text, bool minus) {
  static const char but[] = "all but ";
  bool except = strncmp(text, but, sizeof but - 1) == 0, any = false;
  luaL_Buffer B;
  luaL_buffinit(L, &B);
  for (text += except ? sizeof but - 1 : 0; *text != '\0';) {
    size_t gap = strspn(text, ", \t|"), length = strcspn(text += gap, ", \t|");
    bool taken = except || *text == '-';
    if (length > 0 && taken == minus) {
      luaL_addlstring(&B, text + (*text == '-'), length - (*text == '-'));
      luaL_addchar(&B, ',');
      any = true;
    }
    text += length;
  }
  luaL_pushresult(&B);
  return any;
}

/* "-sys_time": all but that one; "net_raw,-chown" makes little sense but has
   one. The argument is the text. */
static unsigned long signed_bits(lua_State *L, int arg) {
  lua_pushvalue(L, arg);
  const char *text = lua_tostring(L, -1);
  bool some = push_signed(L, text, false);
  lua_replace(L, arg); /* so that an error names this argument */
  unsigned long bits = some ? lib_checkflags(L, arg, capabilities)
                            : known_bits();
  push_signed(L, text, true);
  lua_replace(L, arg);
  bits &= ~lib_checkflags(L, arg, capabilities);
  lua_replace(L, arg);
  return bits;
}

static bool is_signed(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TSTRING)
    return false;
  const char *text = lua_tostring(L, index);
  if (strlen(text) != lua_rawlen(L, index))
    return false;
  return *text == '-' || strstr(text, ",-") || strstr(text, " -") ||
         strncmp(text, "all but ", 8) == 0;
}

/* A list with such a word in it becomes a text. */
static bool list_to_text(lua_State *L, int arg) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, arg);
  bool found = false, texts = n <= 64;
  for (lua_Integer i = 1; i <= n && texts; i++) {
    texts = lua_rawgeti(L, arg, i) == LUA_TSTRING;
    found = found || is_signed(L, -1);
    lua_pop(L, 1);
  }
  if (!found || !texts)
    return false;
  lua_pushliteral(L, "");
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, arg, i);
    lua_pushliteral(L, ",");
    lua_concat(L, 3);
  }
  lua_replace(L, arg);
  return true;
}

/* {drop = "all", add = "net_raw"}, in this order: as docker run has it, but
   what there is before is all. */
static unsigned long drop_and_add(lua_State *L, int arg) {
  unsigned long bits = known_bits();
  lua_pushnil(L);
  while (lua_next(L, arg) != 0) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    if (strcmp(key, "drop") != 0 && strcmp(key, "add") != 0)
      luaL_argerror(L, arg, "drop= and add= stand alone");
    lua_pop(L, 1);
  }
  lua_pushvalue(L, arg);
  int table = lua_gettop(L);
  for (int add = 0; add < 2; add++) {
    if (lua_getfield(L, table, add ? "add" : "drop") == LUA_TNIL) {
      lua_pop(L, 1);
      continue;
    }
    lua_replace(L, arg);
    unsigned long some = check_set(L, arg);
    bits = add ? bits | some : bits & ~some;
  }
  lua_replace(L, arg);
  return bits;
}

static bool has_field(lua_State *L, int arg, const char *key) {
  lua_pushstring(L, key);
  bool found = lua_rawget(L, arg) != LUA_TNIL;
  lua_pop(L, 1);
  return found;
}

/* "sys_admin,chown", {"sys_admin"}, {sys_admin = true}, "all", "none",
   "-sys_time", "all but sys_time", {drop=, add=} */
static unsigned long check_set(lua_State *L, int arg) {
  luaL_checkstack(L, 8, "capabilities");
  if (lua_isnoneornil(L, arg))
    luaL_typeerror(L, arg, "capabilities");
  if (lua_type(L, arg) == LUA_TTABLE && lua_rawlen(L, arg) == 0) {
    if (has_field(L, arg, "drop") || has_field(L, arg, "add"))
      return drop_and_add(L, arg) & known_bits();
    return keyed_bits(L, arg) & known_bits();
  }
  if (is_signed(L, arg) || (lua_istable(L, arg) && list_to_text(L, arg)))
    return signed_bits(L, arg) & known_bits();
  return lib_checkflags(L, arg, capabilities) & known_bits();
}

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
    push_set(L, sets[i]);
    lua_setfield(L, -2, set_names[i]);
  }
  return 1;
}

static int push_own(lua_State *L) {
  unsigned long sets[5] = {0};
  get_own(L, sets);
  for (int i = 0; i < POSSIBLE; i++) {
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
  push_set(L, join(little(data + 4), wide ? little(data + 12) : 0));
  lua_setfield(L, -2, "permitted");
  push_set(L, join(little(data + 8), wide ? little(data + 16) : 0));
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
    sets[which] = check_set(L, arg);
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
                  capabilities, sets[0], capabilities, sets[1], capabilities,
                  sets[2]);
}

/* ns.cap_drop_bounding(names) -> true    PR_CAPBSET_DROP(2const), one call for
   each name */
static int caps_drop_bounding(lua_State *L) {
  unsigned long bits = check_set(L, 1);
  lib_departure(L, "cap_drop_bounding");
  for (int i = 0; i < NAMED; i++)
    if (bits >> i & 1)
      lib_check(L, prctl(PR_CAPBSET_DROP, i, 0, 0, 0), "prctl", "rw",
                "PR_CAPBSET_DROP", capabilities, 1UL << i);
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
  unsigned long bits = check_set(L, 2);
  for (int i = 0; i < NAMED; i++)
    if (bits >> i & 1)
      lib_check(L, prctl(PR_CAP_AMBIENT, how, i, 0, 0), "prctl", "rww",
                "PR_CAP_AMBIENT", ambient_words, how, capabilities, 1UL << i);
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

/* -- resource limits ------------------------------------------------------ */

#define LIMIT(word, NAME) {word, NAME, #NAME}
static const lib_Word limits[] = {
  LIMIT("as", RLIMIT_AS),           LIMIT("core", RLIMIT_CORE),
  LIMIT("cpu", RLIMIT_CPU),         LIMIT("data", RLIMIT_DATA),
  LIMIT("fsize", RLIMIT_FSIZE),     LIMIT("locks", RLIMIT_LOCKS),
  LIMIT("memlock", RLIMIT_MEMLOCK), LIMIT("msgqueue", RLIMIT_MSGQUEUE),
  LIMIT("nice", RLIMIT_NICE),       LIMIT("nofile", RLIMIT_NOFILE),
  LIMIT("nproc", RLIMIT_NPROC),     LIMIT("rss", RLIMIT_RSS),
  LIMIT("rtprio", RLIMIT_RTPRIO),   LIMIT("rttime", RLIMIT_RTTIME),
  LIMIT("sigpending", RLIMIT_SIGPENDING), LIMIT("stack", RLIMIT_STACK),
  {NULL, 0, NULL},
};

/* A number >= 0, math.huge or "unlimited"; nil is `fallback`. */
static rlim_t opt_limit(lua_State *L, int arg, rlim_t fallback) {
  if (lua_isnoneornil(L, arg))
    return fallback;
  if (lua_type(L, arg) == LUA_TSTRING &&
      strcmp(lua_tostring(L, arg), "unlimited") == 0)
    return RLIM_INFINITY;
  if (lua_type(L, arg) != LUA_TNUMBER)
    luaL_typeerror(L, arg, "number or \"unlimited\"");
  if (lua_tonumber(L, arg) == HUGE_VAL)
    return RLIM_INFINITY;
  lua_Integer n = luaL_checkinteger(L, arg);
  if (n < 0)
    luaL_argerror(L, arg, "a limit is >= 0");
  return (rlim_t)n;
}

static void push_limit(lua_State *L, rlim_t n) {
  if (n == RLIM_INFINITY)
    lua_pushnumber(L, HUGE_VAL);
  else
    lua_pushinteger(L, (lua_Integer)n);
}

/* ns.rlimit(name [, soft [, hard]]) -> soft, hard as they are now
   setrlimit(2) */
static int caps_rlimit(lua_State *L) {
  struct rlimit r;
  int which = (int)lib_checkword(L, 1, limits);
  if (which < 0 || which >= RLIM_NLIMITS)
    luaL_argerror(L, 1, "no limit has this number");
  lib_check(L, getrlimit((__rlimit_resource_t)which, &r), "getrlimit", "w",
            limits, (unsigned long)which);
  if (!lua_isnoneornil(L, 2) || !lua_isnoneornil(L, 3)) {
    r.rlim_cur = opt_limit(L, 2, r.rlim_cur);
    r.rlim_max = opt_limit(L, 3, r.rlim_max);
    lib_check(L, setrlimit((__rlimit_resource_t)which, &r), "setrlimit", "wll",
              limits, (unsigned long)which, (long)r.rlim_cur,
              (long)r.rlim_max);
  }
  push_limit(L, r.rlim_cur);
  push_limit(L, r.rlim_max);
  return 2;
}

static const luaL_Reg funcs[] = {
  {"cap_ambient", caps_ambient},
  {"cap_drop_bounding", caps_drop_bounding},
  {"capabilities", caps_capabilities},
  {"capset", caps_capset},
  {"getcap", caps_getcap},
  {"no_new_privs", caps_no_new_privs},
  {"rlimit", caps_rlimit},
  {"securebits", caps_securebits},
  {NULL, NULL},
};

/* sys.capability_mask(set) -> bits: for the steps of a child */
static int caps_mask(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_set(L, 1));
  return 1;
}

static const luaL_Reg internals[] = {
  {"capability_mask", caps_mask},
  {NULL, NULL},
};

void caps_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  lib_internals(L, internals);
  if (luaL_newmetatable(L, CAPS_SET)) {
    lua_pushcfunction(L, set_tostring);
    lua_setfield(L, -2, "__tostring");
  }
  lua_pop(L, 1);
}
