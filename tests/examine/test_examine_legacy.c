/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the walk over every recorded legacy image, whole, cut and damaged everywhere.
 */
#include "lib/gwtest.h"

#include <dirent.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/util.h"
#include "examine/memory/map.h"

#include "lib/realdata.h"
#include "items.h"
#include "lib/manifest.h"
#include "walked.h"

#define SAMPLES_MAX 64u

/* Names of the recorded images, without ".xz". */
struct samples {
	char names[SAMPLES_MAX][80];
	size_t nr;
};

static struct samples all_samples(void)
{
	struct samples s = {0};
	DIR *dir = opendir(realdata_path("xen-code"));
	const struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		const char *xz = strstr(e->d_name, ".xz");

		if ((strncmp(e->d_name, "leg", 3) && strncmp(e->d_name, "xl45", 4)) || !xz ||
		    strstr(e->d_name, ".manifest"))
			continue;
		assert_true(s.nr < SAMPLES_MAX);
		snprintf(s.names[s.nr++], sizeof(s.names[0]), "xen-code/%.*s",
			 (int)(xz - e->d_name), e->d_name);
	}
	closedir(dir);
	assert_true(s.nr >= 17);
	return s;
}

static struct gw_buffer load(const char *name)
{
	char file[100];

	snprintf(file, sizeof(file), "%s.xz", name);
	return realdata_load(realdata_path(file));
}

/* Loads the manifest of the last checkpoint. */
static struct manifest last_manifest(const char *name, uint64_t rounds)
{
	char file[120];

	if (rounds > 1)
		snprintf(file, sizeof(file), "%s.cp%u.manifest.xz", name, (unsigned)rounds - 1);
	else
		snprintf(file, sizeof(file), "%s.manifest.xz", name);
	return manifest_load(file);
}

static bool count_populated(void *opaque, const struct gw_map_run *run)
{
	if (gw_page_is_populated(run->type))
		*(uint64_t *)opaque += run->last - run->first + 1;
	return true;
}

/* Every page of the manifest has its type, and no other page exists. */
static void check_map(const char *name, const struct gw_memory_map *map, uint64_t rounds)
{
	struct manifest m = last_manifest(name, rounds);
	struct gw_error err = GW_ERROR_INIT;
	uint64_t populated = 0;

	for (size_t i = 0; i < m.nr; i++)
		if (gw_memory_map_type(map, m.pages[i].pfn) != m.pages[i].type)
			fail_msg("%s: pfn 0x%llx has type %d, the manifest says %u", name,
				 (unsigned long long)m.pages[i].pfn,
				 gw_memory_map_type(map, m.pages[i].pfn), m.pages[i].type);
	assert_ok(gw_memory_map_runs(map, count_populated, &populated, &err), &err);
	assert_int_equal(populated, m.nr);
	manifest_free(&m);
}

/* There is no error, each byte is in one item, no page contents are read, and the memory is the
 * guest's. */
static void recorded_ones(void **unused)
{
	struct samples s = all_samples();

	for (size_t n = 0; n < s.nr; n++) {
		struct gw_buffer file = load(s.names[n]);
		struct items *items = items_new();
		struct gw_examination sum = items_walk(file.data, file.len, items);
		struct outcome o;

		examine(file.data, file.len, &o);
		if (o.sum.errors)
			show(&o);
		assert_int_equal(o.sum.errors, 0);
		assert_true(sum.has_legacy && sum.has_image);
		assert_int_equal(sum.bytes, file.len);
		assert_int_equal(o.read + o.skipped, file.len);
		/* The bytes of compressed rounds have to be read. */
		if (!sum.legacy_compressed)
			assert_true(o.read < 200000);
		assert_true(o.skipped >= UINT64_C(990) * 4096);
		for (size_t i = 1; i < items->nr; i++)
			assert_int_equal(items->at[i], items->end[i - 1]);
		assert_int_equal(items->end[items->nr - 1], file.len);
		assert_int_equal(sum.facts.checkpoints, sum.rounds > 1 ? sum.rounds : 0);
		check_map(s.names[n], &items->summary.memory, sum.rounds);
		items_free(items);
		gw_buffer_free(&file);
	}
}

/* The summary agrees with what is known of the streams (tests/data/README.md). */
static void what_they_say(void **unused)
{
	struct gw_buffer file = load("xen-code/leg45_hvm_w64_remus4_comp_1024");
	struct items *items = items_new();
	struct gw_summary *s = &items->summary;
	struct gw_examination sum = items_walk(file.data, file.len, items);

	assert_int_equal(sum.legacy.kind.width, 8);
	assert_int_equal(sum.rounds, 4);
	assert_true(sum.legacy_compressed && !sum.legacy_last_checkpoint && !sum.facts.ended);
	assert_int_equal(sum.image.version, 3);
	assert_int_equal(sum.image.xen_major, 0);
	assert_int_equal(s->tsc.khz, 2594110);
	assert_true(s->tsc.nsec == UINT64_C(0x123456789abc));
	assert_int_equal(s->hvm_context_bytes, 1184);
	/* The device model of the last checkpoint. */
	assert_true(sum.has_legacy_model);
	assert_int_equal(sum.legacy_model, GW_LEGACY_DM_LIBXL);
	assert_int_equal(s->emulator_bytes, 2051 + 5 * 3);
	items_free(items);
	gw_buffer_free(&file);

	file = load("xen-code/leg42_hvm_w32_1024");
	items = items_new();
	s = &items->summary;
	sum = items_walk(file.data, file.len, items);
	assert_int_equal(sum.legacy.kind.width, 4);
	assert_true(sum.facts.ended);
	assert_true(s->has_xenstore);
	assert_int_equal(s->xenstore_keys % 3, 0);
	items_free(items);
	gw_buffer_free(&file);

	file = load("xen-code/leg45_pv32_w32_1024");
	items = items_new();
	s = &items->summary;
	items_walk(file.data, file.len, items);
	assert_int_equal(s->pv_info.guest_width, 4);
	assert_int_equal(s->vcpus[1].basic, 0xaf0);
	assert_int_equal(s->vcpus[1].blobs[GW_VCPU_BASIC].data[160], (7 * 160 + 31 + 3) & 0xff);
	assert_int_equal(s->vcpus[1].extended, 128);
	assert_int_equal(s->shared_info.data[100], (11 * 100 + 5) & 0xff);
	items_free(items);
	gw_buffer_free(&file);
}

/* The offsets after each tail, where rounds end, and what is reported of an image that ends
 * there. */
struct tails {
	uint64_t at[16], records_sum[16], entries[16];
	size_t nr;
};

static struct tails tails_of(const struct gw_buffer *file, const struct items *items)
{
	struct tails t = {0};

	for (size_t i = 0; i < items->nr; i++) {
		struct items *whole;

		if (items->id[i] != GW_LEG_TAIL_DEVICE_MODEL &&
		    items->id[i] != GW_LEG_TAIL_SHARED_INFO)
			continue;
		whole = items_new();
		items_walk(file->data, (size_t)items->end[i], whole);
		t.at[t.nr] = items->end[i];
		t.records_sum[t.nr] = whole->records_sum;
		t.entries[t.nr++] = whole->summary.memory.entries;
		items_free(whole);
	}
	return t;
}

/* A cut after a complete round: a warning or a note, and every finding is of that round. */
static void check_cut_behind(const struct gw_buffer *file, const struct tails *tails, size_t round,
			     uint64_t at)
{
	struct items *items = items_new();
	struct outcome o;

	examine(file->data, (size_t)at, &o);
	if (o.sum.errors)
		show(&o);
	assert_int_equal(o.sum.errors, 0);
	assert_int_equal(o.sum.rounds, round + 1);
	assert_int_equal(at == tails->at[round], find(&o, "legacy-cut-round") == NULL);
	items_walk(file->data, (size_t)at, items);
	/* The first round has a CHECKPOINT instead of the END if something follows. */
	if (round)
		assert_true(items->records_sum == tails->records_sum[round]);
	assert_int_equal(items->summary.memory.entries, tails->entries[round]);
	items_free(items);
}

/* A cut before the end of the first round: one error. */
static void check_cut(const struct gw_buffer *file, uint64_t at)
{
	const struct gw_finding *last;
	struct outcome o;

	examine(file->data, (size_t)at, &o);
	if (o.sum.errors != 1) {
		print_message("cut at 0x%llx:\n", (unsigned long long)at);
		show(&o);
	}
	assert_int_equal(o.sum.errors, 1);
	last = &o.findings[o.nr - 1];
	/* So few bytes are not detected as an image. */
	assert_string_equal(last->rule->id, at < 16 ? "file-format" : "legacy-truncated");
	assert_true(last->offset <= at);
	assert_int_equal(o.sum.bytes, at < 16 ? 0 : at);
}

/* A cut after the HVM context of a guest whose image has LAST_CHECKPOINT: a warning. */
static void check_cut_before_model(const struct gw_buffer *file, uint64_t at)
{
	struct outcome o;

	examine(file->data, (size_t)at, &o);
	assert_int_equal(o.sum.errors, 0);
	assert_non_null(find(&o, "legacy-no-device-model"));
	assert_int_equal(o.sum.rounds, 1);
	assert_true(o.sum.facts.ended);
}

static void check_cuts(const char *name)
{
	struct gw_buffer file = load(name);
	struct items *items = items_new();
	struct tails tails;
	bool last = false;

	items_walk(file.data, file.len, items);
	tails = tails_of(&file, items);
	for (uint64_t at = 16; at < items->at[0]; at += 41)
		check_cut(&file, at);
	for (size_t i = 0, rounds = 0; i < items->nr; i++) {
		uint64_t length = items->end[i] - items->at[i];
		const uint64_t cuts[] = {0, 1, 4, 5, length / 2, length - 1};

		last |= items->id[i] == GW_LEG_LAST_CHECKPOINT;
		rounds += rounds < tails.nr && items->at[i] == tails.at[rounds];
		for (size_t k = 0; k < GW_ARRAY_SIZE(cuts); k++) {
			if (cuts[k] >= length)
				continue;
			if (rounds)
				check_cut_behind(&file, &tails, rounds - 1, items->at[i] + cuts[k]);
			else if (items->id[i] == GW_LEG_TAIL_DEVICE_MODEL && cuts[k] == 0 && last)
				check_cut_before_model(&file, items->at[i]);
			else
				check_cut(&file, items->at[i] + cuts[k]);
		}
	}
	items_free(items);
	gw_buffer_free(&file);
}

static void names_every_cut(void **unused)
{
	check_cuts("xen-code/leg45_hvm_w64_chunks_1024");
	check_cuts("xen-code/leg45_pv64_w64_1024");
	check_cuts("xen-code/leg45_pv32_w32_1024");
	check_cuts("xen-code/leg45_hvm_w64_remus4_1024");
	check_cuts("xen-code/leg45_hvm_w64_remus4_comp_1024");
}

/* The record of xend's device model has no length: it takes the rest of the input. */
static void the_rest_is_the_device_model(void **unused)
{
	struct gw_buffer file = load("xen-code/leg40_hvm_w64_1024");
	struct items *items = items_new();
	uint64_t state;

	items_walk(file.data, file.len, items);
	assert_int_equal(items->summary.emulator_bytes, 2051);
	state = items->end[items->nr - 1] - 2051;
	items_free(items);
	for (uint64_t len = 0; len < 2051; len += 2050) {
		struct outcome o;

		items = items_new();
		items_walk(file.data, (size_t)(state + len), items);
		assert_int_equal(items->summary.emulator_bytes, len);
		assert_int_equal(items->end[items->nr - 1], state + len);
		items_free(items);
		examine(file.data, (size_t)(state + len), &o);
		assert_int_equal(o.sum.errors, 0);
	}
	check_cut(&file, state - 1);
	gw_buffer_free(&file);
}

/* An id that no version ever wrote ends the walk with one error, at that chunk. */
static void ids_that_are_none(void **unused)
{
	static const uint32_t bad[] = {1025, (uint32_t)-22, 0x80000000, 0x7fffffff};
	struct gw_buffer file = load("xen-code/leg45_hvm_w64_remus4_1024");
	struct items *items = items_new();
	struct outcome o;

	items_walk(file.data, file.len, items);
	for (size_t i = 0; i < items->nr; i++) {
		uint8_t *at = file.data + items->at[i];
		uint32_t was = gw_get_le32(at);

		if (items->id[i] <= GW_LEG_HEADER)
			continue;
		gw_put_le32(at, bad[i % GW_ARRAY_SIZE(bad)]);
		examine(file.data, file.len, &o);
		if (i == 0) { /* then it is not a legacy image */
			assert_int_equal(o.sum.errors, 1);
			assert_non_null(find(&o, "file-format"));
		} else {
			if (o.sum.errors != 1)
				show(&o);
			assert_int_equal(o.sum.errors, 1);
			assert_non_null(find(&o, "legacy-framing"));
			assert_int_equal(find(&o, "legacy-framing")->offset, items->at[i]);
			assert_int_equal(find(&o, "legacy-framing")->record_number, i);
		}
		gw_put_le32(at, was);
	}
	items_free(items);
	gw_buffer_free(&file);
}

/* The offset of the first item with that id. */
static uint64_t place_of(const struct items *items, int32_t id)
{
	for (size_t i = 0; i < items->nr; i++)
		if (items->id[i] == id || (id > 0 && items->id[i] > 0))
			return items->at[i];
	fail_msg("no item %d", id);
	return 0;
}

/* A fault in one item: the offset and bytes to change in it, and the rule that must report it,
 * once. */
struct fault {
	int32_t id;
	int at;
	uint8_t bytes[8];
	int len;
	const char *rule;
};

/* Each fault gives one error, whether the rule is of this format or of the image it becomes. */
static void faults_are_found_once(void **unused)
{
	static const struct fault faults[] = {
		{1, 4 + 3, {0x50}, 1, "legacy-page-type"},
		{1, 4 + 8, {0, 4, 0, 0}, 4, "legacy-page-pfn"},
		{GW_LEG_HVM_VM86_TSS, 8 + 4, {1}, 1, "hvm-params-vm86-tss"},
		{GW_LEG_HVM_ACPI_IOPORTS_LOCATION, 8, {2}, 1, "hvm-params-value"},
		{GW_LEG_TOOLSTACK, 8, {2}, 1, "legacy-toolstack"},
		{GW_LEG_TAIL_MAGIC_PFNS, 16 + 7, {1}, 1, "hvm-params-pfn"},
		{GW_LEG_TAIL_DEVICE_MODEL, 3, {'x'}, 1, "legacy-framing"},
	};
	struct gw_buffer file = load("xen-code/leg45_hvm_w64_chunks_1024");
	struct items *items = items_new();

	items_walk(file.data, file.len, items);
	for (size_t i = 0; i < GW_ARRAY_SIZE(faults); i++) {
		const struct fault *f = &faults[i];
		uint64_t place = place_of(items, f->id);
		uint8_t was[8], *at = file.data + place + f->at;
		const struct gw_finding *found;
		struct outcome o;

		memcpy(was, at, sizeof(was));
		memcpy(at, f->bytes, (size_t)f->len);
		examine(file.data, file.len, &o);
		found = find(&o, f->rule);
		if (!found || o.sum.errors != 1)
			show(&o);
		assert_non_null(found);
		assert_int_equal(o.sum.errors, 1);
		/* All params are in one record, which belongs to the tail. */
		if (found->rule->layer == GW_LAYER_LIBXC)
			place = place_of(items, GW_LEG_TAIL_MAGIC_PFNS);
		assert_int_equal(found->offset, place);
		memcpy(at, was, sizeof(was));
	}
	items_free(items);
	gw_buffer_free(&file);
}

/* What is only true of a converted image is not reported for an unconverted one. */
static void not_yet_converted(void **unused)
{
	struct gw_buffer file = load("xen-code/leg45_hvm_w64_verify_1024");
	struct outcome o;

	examine(file.data, file.len, &o);
	assert_null(find(&o, "image-converted"));
	assert_null(find(&o, "verify-mode"));
	assert_non_null(find(&o, "legacy-verify-mode"));
	assert_true(o.sum.facts.verify_mode);
	gw_buffer_free(&file);
}

static int no_page(void *opaque, uint64_t pfn, unsigned type, const uint8_t *contents,
		   struct gw_error *err)
{
	fail_msg("a page of a legacy image");
	return 0;
}

static void contents_are_not_given(void **unused)
{
	static const struct gw_examine_sink page = {.page = no_page};
	struct gw_buffer file = load("xen-code/leg45_hvm_w32_1024");
	struct counting c = {.data = file.data, .len = file.len};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_examination sum;

	counting_init(&c);
	assert_fails(gw_examine(&c.ch, &page, &sum, &err), &err, GW_UNSUPPORTED,
		     "must be converted before its contents can be read");
	free(c.ch.name);
	gw_buffer_free(&file);
}

/* The CRC-32 of the state of each checkpoint: set_qemu_state.py made them. */
static const uint32_t models[] = {0x9be2a82b, 0x36530516, 0x5c3d0356, 0xe85259e4};

/* The state of the device model, one checkpoint after the other. */
struct states {
	unsigned nr;
	uint32_t crc;
	uint64_t length, come;
};

static void next_state(void *opaque, const struct gw_examine_record *record)
{
	struct states *s = opaque;

	if (record->layer != GW_LAYER_LIBXL || record->rec->type != GW_STREAM_EMULATOR_CONTEXT)
		return;
	assert_int_equal(s->come, s->length);
	s->nr++;
	s->length = record->rec->length - 8;
	s->come = 0;
}

static int of_state(void *opaque, const struct gw_examine_record *record, const uint8_t *data,
		    size_t len, struct gw_error *err)
{
	struct states *s = opaque;

	assert_int_equal(record->rec->type, GW_STREAM_EMULATOR_CONTEXT);
	s->crc = (uint32_t)crc32(s->come ? s->crc : 0, data, (unsigned)len);
	s->come += len;
	if (s->come == s->length)
		assert_int_equal(s->crc, models[s->nr - 1]);
	return 0;
}

static int no_state(void *opaque, const struct gw_examine_record *record, const uint8_t *data,
		    size_t len, struct gw_error *err)
{
	return gw_fail(err, GW_NO_MEMORY, "not wanted");
}

static void states_are_handed_on(void **unused)
{
	static const struct {
		const char *name;
		unsigned rounds;
	} cases[] = {
		{"xen-code/leg45_hvm_w32_1024", 1},
		{"xen-code/leg40_hvm_w64_1024", 1}, /* its state goes to the end of the file */
		{"xen-code/leg45_hvm_w64_remus4_1024", 4},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_buffer file = load(cases[i].name);
		struct counting c = {.data = file.data, .len = file.len};
		struct gw_error err = GW_ERROR_INIT;
		struct states states = {0};
		struct gw_examine_sink sink = {
			.opaque = &states, .record = next_state, .body = of_state};
		struct gw_examination sum;

		counting_init(&c);
		assert_ok(gw_examine(&c.ch, &sink, &sum, &err), &err);
		free(c.ch.name);
		assert_int_equal(states.nr, cases[i].rounds);
		assert_int_equal(states.length, 2051 + 5 * (states.nr - 1));
		assert_int_equal(states.come, states.length);

		c = (struct counting){.data = file.data, .len = file.len};
		counting_init(&c);
		sink.body = no_state;
		assert_fails(gw_examine(&c.ch, &sink, &sum, &err), &err, GW_NO_MEMORY,
			     "not wanted");
		free(c.ch.name);
		gw_buffer_free(&file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_ones),
		cmocka_unit_test(what_they_say),
		cmocka_unit_test(names_every_cut),
		cmocka_unit_test(the_rest_is_the_device_model),
		cmocka_unit_test(ids_that_are_none),
		cmocka_unit_test(faults_are_found_once),
		cmocka_unit_test(not_yet_converted),
		cmocka_unit_test(contents_are_not_given),
		cmocka_unit_test(states_are_handed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
