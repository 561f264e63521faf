/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the two halves of restoring pages: batches are judged from a record's entries, and applied
 * in any order from any source. Tests also a restore that goes on after faults, and values that its
 * owner passes in.
 */
#include "lib/gwtest.h"

#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/util.h"
#include "channel/spool.h"
#include "format/x86/pv_layout.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/memory/memory.h"
#include "migrate/rehearse.h"
#include "migrate/restore_apply.h"
#include "migrate/restore_judge.h"
#include "migrate/stored.h"

#define NR_PFNS	   4096u
#define NR_ENTRIES 2500u /* three batches */

/* A record: pfns in descending order, every fifth without contents. */
struct record {
	uint64_t entries[NR_ENTRIES];
	struct gw_image_reader reader;
	int file;	       /* its contents are here, from start on */
	uint64_t start, at[3]; /* offsets: of the contents, of each batch's contents */
};

static void fill_page(uint64_t pfn, uint8_t *page)
{
	for (size_t i = 0; i < GW_PAGE_SIZE; i++)
		page[i] = (uint8_t)(pfn * 131 + i * 7 + (i >> 8));
}

static void make_record(struct record *r)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t page[GW_PAGE_SIZE];
	uint64_t pages = 0;

	*r = (struct record){.file = gw_spool_file(&err), .start = 12345};
	assert_true(r->file >= 0);
	for (size_t i = 0; i < NR_ENTRIES; i++) {
		uint64_t pfn = NR_PFNS - 1 - i;

		r->entries[i] = gw_page_entry(pfn, i % 5 == 4 ? GW_PAGE_XTAB : GW_PAGE_NOTAB);
		if (i % GW_BATCH_MAX == 0)
			r->at[i / GW_BATCH_MAX] = r->start + pages * GW_PAGE_SIZE;
		if (i % 5 == 4)
			continue;
		fill_page(pfn, page);
		assert_int_equal(pwrite(r->file, page, sizeof(page),
					(off_t)(r->start + pages++ * GW_PAGE_SIZE)),
				 sizeof(page));
	}
	r->reader = (struct gw_image_reader){.entries = r->entries, .nr_entries = NR_ENTRIES};
}

struct place {
	int fd;
	uint64_t offset;
};

static enum gw_read_result read_place(void *owner, struct iovec *iov, int n, struct gw_error *err)
{
	struct place *p = owner;

	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		ssize_t got = pread(p->fd, iov[i].iov_base, iov[i].iov_len, (off_t)p->offset);

		if (got < (ssize_t)iov[i].iov_len)
			return GW_READ_ENDED;
		p->offset += iov[i].iov_len;
	}
	return GW_READ_OK;
}

static struct gw_restore_guest make_guest(struct gw_domain *d)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_guest g = {.ops = gw_restore_guest_ops(d->type), .domain = d};
	unsigned missing;

	assert_ok(gw_domain_nr_pfns(d, &g.max_pfns, &err), &err);
	assert_ok(g.ops->setup(&g, &err), &err);
	assert_ok(g.ops->static_data_complete(&g, &missing, &err), &err);
	return g;
}

/* Applies the batches of one record from offsets in a file, the last batch first. */
static void test_batches_in_any_order(void **state)
{
	static const size_t order[] = {2, 0, 1};
	struct gw_domain *d = stored_domain(GW_GUEST_X86_HVM, NR_PFNS);
	struct gw_restore_guest g = make_guest(d);
	struct gw_restore_memory memory = {.guest = &g};
	struct gw_batch_pool pool;
	struct gw_error err = GW_ERROR_INIT;
	uint8_t expected[GW_PAGE_SIZE];
	struct gw_batch *b;
	struct record r;

	assert_ok(gw_batch_pool_init(&pool, 1, &err), &err);
	b = gw_batch_get(&pool);
	make_record(&r);
	for (size_t i = 0; i < GW_ARRAY_SIZE(order); i++) {
		struct place place = {.fd = r.file, .offset = r.at[order[i]]};
		const struct gw_page_source source = {.readv = read_place, .owner = &place};

		assert_ok(gw_restore_judge_pages(&g, &r.reader, order[i] * GW_BATCH_MAX, b, &err),
			  &err);
		assert_int_equal(b->nr,
				 order[i] == 2 ? NR_ENTRIES - 2 * GW_BATCH_MAX : GW_BATCH_MAX);
		assert_int_equal(gw_restore_apply(&memory, b, &source, &err), GW_READ_OK);
		assert_false(b->mapped);
	}
	assert_int_equal(memory.pages, NR_ENTRIES / 5 * 4);
	for (size_t i = 0; i < NR_ENTRIES; i++) {
		uint64_t pfn = gw_page_entry_pfn(r.entries[i]);
		const void *page = gw_memory_page(d, pfn);

		fill_page(pfn, expected);
		if (i % 5 == 4)
			assert_null(page);
		else
			assert_memory_equal(page, expected, GW_PAGE_SIZE);
	}
	/* A source that ends inside a batch. */
	struct place end = {.fd = r.file, .offset = r.at[2] + 100};
	const struct gw_page_source source = {.readv = read_place, .owner = &end};

	assert_ok(gw_restore_judge_pages(&g, &r.reader, 2 * GW_BATCH_MAX, b, &err), &err);
	assert_int_equal(gw_restore_apply(&memory, b, &source, &err), GW_READ_ENDED);
	assert_false(b->mapped);
	close(r.file);
	g.ops->cleanup(&g);
	gw_policy_free(&g.policy);
	gw_batch_pool_free(&pool);
	gw_control_destroy(d->control);
}

struct faults {
	unsigned nr;
	struct gw_error last;
};

static void on_fault(void *owner, const char *rule, const struct gw_error *fault)
{
	struct faults *f = owner;

	assert_string_equal(rule, "domain-size");
	f->nr++;
	f->last = *fault;
}

/* Pfns that the domain cannot have: each is one fault, and the contents of all others arrive. */
static void test_leaves_pages_out(void **state)
{
	const uint64_t nr_beyond = 100;
	struct gw_domain *d = stored_domain(GW_GUEST_X86_HVM, NR_PFNS);
	struct gw_restore_guest g = make_guest(d);
	struct faults faults = {0};
	struct gw_restore_memory memory = {.guest = &g};
	struct gw_batch_pool pool;
	struct gw_error err = GW_ERROR_INIT;
	uint8_t expected[GW_PAGE_SIZE];
	struct place place;
	const struct gw_page_source source = {.readv = read_place, .owner = &place};
	struct gw_batch *b;
	struct record r;

	assert_ok(gw_batch_pool_init(&pool, 1, &err), &err);
	b = gw_batch_get(&pool);
	make_record(&r);
	g.max_pfns = NR_PFNS - nr_beyond;
	assert_fails(gw_restore_judge_pages(&g, &r.reader, 0, b, &err), &err, GW_INVALID,
		     "pfn 0xfff is beyond domain");
	assert_string_equal(g.rule, "domain-size");
	gw_error_clear(&err);
	g.faults = (struct gw_restore_faults){.report = on_fault, .owner = &faults};
	assert_ok(gw_restore_judge_pages(&g, &r.reader, 0, b, &err), &err);
	/* Every fifth entry asks for no page: it may name any pfn. */
	assert_int_equal(faults.nr, nr_beyond / 5 * 4);
	assert_non_null(strstr(faults.last.text, "pfn 0xf9d is beyond domain"));
	assert_null(g.rule);
	place = (struct place){.fd = r.file, .offset = r.at[0]};
	assert_int_equal(gw_restore_apply(&memory, b, &source, &err), GW_READ_OK);
	assert_int_equal(place.offset, r.at[1]);
	/* A batch in which every page is left out: its contents are read, and nothing changes. */
	faults.nr = 0;
	g.max_pfns = 1;
	assert_ok(gw_restore_judge_pages(&g, &r.reader, GW_BATCH_MAX, b, &err), &err);
	assert_true(faults.nr >= GW_BATCH_MAX / 5 * 4 && faults.nr <= GW_BATCH_MAX / 5 * 4 + 4);
	assert_int_equal(gw_restore_apply(&memory, b, &source, &err), GW_READ_OK);
	assert_int_equal(place.offset, r.at[2]);
	/* A batch without contents: nothing is read. */
	g.max_pfns = NR_PFNS;
	r.reader.nr_entries = 1;
	r.entries[0] = gw_page_entry(3, GW_PAGE_XTAB);
	assert_ok(gw_restore_judge_pages(&g, &r.reader, 0, b, &err), &err);
	assert_int_equal(gw_restore_apply(&memory, b, &source, &err), GW_READ_OK);
	assert_int_equal(place.offset, r.at[2]);
	for (size_t i = 1; i < GW_BATCH_MAX; i++) {
		uint64_t pfn = gw_page_entry_pfn(r.entries[i]);
		const void *page = gw_memory_page(d, pfn);

		fill_page(pfn, expected);
		if (i % 5 == 4 || pfn >= NR_PFNS - nr_beyond)
			assert_null(page);
		else
			assert_memory_equal(page, expected, GW_PAGE_SIZE);
	}
	close(r.file);
	g.ops->cleanup(&g);
	gw_policy_free(&g.policy);
	gw_batch_pool_free(&pool);
	gw_control_destroy(d->control);
}

static uint64_t any_pfn(const struct gw_restore_guest *g)
{
	return UINT64_MAX;
}

/* The domain's bound holds whatever its kind of guest thinks of a pfn. */
static void test_bound_of_the_domain(void **state)
{
	struct gw_domain *d = stored_domain(GW_GUEST_X86_HVM, NR_PFNS);
	struct gw_restore_guest g = make_guest(d);
	struct gw_restore_guest_ops lenient = *g.ops;
	uint64_t entry = gw_page_entry(g.max_pfns - 1, GW_PAGE_NOTAB);
	const struct gw_image_reader record = {.entries = &entry, .nr_entries = 1};
	/* The last pfn and the one after it are a run of entries. */
	uint64_t run[] = {entry, entry + 1};
	const struct gw_image_reader across = {.entries = run, .nr_entries = 2};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_batch_pool pool;
	struct gw_batch *b;

	lenient.nr_pfns = any_pfn;
	g.ops = &lenient;
	assert_ok(gw_batch_pool_init(&pool, 1, &err), &err);
	b = gw_batch_get(&pool);
	assert_ok(gw_restore_judge_pages(&g, &record, 0, b, &err), &err);
	entry++;
	assert_fails(gw_restore_judge_pages(&g, &record, 0, b, &err), &err, GW_INVALID,
		     "is beyond domain");
	assert_string_equal(g.rule, "domain-size");
	gw_error_clear(&err);
	assert_fails(gw_restore_judge_pages(&g, &across, 0, b, &err), &err, GW_INVALID,
		     "is beyond domain");
	g.ops->cleanup(&g);
	gw_policy_free(&g.policy);
	gw_batch_pool_free(&pool);
	gw_control_destroy(d->control);
}

/* The contents of the first copy of a page in a stored image. */
static uint8_t *page_of(struct stored *s, uint64_t wanted)
{
	for (size_t at = s->image + 40; at + 8 <= s->file.len;) {
		uint8_t *body = s->file.data + at + 8;
		uint32_t len = gw_get_le32(body - 4);
		uint32_t count = gw_get_le32(body - 8) == GW_REC_PAGE_DATA ? gw_get_le32(body) : 0;
		uint8_t *page = body + 8 + 8 * (size_t)count;

		for (uint32_t i = 0; i < count; i++) {
			uint64_t entry = gw_get_le64(body + 8 + 8 * i);

			if (gw_page_entry_pfn(entry) == wanted)
				return page;
			if (gw_page_has_data(gw_page_entry_type(entry)))
				page += GW_PAGE_SIZE;
		}
		at += 8 + ((len + 7u) & ~7u);
	}
	fail_msg("no pfn 0x%llx", (unsigned long long)wanted);
	return NULL;
}

struct found {
	unsigned nr, tables;
	bool has_records, has_level;
};

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	struct found *f = opaque;

	f->nr++;
	f->has_level |= finding->level == GW_LEVEL_ERROR;
	if (!strcmp(finding->rule->id, "pv-table-entry")) {
		f->tables++;
		f->has_records |= finding->has_record && finding->record_type == GW_REC_PAGE_DATA;
	}
}

/* Two bad page tables: both are reported in one run. */
static void test_rehearsal_reports_all(void **state)
{
	struct stored s = stored_load("xen-code/v3_422_pv64_1024.xz");
	const struct gw_rehearsal r = {.nr_pfns = s.nr_pfns, .nr_vcpus = 4};
	struct gw_error err = GW_ERROR_INIT;
	struct found found = {0};
	const struct gw_findings findings = {.report = on_finding, .opaque = &found};
	struct gw_rehearsal_args args = {
		.guest = s.type,
		.in_stream = s.libxl,
		.findings = &findings,
	};

	args.in = stored_bytes(s.file.data + s.at, s.file.len - s.at);
	assert_ok(gw_rehearse(&r, &args, &err), &err);
	assert_int_equal(found.nr, 0);
	gw_channel_close(args.in);

	gw_put_le64(page_of(&s, 0x30), UINT64_C(1024) << 12 | 0x67);
	gw_put_le64(page_of(&s, 0x31), UINT64_C(1024) << 12 | 0x67);
	args.in = stored_bytes(s.file.data + s.at, s.file.len - s.at);
	assert_ok(gw_rehearse(&r, &args, &err), &err);
	assert_int_equal(found.tables, 2);
	assert_int_equal(found.nr, 2);
	assert_true(found.has_records && found.has_level);
	gw_channel_close(args.in);
	stored_free(&s);
}

static struct gw_domain *restore_with_ends(const char *name, const struct gw_ring_end *store,
					   const struct gw_ring_end *console, struct stored *s)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {.store = *store, .console = *console};
	struct gw_domain *d;

	*s = stored_load(name);
	assert_ok(stored_restore(s, s->file.len - s->at, &d, &args, NULL, &err), &err);
	return d;
}

/* The pfn of start_info, which vCPU 0 has as the third argument of its suspend hypercall. */
static uint64_t start_info_pfn(const struct stored *s, const struct gw_pv_layout *l)
{
	for (size_t at = s->image + 40; at + 8 <= s->file.len;) {
		const uint8_t *body = s->file.data + at + 8;

		if (gw_get_le32(body - 8) == GW_REC_X86_PV_VCPU_BASIC && gw_get_le32(body) == 0)
			return l->width == 8 ? gw_get_le64(body + 8 + l->vcpu_edx)
					     : gw_get_le32(body + 8 + l->vcpu_edx);
		at += 8 + ((gw_get_le32(body - 4) + 7u) & ~7u);
	}
	fail_msg("no vCPU 0");
	return 0;
}

/* Ports that the domain's owner has bound are in start_info; without a port the field keeps its
 * value. */
static void pv_ports(const char *name, unsigned width)
{
	const struct gw_pv_layout *l = gw_pv_layout(width);
	const struct gw_ring_end none = {0}, store = {.port = 0x1234}, console = {.port = 0x4321};
	struct stored s;
	struct gw_domain *d = restore_with_ends(name, &none, &none, &s);
	uint64_t pfn = start_info_pfn(&s, l);
	const uint8_t *page = gw_memory_page(d, pfn);
	uint32_t old_store = gw_get_le32(page + l->start_store_evtchn);
	uint32_t old_console = gw_get_le32(page + l->start_console_evtchn);

	gw_control_destroy(d->control);
	stored_free(&s);
	d = restore_with_ends(name, &store, &none, &s);
	page = gw_memory_page(d, pfn);
	assert_int_equal(gw_get_le32(page + l->start_store_evtchn), 0x1234);
	assert_int_equal(gw_get_le32(page + l->start_console_evtchn), old_console);
	gw_control_destroy(d->control);
	stored_free(&s);
	d = restore_with_ends(name, &none, &console, &s);
	page = gw_memory_page(d, pfn);
	assert_int_equal(gw_get_le32(page + l->start_store_evtchn), old_store);
	assert_int_equal(gw_get_le32(page + l->start_console_evtchn), 0x4321);
	gw_control_destroy(d->control);
	stored_free(&s);
}

static void test_ports_of_pv(void **state)
{
	pv_ports("xen-code/v3_422_pv64_1024.xz", 8);
	pv_ports("xen-code/v3_422_pv32_live_1024.xz", 4);
}

static void test_ports_of_hvm(void **state)
{
	const struct gw_ring_end store = {.port = 7}, console = {.port = 9};
	struct gw_error err = GW_ERROR_INIT;
	struct stored s;
	struct gw_domain *d =
		restore_with_ends("xen-code/v3_422_hvm_1024.xz", &store, &console, &s);
	uint64_t port;

	assert_ok(gw_domain_get_param(d, 2, &port, &err), &err);
	assert_int_equal(port, 7);
	assert_ok(gw_domain_get_param(d, 18, &port, &err), &err);
	assert_int_equal(port, 9);
	gw_control_destroy(d->control);
	stored_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batches_in_any_order),
		cmocka_unit_test(test_leaves_pages_out),
		cmocka_unit_test(test_bound_of_the_domain),
		cmocka_unit_test(test_rehearsal_reports_all),
		cmocka_unit_test(test_ports_of_pv),
		cmocka_unit_test(test_ports_of_hvm),
	};

	return cmocka_run_group_tests_name("halves", tests, NULL, NULL);
}
