/* SPDX-License-Identifier: MIT
 *
 * address.c - the addresses of links, IPv4 and IPv6. ip-address(8),
 * rtnetlink(7).
 */
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <netlink/route/addr.h>
#include <netlink/route/rtnl.h>

#include "net.h"

static void push_address(lua_State *L, struct rtnl_addr *a) {
  char text[64];
  lua_createtable(L, 0, 8);
  net_set_integer(L, "index", rtnl_addr_get_ifindex(a));
  net_set_string(L, "family",
                 rtnl_addr_get_family(a) == AF_INET ? "inet" : "inet6");
  net_set_address(L, "address", rtnl_addr_get_local(a));
  net_set_integer(L, "prefix", rtnl_addr_get_prefixlen(a));
  net_set_address(L, "peer", rtnl_addr_get_peer(a));
  net_set_address(L, "broadcast", rtnl_addr_get_broadcast(a));
  net_set_string(L, "label", rtnl_addr_get_label(a));
  net_set_string(
    L, "scope", rtnl_scope2str(rtnl_addr_get_scope(a), text, sizeof text));
  lua_pushboolean(L, (rtnl_addr_get_flags(a) & IFA_F_TENTATIVE) != 0);
  lua_setfield(L, -2, "tentative");
}

/* socket:addresses() -> rows | nil, errno, text */
static int address_list(lua_State *L) {
  net_Socket *s = net_check(L);
  net_Dump *dump = net_dump_box(L);
  int result = net_dump(s, dump, RTM_GETADDR);
  if (result < 0)
    return net_refused(L, s, result);
  lua_createtable(L, (int)dump->count, 0);
  for (size_t i = 0; i < dump->count; i++) {
    push_address(L, (struct rtnl_addr *)dump->list[i].object);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* {index, address = "10.0.0.1/24", peer, broadcast, label, nodad} */
static struct rtnl_addr *read_address(lua_State *L) {
  lua_Integer index = 0;
  luaL_checktype(L, 2, LUA_TTABLE);
  struct nl_addr *local = net_address(L, 2, "address", AF_UNSPEC);
  struct nl_addr *peer = net_address(L, 2, "peer", AF_UNSPEC);
  struct nl_addr *broadcast = net_address(L, 2, "broadcast", AF_UNSPEC);
  const char *label = net_string(L, 2, "label");
  if (local == NULL || !net_integer(L, 2, "index", &index))
    luaL_error(L, "an address and a link's index are needed");
  void **box = net_box(L, net_release_object);
  struct rtnl_addr *a = net_got(L, box, rtnl_addr_alloc());
  rtnl_addr_set_ifindex(a, (int)index);
  rtnl_addr_set_local(a, local);
  if (peer != NULL)
    rtnl_addr_set_peer(a, peer);
  if (broadcast != NULL)
    rtnl_addr_set_broadcast(a, broadcast);
  if (label != NULL)
    rtnl_addr_set_label(a, label);
  if (net_true(L, 2, "nodad"))
    rtnl_addr_set_flags(a, IFA_F_NODAD);
  return a;
}

/* socket:add_address(options) -> true | nil, errno, text */
static int address_add(lua_State *L) {
  struct nl_msg *msg = NULL;
  net_Socket *s = net_check(L);
  struct rtnl_addr *a = read_address(L);
  int built =
    rtnl_addr_build_add_request(a, NLM_F_CREATE | NLM_F_EXCL, &msg);
  return net_send(L, s, built, msg);
}

/* socket:delete_address(options) -> true | nil, errno, text */
static int address_delete(lua_State *L) {
  struct nl_msg *msg = NULL;
  net_Socket *s = net_check(L);
  struct rtnl_addr *a = read_address(L);
  int built = rtnl_addr_build_delete_request(a, 0, &msg);
  return net_send(L, s, built, msg);
}

const luaL_Reg net_address_methods[] = {
  {"add_address", address_add},
  {"addresses", address_list},
  {"delete_address", address_delete},
  {NULL, NULL},
};
