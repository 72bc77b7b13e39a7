/* SPDX-License-Identifier: MIT
 *
 * word.c - constants as words. Flags are the words of mount(8) and of the man
 * pages; a typo is answered with the nearest one.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "kernel.h"
#include "lib.h"

/* -- the sets ------------------------------------------------------------- */

/* The words of /proc/PID/ns first, in the order that tables show them. */
const lib_Word lib_nstypes[] = {
  {"user", CLONE_NEWUSER, "CLONE_NEWUSER"},
  {"mnt", CLONE_NEWNS, "CLONE_NEWNS"},
  {"pid", CLONE_NEWPID, "CLONE_NEWPID"},
  {"uts", CLONE_NEWUTS, "CLONE_NEWUTS"},
  {"ipc", CLONE_NEWIPC, "CLONE_NEWIPC"},
  {"net", CLONE_NEWNET, "CLONE_NEWNET"},
  {"cgroup", CLONE_NEWCGROUP, "CLONE_NEWCGROUP"},
  {"time", CLONE_NEWTIME, "CLONE_NEWTIME"},
  {"mount", CLONE_NEWNS, "CLONE_NEWNS"},
  {"network", CLONE_NEWNET, "CLONE_NEWNET"},
  {"newns", CLONE_NEWNS, "CLONE_NEWNS"},
  {"newuser", CLONE_NEWUSER, "CLONE_NEWUSER"},
  {"newpid", CLONE_NEWPID, "CLONE_NEWPID"},
  {"newuts", CLONE_NEWUTS, "CLONE_NEWUTS"},
  {"newipc", CLONE_NEWIPC, "CLONE_NEWIPC"},
  {"newnet", CLONE_NEWNET, "CLONE_NEWNET"},
  {"newcgroup", CLONE_NEWCGROUP, "CLONE_NEWCGROUP"},
  {"newtime", CLONE_NEWTIME, "CLONE_NEWTIME"},
  {NULL, 0, NULL},
};

const int lib_nsflags[LIB_NSCOUNT] = {
  CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,    CLONE_NEWUTS,
  CLONE_NEWIPC,  CLONE_NEWNET, CLONE_NEWCGROUP, CLONE_NEWTIME,
};

const unsigned long lib_nsrequests[LIB_NSCOUNT] = {
  PIDFD_GET_USER_NAMESPACE,   PIDFD_GET_MNT_NAMESPACE,
  PIDFD_GET_PID_NAMESPACE,    PIDFD_GET_UTS_NAMESPACE,
  PIDFD_GET_IPC_NAMESPACE,    PIDFD_GET_NET_NAMESPACE,
  PIDFD_GET_CGROUP_NAMESPACE, PIDFD_GET_TIME_NAMESPACE,
};

#define SIGNAL(word) {#word, SIG##word, "SIG" #word}
const lib_Word lib_signals[] = {
  SIGNAL(HUP),  SIGNAL(INT),    SIGNAL(QUIT), SIGNAL(ILL),   SIGNAL(TRAP),
  SIGNAL(ABRT), SIGNAL(BUS),    SIGNAL(FPE),  SIGNAL(KILL),  SIGNAL(USR1),
  SIGNAL(SEGV), SIGNAL(USR2),   SIGNAL(PIPE), SIGNAL(ALRM),  SIGNAL(TERM),
  SIGNAL(CHLD), SIGNAL(CONT),   SIGNAL(STOP), SIGNAL(TSTP),  SIGNAL(TTIN),
  SIGNAL(TTOU), SIGNAL(URG),    SIGNAL(XCPU), SIGNAL(XFSZ),  SIGNAL(VTALRM),
  SIGNAL(PROF), SIGNAL(WINCH),  SIGNAL(IO),   SIGNAL(PWR),   SIGNAL(SYS),
  {NULL, 0, NULL},
};

/* The words of mount(8); one that stands for a propagation takes the whole
   subtree when it begins with r. The bare bits come first: they are shown. */
const lib_Word lib_mountflags[] = {
  {"ro", MS_RDONLY, "MS_RDONLY"},
  {"nosuid", MS_NOSUID, "MS_NOSUID"},
  {"nodev", MS_NODEV, "MS_NODEV"},
  {"noexec", MS_NOEXEC, "MS_NOEXEC"},
  {"sync", MS_SYNCHRONOUS, "MS_SYNCHRONOUS"},
  {"remount", MS_REMOUNT, "MS_REMOUNT"},
  {"mand", MS_MANDLOCK, "MS_MANDLOCK"},
  {"dirsync", MS_DIRSYNC, "MS_DIRSYNC"},
  {"nosymfollow", MS_NOSYMFOLLOW, "MS_NOSYMFOLLOW"},
  {"noatime", MS_NOATIME, "MS_NOATIME"},
  {"nodiratime", MS_NODIRATIME, "MS_NODIRATIME"},
  {"bind", MS_BIND, "MS_BIND"},
  {"move", MS_MOVE, "MS_MOVE"},
  {"rec", MS_REC, "MS_REC"},
  {"silent", MS_SILENT, "MS_SILENT"},
  {"unbindable", MS_UNBINDABLE, "MS_UNBINDABLE"},
  {"private", MS_PRIVATE, "MS_PRIVATE"},
  {"slave", MS_SLAVE, "MS_SLAVE"},
  {"shared", MS_SHARED, "MS_SHARED"},
  {"relatime", MS_RELATIME, "MS_RELATIME"},
  {"strictatime", MS_STRICTATIME, "MS_STRICTATIME"},
  {"lazytime", MS_LAZYTIME, "MS_LAZYTIME"},
  {"rbind", MS_BIND | MS_REC, "MS_BIND|MS_REC"},
  {"runbindable", MS_UNBINDABLE | MS_REC, "MS_REC|MS_UNBINDABLE"},
  {"rprivate", MS_PRIVATE | MS_REC, "MS_REC|MS_PRIVATE"},
  {"rslave", MS_SLAVE | MS_REC, "MS_REC|MS_SLAVE"},
  {"rshared", MS_SHARED | MS_REC, "MS_REC|MS_SHARED"},
  {"rw", 0, "0"},
  {"defaults", 0, "0"},
  {NULL, 0, NULL},
};

const lib_Word lib_umountflags[] = {
  {"force", MNT_FORCE, "MNT_FORCE"},
  {"detach", MNT_DETACH, "MNT_DETACH"},
  {"lazy", MNT_DETACH, "MNT_DETACH"},
  {"expire", MNT_EXPIRE, "MNT_EXPIRE"},
  {"nofollow", UMOUNT_NOFOLLOW, "UMOUNT_NOFOLLOW"},
  {NULL, 0, NULL},
};

#define LIMIT(word, NAME) {word, NAME, #NAME}
const lib_Word lib_limits[] = {
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

/* -- words ---------------------------------------------------------------- */

/* The first letters decide most of the time, and words mostly come as they
   are written here: neither costs a call. */
static bool same_word(const char *a, const char *b, size_t length) {
  if (((*a ^ *b) & ~32) != 0)
    return false;
  size_t same = 0;
  while (same < length && a[same] == b[same] && a[same] != '\0')
    same++;
  if (same == length)
    return a[same] == '\0';
  return strlen(a) == length && strncasecmp(a, b, length) == 0;
}

/* A loop asks for the same word again and again: each thread keeps its last. */
static const lib_Word *find_short(const lib_Word *set, const char *word,
                                  size_t length) {
  static _Thread_local const lib_Word *last, *last_set;
  const lib_Word *w = last;
  if (set == last_set && same_word(w->word, word, length))
    return w;
  for (w = set; w->word != NULL && !same_word(w->word, word, length);)
    w++;
  if (w->word != NULL) {
    last = w;
    last_set = set;
  }
  return w;
}

bool lib_findword(const lib_Word *set, const char *word, size_t length,
                  unsigned long *bits) {
  const lib_Word *w = find_short(set, word, length);
  if (w->word == NULL)
    for (w = set; w->word != NULL && !same_word(w->name, word, length);)
      w++;
  *bits = w->bits;
  return w->word != NULL;
}

/* A word for exactly this number comes first: a signal or a limit is no set of
   bits. */
void lib_addflags(luaL_Buffer *B, unsigned long bits, const lib_Word *set) {
  char rest[32];
  const char *separator = "";
  const lib_Word *exact = set;
  while (exact->word != NULL && exact->bits != bits)
    exact++;
  if (exact->word != NULL || bits == 0) {
    luaL_addstring(B, exact->word != NULL ? exact->name : "0");
    return;
  }
  for (; set->word != NULL; set++) {
    if (set->bits == 0 || (bits & set->bits) != set->bits)
      continue;
    luaL_addstring(B, separator);
    luaL_addstring(B, set->name);
    separator = "|";
    bits &= ~set->bits;
  }
  if (bits == 0)
    return;
  luaL_addstring(B, separator);
  snprintf(rest, sizeof rest, "%#lx", bits);
  luaL_addstring(B, rest);
}

void lib_pushword(lua_State *L, unsigned long bits, const lib_Word *set) {
  for (; set->word != NULL; set++)
    if (set->bits == bits) {
      lua_pushstring(L, set->word);
      return;
    }
  lua_pushinteger(L, (lua_Integer)bits);
}

/* Edit distance with swaps of neighbours, for short words only. */
enum { LONGEST = 24 };

static int smaller(int a, int b) { return a < b ? a : b; }

static int distance(const char *a, size_t na, const char *b, size_t nb) {
  int d[LONGEST + 1][LONGEST + 1];
  for (size_t i = 0; i <= na; i++)
    d[i][0] = (int)i;
  for (size_t j = 0; j <= nb; j++)
    d[0][j] = (int)j;
  for (size_t i = 1; i <= na; i++)
    for (size_t j = 1; j <= nb; j++) {
      int change = (a[i - 1] | 32) != (b[j - 1] | 32);
      d[i][j] = smaller(smaller(d[i - 1][j], d[i][j - 1]) + 1,
                        d[i - 1][j - 1] + change);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = smaller(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[na][nb];
}

const char *lib_nearest(const char *word, const lib_Word *set) {
  const char *best = NULL;
  size_t length = strlen(word);
  int limit = length <= 3 ? 2 : 3;
  if (length == 0 || length > LONGEST)
    return NULL;
  for (; set->word != NULL; set++) {
    size_t n = strlen(set->word);
    int d = n > LONGEST ? LONGEST : distance(word, length, set->word, n);
    if (d < limit && d < (int)n) {
      limit = d;
      best = set->word;
    }
  }
  return best;
}

_Noreturn void lib_unknown(lua_State *L, int arg, const char *what,
                           const char *word, const lib_Word *set) {
  const char *near = lib_nearest(word, set);
  luaL_Buffer B;
  luaL_buffinit(L, &B);
  lib_addquoted(&B, word, strnlen(word, 64));
  luaL_pushresult(&B);
  if (near != NULL)
    lua_pushfstring(L, "unknown %s %s (did you mean \"%s\"?)", what,
                    lua_tostring(L, -1), near);
  else
    lua_pushfstring(L, "unknown %s %s", what, lua_tostring(L, -1));
  luaL_argerror(L, arg, lua_tostring(L, -1));
  __builtin_unreachable();
}

static bool separates(char c) {
  return c <= ',' ? c == ',' || c == ' ' || c == '\t' : c == '|';
}

/* The bits of one run of words "ro,nosuid"; arg is named in errors. */
static unsigned long words_to_bits(lua_State *L, int arg, const char *s,
                                   const char *end, const lib_Word *set) {
  unsigned long bits = 0, one;
  while (s < end) {
    const char *word = s;
    while (s < end && !separates(*s))
      s++;
    size_t n = (size_t)(s - word);
    if (n > 0 && !lib_findword(set, word, n, &one)) {
      lua_pushlstring(L, word, n);
      lib_unknown(L, arg, "flag", lua_tostring(L, -1), set);
    }
    if (n > 0)
      bits |= one;
    while (s < end && separates(*s))
      s++;
  }
  return bits;
}

static unsigned long flag_value(lua_State *L, int arg, int index, int type,
                                const lib_Word *set) {
  if (type == LUA_TSTRING) {
    size_t length;
    const char *s = lua_tolstring(L, index, &length);
    const lib_Word *w = find_short(set, s, length);
    if (w->word != NULL) /* one word, as mostly */
      return w->bits;
    if (memchr(s, '\0', length) != NULL)
      luaL_argerror(L, arg, "flag word contains a NUL");
    return words_to_bits(L, arg, s, s + length, set);
  }
  if (!lua_isinteger(L, index) || lua_tointeger(L, index) < 0)
    luaL_argerror(L, arg, "flags are words or a number >= 0");
  return (unsigned long)lua_tointeger(L, index);
}

unsigned long lib_checkflags(lua_State *L, int arg, const lib_Word *set) {
  unsigned long bits = 0;
  int type = lua_type(L, arg);
  if (type <= LUA_TNIL)
    return 0;
  if (type != LUA_TTABLE)
    return flag_value(L, arg, arg, type, set);
  lua_Unsigned n = lua_rawlen(L, arg);
  if (n > 64)
    luaL_argerror(L, arg, "too many flags");
  for (lua_Unsigned i = 1; i <= n; i++) {
    type = lua_rawgeti(L, arg, (lua_Integer)i);
    bits |= flag_value(L, arg, -1, type, set);
    lua_pop(L, 1);
  }
  return bits;
}

unsigned long lib_checkword(lua_State *L, int arg, const lib_Word *set) {
  unsigned long bits;
  size_t length;
  if (lua_isinteger(L, arg) && lua_tointeger(L, arg) >= 0)
    return (unsigned long)lua_tointeger(L, arg);
  const char *word = luaL_checklstring(L, arg, &length);
  if (!lib_findword(set, word, length, &bits))
    lib_unknown(L, arg, "word", word, set);
  return bits;
}

const char *lib_nsword(int type) {
  for (const lib_Word *w = lib_nstypes; w->word != NULL; w++)
    if (w->bits == (unsigned)type)
      return w->word;
  return "?";
}

int lib_checknstype(lua_State *L, int arg) {
  unsigned long bits;
  size_t length;
  if (lua_isinteger(L, arg)) {
    lua_Integer n = lua_tointeger(L, arg);
    for (int i = 0; i < LIB_NSCOUNT; i++)
      if (n == lib_nsflags[i])
        return lib_nsflags[i];
    luaL_argerror(L, arg, "no namespace type has this number");
  }
  if (lua_type(L, arg) != LUA_TSTRING)
    luaL_typeerror(L, arg, "namespace type");
  const char *word = lua_tolstring(L, arg, &length);
  if (!lib_findword(lib_nstypes, word, length, &bits))
    lib_unknown(L, arg, "namespace type", word, lib_nstypes);
  return (int)bits;
}

int lib_checksignal(lua_State *L, int arg, int fallback) {
  unsigned long bits;
  size_t length;
  if (lua_isnoneornil(L, arg))
    return fallback;
  if (lua_isinteger(L, arg))
    return lib_checkint(L, arg, 0, 64);
  if (lua_type(L, arg) != LUA_TSTRING)
    luaL_typeerror(L, arg, "signal");
  const char *word = lua_tolstring(L, arg, &length);
  if (!lib_findword(lib_signals, word, length, &bits))
    lib_unknown(L, arg, "signal", word, lib_signals);
  return (int)bits;
}

/* -- for our Lua modules -------------------------------------------------- */

/* sys.nstype(word | bits) -> word, bits; nil when there is no such type */
static int word_nstype(lua_State *L) {
  unsigned long bits;
  size_t length;
  if (lua_isinteger(L, 1)) {
    bits = (unsigned long)lua_tointeger(L, 1);
  } else {
    const char *word = luaL_checklstring(L, 1, &length);
    if (!lib_findword(lib_nstypes, word, length, &bits))
      return 0;
  }
  for (int i = 0; i < LIB_NSCOUNT; i++)
    if (bits == (unsigned long)lib_nsflags[i]) {
      lua_pushstring(L, lib_nstypes[i].word);
      lua_pushinteger(L, lib_nsflags[i]);
      return 2;
    }
  return 0;
}

/* nslua.sys.nstypes([flags]) -> { word = true, ... }: those named, or all */
static int word_nstypes(lua_State *L) {
  unsigned long flags = lib_checkflags(L, 1, lib_nstypes);
  lua_createtable(L, 0, LIB_NSCOUNT);
  for (int i = 0; i < LIB_NSCOUNT; i++)
    if (flags == 0 || (flags & (unsigned)lib_nsflags[i])) {
      lua_pushboolean(L, 1);
      lua_setfield(L, -2, lib_nstypes[i].word);
    }
  return 1;
}

/* nslua.sys.nearest(word, words) -> the one that may have been meant | nil */
static int word_nearest(lua_State *L) {
  const char *word = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Unsigned n = lua_rawlen(L, 2), count = 0;
  if (n > 1000)
    luaL_argerror(L, 2, "too many words");
  luaL_checkstack(L, (int)n + 4, "words");
  lib_Word *set = lib_scratch(L, (n + 1) * sizeof *set);
  for (lua_Unsigned i = 1; i <= n; i++)
    if (lua_rawgeti(L, 2, (lua_Integer)i) == LUA_TSTRING)
      set[count++] = (lib_Word){lua_tostring(L, -1), i, ""};
  set[count].word = NULL;
  lua_pushstring(L, lib_nearest(word, set));
  return 1;
}

static const luaL_Reg internals[] = {
  {"nearest", word_nearest},
  {"nstype", word_nstype},
  {"nstypes", word_nstypes},
  {NULL, NULL},
};

void word_open(lua_State *L) { luaL_setfuncs(L, internals, 0); }
