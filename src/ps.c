/* SPDX-License-Identifier: MIT
 *
 * ps.c - the processes of a procfs: for each just the files that the wanted
 * columns need. Also the numbers that one process has in several pid
 * namespaces. proc(5), pid_namespaces(7), ioctl_nsfs(2).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel.h"
#include "procfs.h"

/* A bit for each column; the namespace columns begin at COL_NS. */
enum {
  COL_PID = 1, COL_PPID = 2, COL_PGID = 4, COL_SID = 8, COL_TTY = 16,
  COL_STATE = 32, COL_COMM = 64, COL_ARGS = 128, COL_UID = 256,
  COL_USER = 512, COL_NSPID = 1024, COL_NS = 4096,
  COL_STAT = COL_PPID | COL_PGID | COL_SID | COL_TTY | COL_STATE | COL_COMM,
  /* to read one of these tells that the process is there */
  COL_TELLING = COL_STAT | COL_UID | COL_USER | COL_ARGS | COL_NSPID,
};

/* ps's names; the first for a bit is the field of the row. */
static const lib_Word columns[] = {
  {"pid", COL_PID, "PID"},         {"ppid", COL_PPID, "PPID"},
  {"pgid", COL_PGID, "PGID"},      {"sid", COL_SID, "SID"},
  {"tty", COL_TTY, "TTY"},         {"state", COL_STATE, "S"},
  {"args", COL_ARGS, "COMMAND"},   {"comm", COL_COMM, "COMMAND"},
  {"uid", COL_UID, "UID"},         {"user", COL_USER, "USER"},
  {"nspid", COL_NSPID, "NSPID"},   {"mntns", COL_NS, "MNTNS"},
  {"utsns", COL_NS << 1, "UTSNS"}, {"ipcns", COL_NS << 2, "IPCNS"},
  {"netns", COL_NS << 3, "NETNS"}, {"pidns", COL_NS << 4, "PIDNS"},
  {"userns", COL_NS << 5, "USERNS"},
  {"cgroupns", COL_NS << 6, "CGROUPNS"},
  {"timens", COL_NS << 7, "TIMENS"},
  {"pgrp", COL_PGID, "PGRP"},      {"sess", COL_SID, "SESS"},
  {"tt", COL_TTY, "TT"},           {"tname", COL_TTY, "TNAME"},
  {"s", COL_STATE, "STATE"},       {"stat", COL_STATE, "STAT"},
  {"ucmd", COL_COMM, "UCMD"},      {"ucomm", COL_COMM, "UCOMM"},
  {"cmd", COL_ARGS, "ARGS"},       {"command", COL_ARGS, "ARGS"},
  {"euid", COL_UID, "EUID"},       {"euser", COL_USER, "EUSER"},
  {NULL, 0, NULL},
};

/* The type that stands behind each namespace column, in their order. */
static const char *const ns_words[LIB_NSCOUNT] = {
  "mnt", "uts", "ipc", "net", "pid", "user", "cgroup", "time",
};

#define ARGS_ROOM (128UL * 1024) /* where ps(1) cuts, too */

typedef struct Ps {
  procfs_Walk *walk;
  unsigned long wanted;
  int users; /* stack index of the cache of user names */
  char *args;
  bool named; /* only these pids were asked for */
  int hidden;
} Ps;

static void set_integer(lua_State *L, const char *name, lua_Integer n) {
  lua_pushinteger(L, n);
  lua_setfield(L, -2, name);
}

static void set_string(lua_State *L, const char *name, const char *s) {
  lua_pushstring(L, s);
  lua_setfield(L, -2, name);
}

/* -- columns -------------------------------------------------------------- */

static void set_tty(lua_State *L, int device) {
  unsigned dev_major = major((unsigned)device);
  unsigned dev_minor = minor((unsigned)device);
  if (dev_major >= 136 && dev_major <= 143)
    lua_pushfstring(L, "pts/%d",
                    (int)((dev_major - 136) * 256 + dev_minor));
  else if (dev_major == 4 && dev_minor < 64)
    lua_pushfstring(L, "tty%d", (int)dev_minor);
  else if (dev_major == 4)
    lua_pushfstring(L, "ttyS%d", (int)dev_minor - 64);
  else if (device != 0)
    lua_pushfstring(L, "%d:%d", (int)dev_major, (int)dev_minor);
  else
    return; /* no terminal: ps shows "?" */
  lua_setfield(L, -2, "tty");
}

static bool set_stat(lua_State *L, const Ps *ps, pid_t pid) {
  procfs_Stat stat;
  char state[2] = "";
  if (!procfs_stat(ps->walk->h.fd, pid, &stat))
    return false;
  if (ps->wanted & COL_PPID)
    set_integer(L, "ppid", stat.ppid);
  if (ps->wanted & COL_PGID)
    set_integer(L, "pgid", stat.pgid);
  if (ps->wanted & COL_SID)
    set_integer(L, "sid", stat.sid);
  if (ps->wanted & COL_TTY)
    set_tty(L, stat.tty);
  if (ps->wanted & COL_COMM)
    set_string(L, "comm", stat.comm);
  state[0] = stat.state;
  if (ps->wanted & COL_STATE)
    set_string(L, "state", state);
  return true;
}

/* Pushes the numbers of a process, ours first; false when it is gone. */
static bool push_nspid(lua_State *L, int proc_fd, pid_t pid) {
  char text[4096];
  ssize_t n = procfs_read(proc_fd, pid, "status", text, sizeof text);
  char *line = n > 0 ? strstr(text, "\nNSpid:") : NULL;
  if (line == NULL)
    return false;
  lua_createtable(L, 2, 0);
  line += strlen("\nNSpid:");
  for (int i = 1; *line == '\t'; i++) {
    lua_pushinteger(L, strtol(line, &line, 10));
    lua_rawseti(L, -2, i);
  }
  return true;
}

static bool set_user(lua_State *L, const Ps *ps, pid_t pid) {
  char path[PROCFS_PATH];
  struct stat st;
  procfs_path(path, pid, "")[-1] = '\0';
  if (fstatat(ps->walk->h.fd, path, &st, 0) == -1)
    return false;
  if (ps->wanted & COL_UID)
    set_integer(L, "uid", st.st_uid);
  if (ps->wanted & COL_USER) {
    procfs_pushuser(L, ps->users, st.st_uid);
    lua_setfield(L, -2, "user");
  }
  return true;
}

/* The namespaces that the kernel lets the caller see. */
static void set_namespaces(lua_State *L, Ps *ps, pid_t pid) {
  char path[PROCFS_PATH], field[16];
  char *name = procfs_path(path, pid, "ns/");
  for (int i = 0; i < LIB_NSCOUNT; i++) {
    if (!(ps->wanted & ((unsigned long)COL_NS << i)))
      continue;
    stpcpy(name, ns_words[i]);
    ino_t ino = procfs_inode(ps->walk->h.fd, path);
    if (ino == 0 && errno == EACCES) {
      ps->hidden++;
      return;
    }
    if (ino == 0)
      continue;
    stpcpy(stpcpy(field, ns_words[i]), "ns");
    set_integer(L, field, (lua_Integer)ino);
  }
}

static bool is_there(const Ps *ps, pid_t pid) {
  char path[PROCFS_PATH];
  procfs_path(path, pid, "")[-1] = '\0';
  return faccessat(ps->walk->h.fd, path, F_OK, 0) == 0;
}

/* Pushes the row of a process; false (and nothing) when it is gone. */
static bool push_row(lua_State *L, Ps *ps, pid_t pid) {
  unsigned long wanted = ps->wanted;
  lua_createtable(L, 0, __builtin_popcountl(wanted));
  set_integer(L, "pid", pid);
  bool alive = !ps->named || (wanted & COL_TELLING) || is_there(ps, pid);
  if (alive && (wanted & COL_STAT))
    alive = set_stat(L, ps, pid);
  if (alive && (wanted & (COL_UID | COL_USER)))
    alive = set_user(L, ps, pid);
  if (alive && (wanted & COL_ARGS)) {
    size_t n = procfs_args(ps->walk->h.fd, pid, true, ps->args, ARGS_ROOM);
    lua_pushlstring(L, ps->args, n);
    lua_setfield(L, -2, "args");
    alive = n > 0;
  }
  if (alive && (wanted & COL_NSPID)) {
    alive = push_nspid(L, ps->walk->h.fd, pid);
    if (alive)
      lua_setfield(L, -2, "nspid");
  }
  if (alive && wanted >= COL_NS)
    set_namespaces(L, ps, pid);
  if (!alive)
    lua_pop(L, 1);
  return alive;
}

/* -- bindings ------------------------------------------------------------- */

/* One bit for each word of the list; an unknown one names the nearest. */
static unsigned long check_columns(lua_State *L, int arg) {
  unsigned long all = 0;
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_Unsigned n = lua_rawlen(L, arg);
  for (lua_Unsigned i = 1; i <= n; i++) {
    unsigned long bit;
    size_t length;
    if (lua_rawgeti(L, arg, (lua_Integer)i) != LUA_TSTRING)
      luaL_argerror(L, arg, "columns are strings");
    const char *word = lua_tolstring(L, -1, &length);
    if (!lib_findword(columns, word, length, &bit))
      lib_unknown(L, arg, "column", word, columns);
    all |= bit;
    lua_pop(L, 1);
  }
  return all;
}

/* ns.scan_processes(columns [, proc [, pids]]) -> rows, hidden, foreign
   proc(5). pids: a list of the only ones to look at; foreign: is it the procfs
   of another pid namespace? */
static int ps_scan_processes(lua_State *L) {
  lua_settop(L, 3);
  Ps ps = {.wanted = check_columns(L, 1)};
  const char *proc = lib_optpath(L, 2, "/proc");
  ps.named = !lua_isnil(L, 3);
  if (ps.named)
    luaL_checktype(L, 3, LUA_TTABLE);
  ps.walk = procfs_newwalk(L, proc);
  ps.args = lib_scratch(L, ps.wanted & COL_ARGS ? ARGS_ROOM : 1);
  lua_newtable(L);
  ps.users = lua_gettop(L);
  lua_newtable(L);
  lua_Integer n = 0;
  for (lua_Integer i = 1;; i++) {
    pid_t pid;
    if (ps.named) {
      lua_rawgeti(L, 3, i);
      pid = lua_isnil(L, -1) ? 0 : (pid_t)lua_tointeger(L, -1);
      lua_pop(L, 1);
    } else {
      pid = procfs_next(ps.walk);
    }
    if (pid <= 0)
      break;
    if (push_row(L, &ps, pid))
      lua_rawseti(L, -2, ++n);
  }
  lua_pushinteger(L, ps.hidden);
  lua_pushboolean(L, procfs_foreign(ps.walk));
  lib_close(&ps.walk->h);
  return 3;
}

/* ns.ps_column(word) -> field, heading    ps(1)'s names for columns */
static int ps_ps_column(lua_State *L) {
  size_t length;
  unsigned long bit;
  const char *word = luaL_checklstring(L, 1, &length);
  if (!lib_findword(columns, word, length, &bit))
    lib_unknown(L, 1, "column", word, columns);
  for (const lib_Word *w = columns; w->word != NULL; w++)
    if (w->bits == bit) {
      lua_pushstring(L, w->word);
      lua_pushstring(L, w->name);
      return 2;
    }
  return 0;
}

/* ns.nspid(pid) -> {numbers}    the NSpid line of proc_pid_status(5) */
static int ps_nspid(lua_State *L) {
  pid_t pid = lib_checkpid(L, 1);
  procfs_Walk *walk = procfs_newwalk(L, "/proc");
  procfs_checkours(L, walk);
  if (!push_nspid(L, walk->h.fd, pid))
    lib_fail(L, ESRCH, "openat", "d", (int)pid);
  lib_close(&walk->h);
  return 1;
}

/* The number that the process has in the namespace of `fd`; 0 when it has
   none there, -1 when this kernel cannot say (before Linux 6.11). */
static int number_inside(int fd, pid_t pid) {
  int n = ioctl(fd, NS_GET_TGID_IN_PIDNS, pid);
  return n > 0 ? n : errno == ESRCH ? 0 : -1;
}

/* Without that ioctl: only those whose own namespace it is; the number is the
   last of their NSpid line. */
static int number_by_status(lua_State *L, int proc_fd, pid_t pid,
                            const lib_Ns *ns) {
  char path[PROCFS_PATH];
  int number = 0;
  stpcpy(procfs_path(path, pid, "ns/"), "pid");
  if (procfs_inode(proc_fd, path) != ns->ino || !push_nspid(L, proc_fd, pid))
    return 0;
  lua_rawgeti(L, -1, (lua_Integer)lua_rawlen(L, -1));
  number = (int)lua_tointeger(L, -1);
  lua_pop(L, 2);
  return number;
}

/* ns.scan_visible(pidns [, proc]) -> pids, {[pid] = number there}
   What a pid namespace can see: its own processes and its descendants'. */
static int ps_scan_visible(lua_State *L) {
  lib_Ns *ns = lib_checkns(L, 1);
  lua_settop(L, 2);
  procfs_Walk *walk = procfs_newwalk(L, lib_optpath(L, 2, "/proc"));
  procfs_checkours(L, walk); /* the kernel translates our numbers only */
  lua_newtable(L);
  lua_newtable(L);
  lua_Integer n = 0;
  for (pid_t pid; (pid = procfs_next(walk)) > 0;) {
    int number = number_inside(ns->h.fd, pid);
    if (number == -1)
      number = number_by_status(L, walk->h.fd, pid, ns);
    if (number <= 0)
      continue;
    lua_pushinteger(L, pid);
    lua_rawseti(L, -3, ++n);
    lua_pushinteger(L, number);
    lua_rawseti(L, -2, pid);
  }
  lib_close(&walk->h);
  return 2;
}

/* Where a pid number is translated from and to. */
static const lib_Word directions[] = {
  {"in", NS_GET_TGID_IN_PIDNS, "NS_GET_TGID_IN_PIDNS"},
  {"from", NS_GET_TGID_FROM_PIDNS, "NS_GET_TGID_FROM_PIDNS"},
  {NULL, 0, NULL},
};

/* ns.translate_pid(ns, "in"|"from", pid) -> pid    ioctl_nsfs(2)
   in: our number to the one there; from: the one there to ours */
static int ps_translate_pid(lua_State *L) {
  lib_Ns *ns = lib_checkns(L, 1);
  unsigned long request = lib_checkword(L, 2, directions);
  int pid = lib_checkint(L, 3, 1, 0x7fffffff);
  lua_pushinteger(L, lib_check(L, ioctl(ns->h.fd, request, pid), "ioctl",
                               "dwd", ns->h.fd, directions, request, pid));
  return 1;
}

static const luaL_Reg funcs[] = {
  {"nspid", ps_nspid},
  {"ps_column", ps_ps_column},
  {"scan_processes", ps_scan_processes},
  {"scan_visible", ps_scan_visible},
  {"translate_pid", ps_translate_pid},
  {NULL, NULL},
};

void ps_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
