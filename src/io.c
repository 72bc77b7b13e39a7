/* SPDX-License-Identifier: MIT
 *
 * io.c - what goes through a descriptor: bytes, and other descriptors in the
 * messages of a socket. Every wait lets Ctrl-C through. read(2), write(2),
 * sendmsg(2), recvmsg(2), unix(7).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib.h"

enum {
  CHUNK = 64 * 1024,
  MOST_FDS = 253, /* SCM_MAX_FD: what one message can carry */
};

/* -- reading -------------------------------------------------------------- */

/* One read(2) that ended; 0 at the end of the file. */
static size_t read_some(lua_State *L, int fd, void *to, size_t size) {
  ssize_t n;
  while ((n = read(fd, to, size)) == -1 && errno == EINTR)
    lib_interrupt_point(L);
  return (size_t)lib_check(L, n, "read", "dl", fd, (long)size);
}

static int read_all(lua_State *L, lib_Fd *h) {
  luaL_Buffer B;
  size_t n;
  luaL_buffinit(L, &B);
  do {
    char *space = luaL_prepbuffsize(&B, CHUNK);
    /* a hook may have closed the handle while we slept */
    n = h->fd < 0 ? 0 : read_some(L, h->fd, space, CHUNK);
    luaL_addsize(&B, n);
  } while (n > 0);
  luaL_pushresult(&B);
  return 1;
}

/* Byte by byte: what follows the line stays in the pipe for its next reader. */
static int read_line(lua_State *L, lib_Fd *h) {
  luaL_Buffer B;
  char c;
  bool any = false;
  luaL_buffinit(L, &B);
  while (h->fd >= 0 && read_some(L, h->fd, &c, 1) == 1) {
    any = true;
    if (c == '\n')
      break;
    luaL_addchar(&B, c);
  }
  luaL_pushresult(&B);
  if (!any)
    luaL_pushfail(L);
  return 1;
}

static int read_bytes(lua_State *L, lib_Fd *h, lua_Integer most) {
  luaL_Buffer B;
  if (most < 0 || most > 0x7ffff000)
    luaL_argerror(L, 2, "must be between 0 and 2147479552");
  char *space = luaL_buffinitsize(L, &B, (size_t)most);
  size_t n = read_some(L, h->fd, space, (size_t)most);
  luaL_pushresultsize(&B, n);
  if (n == 0 && most > 0)
    luaL_pushfail(L);
  return 1;
}

/* fd:read([n | "a" | "l"]) -> string | nil at the end    read(2) */
static int fd_read(lua_State *L) {
  lib_Fd *h = lib_openself(L);
  lua_settop(L, 2);
  if (lua_type(L, 2) == LUA_TNUMBER)
    return read_bytes(L, h, lib_checkint(L, 2, 0, 0x7ffff000));
  const char *how = luaL_optstring(L, 2, "l");
  how += *how == '*';
  if (strcmp(how, "a") == 0)
    return read_all(L, h);
  if (strcmp(how, "l") == 0)
    return read_line(L, h);
  return luaL_argerror(L, 2, "\"a\", \"l\" or a number of bytes is wanted");
}

/* -- writing -------------------------------------------------------------- */

/* write(2), where a pipe without readers is EPIPE and no signal: the program
   around us may not have asked to die of it. */
static ssize_t write_quietly(int fd, const char *s, size_t n) {
  const struct timespec now = {0, 0};
  sigset_t broken, old, pending;
  ssize_t result = send(fd, s, n, MSG_NOSIGNAL);
  if (result != -1 || errno != ENOTSOCK)
    return result;
  sigemptyset(&broken);
  sigaddset(&broken, SIGPIPE);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &broken, &old);
  result = write(fd, s, n);
  int error_number = errno;
  if (result == -1 && error_number == EPIPE && !sigismember(&pending, SIGPIPE))
    sigtimedwait(&broken, NULL, &now);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  errno = error_number;
  return result;
}

/* All of it, or an error. A signal ends a write early too. */
static void write_all(lua_State *L, lib_Fd *h, const char *s, size_t left) {
  for (;;) {
    ssize_t n = write_quietly(h->fd, s, left);
    if (n != -1 || errno != EINTR) {
      lib_check(L, n, "write", "dl", h->fd, (long)left);
      s += n;
      left -= (size_t)n;
    }
    if (left == 0)
      return;
    lib_interrupt_point(L);
  }
}

/* fd:write(string) -> true    write(2) */
static int fd_write(lua_State *L) {
  size_t length;
  lib_Fd *h = lib_openself(L);
  const char *s = luaL_checklstring(L, 2, &length);
  write_all(L, h, s, length);
  lua_pushboolean(L, 1);
  return 1;
}

/* -- descriptors in messages ---------------------------------------------- */

typedef union Control {
  struct cmsghdr aligned;
  char space[CMSG_SPACE(sizeof(int) * MOST_FDS)];
} Control;

/* Puts the descriptors of the list at `arg` into the message. */
static void attach(lua_State *L, int arg, struct msghdr *msg,
                   Control *control) {
  int fds[MOST_FDS];
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_Unsigned n = lua_rawlen(L, arg);
  if (n > MOST_FDS)
    luaL_argerror(L, arg, "a message carries 253 descriptors at most");
  for (lua_Unsigned i = 0; i < n; i++)
    fds[i] = lib_checkfdat(L, arg, (lua_Integer)i + 1);
  if (n == 0)
    return;
  memset(control, 0, sizeof *control);
  msg->msg_control = control;
  msg->msg_controllen = CMSG_SPACE(sizeof(int) * n);
  struct cmsghdr *c = CMSG_FIRSTHDR(msg);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int) * n);
  memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
}

/* fd:send(string [, {Fd...}]) -> true    sendmsg(2), SCM_RIGHTS in unix(7) */
static int fd_send(lua_State *L) {
  size_t length;
  ssize_t n;
  Control control;
  lib_Fd *h = lib_openself(L);
  const char *s = luaL_checklstring(L, 2, &length);
  struct iovec part = {(void *)s, length};
  struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
  if (!lua_isnoneornil(L, 3))
    attach(L, 3, &msg, &control);
  if (msg.msg_controllen > 0 && length == 0)
    luaL_argerror(L, 2, "descriptors travel with one byte at least");
  while ((n = sendmsg(h->fd, &msg, MSG_NOSIGNAL)) == -1 && errno == EINTR)
    lib_interrupt_point(L);
  lib_check(L, n, "sendmsg", "dl", h->fd, (long)length);
  if ((size_t)n < length) /* a stream took a part: the rest has no passengers */
    write_all(L, h, s + n, length - (size_t)n);
  lua_pushboolean(L, 1);
  return 1;
}

/* Descriptors that came and are in no handle yet: an error closes them. */
#define ARRIVALS "nslua.arrivals"
typedef struct Arrivals {
  int count;
  int fds[MOST_FDS];
  Control control;
} Arrivals;

static int arrivals_close(lua_State *L) {
  Arrivals *a = luaL_checkudata(L, 1, ARRIVALS);
  for (int i = 0; i < a->count; i++)
    if (a->fds[i] >= 0)
      close(a->fds[i]);
  a->count = 0;
  return 0;
}

static Arrivals *new_arrivals(lua_State *L) {
  Arrivals *a = lua_newuserdatauv(L, sizeof *a, 0);
  a->count = 0;
  luaL_setmetatable(L, ARRIVALS);
  lua_toclose(L, -1);
  return a;
}

static void collect_arrivals(Arrivals *a, struct msghdr *msg) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(a->fds + a->count, CMSG_DATA(c), n * sizeof(int));
    a->count += (int)n;
  }
}

/* Pushes a list of handles; each leaves `a` as it arrives in one. */
static void push_arrivals(lua_State *L, Arrivals *a) {
  lua_createtable(L, a->count, 0);
  for (int i = 0; i < a->count; i++) {
    lib_Fd *h = lib_newfd(L);
    h->fd = a->fds[i];
    a->fds[i] = -1;
    lua_rawseti(L, -2, i + 1);
  }
}

/* fd:recv([most = 65536]) -> string | nil at the end, {Fd...}    recvmsg(2) */
static int fd_recv(lua_State *L) {
  ssize_t n;
  lib_Fd *h = lib_openself(L);
  int most = lua_isnoneornil(L, 2) ? CHUNK : lib_checkint(L, 2, 1, 1 << 28);
  lua_settop(L, 1);
  struct iovec part = {lib_scratch(L, (size_t)most), (size_t)most};
  Arrivals *a = new_arrivals(L);
  struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1,
                       .msg_control = &a->control,
                       .msg_controllen = sizeof a->control};
  while ((n = recvmsg(h->fd, &msg, MSG_CMSG_CLOEXEC)) == -1 && errno == EINTR)
    lib_interrupt_point(L);
  if (n >= 0)
    collect_arrivals(a, &msg);
  lib_check(L, n, "recvmsg", "dd", h->fd, most);
  if (msg.msg_flags & MSG_CTRUNC) /* the rest is lost: our table is full */
    lib_fail(L, EMFILE, "recvmsg", "dd", h->fd, most);
  if (n == 0 && a->count == 0)
    luaL_pushfail(L);
  else
    lua_pushlstring(L, part.iov_base, (size_t)n);
  push_arrivals(L, a);
  return 2;
}

static const luaL_Reg methods[] = {
  {"read", fd_read},
  {"recv", fd_recv},
  {"send", fd_send},
  {"write", fd_write},
  {NULL, NULL},
};

static const luaL_Reg arrivals_metamethods[] = {
  {"__close", arrivals_close},
  {"__gc", arrivals_close},
  {NULL, NULL},
};

void io_open(lua_State *L) {
  lib_addmethods(L, LIB_FD, methods);
  if (luaL_newmetatable(L, ARRIVALS))
    luaL_setfuncs(L, arrivals_metamethods, 0);
  lua_pop(L, 1);
}
