/* SPDX-License-Identifier: MIT
 *
 * plan.h - what a child does between its birth and its program: prepared by
 * spec.c in the parent, carried out by child.c in the child, where neither
 * Lua nor libc may be touched because both may be the parent's.
 */
#ifndef NSLUA_PLAN_H
#define NSLUA_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/sched.h>
#include <linux/types.h>

/* One act of the child. Which of the fields an act uses, and what it is
   called, is written in step_kinds (step.c). */
typedef enum Op {
  OP_CAPS,          /* keep only the capabilities of this mask */
  OP_CHDIR,
  OP_CHROOT,
  OP_CLOSE_OTHERS,  /* every descriptor above stderr closes on exec */
  OP_CREAT,         /* an empty file to mount on */
  OP_CTTY,          /* standard input becomes the controlling terminal */
  OP_DEATHSIG,      /* and end at once if the parent is gone already */
  OP_DUP,
  OP_ENTER_TIME,    /* go where our children would be born */
  OP_EXEC,
  OP_EXEC_REAPER,
  OP_FCHDIR,
  OP_FOREGROUND,    /* our group gets the terminal */
  OP_LO_UP,
  OP_MKDIR,         /* one that exists is fine */
  OP_MOUNT,
  OP_MOUNT_SETATTR, /* set these attributes on the whole subtree */
  OP_MOVE_MOUNT,    /* what the slot holds is mounted here */
  OP_NET,           /* into a network namespace made beside us (beside.c) */
  OP_OPEN_TREE,     /* a detached copy of a mount goes into a slot */
  OP_NODE,          /* a device, or the host's own bound where none is made */
  OP_PIVOT_ROOT,    /* and the old root is the working directory */
  OP_PRCTL,
  OP_SETDOMAINNAME,
  OP_SETGROUPS,
  OP_SETHOSTNAME,
  OP_SETPGID,
  OP_SETRESGID,
  OP_SETRESUID,
  OP_SETRLIMIT,
  OP_SETSID,
  OP_SIGNALS,       /* the mask the parent had */
  OP_SYMLINK,
  OP_UMASK,
  OP_UMASK_BACK,    /* to what the last OP_UMASK found */
  OP_UMOUNT,
  OP_UNSHARE,
  OP_WAIT_GO,       /* until the parent has written the id maps */
  OP_WRITE,
} Op;

typedef struct Step {
  Op op;
  long n[3];
  const char *s[4];
  const void *data; /* a list of gids, a signal mask */
} Step;

enum { SLOTS = 64 };

typedef struct Join {
  int fd;    /* a namespace, or a pidfd with several types */
  int types; /* CLONE_NEW* */
} Join;

/* Lives in memory that parent and child share whatever their relation. */
typedef struct Outcome {
  int step;  /* the step that failed, JOIN_FAILED + index, or -1 */
  int error; /* its errno */
  int pid;   /* of the worker, when somebody between made it */
  int pidfd;
} Outcome;

enum { JOIN_FAILED = 100000, CLONE_FAILED = 200000 };

/* Who makes a network namespace meanwhile (beside.c). */
typedef struct Beside Beside;

typedef struct Plan {
  Join *joins;
  int njoins;
  Step *steps;
  int nsteps;
  const char *const *argv;
  const char *const *envp;
  const char *path;    /* PATH of the environment */
  int image;           /* the reaper, for OP_EXEC_REAPER */
  int channel;         /* our end; the other end is the parent's */
  int channel_parent;
  int parent;          /* a pidfd of the parent */
  int umask;           /* before OP_UMASK */
  struct clone_args worker; /* how the middle makes the worker */
  volatile Outcome *outcome;
  Beside *beside; /* for OP_NET; NULL: nobody */
  int slots[SLOTS];    /* descriptors the child holds between steps */
} Plan;

/* Carries out all steps: returns only when none of them was an exec. */
void child_work(Plan *plan);
/* An entry point for raw_clone: `arg` is the plan. */
void child_worker(void *arg);
_Noreturn void child_exit(int status);
/* Ends its caller with the parent (a pidfd or -1), and now if that is gone. */
long child_death_signal(int parent, long sig);
/* The step OP_NET (beside.c). */
long beside_join(Beside *beside);

/* The same for who stands between parent and child (middle.c). */
void child_middle(void *arg);
/* Joins what the plan joins; the index of the failed one, or -1. */
int child_join(Plan *plan);
/* clone3, or clone(2) where that is filtered away: the pid or -errno. Without
   an entry the child returns 0, as from fork. */
long child_make(const struct clone_args *args, void (*entry)(void *),
                void *arg);

#endif
