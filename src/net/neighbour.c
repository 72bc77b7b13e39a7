/* SPDX-License-Identifier: MIT
 *
 * neighbour.c - who has which hardware address: permanent entries, many in one
 * message. The kernel's own table is one for all network namespaces and keeps
 * only so many that it learned (gc_thresh3); these do not count. arp(7),
 * ip-neighbour(8).
 */
#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>

#include <netlink/route/neighbour.h>

#include "net.h"

/* Messages behind each other, sent as one. */
typedef struct Batch {
  char *bytes;
  size_t length, room;
} Batch;

static void release_batch(void *object) { free(((Batch *)object)->bytes); }

/* Takes the message; the last one alone asks for an answer. */
static int add_message(Batch *batch, net_Socket *s, struct nl_msg *msg,
                       bool last) {
  struct nlmsghdr *head = nlmsg_hdr(msg);
  nl_complete_msg(s->sock, msg);
  if (!last)
    head->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
  size_t size = NLMSG_ALIGN(head->nlmsg_len);
  if (batch->bytes == NULL || batch->length + size > batch->room) {
    size_t room = batch->room * 2 + size + 4096;
    char *bytes = realloc(batch->bytes, room);
    if (bytes == NULL) {
      nlmsg_free(msg);
      return -NLE_NOMEM;
    }
    batch->bytes = bytes;
    batch->room = room;
  }
  memset(batch->bytes + batch->length, 0, size);
  memcpy(batch->bytes + batch->length, head, head->nlmsg_len);
  batch->length += size;
  nlmsg_free(msg);
  return 0;
}

/* [..., mac, address] -> the entry, in a box */
static struct rtnl_neigh *read_entry(lua_State *L, int index) {
  struct nl_addr *mac = NULL, *address = NULL;
  void **mac_box = net_box(L, net_release_address);
  void **address_box = net_box(L, net_release_address);
  const char *address_text = luaL_checkstring(L, -3);
  const char *mac_text = luaL_checkstring(L, -4);
  if (nl_addr_parse(mac_text, AF_LLC, &mac) < 0 ||
      (*mac_box = mac, nl_addr_parse(address_text, AF_UNSPEC, &address)) < 0)
    luaL_error(L, "\"%s\", \"%s\" are no addresses", mac_text, address_text);
  *address_box = address;
  void **box = net_box(L, net_release_object);
  struct rtnl_neigh *entry = net_got(L, box, rtnl_neigh_alloc());
  rtnl_neigh_set_ifindex(entry, index);
  rtnl_neigh_set_lladdr(entry, mac);
  rtnl_neigh_set_dst(entry, address);
  rtnl_neigh_set_state(entry, NUD_PERMANENT);
  return entry;
}

/* socket:add_neighbours(index, {mac, address, mac, address ...})
   -> true | nil, errno, text */
static int neighbour_add(lua_State *L) {
  net_Socket *s = net_check(L);
  int index = (int)luaL_checkinteger(L, 2), result = 0;
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 3);
  luaL_argcheck(L, n > 0 && n % 2 == 0 && n <= 1000, 3, "pairs expected");
  Batch *batch = lua_newuserdatauv(L, sizeof *batch, 0);
  *batch = (Batch){NULL, 0, 0};
  *net_box(L, release_batch) = batch;
  lua_pushvalue(L, -2);
  lua_setiuservalue(L, -2, 1); /* it is read when the box is collected */
  int top = lua_gettop(L);
  for (lua_Integer i = 1; i < n && result == 0; i += 2) {
    struct nl_msg *msg;
    lua_rawgeti(L, 3, i);
    lua_rawgeti(L, 3, i + 1);
    struct rtnl_neigh *entry = read_entry(L, index);
    result = rtnl_neigh_build_add_request(
      entry, NLM_F_CREATE | NLM_F_REPLACE, &msg);
    if (result == 0)
      result = add_message(batch, s, msg, i + 1 == n);
    lua_settop(L, top);
  }
  net_begin(s);
  if (result == 0)
    result = nl_sendto(s->sock, batch->bytes, batch->length);
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
