/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests a save over a channel that sends directly from guest pages, as a zero-copy channel does.
 * Until the channel is drained no page is unmapped and no guest runs.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "channel/kind.h"
#include "faulty.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "migrate/frames.h"
#include "migrate/save.h"
#include "stored.h"

struct bench {
	struct gw_channel out;
	uint64_t waiting; /* bytes written since the last drain */
	uint64_t written;
	struct faulty *f;
	unsigned unmapped, resumed, checkpoints;
};

static struct bench *of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct bench, out);
}

static ssize_t no_read(struct gw_channel *ch, const struct iovec *iov, int n, struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "only written");
}

static int64_t no_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "only written");
}

static ssize_t write_later(struct gw_channel *ch, const struct iovec *iov, int n,
			   struct gw_error *err)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	of(ch)->waiting += len;
	of(ch)->written += len;
	return (ssize_t)len;
}

static int drain(struct gw_channel *ch, struct gw_error *err)
{
	of(ch)->waiting = 0;
	return 0;
}

static void close_nothing(struct gw_channel *ch)
{
}

static const struct gw_channel_ops later_ops = {
	.read = no_read,
	.write = write_later,
	.skip = no_skip,
	.drain = drain,
	.finish = drain,
	.close = close_nothing,
};

static void on_unmapping(void *opaque)
{
	struct bench *b = opaque;

	b->unmapped++;
	assert_int_equal(b->waiting, 0);
}

static int ts_suspend(void *opaque, struct gw_error *err)
{
	struct bench *b = opaque;

	return gw_control_suspend(b->f->base.control, 100, NULL, err) < 0 ? -1 : 0;
}

/* The guest writes its pages from here on. */
static int ts_resume(void *opaque, struct gw_error *err)
{
	struct bench *b = opaque;

	b->resumed++;
	assert_int_equal(b->waiting, 0);
	assert_int_equal(b->f->mapped, 0);
	return gw_control_resume(b->f->base.control, err);
}

/* The receiver has the complete checkpoint. */
static int ts_checkpoint(void *opaque, struct gw_error *err)
{
	struct bench *b = opaque;

	assert_int_equal(b->waiting, 0);
	return ++b->checkpoints < 3 ? GW_CHECKPOINT_GO_ON : GW_CHECKPOINT_STOP;
}

static int no_model(void *opaque, int enable, struct gw_error *err)
{
	return 0;
}

static void save(enum gw_stream_type type)
{
	struct stored s = stored_load("xen-code/v3_422_hvm_1024.xz");
	struct gw_restore_args restore = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct bench *b = calloc(1, sizeof(*b));
	struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
				  .owner = b,
				  .suspend = ts_suspend,
				  .postcopy = ts_resume,
				  .checkpoint = ts_checkpoint,
				  .logdirty_switch = no_model};
	struct gw_save_args args = {.toolstack = &ts, .live = true, .stream_type = type};
	struct gw_domain *d;

	assert_non_null(b);
	assert_ok(stored_restore(&s, s.file.len - s.at, &d, &restore, NULL, &err), &err);
	b->f = faulty_new(d);
	b->f->unmapping = on_unmapping;
	b->f->opaque = b;
	assert_ok(gw_channel_init(&b->out, &later_ops, "sent later", &err), &err);
	args.domain = &b->f->base;
	args.out = &b->out;
	assert_ok(gw_save_stream(&args, NULL, &err), &err);
	assert_int_equal(b->waiting, 0);
	assert_int_equal(b->f->mapped, 0);
	assert_true(b->written > 900 * (uint64_t)GW_PAGE_SIZE && b->unmapped > 0);
	assert_int_equal(b->resumed, type == GW_STREAM_PLAIN ? 0 : 3);
	faulty_free(b->f);
	/* Frees the bench, in which the channel is the first member. */
	gw_channel_close(&b->out);
	stored_free(&s);
}

static void test_plain(void **state)
{
	save(GW_STREAM_PLAIN);
}

static void test_checkpoints(void **state)
{
	save(GW_STREAM_REMUS);
}

/* Draining the channel of DATA frames drains the connection. */
static void test_frames(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct bench *b = calloc(1, sizeof(*b));
	struct gw_frames frames = {.ch = &b->out, .peer = "the receiver"};
	struct gw_channel *data;

	assert_non_null(b);
	assert_ok(gw_channel_init(&b->out, &later_ops, "sent later", &err), &err);
	data = gw_frames_channel(&frames, &err);
	assert_non_null(data);
	assert_ok(gw_channel_write(data, "page", 4, &err), &err);
	assert_true(b->waiting > 4);
	assert_ok(gw_channel_drain(data, &err), &err);
	assert_int_equal(b->waiting, 0);
	gw_channel_close(data);
	gw_channel_close(&b->out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_checkpoints),
		cmocka_unit_test(test_frames),
	};

	return cmocka_run_group_tests_name("drain", tests, NULL, NULL);
}
