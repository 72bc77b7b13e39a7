/* SPDX-License-Identifier: MIT
 *
 * embed.c - takes the Lua files and the reaper's ELF image into the binary.
 * build/embed.inc has one line FILE(id, module, path) for each of them.
 */
#include "embed.h"

#pragma GCC visibility push(hidden)
INCBIN(reaper_image, "build/reaper")

#define FILE(id, module, path)                                                 \
  INCBIN(embedded_##id, path)                                                  \
  extern const char embedded_##id[], embedded_##id##_end[];
#include "embed.inc"
#undef FILE

#define FILE(id, module, path)                                                 \
  {path, module, embedded_##id, embedded_##id##_end},
const Embedded embedded_files[] = {
#include "embed.inc"
  {NULL, NULL, NULL, NULL},
};
const size_t embedded_count =
    sizeof embedded_files / sizeof *embedded_files - 1;
#pragma GCC visibility pop
