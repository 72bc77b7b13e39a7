/* SPDX-License-Identifier: MIT
 *
 * answer.c - what a server sends, as libcurl hands it over: headers, of which a
 * few are kept, then the body, which goes to Lua in larger pieces, and what it
 * all came to. curl_easy_setopt(3), libcurl-errors(3).
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <lauxlib.h>

#include "fetch/transfer.h"

enum { MOST_HEADERS = 64 * 1024 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t stop(Transfer *t, const char *why) {
  if (t->stopped[0] == '\0')
    strncpy(t->stopped, why, sizeof t->stopped - 1);
  return 0;
}

/* -- headers -------------------------------------------------------------- */

/* The value of a header line, when it is that header. */
static bool header_is(const char *line, size_t n, const char *name,
                      const char **value, size_t *length) {
  size_t k = strlen(name);
  if (n <= k || strncasecmp(line, name, k) != 0 || line[k] != ':')
    return false;
  const char *from = line + k + 1, *to = line + n;
  while (from < to && (*from == ' ' || *from == '\t'))
    from++;
  while (to > from && (unsigned char)to[-1] <= ' ')
    to--;
  *value = from;
  *length = (size_t)(to - from);
  return true;
}

static void keep(Text *text, const char *value, size_t n) {
  if (n >= sizeof text->s)
    n = 0; /* longer than any that we want to send back */
  memcpy(text->s, value, n);
  text->s[n] = '\0';
}

/* "bytes 100-199/200": where the part begins */
static void keep_range(Transfer *t, const char *value, size_t n) {
  Text text = {""};
  char *end;
  keep(&text, value, n);
  if (strncmp(text.s, "bytes ", 6) != 0 || text.s[6] < '0' ||
      text.s[6] > '9')
    return;
  long long from = strtoll(text.s + 6, &end, 10);
  if (*end == '-')
    t->range_from = from;
}

static void new_answer(Transfer *t) {
  t->etag.s[0] = t->modified.s[0] = t->type.s[0] = '\0';
  t->range_from = -1;
}

static size_t on_header(char *line, size_t one, size_t n, void *data) {
  Transfer *t = data;
  const char *value;
  size_t length;
  n *= one;
  t->header_bytes += n;
  if (t->header_bytes > MOST_HEADERS)
    return stop(t, "the server's headers have no end");
  if (n > 5 && memcmp(line, "HTTP/", 5) == 0)
    new_answer(t);
  if (header_is(line, n, "ETag", &value, &length))
    keep(&t->etag, value, length);
  else if (header_is(line, n, "Last-Modified", &value, &length))
    keep(&t->modified, value, length);
  else if (header_is(line, n, "Content-Type", &value, &length))
    keep(&t->type, value, length);
  else if (header_is(line, n, "Content-Range", &value, &length))
    keep_range(t, value, length);
  return n;
}

/* -- body ----------------------------------------------------------------- */

/* A byte buys a hundredth of a second, and nobody more than the patience: one
   that stalls after a quick start is given no longer than another. What was
   late but has come is welcome: we may have been stopped. */
static void buy_time(Transfer *t, curl_off_t bytes) {
  double at = now(), most = at + t->patience * 0.8;
  t->deadline = (t->deadline > at ? t->deadline : at) + (double)bytes / 100;
  if (t->deadline > most)
    t->deadline = most;
}

static void push_answer(lua_State *L, Transfer *t) {
  curl_off_t length = -1;
  char *url = NULL;
  curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  curl_easy_getinfo(t->curl, CURLINFO_EFFECTIVE_URL, &url);
  bool resumed = t->status == 206;
  lua_createtable(L, 0, 8);
  lua_pushinteger(L, t->status);
  lua_setfield(L, -2, "status");
  lua_pushboolean(L, resumed);
  lua_setfield(L, -2, "resumed");
  lua_pushstring(L, t->etag.s);
  lua_setfield(L, -2, "etag");
  lua_pushstring(L, t->modified.s);
  lua_setfield(L, -2, "modified");
  lua_pushstring(L, t->type.s);
  lua_setfield(L, -2, "type");
  lua_pushstring(L, url != NULL ? url : "");
  lua_setfield(L, -2, "url");
  if (length >= 0) {
    lua_pushinteger(L, length + (resumed ? t->asked_from : 0));
    lua_setfield(L, -2, "total");
  }
  lua_pushinteger(L, t->received);
  lua_setfield(L, -2, "received");
}

/* start(answer) -> true, or nil, reason: before the first byte */
static int call_start(lua_State *L) {
  Transfer *t = lua_touserdata(L, 1);
  lua_pushvalue(L, 3);
  push_answer(L, t);
  lua_call(L, 1, 1);
  t->refused = !lua_toboolean(L, -1);
  return 0;
}

/* push(bytes) -> true, or nil: stop */
static int call_push(lua_State *L) {
  Transfer *t = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  lua_pushlstring(L, t->piece, t->held);
  lua_call(L, 1, 1);
  t->refused = !lua_toboolean(L, -1);
  return 0;
}

/* Lua raises with longjmp, which must not cross libcurl. */
static bool call_lua(Transfer *t, lua_CFunction fn) {
  lua_State *L = t->L;
  lua_pushcfunction(L, fn);
  lua_pushlightuserdata(L, t);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  t->raised = lua_pcall(L, 3, 0, 0) != LUA_OK;
  return !t->raised && !t->refused;
}

/* Only 200 and a 206 that continues where we asked carry the file. */
static bool begin(Transfer *t) {
  t->begun = true;
  curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->status);
  if (t->status != 200 && t->status != 206)
    return false;
  if (t->status == 206 && (t->asked_from == 0 || t->range_from < 0 ||
                           t->range_from != t->asked_from))
    return stop(t, "the server sends another part than the one asked for") != 0;
  bool well = call_lua(t, call_start);
  t->deadline = now() + t->patience * 0.8;
  return well;
}

static bool flush(Transfer *t) {
  double before = now();
  bool well = t->held == 0 || call_lua(t, call_push);
  t->held = 0;
  t->deadline += now() - before; /* ours to wait for, not the server's */
  return well;
}

static size_t on_body(char *data, size_t one, size_t n, void *user) {
  Transfer *t = user;
  n *= one;
  if (!t->begun && !begin(t))
    return 0;
  t->received += (curl_off_t)n;
  buy_time(t, (curl_off_t)n);
  if ((t->status == 206 ? t->asked_from : 0) + t->received > t->most)
    return stop(t, "it is bigger than allowed");
  for (size_t left = n, k; left > 0; left -= k, data += k) {
    k = PIECE - t->held < left ? PIECE - t->held : left;
    memcpy(t->piece + t->held, data, k);
    t->held += k;
    if (t->held == PIECE && !flush(t))
      return n + 1;
  }
  return n;
}

static int on_progress(void *user, curl_off_t total, curl_off_t got,
                       curl_off_t up_total, curl_off_t up) {
  Transfer *t = user;
  (void)total, (void)got, (void)up_total, (void)up;
  if (t->begun ? now() < t->deadline : now() - t->started < t->patience)
    return 0;
  if (!t->begun)
    stop(t, "the server does not answer in time");
  t->late = true;
  return 1;
}

/* -- listening ------------------------------------------------------------ */

void answer_listen(Transfer *t) {
  new_answer(t);
  curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, t->error);
  curl_easy_setopt(t->curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(t->curl, CURLOPT_HEADERDATA, t);
  curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(t->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(t->curl, CURLOPT_XFERINFODATA, t);
  curl_easy_setopt(t->curl, CURLOPT_NOPROGRESS, 0L);
  t->started = now();
}

/* -- the end -------------------------------------------------------------- */

/* Which kind of failure, for who decides about trying again. */
static const char *kind_of(const Transfer *t, CURLcode code) {
  if (t->stopped[0] != '\0')
    return "refused";
  if (t->late)
    return "timeout";
  switch (code) {
  case CURLE_COULDNT_RESOLVE_HOST: return "dns";
  case CURLE_COULDNT_RESOLVE_PROXY: return "proxy";
  case CURLE_COULDNT_CONNECT: return "connect";
  case CURLE_OPERATION_TIMEDOUT: return "timeout";
  case CURLE_PARTIAL_FILE:
  case CURLE_RECV_ERROR:
  case CURLE_SEND_ERROR:
  case CURLE_GOT_NOTHING: return "cut";
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_PEER_FAILED_VERIFICATION: return "tls";
  case CURLE_TOO_MANY_REDIRECTS: return "redirects";
  case CURLE_FILESIZE_EXCEEDED: return "size";
  case CURLE_UNSUPPORTED_PROTOCOL: return "protocol";
  case CURLE_URL_MALFORMAT: return "url";
#if LIBCURL_VERSION_NUM >= 0x080600
  case CURLE_TOO_LARGE:
#endif
  case CURLE_OUT_OF_MEMORY: return t->begun ? "other" : "headers";
  default: return "other";
  }
}

int answer_conclude(lua_State *L, Transfer *t, CURLcode code) {
  curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->status);
  if (!t->raised && !t->refused)
    flush(t); /* what came before the end is kept, whatever it was */
  if (t->raised)
    return lua_error(L);
  bool right = t->status == 200 || t->status == 206;
  if (code == CURLE_OK && right && !t->begun && !begin(t) && t->raised)
    return lua_error(L);
  if (code == CURLE_OK && right && !t->refused && t->stopped[0] == '\0') {
    push_answer(L, t);
    return 1;
  }
  luaL_pushfail(L);
  if (t->refused) {
    lua_pushliteral(L, "push");
    lua_pushliteral(L, "");
  } else if (!right && t->status != 0 && t->stopped[0] == '\0' &&
             (code == CURLE_OK || code == CURLE_WRITE_ERROR ||
              code == CURLE_RANGE_ERROR)) {
    lua_pushliteral(L, "status");
    lua_pushinteger(L, t->status);
  } else {
    lua_pushstring(L, kind_of(t, code));
    lua_pushstring(L, t->stopped[0] ? t->stopped
                      : t->error[0] ? t->error
                                    : curl_easy_strerror(code));
  }
  push_answer(L, t);
  return 4;
}
