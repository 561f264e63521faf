/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * When an image counts: at its END or at each complete checkpoint, in a bare image and in a libxl
 * stream; what follows the last checkpoint never does.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "format/libxc/image.h"
#include "format/libxl/stream.h"
#include "read/checkpoints.h"

/* A record, and what it makes of those before it. */
struct step {
	enum gw_layer layer;
	uint32_t type;
	enum gw_counts counts;
};

#define IMAGE(type, counts)                                                                        \
	{                                                                                          \
		GW_LAYER_LIBXC, GW_REC_##type, GW_COUNTS_##counts                                  \
	}
#define STREAM(type, counts)                                                                       \
	{                                                                                          \
		GW_LAYER_LIBXL, GW_STREAM_##type, GW_COUNTS_##counts                               \
	}

static void take(struct gw_checkpoints *c, const struct step *steps, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		enum gw_counts counts = gw_checkpoints_record(c, steps[i].layer, steps[i].type);

		if (counts != steps[i].counts)
			fail_msg("record %zu: %d, expected %d", i, counts, steps[i].counts);
	}
}

#define TAKE(c, ...)                                                                               \
	take(c, (const struct step[]){__VA_ARGS__},                                                \
	     sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step))

static void nothing_counts(const struct gw_checkpoints *c)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_fails(gw_checkpoints_over(c, &err), &err, GW_TRUNCATED, "no complete checkpoint");
}

static void test_plain_image(void **state)
{
	struct gw_checkpoints c = {0};

	nothing_counts(&c);
	TAKE(&c, IMAGE(STATIC_DATA_END, LATER), IMAGE(PAGE_DATA, LATER), IMAGE(VERIFY, LATER),
	     IMAGE(HVM_CONTEXT, LATER));
	assert_true(c.verifying);
	nothing_counts(&c);
	TAKE(&c, IMAGE(END, END));
	assert_true(c.ended);
	assert_int_equal(c.complete, 0);
	assert_int_equal(gw_checkpoints_over(&c, NULL), 0);
}

static void test_bare_checkpoints(void **state)
{
	struct gw_checkpoints c = {0};

	TAKE(&c, IMAGE(PAGE_DATA, LATER), IMAGE(CHECKPOINT, CHECKPOINT));
	assert_int_equal(gw_checkpoints_over(&c, NULL), 0);
	TAKE(&c, IMAGE(PAGE_DATA, LATER), IMAGE(CHECKPOINT, CHECKPOINT));
	assert_int_equal(c.complete, 2);
	/* END gives up what came since the last checkpoint. */
	TAKE(&c, IMAGE(PAGE_DATA, LATER), IMAGE(END, NEVER));
	assert_int_equal(c.complete, 2);
	assert_int_equal(gw_checkpoints_over(&c, NULL), 0);
}

/* A libxl stream completes the checkpoint that its image began. */
static void test_stream(void **state)
{
	struct gw_checkpoints c = {.in_stream = true};

	TAKE(&c, IMAGE(PAGE_DATA, LATER), STREAM(CHECKPOINT_END, LATER), IMAGE(CHECKPOINT, LATER),
	     STREAM(EMULATOR_CONTEXT, LATER));
	assert_true(c.in_checkpoint);
	assert_int_equal(c.complete, 0);
	nothing_counts(&c);
	TAKE(&c, STREAM(CHECKPOINT_END, CHECKPOINT), STREAM(CHECKPOINT_STATE, LATER));
	assert_false(c.in_checkpoint);
	assert_int_equal(c.complete, 1);
	TAKE(&c, IMAGE(CHECKPOINT, LATER), IMAGE(END, NEVER), STREAM(CHECKPOINT_END, LATER));
	assert_int_equal(c.complete, 1);
}

static void test_colo(void **state)
{
	struct gw_checkpoints c = {.in_stream = true, .state_completes = true};

	TAKE(&c, STREAM(CHECKPOINT_STATE, LATER), IMAGE(CHECKPOINT, LATER),
	     STREAM(CHECKPOINT_END, LATER));
	nothing_counts(&c);
	TAKE(&c, STREAM(CHECKPOINT_STATE, CHECKPOINT));
	assert_int_equal(c.complete, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_image),
		cmocka_unit_test(test_bare_checkpoints),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_colo),
	};

	return cmocka_run_group_tests_name("checkpoints", tests, NULL, NULL);
}
