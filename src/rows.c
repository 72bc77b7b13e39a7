/* SPDX-License-Identifier: MIT
 *
 * rows.c - what a scan found, as Lua tables of known size: one for each
 * namespace, with lsns's names for its fields. namespaces(7), lsns(8).
 */
#include <errno.h>
#include <string.h>

#include "kernel.h"
#include "scan.h"

/* -- rows ----------------------------------------------------------------- */

/* table[name] = n for the table on top of the stack */
static void set_integer(lua_State *L, const char *name, lua_Integer n) {
  lua_pushinteger(L, n);
  lua_setfield(L, -2, name);
}

/* Pushes where the namespace can be opened; nothing when nowhere. */
static bool push_path(lua_State *L, const Scan *s, const Entry *e,
                      const char *proc) {
  if (e->pid > 0)
    lua_pushfstring(L, "%s/%d/ns/%s", proc, (int)e->pid,
                    lib_nsword(lib_nsflags[e->type]));
  else if (e->mount > 0)
    lua_pushstring(L, s->text + s->mounts[e->mount - 1].path);
  else if (e->path > 0)
    lua_pushfstring(L, "%s/%s", proc, s->text + e->path);
  else
    return false;
  return true;
}

/* Pushes its mount points, one a line as lsns has them. */
static void push_mounts(lua_State *L, const Scan *s, const Entry *e) {
  luaL_Buffer B;
  luaL_buffinit(L, &B);
  for (int i = e->mount; i > 0; i = s->mounts[i - 1].next) {
    if (i != e->mount)
      luaL_addchar(&B, '\n');
    luaL_addstring(&B, s->text + s->mounts[i - 1].path);
  }
  luaL_pushresult(&B);
}

/* The path is "PID/root/run/a". */
static void push_their_mount(lua_State *L, const Scan *s, const Entry *e,
                             const char *comma) {
  const char *path = strstr(s->text + e->path, "/root/");
  lua_pushfstring(L, "%sbind mount %s in the mount namespace of %d", comma,
                  path != NULL ? path + strlen("/root") : "(a long path)",
                  (int)e->holder);
}

/* Pushes what keeps it alive, in words. */
static void push_keepers(lua_State *L, const Scan *s, const Entry *e) {
  int n = 0;
  luaL_checkstack(L, 16, "kept_by");
  if (e->nprocs > 0)
    lua_pushstring(L, (n++, "processes"));
  if (e->mount > 0) {
    const char *path = s->text + s->mounts[e->mount - 1].path;
    lua_pushfstring(L, "%sbind mount %s", n++ ? ", " : "", path);
  }
  if (e->by & BY_MOUNT)
    push_their_mount(L, s, e, n++ ? ", " : "");
  if (e->by & BY_THREAD)
    lua_pushfstring(L, "%sa thread of %d", n++ ? ", " : "", (int)e->holder);
  if (e->by & BY_FD)
    lua_pushfstring(L, "%sdescriptor %d of %d", n++ ? ", " : "",
                    e->holder_fd, (int)e->holder);
  if (e->by & BY_FUTURE)
    lua_pushfstring(L, "%sfuture children of %d", n++ ? ", " : "",
                    (int)e->holder);
  if (e->by & BY_CHILD)
    lua_pushstring(L, n++ ? ", child namespace" : "child namespace");
  if (n == 0)
    lua_pushstring(L, (n++, "something unseen"));
  lua_concat(L, n);
}

/* The process that a namespace is known by. */
static void set_process(lua_State *L, const Scan *s, const Entry *e,
                        int users) {
  set_integer(L, "pid", e->pid);
  if (e->ppid >= 0)
    set_integer(L, "ppid", e->ppid);
  if (e->uid != (uid_t)-1) {
    set_integer(L, "uid", e->uid);
    procfs_pushuser(L, users, e->uid);
    lua_setfield(L, -2, "user");
  }
  if (e->command > 0) {
    lua_pushstring(L, s->text + e->command);
    lua_setfield(L, -2, "command");
  }
}

static void push_row(lua_State *L, const Scan *s, const Entry *e, int users,
                     const char *proc) {
  lua_createtable(L, 0, 14);
  set_integer(L, "ns", (lua_Integer)e->ino);
  lua_pushstring(L, lib_nsword(lib_nsflags[e->type]));
  lua_setfield(L, -2, "type");
  set_integer(L, "nprocs", e->nprocs);
  if (e->pid > 0)
    set_process(L, s, e, users);
  if (push_path(L, s, e, proc))
    lua_setfield(L, -2, "path");
  if (e->id > 0)
    set_integer(L, "id", (lua_Integer)e->id);
  if (e->owner > 0)
    set_integer(L, "ons", (lua_Integer)e->owner);
  if (e->parent > 0)
    set_integer(L, "pns", (lua_Integer)e->parent);
  if (e->owner_uid != (uid_t)-1)
    set_integer(L, "owner_uid", e->owner_uid);
  if (e->netnsid > -2)
    set_integer(L, "netnsid", e->netnsid);
  if (e->mount > 0) {
    push_mounts(L, s, e);
    lua_setfield(L, -2, "nsfs");
  }
  push_keepers(L, s, e);
  lua_setfield(L, -2, "kept_by");
}

/* -- bindings ------------------------------------------------------------- */

/* A bit for each type that the flag words name; none named is all. */
static unsigned check_types(lua_State *L, int arg) {
  unsigned long flags = lib_checkflags(L, arg, lib_nstypes);
  unsigned types = 0;
  for (int i = 0; i < LIB_NSCOUNT; i++)
    if (flags == 0 || (flags & (unsigned)lib_nsflags[i]))
      types |= 1u << i;
  return types;
}

/* ns.scan_namespaces([types [, deep [, proc]]]) -> rows, about
   namespaces(7). about: how many processes were met, how many of them hide
   what they are in */
static int scan_namespaces(lua_State *L) {
  unsigned types = check_types(L, 1);
  bool deep = lua_toboolean(L, 2);
  const char *proc = lib_optpath(L, 3, "/proc");
  lua_settop(L, 3);
  procfs_Walk *walk = procfs_newwalk(L, proc);
  Scan *s = scan_new(L);
  s->proc_fd = walk->h.fd;
  s->types = types;
  s->deep = deep;
  s->foreign = procfs_foreign(walk);
  scan_run(s, walk);
  if (s->failed)
    return luaL_error(L, "not enough memory");
  lua_newtable(L);
  int users = lua_gettop(L);
  lua_createtable(L, s->count, 0);
  for (int i = 0; i < s->count; i++) {
    push_row(L, s, &s->entries[i], users, proc);
    lua_rawseti(L, -2, i + 1);
  }
  lua_createtable(L, 0, 6);
  if (s->foreign) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "foreign");
  }
  set_integer(L, "processes", s->processes);
  set_integer(L, "hidden", s->hidden);
  if (s->unseen_mounts) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "unseen_mounts");
  }
  if (deep)
    set_integer(L, "hidden_descriptors", s->hidden_fds);
  lib_close(&walk->h);
  return 2;
}

/* ns.scan_members(type, inode [, proc]) -> pids, hidden    namespaces(7)
   The processes in one namespace, in ascending order. */
static int scan_members(lua_State *L) {
  char path[PROCFS_PATH];
  int type = lib_checknstype(L, 1), hidden = 0;
  ino_t wanted = (ino_t)luaL_checkinteger(L, 2);
  bool ours = lua_isnoneornil(L, 3);
  procfs_Walk *walk = procfs_newwalk(L, lib_optpath(L, 3, "/proc"));
  if (ours)
    procfs_checkours(L, walk);
  lua_newtable(L);
  lua_Integer n = 0;
  for (pid_t pid; (pid = procfs_next(walk)) > 0;) {
    stpcpy(procfs_path(path, pid, "ns/"), lib_nsword(type));
    ino_t ino = procfs_inode(walk->h.fd, path);
    if (ino == 0 && errno == EACCES)
      hidden++;
    if (ino != wanted || ino == 0)
      continue;
    lua_pushinteger(L, pid);
    lua_rawseti(L, -2, ++n);
  }
  lib_close(&walk->h);
  lua_pushinteger(L, hidden);
  return 2;
}

static const luaL_Reg funcs[] = {
  {"scan_members", scan_members},
  {"scan_namespaces", scan_namespaces},
  {NULL, NULL},
};

void scan_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
