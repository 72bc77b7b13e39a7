/* SPDX-License-Identifier: MIT
 *
 * capset.c - sets of capabilities as people write them: words, lists, tables,
 * "all but sys_time", and the text that a set prints as. No call of the kernel
 * but the question which ones it knows. capabilities(7), capsh(1).
 */
#include <string.h>
#include <sys/prctl.h>

#include "caps.h"
#include "lib.h"

#define CAPS_SET "nslua.capabilities"

/* -- names ---------------------------------------------------------------- */

#define CAP(word, number, NAME) {word, 1UL << (number), NAME}
const lib_Word caps_names[] = {
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

/* Those that this kernel has. */
unsigned long caps_known(void) {
  static unsigned long bits;
  for (int i = 0; bits == 0 && i < CAPS_NAMED; i++)
    if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == -1)
      bits = (1UL << i) - 1;
  if (bits == 0)
    bits = (1UL << CAPS_NAMED) - 1;
  return bits;
}

/* -- sets to Lua ---------------------------------------------------------- */

/* Pushes {sys_admin = true, ...}, which prints as its words. */
void caps_push(lua_State *L, unsigned long bits) {
  lua_newtable(L);
  for (int i = 0; i < CAPS_POSSIBLE; i++) {
    if (!(bits >> i & 1))
      continue;
    if (i < CAPS_NAMED)
      lua_pushstring(L, caps_names[i].word);
    else
      lua_pushfstring(L, "cap_%d", i);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
  }
  luaL_setmetatable(L, CAPS_SET);
}

static void add_words(luaL_Buffer *B, unsigned long bits) {
  const char *separator = "";
  for (int i = 0; i < CAPS_NAMED; i++)
    if (bits >> i & 1) {
      luaL_addstring(B, separator);
      luaL_addstring(B, caps_names[i].word);
      separator = ",";
    }
}

/* "none", "all", "all but sys_resource", "chown,kill" */
static int set_tostring(lua_State *L) {
  luaL_Buffer B;
  unsigned long bits = 0, all = caps_known();
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  for (int i = 0; i < CAPS_NAMED; i++) {
    lua_pushstring(L, caps_names[i].word);
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
    if (!lib_findword(caps_names, word, length, &one))
      lib_unknown(L, arg, "capability", word, caps_names);
    if (!lua_isboolean(L, -1))
      luaL_argerror(L, arg, "a capability is true or false");
    if (lua_toboolean(L, -1))
      bits |= one;
    lua_pop(L, 1);
  }
  return bits;
}

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
  unsigned long bits = some ? lib_checkflags(L, arg, caps_names)
                            : caps_known();
  push_signed(L, text, true);
  lua_replace(L, arg);
  bits &= ~lib_checkflags(L, arg, caps_names);
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
  unsigned long bits = caps_known();
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
    unsigned long some = caps_check(L, arg);
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
unsigned long caps_check(lua_State *L, int arg) {
  luaL_checkstack(L, 8, "capabilities");
  if (lua_isnoneornil(L, arg))
    luaL_typeerror(L, arg, "capabilities");
  if (lua_type(L, arg) == LUA_TTABLE && lua_rawlen(L, arg) == 0) {
    if (has_field(L, arg, "drop") || has_field(L, arg, "add"))
      return drop_and_add(L, arg) & caps_known();
    return keyed_bits(L, arg) & caps_known();
  }
  if (is_signed(L, arg) || (lua_istable(L, arg) && list_to_text(L, arg)))
    return signed_bits(L, arg) & caps_known();
  return lib_checkflags(L, arg, caps_names) & caps_known();
}

void caps_newtype(lua_State *L) {
  if (luaL_newmetatable(L, CAPS_SET)) {
    lua_pushcfunction(L, set_tostring);
    lua_setfield(L, -2, "__tostring");
  }
  lua_pop(L, 1);
}
