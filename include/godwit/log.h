/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where the library's remarks go: to a function of the caller's. The library
 * itself never prints. A failure is no remark: see error.h.
 */
#ifndef GODWIT_LOG_H
#define GODWIT_LOG_H

#include <godwit/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum gw_log_level { GW_LOG_ERROR, GW_LOG_WARNING, GW_LOG_INFO, GW_LOG_DEBUG };

/* A sink of remarks. A NULL pointer to one, or a NULL fn, drops them. fn may be called from several
 * threads. */
struct gw_log {
	void (*fn)(void *opaque, enum gw_log_level level, const char *text);
	void *opaque;
	enum gw_log_level max; /* remarks above this level are not formatted */
};

void gw_logf(const struct gw_log *log, enum gw_log_level level, const char *fmt, ...)
	GW_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
