/* SPDX-License-Identifier: MIT
 *
 * ping.c - ICMP echoes, many at once: any number of targets from any number of
 * sockets (each stays in the network namespace that it was made in), one
 * epoll. What belongs to an echo travels in it: a reply needs no search. Times
 * are the kernel's own of arrival. icmp(7), raw(7), epoll(7).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

#define RUN "nslua.net.Echoes"
#define AT_ONCE 32 /* echoes before the replies are looked at */

typedef struct Echo { /* what an echo carries */
  uint64_t cookie;
  uint32_t target, round;
  int64_t sent; /* nanoseconds, CLOCK_REALTIME */
  char rest[32];
} Echo;

typedef struct Packet {
  struct icmphdr head; /* that of ICMPv6 has the same shape */
  Echo echo;
} Packet;

typedef struct Target {
  int fd, error_number;
  bool v6;
  struct sockaddr_storage to;
  unsigned sent, received;
  int64_t least, most, sum;
} Target;

typedef struct Run {
  int epoll;
  unsigned targets, rounds, round, next, settled;
  int64_t interval, timeout, start, last; /* milliseconds */
  uint64_t cookie;
  Target *list;
  char *seen; /* for each target and round: its reply is here, or none will */
} Run;

static int64_t nanoseconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t now(void) { return nanoseconds(CLOCK_MONOTONIC) / 1000000; }

static uint16_t checksum(const void *data, size_t length) {
  const uint16_t *word = data;
  uint32_t sum = 0;
  for (size_t i = 0; i < length / 2; i++)
    sum += word[i];
  sum = (sum >> 16) + (sum & 0xffff);
  return (uint16_t)~(sum + (sum >> 16));
}

/* -- one echo, one reply --------------------------------------------------- */

static void send_echo(Run *run, unsigned index) {
  Target *t = &run->list[index];
  Packet p = {.echo = {run->cookie, index, run->round,
                       nanoseconds(CLOCK_REALTIME), {0}}};
  p.head.type = t->v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
  p.head.un.echo.id = (uint16_t)run->cookie;
  p.head.un.echo.sequence = htons((uint16_t)run->round);
  if (!t->v6)
    p.head.checksum = checksum(&p, sizeof p);
  t->sent++;
  if (sendto(t->fd, &p, sizeof p, MSG_DONTWAIT | MSG_NOSIGNAL,
             (struct sockaddr *)&t->to,
             t->v6 ? sizeof(struct sockaddr_in6)
                   : sizeof(struct sockaddr_in)) == -1) {
    t->error_number = errno;
    run->seen[(size_t)index * run->rounds + run->round] = 1;
    run->settled++;
  }
}

/* When the kernel had it. */
static int64_t arrival(struct msghdr *msg) {
  struct timespec t;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
       c = CMSG_NXTHDR(msg, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
      memcpy(&t, CMSG_DATA(c), sizeof t);
      return t.tv_sec * 1000000000LL + t.tv_nsec;
    }
  return nanoseconds(CLOCK_REALTIME);
}

/* The packet in what was received: a raw IPv4 socket gives the header too. */
static bool find_packet(const char *bytes, size_t length, Packet *p) {
  size_t skip = 0;
  if (length > 0 && (bytes[0] & 0xf0) == 0x40)
    skip = (size_t)(bytes[0] & 0x0f) * 4;
  if (length < skip + sizeof *p)
    return false;
  memcpy(p, bytes + skip, sizeof *p);
  return p->head.type == ICMP_ECHOREPLY || p->head.type == ICMP6_ECHO_REPLY;
}

static void take_reply(Run *run, const Packet *p, int64_t when) {
  const Echo *e = &p->echo;
  if (e->cookie != run->cookie || e->target >= run->targets ||
      e->round >= run->rounds)
    return;
  char *seen = &run->seen[(size_t)e->target * run->rounds + e->round];
  Target *t = &run->list[e->target];
  if (*seen)
    return;
  int64_t took = when > e->sent ? when - e->sent : 0;
  *seen = 1;
  run->settled++;
  if (t->received++ == 0 || took < t->least)
    t->least = took;
  if (took > t->most)
    t->most = took;
  t->sum += took;
}

static void drain(Run *run, int fd) {
  char bytes[512], control[128] __attribute__((aligned(8)));
  struct iovec part = {bytes, sizeof bytes};
  Packet p;
  for (;;) {
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);
    if (n == -1)
      return;
    if (find_packet(bytes, (size_t)n, &p))
      take_reply(run, &p, arrival(&msg));
  }
}

/* -- the run --------------------------------------------------------------- */

static bool look(Run *run, int milliseconds) {
  struct epoll_event ready[64];
  int n = epoll_wait(run->epoll, ready, 64, milliseconds);
  for (int i = 0; i < n; i++)
    drain(run, ready[i].data.fd);
  return n >= 0;
}

static void send_some(Run *run) {
  for (int i = 0; i < AT_ONCE && run->next < run->targets; i++)
    send_echo(run, run->next++);
  run->last = now();
  if (run->next == run->targets) {
    run->next = 0;
    run->round++;
  }
}

static bool is_over(const Run *run) {
  return run->settled == run->targets * run->rounds ||
         (run->round == run->rounds && now() - run->last >= run->timeout);
}

/* run:step() -> boolean: works for at most a tenth of a second, so that the
   interpreter may be interrupted; true when it is over */
static int run_step(lua_State *L) {
  Run *run = luaL_checkudata(L, 1, RUN);
  int64_t until = now() + 100;
  bool over = is_over(run), undisturbed = true;
  while (!over && undisturbed && now() < until) {
    int64_t due = run->start + run->round * run->interval;
    int wait = 0;
    if (run->round < run->rounds && (run->next > 0 || now() >= due))
      send_some(run);
    else
      wait = run->round < run->rounds ? (int)(due - now()) : 10;
    undisturbed = look(run, wait < 0 ? 0 : wait > 100 ? 100 : wait);
    over = is_over(run);
  }
  lua_pushboolean(L, over);
  return 1;
}

static void set_number(lua_State *L, const char *key, lua_Number value) {
  lua_pushnumber(L, value);
  lua_setfield(L, -2, key);
}

/* run:results() -> for each target {sent, received, min, avg, max (seconds),
   errno} */
static int run_results(lua_State *L) {
  Run *run = luaL_checkudata(L, 1, RUN);
  lua_createtable(L, (int)run->targets, 0);
  for (unsigned i = 0; i < run->targets; i++) {
    const Target *t = &run->list[i];
    lua_createtable(L, 0, 6);
    net_set_integer(L, "sent", t->sent);
    net_set_integer(L, "received", t->received);
    if (t->error_number != 0)
      net_set_integer(L, "errno", t->error_number);
    if (t->received > 0) {
      set_number(L, "min", (lua_Number)t->least / 1e9);
      set_number(L, "avg", (lua_Number)t->sum / t->received / 1e9);
      set_number(L, "max", (lua_Number)t->most / 1e9);
    }
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int run_close(lua_State *L) {
  Run *run = luaL_checkudata(L, 1, RUN);
  if (run->epoll != -1)
    close(run->epoll);
  run->epoll = -1;
  return 0;
}

/* Replies alone, with their times; an error says only that some may come that
   are not wanted. */
static void prepare_socket(Run *run, int fd, bool v6) {
  int on = 1;
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  if (v6) {
    struct icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
    setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
  } else {
    struct icmp_filter filter = {.data = ~(1U << ICMP_ECHOREPLY)};
    setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof filter);
  }
  epoll_ctl(run->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* [address] */
static void read_target(lua_State *L, Target *t, int fd, uint32_t scope) {
  const char *address = luaL_checkstring(L, -1);
  struct sockaddr_in *v4 = (void *)&t->to;
  struct sockaddr_in6 *v6 = (void *)&t->to;
  t->fd = fd;
  t->v6 = strchr(address, ':') != NULL;
  t->to.ss_family = t->v6 ? AF_INET6 : AF_INET;
  v6->sin6_scope_id = t->v6 ? scope : 0;
  if (inet_pton(t->to.ss_family, address,
                t->v6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr) != 1)
    luaL_error(L, "\"%s\" is no address", address);
}

/* [job] {fd=, scope=, address...}: a socket, and the addresses of one family
   that it sends to; the targets from `next` on. */
static unsigned read_job(lua_State *L, Run *run, unsigned next) {
  lua_Integer fd = -1, scope = 0;
  int job = lua_gettop(L);
  luaL_checktype(L, job, LUA_TTABLE);
  net_integer(L, job, "scope", &scope);
  if (!net_integer(L, job, "fd", &fd))
    luaL_error(L, "an echo wants a socket");
  unsigned count = (unsigned)lua_rawlen(L, job);
  for (unsigned i = 0; i < count && next < run->targets; i++) {
    lua_rawgeti(L, job, (lua_Integer)i + 1);
    read_target(L, &run->list[next], (int)fd, (uint32_t)scope);
    lua_pop(L, 1);
    if (i == 0)
      prepare_socket(run, (int)fd, run->list[next].v6);
    next++;
  }
  return next;
}

/* How many addresses the jobs have. */
static size_t count_targets(lua_State *L, int jobs) {
  size_t count = 0;
  for (lua_Integer i = 1; lua_rawgeti(L, jobs, i) != LUA_TNIL; i++) {
    count += lua_rawlen(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return count;
}

/* net.echoes(jobs, rounds, interval, timeout (milliseconds)) -> run
   Its results are in the order of the jobs and their addresses. */
static int net_echoes(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t targets = count_targets(L, 1);
  lua_Integer rounds = luaL_checkinteger(L, 2);
  luaL_argcheck(L, targets > 0 && targets <= 1000000, 1, "too many");
  luaL_argcheck(L, rounds > 0 && rounds <= 65535, 2, "out of range");
  size_t listed = targets * sizeof(Target);
  Run *run = lua_newuserdatauv(L, sizeof *run, 1);
  *run = (Run){.epoll = -1};
  luaL_setmetatable(L, RUN);
  char *memory = lua_newuserdatauv(L, listed + targets * (size_t)rounds, 0);
  memset(memory, 0, listed + targets * (size_t)rounds);
  lua_setiuservalue(L, -2, 1);
  run->list = (void *)memory;
  run->seen = memory + listed;
  run->targets = (unsigned)targets;
  run->rounds = (unsigned)rounds;
  run->interval = luaL_checkinteger(L, 3);
  run->timeout = luaL_checkinteger(L, 4);
  if (getrandom(&run->cookie, sizeof run->cookie, GRND_NONBLOCK) == -1)
    run->cookie = (uint64_t)nanoseconds(CLOCK_REALTIME);
  run->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (run->epoll == -1)
    return luaL_error(L, "epoll_create1: %s", strerror(errno));
  unsigned next = 0;
  for (lua_Integer i = 1; next < run->targets; i++) {
    lua_rawgeti(L, 1, i);
    next = read_job(L, run, next);
    lua_pop(L, 1);
  }
  run->start = run->last = now();
  return 1;
}

static const luaL_Reg funcs[] = {
  {"echoes", net_echoes},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"close", run_close},
  {"results", run_results},
  {"step", run_step},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", run_close},
  {"__gc", run_close},
  {NULL, NULL},
};

void net_ping_open(lua_State *L) {
  luaL_setfuncs(L, funcs, 0);
  luaL_newmetatable(L, RUN);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
