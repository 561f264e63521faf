/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests restores of checkpointed streams: cut anywhere, they restore to the last complete
 * checkpoint, or fail before the first; a malformed stream is not a failover.
 */
#include "lib/gwtest.h"

#include <pthread.h>

#include "base/bytes.h"
#include "channel/fault.h"
#include "format/libxc/image.h"
#include "format/libxl/stream.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/memory/memory.h"
#include "lib/manifest.h"
#include "migrate/device_model.h"
#include "lib/random.h"
#include "stored.h"

static const char *const names[] = {"hvm_remus3_1024", "libxl_hvm_remus3_1024"};

#define POINTS_MAX 512

/* Where the records of a stream begin and its checkpoints are complete, as offsets from its first
 * byte. */
struct map {
	size_t records[POINTS_MAX], nr_records;
	size_t complete[8], nr_complete;
};

static struct stored load(const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "xen-code/v3_422_%s.xz", name);
	return stored_load(path);
}

/* Walks both layers: after an image's CHECKPOINT come libxl records until CHECKPOINT_END. */
static struct map map_stream(const struct stored *s)
{
	struct map m = {0};
	bool in_image = true;

	for (size_t at = s->image + 40; at + 8 <= s->file.len;) {
		uint32_t type = gw_get_le32(s->file.data + at);
		uint32_t len = gw_get_le32(s->file.data + at + 4);

		assert_true(m.nr_records < POINTS_MAX);
		m.records[m.nr_records++] = at - s->at;
		at += 8 + ((len + 7u) & ~7u);
		if (in_image && type == GW_REC_CHECKPOINT)
			in_image = !s->libxl;
		else if (!in_image && type == GW_STREAM_CHECKPOINT_END)
			in_image = true;
		else
			continue;
		if (in_image)
			m.complete[m.nr_complete++] = at - s->at;
	}
	return m;
}

static void check_memory(const char *name, uint64_t checkpoint, struct gw_domain *d)
{
	char path[200];
	struct manifest m;

	snprintf(path, sizeof(path), "xen-code/v3_422_%s.cp%llu.manifest.xz", name,
		 (unsigned long long)checkpoint);
	m = manifest_load(path);
	for (size_t i = 0; i < m.nr; i++) {
		uint8_t hash[MANIFEST_HASH];
		const uint8_t *page = gw_memory_page(d, m.pages[i].pfn);

		assert_non_null(page);
		/* The restore empties rings, which test_restore.c checks. */
		if (page[0] == 0 && memcmp(page, page + 1, GW_PAGE_SIZE - 1) == 0)
			continue;
		manifest_hash(page, hash);
		if (memcmp(hash, m.pages[i].hash, sizeof(hash)) != 0)
			fail_msg("%s: pfn 0x%llx is not that of checkpoint %llu", name,
				 (unsigned long long)m.pages[i].pfn,
				 (unsigned long long)checkpoint);
	}
	manifest_free(&m);
}

/* Restores the first len bytes and checks the result. */
static void check_cut(const char *name, const struct stored *s, const struct map *m, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {0};
	struct gw_restore_result result;
	struct gw_domain *d;
	uint64_t complete = 0;
	int rc = stored_restore(s, len, &d, &args, &result, &err);

	while (complete < m->nr_complete && m->complete[complete] <= len)
		complete++;
	if (complete == 0 && (rc == 0 || err.code != GW_TRUNCATED))
		fail_msg("%s cut at %zu: %d, \"%s\"", name, len, rc, err.text);
	if (complete > 0 && (rc < 0 || result.checkpoints != complete || !result.failed_over))
		fail_msg("%s cut at %zu: %d, %llu checkpoints of %llu: %s", name, len, rc,
			 (unsigned long long)result.checkpoints, (unsigned long long)complete,
			 err.text);
	if (complete > 0)
		check_memory(name, complete - 1, d);
	gw_control_destroy(d->control);
}

static void test_cut_anywhere(void **state)
{
	const char *name = *state;
	struct stored s = load(name);
	struct map m = map_stream(&s);

	assert_int_equal(m.nr_complete, 3);
	for (size_t i = 0; i < m.nr_records; i++)
		check_cut(name, &s, &m, m.records[i]);
	for (size_t i = 0; i < m.nr_complete; i++) {
		check_cut(name, &s, &m, m.complete[i] - 1);
		check_cut(name, &s, &m, m.complete[i]);
	}
	for (int i = 0; i < 25; i++)
		check_cut(name, &s, &m, random64() % (s.file.len - s.at));
	stored_free(&s);
}

/* The record of round n (from 0) to damage, as an index into the map. */
static size_t record_of_round(const struct map *m, size_t round)
{
	for (size_t i = 0; i < m->nr_records; i++)
		if (m->records[i] >= m->complete[round - 1])
			return i;
	return 0;
}

static void test_malformed_is_no_failover(void **state)
{
	const char *name = *state;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {0};
	struct gw_restore_result result;
	struct stored s = load(name);
	struct map m = map_stream(&s);
	struct gw_domain *d;
	size_t at = s.at + m.records[record_of_round(&m, 1)];

	gw_put_le32(s.file.data + at, 0x77);
	assert_fails(stored_restore(&s, s.file.len - s.at, &d, &args, &result, &err), &err,
		     GW_INVALID, "type 0x00000077");
	assert_false(result.failed_over);
	gw_control_destroy(d->control);
	/* A record longer than the limit: the framing is lost. */
	gw_put_le32(s.file.data + at, GW_REC_PAGE_DATA);
	gw_put_le32(s.file.data + at + 4, 0x70000000);
	assert_fails(stored_restore(&s, s.file.len - s.at, &d, &args, &result, &err), &err,
		     GW_INVALID, "exceeds the limit");
	gw_control_destroy(d->control);
	stored_free(&s);
}

/* A decision for each checkpoint in turn. */
struct verdicts {
	const char *list; /* g: go on, f: failover, s: stop */
	unsigned asked;
};

static int give_verdict(void *opaque, struct gw_error *err)
{
	struct verdicts *v = opaque;

	switch (v->list[v->asked++]) {
	case 'g':
		return GW_CHECKPOINT_GO_ON;
	case 'f':
		return GW_CHECKPOINT_FAILOVER;
	default:
		return GW_CHECKPOINT_STOP;
	}
}

static void test_toolstack_decides(void **state)
{
	const char *name = *state;
	static const struct {
		const char *list;
		int rc;
		uint64_t checkpoints;
	} cases[] = {{"ggg", 0, 3}, {"ggf", 0, 2}, {"gf", 0, 1}, {"f", -1, 0}, {"gs", -1, 1}};
	struct stored s = load(name);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct verdicts v = {.list = cases[i].list};
		struct gw_toolstack ts = {.head = GW_TABLE_HEAD(struct gw_toolstack),
					  .owner = &v,
					  .checkpoint = give_verdict};
		struct gw_restore_args args = {.toolstack = &ts};
		struct gw_restore_result result;
		struct gw_domain *d;

		assert_int_equal(stored_restore(&s, s.file.len - s.at, &d, &args, &result, &err),
				 cases[i].rc);
		assert_int_equal(result.checkpoints, cases[i].checkpoints);
		assert_int_equal(v.asked, strlen(cases[i].list));
		if (cases[i].rc == 0)
			check_memory(name, result.checkpoints - 1, d);
		gw_control_destroy(d->control);
	}
	stored_free(&s);
}

static int restore_faulty(const struct stored *s, const struct gw_fault_plan *plan,
			  const struct gw_cancel *cancel, struct gw_restore_args *args,
			  struct gw_restore_result *result, struct gw_error *err)
{
	struct gw_channel *in = stored_bytes(s->file.data + s->at, s->file.len - s->at);
	int rc;

	*args = (struct gw_restore_args){
		.domain = stored_domain(s->type, s->nr_pfns),
		.in = gw_channel_fault(in, plan, err),
		.cancel = cancel,
	};
	assert_non_null(args->in);
	rc = restore_as_owner(args, s->libxl, result, err);
	gw_channel_close(args->in);
	return rc;
}

/* A broken connection is a lost sender; a cancel by the owner is not. */
static void test_broken_connection(void **state)
{
	const char *name = *state;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
	struct gw_cancel *cancel = gw_cancel_new(&err);
	struct gw_restore_args args;
	struct gw_restore_result result;
	struct stored s = load(name);
	struct map m = map_stream(&s);

	plan.read.error_at = m.complete[2] - 1;
	plan.read.most = 3000;
	assert_ok(restore_faulty(&s, &plan, NULL, &args, &result, &err), &err);
	assert_true(result.failed_over);
	assert_int_equal(result.checkpoints, 2);
	check_memory(name, 1, args.domain);
	gw_control_destroy(args.domain->control);

	plan.read.error_at = m.complete[0] - 100;
	assert_fails(restore_faulty(&s, &plan, NULL, &args, &result, &err), &err, GW_SYSTEM, "");
	gw_control_destroy(args.domain->control);

	plan = (struct gw_fault_plan)GW_FAULT_PLAN_INIT;
	gw_cancel_set(cancel);
	assert_fails(restore_faulty(&s, &plan, cancel, &args, &result, &err), &err, GW_CANCELLED,
		     "");
	assert_false(result.failed_over);
	gw_control_destroy(args.domain->control);
	gw_cancel_free(cancel);
	stored_free(&s);
}

/* A stored file may have checkpoints that were not announced; a running sender may not. */
static void test_checkpoint_unannounced(void **state)
{
	struct stored s = load(*state);

	for (int under_way = 0; under_way < 2; under_way++) {
		struct gw_restore_args args = {.under_way = under_way};
		struct gw_restore_result result;
		struct gw_error err = GW_ERROR_INIT;
		struct gw_domain *d;
		int rc = stored_restore(&s, s.file.len - s.at, &d, &args, &result, &err);

		if (under_way)
			assert_fails(rc, &err, GW_INVALID,
				     "announced an image without checkpoints");
		else
			assert_ok(rc, &err);
		assert_int_equal(result.checkpoints, under_way ? 0 : 3);
		gw_control_destroy(d->control);
	}
	stored_free(&s);
}

/* The device model's state is that of the last complete checkpoint: each is 5 bytes longer. */
static void test_device_model(void **state)
{
	struct stored s = load("libxl_hvm_remus3_1024");
	struct map m = map_stream(&s);
	const size_t cuts[] = {m.complete[0], m.complete[1], m.complete[2] - 1, m.complete[2]};
	const size_t lengths[] = {2051, 2056, 2056, 2061};

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_restore_args args = {.domain = stored_domain(s.type, s.nr_pfns)};
		struct gw_buffer model = {0};

		args.in = stored_bytes(s.file.data + s.at, cuts[i]);
		assert_ok(gw_restore_stream(&args, &model, NULL, &err), &err);
		assert_int_equal(model.len, lengths[i]);
		gw_buffer_free(&model);
		gw_channel_close(args.in);
		gw_control_destroy(args.domain->control);
	}
	stored_free(&s);
}

/* The HVM_CONTEXT of a round (0 first), whose body is at the return value in s->file. */
static size_t context_of_round(const struct stored *s, const struct map *m, size_t round)
{
	for (size_t i = 0; i < m->nr_records; i++) {
		size_t at = s->at + m->records[i];

		if ((round == 0 || m->records[i] >= m->complete[round - 1]) &&
		    gw_get_le32(s->file.data + at) == GW_REC_HVM_CONTEXT)
			return at + 8;
	}
	fail_msg("round %zu has no HVM_CONTEXT", round);
	return 0;
}

static void check_context(struct gw_domain *d, const uint8_t *expected, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;
	void *blob;
	size_t got;

	assert_ok(gw_domain_get_context(d, &blob, &got, &err), &err);
	assert_int_equal(got, len);
	assert_memory_equal(blob, expected, len);
	free(blob);
}

/* The vCPUs are those of the last complete checkpoint, too, although a later state came. */
static void test_state_of_the_checkpoint(void **state)
{
	struct stored s = load(*state);
	struct map m = map_stream(&s);
	size_t before = context_of_round(&s, &m, 1), after = context_of_round(&s, &m, 2);
	size_t len = gw_get_le32(s.file.data + before - 4);

	s.file.data[after + 100] ^= 0x55;
	assert_int_equal(gw_get_le32(s.file.data + after - 4), len);
	assert_memory_not_equal(s.file.data + before, s.file.data + after, len);
	for (size_t cut = m.complete[2] - 1; cut <= m.complete[2]; cut++) {
		struct gw_restore_args args = {0};
		struct gw_error err = GW_ERROR_INIT;
		struct gw_domain *d;

		assert_ok(stored_restore(&s, cut, &d, &args, NULL, &err), &err);
		check_context(d, s.file.data + (cut < m.complete[2] ? before : after), len);
		gw_control_destroy(d->control);
	}
	stored_free(&s);
}

/* The stream up to where round 2 is complete, and with the first record of round 3 if it is to have
 * more; then the image's END. */
static struct stored ended_after_checkpoint(const char *name, bool more)
{
	static const uint8_t end[8] = {GW_REC_END};
	struct gw_error err = GW_ERROR_INIT;
	struct stored s = load(name);
	struct map m = map_stream(&s);

	s.file.len = s.at + (more ? m.records[record_of_round(&m, 2) + 1] : m.complete[1]);
	assert_ok(gw_buffer_append(&s.file, end, sizeof(end), &err), &err);
	return s;
}

/* END after a checkpoint ends the image, and what came since the checkpoint is given up. */
static void test_end_after_checkpoint(void **state)
{
	for (int more = 0; more < 2; more++) {
		struct stored s = ended_after_checkpoint(names[0], more);
		struct gw_restore_args args = {0};
		struct gw_restore_result result;
		struct gw_error err = GW_ERROR_INIT;
		struct gw_domain *d;

		assert_ok(stored_restore(&s, s.file.len - s.at, &d, &args, &result, &err), &err);
		assert_int_equal(result.checkpoints, 2);
		assert_false(result.failed_over);
		check_memory(names[0], 1, d);
		gw_control_destroy(d->control);
		stored_free(&s);
	}
}

/* The first PAGE_DATA with contents; *pages: how many it has. */
static size_t find_pages(const struct stored *s, const struct map *m, uint64_t *pages)
{
	for (size_t i = 0; i < m->nr_records; i++) {
		const uint8_t *at = s->file.data + s->at + m->records[i];

		if (gw_get_le32(at) != GW_REC_PAGE_DATA)
			continue;
		*pages = (gw_get_le32(at + 4) - 8 - 8 * gw_get_le32(at + 8)) / GW_PAGE_SIZE;
		if (*pages > 0)
			return s->at + m->records[i];
	}
	fail_msg("no pages");
	return 0;
}

/* Ends the file after the first checkpoint. */
static size_t cut_after_checkpoint(struct stored *s, const struct map *m)
{
	return s->file.len = s->at + m->complete[0];
}

static void append(struct stored *s, const void *data, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_buffer_append(&s->file, data, len, &err), &err);
}

/* A round has pages up to what the domain can have, and its end then is a failover; one page more
 * is a fault, and no domain comes of it. */
static void test_pages_of_a_round(void **state)
{
	struct stored s = load(*state);
	struct map m = map_stream(&s);
	struct gw_restore_result result;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d;
	uint64_t pages;
	size_t from = find_pages(&s, &m, &pages), begin = cut_after_checkpoint(&s, &m);
	size_t len = 8 + gw_get_le32(s.file.data + from + 4);
	uint8_t *record = malloc(len);
	char words[200];

	assert_non_null(record);
	memcpy(record, s.file.data + from, len);
	for (int verify = 0; verify < 2; verify++) {
		struct gw_restore_args args = {.max_pages = 3 * pages};
		const uint8_t again[8] = {GW_REC_VERIFY};

		s.file.len = begin;
		for (unsigned i = 0; i < 3; i++)
			append(&s, record, len);
		/* Everything once more. */
		if (verify)
			append(&s, again, sizeof(again));
		for (unsigned i = 0; verify && i < 3; i++)
			append(&s, record, len);
		assert_ok(stored_restore(&s, s.file.len - s.at, &d, &args, &result, &err), &err);
		assert_true(result.failed_over);
		assert_int_equal(result.checkpoints, 1);
		gw_control_destroy(d->control);

		/* Its contents do not even have to come. */
		snprintf(words, sizeof(words),
			 "(PAGE_DATA) at offset 0x%zx: this round of checkpoints has %u pages with "
			 "contents, more than the %u that",
			 s.file.len, (unsigned)((4 + 3 * verify) * pages),
			 (unsigned)((3 + 3 * verify) * pages));
		append(&s, record, len - GW_PAGE_SIZE * pages);
		result = (struct gw_restore_result){0};
		assert_fails(stored_restore(&s, s.file.len - s.at, &d, &args, &result, &err), &err,
			     GW_INVALID, words);
		assert_false(result.failed_over);
		gw_error_clear(&err);
		gw_control_destroy(d->control);
	}
	free(record);
	stored_free(&s);
}

/* The same for pages without contents. */
static void test_entries_of_a_round(void **state)
{
	struct stored s = load(*state);
	struct map m = map_stream(&s);
	struct gw_restore_result result;
	struct gw_restore_args args = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d;
	uint8_t head[8], *entries = calloc(1024, 8);

	assert_non_null(entries);
	cut_after_checkpoint(&s, &m);
	for (unsigned i = 0; i < 1024; i++)
		gw_put_le64(entries + i * 8, UINT64_C(15) << 60); /* XTAB */
	/* A pfn of this domain can be anywhere below 4 GiB, or above. */
	for (uint64_t i = 0; i <= s.nr_pfns + (1 << 20); i += 1024) {
		uint8_t count[8] = {0, 4};

		gw_put_le32(head, GW_REC_PAGE_DATA);
		gw_put_le32(head + 4, 8 + 1024 * 8);
		append(&s, head, sizeof(head));
		append(&s, count, sizeof(count));
		append(&s, entries, 1024 * 8);
	}
	assert_fails(stored_restore(&s, s.file.len - s.at, &d, &args, &result, &err), &err,
		     GW_INVALID, "names ");
	gw_control_destroy(d->control);
	gw_error_clear(&err);
	free(entries);
	stored_free(&s);
}

/* Such records wait in memory until their round is complete, so there is a bound. */
static void test_keys_of_a_round(void **state)
{
	static const uint8_t body[1 << 20];
	const struct gw_record rec = {.type = GW_STREAM_EMULATOR_XENSTORE_DATA,
				      .number = 7,
				      .offset = 0x40,
				      .length = sizeof(body),
				      .data = body};
	struct gw_emulator_records kept = {0};
	struct gw_device_model m = {.kept = &kept};
	struct gw_error err = GW_ERROR_INIT;

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 4; i++)
			assert_ok(gw_device_model_record(&m, &rec, &err), &err);
		if (round == 0)
			gw_device_model_complete(&m);
	}
	assert_fails(gw_device_model_record(&m, &rec, &err), &err, GW_INVALID,
		     "record 7 (EMULATOR_XENSTORE_DATA) at offset 0x40: 5242880 bytes of the "
		     "device model's keys in a round, at most 4194304 expected");
	gw_device_model_free(&m);
	gw_buffer_free(&kept.records);
}

#define FOR_EACH_NAME(test)                                                                        \
	cmocka_unit_test_prestate(test, (void *)(uintptr_t)names[0]),                              \
		cmocka_unit_test_prestate(test, (void *)(uintptr_t)names[1])

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOR_EACH_NAME(test_cut_anywhere),
		FOR_EACH_NAME(test_malformed_is_no_failover),
		FOR_EACH_NAME(test_toolstack_decides),
		FOR_EACH_NAME(test_broken_connection),
		FOR_EACH_NAME(test_checkpoint_unannounced),
		FOR_EACH_NAME(test_state_of_the_checkpoint),
		FOR_EACH_NAME(test_pages_of_a_round),
		FOR_EACH_NAME(test_entries_of_a_round),
		cmocka_unit_test(test_keys_of_a_round),
		cmocka_unit_test(test_end_after_checkpoint),
		cmocka_unit_test(test_device_model),
	};

	return cmocka_run_group_tests_name("rounds", tests, NULL, NULL);
}
