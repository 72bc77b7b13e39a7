/* SPDX-License-Identifier: MIT
 *
 * mountinfo.c - the mount table of a process (/proc/PID/mountinfo) or of a
 * mount namespace that no process need be in (listmount, statmount). Both
 * give the same rows. proc_pid_mountinfo(5), listmount(2), statmount(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"

enum {
  AT_ONCE = 512,      /* mounts in one listmount(2) */
  TEXTS = 16 << 10,   /* of one statmount(2) */
  PIECE = 16 << 10,   /* of mountinfo */
};

/* -- one row -------------------------------------------------------------- */

static void set_integer(lua_State *L, const char *field, lua_Integer n) {
  lua_pushinteger(L, n);
  lua_setfield(L, -2, field);
}

/* Sets a field, with the octal escapes of the kernel ("\040") undone. */
static void set_text(lua_State *L, const char *field, const char *s,
                     size_t length) {
  luaL_Buffer B;
  luaL_buffinit(L, &B);
  for (size_t i = 0; i < length; i++) {
    if (s[i] == '\\' && i + 3 < length && s[i + 1] >= '0' && s[i + 1] <= '3' &&
        s[i + 2] >= '0' && s[i + 2] <= '7' && s[i + 3] >= '0' &&
        s[i + 3] <= '7') {
      luaL_addchar(&B, (char)((s[i + 1] - '0') * 64 + (s[i + 2] - '0') * 8 +
                              (s[i + 3] - '0')));
      i += 3;
    } else {
      luaL_addchar(&B, s[i]);
    }
  }
  luaL_pushresult(&B);
  lua_setfield(L, -2, field);
}

/* "private", "shared:3", "slave:2", "shared:3,slave:2", "unbindable" */
static void set_propagation(lua_State *L, unsigned long peer,
                            unsigned long master, bool unbindable) {
  char text[64];
  if (unbindable)
    snprintf(text, sizeof text, "unbindable");
  else if (peer != 0 && master != 0)
    snprintf(text, sizeof text, "shared:%lu,slave:%lu", peer, master);
  else if (peer != 0 || master != 0)
    snprintf(text, sizeof text, peer ? "shared:%lu" : "slave:%lu",
             peer ? peer : master);
  else
    snprintf(text, sizeof text, "private");
  lua_pushstring(L, text);
  lua_setfield(L, -2, "propagation");
}

/* -- /proc/PID/mountinfo -------------------------------------------------- */

/* The next word of a line; its length is 0 at the end. */
static const char *next_word(const char **at, const char *end, size_t *length) {
  const char *s = *at;
  while (s < end && *s == ' ')
    s++;
  const char *stop = memchr(s, ' ', (size_t)(end - s));
  stop = stop ? stop : end;
  *length = (size_t)(stop - s);
  *at = stop;
  return s;
}

static void set_word(lua_State *L, const char *field, const char **at,
                     const char *end) {
  size_t length;
  const char *s = next_word(at, end, &length);
  set_text(L, field, s, length);
}

/* "shared:3 master:2 -": the fields that may be there or not */
static void read_tags(lua_State *L, const char **at, const char *end) {
  unsigned long peer = 0, master = 0;
  bool unbindable = false;
  size_t length;
  for (;;) {
    const char *s = next_word(at, end, &length);
    if (length == 0 || (length == 1 && *s == '-'))
      break;
    if (length > 7 && strncmp(s, "shared:", 7) == 0)
      peer = strtoul(s + 7, NULL, 10);
    else if (length > 7 && strncmp(s, "master:", 7) == 0)
      master = strtoul(s + 7, NULL, 10);
    else if (length == 10 && strncmp(s, "unbindable", 10) == 0)
      unbindable = true;
  }
  set_propagation(L, peer, master, unbindable);
}

/* 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,barrier=1
   Pushes a row. */
static void push_line(lua_State *L, const char *at, const char *end) {
  char *rest;
  lua_createtable(L, 0, 12);
  set_integer(L, "id", strtol(at, &rest, 10));
  set_integer(L, "parent", strtol(rest, &rest, 10));
  set_integer(L, "major", strtol(rest, &rest, 10));
  set_integer(L, "minor", strtol(rest + (*rest == ':'), &rest, 10));
  at = rest;
  set_word(L, "root", &at, end);
  set_word(L, "mountpoint", &at, end);
  set_word(L, "options", &at, end);
  read_tags(L, &at, end);
  set_word(L, "type", &at, end);
  /* an empty source leaves two spaces */
  if (end - at > 1 && at[0] == ' ' && at[1] == ' ') {
    set_text(L, "source", "", 0);
    at++;
  } else {
    set_word(L, "source", &at, end);
  }
  set_word(L, "super_options", &at, end);
}

static const char *push_file(lua_State *L, const char *path, size_t *length) {
  luaL_Buffer B;
  ssize_t n;
  lib_Fd *h = lib_newfd(L);
  h->fd = open(path, O_RDONLY | O_CLOEXEC);
  lib_check(L, h->fd, "open", "sr", path, "O_RDONLY|O_CLOEXEC");
  luaL_buffinit(L, &B);
  do {
    char *space = luaL_prepbuffsize(&B, PIECE);
    n = read(h->fd, space, PIECE);
    if (n > 0)
      luaL_addsize(&B, (size_t)n);
  } while (n > 0);
  int error_number = errno;
  lib_close(h);
  if (n == -1)
    lib_fail(L, error_number, "read", "s", path);
  luaL_pushresult(&B);
  return lua_tolstring(L, -1, length);
}

static int push_by_procfs(lua_State *L, pid_t pid) {
  char path[64];
  size_t length;
  if (pid == 0)
    snprintf(path, sizeof path, "/proc/thread-self/mountinfo");
  else
    snprintf(path, sizeof path, "/proc/%d/mountinfo", (int)pid);
  const char *at = push_file(L, path, &length), *end = at + length;
  lua_newtable(L);
  for (lua_Integer i = 1; at < end; i++) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    stop = stop ? stop : end;
    push_line(L, at, stop);
    lua_rawseti(L, -2, i);
    at = stop + 1;
  }
  return 1;
}

/* -- listmount and statmount ---------------------------------------------- */


static const lib_Word attribute_words[] = { /* as mountinfo orders them */
  {"nosuid", MOUNT_ATTR_NOSUID, ""},
  {"nodev", MOUNT_ATTR_NODEV, ""},
  {"noexec", MOUNT_ATTR_NOEXEC, ""},
  {"noatime", MOUNT_ATTR_NOATIME, ""},
  {"nodiratime", MOUNT_ATTR_NODIRATIME, ""},
  {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, ""},
  {"idmapped", MOUNT_ATTR_IDMAP, ""},
  {NULL, 0, NULL},
};

static void set_options(lua_State *L, unsigned long bits) {
  luaL_Buffer B;
  luaL_buffinit(L, &B);
  luaL_addstring(&B, bits & MOUNT_ATTR_RDONLY ? "ro" : "rw");
  for (const lib_Word *w = attribute_words; w->word != NULL; w++) {
    if (w->bits == MOUNT_ATTR_NOSYMFOLLOW && (bits & MOUNT_ATTR__ATIME) == 0)
      luaL_addstring(&B, ",relatime");
    if (bits & w->bits) {
      luaL_addchar(&B, ',');
      luaL_addstring(&B, w->word);
    }
  }
  luaL_pushresult(&B);
  lua_setfield(L, -2, "options");
}

static void set_super_options(lua_State *L, const struct kernel_statmount *m) {
  static const lib_Word words[] = {
    {"sync", MS_SYNCHRONOUS, ""}, {"dirsync", MS_DIRSYNC, ""},
    {"lazytime", MS_LAZYTIME, ""}, {NULL, 0, NULL},
  };
  luaL_Buffer B;
  luaL_buffinit(L, &B);
  luaL_addstring(&B, m->sb_flags & MS_RDONLY ? "ro" : "rw");
  for (const lib_Word *w = words; w->word != NULL; w++)
    if (m->sb_flags & w->bits) {
      luaL_addchar(&B, ',');
      luaL_addstring(&B, w->word);
    }
  if ((m->mask & KERNEL_STATMOUNT_MNT_OPTS) && m->str[m->mnt_opts] != '\0') {
    luaL_addchar(&B, ',');
    luaL_addstring(&B, m->str + m->mnt_opts);
  }
  luaL_pushresult(&B);
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  lua_pushvalue(L, -2);
  set_text(L, "super_options", text, length);
  lua_pop(L, 2);
}

static void set_string(lua_State *L, const char *field, const char *s) {
  lua_pushstring(L, s);
  lua_setfield(L, -2, field);
}

/* Pushes the row of a statmount(2). `tells`: this kernel names sources (Linux
   6.14; the root mount has one, so the first row shows it). */
static void push_status(lua_State *L, const struct kernel_statmount *m,
                        bool *tells) {
  lua_createtable(L, 0, 12);
  set_integer(L, "id", m->mnt_id_old);
  set_integer(L, "parent", m->mnt_parent_id_old);
  set_integer(L, "major", m->sb_dev_major);
  set_integer(L, "minor", m->sb_dev_minor);
  set_string(L, "root", m->str + m->mnt_root);
  set_string(L, "mountpoint", m->str + m->mnt_point);
  set_options(L, m->mnt_attr);
  set_propagation(L, m->mnt_peer_group, m->mnt_master,
                  m->mnt_propagation & MS_UNBINDABLE);
  if ((m->mask & KERNEL_STATMOUNT_FS_SUBTYPE) && m->str[m->fs_subtype] != '\0')
    lua_pushfstring(L, "%s.%s", m->str + m->fs_type, m->str + m->fs_subtype);
  else
    lua_pushstring(L, m->str + m->fs_type);
  lua_setfield(L, -2, "type");
  bool named = m->mask & KERNEL_STATMOUNT_SB_SOURCE;
  *tells = *tells || named;
  set_string(L, "source", named ? m->str + m->sb_source
                                : *tells ? "" : "none");
  set_super_options(L, m);
}

static long statmount(__u64 nsid, __u64 id, struct kernel_statmount *m) {
  struct kernel_mnt_id_req req = {
    .size = sizeof req, .mnt_id = id, .mnt_ns_id = nsid,
    .param = KERNEL_STATMOUNT_SB_BASIC | KERNEL_STATMOUNT_MNT_BASIC |
             KERNEL_STATMOUNT_MNT_ROOT | KERNEL_STATMOUNT_MNT_POINT |
             KERNEL_STATMOUNT_FS_TYPE | KERNEL_STATMOUNT_MNT_OPTS |
             KERNEL_STATMOUNT_FS_SUBTYPE | KERNEL_STATMOUNT_SB_SOURCE,
  };
  return syscall(SYS_statmount, &req, m, sizeof *m + TEXTS, 0);
}

/* [rows] -> [rows]: adds the mounts of a namespace. One that goes away between
   the two calls is left out. */
static int push_by_listmount(lua_State *L, __u64 nsid) {
  __u64 *ids = lib_scratch(L, AT_ONCE * sizeof *ids);
  struct kernel_statmount *m = lib_scratch(L, sizeof *m + TEXTS);
  lua_Integer count = 0;
  bool tells = false;
  long n;
  __u64 last = 0;
  lua_newtable(L);
  do {
    struct kernel_mnt_id_req req = {.size = sizeof req, .param = last,
                                    .mnt_id = KERNEL_LSMT_ROOT,
                                    .mnt_ns_id = nsid};
    n = syscall(SYS_listmount, &req, ids, AT_ONCE, 0);
    lib_check(L, n, "listmount", "rl", "LSMT_ROOT", (long)nsid);
    for (long i = 0; i < n; i++) {
      long result = statmount(nsid, ids[i], m);
      if (result == -1 && errno == ENOENT)
        continue;
      lib_check(L, result, "statmount", "ll", (long)ids[i], (long)nsid);
      push_status(L, m, &tells);
      lua_rawseti(L, -2, ++count);
      last = ids[i];
    }
  } while (n == AT_ONCE);
  return 1;
}

static int push_by_namespace(lua_State *L, int arg) {
  __u64 nsid = 0;
  lib_Ns *ns = lib_checkns(L, arg);
  if (ns->type != CLONE_NEWNS)
    luaL_argerror(L, arg, "a mnt namespace is wanted");
  lib_check(L, ioctl(ns->h.fd, NS_GET_MNTNS_ID, &nsid), "ioctl", "dr",
            ns->h.fd, "NS_GET_MNTNS_ID");
  return push_by_listmount(L, nsid);
}

static int push_rows(lua_State *L) {
  if (luaL_testudata(L, 1, LIB_NS) != NULL)
    return push_by_namespace(L, 1);
  if (!lua_isnil(L, 1))
    return push_by_procfs(L, lib_checkpid(L, 1));
  if (access("/proc/thread-self/mountinfo", R_OK) == -1)
    return push_by_listmount(L, 0); /* no procfs here: ask the kernel */
  return push_by_procfs(L, 0);
}

/* Makes the rows at the bottom a list of nslua.list's. */
static void become_list(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_getfield(L, -1, "nslua.list");
  luaL_requiref(L, "nslua.list", lua_tocfunction(L, -1), false);
  lua_getfield(L, -1, "make");
  lua_pushvalue(L, 1);
  lua_pushliteral(L, "mounts");
  lua_pushnil(L);
  lua_newtable(L);
  lua_call(L, 4, 0);
}

static int rows_index(lua_State *L) {
  lua_settop(L, 2);
  if (lua_type(L, 2) != LUA_TSTRING)
    return 0;
  become_list(L);
  lua_pushvalue(L, 2);
  lua_gettable(L, 1);
  return 1;
}

static int rows_tostring(lua_State *L) {
  lua_settop(L, 1);
  become_list(L);
  luaL_tolstring(L, 1, NULL);
  return 1;
}

/* What rows are until somebody asks them for more than their fields. */
static const luaL_Reg rows_methods[] = {
  {"__index", rows_index},
  {"__tostring", rows_tostring},
  {NULL, NULL},
};

/* ns.mounts([Proc | pid | Ns]) -> list of rows: id, parent, root, mountpoint,
   type, source, options, super_options, propagation, major, minor
   proc_pid_mountinfo(5), listmount(2) */
static int mountinfo_mounts(lua_State *L) {
  lua_settop(L, 1);
  push_rows(L);
  if (luaL_newmetatable(L, "nslua.List"))
    luaL_setfuncs(L, rows_methods, 0);
  lua_setmetatable(L, -2);
  return 1;
}

static const luaL_Reg funcs[] = {
  {"mounts", mountinfo_mounts},
  {NULL, NULL},
};

void mountinfo_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
