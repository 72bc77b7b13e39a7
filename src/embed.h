/* SPDX-License-Identifier: MIT
 *
 * embed.h - the Lua files inside the binary. The list of them is generated
 * (build/embed.inc); their text is taken in by the assembler.
 */
#ifndef NSLUA_EMBED_H
#define NSLUA_EMBED_H

typedef struct Embedded {
  const char *path;   /* "lua/nslua/box.lua", "scripts/pid.lua" */
  const char *module; /* "nslua.box"; NULL when it is no module */
  const char *text;
  const char *end;
} Embedded;

extern const Embedded embedded_files[]; /* ends with a null path */

/* The program of PID 1 (reaper.c), as an ELF image. */
extern const char reaper_image[], reaper_image_end[];

#endif
