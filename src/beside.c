/* SPDX-License-Identifier: MIT
 *
 * beside.c - a network namespace made beside the child that will have it: the
 * kernel takes as long for one as for all the mounts of a container, so a
 * process of its own makes it meanwhile, and goes when the child is in it. Both
 * share our memory: bare system calls only, as in child.c. What goes wrong here
 * costs time only; the child then makes its namespace itself. unshare(2),
 * setns(2), futex(2).
 */
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>

#include "kernel.h"
#include "plan.h"
#include "raw.h"

enum { AT_WORK, MADE, OVER };

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

void beside_make(void *arg) {
  Plan *plan = arg;
  Beside *b = &plan->beside;
  child_death_signal(plan, SIGKILL);
  long result = RAW1(SYS_unshare, CLONE_NEWNET);
  set_state(b, result == 0 ? MADE : OVER);
  while (get_state(b) == MADE)
    await_change(b, MADE, NULL);
}

long beside_join(Plan *plan) {
  static const struct timespec a_while = {0, 20 * 1000 * 1000};
  Beside *b = &plan->beside;
  long result = E_NOSYS;
  while (b->pidfd >= 0 && get_state(b) == AT_WORK && !has_ended(b->pidfd))
    await_change(b, AT_WORK, &a_while);
  if (b->pidfd >= 0 && get_state(b) == MADE)
    result = RAW2(SYS_setns, b->pidfd, CLONE_NEWNET);
  set_state(b, OVER);
  return result == 0 ? 0 : RAW1(SYS_unshare, CLONE_NEWNET);
}
