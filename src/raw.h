/* SPDX-License-Identifier: MIT
 *
 * raw.h - system calls without libc, for code that runs where libc must not:
 * a child that shares its parent's memory (errno would be the parent's) and
 * the reaper (which has no libc). A negative result is -errno.
 */
#ifndef NSLUA_RAW_H
#define NSLUA_RAW_H

#include <sys/syscall.h>

#if defined(__x86_64__)

static inline long raw6(long number, long a, long b, long c, long d, long e,
                        long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
                     "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

/* Makes a child that starts in `entry(arg)` on a stack of its own (the last
   two arguments of the call say which) and ends when entry returns. */
static inline long raw_clone(long number, long a, long b, long c,
                             void (*entry)(void *), void *arg) {
  long result;
  register void (*fn)(void *) __asm__("r12") = entry;
  register void *data __asm__("r13") = arg;
  register long r10 __asm__("r10") = 0;
  register long r8 __asm__("r8") = 0;
  __asm__ volatile("syscall\n"
                   "test %%rax, %%rax\n"
                   "jnz 1f\n"
                   "xor %%ebp, %%ebp\n"
                   "and $-16, %%rsp\n"
                   "mov %%r13, %%rdi\n"
                   "call *%%r12\n"
                   "mov $60, %%eax\n" /* exit(2) */
                   "xor %%edi, %%edi\n"
                   "syscall\n"
                   "1:\n"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
                     "r"(fn), "r"(data)
                   : "rcx", "r11", "memory");
  return result;
}

#elif defined(__aarch64__)

static inline long raw6(long number, long a, long b, long c, long d, long e,
                        long f) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
}

static inline long raw_clone(long number, long a, long b, long c,
                             void (*entry)(void *), void *arg) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = 0;
  register long x4 __asm__("x4") = 0;
  register void (*fn)(void *) __asm__("x10") = entry;
  register void *data __asm__("x11") = arg;
  __asm__ volatile("svc 0\n"
                   "cbnz x0, 1f\n"
                   "mov x29, 0\n"
                   "mov x0, x11\n"
                   "blr x10\n"
                   "mov x0, 0\n"
                   "mov x8, 93\n" /* exit(2) */
                   "svc 0\n"
                   "1:\n"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(fn),
                     "r"(data)
                   : "memory", "x30");
  return x0;
}

#else
#error "nslua knows x86-64 and aarch64"
#endif

#define RAW(n, a, b, c, d, e, f)                                               \
  raw6((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define RAW0(n) RAW(n, 0, 0, 0, 0, 0, 0)
#define RAW1(n, a) RAW(n, a, 0, 0, 0, 0, 0)
#define RAW2(n, a, b) RAW(n, a, b, 0, 0, 0, 0)
#define RAW3(n, a, b, c) RAW(n, a, b, c, 0, 0, 0)
#define RAW4(n, a, b, c, d) RAW(n, a, b, c, d, 0, 0)
#define RAW5(n, a, b, c, d, e) RAW(n, a, b, c, d, e, 0)

/* Results that somebody looks at. */
#define E_PERM (-1)
#define E_NOENT (-2)
#define E_ACCES (-13)
#define E_EXIST (-17)
#define E_NOTDIR (-20)
#define E_INVAL (-22)
#define E_NAMETOOLONG (-36)
#define E_NOSYS (-38)

#endif
