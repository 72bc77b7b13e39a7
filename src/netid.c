/* SPDX-License-Identifier: MIT
 *
 * netid.c - network namespace ids: a small number that one network namespace
 * has for another, so that a link's peer can be named. `ip netns list-id`
 * shows them. rtnetlink(7), RTM_GETNSID.
 */
#include "netid.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel.h"
#include "lib.h"

/* One attribute of four bytes at `at`; returns where the next one goes. */
static char *put_attribute(char *at, int type, int value) {
  struct nlattr attr = {sizeof attr + sizeof value, (unsigned short)type};
  memcpy(at, &attr, sizeof attr);
  memcpy(at + sizeof attr, &value, sizeof value);
  return at + sizeof attr + sizeof value;
}

/* Sends one message with up to two attributes (type 0: none). */
static int send_request(int sock, int type, int flags, const int attrs[4]) {
  char text[64] __attribute__((aligned(8))) = {0};
  struct nlmsghdr *head = (void *)text;
  char *end = text + NLMSG_LENGTH(NLMSG_ALIGN(sizeof(struct rtgenmsg)));
  for (int i = 0; i < 4 && attrs[i] != 0; i += 2)
    end = put_attribute(end, attrs[i], attrs[i + 1]);
  head->nlmsg_type = (unsigned short)type;
  head->nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags);
  head->nlmsg_len = (unsigned)(end - text);
  return (int)send(sock, text, head->nlmsg_len, 0);
}

/* The value of an attribute of a nsid message. */
static int get_attribute(const struct nlmsghdr *head, int type, int absent) {
  size_t at = NLMSG_LENGTH(NLMSG_ALIGN(sizeof(struct rtgenmsg)));
  const char *text = (const void *)head;
  int value = absent;
  while (at + sizeof(struct nlattr) <= head->nlmsg_len) {
    struct nlattr attr;
    memcpy(&attr, text + at, sizeof attr);
    if (attr.nla_len < sizeof attr)
      break;
    if (attr.nla_type == type && attr.nla_len >= sizeof attr + sizeof value)
      memcpy(&value, text + at + sizeof attr, sizeof value);
    at += NLMSG_ALIGN(attr.nla_len);
  }
  return value;
}

/* The errno in an NLMSG_ERROR, 0 for an acknowledgement. */
static int reply_error(const struct nlmsghdr *head) {
  int error_number;
  memcpy(&error_number, NLMSG_DATA(head), sizeof error_number);
  return -error_number;
}

static int open_netlink(void) {
  return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

int netid_ask(int *sock, int fd) {
  const int attrs[4] = {NETNSA_FD, fd};
  char reply[512] __attribute__((aligned(8)));
  const struct nlmsghdr *head = (void *)reply;
  if (*sock == -1 && (*sock = open_netlink()) == -1)
    return -2;
  if (send_request(*sock, RTM_GETNSID, 0, attrs) == -1)
    return -2;
  ssize_t n = recv(*sock, reply, sizeof reply, 0);
  if (n < (ssize_t)sizeof *head || head->nlmsg_type != RTM_NEWNSID)
    return -2;
  return get_attribute(head, NETNSA_NSID, -2);
}

/* -- bindings ------------------------------------------------------------- */

/* A socket that ends with the call, whatever happens. */
static int push_netlink(lua_State *L) {
  lib_Fd *h = lib_newfd(L);
  lua_toclose(L, -1);
  h->fd = (int)lib_check(L, open_netlink(), "socket", "rrr", "AF_NETLINK",
                         "SOCK_RAW", "NETLINK_ROUTE");
  return h->fd;
}

/* ns.netnsid(fd) -> id | nil    RTM_GETNSID, rtnetlink(7) */
static int netid_netnsid(lua_State *L) {
  int fd = lib_checkfd(L, 1);
  int sock = push_netlink(L);
  int id = netid_ask(&sock, fd);
  if (id == -2)
    lib_fail(L, EINVAL, "rtnetlink", "rd", "RTM_GETNSID", fd);
  if (id == -1)
    luaL_pushfail(L);
  else
    lua_pushinteger(L, id);
  return 1;
}

/* ns.set_netnsid(fd [, id]) -> true    RTM_NEWNSID, rtnetlink(7)
   Without an id the kernel chooses one. */
static int netid_set_netnsid(lua_State *L) {
  int fd = lib_checkfd(L, 1);
  int id = lua_isnoneornil(L, 2) ? -1 : lib_checkint(L, 2, 0, 0x7fffffff);
  const int attrs[4] = {NETNSA_FD, fd, NETNSA_NSID, id};
  char reply[512] __attribute__((aligned(8)));
  const struct nlmsghdr *head = (void *)reply;
  int sock = push_netlink(L);
  lib_check(L, send_request(sock, RTM_NEWNSID, NLM_F_ACK, attrs), "send",
            "dr", sock, "RTM_NEWNSID");
  lib_check(L, recv(sock, reply, sizeof reply, 0), "recv", "d", sock);
  errno = head->nlmsg_type == NLMSG_ERROR ? reply_error(head) : EPROTO;
  return lib_done(L, errno == 0 ? 0 : -1, "rtnetlink", "rdd", "RTM_NEWNSID",
                  fd, id);
}

/* Adds the id of each message; false at the end of the dump. */
static bool add_ids(lua_State *L, const char *reply, ssize_t length) {
  const struct nlmsghdr *head = (const void *)reply;
  long left = length;
  for (; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
    if (head->nlmsg_type == NLMSG_DONE)
      return false;
    if (head->nlmsg_type == NLMSG_ERROR)
      lib_fail(L, reply_error(head), "rtnetlink", "r", "RTM_GETNSID");
    lua_pushinteger(L, get_attribute(head, NETNSA_NSID, -1));
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  }
  return length > 0;
}

/* ns.netnsids() -> every id that this network namespace has given out */
static int netid_netnsids(lua_State *L) {
  static const int attrs[4];
  char *reply = lib_scratch(L, 32768);
  int sock = push_netlink(L);
  lib_check(L, send_request(sock, RTM_GETNSID, NLM_F_DUMP, attrs), "send",
            "dr", sock, "RTM_GETNSID");
  lua_newtable(L);
  ssize_t n;
  do
    n = lib_check(L, recv(sock, reply, 32768, 0), "recv", "d", sock);
  while (add_ids(L, reply, n));
  return 1;
}

/* -- named network namespaces --------------------------------------------- */

/* The kernel's numbers for the namespaces in the files of a folder. */
typedef struct Named {
  lib_Fd *dir;
  int sock;  /* -1: nobody asked for ids */
  dev_t dev; /* of namespace files */
} Named;

static void set_integer(lua_State *L, const char *field, lua_Integer n) {
  lua_pushinteger(L, n);
  lua_setfield(L, -2, field);
}

/* Pushes {name=, ns=, id=}; `ns` is missing where the mount is gone. */
static void push_named(lua_State *L, const Named *n, const char *name) {
  struct stat st;
  lua_createtable(L, 0, 3);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "name");
  if (fstatat(n->dir->fd, name, &st, 0) == -1 || st.st_dev != n->dev)
    return;
  set_integer(L, "ns", (lua_Integer)st.st_ino);
  if (n->sock == -1)
    return;
  int sock = n->sock, id = -2;
  int fd = openat(n->dir->fd, name, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    id = netid_ask(&sock, fd);
    close(fd);
  }
  if (id >= 0)
    set_integer(L, "netnsid", id);
}

/* The device of namespace files; 0 without /proc on a kernel before 6.11. */
static dev_t nsfs_device(void) {
  struct stat st = {0};
  if (stat("/proc/self/ns/net", &st) == 0)
    return st.st_dev;
  int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
  int net = self == -1 ? -1 : ioctl(self, PIDFD_GET_NET_NAMESPACE, 0);
  if (net >= 0 && fstat(net, &st) == 0)
    close(net);
  if (self >= 0)
    close(self);
  return st.st_dev;
}

/* ns.scan_netns(folder, ids) -> {{name=, ns=, netnsid=}...}    ip-netns(8)
   In the kernel's order, as `ip netns list` has it. ids: ask for
   netnsid, too. */
static int netid_scan_netns(lua_State *L) {
  const char *folder = lib_checkpath(L, 1);
  Named n = {.sock = -1, .dev = nsfs_device()};
  char *entries = lib_scratch(L, 32768);
  n.dir = lib_newfd(L);
  lua_toclose(L, -1);
  n.dir->fd =
    (int)lib_check(L, open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                   "open", "sr", folder, "O_DIRECTORY");
  if (lua_toboolean(L, 2))
    n.sock = push_netlink(L);
  lua_newtable(L);
  lua_Integer count = 0;
  long length;
  while ((length = syscall(SYS_getdents64, n.dir->fd, entries, 32768)) > 0)
    for (long at = 0; at < length;) {
      const struct dirent64 *entry = (const void *)(entries + at);
      at += entry->d_reclen;
      if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
        continue;
      push_named(L, &n, entry->d_name);
      lua_rawseti(L, -2, ++count);
    }
  lib_close(n.dir);
  return 1;
}

static const luaL_Reg funcs[] = {
  {"netnsid", netid_netnsid},
  {"netnsids", netid_netnsids},
  {"scan_netns", netid_scan_netns},
  {"set_netnsid", netid_set_netnsid},
  {NULL, NULL},
};

void netid_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
