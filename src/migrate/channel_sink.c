/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The default page sink: writes PAGE_DATA records straight from guest memory to one channel.
 */
#include "migrate/page_sink.h"

static void give_back(struct gw_channel_sink *s)
{
	while (s->flying) {
		struct gw_batch *b = s->flying;

		s->flying = b->next;
		gw_batch_release(b, s->domain);
		gw_batch_put(s->pool, b);
	}
}

static int sink_batch(void *opaque, struct gw_batch *b, struct gw_error *err)
{
	struct gw_channel_sink *s = opaque;

	b->next = s->flying;
	s->flying = b;
	if (b->nr_iov == 0)
		return 0;
	return gw_channel_writev(s->out, b->iov, b->nr_iov, err);
}

/* A channel may send directly from the pages: they are unused only after a drain. */
static int sink_barrier(void *opaque, struct gw_error *err)
{
	struct gw_channel_sink *s = opaque;

	if (gw_channel_drain(s->out, err) < 0)
		return -1;
	give_back(s);
	return 0;
}

static void sink_abandon(void *opaque)
{
	struct gw_channel_sink *s = opaque;
	const struct gw_cancel *cancel = s->out->cancel;

	/* A cancelled save still has to wait until the channel no longer uses its pages. */
	gw_channel_set_cancel(s->out, NULL);
	gw_channel_drain(s->out, NULL);
	gw_channel_set_cancel(s->out, cancel);
	give_back(s);
}

void gw_channel_sink_init(struct gw_channel_sink *s, struct gw_channel *out,
			  struct gw_domain *domain, struct gw_batch_pool *pool)
{
	*s = (struct gw_channel_sink){
		.sink =
			{
				.opaque = s,
				.batch = sink_batch,
				.reclaim = sink_barrier,
				.barrier = sink_barrier,
				.abandon = sink_abandon,
			},
		.out = out,
		.domain = domain,
		.pool = pool,
	};
}
