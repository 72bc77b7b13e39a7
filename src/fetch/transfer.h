/* SPDX-License-Identifier: MIT
 *
 * transfer.h - one download: what libcurl's callbacks (answer.c) and the call
 * that waits for them (fetch.c) both know of it.
 */
#ifndef NSLUA_TRANSFER_H
#define NSLUA_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>
#include <lua.h>

enum { PIECE = 256 * 1024 };

typedef struct Text {
  char s[256];
} Text;

typedef struct Transfer {
  lua_State *L; /* push at 2, start at 3 */
  CURL *curl;
  struct curl_slist *headers;
  char error[CURL_ERROR_SIZE];
  char stopped[128]; /* why we stopped it ourselves */
  bool raised;       /* a Lua error is on top of the stack */
  bool refused;      /* push or start said no */
  bool late;         /* the body has stalled */
  /* of the last answer */
  size_t header_bytes;
  Text etag, modified, type;
  curl_off_t range_from; /* Content-Range, -1: none */
  long status;
  /* of the body */
  curl_off_t asked_from, received, most;
  bool begun;
  double started, patience; /* seconds until the body begins */
  double deadline;          /* it moves on with every byte */
  /* libcurl gives 16 KiB at a time: Lua gets larger pieces */
  size_t held;
  char piece[PIECE];
} Transfer;

/* Has the callbacks of answer.c called, from now on. */
void answer_listen(Transfer *t);
/* What libcurl's result means: pushes answer | nil, kind, text, answer. */
int answer_conclude(lua_State *L, Transfer *t, CURLcode code);

#endif
