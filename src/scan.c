/* SPDX-License-Identifier: MIT
 *
 * scan.c - every namespace that can be found from here, in one pass over
 * /proc: a readlink for each process and type, and the dear questions (who is
 * in it, who owns it) once for each namespace. The pass itself touches no Lua;
 * what it found is turned into tables at the end. namespaces(7), ioctl_nsfs(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel.h"
#include "netid.h"
#include "scan.h"

/* -- memory --------------------------------------------------------------- */

static int scan_gc(lua_State *L) {
  Scan *s = lua_touserdata(L, 1);
  for (int i = 0; i < s->count; i++)
    if (s->entries[i].fd >= 0)
      close(s->entries[i].fd);
  if (s->netlink_fd >= 0)
    close(s->netlink_fd);
  free(s->entries);
  free(s->slots);
  free(s->text);
  free(s->mounts);
  memset(s, 0, sizeof *s);
  s->netlink_fd = -1;
  return 0;
}

static Scan *new_scan(lua_State *L) {
  Scan *s = lua_newuserdatauv(L, sizeof *s, 0);
  memset(s, 0, sizeof *s);
  s->netlink_fd = -1;
  if (luaL_newmetatable(L, "nslua.Scan")) {
    lua_pushcfunction(L, scan_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return s;
}

/* Room for one more of an array that doubles; false when memory is out. */
static bool grow(Scan *s, void *array, int count, int *room, size_t size) {
  if (count < *room)
    return true;
  int more = *room ? *room * 2 : 64;
  void *bigger = realloc(*(void **)array, (size_t)more * size);
  if (bigger == NULL) {
    s->failed = true;
    return false;
  }
  *(void **)array = bigger;
  *room = more;
  return true;
}

size_t scan_keep(Scan *s, const char *text, size_t length) {
  size_t at = s->text_length ? s->text_length : 1;
  if (length == 0)
    return 0;
  if (at + length + 1 > s->text_room) {
    size_t room = (at + length + 1) * 2 + 4096;
    char *bigger = realloc(s->text, room);
    if (bigger == NULL) {
      s->failed = true;
      return 0;
    }
    s->text = bigger;
    s->text_room = room;
  }
  memcpy(s->text + at, text, length);
  s->text[at + length] = '\0';
  s->text_length = at + length + 1;
  return at;
}

/* -- the set of namespaces ------------------------------------------------ */

static unsigned hash(int type, ino_t ino) {
  return (unsigned)((ino * 8 + (unsigned)type) * 0x9E3779B97F4A7C15u >> 32);
}

static int *slot(Scan *s, int type, ino_t ino) {
  unsigned i = hash(type, ino);
  for (;; i++) {
    int n = s->slots[i & s->mask];
    if (n == 0 || (s->entries[n - 1].ino == ino &&
                   s->entries[n - 1].type == type))
      return &s->slots[i & s->mask];
  }
}

static bool rehash(Scan *s) {
  unsigned size = s->mask ? (s->mask + 1) * 2 : 256;
  int *slots = calloc(size, sizeof *slots);
  if (slots == NULL) {
    s->failed = true;
    return false;
  }
  free(s->slots);
  s->slots = slots;
  s->mask = size - 1;
  for (int i = 0; i < s->count; i++)
    *slot(s, s->entries[i].type, s->entries[i].ino) = i + 1;
  return true;
}

Entry *scan_find(Scan *s, int type, ino_t ino) {
  if ((s->slots == NULL || (unsigned)s->count * 2 > s->mask) && !rehash(s))
    return NULL;
  int *at = slot(s, type, ino);
  if (*at > 0)
    return &s->entries[*at - 1];
  if (!grow(s, &s->entries, s->count, &s->room, sizeof *s->entries))
    return NULL;
  Entry *e = &s->entries[s->count];
  memset(e, 0, sizeof *e);
  e->type = type;
  e->ino = ino;
  e->fd = -1;
  e->netnsid = -2;
  e->owner_uid = (uid_t)-1;
  *at = ++s->count;
  return e;
}

int scan_type(int flag) {
  for (int i = 0; i < LIB_NSCOUNT; i++)
    if (lib_nsflags[i] == flag)
      return i;
  return -1;
}

int scan_parse(const char *name, ino_t *ino) {
  for (int i = 0; i < LIB_NSCOUNT; i++) {
    const char *word = lib_nsword(lib_nsflags[i]);
    size_t n = strlen(word);
    if (strncmp(name, word, n) == 0 && strncmp(name + n, ":[", 2) == 0) {
      name += n + 2;
      *ino = procfs_number(&name);
      return *name == ']' && *ino != 0 ? i : -1;
    }
  }
  return -1;
}

bool scan_wanted(const Scan *s, int type) {
  return type >= 0 && (s->types >> type & 1) != 0;
}

/* -- by process ----------------------------------------------------------- */

/* Counts the process in each of its namespaces. Without the right to trace
   it the kernel shows none of them, so the first refusal answers for all. */
static void see_process(Scan *s, pid_t pid) {
  char path[PROCFS_PATH], link[48];
  char *name = procfs_path(path, pid, "ns/");
  s->processes++;
  for (int i = 0; i < LIB_NSCOUNT; i++) {
    if (!scan_wanted(s, i))
      continue;
    stpcpy(name, lib_nsword(lib_nsflags[i]));
    ssize_t n = readlinkat(s->proc_fd, path, link, sizeof link - 1);
    if (n == -1 && errno == EACCES) {
      s->hidden++;
      return;
    }
    if (n <= 0)
      continue; /* it ended, or is a zombie, which has only some */
    link[n] = '\0';
    ino_t ino;
    Entry *e = scan_parse(link, &ino) == i ? scan_find(s, i, ino) : NULL;
    if (e == NULL)
      continue;
    if (e->nprocs++ == 0)
      e->pid = pid;
  }
}

/* -- by bind mount -------------------------------------------------------- */

/* Undoes \040 and its like in place. */
static void unescape(char *s) {
  char *to = s;
  for (; *s != '\0'; s++, to++) {
    if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
      *to = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
      s += 3;
    } else {
      *to = *s;
    }
  }
  *to = '\0';
}

/* "36 35 0:4 net:[4026532189] /run/netns/a rw shared:1 - nsfs nsfs rw" */
static void see_mount(Scan *s, char *line) {
  char *field[5], *rest = line;
  ino_t ino = 0;
  for (int i = 0; i < 5; i++)
    if ((field[i] = strsep(&rest, " ")) == NULL)
      return;
  int type = scan_parse(field[3], &ino);
  if (!scan_wanted(s, type) || rest == NULL || strstr(rest, " - nsfs ") == NULL)
    return;
  unescape(field[4]);
  Entry *e = scan_find(s, type, ino);
  if (e == NULL || !grow(s, &s->mounts, s->mount_count, &s->mount_room,
                         sizeof *s->mounts))
    return;
  int *link = &e->mount;
  for (; *link > 0; link = &s->mounts[*link - 1].next)
    if (strcmp(s->text + s->mounts[*link - 1].path, field[4]) == 0)
      return; /* mounted over itself */
  s->mounts[s->mount_count] =
    (Mount){scan_keep(s, field[4], strlen(field[4])), 0};
  *link = ++s->mount_count;
}

static void see_mounts(Scan *s) {
  char buffer[16384];
  size_t kept = 0;
  ssize_t n;
  int fd = openat(s->proc_fd, "self/mountinfo", O_RDONLY | O_CLOEXEC);
  if (fd == -1)
    return;
  while ((n = read(fd, buffer + kept, sizeof buffer - 1 - kept)) > 0) {
    char *line = buffer, *end;
    buffer[kept + (size_t)n] = '\0';
    while ((end = strchr(line, '\n')) != NULL) {
      *end = '\0';
      see_mount(s, line);
      line = end + 1;
    }
    kept = strlen(line);
    memmove(buffer, line, kept);
    if (kept == sizeof buffer - 1)
      kept = 0; /* a line longer than any path: not one of ours */
  }
  close(fd);
}

/* -- particulars, once for each namespace --------------------------------- */

/* The process that a namespace is known by: command line, parent, user. One
   process stands for most of its namespaces, so it is asked once. */
static void ask_process(Scan *s, Entry *e) {
  if (e->pid == 0)
    return;
  if (s->last != e->pid) {
    char path[PROCFS_PATH], args[4096];
    struct stat st;
    procfs_Stat stat;
    s->last = e->pid;
    procfs_path(path, e->pid, "")[-1] = '\0';
    s->last_uid =
      fstatat(s->proc_fd, path, &st, 0) == 0 ? st.st_uid : (uid_t)-1;
    s->last_ppid = procfs_stat(s->proc_fd, e->pid, &stat) ? stat.ppid : -1;
    s->last_command = scan_keep(
      s, args, procfs_args(s->proc_fd, e->pid, false, args, sizeof args));
  }
  e->ppid = s->last_ppid;
  e->uid = s->last_uid;
  e->command = s->last_command;
}

/* A descriptor of the namespace, wherever it can be had; -1: nowhere. */
static int open_entry(Scan *s, const Entry *e) {
  char path[PROCFS_PATH];
  struct stat st;
  int fd = e->fd;
  if (fd == -1 && e->pid > 0) {
    char *end = procfs_path(path, e->pid, "ns/");
    stpcpy(end, lib_nsword(lib_nsflags[e->type]));
    fd = openat(s->proc_fd, path, O_RDONLY | O_CLOEXEC);
  }
  if (fd == -1 && e->mount > 0)
    fd = open(s->text + s->mounts[e->mount - 1].path,
              O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd == -1 && e->path > 0)
    fd = openat(s->proc_fd, s->text + e->path, O_RDONLY | O_CLOEXEC);
  /* Its process may be gone and another mount may cover it. */
  if (fd >= 0 && (fstat(fd, &st) == -1 || st.st_ino != e->ino)) {
    close(fd);
    return -1;
  }
  return fd;
}

/* The namespace that `request` leads to: its number, 0 when the kernel does
   not say. One that nothing else was seen to keep is taken up, too. */
static ino_t follow(Scan *s, int fd, unsigned long request, int type) {
  struct stat st;
  int other = ioctl(fd, request);
  if (other == -1)
    return 0;
  bool readable = fstat(other, &st) == 0;
  if (!readable || !scan_wanted(s, type)) {
    close(other);
    return readable ? st.st_ino : 0;
  }
  int before = s->count;
  Entry *e = scan_find(s, type, st.st_ino);
  if (e != NULL)
    e->by |= BY_CHILD;
  if (e == NULL || s->count == before) {
    close(other);
  } else {
    e->fd = other;
    scan_ask(s, before);
  }
  return st.st_ino;
}

static uint64_t ask_id(int fd, int type) {
  uint64_t id = 0;
  if (ioctl(fd, NS_GET_ID, &id) == 0)
    return id;
  if (lib_nsflags[type] == CLONE_NEWNS && ioctl(fd, NS_GET_MNTNS_ID, &id) == 0)
    return id;
  return 0;
}

void scan_ask(Scan *s, int index) {
  Entry *e = &s->entries[index];
  int flag = lib_nsflags[e->type], user = scan_type(CLONE_NEWUSER);
  e->known = true;
  ask_process(s, e);
  int fd = open_entry(s, e);
  e->fd = -1;
  if (fd == -1)
    return;
  e->id = ask_id(fd, e->type);
  if (flag == CLONE_NEWUSER && ioctl(fd, NS_GET_OWNER_UID, &e->owner_uid) < 0)
    e->owner_uid = (uid_t)-1;
  if (flag == CLONE_NEWNET)
    e->netnsid = netid_ask(&s->netlink_fd, fd);
  ino_t owner = follow(s, fd, NS_GET_USERNS, user);
  ino_t parent = flag == CLONE_NEWUSER  ? owner
                 : flag == CLONE_NEWPID ? follow(s, fd, NS_GET_PARENT, e->type)
                                        : 0;
  e = &s->entries[index]; /* the array may have moved */
  e->owner = owner;
  e->parent = parent;
  close(fd);
}

/* -- rows ----------------------------------------------------------------- */

static int by_number(const void *a, const void *b) {
  const Entry *x = a, *y = b;
  if (x->ino != y->ino)
    return x->ino < y->ino ? -1 : 1;
  return x->type - y->type;
}

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

static void ask_all(Scan *s) {
  for (int i = 0; i < s->count; i++)
    if (!s->entries[i].known)
      scan_ask(s, i);
}

/* A second walk: only now it is known which ones have no process. */
static void run_deep(Scan *s, procfs_Walk *walk) {
  struct stat st;
  if (fstatat(s->proc_fd, "self/ns/mnt", &st, 0) == 0) {
    s->nsfs_major = major(st.st_dev);
    s->nsfs_minor = minor(st.st_dev);
  }
  lseek(walk->h.fd, 0, SEEK_SET);
  for (pid_t pid; (pid = procfs_next(walk)) > 0;)
    scan_deep_process(s, pid);
  ask_all(s);
  scan_deep_kernel(s);
}

static void run(Scan *s, procfs_Walk *walk) {
  for (pid_t pid; (pid = procfs_next(walk)) > 0;)
    see_process(s, pid);
  see_mounts(s);
  if (s->deep)
    run_deep(s, walk);
  ask_all(s);
  if (s->count > 0)
    qsort(s->entries, (size_t)s->count, sizeof *s->entries, by_number);
}

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
  Scan *s = new_scan(L);
  s->proc_fd = walk->h.fd;
  s->types = types;
  s->deep = deep;
  bool foreign = procfs_foreign(walk);
  run(s, walk);
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
  if (foreign) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "foreign");
  }
  set_integer(L, "processes", s->processes);
  set_integer(L, "hidden", s->hidden);
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
  procfs_Walk *walk = procfs_newwalk(L, lib_optpath(L, 3, "/proc"));
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
