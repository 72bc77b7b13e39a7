/* SPDX-License-Identifier: MIT
 *
 * remove.c - takes a whole tree away, whatever its modes say, without ever
 * leaving it: no symbolic link is followed, no other file system entered.
 * fts(3) changes directories on its way: for a child only.
 */
#include <errno.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>

#include "feed/feed.h"

/* 0 or errno */
static int remove_one(const FTSENT *e) {
  switch (e->fts_info) {
  case FTS_D: /* before it is read: it must let us in */
    if ((e->fts_statp->st_mode & 0700) != 0700)
      chmod(e->fts_accpath, 0700);
    return 0;
  case FTS_DP: return rmdir(e->fts_accpath) == 0 ? 0 : errno;
  case FTS_DNR:
  case FTS_ERR:
  case FTS_NS: return e->fts_errno;
  default: return unlink(e->fts_accpath) == 0 ? 0 : errno;
  }
}

/* ring.remove(path) -> true | nil, reason */
static int tree_remove(lua_State *L) {
  size_t length;
  const char *path = luaL_checklstring(L, 1, &length);
  char *paths[2] = {lua_newuserdatauv(L, length + 1, 0), NULL};
  memcpy(paths[0], path, length + 1);
  FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_XDEV, NULL);
  int error_number = tree == NULL ? errno : 0;
  FTSENT *e;
  while (tree != NULL && (e = fts_read(tree)) != NULL) {
    int result = remove_one(e);
    if (result != 0 && result != ENOENT && error_number == 0)
      error_number = result;
  }
  if (tree != NULL)
    fts_close(tree);
  if (error_number == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  luaL_pushfail(L);
  lua_pushstring(L, strerror(error_number));
  return 2;
}

static const luaL_Reg funcs[] = {
  {"remove", tree_remove},
  {NULL, NULL},
};

void remove_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
