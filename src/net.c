/* SPDX-License-Identifier: MIT
 *
 * net.c - nslua/net.so: rtnetlink through libnl-route-3, opened on first use.
 * A socket here is one that ns.socket made, so it acts in the network namespace
 * that it was made in. A refusal comes back as nil, errno and what the kernel
 * said; Lua makes the error object of it. rtnetlink(7), netlink(7).
 */
#include "net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netlink/errno.h>
#include <netlink/socket.h>

/* -- boxes ---------------------------------------------------------------- */

#define BOX "nslua.net.Box"

typedef struct Box {
  void *object;
  net_Release *release;
} Box;

void **net_box(lua_State *L, net_Release *release) {
  luaL_checkstack(L, 8, "box");
  Box *box = lua_newuserdatauv(L, sizeof *box, 1); /* 1: what it needs */
  *box = (Box){NULL, release};
  luaL_setmetatable(L, BOX);
  return &box->object;
}

static int box_close(lua_State *L) {
  Box *box = luaL_checkudata(L, 1, BOX);
  if (box->object != NULL)
    box->release(box->object);
  box->object = NULL;
  return 0;
}

void net_release_object(void *object) { nl_object_put(object); }

void net_release_address(void *object) { nl_addr_put(object); }

void *net_got(lua_State *L, void **box, void *object) {
  *box = object;
  if (object == NULL)
    luaL_error(L, "not enough memory");
  return object;
}

/* -- fields of options and of records -------------------------------------- */

bool net_integer(lua_State *L, int arg, const char *key, lua_Integer *value) {
  int type = lua_getfield(L, arg, key), is_integer = 0;
  *value = lua_tointegerx(L, -1, &is_integer);
  if (type != LUA_TNIL && !is_integer)
    luaL_error(L, "%s is an integer", key);
  lua_pop(L, 1);
  return type != LUA_TNIL;
}

/* The table keeps the string alive. */
const char *net_string(lua_State *L, int arg, const char *key) {
  int type = lua_getfield(L, arg, key);
  if (type != LUA_TNIL && type != LUA_TSTRING)
    luaL_error(L, "%s is a string", key);
  const char *text = type == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  if (text != NULL && strlen(text) != lua_rawlen(L, -1))
    luaL_error(L, "%s contains a NUL", key);
  lua_pop(L, 1);
  return text;
}

bool net_true(lua_State *L, int arg, const char *key) {
  lua_getfield(L, arg, key);
  bool is_true = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is_true;
}

/* "10.0.0.1", "fd00::1/64": libnl's own parser would take "10.1/16" for an
   address of DECnet. */
static struct nl_addr *parse_address(const char *text) {
  unsigned char bytes[16];
  char bare[64];
  size_t length = strcspn(text, "/");
  int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
  int bits = family == AF_INET6 ? 128 : 32, prefix = bits;
  if (length >= sizeof bare)
    return NULL;
  memcpy(bare, text, length);
  bare[length] = '\0';
  const char *digits = text + length + (text[length] == '/');
  size_t count = strspn(digits, "0123456789");
  if (text[length] == '/')
    prefix = count > 0 && count < 4 && digits[count] == '\0'
               ? (int)strtol(digits, NULL, 10)
               : -1;
  if (prefix < 0 || prefix > bits || inet_pton(family, bare, bytes) != 1)
    return NULL;
  struct nl_addr *address = nl_addr_build(family, bytes, (size_t)bits / 8);
  if (address != NULL)
    nl_addr_set_prefixlen(address, prefix);
  return address;
}

struct nl_addr *net_address(lua_State *L, int arg, const char *key,
                            int family) {
  const char *text = net_string(L, arg, key);
  struct nl_addr *address = NULL;
  if (text == NULL)
    return NULL;
  void **box = net_box(L, net_release_address);
  if (family != AF_LLC)
    address = parse_address(text);
  else if (nl_addr_parse(text, family, &address) < 0)
    address = NULL;
  if (address == NULL)
    luaL_error(L, "%s: \"%s\" is no address", key, text);
  *box = address;
  return address;
}

void net_set_integer(lua_State *L, const char *key, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, key);
}

void net_set_string(lua_State *L, const char *key, const char *value) {
  if (value == NULL)
    return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, key);
}

void net_set_address(lua_State *L, const char *key, const struct nl_addr *a) {
  char text[128];
  if (a == NULL)
    return;
  nl_addr2str(a, text, sizeof text);
  text[strcspn(text, "/")] = '\0';
  net_set_string(L, key, text);
}

/* -- the socket ------------------------------------------------------------ */

net_Socket *net_check(lua_State *L) {
  net_Socket *s = luaL_checkudata(L, 1, NET_SOCKET);
  luaL_argcheck(L, s->sock != NULL, 1, "closed socket");
  return s;
}

/* The errno of an answer, and the sentence that may come with it. */
static int keep_refusal(struct sockaddr_nl *from, struct nlmsgerr *err,
                        void *arg) {
  (void)from;
  net_Socket *s = arg;
  const struct nlmsghdr *head =
    (const void *)((const char *)err - sizeof(struct nlmsghdr));
  size_t at = sizeof *err;
  s->error_number = -err->error;
  if ((head->nlmsg_flags & 0x100) == 0 && err->msg.nlmsg_len > sizeof err->msg)
    at += NLMSG_ALIGN(err->msg.nlmsg_len - sizeof err->msg);
  if ((head->nlmsg_flags & 0x200) == 0 || /* NLM_F_ACK_TLVS */
      NLMSG_HDRLEN + at >= head->nlmsg_len)
    return NL_STOP;
  struct nlattr *attr =
    nla_find((struct nlattr *)(void *)((char *)err + at),
             (int)(head->nlmsg_len - NLMSG_HDRLEN - at), 1);
  if (attr != NULL)
    nla_strlcpy(s->text, attr, sizeof s->text);
  return NL_STOP;
}

static int keep_ack(struct nl_msg *msg, void *arg) {
  (void)msg;
  ((net_Socket *)arg)->acknowledged = true;
  return NL_STOP;
}

int net_wait(net_Socket *s) {
  int result = 0;
  while (!s->acknowledged && result >= 0)
    result = nl_recvmsgs_default(s->sock);
  return result;
}

/* net.socket(fd) -> Socket over a copy of a netlink descriptor */
static int net_socket(lua_State *L) {
  struct sockaddr_nl any = {.nl_family = AF_NETLINK};
  int given = (int)luaL_checkinteger(L, 1), on = 1, room = 1 << 20;
  net_Socket *s = lua_newuserdatauv(L, sizeof *s, 0);
  memset(s, 0, sizeof *s);
  luaL_setmetatable(L, NET_SOCKET);
  s->sock = nl_socket_alloc();
  if (s->sock == NULL)
    return luaL_error(L, "not enough memory");
  int fd = fcntl(given, F_DUPFD_CLOEXEC, 3);
  if (fd == -1 || bind(fd, (struct sockaddr *)&any, sizeof any) == -1 ||
      nl_socket_set_fd(s->sock, NETLINK_ROUTE, fd) < 0) {
    int error_number = errno;
    if (fd != -1 && nl_socket_get_fd(s->sock) != fd)
      close(fd);
    luaL_pushfail(L);
    lua_pushinteger(L, error_number);
    return 2;
  }
  setsockopt(fd, 270, 10, &on, sizeof on); /* SOL_NETLINK, NETLINK_CAP_ACK */
  setsockopt(fd, 270, 11, &on, sizeof on); /* NETLINK_EXT_ACK */
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  nl_socket_disable_msg_peek(s->sock);
  nl_socket_disable_seq_check(s->sock); /* only the last of many answers */
  nl_socket_set_msg_buf_size(s->sock, 32768);
  nl_socket_modify_err_cb(s->sock, NL_CB_CUSTOM, keep_refusal, s);
  nl_socket_modify_cb(s->sock, NL_CB_ACK, NL_CB_CUSTOM, keep_ack, s);
  return 1;
}

static int socket_close(lua_State *L) {
  net_Socket *s = luaL_checkudata(L, 1, NET_SOCKET);
  if (s->sock != NULL)
    nl_socket_free(s->sock);
  s->sock = NULL;
  return 0;
}

/* What libnl found out by itself has a number of its own. */
static int errno_of(int result) {
  switch (-result) {
  case NLE_NOMEM: return ENOMEM;
  case NLE_NODEV:
  case NLE_OBJ_NOTFOUND: return ENODEV;
  case NLE_PERM: return EPERM;
  case NLE_NOACCESS: return EACCES;
  case NLE_EXIST: return EEXIST;
  case NLE_OPNOTSUPP: return EOPNOTSUPP;
  case NLE_BUSY: return EBUSY;
  case NLE_RANGE: return ERANGE;
  case NLE_NOADDR: return EADDRNOTAVAIL;
  default: return EINVAL;
  }
}

void net_begin(net_Socket *s) {
  s->error_number = 0;
  s->acknowledged = false;
  s->text[0] = '\0';
}

int net_refused(lua_State *L, net_Socket *s, int result) {
  luaL_pushfail(L);
  lua_pushinteger(L, s->error_number != 0 ? s->error_number
                                          : errno_of(result));
  lua_pushstring(L, s->text[0] != '\0' ? s->text : NULL);
  return 3;
}

/* -- lists ----------------------------------------------------------------- */

static void release_dump(void *object) {
  net_Dump *dump = object;
  for (size_t i = 0; i < dump->count; i++)
    nl_object_put(dump->list[i].object);
  free(dump->list);
}

net_Dump *net_dump_box(lua_State *L) {
  net_Dump *dump = lua_newuserdatauv(L, sizeof *dump, 0);
  *dump = (net_Dump){0};
  *net_box(L, release_dump) = dump;
  lua_pushvalue(L, -2);
  lua_setiuservalue(L, -2, 1); /* it is read when the box is collected */
  lua_insert(L, -2);
  return dump;
}

static void keep_object(struct nl_object *object, void *arg) {
  struct net_Dumped *row = arg;
  nl_object_get(object);
  row->object = object;
}

static int keep_message(struct nl_msg *msg, void *arg) {
  net_Dump *dump = arg;
  if (dump->count == dump->room) {
    size_t room = dump->room * 2 + 32;
    void *list = realloc(dump->list, room * sizeof *dump->list);
    if (list == NULL)
      return -NLE_NOMEM;
    dump->list = list;
    dump->room = room;
  }
  struct net_Dumped *row = &dump->list[dump->count];
  *row = (struct net_Dumped){NULL, -1};
  nl_msg_parse(msg, keep_object, row);
  struct nlattr *id = NULL;
  if (nlmsg_hdr(msg)->nlmsg_type == RTM_NEWLINK)
    id = nlmsg_find_attr(nlmsg_hdr(msg), sizeof(struct ifinfomsg),
                         IFLA_LINK_NETNSID);
  if (id != NULL)
    row->netnsid = (int)nla_get_u32(id);
  if (row->object != NULL)
    dump->count++;
  return NL_OK;
}

int net_dump(net_Socket *s, net_Dump *dump, int request) {
  struct rtgenmsg any = {.rtgen_family = AF_UNSPEC};
  net_begin(s);
  int result = nl_send_simple(s->sock, request, NLM_F_DUMP, &any, sizeof any);
  if (result < 0)
    return result;
  nl_socket_modify_cb(s->sock, NL_CB_VALID, NL_CB_CUSTOM, keep_message, dump);
  result = nl_recvmsgs_default(s->sock);
  nl_socket_modify_cb(s->sock, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
  return result;
}

int net_send(lua_State *L, net_Socket *s, int built, struct nl_msg *msg) {
  int result = built;
  net_begin(s);
  if (result == 0) {
    result = nl_send_auto(s->sock, msg);
    nlmsg_free(msg);
    if (result >= 0)
      result = net_wait(s);
  }
  if (result < 0)
    return net_refused(L, s, result);
  lua_pushboolean(L, 1);
  return 1;
}

/* -- registration ---------------------------------------------------------- */

static const luaL_Reg funcs[] = {
  {"socket", net_socket},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"close", socket_close},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", socket_close},
  {"__gc", socket_close},
  {NULL, NULL},
};

static const luaL_Reg box_metamethods[] = {
  {"__close", box_close},
  {"__gc", box_close},
  {NULL, NULL},
};

LUALIB_API int luaopen_nslua_net(lua_State *L);

__attribute__((visibility("default"))) int luaopen_nslua_net(lua_State *L) {
  luaL_newmetatable(L, BOX);
  luaL_setfuncs(L, box_metamethods, 0);
  luaL_newmetatable(L, NET_SOCKET);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  luaL_setfuncs(L, net_link_methods, 0);
  luaL_setfuncs(L, net_address_methods, 0);
  luaL_setfuncs(L, net_route_methods, 0);
  luaL_setfuncs(L, net_neighbour_methods, 0);
  luaL_setfuncs(L, net_netem_methods, 0);
  lua_setfield(L, -2, "__index");
  luaL_newlib(L, funcs);
  net_ping_open(L);
  net_nft_open(L);
  return 1;
}
