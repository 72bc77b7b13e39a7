/* SPDX-License-Identifier: MIT
 *
 * report.h - what the reaper, PID 1 of a box, tells the process that made the
 * box: one record a fact, over a pipe. Shared by both sides; no libc needed.
 */
#ifndef NSLUA_REPORT_H
#define NSLUA_REPORT_H

enum {
  REPORT_STARTED,  /* value: pid of the program, as PID 1 counts */
  REPORT_REFUSED,  /* value: errno of execve */
  REPORT_STOPPED,  /* value: the signal that stopped the program */
  REPORT_EXITED,   /* value: exit status of the program */
  REPORT_SIGNALED, /* value: the signal that ended it */
};

typedef struct Report {
  int kind;
  int value;
} Report;

#define REPORT_FD 3 /* where the reaper finds its end of the pipe */

#endif
