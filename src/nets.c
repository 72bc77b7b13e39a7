/* SPDX-License-Identifier: MIT
 *
 * nets.c - sockets and network namespaces made elsewhere. A socket stays in the
 * network namespace that it was made in, so whoever holds it acts there without
 * going there. A short-lived child makes it: it shares our memory and our
 * descriptors, so nothing has to be sent back, and what it joins stays with
 * it. socket(2), setns(2), clone(2), network_namespaces(7).
 */
#include <errno.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"
#include "ns.h"
#include "raw.h"

/* What the child is to do, and what came of it. */
typedef struct Errand {
  bool (*act)(struct Errand *);
  int family, type, protocol; /* of the socket */
  int net;                    /* where it is wanted */
  const lib_Map *map;         /* of a user namespace of their own, or NULL */
  int *made, count, done;     /* network namespaces; places that are taken */
  int result, error_number;
  const char *call;
} Errand;

/* Sets what is told of a refusal; false when there was one. */
static bool went(Errand *e, int result, const char *call) {
  if (result != -1)
    return true;
  e->error_number = errno;
  e->call = call;
  return false;
}

static int errand_child(void *arg) {
  Errand *e = arg;
  if (e->act(e))
    e->call = NULL;
  _exit(0);
}

/* Runs the errand in a child; false with errno when there can be none. */
static bool send_child(Errand *e) {
  enum { STACK = 65536 };
  char stack[STACK] __attribute__((aligned(16)));
  int dumpable = prctl(PR_GET_DUMPABLE), status;
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &before);
  pid_t pid = clone(errand_child, stack + STACK,
                    CLONE_VM | CLONE_VFORK | CLONE_FILES, e);
  int error_number = errno;
  while (pid != -1 && waitpid(pid, &status, __WCLONE) == -1 && errno == EINTR)
    ;
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (dumpable == 1) /* it is the memory's: what the child joined took it */
    prctl(PR_SET_DUMPABLE, 1);
  errno = error_number;
  return pid != -1;
}

/* Joins a network namespace, and before that its owner where that is needed. */
static bool join(Errand *e) {
  if (setns(e->net, CLONE_NEWNET) == 0)
    return true;
  int refusal = errno, owner = ioctl(e->net, NS_GET_USERNS);
  bool joined = owner != -1 && setns(owner, CLONE_NEWUSER) == 0 &&
                setns(e->net, CLONE_NEWNET) == 0;
  if (owner != -1)
    close(owner);
  errno = refusal;
  return went(e, joined ? 0 : -1, "setns");
}

static bool open_socket(Errand *e) {
  e->result = socket(e->family, e->type | SOCK_CLOEXEC, e->protocol);
  return went(e, e->result, "socket");
}

static bool open_there(Errand *e) { return join(e) && open_socket(e); }

/* A socket in each of the network namespaces in `made`, in its place. */
static bool open_all(Errand *e) {
  for (; e->done < e->count; e->done++) {
    e->net = e->made[e->done];
    if (!open_there(e))
      return false;
    e->made[e->done] = e->result;
  }
  return true;
}

/* -- new network namespaces ----------------------------------------------- */

/* Most of the kernel's work on a new one needs no lock that others hold, so
   two children make them at a time. They share our memory, and so errno: no
   libc. */

static long raw(long number, long a, long b, long c) {
  return raw6(number, a, b, c, 0, 0, 0);
}

/* The network namespace that the child is in, without any /proc. */
static long own_net(const char **call) {
  *call = "socket";
  long sock = raw(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (sock < 0)
    return sock;
  *call = "ioctl";
  long net = raw(SYS_ioctl, sock, SIOCGSKNS, 0);
  raw(SYS_close, sock, 0, 0);
  return net;
}

/* Takes the next place until there is none, or one child was refused. */
static void make_some(void *arg) {
  Errand *e = arg;
  int next, none = 0;
  while (__atomic_load_n(&e->error_number, __ATOMIC_RELAXED) == 0 &&
         (next = __atomic_fetch_add(&e->done, 1, __ATOMIC_RELAXED)) <
           e->count) {
    const char *call = "unshare";
    long net = raw(SYS_unshare, CLONE_NEWNET, 0, 0);
    if (net == 0)
      net = own_net(&call);
    if (net >= 0)
      e->made[next] = (int)net;
    else if (__atomic_compare_exchange_n(&e->error_number, &none, (int)-net,
                                         false, __ATOMIC_RELAXED,
                                         __ATOMIC_RELAXED))
      e->call = call;
  }
}

static bool make_nets(Errand *e) {
  enum { STACK = 16384, FEW = 4 };
  char stack[STACK] __attribute__((aligned(16)));
  if (e->map != NULL) {
    if (!went(e, unshare(CLONE_NEWUSER), "unshare"))
      return false;
    prctl(PR_SET_DUMPABLE, 1); /* or the map is not ours to write */
    if (!went(e, lib_writemap(0, e->map) == NULL ? 0 : -1, "write"))
      return false;
  }
  long other = -1; /* without it there is only more to do here */
  if (e->count > FEW)
    other = raw_clone(SYS_clone, CLONE_VM | CLONE_FILES, (long)(stack + STACK),
                      0, make_some, e);
  make_some(e);
  if (other > 0)
    while (raw6(SYS_wait4, other, 0, __WCLONE, 0, 0, 0) == -EINTR)
      ;
  return e->error_number == 0;
}

/* -- bindings ------------------------------------------------------------- */

#define WORD(w, bits) {w, bits, #bits}

static const lib_Word families[] = {
  WORD("inet", AF_INET),
  WORD("inet6", AF_INET6),
  WORD("netlink", AF_NETLINK),
  WORD("packet", AF_PACKET),
  WORD("unix", AF_UNIX),
  {NULL, 0, NULL},
};

static const lib_Word types[] = {
  WORD("dgram", SOCK_DGRAM),
  WORD("raw", SOCK_RAW),
  WORD("seqpacket", SOCK_SEQPACKET),
  WORD("stream", SOCK_STREAM),
  {NULL, 0, NULL},
};

static const lib_Word protocols[] = {
  WORD("icmp", IPPROTO_ICMP),
  WORD("icmp6", IPPROTO_ICMPV6),
  WORD("tcp", IPPROTO_TCP),
  WORD("udp", IPPROTO_UDP),
  {"route", 0, "NETLINK_ROUTE"},
  {NULL, 0, NULL},
};

static const char *name_of(const lib_Word *set, int value) {
  while (set->word != NULL && set->bits != (unsigned long)value)
    set++;
  return set->word != NULL ? set->name : "?";
}

static int small_word(lua_State *L, int arg, const lib_Word *set) {
  unsigned long value = lib_checkword(L, arg, set);
  luaL_argcheck(L, value <= 0xffff, arg, "out of range");
  return (int)value;
}

/* Reads family, type and protocol from `arg` on. */
static void read_kind(lua_State *L, int arg, Errand *e) {
  e->family = small_word(L, arg, families);
  e->type = small_word(L, arg + 1, types);
  e->protocol =
    lua_isnoneornil(L, arg + 2) ? 0 : small_word(L, arg + 2, protocols);
}

static int check_net(lua_State *L, int arg) {
  lib_Ns *net = lib_checkns(L, arg);
  luaL_argcheck(L, net->type == CLONE_NEWNET, arg, "not a network namespace");
  return net->h.fd;
}

/* Raises what the errand met, or traces that it went well. */
static void judge_socket(lua_State *L, const Errand *e) {
  if (e->call != NULL && strcmp(e->call, "setns") == 0)
    lib_fail(L, e->error_number, "setns", "dn", e->net, CLONE_NEWNET);
  errno = e->error_number;
  lib_check(L, e->result, e->call != NULL ? e->call : "socket", "rrr",
            name_of(families, e->family), name_of(types, e->type),
            name_of(protocols, e->protocol));
}

/* ns.socket(family, type [, protocol [, net]]) -> Fd    socket(2)
   In another network namespace when one is given. */
static int nets_socket(lua_State *L) {
  Errand e = {.act = open_there, .result = -1, .net = -1, .call = "clone"};
  read_kind(L, 1, &e);
  if (!lua_isnoneornil(L, 4)) {
    e.net = check_net(L, 4);
    if (ns_is_current(lua_touserdata(L, 4))) /* joining wants rights over it */
      e.net = -1;
  }
  lib_Fd *h = lib_newfd(L);
  if (e.net == -1) {
    if (open_socket(&e))
      e.call = NULL;
  } else if (!send_child(&e)) {
    e.error_number = errno;
  }
  h->fd = e.result;
  judge_socket(L, &e);
  return 1;
}

/* sys.sockets(nets, family, type [, protocol]) -> list of Fd: one in each, all
   made by one child */
static int nets_sockets(lua_State *L) {
  Errand e = {.act = open_all, .result = -1, .net = -1, .call = "clone"};
  luaL_checktype(L, 1, LUA_TTABLE);
  e.count = (int)lua_rawlen(L, 1);
  read_kind(L, 2, &e);
  luaL_argcheck(L, e.count <= 65536, 1, "too many");
  e.made = lib_scratch(L, sizeof *e.made * ((size_t)e.count + 1));
  lua_createtable(L, e.count, 0);
  int list = lua_gettop(L);
  for (int i = 0; i < e.count; i++) {
    lua_rawgeti(L, 1, i + 1);
    e.made[i] = check_net(L, lua_gettop(L));
    lua_pop(L, 1);
    lib_newfd(L);
    lua_rawseti(L, list, i + 1);
  }
  if (e.count > 0 && !send_child(&e))
    e.error_number = errno;
  for (int i = 0; i < e.done; i++) {
    lua_rawgeti(L, list, i + 1);
    ((lib_Fd *)lua_touserdata(L, -1))->fd = e.made[i];
    lua_pop(L, 1);
  }
  if (e.done < e.count)
    e.result = -1;
  if (e.count > 0)
    judge_socket(L, &e);
  return 1;
}

/* sys.new_nets(count [, map]) -> list of Ns: new network namespaces that nobody
   is in, all in one new user namespace when a map is given */
static int nets_new_nets(lua_State *L) {
  lib_Map map = {0};
  Errand e = {.act = make_nets, .call = "clone"};
  e.count = lib_checkint(L, 1, 1, 4096);
  bool user = !lua_isnoneornil(L, 2);
  lua_settop(L, 2);
  if (user)
    lib_pushmap(L, 2, true, &map);
  e.map = user ? &map : NULL;
  e.made = lib_scratch(L, sizeof *e.made * (size_t)e.count);
  lua_createtable(L, e.count, 0);
  int list = lua_gettop(L);
  for (int i = 0; i < e.count; i++) {
    e.made[i] = -1;
    lib_newns(L);
    lua_rawseti(L, list, i + 1);
  }
  if (!send_child(&e))
    e.error_number = errno;
  for (int i = 0; i < e.count; i++) {
    lua_rawgeti(L, list, i + 1);
    lib_Ns *net = lua_touserdata(L, -1);
    net->h.fd = e.made[i];
    if (e.call != NULL)
      lib_close(&net->h);
    else
      lib_identify(net);
    lua_pop(L, 1);
  }
  if (e.call == NULL)
    return lib_check(L, 0, "unshare", "n", CLONE_NEWNET), 1;
  if (strcmp(e.call, "write") == 0)
    lib_fail(L, e.error_number, "write", "rs", "uid_map", map.uid);
  lib_fail(L, e.error_number, e.call, "n",
           user ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET);
}

/* sys.fd_number(Fd | Ns) -> its number, for shared objects of ours */
static int nets_fd_number(lua_State *L) {
  lua_pushinteger(L, lib_checkfd(L, 1));
  return 1;
}

static const luaL_Reg funcs[] = {
  {"socket", nets_socket},
  {NULL, NULL},
};

static const luaL_Reg internals[] = {
  {"fd_number", nets_fd_number},
  {"new_nets", nets_new_nets},
  {"sockets", nets_sockets},
  {NULL, NULL},
};

void nets_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  lib_internals(L, internals);
}
