/* SPDX-License-Identifier: MIT
 *
 * birth.h - what the parent's side of a birth shares: one call of sys.clone,
 * read by spec.c and step.c, carried out by birth.c, judged by clone.c. The
 * child's side sees plan.h only.
 */
#ifndef NSLUA_BIRTH_H
#define NSLUA_BIRTH_H

#include <signal.h>

#include "lib.h"
#include "plan.h"

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
  bool has_middle; /* somebody between us and the worker, who makes it */
  bool forks;      /* by fork(3) */
  sigset_t signals;
  int most_steps;
} Call;

/* -- what a step is (step.c) ---------------------------------------------- */

/* Appends a step that the caller fills in. */
Step *step_add(Call *call, Op op);
/* Appends those of the list spec.steps. */
void step_add_list(Call *call);
/* The system call behind a step. */
const char *step_call(const Step *step);
/* Pushes its arguments as strace would show them. */
const char *step_push(Call *call, const Step *step);

/* -- what was asked for (spec.c) ------------------------------------------ */

/* Reads the table at 1; what the call points into stays on the stack. */
void spec_read(Call *call);
/* Will the child's ids or rights change before its program runs? */
bool spec_changes_ids(const Call *call);

/* -- the birth itself (birth.c) ------------------------------------------- */

Region *birth_region(lua_State *L);
/* Descriptors that are made once a process: a pidfd of it, and the reaper. */
int birth_self(lua_State *L);
int birth_image(lua_State *L);
/* Chooses how the child reports, and maps what it needs. */
void birth_prepare(Call *call);
/* The pid of the child, or -errno; what happened to it is in the outcome. */
long birth_give(Call *call);
/* For a child that ran beside us: once it does not any more. */
void birth_unguard(const Call *call);
/* Collects a child that has ended or is about to. */
void birth_reap(long pid);
void birth_open(lua_State *L);

/* -- what is made meanwhile (beside.c) ------------------------------------ */

/* What sys.begin_net gave, if it still is; else NULL. */
Beside *beside_test(lua_State *L, int index);
void beside_open(lua_State *L);

#endif
