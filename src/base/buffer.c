/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The growable buffer of buffer.h.
 */
#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

void *gw_buffer_reserve(struct gw_buffer *buf, size_t len, struct gw_error *err)
{
	size_t need;

	if (gw_add_overflows(buf->len, len, &need)) {
		gw_fail(err, GW_NO_MEMORY, "a buffer of %zu + %zu bytes", buf->len, len);
		return NULL;
	}
	if (need > buf->cap) {
		size_t cap = GW_MAX(need, buf->cap + buf->cap / 2);
		uint8_t *data = realloc(buf->data, GW_MAX(cap, (size_t)64));

		if (!data) {
			gw_fail_errno(err, "growing a buffer to %zu bytes", cap);
			return NULL;
		}
		buf->data = data;
		buf->cap = GW_MAX(cap, (size_t)64);
	}
	/* An empty reservation on an empty buffer still gives a valid pointer. */
	return buf->data ? buf->data + buf->len : (void *)buf;
}

int gw_buffer_append(struct gw_buffer *buf, const void *data, size_t len, struct gw_error *err)
{
	if (len == 0)
		return 0;

	uint8_t *to = gw_buffer_reserve(buf, len, err);

	if (!to)
		return -1;
	if (data)
		memcpy(to, data, len);
	else
		memset(to, 0, len);
	buf->len += len;
	return 0;
}

int gw_buffer_printf(struct gw_buffer *buf, struct gw_error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return gw_fail_errno(err, "formatting text");

	char *to = gw_buffer_reserve(buf, (size_t)n + 1, err);

	if (!to)
		return -1;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf->len += (size_t)n;
	return 0;
}

void gw_buffer_reset(struct gw_buffer *buf)
{
	buf->len = 0;
}

void gw_buffer_free(struct gw_buffer *buf)
{
	free(buf->data);
	*buf = (struct gw_buffer){0};
}
