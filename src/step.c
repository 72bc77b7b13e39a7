/* SPDX-License-Identifier: MIT
 *
 * step.c - what a step of a child is (plan.h) outside the child: what Lua calls
 * it (options.lua), how its fields are read from the Lua table, and how it is
 * shown in a trace or an error, as strace would show it.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include "birth.h"
#include "lib.h"
#include "plan.h"

/* What each kind of step is called in Lua and in errors, and what stands
   behind its name in the Lua table: s string, S string or false, d integer,
   o mode, i slot, w mount flags, u umount flags, n namespace types, g list of
   gids, f descriptor, k signal, q option of prctl, l limit. */
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
  {"net", "unshare", OP_NET, ""},
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
  {"setrlimit", "setrlimit", OP_SETRLIMIT, "ldd"},
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

/* -- from Lua ------------------------------------------------------------- */

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

Step *step_add(Call *call, Op op) {
  if (call->plan.nsteps >= call->most_steps)
    luaL_error(call->L, "too many steps");
  Step *step = &call->plan.steps[call->plan.nsteps++];
  memset(step, 0, sizeof *step);
  step->op = op;
  return step;
}

static void add_dev(Call *call) {
  for (int i = 0; i < DEV_STEPS; i++)
    *step_add(call, dev_steps[i].op) = dev_steps[i];
}

/* The steps of spec.steps between what must come first and exec. */
void step_add_list(Call *call) {
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
      Step *step = step_add(call, step_kinds[kind].op);
      read_step(L, step_kinds[kind].fields, step, anchor);
    }
    lua_pop(L, 1);
  }
}

/* -- as text -------------------------------------------------------------- */

static int kind_by_op(Op op) {
  int i = 0;
  while (i < KINDS - 1 && step_kinds[i].op != op)
    i++;
  return i;
}

const char *step_call(const Step *step) {
  return step_kinds[kind_by_op(step->op)].call;
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
  case OP_NET: return "CLONE_NEWNET";
  case OP_SIGNALS: return "SIG_SETMASK, [], NULL, 8";
  case OP_UMASK_BACK: return "the former one";
  default: return "";
  }
}

static void add_number(luaL_Buffer *B, char letter, long n) {
  char text[32];
  if (letter == 'k')
    lib_addflags(B, (unsigned long)n, lib_signals);
  else if (letter == 'q')
    lib_addflags(B, (unsigned long)n, prctl_options);
  else if (letter == 'l')
    lib_addflags(B, (unsigned long)n, lib_limits);
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

const char *step_push(Call *call, const Step *step) {
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
