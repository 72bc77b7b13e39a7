/* SPDX-License-Identifier: MIT
 *
 * netid.h - the number by which one network namespace knows another, asked of
 * the kernel through rtnetlink. Shared by netid.c and scan.c.
 */
#ifndef NSLUA_NETID_H
#define NSLUA_NETID_H

/* The number that the caller's network namespace has for the one in `fd`:
   -1 none, -2 the kernel does not say. *sock is opened when it is -1. */
int netid_ask(int *sock, int fd);

#endif
