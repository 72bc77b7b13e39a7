/* SPDX-License-Identifier: MIT
 *
 * embed.h - the Lua files inside the binary. The list of them is generated
 * (build/embed.inc); their text is taken in by the assembler.
 */
#ifndef NSLUA_EMBED_H
#define NSLUA_EMBED_H

#include <stddef.h>

typedef struct Embedded {
  const char *path;   /* "lua/nslua/box.lua", "scripts/pid.lua" */
  const char *module; /* "nslua.box"; NULL when it is no module */
  const char *text;
  const char *end;
} Embedded;

#pragma GCC visibility push(hidden)
/* Both are sorted by path and end with a null path. */
extern const Embedded embedded_files[];
extern const size_t embedded_count;

/* Compiled modules, in the program only: null pointers in the library. */
extern const Embedded embedded_bytecode[] __attribute__((weak));
extern const size_t bytecode_count __attribute__((weak));

/* The program of PID 1 (reaper.c), as an ELF image. */
extern const char reaper_image[], reaper_image_end[];
#pragma GCC visibility pop

/* Takes a file into the binary between the symbols id and id_end. */
#define INCBIN(id, path)                                                       \
  __asm__(".section .embedded,\"a\"\n"                                        \
          ".balign 16\n"                                                       \
          ".globl " #id "\n.hidden " #id "\n" #id ":\n"                        \
          ".incbin \"" path "\"\n"                                             \
          ".globl " #id "_end\n.hidden " #id "_end\n" #id "_end:\n"            \
          ".byte 0\n"                                                          \
          ".previous\n");

#endif
