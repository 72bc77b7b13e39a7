/* SPDX-License-Identifier: MIT
 *
 * spec.c - the table that sys.clone is given becomes a plan: the namespaces to
 * join, the program, the id maps, the streams, and all steps in the order that
 * works. Opens what parent and child will talk through. clone(2), setns(2),
 * user_namespaces(7).
 */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

#include "birth.h"
#include "lib.h"
#include "plan.h"

enum {
  OWN_STEPS = 40, /* what we add to the steps of Lua, at most */
  MOST_STEPS = 512,
  MOST_JOINS = 16,
};

/* -- steps of our own ----------------------------------------------------- */

static void add_write(Call *call, const char *path, const char *text) {
  if (text == NULL || *text == '\0')
    return;
  Step *step = step_add(call, OP_WRITE);
  step->s[0] = path;
  step->s[1] = text;
}

static void add_death_signal(Call *call) {
  lua_State *L = call->L;
  lua_getfield(L, 1, "deathsig");
  int sig = lua_isnil(L, -1) ? 0 : lib_checksignal(L, lua_gettop(L), 0);
  lua_pop(L, 1);
  if (sig == 0)
    return;
  step_add(call, OP_DEATHSIG)->n[0] = sig;
  call->plan.parent = birth_self(L);
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
      Step *step = step_add(call, OP_DUP);
      step->n[0] = from[i];
      step->n[1] = i;
    }
}

bool spec_changes_ids(const Call *call) {
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
  if (call->parent_maps || call->forks)
    step_add(call, OP_WAIT_GO);
  if (call->has_map && !call->parent_maps) {
    add_write(call, "/proc/self/setgroups", call->map.setgroups);
    add_write(call, "/proc/self/gid_map", call->map.gid);
    add_write(call, "/proc/self/uid_map", call->map.uid);
  }
  step_add_list(call);
  if (spec_changes_ids(call))
    add_death_signal(call);
  add_streams(call);
  if (call->is_exec)
    step_add(call, OP_CLOSE_OTHERS);
  step_add(call, OP_SIGNALS)->data = &call->signals;
  if (reaper)
    step_add(call, OP_EXEC_REAPER)->n[0] = call->report_child->fd;
  else if (call->is_exec)
    step_add(call, OP_EXEC);
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
    lib_raise(L, "argv is empty: the first element names the program");
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

/* May this process have other threads? Libc knows since 2.32. Before, the
   kernel is asked, which refuses this to one that has and does nothing for one
   that has none; but there are filters that kill for it. */
static bool has_threads(void) {
#if __has_include(<sys/single_threaded.h>)
  return !__libc_single_threaded;
#else
  return unshare(CLONE_THREAD) == -1;
#endif
}

static void open_report(Call *call) {
  int fds[2];
  call->report = temporary_fd(call->L);
  call->report_child = temporary_fd(call->L);
  lib_check(call->L, pipe2(fds, O_CLOEXEC), "pipe2", "r", "O_CLOEXEC");
  call->report->fd = fds[0];
  call->report_child->fd = fds[1];
}

void spec_read(Call *call) {
  lua_State *L = call->L;
  lua_getfield(L, 1, "reaper");
  bool reaper = lua_toboolean(L, -1);
  lua_getfield(L, 1, "flags");
  call->flags = (uint64_t)luaL_optinteger(L, -1, 0);
  lua_getfield(L, 1, "bound");
  call->proc->bound = lua_toboolean(L, -1);
  lua_getfield(L, 1, "cgroup");
  call->cgroup = lua_isnil(L, -1) ? -1 : lib_checkfd(L, lua_gettop(L));
  lua_getfield(L, 1, "net");
  call->plan.beside = beside_test(L, -1);
  read_program(call, reaper);
  read_joins(call);
  read_map(call);
  /* The locks of libc that other threads hold are locked for ever in a child,
     but for one of fork(3): then it makes the worker. */
  call->forks = !call->shares_memory && has_threads();
  call->has_middle = call->forks || call->plan.njoins > 0;
  if (reaper) {
    open_report(call);
    call->plan.image = birth_image(L);
  }
  /* A parent that must write maps, and one that must hear how far a forked
     child came, need a way to wait; a vforked one waits by itself. */
  if (call->parent_maps || !call->shares_memory)
    call->channel = open_pair(L, &call->channel_child);
  make_steps(call, reaper);
}
