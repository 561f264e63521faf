/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests that a PVH guest saved by Xen 4.17 itself runs on in the built-in machine.
 */
#include "emu_bench.h"

#include <godwit/channel.h>

#include "base/bitmap.h"
#include "base/bytes.h"
#include "format/libxc/image.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/emu/emu.h"

#define COUNTER_PFN   0x200
#define SAVED_COUNTER 0x1d95
#define WINDOW	      UINT64_C(0x100000)

struct loading {
	struct guest *g;
	struct gw_channel *ch;
	struct gw_image_reader r;
};

static void take_pages(struct loading *l)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_true(l->r.well_formed);
	for (size_t i = 0; i < l->r.nr_entries; i++) {
		uint64_t gfn = gw_page_entry_pfn(l->r.entries[i]);
		struct gw_mapping mapping;
		uint8_t type;
		void *page;

		if (!gw_page_has_data(gw_page_entry_type(l->r.entries[i])))
			continue;
		assert_ok(gw_domain_page_types(l->g->d, 1, &gfn, &type, &err), &err);
		if (type == GW_PAGE_XTAB)
			assert_ok(gw_domain_populate(l->g->d, 1, &gfn, &gfn, &err), &err);
		assert_ok(gw_domain_map(l->g->d, 1, &gfn, true, &page, &mapping, &err), &err);
		assert_int_equal(gw_channel_read(l->ch, page, GW_PAGE_SIZE, &err), 1);
		gw_domain_unmap(l->g->d, &mapping);
	}
	gw_image_reader_pages_done(&l->r);
}

static void take_policy(struct loading *l)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_policy policy = {0};

	if (l->r.rec.type == GW_REC_X86_CPUID_POLICY)
		assert_ok(gw_cpuid_policy_decode(&l->r.rec, &policy, &err), &err);
	else
		assert_ok(gw_msr_policy_decode(&l->r.rec, &policy, &err), &err);
	/* The guest was saved on a processor with more features, which it does not use. */
	if (gw_domain_set_policy(l->g->d, &policy, &err) < 0 && bench_on_kvm() &&
	    err.code == GW_REFUSED)
		print_message("without its policy: %s\n", err.text);
	else
		assert_ok(err.code == GW_OK ? 0 : -1, &err);
	gw_policy_free(&policy);
}

static void take_record(struct loading *l)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = l->g->d;
	uint64_t index, value;
	uint32_t n;

	switch (l->r.rec.type) {
	case GW_REC_HVM_CONTEXT:
		assert_ok(gw_domain_set_context(d, l->r.rec.data, l->r.rec.length, &err), &err);
		break;
	case GW_REC_HVM_PARAMS:
		assert_ok(gw_hvm_params_decode(&l->r.rec, &n, &err), &err);
		for (uint32_t i = 0; i < n; i++) {
			gw_hvm_params_get(&l->r.rec, i, &index, &value);
			assert_ok(gw_domain_set_param(d, (uint32_t)index, value, &err), &err);
		}
		break;
	case GW_REC_X86_CPUID_POLICY:
	case GW_REC_X86_MSR_POLICY:
		take_policy(l);
		break;
	default:
		break;
	}
}

/* Skips xl's header and libxl's records: the image begins at its marker. */
static void find_image(struct gw_channel *ch)
{
	struct gw_error err = GW_ERROR_INIT;
	static const uint8_t marker[12] = "\xff\xff\xff\xff\xff\xff\xff\xffXENF";
	uint8_t window[12];

	assert_int_equal(gw_channel_read(ch, window, sizeof(window), &err), 1);
	while (memcmp(window, marker, sizeof(marker))) {
		memmove(window, window + 1, sizeof(window) - 1);
		assert_int_equal(gw_channel_read(ch, window + 11, 1, &err), 1);
	}
	gw_channel_unread(ch, window, sizeof(window));
}

static void load(struct guest *g, const char *name)
{
	struct gw_error err = GW_ERROR_INIT;
	struct loading l = {.g = g};
	enum gw_image_event event = GW_IMAGE_MORE;
	char path[512];
	void *to;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", getenv("GODWIT_TEST_DATA"), name);
	l.ch = gw_channel_open(path, &err);
	if (!l.ch || !(l.ch = gw_channel_decompress(l.ch, &err)))
		fail_msg("%s", err.text);
	find_image(l.ch);
	gw_image_reader_init(&l.r);
	while (event != GW_IMAGE_DONE) {
		assert_ok(gw_image_reader_want(&l.r, &to, &len, &err), &err);
		assert_int_equal(gw_channel_read(l.ch, to, len, &err), 1);
		assert_ok(gw_image_reader_got(&l.r, &event, &err), &err);
		if (event == GW_IMAGE_PAGES)
			take_pages(&l);
		else if (event == GW_IMAGE_RECORD)
			take_record(&l);
	}
	gw_image_reader_free(&l.r);
	gw_channel_close(l.ch);
	assert_ok(gw_control_restored(g->d->control, &err), &err);
}

static void xens_own_guest_runs_on(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = guest_new("", WINDOW);
	const uint8_t *counter;
	uint32_t before;
	size_t at;

	load(g, "xen417/tiny-pvh.save.xz");
	counter = guest_page(g, COUNTER_PFN);
	assert_memory_equal(counter, "XRIGPVH1", 8);
	assert_int_equal(gw_get_le32(counter + 8), SAVED_COUNTER);
	guest_unpause(g);
	at = guest_wait(g, 0, "TINY PVH resumed ret 00000000 port 00000001\n");
	guest_wait(g, at, "TINY PVH counter ");
	assert_true(gw_get_le32(counter + 8) > SAVED_COUNTER);
	/* It allocated its port again, and accepts requests here as it did on Xen. */
	before = gw_get_le32(counter + 8);
	assert_int_equal(gw_control_suspend(g->d->control, 5000, NULL, &err), 1);
	assert_true(gw_get_le32(counter + 8) >= before);
	assert_ok(gw_control_resume(g->d->control, &err), &err);
	guest_wait(g, at, "TINY PVH resumed ret 00000001");
	guest_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xens_own_guest_runs_on),
	};

	bench_require();
	return cmocka_run_group_tests_name("emu_tiny", tests, NULL, NULL);
}
