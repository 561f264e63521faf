/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The channel of walked.h, and a sink that keeps what the walk reports.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "channel/kind.h"
#include "walked.h"

static ssize_t counting_read(struct gw_channel *ch, const struct iovec *iov, int n,
			     struct gw_error *err)
{
	struct counting *c = (struct counting *)ch;
	size_t len = GW_MIN(iov->iov_len, c->len - c->at);

	memcpy(iov->iov_base, c->data + c->at, len);
	c->at += len;
	c->read += len;
	return (ssize_t)len;
}

static int64_t counting_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	struct counting *c = (struct counting *)ch;

	len = GW_MIN(len, (uint64_t)(c->len - c->at));
	c->at += (size_t)len;
	c->skipped += len;
	return (int64_t)len;
}

static ssize_t no_write(struct gw_channel *ch, const struct iovec *iov, int n, struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "not for writing");
}

static int nothing(struct gw_channel *ch, struct gw_error *err)
{
	return 0;
}

static void no_close(struct gw_channel *ch)
{
}

static const struct gw_channel_ops counting_ops = {
	.read = counting_read,
	.write = no_write,
	.skip = counting_skip,
	.drain = nothing,
	.finish = nothing,
	.close = no_close,
};

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	struct outcome *o = opaque;

	if (o->nr < FINDINGS)
		o->findings[o->nr] = *finding;
	o->nr++;
	assert_non_null(finding->rule);
	assert_true(finding->text[0] != 0);
}

static void on_record(void *opaque, const struct gw_examine_record *record)
{
	struct outcome *o = opaque;

	/* Records of a legacy image may have another order than its items. */
	assert_true(o->sum.has_legacy || o->records == 0 || record->offset > o->last_offset);
	o->last_offset = record->offset;
	o->records++;
}

void counting_init(struct counting *c)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_channel_init(&c->ch, &counting_ops, "test", &err), &err);
	c->ch.free = NULL;
}

void examine_channel(struct gw_channel *ch, struct outcome *o)
{
	const struct gw_examine_sink sink = {
		.opaque = o,
		.finding = on_finding,
		.record = on_record,
	};
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_examine(ch, &sink, &o->sum, &err), &err);
	assert_int_equal(o->nr, o->sum.errors + o->sum.warnings + o->sum.notes);
}

void examine(const uint8_t *data, size_t len, struct outcome *o)
{
	struct counting c = {.data = data, .len = len};

	*o = (struct outcome){0};
	counting_init(&c);
	examine_channel(&c.ch, o);
	o->read = c.read;
	o->skipped = c.skipped;
	free(c.ch.name);
}

void show(const struct outcome *o)
{
	char text[600];

	for (size_t i = 0; i < GW_MIN(o->nr, (size_t)FINDINGS); i++)
		print_message("  %s: %s [%s]\n", gw_level_name(o->findings[i].level),
			      gw_finding_format(&o->findings[i], text, sizeof(text)),
			      o->findings[i].rule->id);
}

const struct gw_finding *find(const struct outcome *o, const char *rule)
{
	for (size_t i = 0; i < GW_MIN(o->nr, (size_t)FINDINGS); i++) {
		if (!strcmp(o->findings[i].rule->id, rule))
			return &o->findings[i];
	}
	return NULL;
}
