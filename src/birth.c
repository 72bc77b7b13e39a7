/* SPDX-License-Identifier: MIT
 *
 * birth.c - the moment of a birth: clone3(2) with all signals blocked, by way
 * of a process in the middle where namespaces are joined, in our memory or as a
 * true fork; and what is made once a process for all of them: the stacks, the
 * place where a child reports, the reaper's image. clone(2), memfd_create(2),
 * PR_SET_DUMPABLE(2const).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "birth.h"
#include "embed.h"
#include "kernel.h"
#include "lib.h"
#include "plan.h"
#include "raw.h"

enum { STACK_SIZE = 64 * 1024 };

static const char region_key = 'r'; /* registry: the memory below */
static const char image_key = 'i';  /* registry: the reaper's memory file */
static const char self_key = 'p';   /* registry: a pidfd of this process */

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
Region *birth_region(lua_State *L) {
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

void birth_prepare(Call *call) {
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

int birth_self(lua_State *L) {
  return get_cached_fd(L, &self_key, make_self);
}

int birth_image(lua_State *L) {
  return get_cached_fd(L, &image_key, make_image);
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
  if (worker && call->has_middle) {
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
  if (!call->forks) /* else it is counted */
    lib_forked();
  child_work(plan);
  if (plan->channel >= 0) { /* others may hold copies: its end is no sign */
    send(plan->channel, "f", 1, MSG_NOSIGNAL);
    close(plan->channel);
  }
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

static long fork_middle(const Call *call, const struct clone_args *args) {
  if (!call->forks)
    return child_make(args, NULL, NULL);
  long pid = fork();
  return pid == -1 ? -errno : pid;
}

/* The middle and the worker as true forks. Returns in the parent only. */
static long fork_worker(Call *call, const struct clone_args *middle) {
  Plan *plan = &call->plan;
  if (!call->has_middle) {
    long pid = child_make(&plan->worker, NULL, NULL);
    if (pid == 0)
      run_function(call);
    return pid;
  }
  long pid = fork_middle(call, middle);
  if (pid != 0)
    return pid;
  if (plan->njoins > 0) /* our copy of the host's heap is nobody's business */
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

void birth_reap(long pid) {
  while (waitpid((pid_t)pid, NULL, __WALL) == -1 && errno == EINTR)
    ;
}

/* The pidfd that its maker has is not ours. It waits for our word, so the
   number still means it. */
static long open_worker(long pid, Outcome *outcome) {
  outcome->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (outcome->pidfd >= 0)
    return pid;
  int error_number = errno;
  kill((pid_t)pid, SIGKILL);
  birth_reap(pid);
  return -error_number;
}

/* A child that shares our memory also shares `dumpable`: while it joins the
   namespaces of strangers nobody there may look at our heap; and when it has
   changed its ids we put right what the kernel cleared for both, or the id
   maps of later children could not be written any more. */
static void guard_memory(Call *call) {
  if (!call->shares_memory || !spec_changes_ids(call) ||
      prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1)
    return;
  call->restores_dumpable = true;
  if (call->plan.njoins > 0 && !call->has_map)
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void birth_unguard(const Call *call) {
  if (call->restores_dumpable && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1)
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* Signals are blocked around the birth. */
long birth_give(Call *call) {
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
  if (pid > 0 && call->has_middle) {
    birth_reap(pid);
    pid = outcome->pid;
  }
  if (pid > 0 && call->forks)
    pid = open_worker(pid, outcome);
  birth_unguard(call);
  sigprocmask(SIG_SETMASK, &call->signals, NULL);
  return pid;
}

static const luaL_Reg region_metamethods[] = {
  {"__gc", region_gc},
  {NULL, NULL},
};

void birth_open(lua_State *L) {
  if (luaL_newmetatable(L, "nslua.Region"))
    luaL_setfuncs(L, region_metamethods, 0);
  lua_pop(L, 1);
}
