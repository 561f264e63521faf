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

/* The kind of a failure. It decides the exit status, and whether a caller can retry. */
enum gw_code {
	GW_OK = 0,
	GW_INVALID,	/* the stream breaks a rule: retrying will not help */
	GW_TRUNCATED,	/* the input ended before its end mark */
	GW_SYSTEM,	/* a system call failed; errnum has the errno */
	GW_CANCELLED,	/* the operation was cancelled by its owner */
	GW_REFUSED,	/* the peer or a preflight refused the domain */
	GW_UNSUPPORTED, /* valid, but this build or backend cannot do it */
	GW_PEER,	/* the peer broke the protocol or disconnected */
	GW_GUEST,	/* the guest did not cooperate (did not suspend, ...) */
	GW_TOO_LATE,	/* requested inside the commit window of a migration */
	GW_BUSY,	/* another operation is running */
	GW_USAGE,	/* the caller's arguments are invalid */
	GW_NO_MEMORY,
	GW_GONE, /* the domain ended: its guest shut down, or it was destroyed */
};

/*
 * A failure. Owned by the caller, no allocation inside, reusable after
 * gw_error_clear(). A zeroed struct means "no error".
 */
struct gw_error {
	enum gw_code code;
	int errnum;		   /* errno for GW_SYSTEM, else 0 */
	const char *rule;	   /* the id of the rule that the input breaks; NULL: no rule's */
	unsigned nr_reasons;	   /* gw_error_reason() */
	unsigned reasons_left_out; /* for lack of room */
	/* One sentence, no newline, UTF-8, always terminated; the reasons are stored after it. */
	char text[1000];
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
 * stays unchanged. err may be NULL.
 */
int gw_fail(struct gw_error *err, enum gw_code code, const char *fmt, ...) GW_PRINTF(3, 4);

/* The same for a failed system call: appends ": " and the text of errno. */
int gw_fail_errno(struct gw_error *err, const char *fmt, ...) GW_PRINTF(2, 3);

/* Puts "context: " before the text of a recorded error; does nothing without one. Returns -1. */
int gw_fail_in(struct gw_error *err, const char *fmt, ...) GW_PRINTF(2, 3);

/*
 * Records why as the failure, with its reasons and its rule. Returns -1; the first error wins.
 */
int gw_fail_as(struct gw_error *err, const struct gw_error *why);

/*
 * Adds a reason to a recorded error whose sentence alone does not say enough ("the host cannot take
 * the guest"): one sentence, no newline. One that does not fit is counted. Returns -1.
 */
int gw_fail_reason(struct gw_error *err, const char *fmt, ...) GW_PRINTF(2, 3);

/* Appends to the sentence of a recorded error. A long sentence loses its end, never this text. */
int gw_fail_more(struct gw_error *err, const char *fmt, ...) GW_PRINTF(2, 3);

/* Reason number i, from 0 to nr_reasons - 1. Borrowed from err. */
const char *gw_error_reason(const struct gw_error *err, unsigned i);

/* The short word for a code ("invalid", "cancelled", ...), for JSON and logs. */
const char *gw_code_name(enum gw_code code);

void gw_error_clear(struct gw_error *err);

#ifdef __cplusplus
}
#endif
#endif
