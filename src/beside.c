/* SPDX-License-Identifier: MIT
 *
 * beside.c - a network namespace made beside everything else that a container
 * needs: the kernel takes as long for one as for the rest, so a process of its
 * own makes it meanwhile, and goes when the child is in it. It shares our
 * memory and makes bare system calls only, as the child does (child.c). What
 * goes wrong here costs time only: the child then makes its namespace itself.
 * clone(2), unshare(2), setns(2), futex(2).
 */
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "birth.h"
#include "kernel.h"
#include "lib.h"
#include "plan.h"
#include "raw.h"

#define LIB_BESIDE "nslua.Beside"

enum { AT_WORK, MADE, OVER };

/* Where it runs is part of it: nobody frees that before it has ended. */
struct Beside {
  unsigned generation;
  int state; /* a futex */
  int pidfd;
  int parent; /* a pidfd */
  long pid;
  char stack[8192] __attribute__((aligned(16)));
};

static int get_state(const Beside *b) {
  return __atomic_load_n(&b->state, __ATOMIC_ACQUIRE);
}

static void set_state(Beside *b, int state) {
  __atomic_store_n(&b->state, state, __ATOMIC_RELEASE);
  RAW3(SYS_futex, &b->state, FUTEX_WAKE, 2);
}

static void await_change(Beside *b, int state, const struct timespec *most) {
  RAW4(SYS_futex, &b->state, FUTEX_WAIT, state, most);
}

static bool has_ended(int pidfd) {
  struct pollfd p = {pidfd, POLLIN, 0};
  struct timespec now = {0, 0};
  return RAW5(SYS_ppoll, &p, 1, &now, 0, 8) == 1;
}

/* -- the maker's side ----------------------------------------------------- */

static void make(void *arg) {
  Beside *b = arg;
  child_death_signal(b->parent, SIGKILL);
  long result = RAW1(SYS_unshare, CLONE_NEWNET);
  set_state(b, result == 0 ? MADE : OVER);
  while (get_state(b) == MADE)
    await_change(b, MADE, NULL);
}

/* -- the child's side ----------------------------------------------------- */

long beside_join(Beside *b) {
  static const struct timespec a_while = {0, 20000000};
  long result = E_NOSYS;
  while (b != NULL && get_state(b) == AT_WORK && !has_ended(b->pidfd))
    await_change(b, AT_WORK, &a_while);
  if (b != NULL && get_state(b) == MADE) {
    result = RAW2(SYS_setns, b->pidfd, CLONE_NEWNET);
    set_state(b, OVER);
  }
  return result == 0 ? 0 : RAW1(SYS_unshare, CLONE_NEWNET);
}

/* -- our side ------------------------------------------------------------- */

/* After unshare("pid") whoever we start first is PID 1 there. */
static bool has_children_here(void) {
  struct stat here, there;
  return stat("/proc/self/ns/pid", &here) == 0 &&
         stat("/proc/self/ns/pid_for_children", &there) == 0 &&
         here.st_ino == there.st_ino;
}

/* Where else may it run? Left alone, the kernel lets it wait for us. */
static bool other_processors(cpu_set_t *set) {
  int here = sched_getcpu();
  if (here < 0 || sched_getaffinity(0, sizeof *set, set) == -1)
    return false;
  CPU_CLR((size_t)here, set);
  return CPU_COUNT(set) > 0;
}

/* Its signals stay blocked: a handler of ours must not run in it. */
static long start(Beside *b) {
  sigset_t all, old;
  struct clone_args args = {
    .flags = CLONE_VM | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
    .pidfd = (uintptr_t)&b->pidfd,
    .stack = (uintptr_t)b->stack,
    .stack_size = sizeof b->stack,
  };
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &old);
  long pid = child_make(&args, make, b);
  sigprocmask(SIG_SETMASK, &old, NULL);
  return pid;
}

/* sys.begin_net() -> something to close | nil    clone(2), unshare(2)
   Somebody begins to make a network namespace, for the spec.net of a child that
   has the step "net". nil: it will make its own, as a trace shows it. */
static int beside_begin(lua_State *L) {
  cpu_set_t others;
  if (lib_tracing() || !has_children_here() || !other_processors(&others))
    return 0;
  int parent = birth_self(L);
  Beside *b = lua_newuserdatauv(L, sizeof *b, 0);
  b->generation = lib_generation();
  b->state = AT_WORK;
  b->parent = parent;
  b->pidfd = -1;
  b->pid = -1;
  luaL_setmetatable(L, LIB_BESIDE);
  b->pid = start(b);
  if (b->pid > 0)
    sched_setaffinity((pid_t)b->pid, sizeof others, &others);
  return b->pid > 0;
}

Beside *beside_test(lua_State *L, int index) {
  Beside *b = luaL_testudata(L, index, LIB_BESIDE);
  return b != NULL && b->pid > 0 && b->generation == lib_generation() ? b
                                                                      : NULL;
}

static int beside_close(lua_State *L) {
  Beside *b = beside_test(L, 1);
  if (b == NULL)
    return 0;
  syscall(SYS_pidfd_send_signal, b->pidfd, SIGKILL, NULL, 0);
  birth_reap(b->pid);
  close(b->pidfd);
  b->pid = -1;
  return 0;
}

static const luaL_Reg methods[] = {
  {"close", beside_close},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", beside_close},
  {"__gc", beside_close},
  {NULL, NULL},
};

void beside_open(lua_State *L) {
  if (luaL_newmetatable(L, LIB_BESIDE)) {
    luaL_setfuncs(L, metamethods, 0);
    lua_createtable(L, 0, 1);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, beside_begin);
  lua_setfield(L, -2, "begin_net");
}
