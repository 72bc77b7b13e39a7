/* SPDX-License-Identifier: MIT
 *
 * arena.c - the memory of the program's Lua state: small blocks are cut from
 * large pieces and kept in lists by size, the rest is malloc's. The first
 * piece is populated by the call that maps it, so that a short script has no
 * page faults for its heap; when the state closes, blocks are not given back
 * one by one, the process ends with all of them. A build with a sanitizer
 * leaves all of it to malloc, which the sanitizer watches.
 */
#include "arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

enum {
  GRAIN = 16,
  LARGEST = 2048, /* what is larger goes to malloc */
  CLASSES = LARGEST / GRAIN + 1,
  FIRST = 32 * 1024,
  PIECE = 256 * 1024,
};

typedef struct Block {
  struct Block *next;
} Block;

typedef struct Arena {
  Block *free[CLASSES];
  char *next, *end; /* what is left of the newest piece */
  size_t size;      /* of that piece */
  bool closing;
  int status;       /* what the program ends with, then */
} Arena;

static Arena arena; /* the program has one state */

static size_t class_of(size_t size) { return (size + GRAIN - 1) / GRAIN; }

/* The rest of the old piece is lost: less than LARGEST bytes. The first one,
   which every program fills, and the second, which require "nslua" fills, come
   with their pages: that is cheaper than to touch them one by one. */
static bool new_piece(Arena *a) {
  size_t size = a->size == 0 ? FIRST : a->size < PIECE ? 2 * a->size : PIECE;
  int populate = size <= 2UL * FIRST ? MAP_POPULATE : 0;
  void *piece = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | populate, -1, 0);
  if (piece == MAP_FAILED)
    return false;
  a->next = piece;
  a->end = a->next + size;
  a->size = size;
  return true;
}

static void *take(Arena *a, size_t size) {
  if (size > LARGEST)
    return malloc(size);
  size_t class = class_of(size);
  Block *block = a->free[class];
  if (block != NULL) {
    a->free[class] = block->next;
    return block;
  }
  if ((size_t)(a->end - a->next) < class * GRAIN && !new_piece(a))
    return NULL;
  block = (Block *)a->next;
  a->next += class * GRAIN;
  return block;
}

static void give(Arena *a, void *memory, size_t size) {
  if (a->closing)
    return;
  if (size > LARGEST) {
    free(memory);
    return;
  }
  Block *block = memory;
  block->next = a->free[class_of(size)];
  a->free[class_of(size)] = block;
}

/* lua_Alloc: without a block, `old` tells a type and no size. */
static void *allocate(void *ud, void *memory, size_t old, size_t size) {
  Arena *a = ud;
  if (memory == NULL)
    return size == 0 ? NULL : take(a, size);
  if (size == 0) {
    if (old > 0)
      give(a, memory, old);
    return NULL;
  }
  if (old > LARGEST && size > LARGEST)
    return realloc(memory, size);
  if (old <= LARGEST && size <= LARGEST && class_of(old) == class_of(size))
    return memory;
  void *moved = take(a, size);
  if (moved == NULL)
    return NULL;
  memcpy(moved, memory, old < size ? old : size);
  give(a, memory, old);
  return moved;
}

static int panic(lua_State *L) {
  const char *message = lua_tostring(L, -1);
  fprintf(stderr, "PANIC: unprotected error in call to Lua API (%s)\n",
          message != NULL ? message : "error object is not a string");
  return 0; /* abort */
}

lua_State *arena_newstate(void) {
  if (SANITIZED)
    return luaL_newstate();
  lua_State *L = lua_newstate(allocate, &arena);
  if (L != NULL)
    lua_atpanic(L, panic);
  return L;
}

/* Finalizers run in the reverse order of their marking: when this one comes,
   first marked, all others have run. What lua_close would do from here on is
   to give back block by block. */
static int last_finalizer(lua_State *L) {
  (void)L;
  if (arena.closing)
    exit(arena.status);
  return 0;
}

void arena_mark_first(lua_State *L) {
  if (SANITIZED)
    return;
  lua_newuserdatauv(L, 0, 0);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, last_finalizer);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &arena);
}

void arena_close(lua_State *L, int status) {
  arena.closing = true;
  arena.status = status;
  lua_close(L);
  exit(status);
}
