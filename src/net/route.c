/* SPDX-License-Identifier: MIT
 *
 * route.c - routes, IPv4 and IPv6. ip-route(8), rtnetlink(7).
 */
#include <linux/rtnetlink.h>

#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/route/rtnl.h>

#include "net.h"

static const char *protocol_word(int protocol) {
  switch (protocol) {
  case RTPROT_REDIRECT: return "redirect";
  case RTPROT_KERNEL: return "kernel";
  case RTPROT_BOOT: return "boot";
  case RTPROT_STATIC: return "static";
  case RTPROT_RA: return "ra";
  case RTPROT_DHCP: return "dhcp";
  default: return NULL;
  }
}

/* [row] -> [row]: where the packets go */
static void add_nexthop(lua_State *L, struct rtnl_nexthop *hop) {
  struct nl_addr *via = rtnl_route_nh_get_gateway(hop);
  net_set_integer(L, "index", rtnl_route_nh_get_ifindex(hop));
  if (via == NULL)
    via = rtnl_route_nh_get_via(hop);
  net_set_address(L, "via", via);
  lua_pushboolean(L, (rtnl_route_nh_get_flags(hop) & RTNH_F_LINKDOWN) != 0);
  lua_setfield(L, -2, "linkdown");
}

static void push_route(lua_State *L, struct rtnl_route *r) {
  char text[128];
  struct nl_addr *to = rtnl_route_get_dst(r);
  int family = rtnl_route_get_family(r);
  lua_createtable(L, 0, 12);
  net_set_string(L, "family", family == AF_INET ? "inet" : "inet6");
  if (to == NULL || nl_addr_get_prefixlen(to) == 0)
    net_set_string(L, "to", "default");
  else
    net_set_string(L, "to", nl_addr2str(to, text, sizeof text));
  if (rtnl_route_get_nnexthops(r) > 0)
    add_nexthop(L, rtnl_route_nexthop_n(r, 0));
  net_set_integer(L, "hops", rtnl_route_get_nnexthops(r));
  net_set_address(L, "src", rtnl_route_get_pref_src(r));
  net_set_integer(L, "metric", rtnl_route_get_priority(r));
  net_set_integer(L, "table", rtnl_route_get_table(r));
  net_set_string(L, "protocol", protocol_word(rtnl_route_get_protocol(r)));
  net_set_string(
    L, "scope", rtnl_scope2str(rtnl_route_get_scope(r), text, sizeof text));
  net_set_string(L, "type",
                 nl_rtntype2str(rtnl_route_get_type(r), text, sizeof text));
}

/* socket:routes() -> rows of all tables | nil, errno, text */
static int route_list(lua_State *L) {
  net_Socket *s = net_check(L);
  net_Dump *dump = net_dump_box(L);
  int result = net_dump(s, dump, RTM_GETROUTE);
  if (result < 0)
    return net_refused(L, s, result);
  lua_createtable(L, (int)dump->count, 0);
  for (size_t i = 0; i < dump->count; i++) {
    push_route(L, (struct rtnl_route *)dump->list[i].object);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static void set_type(lua_State *L, struct rtnl_route *r, int fallback) {
  const char *word = net_string(L, 2, "type");
  int type = word != NULL ? nl_str2rtntype(word) : fallback;
  if (type < 0)
    luaL_error(L, "type: \"%s\" is no type of route", word);
  rtnl_route_set_type(r, (uint8_t)type);
}

/* The route owns its hop, from the moment that it has it. */
static void set_nexthop(lua_State *L, struct rtnl_route *r) {
  lua_Integer index;
  struct nl_addr *via = net_address(L, 2, "via", AF_UNSPEC);
  bool has_index = net_integer(L, 2, "index", &index);
  if (via == NULL && !has_index)
    return;
  struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
  if (hop == NULL)
    luaL_error(L, "not enough memory");
  rtnl_route_add_nexthop(r, hop);
  if (has_index)
    rtnl_route_nh_set_ifindex(hop, (int)index);
  if (via != NULL)
    rtnl_route_nh_set_gateway(hop, via);
}

/* How far it is to there, as ip(8) says it: a blackhole is nowhere near. */
static int scope_of(struct rtnl_route *r, bool is_new) {
  if (!is_new)
    return RT_SCOPE_NOWHERE;
  switch (rtnl_route_get_type(r)) {
  case RTN_UNICAST:
  case RTN_LOCAL:
  case RTN_BROADCAST:
  case RTN_MULTICAST:
  case RTN_ANYCAST: return rtnl_route_guess_scope(r);
  default: return RT_SCOPE_UNIVERSE;
  }
}

/* {to = "10.0.0.0/24", via, index, src, metric, table, type}: what is not said
   of one that goes matches any. */
static struct rtnl_route *read_route(lua_State *L, bool is_new) {
  lua_Integer n;
  luaL_checktype(L, 2, LUA_TTABLE);
  struct nl_addr *to = net_address(L, 2, "to", AF_UNSPEC);
  struct nl_addr *src = net_address(L, 2, "src", AF_UNSPEC);
  if (to == NULL)
    luaL_error(L, "a destination is needed");
  void **box = net_box(L, net_release_object);
  struct rtnl_route *r = net_got(L, box, rtnl_route_alloc());
  rtnl_route_set_family(r, (uint8_t)nl_addr_get_family(to));
  rtnl_route_set_dst(r, to);
  rtnl_route_set_protocol(r, is_new ? RTPROT_BOOT : RTPROT_UNSPEC);
  set_type(L, r, is_new ? RTN_UNICAST : RTN_UNSPEC);
  set_nexthop(L, r);
  if (src != NULL)
    rtnl_route_set_pref_src(r, src);
  if (net_integer(L, 2, "metric", &n))
    rtnl_route_set_priority(r, (uint32_t)n);
  if (net_integer(L, 2, "table", &n))
    rtnl_route_set_table(r, (uint32_t)n);
  rtnl_route_set_scope(r, (uint8_t)scope_of(r, is_new));
  return r;
}

/* socket:add_route(options) -> true | nil, errno, text */
static int route_add(lua_State *L) {
  struct nl_msg *msg = NULL;
  net_Socket *s = net_check(L);
  struct rtnl_route *r = read_route(L, true);
  int built =
    rtnl_route_build_add_request(r, NLM_F_CREATE | NLM_F_EXCL, &msg);
  return net_send(L, s, built, msg);
}

/* socket:delete_route(options) -> true | nil, errno, text */
static int route_delete(lua_State *L) {
  struct nl_msg *msg = NULL;
  net_Socket *s = net_check(L);
  struct rtnl_route *r = read_route(L, false);
  int built = rtnl_route_build_del_request(r, 0, &msg);
  return net_send(L, s, built, msg);
}

const luaL_Reg net_route_methods[] = {
  {"add_route", route_add},
  {"delete_route", route_delete},
  {"routes", route_list},
  {NULL, NULL},
};
