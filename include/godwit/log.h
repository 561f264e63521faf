/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The log sink: a function of the caller that receives the library's log messages.
 * The library itself never prints. Failures are returned as errors instead (error.h).
 */
#ifndef GODWIT_LOG_H
#define GODWIT_LOG_H

#include <godwit/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum gw_log_level { GW_LOG_ERROR, GW_LOG_WARNING, GW_LOG_INFO, GW_LOG_DEBUG };

/* A log sink. A NULL sink, or a NULL fn, discards all messages. fn may be called from several
 * threads at once. */
struct gw_log {
	void (*fn)(void *opaque, enum gw_log_level level, const char *text);
	void *opaque;
	enum gw_log_level max; /* messages above this level are discarded unformatted */
};

void gw_logf(const struct gw_log *log, enum gw_log_level level, const char *fmt, ...)
	GW_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
