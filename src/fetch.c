/* SPDX-License-Identifier: MIT
 *
 * fetch.c - nslua/fetch.so: one HTTP download with libcurl, and nothing else.
 * What comes (fetch/answer.c) is given to a Lua function piece by piece; policy
 * (retries, part files, digests) is in lua/nslua/rootfs. libcurl may start
 * threads: call this in a forked child. libcurl(3), curl_easy_setopt(3).
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>

#include "fetch/transfer.h"

#define FETCH_TRANSFER "nslua.fetch.Transfer"

/* Downloads that follow each other use the same connection. */
static CURLSH *connections;

/* -- options -------------------------------------------------------------- */

static const char *option_string(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  const char *s = lua_isnil(L, -1) ? NULL : luaL_checkstring(L, -1);
  lua_pop(L, 1); /* the table keeps it */
  return s;
}

static lua_Number option_number(lua_State *L, const char *name,
                                lua_Number fallback) {
  lua_getfield(L, 1, name);
  lua_Number n = luaL_optnumber(L, -1, fallback);
  lua_pop(L, 1);
  return n;
}

/* Once the first was https, no redirect leads away from it. */
static void set_protocols(CURL *curl, bool secure) {
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR,
                   secure ? "https" : "http,https");
#else
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS,
                   secure ? CURLPROTO_HTTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
}

static void set_limits(lua_State *L, Transfer *t) {
  char range[32];
  lua_Number patience = option_number(L, "timeout", 9);
  t->patience = patience;
  t->most = (curl_off_t)option_number(L, "max_bytes", 1e15);
  t->asked_from = (curl_off_t)option_number(L, "from", 0);
  curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(t->curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(t->curl, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(patience * 1000));
  curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_LIMIT, 100L);
  curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_TIME,
                   patience < 2 ? 1L : (long)patience - 1);
  curl_easy_setopt(t->curl, CURLOPT_BUFFERSIZE, 512L * 1024);
  if (t->asked_from == 0) {
    curl_easy_setopt(t->curl, CURLOPT_MAXFILESIZE_LARGE, t->most);
    return;
  }
  /* Not RESUME_FROM: that makes an error of a server that starts over. */
  snprintf(range, sizeof range, "%lld-", (long long)t->asked_from);
  curl_easy_setopt(t->curl, CURLOPT_RANGE, range);
}

static void set_strings(lua_State *L, Transfer *t, const char *url) {
  const char *if_range = option_string(L, "if_range");
  const char *cainfo = option_string(L, "cainfo");
  const char *capath = option_string(L, "capath");
  curl_easy_setopt(t->curl, CURLOPT_URL, url);
  curl_easy_setopt(t->curl, CURLOPT_USERAGENT, "nslua");
  if (cainfo != NULL)
    curl_easy_setopt(t->curl, CURLOPT_CAINFO, cainfo);
  if (capath != NULL)
    curl_easy_setopt(t->curl, CURLOPT_CAPATH, capath);
  if (if_range != NULL && t->asked_from > 0) {
    const char *line = lua_pushfstring(L, "If-Range: %s", if_range);
    t->headers = curl_slist_append(NULL, line);
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->headers);
  }
}

/* -- the one function ----------------------------------------------------- */

/* fetch.get({url=, from=, if_range=, timeout=, max_bytes=, cainfo=, capath=},
     push, start) -> answer | nil, kind, text, answer
   start(answer) comes before the first push(bytes); either may say no. */
static int fetch_get(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  const char *url = option_string(L, "url");
  luaL_argcheck(L, url != NULL, 1, "url is missing");
  Transfer *t = lua_newuserdatauv(L, sizeof *t, 0);
  memset(t, 0, sizeof *t);
  luaL_setmetatable(L, FETCH_TRANSFER);
  t->L = L;
  t->curl = curl_easy_init();
  if (t->curl == NULL)
    return luaL_error(L, "libcurl: out of memory");
  curl_easy_setopt(t->curl, CURLOPT_SHARE, connections);
  answer_listen(t);
  set_protocols(t->curl, strncasecmp(url, "https:", 6) == 0);
  set_limits(L, t);
  set_strings(L, t, url);
  return answer_conclude(L, t, curl_easy_perform(t->curl));
}

static int transfer_gc(lua_State *L) {
  Transfer *t = luaL_checkudata(L, 1, FETCH_TRANSFER);
  curl_easy_cleanup(t->curl);
  curl_slist_free_all(t->headers);
  t->curl = NULL;
  t->headers = NULL;
  return 0;
}

static const luaL_Reg funcs[] = {
  {"get", fetch_get},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__gc", transfer_gc},
  {NULL, NULL},
};

LUALIB_API int luaopen_nslua_fetch(lua_State *L);

__attribute__((visibility("default"))) int luaopen_nslua_fetch(lua_State *L) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  connections = curl_share_init();
  curl_share_setopt(connections, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT);
  luaL_newmetatable(L, FETCH_TRANSFER);
  luaL_setfuncs(L, metamethods, 0);
  lua_pop(L, 1);
  luaL_newlib(L, funcs);
  return 1;
}
