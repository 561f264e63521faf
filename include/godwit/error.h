/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How every function of libgodwit reports a failure: an error the caller owns,
 * filled once. Logging is in godwit/log.h.
 */
#ifndef GODWIT_ERROR_H
#define GODWIT_ERROR_H

#include <stdbool.h>
#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GW_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define GW_PRINTF(f, a)
#endif

/* What kind of failure it was; decides the exit status and what a caller may do next. */
enum gw_code {
	GW_OK = 0,
	GW_INVALID,	/* the stream breaks a rule: retrying will not help */
	GW_TRUNCATED,	/* the bytes ended inside something */
	GW_SYSTEM,	/* a system call failed; errnum says how */
	GW_CANCELLED,	/* the operation was cancelled by its owner */
	GW_REFUSED,	/* the other side, or a preflight, said no */
	GW_UNSUPPORTED, /* valid, but this build or backend cannot do it */
	GW_PEER,	/* the other side broke the protocol or went away */
	GW_GUEST,	/* the guest did not do its part (did not suspend, ...) */
	GW_TOO_LATE,	/* asked for after the point of no return */
	GW_BUSY,	/* another operation runs */
	GW_USAGE,	/* the caller's arguments make no sense */
	GW_NO_MEMORY,
};

/*
 * A failure. Owned by the caller, no allocation inside, reusable after
 * gw_error_clear(). A zeroed struct means "no error".
 */
struct gw_error {
	enum gw_code code;
	int errnum;	 /* errno for GW_SYSTEM, else 0 */
	char text[1000]; /* one sentence, no newline, UTF-8, always terminated */
};

#ifdef __cplusplus
#define GW_ERROR_INIT                                                                              \
	{                                                                                          \
	}
#else
#define GW_ERROR_INIT                                                                              \
	{                                                                                          \
		0                                                                                  \
	}
#endif

/*
 * Records a failure and returns -1, so that callers can write
 * "return gw_fail(err, ...)". The first error wins: if err already holds one it
 * is left as it is. err may be NULL.
 */
int gw_fail(struct gw_error *err, enum gw_code code, const char *fmt, ...) GW_PRINTF(3, 4);

/* The same for a failed system call: appends ": " and the text of errno. */
int gw_fail_errno(struct gw_error *err, const char *fmt, ...) GW_PRINTF(2, 3);

/* Puts "context: " before the text of a recorded error; nothing if there is none. Returns -1. */
int gw_fail_in(struct gw_error *err, const char *fmt, ...) GW_PRINTF(2, 3);

/* The short word for a code ("invalid", "cancelled", ...), for JSON and logs. */
const char *gw_code_name(enum gw_code code);

void gw_error_clear(struct gw_error *err);

#ifdef __cplusplus
}
#endif
#endif
