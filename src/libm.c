/* SPDX-License-Identifier: MIT
 *
 * libm.c - the mathematical functions of Lua, opened at their first call: a
 * shared library more is a fifteenth of the time of each start, and most
 * programs never ask for a sine. It is opened before the root changes, since
 * another root may not have it. Without glibc they are in libc.
 */
#include <features.h>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)

#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib.h"

static void *library;

void libm_open(void) {
  if (library == NULL)
    library = dlopen(LIBM_SO, RTLD_NOW | RTLD_LOCAL);
}

/* As libc does when a part of it is missing: no caller expects a refusal. */
static void *find(const char *name) {
  libm_open();
  void *function = library != NULL ? dlsym(library, name) : NULL;
  if (function == NULL) {
    fputs("nslua: " LIBM_SO " is out of reach: use a mathematical function "
          "once before the root changes\n", stderr);
    abort();
  }
  return function;
}

#define LAZY1(name)                                                            \
  double name(double x) {                                                      \
    static double (*function)(double);                                         \
    if (function == NULL)                                                      \
      function = (double (*)(double))find(#name);                              \
    return function(x);                                                        \
  }

#define LAZY2(name)                                                            \
  double name(double x, double y) {                                            \
    static double (*function)(double, double);                                 \
    if (function == NULL)                                                      \
      function = (double (*)(double, double))find(#name);                      \
    return function(x, y);                                                     \
  }

LAZY1(acos)
LAZY1(asin)
LAZY1(cos)
LAZY1(cosh)
LAZY1(exp)
LAZY1(log)
LAZY1(log10)
LAZY1(log2)
LAZY1(sin)
LAZY1(sinh)
LAZY1(sqrt)
LAZY1(tan)
LAZY1(tanh)
LAZY2(atan2)
LAZY2(fmod)
LAZY2(pow)

#endif
