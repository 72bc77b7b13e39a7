/* SPDX-License-Identifier: MIT
 *
 * tiny.c - the program that benchmarks start: no libc, one system call, so
 * that what starts it is what is measured.
 */
__attribute__((noreturn)) void _start(void);

__attribute__((noreturn)) void _start(void) {
#if defined(__x86_64__)
  __asm__ volatile("syscall" ::"a"(60), "D"(0));
#elif defined(__aarch64__)
  register long status __asm__("x0") = 0;
  register long call __asm__("x8") = 93;
  __asm__ volatile("svc 0" ::"r"(status), "r"(call));
#else
#error "exit(2) for this machine, please"
#endif
  __builtin_unreachable();
}
