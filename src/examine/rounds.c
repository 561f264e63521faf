/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Items in a spool: a head that says kind and length, then the bytes.
 */
#include "examine/rounds.h"

#include "base/buffer.h"

struct head {
	uint32_t kind, len;
};

int gw_rounds_put(struct gw_rounds *r, uint32_t kind, const void *data, uint32_t len,
		  const void *more, uint32_t more_len, struct gw_error *err)
{
	const struct head head = {.kind = kind, .len = len + more_len};

	if (gw_spool_put(&r->spool, &head, sizeof(head), err) < 0 ||
	    gw_spool_put(&r->spool, data, len, err) < 0)
		return -1;
	return more_len ? gw_spool_put(&r->spool, more, more_len, err) : 0;
}

static int take_all(struct gw_channel *from, gw_rounds_take_fn *take, void *opaque,
		    struct gw_error *err)
{
	struct gw_buffer item = {0};
	struct head head;
	int rc;

	while ((rc = gw_channel_read(from, &head, sizeof(head), err)) == 1) {
		void *to;

		gw_buffer_reset(&item);
		to = gw_buffer_reserve(&item, head.len, err);
		if (!to || (head.len && gw_channel_read(from, to, head.len, err) != 1)) {
			rc = gw_fail(err, GW_SYSTEM, "a spooled checkpoint round lost bytes");
			break;
		}
		rc = take(opaque, head.kind, to, head.len, err);
		if (rc < 0)
			break;
	}
	gw_buffer_free(&item);
	return rc < 0 ? -1 : 0;
}

int gw_rounds_complete(struct gw_rounds *r, gw_rounds_take_fn *take, void *opaque,
		       struct gw_error *err)
{
	/* A hostile image is made of nothing but checkpoints. */
	if (r->aside && r->spool.bytes == 0)
		return 0;
	if (r->aside) {
		struct gw_channel *from = gw_spool_read(&r->spool, err);
		int rc = from ? take_all(from, take, opaque, err) : -1;

		gw_channel_close(from);
		if (rc < 0)
			return -1;
	}
	r->aside = true;
	return gw_spool_begin(&r->spool, err);
}

void gw_rounds_free(struct gw_rounds *r)
{
	gw_spool_close(&r->spool);
	r->aside = false;
}
