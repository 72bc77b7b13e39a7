/* SPDX-License-Identifier: MIT
 *
 * middle.c - between parent and child: clone3(2) or what there is in its place,
 * and the process that joins namespaces and makes the child from in there. It
 * may run in the parent's memory too: bare system calls only, as in child.c.
 * clone(2), setns(2), pid_namespaces(7).
 */
#include <sched.h>
#include <stdbool.h>

#include "kernel.h"
#include "plan.h"
#include "raw.h"

/* -- birth ---------------------------------------------------------------- */

/* clone(2) where clone3 is filtered away: all but time namespaces and cgroups,
   and handlers are left to the signal mask. */
static long old_clone(const struct clone_args *args, void (*entry)(void *),
                      void *arg) {
  __u64 flags = args->flags & ~(__u64)CLONE_CLEAR_SIGHAND;
  if (flags & (CLONE_NEWTIME | CLONE_INTO_CGROUP))
    return E_NOSYS;
  __u64 stack = args->stack ? args->stack + args->stack_size : 0;
  flags |= args->exit_signal;
  if (entry == NULL)
    return RAW5(SYS_clone, flags, stack, args->pidfd, 0, 0);
  return raw_clone(SYS_clone, (long)flags, (long)stack, (long)args->pidfd,
                   entry, arg);
}

long child_make(const struct clone_args *args, void (*entry)(void *),
                void *arg) {
  long pid = entry == NULL
               ? RAW2(SYS_clone3, args, sizeof *args)
               : raw_clone(SYS_clone3, (long)args, sizeof *args, 0, entry, arg);
  if (pid != E_NOSYS && pid != E_PERM) /* some filters say the latter */
    return pid;
  long again = old_clone(args, entry, arg);
  return again == E_NOSYS ? pid : again;
}

/* -- joining -------------------------------------------------------------- */

/* With privilege over a user namespace come the rights on what it owns, and
   with it go the rights on what it does not: first all that is possible
   before it, then the user namespace, then the rest. */
int child_join(Plan *plan) {
  bool joined[16] = {false};
  long result;
  for (int pass = 0; pass < 3; pass++)
    for (int i = 0; i < plan->njoins; i++) {
      const Join *join = &plan->joins[i];
      bool user = join->types & CLONE_NEWUSER;
      if (joined[i] || (pass == 0 && user) || (pass == 1 && !user))
        continue;
      result = RAW2(SYS_setns, join->fd, join->types);
      joined[i] = result >= 0;
      if (result < 0 && pass > 0) {
        plan->outcome->error = (int)-result;
        return i;
      }
    }
  return -1;
}

/* setns("pid") takes only children there: the middle joins, makes the worker
   as its own sibling, and goes. */
void child_middle(void *arg) {
  Plan *plan = arg;
  int failed = child_join(plan);
  if (failed >= 0) {
    plan->outcome->step = JOIN_FAILED + failed;
    return;
  }
  long pid = child_make(&plan->worker, child_worker, plan);
  if (pid < 0) {
    plan->outcome->error = (int)-pid;
    plan->outcome->step = CLONE_FAILED;
  } else {
    plan->outcome->pid = (int)pid;
  }
}
