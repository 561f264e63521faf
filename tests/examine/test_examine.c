/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the walk over real streams, cut and damaged everywhere. The channel counts the bytes that
 * are read and skipped.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "channel/fault.h"
#include "lib/bytes.h"
#include "examine/describe.h"
#include "examine/examine.h"
#include "examine/memory/map.h"
#include "examine/summary/summary.h"

#include "lib/realdata.h"
#include "lib/random.h"
#include "walked.h"

static const char *const streams[] = {
	"xen417/tiny-pv.save.xz",
	"xen417/tiny-pvh.save.xz",
	"xen-code/v2_46_hvm_w64_1024.xz",
	"xen-code/v2_46_pv64_w64_live_1024.xz",
	"xen-code/v3_422_hvm_1024.xz",
	"xen-code/v3_422_pv32_live_1024.xz",
	"xen-code/v3_422_hvm_remus3_1024.xz",
	"xen-code/v3_422_libxl_hvm_1024.xz",
	"xen-code/v3_422_libxl_hvm_remus3_1024.xz",
	"xen-code/v3_422_colo_hvm_1024.fwd.xz",
};

/* Whole streams have no errors, every byte is accounted for, and page contents are never read. */
static void passes_over_pages(void **unused)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(streams); i++) {
		struct gw_buffer file = realdata_load(realdata_path(streams[i]));
		struct outcome o;

		examine(file.data, file.len, &o);
		if (o.sum.errors)
			show(&o);
		assert_int_equal(o.sum.errors, 0);
		assert_int_equal(o.sum.bytes, file.len);
		assert_int_equal(o.read + o.skipped, file.len);
		assert_true(o.sum.pages >= 900);
		assert_true(o.skipped >= o.sum.pages * 4096);
		assert_int_equal(o.records, o.sum.image_records + o.sum.stream_records);
		gw_buffer_free(&file);
	}
}

/* The offsets of an image's records; the last is where END ends. */
struct places {
	uint64_t at[4096];
	uint32_t type[4096];
	enum gw_layer layer[4096];
	size_t nr;
};

static void note_place(void *opaque, const struct gw_examine_record *record)
{
	struct places *p = opaque;

	assert_true(p->nr < GW_ARRAY_SIZE(p->at));
	p->at[p->nr] = record->offset;
	p->layer[p->nr] = record->layer;
	p->type[p->nr++] = record->rec->type;
}

static void find_places(const struct gw_buffer *file, struct places *p)
{
	const struct gw_examine_sink sink = {.opaque = p, .record = note_place};
	struct counting c = {.data = file->data, .len = file->len};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_examination sum;

	p->nr = 0;
	counting_init(&c);
	assert_ok(gw_examine(&c.ch, &sink, &sum, &err), &err);
	free(c.ch.name);
}

/*
 * A cut is one error. Its offset is at or after the last record that began, and not after the cut.
 * After a complete checkpoint a cut is not an error, but is still reported.
 */
static void check_cut(const struct gw_buffer *file, uint64_t at, bool whole_so_far, bool inside)
{
	struct outcome o;
	const struct gw_finding *last;

	examine(file->data, (size_t)at, &o);
	if (whole_so_far && o.sum.errors == 0) {
		assert_true(find(&o, "image-checkpointed") || find(&o, "image-cut-round") ||
			    find(&o, "stream-cut-round"));
		if (inside)
			assert_null(find(&o, "image-checkpointed"));
		return;
	}
	if (o.sum.errors != 1) {
		print_message("cut at 0x%llx:\n", (unsigned long long)at);
		show(&o);
	}
	assert_int_equal(o.sum.errors, 1);
	last = &o.findings[o.nr - 1];
	assert_int_equal(last->level, GW_LEVEL_ERROR);
	assert_true(last->offset <= at);
	assert_true(last->offset >= o.last_offset);
}

static void check_cuts(const char *name, bool checkpointed)
{
	static struct places places;
	struct gw_buffer file = realdata_load(realdata_path(name));
	bool behind_checkpoint = false;

	find_places(&file, &places);
	for (size_t i = 0; i < places.nr; i++) {
		/* Records of pages are many and alike. */
		bool few = i > 20 && i + 60 < places.nr && i % 16;

		if (!few) {
			check_cut(&file, places.at[i], behind_checkpoint, false);
			check_cut(&file, places.at[i] + 1, behind_checkpoint, true);
			check_cut(&file, places.at[i] + 7, behind_checkpoint, true);
			if (i + 1 < places.nr)
				check_cut(&file, places.at[i + 1] - 1, behind_checkpoint, true);
		}
		if (places.layer[i] == GW_LAYER_LIBXC && places.type[i] == GW_REC_CHECKPOINT)
			behind_checkpoint = checkpointed;
	}
	check_cut(&file, file.len - 1, behind_checkpoint, true);
	gw_buffer_free(&file);
}

static void names_every_cut(void **unused)
{
	check_cuts("xen417/tiny-pv.save.xz", false);
	check_cuts("xen-code/v3_422_hvm_1024.xz", false);
	check_cuts("xen-code/v3_422_libxl_hvm_1024.xz", false);
	check_cuts("xen-code/v3_422_hvm_remus3_1024.xz", true);
	check_cuts("xen-code/v3_422_libxl_hvm_remus3_1024.xz", true);
}

/* A fault in one record: the offset and bytes to change in its body, and the rule that must report
 * it. */
struct fault {
	uint32_t record; /* its type; the first record of that type */
	int at;		 /* byte of the record, header included */
	uint8_t bytes[8];
	int len;
	const char *rule;
};

static const struct fault hvm_faults[] = {
	{GW_REC_X86_CPUID_POLICY, 0, {0x7f, 0, 0, 0}, 4, "record-type"},
	{GW_REC_X86_MSR_POLICY, 0, {GW_REC_TOOLSTACK, 0, 0, 0}, 4, "record-toolstack"},
	{GW_REC_PAGE_DATA, 16 + 7, {0x50}, 1, "page-data-type"},
	{GW_REC_X86_TSC_INFO, 0, {GW_REC_X86_PV_INFO, 0, 0, 0}, 4, "record-guest"},
	{GW_REC_HVM_PARAMS, 8, {0xff}, 1, "hvm-params-body"},
};

static uint64_t place_of(const struct places *p, uint32_t type)
{
	for (size_t i = 0; i < p->nr; i++) {
		if (p->layer[i] == GW_LAYER_LIBXC && p->type[i] == type)
			return p->at[i];
	}
	fail_msg("no record of type 0x%x", type);
	return 0;
}

static void damage(struct gw_buffer *file, const struct places *p, const struct fault *f)
{
	memcpy(file->data + place_of(p, f->record) + f->at, f->bytes, (size_t)f->len);
}

/* Each fault alone, and then all of them in one image: every one is found, at its record. */
static void finds_every_fault(void **unused)
{
	static struct places places;
	struct gw_buffer whole = realdata_load(realdata_path("xen-code/v3_422_hvm_1024.xz"));
	struct gw_buffer all = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct outcome o;

	find_places(&whole, &places);
	assert_ok(gw_buffer_append(&all, whole.data, whole.len, &err), &err);
	for (size_t i = 0; i < GW_ARRAY_SIZE(hvm_faults); i++) {
		const struct fault *f = &hvm_faults[i];
		struct gw_buffer one = {0};

		assert_ok(gw_buffer_append(&one, whole.data, whole.len, &err), &err);
		damage(&one, &places, f);
		damage(&all, &places, f);
		examine(one.data, one.len, &o);
		if (!find(&o, f->rule))
			show(&o);
		assert_non_null(find(&o, f->rule));
		assert_int_equal(find(&o, f->rule)->offset, place_of(&places, f->record));
		gw_buffer_free(&one);
	}
	examine(all.data, all.len, &o);
	assert_int_equal(o.records, places.nr);
	for (size_t i = 0; i < GW_ARRAY_SIZE(hvm_faults); i++) {
		const struct gw_finding *found = find(&o, hvm_faults[i].rule);

		if (!found)
			show(&o);
		assert_non_null(found);
		assert_true(found->has_record);
		assert_int_equal(found->offset, place_of(&places, hvm_faults[i].record));
	}
	gw_buffer_free(&all);
	gw_buffer_free(&whole);
}

/* A length beyond the end of the image ends the walk with one finding and uses no memory. */
static void stops_where_framing_is_lost(void **unused)
{
	static struct places places;
	struct gw_buffer file = realdata_load(realdata_path("xen-code/v3_422_hvm_1024.xz"));
	uint64_t at;
	struct outcome o;

	find_places(&file, &places);
	at = place_of(&places, GW_REC_X86_TSC_INFO);
	gw_put_le32(file.data + at + 4, UINT32_C(0xfffffff0));
	examine(file.data, file.len, &o);
	assert_int_equal(o.sum.errors, 1);
	assert_non_null(find(&o, "record-framing"));
	assert_int_equal(find(&o, "record-framing")->offset, at);
	gw_put_le32(file.data + at + 4, UINT32_C(0x07fffff8));
	examine(file.data, file.len, &o);
	assert_int_equal(o.sum.errors, 1);
	assert_non_null(find(&o, "image-truncated"));
	assert_true(find(&o, "image-truncated")->has_record);
	assert_int_equal(find(&o, "image-truncated")->record_type, GW_REC_X86_TSC_INFO);
	gw_buffer_free(&file);
}

/* Offsets are still right after a checkpoint, where bytes of the libxl layer lie between those of
 * the image. */
static void offsets_behind_checkpoints(void **unused)
{
	static struct places places;
	struct gw_buffer file =
		realdata_load(realdata_path("xen-code/v3_422_libxl_hvm_remus3_1024.xz"));
	uint64_t at = 0;
	struct outcome o;

	find_places(&file, &places);
	for (size_t i = 0; i < places.nr; i++) {
		if (places.layer[i] == GW_LAYER_LIBXC && places.type[i] == GW_REC_X86_TSC_INFO)
			at = places.at[i];
	}
	gw_put_le32(file.data + at, 0x7f);
	examine(file.data, file.len, &o);
	assert_int_equal(o.sum.errors, 1);
	assert_non_null(find(&o, "record-type"));
	assert_int_equal(find(&o, "record-type")->offset, at);
	gw_buffer_free(&file);
}

/* Bytes after the end are named: the messages of a migration, and anything else. */
static void names_trailing_bytes(void **unused)
{
	static const char words[] = "domain is yours, you are cleared to unpause";
	struct gw_buffer file = realdata_load(realdata_path("xen417/tiny-pv.save.xz"));
	size_t whole = file.len;
	struct gw_error err = GW_ERROR_INIT;
	struct outcome o;

	assert_ok(gw_buffer_append(&file, words, sizeof(words), &err), &err);
	examine(file.data, file.len, &o);
	assert_int_equal(o.sum.errors + o.sum.warnings, 0);
	assert_non_null(find(&o, "migrate-handshake"));
	assert_int_equal(find(&o, "migrate-handshake")->offset, whole);
	assert_int_equal(o.sum.bytes, file.len);
	assert_ok(gw_buffer_append(&file, NULL, 5000, &err), &err);
	examine(file.data, file.len, &o);
	assert_int_equal(o.sum.errors, 0);
	assert_int_equal(o.sum.warnings, 1);
	assert_int_equal(find(&o, "trailing-bytes")->offset, whole + sizeof(words));
	assert_int_equal(o.sum.bytes, file.len);
	examine(file.data, whole + 3, &o);
	assert_null(find(&o, "migrate-handshake"));
	assert_non_null(find(&o, "trailing-bytes"));
	gw_buffer_free(&file);
}

/* Device model state as the walk passes it on. */
struct bodies {
	const struct gw_buffer *file;
	uint64_t at, bytes; /* of the current record; of all records */
	unsigned count;
	bool fail;
};

static int on_body(void *opaque, const struct gw_examine_record *record, const uint8_t *data,
		   size_t len, struct gw_error *err)
{
	struct bodies *b = opaque;

	assert_int_equal(record->layer, GW_LAYER_LIBXL);
	assert_int_equal(record->rec->type, GW_STREAM_EMULATOR_CONTEXT);
	if (b->fail)
		return gw_fail(err, GW_REFUSED, "enough of it");
	if (b->at < record->offset) {
		b->at = record->offset + 16;
		b->count++;
	}
	assert_true(b->at + len <= record->offset + 8 + record->rec->length);
	assert_memory_equal(data, b->file->data + b->at, len);
	b->at += len;
	b->bytes += len;
	return 0;
}

static int walk_bodies(struct bodies *b, size_t len, struct gw_error *err)
{
	const struct gw_examine_sink sink = {.opaque = b, .body = on_body};
	struct counting c = {.data = b->file->data, .len = len};
	struct gw_examination sum;
	int rc;

	counting_init(&c);
	rc = gw_examine(&c.ch, &sink, &sum, err);
	free(c.ch.name);
	return rc;
}

/* The sink gets every byte of the state and none of the padding; where the input is cut, it gets
 * fewer. */
static void hands_on_device_models(void **unused)
{
	struct gw_buffer file =
		realdata_load(realdata_path("xen-code/v3_422_libxl_hvm_remus3_1024.xz"));
	struct bodies whole = {.file = &file}, cut = {.file = &file}, failing = {.file = &file};
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(walk_bodies(&whole, file.len, &err), &err);
	assert_int_equal(whole.count, 3);
	assert_int_equal(whole.bytes, 2051 + 2056 + 2061);
	assert_ok(walk_bodies(&cut, (size_t)whole.at - 100, &err), &err);
	assert_int_equal(cut.count, 2);
	failing.fail = true;
	assert_fails(walk_bodies(&failing, file.len, &err), &err, GW_REFUSED, "enough of it");
	gw_buffer_free(&file);
}

/* Input in small pieces gives the same result; a failing input is a failure and not a finding. */
static void any_pace_and_failures(void **unused)
{
	struct gw_buffer file = realdata_load(realdata_path("xen417/tiny-pv.save.xz"));
	struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_examination sum;
	struct outcome o = {0};
	struct gw_channel *ch;

	plan.read.most = 700;
	plan.seed = 1;
	ch = gw_channel_fault(bytes_source("memory", file.data, file.len), &plan, &err);
	assert_non_null(ch);
	examine_channel(ch, &o);
	assert_int_equal(o.sum.errors, 0);
	assert_int_equal(o.sum.bytes, file.len);
	gw_channel_close(ch);

	plan.read.error_at = 100000;
	ch = gw_channel_fault(bytes_source("memory", file.data, file.len), &plan, &err);
	assert_non_null(ch);
	assert_fails(gw_examine(ch, &(struct gw_examine_sink){0}, &sum, &err), &err, GW_SYSTEM,
		     "Input/output error");
	gw_channel_close(ch);
	gw_buffer_free(&file);
}

/* Formats each record as the tools do, to reach that code. */
static void summarise(void *opaque, const struct gw_examine_record *record)
{
	struct gw_summary *s = opaque;
	char text[200], title[40];

	gw_summary_record(s, record);
	gw_describe_record(record, s->has_pv_info ? s->pv_info.guest_width : 0, text,
			   16 + random64() % (sizeof(text) - 16));
	assert_non_null(gw_record_title(record->layer, record->rec->type, title, sizeof(title)));
}

static bool count_run(void *opaque, const struct gw_map_run *run)
{
	uint64_t *pfns = opaque;

	*pfns += run->last - run->first + 1;
	return true;
}

static bool count_fault(void *opaque, const struct gw_table_fault *fault)
{
	++*(uint64_t *)opaque;
	return true;
}

static void examine_tables(struct gw_summary *s)
{
	const struct gw_pv_layout *layout = gw_pv_layout(s->pv_info.guest_width);
	struct gw_error err = GW_ERROR_INIT;
	uint64_t faults = 0;

	if (!layout)
		return;
	for (size_t i = 0; i < s->nr_vcpus; i++)
		if (s->vcpus[i].basic == layout->vcpu_size)
			assert_ok(gw_page_tables_use_vcpu(&s->tables, layout, s->vcpus[i].id,
							  s->vcpus[i].blobs[GW_VCPU_BASIC].data,
							  &err),
				  &err);
	assert_ok(gw_page_tables_examine(&s->tables, &s->memory, layout, (uint64_t)s->p2m_end + 1,
					 &err),
		  &err);
	assert_ok(gw_page_tables_faults(&s->tables, count_fault, &faults, &err), &err);
	for (unsigned kind = 0; kind < GW_TABLE_NR_FAULTS; kind++)
		faults -= s->tables.faults[kind];
	assert_int_equal(faults, 0);
}

static void examine_damaged(const uint8_t *data, size_t len)
{
	struct counting c = {.data = data, .len = len};
	struct gw_summary *summary = calloc(1, sizeof(*summary));
	const struct gw_examine_sink sink = {
		.opaque = summary,
		.xlfile = gw_summary_xlfile,
		.stream = gw_summary_stream,
		.image = gw_summary_image,
		.record = summarise,
		.page = gw_summary_page,
		.wants = gw_summary_wants,
	};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_examination sum;
	uint64_t pfns = 0;
	char title[256];

	assert_non_null(summary);
	summary->want_contents = random64() % 2;
	summary->want_tables = true;
	counting_init(&c);
	/* Damage to the first bytes may turn the file into a legacy image, for which this sink gets
	 * no contents. */
	if (gw_examine(&c.ch, &sink, &sum, &err) < 0)
		assert_int_equal(err.code, GW_UNSUPPORTED);
	assert_true(sum.bytes <= len);
	assert_int_equal(summary->err.code, GW_OK);
	assert_true(strlen(gw_examination_title(&sum, title, sizeof(title))) > 0);
	assert_ok(gw_memory_map_runs(&summary->memory, count_run, &pfns, &err), &err);
	assert_int_equal(pfns, summary->memory.pfns);
	examine_tables(summary);
	gw_summary_free(summary);
	free(summary);
	free(c.ch.name);
}

/* Random changes in and around the headers of records: no crash, no hang, no unbounded memory. */
static void survives_random_damage(void **unused)
{
	static const char *const names[] = {
		"xen417/tiny-pv.save.xz",
		"xen-code/v3_422_libxl_hvm_remus3_1024.xz",
		"xen-code/v2_46_pv64_w64_live_1024.xz",
	};
	static struct places places;

	for (size_t n = 0; n < GW_ARRAY_SIZE(names); n++) {
		struct gw_buffer file = realdata_load(realdata_path(names[n]));

		find_places(&file, &places);
		for (unsigned i = 0; i < 300; i++) {
			uint64_t at[4];
			uint8_t was[4];
			unsigned changes = 1 + (unsigned)(random64() % 4);

			for (unsigned k = 0; k < changes; k++) {
				at[k] = places.at[random64() % places.nr] +
					random64() % (random64() % 2 ? 8 : 64);
				if (random64() % 16 == 0)
					at[k] = random64() % places.at[0];
				at[k] = GW_MIN(at[k], (uint64_t)file.len - 1);
				was[k] = file.data[at[k]];
				file.data[at[k]] = random64() % 2 ? (uint8_t)random64()
								  : was[k] ^ (1u << random64() % 8);
			}
			examine_damaged(file.data, file.len);
			for (unsigned k = changes; k-- > 0;)
				file.data[at[k]] = was[k];
		}
		gw_buffer_free(&file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_over_pages),
		cmocka_unit_test(names_every_cut),
		cmocka_unit_test(finds_every_fault),
		cmocka_unit_test(stops_where_framing_is_lost),
		cmocka_unit_test(offsets_behind_checkpoints),
		cmocka_unit_test(names_trailing_bytes),
		cmocka_unit_test(hands_on_device_models),
		cmocka_unit_test(any_pace_and_failures),
		cmocka_unit_test(survives_random_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
