/* SPDX-License-Identifier: MIT
 *
 * net.h - the page that the parts of nslua/net.so share: a netlink socket, a
 * box that frees an object of libnl whatever Lua does, how a request is sent.
 */
#ifndef NSLUA_NET_H
#define NSLUA_NET_H

#include <stdbool.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>
#include <netlink/addr.h>
#include <netlink/object.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#define NET_SOCKET "nslua.net.Socket"

typedef struct net_Socket {
  struct nl_sock *sock;
  bool acknowledged; /* the last request */
  int error_number;  /* of its refusal */
  char text[160];   /* what the kernel said of it, "" mostly */
} net_Socket;

net_Socket *net_check(lua_State *L);

/* Pushes a userdata that will release the object; made before the object is:
   `*net_box(L, f) = object`. */
typedef void net_Release(void *object);
void **net_box(lua_State *L, net_Release *release);
net_Release net_release_object, net_release_address;

/* Takes an object that libnl made, or raises for want of memory. */
void *net_got(lua_State *L, void **box, void *object);

/* Sends what was built (`built` is libnl's result) and waits for the answer:
   true | nil, errno, text. */
int net_send(lua_State *L, net_Socket *s, int built, struct nl_msg *msg);
/* Waits for the acknowledgement, whatever comes before it. */
int net_wait(net_Socket *s);
/* nil, errno, text for a result of libnl that is not 0. */
int net_refused(lua_State *L, net_Socket *s, int result);
/* Forgets the refusal before. */
void net_begin(net_Socket *s);

/* All objects of a kind, as the kernel lists them: libnl's caches would take
   two routes to one network for one. A link knows too in which other network
   namespace its peer is. */
typedef struct net_Dump {
  struct net_Dumped {
    struct nl_object *object;
    int netnsid; /* or -1 */
  } *list;
  size_t count, room;
} net_Dump;

net_Dump *net_dump_box(lua_State *L);
int net_dump(net_Socket *s, net_Dump *dump, int request);

/* Fields of the options table at `arg`. */
bool net_integer(lua_State *L, int arg, const char *key, lua_Integer *value);
const char *net_string(lua_State *L, int arg, const char *key);
bool net_true(lua_State *L, int arg, const char *key);
/* An address, in a box that stays on the stack; NULL when there is none. */
struct nl_addr *net_address(lua_State *L, int arg, const char *key,
                            int family);
void net_set_integer(lua_State *L, const char *key, lua_Integer value);
void net_set_string(lua_State *L, const char *key, const char *value);
/* The text of an address without its prefix. */
void net_set_address(lua_State *L, const char *key, const struct nl_addr *a);

extern const luaL_Reg net_link_methods[], net_address_methods[],
  net_route_methods[], net_neighbour_methods[], net_netem_methods[];
void net_ping_open(lua_State *L);
void net_nft_open(lua_State *L);

#endif
