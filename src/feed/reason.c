/* SPDX-License-Identifier: MIT
 *
 * reason.c - why something did not work, in words. The first reason counts.
 */
#include <stdarg.h>
#include <stdio.h>

#include "feed/feed.h"

bool reason_set(Reason *r, const char *fmt, ...) {
  va_list ap;
  if (r->text[0] != '\0')
    return false;
  va_start(ap, fmt);
  vsnprintf(r->text, sizeof r->text, fmt, ap);
  va_end(ap);
  return false;
}
