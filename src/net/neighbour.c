/* SPDX-License-Identifier: MIT
 *
 * neighbour.c - who has which hardware address: permanent entries, many in one
 * message. The kernel's own table is one for all network namespaces and keeps
 * only so many that it learned (gc_thresh3); these do not count. What is sent
 * is written by hand: there are thousands of them, all alike. arp(7),
 * ip-neighbour(8), rtnetlink(7).
 */
#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/ether.h>
#include <stddef.h>
#include <string.h>

#include "net.h"

enum { MOST = 500, ATTRIBUTE = sizeof(struct nlattr) };

/* One message; the address is last, as its length depends on the family. */
typedef struct Entry {
  struct nlmsghdr head;
  struct ndmsg about;
  struct nlattr mac_head;
  struct ether_addr mac;
  char padding[2];
  struct nlattr address_head;
  unsigned char address[16];
} Entry;

/* [..., mac, address] -> the entry; how long it is */
static size_t read_entry(lua_State *L, Entry *e, int index) {
  const char *mac = luaL_checkstring(L, -2);
  const char *address = luaL_checkstring(L, -1);
  int family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
  size_t length = family == AF_INET6 ? 16 : 4;
  memset(e, 0, sizeof *e);
  if (ether_aton_r(mac, &e->mac) == NULL ||
      inet_pton(family, address, e->address) != 1)
    luaL_error(L, "\"%s\", \"%s\" are no addresses", mac, address);
  e->about.ndm_family = (unsigned char)family;
  e->about.ndm_ifindex = index;
  e->about.ndm_state = NUD_PERMANENT;
  e->mac_head.nla_type = NDA_LLADDR;
  e->mac_head.nla_len = ATTRIBUTE + sizeof e->mac;
  e->address_head.nla_type = NDA_DST;
  e->address_head.nla_len = (unsigned short)(ATTRIBUTE + length);
  e->head.nlmsg_type = RTM_NEWNEIGH;
  e->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;
  e->head.nlmsg_len = (unsigned)(offsetof(Entry, address) + length);
  return e->head.nlmsg_len;
}

/* socket:add_neighbours(index, {mac, address, mac, address ...})
   -> true | nil, errno, text */
static int neighbour_add(lua_State *L) {
  net_Socket *s = net_check(L);
  int index = (int)luaL_checkinteger(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 3);
  luaL_argcheck(L, n > 0 && n % 2 == 0 && n / 2 <= MOST, 3, "pairs expected");
  char *bytes = lua_newuserdatauv(L, sizeof(Entry) * MOST, 0);
  size_t length = 0;
  Entry e;
  for (lua_Integer i = 1; i < n; i += 2) {
    lua_rawgeti(L, 3, i);
    lua_rawgeti(L, 3, i + 1);
    size_t more = read_entry(L, &e, index);
    if (i + 1 == n) /* the last one alone asks for an answer */
      e.head.nlmsg_flags |= NLM_F_ACK;
    memcpy(bytes + length, &e, more);
    length += more;
    lua_pop(L, 2);
  }
  net_begin(s);
  int result = nl_sendto(s->sock, bytes, length);
  if (result >= 0)
    result = net_wait(s);
  if (result < 0)
    return net_refused(L, s, result);
  lua_pushboolean(L, 1);
  return 1;
}

const luaL_Reg net_neighbour_methods[] = {
  {"add_neighbours", neighbour_add},
  {NULL, NULL},
};
