/* SPDX-License-Identifier: MIT
 *
 * clone.c - a child directly in new or joined namespaces: clone3(2). A child
 * that will exec shares the parent's memory until then, so that its price does
 * not grow with the parent's heap; one that will run Lua is a true fork. What
 * the child does first is a list of steps (plan.h), decided in Lua (box.lua).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "embed.h"
#include "kernel.h"
#include "lib.h"
#include "plan.h"
#include "raw.h"
#include "report.h"

enum {
  STACK_SIZE = 64 * 1024,
  OWN_STEPS = 40, /* what we add to the steps of Lua, at most */
  MOST_STEPS = 512,
  MOST_JOINS = 16,
};

/* What each kind of step is called in Lua and in errors, and what stands
   behind its name in the Lua table: s string, S string or false, d integer,
   o mode, i slot, w mount flags, u umount flags, n namespace types, g list of
   gids, f descriptor, k signal, q option of prctl. */
static const struct {
  const char *name;
  const char *call;
  Op op;
  const char *fields;
} step_kinds[] = {
  {"caps", "capset", OP_CAPS, "d"},
  {"chdir", "chdir", OP_CHDIR, "s"},
  {"chroot", "chroot", OP_CHROOT, "s"},
  {"close_others", "close_range", OP_CLOSE_OTHERS, ""},
  {"creat", "open", OP_CREAT, "so"},
  {"ctty", "ioctl", OP_CTTY, ""},
  {"deathsig", "prctl", OP_DEATHSIG, "k"},
  {"dup", "dup3", OP_DUP, "fd"},
  {"enter_time", "setns", OP_ENTER_TIME, ""},
  {"exec", "execve", OP_EXEC, ""},
  {"exec_reaper", "execveat", OP_EXEC_REAPER, "f"},
  {"fchdir", "fchdir", OP_FCHDIR, "f"},
  {"foreground", "tcsetpgrp", OP_FOREGROUND, "f"},
  {"lo_up", "ioctl", OP_LO_UP, ""},
  {"mkdir", "mkdir", OP_MKDIR, "so"},
  {"mount", "mount", OP_MOUNT, "SsSwS"},
  {"mount_setattr", "mount_setattr", OP_MOUNT_SETATTR, "sd"},
  {"move_mount", "move_mount", OP_MOVE_MOUNT, "is"},
  {"node", "mknod", OP_NODE, "sod"},
  {"open_tree", "open_tree", OP_OPEN_TREE, "sid"},
  {"pivot_root", "pivot_root", OP_PIVOT_ROOT, "ss"},
  {"prctl", "prctl", OP_PRCTL, "qd"},
  {"setdomainname", "setdomainname", OP_SETDOMAINNAME, "s"},
  {"setgroups", "setgroups", OP_SETGROUPS, "g"},
  {"sethostname", "sethostname", OP_SETHOSTNAME, "s"},
  {"setpgid", "setpgid", OP_SETPGID, ""},
  {"setresgid", "setresgid", OP_SETRESGID, "d"},
  {"setresuid", "setresuid", OP_SETRESUID, "d"},
  {"setrlimit", "setrlimit", OP_SETRLIMIT, "ddd"},
  {"setsid", "setsid", OP_SETSID, ""},
  {"signals", "rt_sigprocmask", OP_SIGNALS, ""},
  {"symlink", "symlink", OP_SYMLINK, "ss"},
  {"umask", "umask", OP_UMASK, "o"},
  {"umask_back", "umask", OP_UMASK_BACK, ""},
  {"umount", "umount2", OP_UMOUNT, "su"},
  {"unshare", "unshare", OP_UNSHARE, "n"},
  {"wait_go", "read", OP_WAIT_GO, ""},
  {"write", "write", OP_WRITE, "ss"},
};
enum { KINDS = sizeof step_kinds / sizeof *step_kinds };

/* The step "dev" is all of these: a /dev as every Linux has it, its devices and
   its shm for everybody whatever the umask says. */
#define NODE(name, major, minor)                                               \
  {.op = OP_NODE, .s = {"/dev/" name}, .n = {0666, (major) << 8 | (minor)}}
#define LINK(target, name) {.op = OP_SYMLINK, .s = {target, "/dev/" name}}
static const Step dev_steps[] = {
  {.op = OP_MKDIR, .s = {"/dev"}, .n = {0755}},
  {.op = OP_MOUNT,
   .s = {"tmpfs", "/dev", "tmpfs", "mode=755"},
   .n = {MS_NOSUID | MS_STRICTATIME}},
  {.op = OP_MKDIR, .s = {"/dev/pts"}, .n = {0755}},
  {.op = OP_MOUNT,
   .s = {"devpts", "/dev/pts", "devpts",
         "newinstance,ptmxmode=0666,mode=620"},
   .n = {MS_NOSUID | MS_NOEXEC}},
  {.op = OP_UMASK, .n = {0}},
  {.op = OP_MKDIR, .s = {"/dev/shm"}, .n = {01777}},
  NODE("null", 1, 3),   NODE("zero", 1, 5),    NODE("full", 1, 7),
  NODE("random", 1, 8), NODE("urandom", 1, 9), NODE("tty", 5, 0),
  {.op = OP_UMASK_BACK},
  LINK("/proc/self/fd", "fd"),
  LINK("fd/0", "stdin"), LINK("fd/1", "stdout"), LINK("fd/2", "stderr"),
  LINK("pts/ptmx", "ptmx"),
};
#undef NODE
#undef LINK
enum { DEV_STEPS = sizeof dev_steps / sizeof *dev_steps };

static const char region_key = 'r'; /* registry: the memory below */
static const char image_key = 'i';  /* registry: the reaper's memory file */
static const char self_key = 'p';   /* registry: a pidfd of this process */

/* Where a child that shares our memory runs and reports, and where one that
   does not reports: mapped when first needed, once a process and state. */
typedef struct Region {
  unsigned generation;
  char *stacks;    /* two of STACK_SIZE */
  Outcome own;     /* of a child in our memory */
  Outcome *shared; /* of a forked one: MAP_SHARED, or NULL */
} Region;

/* All that one call holds; the pointers in it are kept alive by Lua values
   on the stack of the call. */
typedef struct Call {
  lua_State *L;
  Plan plan;
  lib_Proc *proc;
  Region *region;
  Outcome *outcome; /* the region's that this child can write */
  lib_Fd *channel, *channel_child; /* socket pair, or closed */
  lib_Fd *report, *report_child;   /* a pipe from the reaper, or closed */
  lib_Map map;
  uint64_t flags;
  int cgroup;
  bool has_map, parent_maps, is_exec, shares_memory;
  bool restores_dumpable;
  sigset_t signals;
  int most_steps;
} Call;

/* -- things made once ----------------------------------------------------- */

static int region_gc(lua_State *L) {
  Region *r = lua_touserdata(L, 1);
  if (r->stacks != NULL)
    munmap(r->stacks, 2 * (size_t)STACK_SIZE);
  if (r->shared != NULL)
    munmap(r->shared, sizeof *r->shared);
  r->stacks = NULL;
  r->shared = NULL;
  return 0;
}

static void *map_memory(lua_State *L, size_t size, int flags) {
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS,
                 -1, 0);
  if (p == MAP_FAILED)
    lib_fail(L, errno, "mmap", "l", (long)size);
  return p;
}

/* A forked child must not write into its parent's outcome: it gets its own. */
static Region *get_region(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &region_key);
  Region *r = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (r != NULL && r->generation == lib_generation())
    return r;
  r = lua_newuserdatauv(L, sizeof *r, 0);
  memset(r, 0, sizeof *r);
  luaL_setmetatable(L, "nslua.Region");
  r->generation = lib_generation();
  lua_rawsetp(L, LUA_REGISTRYINDEX, &region_key);
  return r;
}

/* Chooses how the child reports, and maps what it needs. */
static void prepare_region(Call *call) {
  Region *r = call->region;
  if (call->shares_memory && r->stacks == NULL)
    r->stacks = map_memory(call->L, 2 * (size_t)STACK_SIZE,
                           MAP_PRIVATE | MAP_STACK);
  if (!call->shares_memory)
    lib_leave_root(); /* Lua goes on, in another root perhaps */
  if (!call->shares_memory && r->shared == NULL)
    r->shared = map_memory(call->L, sizeof *r->shared, MAP_SHARED);
  call->outcome = call->shares_memory ? &r->own : r->shared;
}

/* A descriptor that is made once a process: pushes nothing. */
static int get_cached_fd(lua_State *L, const char *key, int (*make)(void)) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  lib_Fd *h = luaL_testudata(L, -1, LIB_FD);
  lua_pop(L, 1);
  if (h != NULL && h->fd >= 0 && lib_mine(h))
    return h->fd;
  h = lib_newfd(L);
  h->fd = make();
  if (h->fd == -1)
    lib_fail(L, errno, key == &self_key ? "pidfd_open" : "memfd_create", "");
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
  return h->fd;
}

static int make_self(void) {
  return (int)syscall(SYS_pidfd_open, getpid(), 0);
}

static int make_image(void) {
  size_t size = (size_t)(reaper_image_end - reaper_image);
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = memfd_create("nslua-init", flags | 0x10U /* MFD_EXEC, Linux 6.3 */);
  if (fd == -1 && errno == EINVAL)
    fd = memfd_create("nslua-init", flags);
  if (fd == -1)
    return -1;
  if (write(fd, reaper_image, size) != (ssize_t)size || fchmod(fd, 0755) ||
      fcntl(fd, F_ADD_SEALS,
            F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
    int error_number = errno;
    close(fd);
    errno = error_number;
    return -1;
  }
  return fd;
}

/* -- steps from Lua ------------------------------------------------------- */

static const void *check_gids(lua_State *L, int index, long *count) {
  luaL_checktype(L, index, LUA_TTABLE);
  *count = (long)lua_rawlen(L, index);
  if (*count > 65536)
    luaL_error(L, "too many groups");
  gid_t *list = lib_scratch(L, (size_t)*count * sizeof *list);
  for (long i = 0; i < *count; i++) {
    lua_rawgeti(L, index, i + 1);
    list[i] = (gid_t)luaL_checkinteger(L, -1);
    lua_pop(L, 1);
  }
  return list;
}

/* Reads the fields of the step table on top of the stack. What the step
   points into stays alive: strings in their table, gids in `anchor`. */
static void read_step(lua_State *L, const char *fields, Step *step,
                      int anchor) {
  int table = lua_gettop(L), ns = 0, nn = 0;
  for (int i = 0; fields[i] != '\0'; i++) {
    int type = lua_rawgeti(L, table, i + 2), value = lua_gettop(L);
    switch (fields[i]) {
    case 's': step->s[ns++] = lib_checkpath(L, value); break;
    case 'S':
      step->s[ns++] = type == LUA_TSTRING ? lib_checkpath(L, value) : NULL;
      break;
    case 'f': step->n[nn++] = lib_checkfd(L, value); break;
    case 'w':
      step->n[nn++] = (long)lib_checkflags(L, value, lib_mountflags);
      break;
    case 'u':
      step->n[nn++] = (long)lib_checkflags(L, value, lib_umountflags);
      break;
    case 'n': step->n[nn++] = lib_checknstype(L, value); break;
    case 'i': step->n[nn++] = lib_checkint(L, value, 0, SLOTS - 1); break;
    case 'g':
      step->data = check_gids(L, value, &step->n[nn++]);
      lua_rawseti(L, anchor, (lua_Integer)lua_rawlen(L, anchor) + 1);
      break;
    default: step->n[nn++] = (long)luaL_optinteger(L, value, 0);
    }
    lua_settop(L, table);
  }
}

static int kind_by_name(lua_State *L, const char *name) {
  for (int i = 0; i < KINDS; i++)
    if (strcmp(step_kinds[i].name, name) == 0)
      return i;
  return luaL_error(L, "unknown step '%s'", name);
}

static Step *add_step(Call *call, Op op) {
  if (call->plan.nsteps >= call->most_steps)
    luaL_error(call->L, "too many steps");
  Step *step = &call->plan.steps[call->plan.nsteps++];
  memset(step, 0, sizeof *step);
  step->op = op;
  return step;
}

static void add_dev(Call *call) {
  for (int i = 0; i < DEV_STEPS; i++)
    *add_step(call, dev_steps[i].op) = dev_steps[i];
}

static void add_write(Call *call, const char *path, const char *text) {
  if (text == NULL || *text == '\0')
    return;
  Step *step = add_step(call, OP_WRITE);
  step->s[0] = path;
  step->s[1] = text;
}

/* The steps of spec.steps between what must come first and exec. */
static void add_lua_steps(Call *call) {
  lua_State *L = call->L;
  if (lua_getfield(L, 1, "steps") == LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  luaL_checktype(L, -1, LUA_TTABLE);
  int list = lua_gettop(L);
  lua_newtable(L);
  int anchor = lua_gettop(L);
  lua_Integer n = (lua_Integer)lua_rawlen(L, list);
  for (lua_Integer i = 1; i <= n; i++) {
    if (lua_rawgeti(L, list, i) != LUA_TTABLE)
      luaL_error(L, "steps[%I] is no table", i);
    lua_rawgeti(L, -1, 1);
    const char *name = luaL_checkstring(L, -1);
    lua_pop(L, 1); /* the step's table keeps it */
    if (strcmp(name, "dev") == 0) {
      add_dev(call);
    } else {
      int kind = kind_by_name(L, name);
      Step *step = add_step(call, step_kinds[kind].op);
      read_step(L, step_kinds[kind].fields, step, anchor);
    }
    lua_pop(L, 1);
  }
}

static void add_death_signal(Call *call) {
  lua_State *L = call->L;
  lua_getfield(L, 1, "deathsig");
  int sig = lua_isnil(L, -1) ? 0 : lib_checksignal(L, lua_gettop(L), 0);
  lua_pop(L, 1);
  if (sig == 0)
    return;
  add_step(call, OP_DEATHSIG)->n[0] = sig;
  call->plan.parent = get_cached_fd(L, &self_key, make_self);
}

/* A handle that closes when the call ends, well or not. */
static lib_Fd *temporary_fd(lua_State *L) {
  lib_Fd *h = lib_newfd(L);
  lua_toclose(L, -1);
  return h;
}

/* Standard streams: sources below 3 are lifted out of each other's way. */
static void add_streams(Call *call) {
  static const char *const names[] = {"stdin", "stdout", "stderr"};
  lua_State *L = call->L;
  int from[3];
  for (int i = 0; i < 3; i++) {
    lua_getfield(L, 1, names[i]);
    from[i] = lua_isnil(L, -1) ? i : lib_checkfd(L, lua_gettop(L));
    lua_pop(L, 1);
  }
  for (int i = 0; i < 3; i++)
    if (from[i] < 3 && from[i] != i) {
      lib_Fd *h = temporary_fd(L);
      h->fd = fcntl(from[i], F_DUPFD_CLOEXEC, 10);
      from[i] = (int)lib_check(L, h->fd, "fcntl", "dr", from[i],
                               "F_DUPFD_CLOEXEC");
    }
  for (int i = 0; i < 3; i++)
    if (from[i] != i) {
      Step *step = add_step(call, OP_DUP);
      step->n[0] = from[i];
      step->n[1] = i;
    }
}

static bool changes_ids(const Call *call) {
  if (call->plan.njoins > 0)
    return true;
  for (int i = 0; i < call->plan.nsteps; i++)
    switch (call->plan.steps[i].op) {
    case OP_CAPS:
    case OP_PRCTL:
    case OP_SETGROUPS:
    case OP_SETRESGID:
    case OP_SETRESUID: return true;
    default: break;
    }
  return false;
}

/* The order is the point: the death signal before anything that may take
   long, the maps before anything that needs a right, the death signal again
   since a change of ids clears it, the signal mask right before exec. */
static void make_steps(Call *call, bool reaper) {
  lua_State *L = call->L;
  lua_getfield(L, 1, "steps");
  size_t most = OWN_STEPS + (lua_istable(L, -1) ? lua_rawlen(L, -1) : 0);
  call->most_steps = most < MOST_STEPS ? (int)most : MOST_STEPS;
  call->plan.steps = lib_scratch(L, (size_t)call->most_steps * sizeof(Step));
  add_death_signal(call);
  if (call->parent_maps)
    add_step(call, OP_WAIT_GO);
  if (call->has_map && !call->parent_maps) {
    add_write(call, "/proc/self/setgroups", call->map.setgroups);
    add_write(call, "/proc/self/gid_map", call->map.gid);
    add_write(call, "/proc/self/uid_map", call->map.uid);
  }
  add_lua_steps(call);
  if (changes_ids(call))
    add_death_signal(call);
  add_streams(call);
  if (call->is_exec)
    add_step(call, OP_CLOSE_OTHERS);
  add_step(call, OP_SIGNALS)->data = &call->signals;
  if (reaper)
    add_step(call, OP_EXEC_REAPER)->n[0] = call->report_child->fd;
  else if (call->is_exec)
    add_step(call, OP_EXEC);
}

/* -- the rest of the spec ------------------------------------------------- */

static void read_joins(Call *call) {
  lua_State *L = call->L;
  if (lua_getfield(L, 1, "joins") == LUA_TNIL)
    return;
  luaL_checktype(L, -1, LUA_TTABLE);
  int list = lua_gettop(L), n = (int)lua_rawlen(L, list);
  if (n > MOST_JOINS)
    luaL_error(L, "too many namespaces to join");
  call->plan.joins = lib_scratch(L, (size_t)n * sizeof(Join));
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, list, i + 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_rawgeti(L, -1, 1);
    call->plan.joins[i].fd = lib_checkfd(L, lua_gettop(L));
    lua_rawgeti(L, -2, 2);
    call->plan.joins[i].types = (int)luaL_checkinteger(L, -1);
    /* A shared address space cannot enter a time namespace: EUSERS. */
    if (call->plan.joins[i].types & CLONE_NEWTIME)
      call->shares_memory = false;
    lua_pop(L, 3);
  }
  call->plan.njoins = n;
}

static const char *find_path(const char *const *envp) {
  for (; *envp != NULL; envp++)
    if (strncmp(*envp, "PATH=", 5) == 0)
      return *envp + 5;
  return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/* Only what is given: a function has the caller's environment already. It
   stays on the stack, so that the child may look into it. */
static void read_environment(Call *call) {
  if (lua_getfield(call->L, 1, "env") != LUA_TNIL)
    call->plan.envp = lib_pushenvironment(call->L, lua_gettop(call->L));
}

/* argv and env stay on the stack. The reaper gets its own name in front. */
static void read_program(Call *call, bool reaper) {
  lua_State *L = call->L;
  int type = lua_getfield(L, 1, "argv");
  if (type == LUA_TNIL && !reaper) {
    read_environment(call);
    return;
  }
  if (type == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
  }
  const char **argv = lib_pushvector(L, lua_gettop(L), "argv");
  if (argv[0] == NULL && !reaper)
    luaL_error(L, "argv is empty: the first element names the program");
  if (reaper) {
    size_t n = 0;
    while (argv[n] != NULL)
      n++;
    const char **longer = lib_scratch(L, (n + 2) * sizeof *longer);
    longer[0] = "nslua-init";
    memcpy(longer + 1, argv, (n + 1) * sizeof *longer);
    argv = longer;
  }
  lua_getfield(L, 1, "env");
  call->plan.envp = lib_pushenvironment(L, lua_gettop(L));
  call->plan.argv = argv;
  call->plan.path = find_path(call->plan.envp);
  call->is_exec = true;
  call->shares_memory = true;
}

static void read_map(Call *call) {
  lua_State *L = call->L;
  int type = lua_getfield(L, 1, "map");
  if (type == LUA_TNIL || (type == LUA_TBOOLEAN && !lua_toboolean(L, -1)))
    return;
  lib_pushmap(L, lua_gettop(L), false, &call->map);
  call->has_map = true;
  call->parent_maps = !call->map.self;
}

static lib_Fd *open_pair(lua_State *L, lib_Fd **other) {
  int fds[2];
  lib_Fd *mine = temporary_fd(L);
  *other = temporary_fd(L);
  lib_check(L, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
            "socketpair", "r", "AF_UNIX");
  mine->fd = fds[0];
  (*other)->fd = fds[1];
  return mine;
}

static void open_report(Call *call) {
  int fds[2];
  call->report = temporary_fd(call->L);
  call->report_child = temporary_fd(call->L);
  lib_check(call->L, pipe2(fds, O_CLOEXEC), "pipe2", "r", "O_CLOEXEC");
  call->report->fd = fds[0];
  call->report_child->fd = fds[1];
}

static void read_spec(Call *call) {
  lua_State *L = call->L;
  lua_getfield(L, 1, "reaper");
  bool reaper = lua_toboolean(L, -1);
  lua_getfield(L, 1, "flags");
  call->flags = (uint64_t)luaL_optinteger(L, -1, 0);
  lua_getfield(L, 1, "bound");
  call->proc->bound = lua_toboolean(L, -1);
  lua_getfield(L, 1, "cgroup");
  call->cgroup = lua_isnil(L, -1) ? -1 : lib_checkfd(L, lua_gettop(L));
  read_program(call, reaper);
  read_joins(call);
  read_map(call);
  if (reaper) {
    open_report(call);
    call->plan.image = get_cached_fd(L, &image_key, make_image);
  }
  /* A parent that must write maps, and one that must hear how far a forked
     child came, need a way to wait; a vforked one waits by itself. */
  if (call->parent_maps || !call->shares_memory)
    call->channel = open_pair(L, &call->channel_child);
  make_steps(call, reaper);
}

/* -- making the child ----------------------------------------------------- */

static void fill_arguments(Call *call, struct clone_args *args, bool worker) {
  memset(args, 0, sizeof *args);
  args->exit_signal = SIGCHLD;
  if (!worker) {
    args->flags = CLONE_FILES; /* the worker's pidfd lands in our table */
  } else {
    args->flags = call->flags | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
    args->pidfd = (uintptr_t)&call->outcome->pidfd;
    if (call->cgroup >= 0) {
      args->flags |= CLONE_INTO_CGROUP;
      args->cgroup = (uint64_t)call->cgroup;
    }
  }
  if (worker && call->plan.njoins > 0) {
    args->flags |= CLONE_PARENT;
    args->exit_signal = 0; /* the middle's, says clone3 */
  }
  if (call->shares_memory) {
    args->flags |= CLONE_VM;
    if (!worker || !call->parent_maps)
      args->flags |= CLONE_VFORK;
    args->stack = (uintptr_t)call->region->stacks + (worker ? STACK_SIZE : 0);
    args->stack_size = STACK_SIZE;
  }
}

/* In a forked child that will run Lua: does the steps, then the function. */
_Noreturn static void run_function(Call *call) {
  lua_State *L = call->L;
  Plan *plan = &call->plan;
  lib_forked();
  child_work(plan);
  if (plan->channel >= 0)
    close(plan->channel);
  munmap(call->region->shared, sizeof(Outcome));
  call->region->shared = NULL;
  if (plan->envp != NULL)
    environ = (char **)plan->envp;
  lua_getfield(L, 1, "fn");
  lua_getfield(L, 1, "args");
  int args = lua_gettop(L), n = 0;
  if (lua_istable(L, args)) {
    lua_getfield(L, args, "n");
    n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_checkstack(L, n + 4, "arguments");
    for (int i = 1; i <= n; i++)
      lua_rawgeti(L, args, i);
  }
  lua_remove(L, args);
  proc_run_and_exit(L, n);
}

/* The middle and the worker as true forks. Returns in the parent only. */
static long fork_worker(Call *call, const struct clone_args *middle) {
  Plan *plan = &call->plan;
  if (plan->njoins == 0) {
    long pid = child_make(&plan->worker, NULL, NULL);
    if (pid == 0)
      run_function(call);
    return pid;
  }
  long pid = child_make(middle, NULL, NULL);
  if (pid != 0)
    return pid;
  /* Our copy of the host's heap is nobody's business in there. */
  RAW2(SYS_prctl, PR_SET_DUMPABLE, 0);
  int failed = child_join(plan);
  if (failed >= 0) {
    plan->outcome->step = JOIN_FAILED + failed;
    child_exit(127);
  }
  pid = child_make(&plan->worker, NULL, NULL);
  if (pid == 0)
    run_function(call);
  if (pid < 0) {
    plan->outcome->error = (int)-pid;
    plan->outcome->step = CLONE_FAILED;
  }
  plan->outcome->pid = (int)pid;
  child_exit(0);
}

static long start_worker(Call *call) {
  Plan *plan = &call->plan;
  struct clone_args middle;
  fill_arguments(call, &middle, false);
  fill_arguments(call, &plan->worker, true);
  if (!call->shares_memory)
    return fork_worker(call, &middle);
  if (plan->njoins == 0)
    return child_make(&plan->worker, child_worker, plan);
  return child_make(&middle, child_middle, plan);
}

static void reap_middle(long pid) {
  while (waitpid((pid_t)pid, NULL, __WALL) == -1 && errno == EINTR)
    ;
}

/* A child that shares our memory also shares `dumpable`: while it joins the
   namespaces of strangers nobody there may look at our heap; and when it has
   changed its ids we put right what the kernel cleared for both, or the id
   maps of later children could not be written any more. */
static void guard_memory(Call *call) {
  if (!call->shares_memory || !changes_ids(call) ||
      prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1)
    return;
  call->restores_dumpable = true;
  if (call->plan.njoins > 0 && !call->has_map)
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static void unguard_memory(const Call *call) {
  if (call->restores_dumpable && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1)
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* Signals are blocked around the birth. */
static long give_birth(Call *call) {
  sigset_t all;
  Outcome *outcome = call->outcome;
  *outcome = (Outcome){.step = -1, .pidfd = -1};
  call->plan.outcome = outcome;
  call->plan.channel = call->channel ? call->channel_child->fd : -1;
  call->plan.channel_parent = call->channel ? call->channel->fd : -1;
  fflush(NULL);
  guard_memory(call);
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &call->signals);
  long pid = start_worker(call);
  if (pid > 0 && call->plan.njoins > 0) {
    reap_middle(pid);
    pid = outcome->pid;
  }
  unguard_memory(call);
  sigprocmask(SIG_SETMASK, &call->signals, NULL);
  return pid;
}

/* -- errors and trace ----------------------------------------------------- */

static int kind_by_op(Op op) {
  int i = 0;
  while (i < KINDS - 1 && step_kinds[i].op != op)
    i++;
  return i;
}

static void add_text(luaL_Buffer *B, const char *s) {
  if (s == NULL)
    luaL_addstring(B, "NULL");
  else
    lib_addquoted(B, s, strlen(s));
}

static const lib_Word prctl_options[] = {
  {"dumpable", PR_SET_DUMPABLE, "PR_SET_DUMPABLE"},
  {"keepcaps", PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS"},
  {"no_new_privs", PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS"},
  {NULL, 0, NULL},
};

/* What stands before the fields of a step, or in place of them. */
static const char *fixed_words(Op op) {
  switch ((int)op) {
  case OP_CLOSE_OTHERS: return "3, ~0U, CLOSE_RANGE_CLOEXEC";
  case OP_CTTY: return "0, TIOCSCTTY";
  case OP_DEATHSIG: return "PR_SET_PDEATHSIG";
  case OP_ENTER_TIME: return "time_for_children, CLONE_NEWTIME";
  case OP_LO_UP: return "SIOCSIFFLAGS, lo, IFF_UP";
  case OP_SIGNALS: return "SIG_SETMASK, [], NULL, 8";
  case OP_UMASK_BACK: return "the former one";
  default: return "";
  }
}

/* The word for exactly this number: a signal or an option is no set of bits. */
static void add_name(luaL_Buffer *B, unsigned long n, const lib_Word *set) {
  while (set->word != NULL && set->bits != n)
    set++;
  if (set->word != NULL)
    luaL_addstring(B, set->name);
  else
    lib_addflags(B, n, set);
}

static void add_number(luaL_Buffer *B, char letter, long n) {
  char text[32];
  if (letter == 'k')
    add_name(B, (unsigned long)n, lib_signals);
  else if (letter == 'q')
    add_name(B, (unsigned long)n, prctl_options);
  else if (letter == 'w')
    lib_addflags(B, (unsigned long)n, lib_mountflags);
  else if (letter == 'u')
    lib_addflags(B, (unsigned long)n, lib_umountflags);
  else if (letter == 'n')
    lib_addflags(B, (unsigned long)n, lib_nstypes);
  else {
    snprintf(text, sizeof text, letter == 'o' ? "0%lo" : "%ld", n);
    luaL_addstring(B, text);
  }
}

/* Pushes the arguments of a step as strace would show them. */
static const char *push_step(Call *call, const Step *step) {
  const char *fields = step_kinds[kind_by_op(step->op)].fields;
  const char *words = fixed_words(step->op);
  int ns = 0, nn = 0;
  luaL_Buffer B;
  luaL_buffinit(call->L, &B);
  luaL_addstring(&B, words);
  if (step->op == OP_EXEC)
    add_text(&B, call->plan.argv[0]);
  for (int i = 0; fields[i] != '\0'; i++) {
    if (i > 0 || *words != '\0')
      luaL_addstring(&B, ", ");
    if (fields[i] == 's' || fields[i] == 'S')
      add_text(&B, step->s[ns++]);
    else
      add_number(&B, fields[i], step->n[nn++]);
  }
  luaL_pushresult(&B);
  return lua_tostring(call->L, -1);
}

_Noreturn static void raise_step(Call *call, int index, int error_number) {
  const Step *step = &call->plan.steps[index];
  const char *name = step_kinds[kind_by_op(step->op)].call;
  lib_fail_text(call->L, error_number, name, push_step(call, step),
                "in the new process: ");
}

static const char *push_flags(lua_State *L, uint64_t flags) {
  luaL_Buffer B;
  luaL_buffinit(L, &B);
  lib_addflags(&B, (unsigned long)flags, lib_nstypes);
  luaL_pushresult(&B);
  return lua_tostring(L, -1);
}

/* Raises for what went wrong before the child was on its own. */
static void judge(Call *call, long pid) {
  lua_State *L = call->L;
  const Outcome outcome = *call->outcome;
  if (pid < 0)
    lib_fail_text(L, (int)-pid, "clone3", push_flags(L, call->flags), NULL);
  if (outcome.step == CLONE_FAILED)
    lib_fail_text(L, outcome.error, "clone3", push_flags(L, call->flags),
                  NULL);
  if (outcome.step >= JOIN_FAILED) {
    int i = outcome.step - JOIN_FAILED;
    uint64_t types = i < call->plan.njoins
                       ? (uint64_t)call->plan.joins[i].types : 0;
    lib_fail_text(L, outcome.error, "setns", push_flags(L, types),
                  "joining: ");
  }
  if (pid == 0) /* somebody killed the one between us and the child */
    lib_fail_text(L, ECHILD, "clone3", push_flags(L, call->flags), NULL);
}

/* The child is ours from here on: whatever raises below, the handle ends it. */
static void adopt(Call *call, long pid) {
  call->proc->h.fd = call->outcome->pidfd;
  lib_adopt(call->L, 2, (pid_t)pid);
}

static void end_child(Call *call) {
  if (call->proc->h.fd >= 0)
    syscall(SYS_pidfd_send_signal, call->proc->h.fd, SIGKILL, NULL, 0);
  reap_middle(call->proc->pid);
  call->proc->state = LIB_SIGNALED;
  lib_close(&call->proc->h);
}

/* Maps, go, and then the end of the channel: exec, or the function begins. */
static void accompany(Call *call) {
  char byte = 'g';
  if (call->channel == NULL)
    return;
  lib_close(call->channel_child);
  if (call->parent_maps) {
    const char *failed = lib_writemap(call->proc->pid, &call->map);
    if (failed != NULL) {
      int error_number = errno;
      end_child(call);
      lib_failmap(call->L, error_number, failed, call->proc->pid, &call->map);
    }
    send(call->channel->fd, &byte, 1, MSG_NOSIGNAL);
  }
  while (read(call->channel->fd, &byte, 1) == -1 && errno == EINTR)
    ;
  lib_close(call->channel);
  unguard_memory(call); /* it ran beside us until now */
}

/* A reaper says first whether its program could be started. */
static void hear_reaper(Call *call) {
  Report r;
  ssize_t n;
  if (call->report == NULL)
    return;
  lib_close(call->report_child);
  do
    n = read(call->report->fd, &r, sizeof r);
  while (n == -1 && errno == EINTR);
  if (n == (ssize_t)sizeof r && r.kind == REPORT_STARTED) {
    call->proc->report_fd = call->report->fd;
    call->report->fd = -1;
    return;
  }
  int error_number = n == (ssize_t)sizeof r ? r.value : ECHILD;
  end_child(call);
  const char *program = call->plan.argv[1];
  lib_fail(call->L, error_number, "execve", "s", program ? program : "init");
}

static void trace_birth(Call *call) {
  lua_State *L = call->L;
  if (!lib_tracing())
    return;
  lib_trace_text(L, lua_pushfstring(L, "clone3(%s) = %d",
                                    push_flags(L, call->flags),
                                    (int)call->proc->pid));
  lua_pop(L, 2);
  for (int i = 0; i < call->plan.nsteps; i++) {
    const Step *step = &call->plan.steps[i];
    lua_pushfstring(L, "[pid %d] %s(%s) = 0", (int)call->proc->pid,
                    step_kinds[kind_by_op(step->op)].call,
                    push_step(call, step));
    lib_trace_text(L, lua_tostring(L, -1));
    lua_pop(L, 2);
  }
}

/* Closed with the call: a Proc that will not be returned gives its
   descriptors back at once. */
typedef struct Guard {
  lib_Proc *proc;
} Guard;

static int guard_close(lua_State *L) {
  Guard *guard = lua_touserdata(L, 1);
  lib_Proc *proc = guard->proc;
  guard->proc = NULL;
  if (proc == NULL)
    return 0;
  if (proc->report_fd >= 0)
    close(proc->report_fd);
  proc->report_fd = -1;
  lib_close(&proc->h);
  return 0;
}

static Guard *new_guard(lua_State *L, lib_Proc *proc) {
  Guard *guard = lua_newuserdatauv(L, sizeof *guard, 0);
  guard->proc = proc;
  luaL_setmetatable(L, "nslua.Guard");
  lua_toclose(L, -1);
  return guard;
}

/* sys.clone(spec) -> Proc    clone3(2)
   spec: flags, joins = {{handle, types}, ...}, map, steps, argv | fn + args,
   env, stdin, stdout, stderr, deathsig, reaper, bound, cgroup */
static int clone_clone(lua_State *L) {
  Call call = {.L = L, .plan = {.channel = -1, .image = -1, .parent = -1}};
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  luaL_checkstack(L, 60, "clone");
  lib_number_mounts(L);
  call.proc = lib_newproc(L);
  Guard *guard = new_guard(L, call.proc);
  call.region = get_region(L);
  read_spec(&call);
  prepare_region(&call);
  long pid = give_birth(&call);
  if (pid > 0)
    adopt(&call, pid);
  judge(&call, pid);
  accompany(&call);
  int step = call.outcome->step;
  if (step >= 0 && step < call.plan.nsteps) {
    int error_number = call.outcome->error;
    end_child(&call);
    raise_step(&call, step, error_number);
  }
  hear_reaper(&call);
  trace_birth(&call);
  guard->proc = NULL;
  lua_pushvalue(L, 2);
  return 1; /* what else is on the stack closes now */
}

static const luaL_Reg region_metamethods[] = {
  {"__gc", region_gc},
  {NULL, NULL},
};

static const luaL_Reg guard_metamethods[] = {
  {"__close", guard_close},
  {NULL, NULL},
};

void clone_open(lua_State *L) {
  if (luaL_newmetatable(L, "nslua.Guard"))
    luaL_setfuncs(L, guard_metamethods, 0);
  lua_pop(L, 1);
  if (luaL_newmetatable(L, "nslua.Region"))
    luaL_setfuncs(L, region_metamethods, 0);
  lua_pop(L, 1);
  lua_pushcfunction(L, clone_clone);
  lua_setfield(L, -2, "clone");
}
