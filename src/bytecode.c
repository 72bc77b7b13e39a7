/* SPDX-License-Identifier: MIT
 *
 * bytecode.c - our Lua modules once more, compiled: the program carries its
 * own Lua, so it need not read their text when it starts. The library is
 * loaded by Luas whose bytecode may differ and goes without this file.
 */
#include "embed.h"

#pragma GCC visibility push(hidden)
#define FILE(id, module, path)                                                 \
  INCBIN(bytecode_##id, "build/bytecode/" path)                                \
  extern const char bytecode_##id[], bytecode_##id##_end[];
#include "bytecode.order"
#undef FILE

#define FILE(id, module, path)                                                 \
  {path, module, bytecode_##id, bytecode_##id##_end},
const Embedded embedded_bytecode[] = {
#include "bytecode.inc"
  {NULL, NULL, NULL, NULL},
};
const size_t bytecode_count =
    sizeof embedded_bytecode / sizeof *embedded_bytecode - 1;
#pragma GCC visibility pop
