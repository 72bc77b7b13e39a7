/* SPDX-License-Identifier: MIT
 *
 * clone.c - a child directly in new or joined namespaces: clone3(2). A child
 * that will exec shares the parent's memory until then, so that its price does
 * not grow with the parent's heap; one that will run Lua is a true fork. What
 * the child does first is a list of steps (plan.h), which Lua decides
 * (options.lua). Here is the call from first to last, and the parent's part of
 * it after the birth (birth.c): what it writes for the child, hears and raises.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "birth.h"
#include "kernel.h"
#include "lib.h"
#include "plan.h"
#include "report.h"

/* -- errors and trace ----------------------------------------------------- */

_Noreturn static void raise_step(Call *call, int index, int error_number) {
  const Step *step = &call->plan.steps[index];
  const char *name = step_call(step);
  lib_fail_text(call->L, error_number, name, step_push(call, step),
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
                    step_call(step),
                    step_push(call, step));
    lib_trace_text(L, lua_tostring(L, -1));
    lua_pop(L, 2);
  }
}

/* -- after the birth ------------------------------------------------------ */

/* The child is ours from here on: whatever raises below, the handle ends it. */
static void adopt(Call *call, long pid) {
  call->proc->h.fd = call->outcome->pidfd;
  lib_adopt(call->L, 2, (pid_t)pid);
}

static void end_child(Call *call) {
  if (call->proc->h.fd >= 0)
    syscall(SYS_pidfd_send_signal, call->proc->h.fd, SIGKILL, NULL, 0);
  birth_reap(call->proc->pid);
  call->proc->state = LIB_SIGNALED;
  lib_close(&call->proc->h);
}

/* Is there something to read from a child, or nobody who would write it? False
   when it has ended in silence: a child of another thread may hold copies of
   its descriptors, so their end alone is no sign. */
static bool await(const Call *call, int fd) {
  struct pollfd p[2] = {{fd, POLLIN, 0}, {call->proc->h.fd, POLLIN, 0}};
  while (poll(p, 2, -1) == -1 && errno == EINTR)
    ;
  return poll(p, 1, 0) == 1;
}

/* Maps, go, and then a word or the end of the channel: the function begins,
   or exec. */
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
  }
  if (call->parent_maps || call->forks)
    send(call->channel->fd, &byte, 1, MSG_NOSIGNAL);
  await(call, call->channel->fd);
  lib_close(call->channel);
  birth_unguard(call); /* it ran beside us until now */
}

/* A reaper says first whether its program could be started. */
static void hear_reaper(Call *call) {
  Report r;
  ssize_t n = 0;
  if (call->report == NULL)
    return;
  lib_close(call->report_child);
  if (await(call, call->report->fd))
    n = read(call->report->fd, &r, sizeof r);
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

/* -- the call ------------------------------------------------------------- */

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
   env, stdin, stdout, stderr, deathsig, reaper, bound, cgroup, net */
static int clone_clone(lua_State *L) {
  Call call = {.L = L, .plan = {.channel = -1, .image = -1, .parent = -1}};
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  luaL_checkstack(L, 60, "clone");
  lib_number_mounts(L);
  call.proc = lib_newproc(L);
  Guard *guard = new_guard(L, call.proc);
  call.region = birth_region(L);
  spec_read(&call);
  birth_prepare(&call);
  long pid = birth_give(&call);
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

static const luaL_Reg guard_metamethods[] = {
  {"__close", guard_close},
  {NULL, NULL},
};

void clone_open(lua_State *L) {
  if (luaL_newmetatable(L, "nslua.Guard"))
    luaL_setfuncs(L, guard_metamethods, 0);
  lua_pop(L, 1);
  birth_open(L);
  beside_open(L);
  lua_pushcfunction(L, clone_clone);
  lua_setfield(L, -2, "clone");
}
