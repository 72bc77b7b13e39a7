/* SPDX-License-Identifier: MIT
 *
 * nft.c - rules of nftables through libnftables, where it is installed: opened
 * at first use, never linked. Its header is not used either: the six functions
 * are declared here as libnftables(3) describes them.
 */
#include <dlfcn.h>
#include <stdbool.h>

#include "net.h"

typedef struct nft_ctx nft_ctx;

static struct {
  nft_ctx *(*ctx_new)(uint32_t flags);
  void (*ctx_free)(nft_ctx *);
  int (*buffer_output)(nft_ctx *);
  int (*buffer_error)(nft_ctx *);
  const char *(*get_output)(nft_ctx *);
  const char *(*get_error)(nft_ctx *);
  void (*set_output_flags)(nft_ctx *, unsigned);
  int (*run)(nft_ctx *, const char *);
} nft;

static bool find(void *library, const char *name, void *where) {
  return (*(void **)where = dlsym(library, name)) != NULL;
}

/* net.nft_open() -> true | nil, reason */
static int nft_open(lua_State *L) {
  if (nft.run == NULL) {
    void *library = dlopen("libnftables.so.1", RTLD_NOW | RTLD_LOCAL);
    bool all = library != NULL &&
               find(library, "nft_ctx_new", &nft.ctx_new) &&
               find(library, "nft_ctx_free", &nft.ctx_free) &&
               find(library, "nft_ctx_buffer_output", &nft.buffer_output) &&
               find(library, "nft_ctx_buffer_error", &nft.buffer_error) &&
               find(library, "nft_ctx_get_output_buffer", &nft.get_output) &&
               find(library, "nft_ctx_get_error_buffer", &nft.get_error) &&
               find(library, "nft_ctx_output_set_flags",
                    &nft.set_output_flags) &&
               find(library, "nft_run_cmd_from_buffer", &nft.run);
    if (!all) {
      const char *reason = dlerror();
      nft.run = NULL;
      luaL_pushfail(L);
      lua_pushstring(L, reason != NULL ? reason : "libnftables.so.1");
      return 2;
    }
  }
  lua_pushboolean(L, 1);
  return 1;
}

static void release_context(void *context) { nft.ctx_free(context); }

/* net.nft_run(commands [, json]) -> status, output, error: in the caller's
   network namespace */
static int nft_run(lua_State *L) {
  const char *commands = luaL_checkstring(L, 1);
  if (nft.run == NULL)
    return luaL_error(L, "libnftables is not open");
  void **box = net_box(L, release_context);
  lua_toclose(L, -1); /* it holds a netlink socket */
  nft_ctx *context = net_got(L, box, nft.ctx_new(0));
  if (nft.buffer_output(context) != 0 || nft.buffer_error(context) != 0)
    return luaL_error(L, "not enough memory");
  if (lua_toboolean(L, 2))
    nft.set_output_flags(context, 1U << 4); /* NFT_CTX_OUTPUT_JSON */
  lua_pushinteger(L, nft.run(context, commands));
  lua_pushstring(L, nft.get_output(context));
  lua_pushstring(L, nft.get_error(context));
  return 3;
}

static const luaL_Reg funcs[] = {
  {"nft_open", nft_open},
  {"nft_run", nft_run},
  {NULL, NULL},
};

void net_nft_open(lua_State *L) { luaL_setfuncs(L, funcs, 0); }
