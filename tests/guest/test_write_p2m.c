/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the writing of a restored guest's P2M, which has more pages here than are mapped at once.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "guest/x86_pv.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/memory/memory.h"

#define LEAVES 700u
#define WIDTH  8u

struct fixture {
	struct gw_host *host;
	struct gw_domain *d;
	struct gw_pv_restore pv;
	struct gw_restore_guest guest;
	char faults[200]; /* texts of those that were reported */
	unsigned nr_faults;
	struct gw_error err;
};

static void note(void *owner, const char *rule, const struct gw_error *fault)
{
	struct fixture *f = owner;

	assert_string_equal(rule, "pv-p2m-page");
	snprintf(f->faults + strlen(f->faults), sizeof(f->faults) - strlen(f->faults), "%s\n",
		 fault->text);
	f->nr_faults++;
}

#define GONE 10u /* pfns from LEAVES on that have no page */

/* Leaf i is in pfn LEAVES - 1 - i. No two words of the P2M are alike, but for those of GONE. */
static void setup(struct fixture *f)
{
	struct gw_domain_config config = {.type = GW_GUEST_X86_PV,
					  .max_pages = 2 * LEAVES,
					  .vcpus = 1,
					  .seed = 5,
					  .pv_width = WIDTH};
	struct gw_pv_restore *pv = &f->pv;
	uint64_t pfns[LEAVES], mfns[LEAVES];

	memset(f, 0, sizeof(*f));
	f->host = gw_host_open("memory:", &f->err);
	f->d = gw_host_create(f->host, &config, &f->err);
	assert_non_null(f->d);
	for (unsigned i = 0; i < LEAVES; i++)
		pfns[i] = i;
	assert_ok(gw_domain_populate(f->d, LEAVES, pfns, mfns, &f->err), &f->err);
	pv->layout = gw_pv_layout(WIDTH);
	pv->nr_pfns = (uint64_t)LEAVES * pv->layout->fpp;
	pv->mfns = calloc(pv->nr_pfns, sizeof(*pv->mfns));
	pv->types = calloc(pv->nr_pfns, 1);
	pv->frames = calloc(LEAVES, sizeof(*pv->frames));
	pv->nr_frames = LEAVES;
	for (unsigned i = 0; i < LEAVES; i++) {
		pv->mfns[i] = mfns[i] + 1;
		pv->frames[i] = LEAVES - 1 - i;
	}
	for (uint64_t pfn = LEAVES + GONE; pfn < pv->nr_pfns; pfn++)
		pv->mfns[pfn] = (UINT64_C(1) << 30) + pfn;
	f->guest = (struct gw_restore_guest){.ops = &gw_x86_pv_restore, .domain = f->d, .priv = pv};
}

static void teardown(struct fixture *f)
{
	gw_control_destroy(f->d->control);
	gw_host_close(f->host);
	free(f->pv.mfns);
	free(f->pv.types);
	free(f->pv.frames);
}

static bool is_written(struct fixture *f, unsigned leaf)
{
	const struct gw_pv_layout *l = f->pv.layout;
	const uint8_t *page = gw_memory_page(f->d, LEAVES - 1 - leaf);

	for (unsigned i = 0; i < l->fpp; i++)
		if (gw_pv_get_word(l, page + (size_t)i * l->width) !=
		    gw_pv_new_mfn(&f->pv, (uint64_t)leaf * l->fpp + i))
			return false;
	return true;
}

static void writes_every_page(void **state)
{
	struct fixture f;

	setup(&f);
	assert_ok(gw_pv_write_p2m(&f.guest, &f.err), &f.err);
	for (unsigned i = 0; i < LEAVES; i++)
		if (!is_written(&f, i))
			fail_msg("page %u of the P2M is wrong", i);
	teardown(&f);
}

/* Pages that are missing at either end of a batch and inside: each is named, all others are
 * written. */
static void names_each_bad_page(void **state)
{
	static const unsigned bad[] = {0, 255, 256, 500, LEAVES - 1};
	struct fixture f;

	setup(&f);
	for (size_t i = 0; i < GW_ARRAY_SIZE(bad); i++)
		f.pv.frames[bad[i]] = LEAVES + i;
	assert_fails(gw_pv_write_p2m(&f.guest, &f.err), &f.err, GW_INVALID,
		     "P2M frame 0: pfn 0x2bc has no page");
	gw_error_clear(&f.err);
	f.guest.faults = (struct gw_restore_faults){.report = note, .owner = &f};
	assert_ok(gw_pv_write_p2m(&f.guest, &f.err), &f.err);
	assert_string_equal(f.faults, "P2M frame 0: pfn 0x2bc has no page\n"
				      "P2M frame 255: pfn 0x2bd has no page\n"
				      "P2M frame 256: pfn 0x2be has no page\n"
				      "P2M frame 500: pfn 0x2bf has no page\n"
				      "P2M frame 699: pfn 0x2c0 has no page\n");
	for (unsigned i = 0, next = 0; i < LEAVES; i++) {
		if (i == bad[next])
			next++;
		else if (!is_written(&f, i))
			fail_msg("page %u of the P2M is wrong", i);
	}
	teardown(&f);
}

/* Xen may refuse one page of a mapping: it is named, and the pages beside it are written. */
static void names_a_refused_page(void **state)
{
	struct fixture f;

	setup(&f);
	/* An mfn that is not the domain's. */
	f.pv.mfns[LEAVES - 1 - 300] = UINT64_C(1) << 40;
	f.guest.faults = (struct gw_restore_faults){.report = note, .owner = &f};
	assert_ok(gw_pv_write_p2m(&f.guest, &f.err), &f.err);
	assert_int_equal(f.nr_faults, 1);
	assert_non_null(strstr(f.faults, "P2M frame 300: gfn 0xffffffffff cannot be mapped: "));
	assert_true(is_written(&f, 299) && is_written(&f, 301));
	f.guest.faults.report = NULL;
	assert_fails(gw_pv_write_p2m(&f.guest, &f.err), &f.err, GW_INVALID, "P2M frame 300");
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_every_page),
		cmocka_unit_test(names_each_bad_page),
		cmocka_unit_test(names_a_refused_page),
	};

	return cmocka_run_group_tests_name("write_p2m", tests, NULL, NULL);
}
