/* SPDX-License-Identifier: MIT
 *
 * lib.h - the page that every domain file shares: how an error is raised,
 * what a handle is, how arguments are read. A domain file includes this,
 * kernel.h and system headers, never another domain's header.
 */
#ifndef NSLUA_LIB_H
#define NSLUA_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <lauxlib.h>
#include <lua.h>

/* -- the result of a system call ------------------------------------------
 *
 * A binding ends in one expression that makes the call and judges it:
 *
 *     return lib_done(L, chroot(path), "chroot", "s", path);
 *
 * -1 raises the error object with errno, the call's name and its arguments;
 * anything else is success. The same words feed ns.trace(). The format has
 * one letter for each argument of the call:
 *
 *     s  const char *         a string, quoted ("NULL" for a null pointer)
 *     S  const char *         the same, but secret: only its length is shown
 *     r  const char *         a word to show as it is
 *     d  int                  a decimal number
 *     l  long                 a long decimal number
 *     o  unsigned             an octal mode
 *     n  int                  CLONE_NEW* bits
 *     w  const lib_Word *, unsigned long   bits of that set
 *     v  const char *const *  an argument vector
 */
long lib_check(lua_State *L, long result, const char *call, const char *fmt,
               ...);
int lib_done(lua_State *L, long result, const char *call, const char *fmt,
             ...);
/* Raises for an errno that is known already. Does not return. */
_Noreturn void lib_fail(lua_State *L, int error_number, const char *call,
                        const char *fmt, ...);
/* Raises for a call that somebody else made (a child, a library): `args` is
   shown as it is; `step` (may be NULL) names what it was part of. */
_Noreturn void lib_fail_text(lua_State *L, int error_number, const char *call,
                             const char *args, const char *step);
/* Pushes such an error object without raising it. */
void lib_pusherror(lua_State *L, int error_number, const char *call,
                   const char *args);
/* The same from a table of the arguments and their text, which it takes off the
   stack. */
void lib_makeerror(lua_State *L, int error_number, const char *call);
/* A plain error at the line of the caller that is not in a module of ours. */
_Noreturn void lib_raise(lua_State *L, const char *message);
const char *lib_errno_name(int error_number);
/* Reports a line of trace that did not come through lib_check. */
void lib_trace_text(lua_State *L, const char *line);
bool lib_tracing(void);
/* nslua.sys.trace(fn | nil): who gets the lines. */
int lib_settrace(lua_State *L);

/* Seconds on the clock that nobody sets (clock.c). */
double lib_now(void);
/* A blocking call came back with EINTR or its time slice ended: lets a
   pending hook of the host (Ctrl-C) raise its error. */
void lib_interrupt_point(lua_State *L);

/* -- words for bits --------------------------------------------------------
 * Sets end with a null word. The first entry for a bit is the one shown. */
typedef struct lib_Word {
  const char *word;    /* "ro" */
  unsigned long bits;  /* MS_RDONLY */
  const char *name;    /* "MS_RDONLY" */
} lib_Word;

/* "ro,nosuid", {"ro", "nosuid"}, "MS_RDONLY", an integer; nil is 0. */
unsigned long lib_checkflags(lua_State *L, int arg, const lib_Word *set);
/* One word of the set, or an integer. */
unsigned long lib_checkword(lua_State *L, int arg, const lib_Word *set);
/* Looks one word up; false when the set lacks it. */
bool lib_findword(const lib_Word *set, const char *word, size_t length,
                  unsigned long *bits);
void lib_addflags(luaL_Buffer *B, unsigned long bits, const lib_Word *set);
/* Pushes the word for exactly these bits, or the number. */
void lib_pushword(lua_State *L, unsigned long bits, const lib_Word *set);
/* The word of the set that `word` may have meant, or NULL. */
const char *lib_nearest(const char *word, const lib_Word *set);
/* Raises "unknown WHAT 'word' (did you mean ...?)" as an argument error. */
_Noreturn void lib_unknown(lua_State *L, int arg, const char *what,
                           const char *word, const lib_Word *set);

extern const lib_Word lib_nstypes[]; /* the words of /proc/PID/ns */
extern const lib_Word lib_signals[];
extern const lib_Word lib_mountflags[];
extern const lib_Word lib_umountflags[];
extern const lib_Word lib_limits[];
#define LIB_NSCOUNT 8
extern const int lib_nsflags[LIB_NSCOUNT]; /* in the order of lib_nstypes */
extern const unsigned long lib_nsrequests[LIB_NSCOUNT]; /* ioctls of a pidfd */

const char *lib_nsword(int type);        /* CLONE_NEWUTS -> "uts" */
int lib_checknstype(lua_State *L, int arg);
int lib_checksignal(lua_State *L, int arg, int fallback);

/* -- arguments ------------------------------------------------------------ */
/* A path or name for the kernel: a string without NUL. */
const char *lib_checkpath(lua_State *L, int arg);
const char *lib_optpath(lua_State *L, int arg, const char *fallback);
/* An integer that fits `int`, between low and high. */
int lib_checkint(lua_State *L, int arg, lua_Integer low, lua_Integer high);
/* Seconds as a number -> milliseconds, -1 when absent. */
int lib_optmilliseconds(lua_State *L, int arg);
/* Permission bits: "755" as chmod(1) reads them, or an integer. */
unsigned lib_optmode(lua_State *L, int arg, unsigned fallback);
/* Appends s as a Lua string literal; no control byte survives. */
void lib_addquoted(luaL_Buffer *B, const char *s, size_t length);
/* The length of the character at s when a terminal may see it, 0 for control
   characters and broken UTF-8. */
size_t lib_printable(const char *s, size_t left);
/* Pushes s with control bytes and broken UTF-8 shown as \xNN. */
const char *lib_pushclean(lua_State *L, const char *s, size_t length);
/* The same for a text of several lines: newlines and tabs stay. */
void lib_pushlines(lua_State *L, const char *s, size_t length);
/* Memory that lives as long as its userdata on the stack. */
void *lib_scratch(lua_State *L, size_t size);

/* Tables as C vectors, with what they point into. Both push two values. */
const char **lib_pushvector(lua_State *L, int arg, const char *what);
const char **lib_pushenvironment(lua_State *L, int arg);

/* -- id maps (idmap.c) -----------------------------------------------------
 * The text for uid_map and gid_map; "" leaves that map alone. */
typedef struct lib_Map {
  const char *uid, *gid;
  const char *setgroups; /* "deny", "allow" or NULL */
  bool self;             /* one own id each: the process may write it itself */
  const char *newuidmap, *newgidmap; /* who writes it in our place, or NULL */
} lib_Map;

/* true, "root", "current", {uid=, gid=, setgroups=}, or what nslua.maps makes
   such a table of: pushes what the strings in `map` live in. `own`: the map is
   for the caller itself. */
void lib_pushmap(lua_State *L, int arg, bool own, lib_Map *map);
/* After unshare(CLONE_NEWUSER): what our ids were outside. */
void lib_ids_left_behind(uid_t uid, gid_t gid);
/* Writes the map of a process (0: the caller): NULL, or the name of the file
   that refused, with errno. */
const char *lib_writemap(pid_t pid, const lib_Map *map);
/* Raises for it. */
_Noreturn void lib_failmap(lua_State *L, int error_number, const char *failed,
                           pid_t pid, const lib_Map *map);
/* Runs newuidmap or newgidmap (subid.c): 0, or -1 with errno and what it said
   in `said`. */
int lib_newidmap(const char *program, pid_t pid, const char *text, char *said,
                 size_t size);

/* -- handles ---------------------------------------------------------------
 * A handle is a userdata made *before* its resource, closed (-1) until then.
 * It belongs to the process that made it: in a forked child closing it only
 * closes the descriptor. All three begin with lib_Fd. */
typedef struct lib_Fd {
  int fd;
  unsigned generation;
} lib_Fd;

typedef struct lib_Ns {
  lib_Fd h;
  int type; /* CLONE_NEW* */
  dev_t dev;
  ino_t ino;
} lib_Ns;

enum { LIB_RUNNING, LIB_EXITED, LIB_SIGNALED };

typedef struct lib_Proc {
  lib_Fd h;      /* the pidfd */
  pid_t pid;     /* as its maker sees it */
  int report_fd; /* where a reaper tells what became of its program, or -1 */
  bool owned;    /* our child: close kills and reaps */
  bool bound;    /* ends with its handle, when collected too (boxes) */
  int state;     /* LIB_RUNNING ... */
  int code;      /* exit code or signal */
  int told, told_code; /* the same of a program, as its reaper tells it */
} lib_Proc;

typedef struct lib_Mount {
  lib_Fd h;    /* only the generation means something */
  uint64_t id; /* the mount's own number, 0 when there is none any more */
  bool fresh;  /* mounted, and nobody has asked for its number yet */
} lib_Mount;

#define LIB_FD "nslua.Fd"
#define LIB_NS "nslua.Ns"
#define LIB_PROC "nslua.Proc"
#define LIB_MOUNT "nslua.Mount"

/* Push a closed handle; the caller then opens into it. */
lib_Fd *lib_newfd(lua_State *L);
lib_Ns *lib_newns(lua_State *L);
lib_Proc *lib_newproc(lua_State *L); /* uservalue 1: a table for Lua */

/* [source, target, type] -> [a mount that is not there yet]. After the mounting
   lib_mounted(L, index) says that it is there. */
lib_Mount *lib_newmount(lua_State *L);
void lib_mounted(lua_State *L, int index);
/* Asks for the number of the newest mount, if nobody has: before any call that
   may put another mount at its place, or us where its path means another. */
void lib_number_mounts(lua_State *L);

/* An open handle or an argument error ("closed handle" included). */
lib_Ns *lib_checkns(lua_State *L, int arg);
lib_Proc *lib_checkproc(lua_State *L, int arg);

/* The handle that a method is called of; a call with a dot is told how it is
   written. Open or closed; an open Fd; whatever lib_checkfd takes. */
void *lib_self(lua_State *L, const char *type);
lib_Fd *lib_openself(lua_State *L);
int lib_selffd(lua_State *L);
/* A descriptor number: an open Fd, Ns or Proc, or an integer. */
int lib_checkfd(lua_State *L, int arg);
/* The same for element i of the list at `arg`. */
int lib_checkfdat(lua_State *L, int arg, lua_Integer i);
/* A pid > 0 or a Proc that is not reaped. */
pid_t lib_checkpid(lua_State *L, int arg);
/* The pidfd of a Proc, or one opened for a pid: then a handle that holds it
   is pushed (nothing is pushed for a Proc) and closed with the call. */
int lib_checkpidfd(lua_State *L, int arg);
/* Reads the identity of the open namespace descriptor in ns->h.fd; when it is
   no namespace closes it and is false, with errno. */
bool lib_identify(lib_Ns *ns);
/* A namespace of a process by its pidfd: no procfs needed (Linux 6.11). It is
   closed on exec already. */
int lib_nsofpidfd(int pidfd, int index);

/* A namespace by its numbers, 0 for what is not known (number.c): an open
   descriptor, or -1 with errno. */
typedef struct lib_Number {
  uint64_t id, inode;
  int type; /* CLONE_NEW* */
} lib_Number;
int lib_open_number(const lib_Number *wanted);
/* The same by way of the kernel alone, no matter what /proc shows. */
int lib_open_handle(const lib_Number *wanted);

bool lib_mine(const lib_Fd *handle);
void lib_close(lib_Fd *handle);
/* The number of forks between the process that loaded nslua and this one. */
unsigned lib_generation(void);
void lib_forked(void);

/* Called before the process changes its namespaces, root or directory for
   the first time: ns.back() returns to what it finds (back.c). */
void lib_remember_start(lua_State *L);
/* Called before the root or the mounts may become others: keeps /proc. */
void lib_keep_proc(lua_State *L);
/* A file of "/proc/..."; where there is no /proc, that of the kept one, while
   it counts processes as we do. -1 with errno. */
int lib_open_proc(lua_State *L, const char *path, int flags);
/* Called before the files of the root may go out of sight: the program opens
   what it has put off until now (libm.c); the library has put off nothing. */
void lib_leave_root(void);
void libm_open(void) __attribute__((weak, visibility("hidden")));

/* Called before the process changes in a way that nothing takes back: its user
   or mount namespace, root, ids, rights, the pid namespace of its children.
   Whoever asked for it by sys.on_departure(fn) hears the call's name. */
void lib_departure(lua_State *L, const char *call);

/* Our children (family.c). The Proc at index stands for one from now on; a
   child that runs on without its handle; one look at all that ended. */
void lib_adopt(lua_State *L, int index, pid_t pid);
void lib_orphan(lua_State *L, pid_t pid);
void lib_reap_others(lua_State *L);
/* The handle on a child that was not waited for, or NULL. */
lib_Proc *lib_find_child(lua_State *L, pid_t pid);
/* waitid without raising: 1 it ended, 0 it runs, -1 errno (proc.c). */
int lib_reap(lib_Proc *proc, int options);

/* Runs the function and arguments on top of the stack in a fresh child
   (fork.c): traceback on stderr, flush, _exit. */
_Noreturn void proc_run_and_exit(lua_State *L, int nargs);

/* -- registration --------------------------------------------------------- */
/* Makes a handle type. `get` answers properties (handle at 1, key at 2,
   returns 0 when it has none); then come methods, then the uservalue.
   Lua code adds methods through nslua.sys.methods[name]. */
void lib_newtype(lua_State *L, const char *name, const luaL_Reg *metamethods,
                 const luaL_Reg *methods, lua_CFunction get);

/* More methods for a type, from the file of another domain. */
void lib_addmethods(lua_State *L, const char *name, const luaL_Reg *methods);

/* The userdata on top ends with the call, whatever happens: `end` takes it, and
   may be called twice. */
void lib_endwithcall(lua_State *L, const char *name, lua_CFunction end);

/* Functions for our own Lua modules only: nslua.sys.NAME. */
void lib_internals(lua_State *L, const luaL_Reg *functions);

/* Every domain adds its functions to the table on top of the stack. */
void lib_open(lua_State *L);
void error_open(lua_State *L);
void word_open(lua_State *L);
void argument_open(lua_State *L);
void handle_open(lua_State *L);
void ns_open(lua_State *L);
void setns_open(lua_State *L);
void back_open(lua_State *L);
void proc_open(lua_State *L);
void fork_open(lua_State *L);
void prctl_open(lua_State *L);
void clone_open(lua_State *L);
void family_open(lua_State *L);
void tty_open(lua_State *L);
void mount_open(lua_State *L);
void tree_open(lua_State *L);
void mountinfo_open(lua_State *L);
void cred_open(lua_State *L);
void caps_open(lua_State *L);
void rlimit_open(lua_State *L);
void regex_open(lua_State *L);
void uts_open(lua_State *L);
void clock_open(lua_State *L);
void file_open(lua_State *L);
void io_open(lua_State *L);
void poll_open(lua_State *L);
void path_open(lua_State *L);
void idmap_open(lua_State *L);
void subid_open(lua_State *L);
void scan_open(lua_State *L);
void ps_open(lua_State *L);
void netid_open(lua_State *L);
void nets_open(lua_State *L);

#endif
