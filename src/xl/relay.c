/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The relay (relay.h): a channel that passes on whatever is read from it, below a reading.
 */
#include "xl/relay.h"

#include "base/util.h"
#include "channel/kind.h"
#include "read/reading.h"

/* Of static data, which is kept while there is nobody to pass it to. */
#define KEPT_MAX (8u << 20)

struct tee {
	struct gw_channel ch;
	struct state *state;
};

struct state {
	struct gw_relay *relay;
	struct tee tee;
	struct gw_buffer kept;
	struct gw_input in;
	struct gw_reading reading;
	struct gw_policy policy;
	bool static_done, state_seen;
};

static int write_to(struct gw_relay *relay, const void *data, size_t len, struct gw_error *err)
{
	int rc = gw_channel_write(relay->to, data, len, err);

	relay->to_failed |= rc < 0;
	return rc;
}

static int pass_on(struct state *s, const void *data, size_t len, struct gw_error *err)
{
	s->relay->bytes += len;
	if (s->relay->to)
		return write_to(s->relay, data, len, err);
	if (s->kept.len + len > KEPT_MAX)
		return gw_fail(err, GW_INVALID, "more than %u bytes before the domain's memory",
			       KEPT_MAX);
	return gw_buffer_append(&s->kept, data, len, err);
}

static ssize_t tee_read(struct gw_channel *ch, const struct iovec *iov, int n, struct gw_error *err)
{
	struct state *s = gw_container_of(ch, struct tee, ch)->state;
	ssize_t got = gw_channel_read_some(s->relay->from, iov->iov_base, iov->iov_len, err);

	return got > 0 && pass_on(s, iov->iov_base, (size_t)got, err) < 0 ? -1 : got;
}

static void tee_close(struct gw_channel *ch)
{
}

static const struct gw_channel_ops tee_ops = {
	.read = tee_read,
	.skip = gw_channel_skip_by_reading,
	.close = tee_close,
};

static enum gw_read_result result_of(int rc)
{
	return rc < 0 ? GW_READ_FAILED : GW_READ_OK;
}

static int end_static_data(struct state *s, struct gw_error *err)
{
	struct gw_relay *relay = s->relay;

	s->static_done = true;
	if (relay->static_data &&
	    relay->static_data(relay->owner, gw_reading_guest(&s->reading), &s->policy, err) < 0)
		return -1;
	if (!relay->to || s->kept.len == 0)
		return 0;
	if (write_to(relay, s->kept.data, s->kept.len, err) < 0)
		return -1;
	gw_buffer_free(&s->kept);
	return 0;
}

static enum gw_read_result on_header(void *owner, struct gw_error *err)
{
	struct state *s = owner;
	const struct gw_relay *relay = s->relay;

	if (!relay->header)
		return GW_READ_OK;
	return result_of(relay->header(relay->owner, &s->reading.image.header, err));
}

static int begin_state(struct state *s, struct gw_error *err)
{
	const struct gw_relay *relay = s->relay;

	s->state_seen = true;
	return relay->state ? relay->state(relay->owner, err) : 0;
}

static enum gw_read_result on_record(void *owner, struct gw_error *err)
{
	struct state *s = owner;
	const struct gw_record *rec = &s->reading.image.rec;

	switch (rec->type) {
	case GW_REC_X86_CPUID_POLICY:
		return result_of(gw_cpuid_policy_decode(rec, &s->policy, err));
	case GW_REC_X86_MSR_POLICY:
		return result_of(gw_msr_policy_decode(rec, &s->policy, err));
	case GW_REC_STATIC_DATA_END:
		return result_of(s->static_done ? 0 : end_static_data(s, err));
	case GW_REC_X86_TSC_INFO:
	case GW_REC_HVM_CONTEXT:
	case GW_REC_HVM_PARAMS:
	case GW_REC_X86_PV_VCPU_BASIC:
		return result_of(s->state_seen || s->relay->pages == 0 ? 0 : begin_state(s, err));
	default:
		return GW_READ_OK;
	}
}

/* An image of version 2 has no end of its static data. */
static enum gw_read_result on_pages(void *owner, struct gw_error *err)
{
	struct state *s = owner;

	if (!s->static_done && end_static_data(s, err) < 0)
		return GW_READ_FAILED;
	s->relay->pages += s->reading.image.nr_pages;
	return gw_input_skip(&s->in, s->reading.image.data_len, err);
}

int gw_relay_run(struct gw_relay *relay, struct gw_error *err)
{
	static const struct gw_read_listener listener = {
		.image_header = on_header,
		.image_record = on_record,
		.image_pages = on_pages,
	};
	struct state s = {.relay = relay};
	enum gw_read_result rc = GW_READ_FAILED;

	if (gw_channel_init(&s.tee.ch, &tee_ops, relay->from->name, err) < 0)
		return -1;
	s.tee.ch.free = NULL;
	s.tee.ch.cancel = relay->from->cancel;
	s.tee.state = &s;
	s.in.ch = &s.tee.ch;
	s.reading = (struct gw_reading){
		.in = &s.in,
		.listener = &listener,
		.owner = &s,
		.kind = GW_IMAGE_PLAIN,
		.colo = GW_READ_COLO_NO,
		/* What else its config says, libxl judges. */
		.config = {.known = relay->pvh, .type = GW_GUEST_X86_HVM, .pvh = relay->pvh},
	};
	rc = gw_read_stream(&s.reading, err);
	if (rc == GW_READ_ENDED)
		gw_fail(err, GW_TRUNCATED, "the stream ended before its END");
	gw_reading_free(&s.reading);
	gw_policy_free(&s.policy);
	gw_buffer_free(&s.kept);
	gw_channel_close(&s.tee.ch);
	return rc == GW_READ_OK ? 0 : -1;
}
