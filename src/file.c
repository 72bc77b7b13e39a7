/* SPDX-License-Identifier: MIT
 *
 * file.c - descriptors: open, pipe, socketpair, poll, and what an Fd can do.
 * Every one is O_CLOEXEC and sits in a handle from its first moment. open(2),
 * pipe(2), socketpair(2), read(2), write(2), sendmsg(2), unix(7), poll(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"

enum {
  CHUNK = 64 * 1024,
  MOST_FDS = 253, /* SCM_MAX_FD: what one message can carry */
};

/* -- making --------------------------------------------------------------- */

/* O_RDONLY is no bit; this one stands for it in the words and the trace. */
#define READ_ONLY (1UL << 40)
#define OPEN(word, NAME) {word, NAME, #NAME}
static const lib_Word open_flags[] = {
  {"rdonly", READ_ONLY, "O_RDONLY"},
  OPEN("wronly", O_WRONLY),
  OPEN("rdwr", O_RDWR),
  OPEN("tmpfile", O_TMPFILE),
  OPEN("sync", O_SYNC),
  OPEN("creat", O_CREAT),
  OPEN("excl", O_EXCL),
  OPEN("trunc", O_TRUNC),
  OPEN("append", O_APPEND),
  OPEN("directory", O_DIRECTORY),
  OPEN("nofollow", O_NOFOLLOW),
  OPEN("path", O_PATH),
  OPEN("nonblock", O_NONBLOCK),
  OPEN("noctty", O_NOCTTY),
  OPEN("noatime", O_NOATIME),
  OPEN("dsync", O_DSYNC),
  OPEN("cloexec", O_CLOEXEC),
  {"r", READ_ONLY, "O_RDONLY"}, /* as io.open */
  {"r+", O_RDWR, "O_RDWR"},
  {"w", O_WRONLY | O_CREAT | O_TRUNC, "O_WRONLY"},
  {"w+", O_RDWR | O_CREAT | O_TRUNC, "O_RDWR"},
  {"a", O_WRONLY | O_CREAT | O_APPEND, "O_WRONLY"},
  {"a+", O_RDWR | O_CREAT | O_APPEND, "O_RDWR"},
  {"create", O_CREAT, "O_CREAT"},
  {NULL, 0, NULL},
};

/* ns.open(path [, flags = "rdonly" [, mode = "666"]]) -> Fd    open(2) */
static int file_open2(lua_State *L) {
  const char *path = lib_checkpath(L, 1);
  unsigned long bits = lib_checkflags(L, 2, open_flags);
  unsigned mode = lib_optmode(L, 3, 0666);
  if ((bits & O_ACCMODE) == O_ACCMODE ||
      ((bits & O_ACCMODE) && (bits & READ_ONLY)))
    luaL_argerror(L, 2, "one of rdonly, wronly, rdwr is wanted");
  if ((bits & ~READ_ONLY) > 0x7fffffff)
    luaL_argerror(L, 2, "number has bits that open(2) does not know");
  int flags = (int)(bits & ~READ_ONLY) | O_CLOEXEC;
  unsigned long shown = (unsigned long)flags;
  if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_PATH))
    shown |= READ_ONLY;
  lib_Fd *h = lib_newfd(L);
  while ((h->fd = open(path, flags, mode)) == -1 && errno == EINTR)
    lib_interrupt_point(L); /* a named pipe waits for its other end */
  lib_check(L, h->fd, "open", flags & O_CREAT ? "swo" : "sw", path, open_flags,
            shown, mode);
  return 1;
}

/* ns.pipe() -> Fd to read, Fd to write    pipe(2) */
static int file_pipe(lua_State *L) {
  int ends[2];
  lib_Fd *r = lib_newfd(L), *w = lib_newfd(L);
  int result = pipe2(ends, O_CLOEXEC);
  if (result == 0) {
    r->fd = ends[0];
    w->fd = ends[1];
  }
  lib_check(L, result, "pipe2", "r", "O_CLOEXEC");
  return 2;
}

/* ns.memfd(name) -> Fd    memfd_create(2): a file without a place */
static int file_memfd(lua_State *L) {
  const char *name = lib_checkpath(L, 1);
  lib_Fd *h = lib_newfd(L);
  h->fd = (int)lib_check(L, memfd_create(name, MFD_CLOEXEC), "memfd_create",
                         "sr", name, "MFD_CLOEXEC");
  return 1;
}

static const lib_Word socket_types[] = {
  OPEN("stream", SOCK_STREAM),
  OPEN("seqpacket", SOCK_SEQPACKET),
  OPEN("dgram", SOCK_DGRAM),
  {NULL, 0, NULL},
};

/* ns.socketpair([type = "stream"]) -> Fd, Fd    socketpair(2), unix(7) */
static int file_socketpair(lua_State *L) {
  int ends[2];
  unsigned long type =
    lua_isnoneornil(L, 1) ? SOCK_STREAM : lib_checkword(L, 1, socket_types);
  if (type > SOCK_PACKET)
    luaL_argerror(L, 1, "no such type of socket");
  lib_Fd *a = lib_newfd(L), *b = lib_newfd(L);
  int result = socketpair(AF_UNIX, (int)type | SOCK_CLOEXEC, 0, ends);
  if (result == 0) {
    a->fd = ends[0];
    b->fd = ends[1];
  }
  lib_check(L, result, "socketpair", "rwd", "AF_UNIX", socket_types, type, 0);
  return 2;
}

static int duplicate(lua_State *L, int fd) {
  lib_Fd *h = lib_newfd(L);
  h->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  lib_check(L, h->fd, "fcntl", "drd", fd, "F_DUPFD_CLOEXEC", 3);
  return 1;
}

/* ns.fd(number | handle | io file) -> Fd, a close-on-exec copy
   F_DUPFD_CLOEXEC(2const) */
static int file_fd(lua_State *L) { return duplicate(L, lib_checkfd(L, 1)); }

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
  lib_Fd *h = lib_checkfdhandle(L, 1);
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
  lib_Fd *h = lib_checkfdhandle(L, 1);
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
  lib_Fd *h = lib_checkfdhandle(L, 1);
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
  lib_Fd *h = lib_checkfdhandle(L, 1);
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

/* -- waiting -------------------------------------------------------------- */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* poll(2) in slices, so that Ctrl-C comes through even when it was early. */
static int poll_until(lua_State *L, struct pollfd *fds, nfds_t n, int ms) {
  double end = now() + ms / 1000.0;
  for (;;) {
    double left = ms < 0 ? 500 : (end - now()) * 1000;
    int slice = left > 500 ? 500 : left < 0 ? 0 : (int)left + (left > 0);
    int ready = poll(fds, n, slice);
    if (ready > 0)
      return ready;
    if (ready == -1 && errno != EINTR)
      lib_check(L, -1, "poll", "dd", (int)n, ms);
    if (ready == 0 && ms >= 0 && now() >= end)
      return 0;
    lib_interrupt_point(L);
  }
}

/* A process whose end is known keeps no pidfd, and is as ready as can be. */
static bool has_ended(lua_State *L, lua_Integer i) {
  lua_rawgeti(L, 1, i);
  lib_Proc *proc = luaL_testudata(L, -1, LIB_PROC);
  lua_pop(L, 1);
  return proc != NULL && proc->state != LIB_RUNNING;
}

/* ns.poll({Fd | Proc | Ns | number...} [, seconds]) -> list of the ready ones
   poll(2) */
static int file_poll(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  int ms = lib_optmilliseconds(L, 2);
  lua_settop(L, 1);
  lua_Unsigned n = lua_rawlen(L, 1);
  if (n > 100000)
    luaL_argerror(L, 1, "too many elements");
  struct pollfd *fds = lib_scratch(L, n * sizeof *fds);
  for (lua_Unsigned i = 0; i < n; i++) {
    lua_Integer at = (lua_Integer)i + 1;
    bool ended = has_ended(L, at);
    fds[i] = (struct pollfd){
      .fd = ended ? -1 : lib_checkfdat(L, 1, at), .events = POLLIN};
    ms = ended ? 0 : ms;
  }
  poll_until(L, fds, n, ms);
  lua_newtable(L);
  for (lua_Unsigned i = 0; i < n; i++) {
    if (fds[i].revents & POLLNVAL)
      lib_fail(L, EBADF, "poll", "d", fds[i].fd);
    if (fds[i].revents != 0 || fds[i].fd == -1) {
      lua_rawgeti(L, 1, (lua_Integer)i + 1);
      lua_rawseti(L, 3, (lua_Integer)lua_rawlen(L, 3) + 1);
    }
  }
  return 1;
}

/* -- the handle ----------------------------------------------------------- */

/* fd:close() -> true, also when it is closed already    close(2) */
static int fd_close(lua_State *L) {
  lib_close(luaL_checkudata(L, 1, LIB_FD));
  lua_pushboolean(L, 1);
  return 1;
}

static int fd_gc(lua_State *L) {
  lib_close(luaL_checkudata(L, 1, LIB_FD));
  return 0;
}

static int fd_eq(lua_State *L) {
  lib_Fd *a = luaL_testudata(L, 1, LIB_FD), *b = luaL_testudata(L, 2, LIB_FD);
  lua_pushboolean(L, a != NULL && b != NULL && a->fd == b->fd && a->fd >= 0);
  return 1;
}

static int fd_tostring(lua_State *L) {
  lib_Fd *h = luaL_checkudata(L, 1, LIB_FD);
  if (h->fd < 0)
    lua_pushliteral(L, "fd (closed)");
  else
    lua_pushfstring(L, "fd %d", h->fd);
  return 1;
}

/* fd:fileno() -> number */
static int fd_fileno(lua_State *L) {
  lua_pushinteger(L, lib_checkfdhandle(L, 1)->fd);
  return 1;
}

/* fd:dup() -> Fd    F_DUPFD_CLOEXEC(2const) */
static int fd_dup(lua_State *L) {
  return duplicate(L, lib_checkfdhandle(L, 1)->fd);
}

/* fd:dup2(number) -> true    dup2(2): that number outlives an exec */
static int fd_dup2(lua_State *L) {
  int fd = lib_checkfdhandle(L, 1)->fd;
  int number = lib_checkint(L, 2, 0, 0x7fffffff);
  return lib_done(L, dup2(fd, number), "dup2", "dd", fd, number);
}

/* fd:setnonblock([on = true]) -> true    F_SETFL(2const) */
static int fd_setnonblock(lua_State *L) {
  int fd = lib_checkfdhandle(L, 1)->fd;
  int on = lua_isnone(L, 2) || lua_toboolean(L, 2);
  int flags = (int)lib_check(L, fcntl(fd, F_GETFL), "fcntl", "dr", fd,
                             "F_GETFL");
  flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  return lib_done(L, fcntl(fd, F_SETFL, flags), "fcntl", "drw", fd, "F_SETFL",
                  open_flags, (unsigned long)flags);
}

static const lib_Word seek_words[] = {
  OPEN("cur", SEEK_CUR),
  OPEN("set", SEEK_SET),
  OPEN("end", SEEK_END),
  {NULL, 0, NULL},
};

/* fd:seek([whence = "cur" [, offset = 0]]) -> position    lseek(2) */
static int fd_seek(lua_State *L) {
  int fd = lib_checkfdhandle(L, 1)->fd;
  unsigned long whence =
    lua_isnoneornil(L, 2) ? SEEK_CUR : lib_checkword(L, 2, seek_words);
  lua_Integer offset = luaL_optinteger(L, 3, 0);
  if (whence > SEEK_END)
    luaL_argerror(L, 2, "\"set\", \"cur\" or \"end\" is wanted");
  lua_pushinteger(L, lib_check(L, lseek(fd, offset, (int)whence), "lseek",
                               "dlw", fd, (long)offset, seek_words, whence));
  return 1;
}

static const lib_Word lock_words[] = {
  OPEN("sh", LOCK_SH),
  OPEN("ex", LOCK_EX),
  OPEN("un", LOCK_UN),
  OPEN("nb", LOCK_NB),
  {NULL, 0, NULL},
};

/* fd:flock(words) -> true    flock(2) */
static int fd_flock(lua_State *L) {
  int fd = lib_checkfdhandle(L, 1)->fd;
  unsigned long how = lib_checkflags(L, 2, lock_words);
  int result;
  if (how == 0 || how > 15)
    luaL_argerror(L, 2, "\"sh\", \"ex\" or \"un\" is wanted, or with \",nb\"");
  while ((result = flock(fd, (int)how)) == -1 && errno == EINTR)
    lib_interrupt_point(L);
  return lib_done(L, result, "flock", "dw", fd, lock_words, how);
}

/* fd:sync() -> true    fsync(2) */
static int fd_sync(lua_State *L) {
  int fd = lib_checkfdhandle(L, 1)->fd;
  return lib_done(L, fsync(fd), "fsync", "d", fd);
}

/* ns.isatty(fd) -> boolean    isatty(3) */
static int file_isatty(lua_State *L) {
  lua_pushboolean(L, isatty(lib_checkfd(L, 1)));
  return 1;
}

static const luaL_Reg funcs[] = {
  {"fd", file_fd},
  {"isatty", file_isatty},
  {"memfd", file_memfd},
  {"open", file_open2},
  {"pipe", file_pipe},
  {"poll", file_poll},
  {"socketpair", file_socketpair},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"close", fd_close},
  {"dup", fd_dup},
  {"dup2", fd_dup2},
  {"fileno", fd_fileno},
  {"flock", fd_flock},
  {"read", fd_read},
  {"recv", fd_recv},
  {"seek", fd_seek},
  {"send", fd_send},
  {"setnonblock", fd_setnonblock},
  {"sync", fd_sync},
  {"write", fd_write},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", fd_gc},
  {"__eq", fd_eq},
  {"__gc", fd_gc},
  {"__tostring", fd_tostring},
  {NULL, NULL},
};

static const luaL_Reg arrivals_metamethods[] = {
  {"__close", arrivals_close},
  {"__gc", arrivals_close},
  {NULL, NULL},
};

void file_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  lib_newtype(L, LIB_FD, metamethods, methods, NULL);
  if (luaL_newmetatable(L, ARRIVALS))
    luaL_setfuncs(L, arrivals_metamethods, 0);
  lua_pop(L, 1);
}
