/* SPDX-License-Identifier: MIT
 *
 * open.c - makes nslua known to a Lua state. Every Lua module and lesson is
 * embedded in the program (a process that has changed its root can still
 * require them); package.preload answers for them. NSLUA_DEV=DIR reads them
 * from the source tree DIR instead, so that an edit needs no build.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "embed.h"
#include "lib.h"
#include "nslua.h"

/* -- embedded files ------------------------------------------------------- */

/* The lists are in the order of their paths. */
static int compare_paths(const void *path, const void *entry) {
  return strcmp(path, ((const Embedded *)entry)->path);
}

static const Embedded *find_embedded(const char *path) {
  return bsearch(path, embedded_files, embedded_count, sizeof *embedded_files,
                 compare_paths);
}

static const Embedded *find_bytecode(const char *path) {
  if (embedded_bytecode == NULL)
    return NULL;
  return bsearch(path, embedded_bytecode, bytecode_count,
                 sizeof *embedded_bytecode, compare_paths);
}

/* The source tree to read from instead, or NULL. */
static const char *source_tree(void) {
  const char *tree = getenv("NSLUA_DEV");
  return tree != NULL && *tree != '\0' ? tree : NULL;
}

/* Pushes the text of an embedded file, or nothing and returns false. */
static bool push_text(lua_State *L, const char *path) {
  const char *tree = source_tree();
  const Embedded *e = find_embedded(path);
  if (tree != NULL) {
    luaL_Buffer B;
    char piece[4096];
    size_t n;
    FILE *f = fopen(lua_pushfstring(L, "%s/%s", tree, path), "re");
    lua_pop(L, 1);
    if (f != NULL) {
      luaL_buffinit(L, &B);
      while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        luaL_addlstring(&B, piece, n);
      fclose(f);
      luaL_pushresult(&B);
      return true;
    }
  }
  if (e != NULL)
    lua_pushlstring(L, e->text, (size_t)(e->end - e->text));
  return e != NULL;
}

/* "nslua.box" is lua/nslua/box.lua, "nslua" lua/nslua/init.lua: what is
   embedded under the name of a module, or NULL. */
static const Embedded *find_module(const char *module) {
  static const char *const endings[] = {".lua", "/init.lua"};
  char name[64], path[96];
  size_t size = strlen(module) + 1;
  if (strncmp(module, "nslua", 5) != 0 || size > sizeof name)
    return NULL;
  memcpy(name, module, size);
  for (char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot, '.'))
    *dot = '/';
  char *end = stpcpy(stpcpy(path, "lua/"), name); /* printf: three pages more */
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    memcpy(end, endings[i], strlen(endings[i]) + 1);
    const Embedded *e = find_embedded(path);
    if (e != NULL && e->module != NULL && strcmp(e->module, module) == 0)
      return e;
  }
  return NULL;
}

/* -- globals of our own --------------------------------------------------- */

static const char own_globals[] = "nslua.globals", chunks[] = "nslua.chunks";

/* Gives the chunk on top our own globals, if there are such; else it is kept
   for the day they come. */
static void set_globals(lua_State *L) {
  if (lua_getfield(L, LUA_REGISTRYINDEX, own_globals) == LUA_TTABLE) {
    lua_setupvalue(L, -2, 1);
    return;
  }
  luaL_getsubtable(L, LUA_REGISTRYINDEX, chunks);
  lua_pushvalue(L, -3);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 2);
}

/* Pushes a copy of the globals; what comes later is found through it too. */
static void copy_globals(lua_State *L) {
  lua_createtable(L, 0, 32);
  lua_createtable(L, 0, 1);
  lua_pushglobaltable(L);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, -7);
  }
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

/* nslua.sys.own_globals(): from here on our modules have a copy of the globals,
   so that a person at a prompt may call a variable `table` or `type`. The
   functions of a module share one _ENV, which is that of its chunk. */
static int sys_own_globals(lua_State *L) {
  if (lua_getfield(L, LUA_REGISTRYINDEX, own_globals) == LUA_TTABLE)
    return 0;
  lua_settop(L, 0);
  copy_globals(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, chunks);
  for (lua_Integer i = 1; lua_rawgeti(L, 2, i) == LUA_TFUNCTION; i++) {
    lua_pushvalue(L, 1);
    lua_setupvalue(L, 3, 1);
    lua_settop(L, 2);
  }
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, own_globals);
  lua_pushnil(L);
  lua_setfield(L, LUA_REGISTRYINDEX, chunks);
  return 0;
}

/* -- modules -------------------------------------------------------------- */

/* Pushes the chunk of a module: compiled, where the program brought that. */
static void push_chunk(lua_State *L, const char *path) {
  const Embedded *e = source_tree() == NULL ? find_bytecode(path) : NULL;
  const char *name = lua_pushfstring(L, "@%s", path + strlen("lua/"));
  const char *mode = e != NULL ? "b" : "t";
  if (e == NULL)
    push_text(L, path);
  const char *chunk = e != NULL ? e->text : lua_tostring(L, -1);
  size_t size = e != NULL ? (size_t)(e->end - e->text) : lua_rawlen(L, -1);
  if (luaL_loadbufferx(L, chunk, size, name, mode) != LUA_OK)
    lua_error(L);
  set_globals(L);
}

/* The loader of each module of ours: loads and runs it. */
static int embedded_loader(lua_State *L) {
  const char *module = luaL_checkstring(L, 1);
  const Embedded *e = find_module(module);
  if (e == NULL)
    return luaL_error(L, "module '%s' is not embedded", module);
  push_chunk(L, e->path);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/* What package.preload answers for a name that it does not hold: it need not
   be filled at each start. */
static int find_loader(lua_State *L) {
  const char *module = lua_tostring(L, 2);
  if (module == NULL || find_module(module) == NULL)
    return 0;
  lua_pushcfunction(L, embedded_loader);
  return 1;
}

/* nslua.sys.embedded([path]) -> text | nil, or the list of all paths */
static int sys_embedded(lua_State *L) {
  if (!lua_isnoneornil(L, 1))
    return push_text(L, luaL_checkstring(L, 1));
  lua_newtable(L);
  for (int i = 0; embedded_files[i].path != NULL; i++) {
    lua_pushstring(L, embedded_files[i].path);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* -- shared objects of our own: nslua/fetch.so and its like --------------- */

/* The program or library that this is, as a whole path; "" is not known. */
static char own_file[4096];

static void set_own_file(const char *file) {
  char here[2048] = "";
  bool relative = *file != '/' && strchr(file, '/') != NULL;
  if (relative && getcwd(here, sizeof here) == NULL)
    *here = '\0';
  if (*file == '/' || *here != '\0')
    snprintf(own_file, sizeof own_file, "%s%s%.2000s", here,
             relative ? "/" : "", file);
}

/* While it can be seen: roots and directories change later. */
static void find_own_file(void) {
  Dl_info info;
  if (dladdr((void *)embedded_files, &info) != 0 &&
      strstr(info.dli_fname, ".so") != NULL) {
    set_own_file(info.dli_fname);
    return;
  }
  ssize_t n = readlink("/proc/self/exe", own_file, sizeof own_file - 1);
  own_file[n > 0 ? n : 0] = '\0';
  unsigned long address = n > 0 ? 0 : getauxval(AT_EXECFN);
  const char *started; /* no /proc: as it was started */
  memcpy(&started, &address, sizeof started);
  if (started != NULL)
    set_own_file(started);
}

/* nslua.sys.own_file() -> path of the program or library that this is, or "" */
static int sys_own_file(lua_State *L) {
  lua_pushstring(L, own_file);
  return 1;
}

/* nslua.sys.library_paths() -> where a shared object of ours may stand:
   beside a library, in a checkout, beside the program, installed (from
   bin/nslua, from lib/lua/5.4/nslua.so) */
static int sys_library_paths(lua_State *L) {
  static const char *const below[] = {"/nslua/?.so", "/build/nslua/?.so",
                                      "/?.so", "/../lib/nslua/?.so",
                                      "/../../nslua/?.so"};
  lua_settop(L, 0);
  const char *slash = strrchr(own_file, '/');
  lua_pushlstring(L, own_file, slash ? (size_t)(slash - own_file) : 0);
  lua_newtable(L);
  for (int i = 0; i < (int)(sizeof below / sizeof *below); i++) {
    lua_pushfstring(L, "%s%s", lua_tostring(L, 1), below[i]);
    lua_rawseti(L, 2, i + 1);
  }
  return 1;
}

/* nslua.sys.load_library(path, function) -> function | nil, message, dlopen(3)
   As package.loadlib, but with its symbols bound when they are used: what
   libcurl and libarchive bring along has tens of thousands. */
static int sys_load_library(lua_State *L) {
  void *library = dlopen(luaL_checkstring(L, 1), RTLD_LAZY | RTLD_LOCAL);
  void *symbol =
    library != NULL ? dlsym(library, luaL_checkstring(L, 2)) : NULL;
  lua_CFunction function;
  if (symbol == NULL) {
    lua_pushnil(L);
    lua_pushstring(L, dlerror());
    return 2;
  }
  memcpy(&function, &symbol, sizeof function);
  lua_pushcfunction(L, function);
  return 1;
}

static const luaL_Reg funcs[] = {
  {"embedded", sys_embedded},
  {"library_paths", sys_library_paths},
  {"load_library", sys_load_library},
  {"own_file", sys_own_file},
  {"own_globals", sys_own_globals},
  {NULL, NULL},
};

/* -- entry points --------------------------------------------------------- */

/* While the domains open, nslua.sys is at the bottom of the stack. */
void lib_internals(lua_State *L, const luaL_Reg *functions) {
  lua_pushvalue(L, 1);
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
}

/* require "nslua.sys": what Lua modules of ours need from C; its field
   `primitives` is the table that becomes `ns`. */
static int luaopen_nslua_sys(lua_State *L) {
  static void (*const domains[])(lua_State *) = {
    ns_open,    setns_open, back_open,  proc_open,  fork_open,
    prctl_open, file_open,  io_open,    poll_open,  tty_open,
    path_open,  mount_open, tree_open,  mountinfo_open,
    cred_open,  caps_open,  rlimit_open, uts_open,  idmap_open,
    scan_open,  ps_open,    netid_open, subid_open, clock_open,
    nets_open,  regex_open,
  };
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  luaL_checkversion(L);
  pthread_once(&once, find_own_file);
  lua_settop(L, 0);
  lua_createtable(L, 0, 64);
  luaL_setfuncs(L, funcs, 0);
  lua_pushliteral(L, NSLUA_VERSION);
  lua_setfield(L, 1, "version");
  lua_pushliteral(L, LUA_RELEASE);
  lua_setfield(L, 1, "lua_release");
  lua_pushliteral(L, LUA_COPYRIGHT);
  lua_setfield(L, 1, "lua_copyright");
  lua_getfield(L, LUA_REGISTRYINDEX, "nslua.prompt"); /* the program's */
  lua_setfield(L, 1, "prompt");
  lib_open(L);
  error_open(L);
  word_open(L);
  argument_open(L);
  handle_open(L);
  clone_open(L);
  family_open(L);
  lua_createtable(L, 0, 128);
  for (size_t i = 0; i < sizeof domains / sizeof *domains; i++) {
    domains[i](L);
    lua_settop(L, 2);
  }
  lua_setfield(L, 1, "primitives");
  return 1;
}

void nslua_openlibs(lua_State *L) {
  luaL_checkstack(L, 6, "nslua");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_nslua_sys);
  lua_setfield(L, -2, "nslua.sys");
  if (!lua_getmetatable(L, -1))
    lua_createtable(L, 0, 1);
  lua_pushcfunction(L, find_loader);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}

/* require "nslua" in a stock Lua that found nslua.so on package.cpath */
int luaopen_nslua(lua_State *L) {
  nslua_openlibs(L);
  lua_pushcfunction(L, embedded_loader);
  lua_pushliteral(L, "nslua");
  lua_call(L, 1, 1);
  return 1;
}

unsigned nslua_forked(void) { return lib_generation(); }
