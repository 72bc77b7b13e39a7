/* SPDX-License-Identifier: MIT
 *
 * file.c - descriptors: how one is made, and its handle. Every one is O_CLOEXEC
 * and sits in a handle from its first moment. open(2), pipe(2), socketpair(2),
 * memfd_create(2), fcntl(2), lseek(2), flock(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"

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

/* -- the handle ----------------------------------------------------------- */

/* fd:close() -> true, also when it is closed already    close(2) */
static int fd_close(lua_State *L) {
  lib_close(lib_self(L, LIB_FD));
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
  lua_pushinteger(L, lib_openself(L)->fd);
  return 1;
}

/* fd:dup() -> Fd    F_DUPFD_CLOEXEC(2const) */
static int fd_dup(lua_State *L) {
  return duplicate(L, lib_openself(L)->fd);
}

/* fd:dup2(number) -> true    dup2(2): that number outlives an exec */
static int fd_dup2(lua_State *L) {
  int fd = lib_openself(L)->fd;
  int number = lib_checkint(L, 2, 0, 0x7fffffff);
  return lib_done(L, dup2(fd, number), "dup2", "dd", fd, number);
}

/* fd:setnonblock([on = true]) -> true    F_SETFL(2const) */
static int fd_setnonblock(lua_State *L) {
  int fd = lib_openself(L)->fd;
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
  int fd = lib_openself(L)->fd;
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
  int fd = lib_openself(L)->fd;
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
  int fd = lib_openself(L)->fd;
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
  {"socketpair", file_socketpair},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"close", fd_close},
  {"dup", fd_dup},
  {"dup2", fd_dup2},
  {"fileno", fd_fileno},
  {"flock", fd_flock},
  {"seek", fd_seek},
  {"setnonblock", fd_setnonblock},
  {"sync", fd_sync},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", fd_gc},
  {"__eq", fd_eq},
  {"__gc", fd_gc},
  {"__tostring", fd_tostring},
  {NULL, NULL},
};

void file_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  lib_newtype(L, LIB_FD, metamethods, methods, NULL);
}
