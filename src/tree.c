/* SPDX-License-Identifier: MIT
 *
 * tree.c - mounts as descriptors: a tree is taken or made first, changed while
 * nobody sees it, and attached last. open_tree(2), move_mount(2), fsopen(2),
 * fsconfig(2), fsmount(2), mount_setattr(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"

/* A path as it is, or a descriptor: then the path is "". */
static const char *check_place(lua_State *L, int arg, int *fd) {
  *fd = AT_FDCWD;
  if (lua_type(L, arg) == LUA_TSTRING)
    return lib_checkpath(L, arg);
  *fd = lib_checkfd(L, arg);
  return "";
}

/* Pushes a descriptor as it stands in a trace. */
static const char *push_dirfd(lua_State *L, int fd) {
  if (fd == AT_FDCWD)
    return lua_pushliteral(L, "AT_FDCWD");
  return lua_pushfstring(L, "%d", fd);
}

#define W(word, NAME) {word, NAME, #NAME}
static const lib_Word tree_flags[] = {
  W("clone", OPEN_TREE_CLONE),
  W("recursive", AT_RECURSIVE),
  W("rec", AT_RECURSIVE),
  W("nofollow", AT_SYMLINK_NOFOLLOW),
  W("empty_path", AT_EMPTY_PATH),
  W("no_automount", AT_NO_AUTOMOUNT),
  W("cloexec", OPEN_TREE_CLOEXEC),
  {NULL, 0, NULL},
};

/* ns.open_tree(path | Fd [, flags]) -> Fd    open_tree(2) */
static int tree_open_tree(lua_State *L) {
  int at;
  const char *path = check_place(L, 1, &at);
  unsigned long flags = lib_checkflags(L, 2, tree_flags) | OPEN_TREE_CLOEXEC;
  if (at != AT_FDCWD)
    flags |= AT_EMPTY_PATH;
  if (flags > 0xffffffff)
    luaL_argerror(L, 2, "number has bits that open_tree(2) does not know");
  const char *shown = push_dirfd(L, at);
  lib_Fd *h = lib_newfd(L);
  h->fd = (int)syscall(SYS_open_tree, at, path, (unsigned)flags);
  lib_check(L, h->fd, "open_tree", "rsw", shown, path, tree_flags, flags);
  return 1;
}

static const lib_Word move_flags[] = {
  W("f_empty_path", MOVE_MOUNT_F_EMPTY_PATH),
  W("f_symlinks", MOVE_MOUNT_F_SYMLINKS),
  W("t_empty_path", MOVE_MOUNT_T_EMPTY_PATH),
  W("t_symlinks", MOVE_MOUNT_T_SYMLINKS),
  {NULL, 0, NULL},
};

/* ns.move_mount(from: path | Fd, to: path) -> Mount    move_mount(2) */
static int tree_move_mount(lua_State *L) {
  int at;
  const char *from = check_place(L, 1, &at);
  const char *to = lib_checkpath(L, 2);
  unsigned long flags = MOVE_MOUNT_T_SYMLINKS |
    (at == AT_FDCWD ? MOVE_MOUNT_F_SYMLINKS : MOVE_MOUNT_F_EMPTY_PATH);
  lua_settop(L, 2);
  const char *shown = push_dirfd(L, at);
  lib_number_mounts(L);
  lua_pushstring(L, at == AT_FDCWD ? from : NULL);
  lua_pushstring(L, to);
  lua_pushliteral(L, "tree");
  lib_newmount(L);
  lib_leave_root();
  lib_check(L, syscall(SYS_move_mount, at, from, AT_FDCWD, to, (unsigned)flags),
            "move_mount", "rsrsw", shown, from, "AT_FDCWD", to, move_flags,
            flags);
  lib_mounted(L, 4);
  return 1;
}

/* -- a new file system ---------------------------------------------------- */

/* Pushes what the file system said of its refusal, "" when it said nothing:
   each read(2) of the context gives one message, "e overlay: ...". */
static void push_log(lua_State *L, int context) {
  char line[512];
  luaL_Buffer B;
  ssize_t n;
  luaL_buffinit(L, &B);
  while ((n = read(context, line, sizeof line)) > 0) {
    size_t skip = n > 2 && line[1] == ' ' ? 2 : 0;
    while (n > 0 && line[n - 1] == '\n')
      n--;
    luaL_addstring(&B, ": ");
    lib_pushclean(L, line + skip, (size_t)n - skip);
    luaL_addvalue(&B);
  }
  luaL_pushresult(&B);
}

_Noreturn static void fail_with_log(lua_State *L, int context, int error_number,
                                    const char *call, const char *args) {
  push_log(L, context);
  int log = lua_gettop(L);
  if (lib_tracing())
    lib_trace_text(L, lua_pushfstring(L, "%s(%s) = -1 %s", call, args,
                                      lib_errno_name(error_number)));
  lib_pusherror(L, error_number, call, args);
  lua_getfield(L, -1, "message");
  lua_pushvalue(L, log);
  lua_concat(L, 2);
  lua_setfield(L, -2, "message");
  lua_error(L);
  __builtin_unreachable();
}

/* One option; a value of NULL is a flag. */
static void set_option(lua_State *L, int context, const char *key,
                       const char *value) {
  int command = value ? KERNEL_FSCONFIG_SET_STRING : KERNEL_FSCONFIG_SET_FLAG;
  const char *name = value ? "FSCONFIG_SET_STRING" : "FSCONFIG_SET_FLAG";
  long result = syscall(SYS_fsconfig, context, command, key, value, 0);
  int error_number = errno;
  if (result == -1) {
    luaL_Buffer B;
    luaL_buffinit(L, &B);
    luaL_addstring(&B, name);
    luaL_addstring(&B, ", ");
    lib_addquoted(&B, key, strlen(key));
    if (value != NULL) {
      luaL_addstring(&B, ", ");
      lib_addquoted(&B, value, strlen(value));
    }
    luaL_pushresult(&B);
    fail_with_log(L, context, error_number, "fsconfig", lua_tostring(L, -1));
  }
  lib_check(L, result, "fsconfig", "drss", context, name, key, value);
}

static const char *check_text(lua_State *L, int arg, int index) {
  size_t length;
  if (lua_type(L, index) != LUA_TSTRING && lua_type(L, index) != LUA_TNUMBER)
    luaL_argerror(L, arg, "options are strings, numbers and booleans");
  const char *s = lua_tolstring(L, index, &length);
  if (strlen(s) != length)
    luaL_argerror(L, arg, "option contains a NUL");
  return s;
}

/* {"flag", "key=value", key = "value", flag = true}: the list first. With
   context -1 they are only looked at. */
static void each_option(lua_State *L, int arg, int context) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, arg);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, arg, i);
    const char *text = check_text(L, arg, -1);
    const char *equals = strchr(text, '=');
    lua_pushlstring(L, text, equals ? (size_t)(equals - text) : strlen(text));
    if (context >= 0)
      set_option(L, context, lua_tostring(L, -1), equals ? equals + 1 : NULL);
    lua_pop(L, 2);
  }
  lua_pushnil(L);
  while (lua_next(L, arg) != 0) {
    if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 &&
        lua_tointeger(L, -2) <= n) {
      lua_pop(L, 1);
      continue;
    }
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_argerror(L, arg, "an option's name is a string");
    const char *key = check_text(L, arg, -2);
    bool flag = lua_isboolean(L, -1);
    const char *value = flag ? NULL : check_text(L, arg, -1);
    if (context >= 0 && (!flag || lua_toboolean(L, -1)))
      set_option(L, context, key, value);
    lua_pop(L, 1);
  }
}

static const lib_Word attributes[] = {
  {"atime", MOUNT_ATTR__ATIME, "MOUNT_ATTR__ATIME"}, /* all of these bits */
  W("ro", MOUNT_ATTR_RDONLY),
  W("nosuid", MOUNT_ATTR_NOSUID),
  W("nodev", MOUNT_ATTR_NODEV),
  W("noexec", MOUNT_ATTR_NOEXEC),
  W("noatime", MOUNT_ATTR_NOATIME),
  W("strictatime", MOUNT_ATTR_STRICTATIME),
  W("nodiratime", MOUNT_ATTR_NODIRATIME),
  W("nosymfollow", MOUNT_ATTR_NOSYMFOLLOW),
  W("idmap", MOUNT_ATTR_IDMAP),
  {"relatime", 1UL << 40, "MOUNT_ATTR_RELATIME"}, /* 0 for the kernel */
  {NULL, 0, NULL},
};

/* ns.fsmount(type [, options [, attributes]]) -> Fd of a mount that hangs
   nowhere yet    fsopen(2), fsconfig(2), fsmount(2) */
static int tree_fsmount(lua_State *L) {
  const char *type = lib_checkpath(L, 1);
  unsigned long attr = lib_checkflags(L, 3, attributes) & ~(1UL << 40);
  if (attr > 0xffffffff)
    luaL_argerror(L, 3, "number has bits that fsmount(2) does not know");
  if (!lua_isnoneornil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    each_option(L, 2, -1);
  }
  lua_settop(L, 3);
  lib_Fd *context = lib_newfd(L);
  lua_toclose(L, -1);
  context->fd = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
  lib_check(L, context->fd, "fsopen", "sr", type, "FSOPEN_CLOEXEC");
  if (lua_istable(L, 2))
    each_option(L, 2, context->fd);
  if (syscall(SYS_fsconfig, context->fd, KERNEL_FSCONFIG_CMD_CREATE, NULL,
              NULL, 0) == -1)
    fail_with_log(L, context->fd, errno, "fsconfig", "FSCONFIG_CMD_CREATE");
  lib_check(L, 0, "fsconfig", "dr", context->fd, "FSCONFIG_CMD_CREATE");
  lib_Fd *h = lib_newfd(L);
  h->fd = (int)syscall(SYS_fsmount, context->fd, FSMOUNT_CLOEXEC,
                       (unsigned)attr);
  lib_check(L, h->fd, "fsmount", "drw", context->fd, "FSMOUNT_CLOEXEC",
            attributes, attr);
  return 1;
}

/* -- changing what is mounted --------------------------------------------- */

static const lib_Word propagations[] = {
  W("private", MS_PRIVATE),
  W("shared", MS_SHARED),
  W("slave", MS_SLAVE),
  W("unbindable", MS_UNBINDABLE),
  {NULL, 0, NULL},
};

static const lib_Word change_keys[] = {
  {"set", 1, "set"}, {"clear", 2, "clear"}, {"propagation", 3, "propagation"},
  {"recursive", 4, "recursive"}, {"userns", 5, "userns"},
  {"nofollow", 6, "nofollow"}, {NULL, 0, NULL},
};

static void check_keys(lua_State *L, int arg, const lib_Word *known) {
  unsigned long found;
  lua_pushnil(L);
  while (lua_next(L, arg) != 0) {
    size_t length = 0;
    const char *key = "";
    if (lua_type(L, -2) == LUA_TSTRING)
      key = lua_tolstring(L, -2, &length);
    if (!lib_findword(known, key, length, &found))
      lib_unknown(L, arg, "option", key, known);
    lua_pop(L, 1);
  }
}

/* Puts a field of the table at `arg` in its place and the table on top, so
   that a complaint names the argument. */
static void swap_in_field(lua_State *L, int arg, const char *field) {
  lua_pushvalue(L, arg);
  lua_pushstring(L, field);
  lua_rawget(L, arg);
  lua_replace(L, arg);
}

static unsigned long field_flags(lua_State *L, int arg, const char *field,
                                 const lib_Word *set) {
  swap_in_field(L, arg, field);
  unsigned long bits = lib_checkflags(L, arg, set);
  lua_replace(L, arg);
  return bits;
}

/* -1 when there is none */
static int field_fd(lua_State *L, int arg, const char *field) {
  swap_in_field(L, arg, field);
  int fd = lua_isnil(L, arg) ? -1 : lib_checkfd(L, arg);
  lua_replace(L, arg);
  return fd;
}

/* A change of the access times first clears what was there. */
static void fill_attributes(struct kernel_mount_attr *attr, unsigned long set,
                            unsigned long clear) {
  const unsigned long times = MOUNT_ATTR__ATIME | 1UL << 40;
  attr->attr_set = set & ~(1UL << 40);
  attr->attr_clr = clear & ~(1UL << 40);
  if ((set | clear) & times)
    attr->attr_clr |= MOUNT_ATTR__ATIME;
}

static bool field_true(lua_State *L, int arg, const char *field) {
  lua_pushstring(L, field);
  lua_rawget(L, arg);
  bool result = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return result;
}

/* ns.mount_setattr(path | Fd, {set=, clear=, propagation=, recursive=, userns=,
   nofollow=}) -> true    mount_setattr(2) */
static int tree_mount_setattr(lua_State *L) {
  int at;
  struct kernel_mount_attr attr = {0};
  const char *path = check_place(L, 1, &at);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  check_keys(L, 2, change_keys);
  fill_attributes(&attr, field_flags(L, 2, "set", attributes),
                  field_flags(L, 2, "clear", attributes));
  attr.propagation = field_flags(L, 2, "propagation", propagations);
  int userns = field_fd(L, 2, "userns");
  if (userns >= 0) {
    attr.userns_fd = (__u64)userns;
    attr.attr_set |= MOUNT_ATTR_IDMAP;
  }
  unsigned long flags = field_true(L, 2, "recursive") ? AT_RECURSIVE : 0;
  flags |= field_true(L, 2, "nofollow") ? AT_SYMLINK_NOFOLLOW : 0;
  flags |= at == AT_FDCWD ? 0 : AT_EMPTY_PATH;
  const char *shown = push_dirfd(L, at);
  return lib_done(L, syscall(SYS_mount_setattr, at, path, (unsigned)flags,
                             &attr, sizeof attr),
                  "mount_setattr", "rswwww", shown, path, tree_flags, flags,
                  attributes, (unsigned long)attr.attr_set, attributes,
                  (unsigned long)attr.attr_clr, propagations,
                  (unsigned long)attr.propagation);
}

static const luaL_Reg funcs[] = {
  {"fsmount", tree_fsmount},
  {"mount_setattr", tree_mount_setattr},
  {"move_mount", tree_move_mount},
  {"open_tree", tree_open_tree},
  {NULL, NULL},
};

void tree_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
