/* SPDX-License-Identifier: MIT
 *
 * netem.c - delay and loss on a link: the netem queueing discipline, as its
 * root. tc-netem(8).
 */
#include <netlink/route/qdisc.h>
#include <netlink/route/qdisc/netem.h>
#include <netlink/route/tc.h>

#include "net.h"

/* socket:netem(index, {delay=, jitter= (microseconds), loss= (of 2^32 - 1)})
   -> true | nil, errno, text */
static int netem_set(lua_State *L) {
  struct nl_msg *msg = NULL;
  lua_Integer n;
  net_Socket *s = net_check(L);
  int index = (int)luaL_checkinteger(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  void **box = net_box(L, net_release_object);
  struct rtnl_qdisc *q = net_got(L, box, rtnl_qdisc_alloc());
  rtnl_tc_set_ifindex(TC_CAST(q), index);
  rtnl_tc_set_parent(TC_CAST(q), TC_H_ROOT);
  if (rtnl_tc_set_kind(TC_CAST(q), "netem") < 0)
    return luaL_error(L, "this libnl-route knows no netem");
  rtnl_netem_set_limit(q, 1000);
  if (net_integer(L, 3, "delay", &n))
    rtnl_netem_set_delay(q, (int)n);
  if (net_integer(L, 3, "jitter", &n))
    rtnl_netem_set_jitter(q, (int)n);
  if (net_integer(L, 3, "loss", &n))
    rtnl_netem_set_loss(q, (int)(uint32_t)n);
  int built =
    rtnl_qdisc_build_add_request(q, NLM_F_CREATE | NLM_F_REPLACE, &msg);
  return net_send(L, s, built, msg);
}

/* socket:no_netem(index) -> true | nil, errno, text */
static int netem_delete(lua_State *L) {
  struct nl_msg *msg = NULL;
  net_Socket *s = net_check(L);
  void **box = net_box(L, net_release_object);
  struct rtnl_qdisc *q = net_got(L, box, rtnl_qdisc_alloc());
  rtnl_tc_set_ifindex(TC_CAST(q), (int)luaL_checkinteger(L, 2));
  rtnl_tc_set_parent(TC_CAST(q), TC_H_ROOT);
  int built = rtnl_qdisc_build_delete_request(q, &msg);
  return net_send(L, s, built, msg);
}

const luaL_Reg net_netem_methods[] = {
  {"netem", netem_set},
  {"no_netem", netem_delete},
  {NULL, NULL},
};
