/* SPDX-License-Identifier: MIT
 *
 * link.c - links: list, make, change and delete them. A network namespace is a
 * descriptor, another link an index. ip-link(8), rtnetlink(7), veth(4).
 */
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <limits.h>
#include <string.h>

#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/link/vxlan.h>

#include "net.h"

/* As ip(8) orders them. */
static const struct {
  unsigned bit;
  const char *word;
} flags[] = {
  {IFF_LOOPBACK, "LOOPBACK"},   {IFF_BROADCAST, "BROADCAST"},
  {IFF_POINTOPOINT, "POINTOPOINT"}, {IFF_MULTICAST, "MULTICAST"},
  {IFF_NOARP, "NOARP"},         {IFF_ALLMULTI, "ALLMULTI"},
  {IFF_PROMISC, "PROMISC"},     {IFF_MASTER, "MASTER"},
  {IFF_SLAVE, "SLAVE"},         {IFF_UP, "UP"},
  {IFF_LOWER_UP, "LOWER_UP"},   {IFF_DORMANT, "DORMANT"},
};

static const struct {
  rtnl_link_stat_id_t id;
  const char *key;
} statistics[] = {
  {RTNL_LINK_RX_PACKETS, "rx_packets"}, {RTNL_LINK_RX_BYTES, "rx_bytes"},
  {RTNL_LINK_RX_ERRORS, "rx_errors"},   {RTNL_LINK_RX_DROPPED, "rx_dropped"},
  {RTNL_LINK_TX_PACKETS, "tx_packets"}, {RTNL_LINK_TX_BYTES, "tx_bytes"},
  {RTNL_LINK_TX_ERRORS, "tx_errors"},   {RTNL_LINK_TX_DROPPED, "tx_dropped"},
  {RTNL_LINK_MULTICAST, "multicast"},   {RTNL_LINK_COLLISIONS, "collisions"},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void push_flags(lua_State *L, unsigned bits) {
  int n = 0;
  lua_newtable(L);
  if ((bits & IFF_UP) != 0 && (bits & IFF_RUNNING) == 0) {
    lua_pushliteral(L, "NO-CARRIER");
    lua_rawseti(L, -2, ++n);
  }
  for (size_t i = 0; i < COUNT(flags); i++)
    if ((bits & flags[i].bit) != 0) {
      lua_pushstring(L, flags[i].word);
      lua_rawseti(L, -2, ++n);
    }
}

static void push_vxlan(lua_State *L, struct rtnl_link *link) {
  uint32_t id;
  if (rtnl_link_is_vxlan(link) && rtnl_link_vxlan_get_id(link, &id) == 0)
    net_set_integer(L, "id", id);
}

static void push_link(lua_State *L, struct rtnl_link *link) {
  char state[32];
  lua_createtable(L, 0, 12);
  net_set_integer(L, "index", rtnl_link_get_ifindex(link));
  net_set_string(L, "name", rtnl_link_get_name(link));
  net_set_string(L, "kind", rtnl_link_get_type(link));
  net_set_string(L, "state",
                 rtnl_link_operstate2str(rtnl_link_get_operstate(link), state,
                                         sizeof state));
  net_set_integer(L, "mtu", rtnl_link_get_mtu(link));
  net_set_address(L, "mac", rtnl_link_get_addr(link));
  if (rtnl_link_get_master(link) > 0)
    net_set_integer(L, "master_index", rtnl_link_get_master(link));
  if (rtnl_link_get_link(link) > 0)
    net_set_integer(L, "peer_index", rtnl_link_get_link(link));
  push_vxlan(L, link);
  unsigned bits = rtnl_link_get_flags(link);
  lua_pushboolean(L, (bits & IFF_UP) != 0);
  lua_setfield(L, -2, "is_up");
  push_flags(L, bits);
  lua_setfield(L, -2, "flags");
}

/* socket:links() -> rows | nil, errno, text */
static int link_list(lua_State *L) {
  net_Socket *s = net_check(L);
  net_Dump *dump = net_dump_box(L);
  int result = net_dump(s, dump, RTM_GETLINK);
  if (result < 0)
    return net_refused(L, s, result);
  lua_createtable(L, (int)dump->count, 0);
  for (size_t i = 0; i < dump->count; i++) {
    push_link(L, (struct rtnl_link *)dump->list[i].object);
    if (dump->list[i].netnsid != -1)
      net_set_integer(L, "peer_netnsid", dump->list[i].netnsid);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* Asks for one link, by index or name: 0 and it is in the box, or an error. */
static int get_link(lua_State *L, net_Socket *s, struct rtnl_link **link) {
  int by_name = lua_type(L, 2) == LUA_TSTRING;
  const char *name = by_name ? lua_tostring(L, 2) : NULL;
  lua_Integer index = by_name ? 0 : luaL_checkinteger(L, 2);
  void **box = net_box(L, net_release_object);
  net_begin(s);
  *link = NULL;
  if (!by_name && (index < 1 || index > INT_MAX)) /* the kernel counts from 1 */
    return -NLE_NODEV;
  int result = rtnl_link_get_kernel(s->sock, (int)index, name, link);
  if (result == 0)
    *box = *link;
  return result == 0 && *link == NULL ? -NLE_NODEV : result;
}

/* socket:link(index | name) -> row | nil, errno, text */
static int link_get(lua_State *L) {
  struct rtnl_link *link;
  net_Socket *s = net_check(L);
  int result = get_link(L, s, &link);
  if (result < 0)
    return net_refused(L, s, result);
  push_link(L, link);
  return 1;
}

/* socket:stats(index | name) -> table | nil, errno, text */
static int link_stats(lua_State *L) {
  struct rtnl_link *link;
  net_Socket *s = net_check(L);
  int result = get_link(L, s, &link);
  if (result < 0)
    return net_refused(L, s, result);
  lua_createtable(L, 0, COUNT(statistics));
  for (size_t i = 0; i < COUNT(statistics); i++)
    net_set_integer(L, statistics[i].key,
                    (lua_Integer)rtnl_link_get_stat(link, statistics[i].id));
  return 1;
}

/* What any link may be given: name, mtu, mac, master, up, net (a descriptor),
   index, txqlen, queues. */
static void apply(lua_State *L, int arg, struct rtnl_link *link) {
  lua_Integer n;
  const char *name = net_string(L, arg, "name");
  struct nl_addr *mac = net_address(L, arg, "mac", AF_LLC);
  if (name != NULL)
    rtnl_link_set_name(link, name);
  if (mac != NULL)
    rtnl_link_set_addr(link, mac);
  if (net_integer(L, arg, "mtu", &n))
    rtnl_link_set_mtu(link, (unsigned)n);
  if (net_integer(L, arg, "txqlen", &n))
    rtnl_link_set_txqlen(link, (unsigned)n);
  if (net_integer(L, arg, "queues", &n)) {
    rtnl_link_set_num_tx_queues(link, (uint32_t)n);
    rtnl_link_set_num_rx_queues(link, (uint32_t)n);
  }
  if (net_integer(L, arg, "master_index", &n))
    rtnl_link_set_master(link, (int)n);
  if (net_integer(L, arg, "net_fd", &n))
    rtnl_link_set_ns_fd(link, (int)n);
  if (net_integer(L, arg, "index", &n))
    rtnl_link_set_ifindex(link, (int)n);
  if (net_true(L, arg, "no_link_local")) /* no fe80:: of its own */
    rtnl_link_inet6_set_addr_gen_mode(link, IN6_ADDR_GEN_MODE_NONE);
  if (lua_getfield(L, arg, "up") == LUA_TBOOLEAN)
    (lua_toboolean(L, -1) ? rtnl_link_set_flags
                          : rtnl_link_unset_flags)(link, IFF_UP);
  lua_pop(L, 1);
}

static void apply_vxlan(lua_State *L, int arg, struct rtnl_link *link) {
  lua_Integer n;
  struct nl_addr *local = net_address(L, arg, "local", AF_UNSPEC);
  struct nl_addr *remote = net_address(L, arg, "remote", AF_UNSPEC);
  if (net_integer(L, arg, "id", &n))
    rtnl_link_vxlan_set_id(link, (uint32_t)n);
  if (net_integer(L, arg, "link_index", &n))
    rtnl_link_vxlan_set_link(link, (uint32_t)n);
  if (net_integer(L, arg, "ttl", &n))
    rtnl_link_vxlan_set_ttl(link, (uint8_t)n);
  if (net_integer(L, arg, "port", &n))
    rtnl_link_vxlan_set_port(link, (uint32_t)n);
  if (local != NULL)
    rtnl_link_vxlan_set_local(link, local);
  if (remote != NULL)
    rtnl_link_vxlan_set_group(link, remote);
}

static struct rtnl_link *new_link(const char *kind) {
  if (strcmp(kind, "veth") == 0)
    return rtnl_link_veth_alloc();
  if (strcmp(kind, "vxlan") == 0)
    return rtnl_link_vxlan_alloc();
  struct rtnl_link *link = rtnl_link_alloc();
  if (link != NULL)
    rtnl_link_set_type(link, kind);
  return link;
}

/* The echo of what was made: its index, and its peer's. */
static int keep_indexes(struct nl_msg *msg, void *arg) {
  int *indexes = arg;
  struct nlmsghdr *head = nlmsg_hdr(msg);
  if (head->nlmsg_type != RTM_NEWLINK)
    return NL_OK;
  const struct ifinfomsg *info = nlmsg_data(head);
  struct nlattr *peer = nlmsg_find_attr(head, sizeof *info, IFLA_LINK);
  indexes[0] = info->ifi_index;
  indexes[1] = peer != NULL ? (int)nla_get_u32(peer) : 0;
  return NL_OK;
}

/* socket:add_link(kind, options [, peer's options])
   -> true [, index, peer's index] | nil, errno, text
   A kernel before 6.2 does not say what it made. */
static int link_add(lua_State *L) {
  int indexes[2] = {0, 0};
  struct nl_msg *msg = NULL;
  lua_Integer n;
  net_Socket *s = net_check(L);
  const char *kind = luaL_checkstring(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  void **box = net_box(L, net_release_object);
  struct rtnl_link *link = net_got(L, box, new_link(kind));
  apply(L, 3, link);
  if (strcmp(kind, "vxlan") == 0)
    apply_vxlan(L, 3, link);
  else if (net_integer(L, 3, "link_index", &n))
    rtnl_link_set_link(link, (int)n);
  if (lua_istable(L, 4)) {
    void **held = net_box(L, net_release_object);
    apply(L, 4, net_got(L, held, rtnl_link_veth_get_peer(link)));
  }
  int built = rtnl_link_build_add_request(
    link, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO, &msg);
  nl_socket_modify_cb(s->sock, NL_CB_VALID, NL_CB_CUSTOM, keep_indexes,
                      indexes);
  int results = net_send(L, s, built, msg);
  nl_socket_modify_cb(s->sock, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
  if (results != 1 || indexes[0] == 0)
    return results;
  lua_pushinteger(L, indexes[0]);
  lua_pushinteger(L, indexes[1]);
  return 3;
}

/* socket:change_link(index, options) -> true | nil, errno, text */
static int link_change(lua_State *L) {
  struct nl_msg *msg = NULL;
  net_Socket *s = net_check(L);
  int index = (int)luaL_checkinteger(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  void **box = net_box(L, net_release_object);
  struct rtnl_link *link = net_got(L, box, rtnl_link_alloc());
  rtnl_link_set_ifindex(link, index);
  box = net_box(L, net_release_object);
  struct rtnl_link *changes = net_got(L, box, rtnl_link_alloc());
  apply(L, 3, changes);
  int built = rtnl_link_build_change_request(link, changes, 0, &msg);
  return net_send(L, s, built, msg);
}

/* socket:delete_link(index) -> true | nil, errno, text */
static int link_delete(lua_State *L) {
  struct nl_msg *msg = NULL;
  net_Socket *s = net_check(L);
  void **box = net_box(L, net_release_object);
  struct rtnl_link *link = net_got(L, box, rtnl_link_alloc());
  rtnl_link_set_ifindex(link, (int)luaL_checkinteger(L, 2));
  int built = rtnl_link_build_delete_request(link, &msg);
  return net_send(L, s, built, msg);
}

const luaL_Reg net_link_methods[] = {
  {"add_link", link_add},
  {"change_link", link_change},
  {"delete_link", link_delete},
  {"link", link_get},
  {"links", link_list},
  {"stats", link_stats},
  {NULL, NULL},
};
