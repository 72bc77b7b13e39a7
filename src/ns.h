/* SPDX-License-Identifier: MIT
 *
 * ns.h - handles on namespaces, for the files that change the namespaces of
 * this process or go into others (setns.c, back.c, nets.c).
 */
#ifndef NSLUA_NS_H
#define NSLUA_NS_H

#include "lib.h"

/* Pushes a handle on one namespace of a process, by its index in lib_nstypes.
   pid 0 is the caller; a kernel without that type leaves nil. */
void ns_push(lua_State *L, pid_t pid, int pidfd, int index);
/* Pushes { user = Ns, mnt = Ns, ... } of a process. */
void ns_push_all(lua_State *L, pid_t pid, int pidfd);
/* Pushes the namespace that a file stands for. */
void ns_push_path(lua_State *L, const char *path);
/* Is it the one we are in? For pid and time: where our children will be. */
bool ns_is_current(const lib_Ns *ns);

#endif
