/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests page tables in the memory backend: pinning checks what a hypervisor checks, types are
 * counted, a failure changes nothing, Xen's slots are filled.
 */
#include "lib/gwtest.h"

#include <godwit/hypervisor.h>

#include "base/bytes.h"
#include "format/libxc/image.h"
#include "format/x86/pv_layout.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/memory/memory.h"

#define PFNS 64

struct fixture {
	struct gw_host *host;
	struct gw_domain *d;
	uint64_t mfns[PFNS];
	struct gw_error err;
};

static void set_pte(struct fixture *f, unsigned table, unsigned slot, uint64_t pte)
{
	gw_put_le64((uint8_t *)gw_memory_page(f->d, table) + 8 * slot, pte);
}

static uint64_t pte(struct fixture *f, unsigned table, unsigned slot)
{
	return gw_get_le64((uint8_t *)gw_memory_page(f->d, table) + 8 * slot);
}

static void point(struct fixture *f, unsigned table, unsigned slot, unsigned to)
{
	set_pte(f, table, slot, f->mfns[to] << 12 | 0x67);
}

/* pfn 1: root; 2: an L3 (64-bit only); 3: L2; 4: L1; 5: data. */
static void open_domain(struct fixture *f, unsigned width)
{
	struct gw_domain_config config = {
		.type = GW_GUEST_X86_PV, .max_pages = PFNS, .vcpus = 2, .seed = 3};
	uint64_t pfns[PFNS];

	memset(f, 0, sizeof(*f));
	f->host = gw_host_open("memory:", &f->err);
	f->d = gw_host_create(f->host, &config, &f->err);
	assert_non_null(f->d);
	assert_ok(gw_domain_set_width(f->d, width, &f->err), &f->err);
	for (unsigned i = 0; i < PFNS; i++)
		pfns[i] = i;
	assert_ok(gw_domain_populate(f->d, PFNS, pfns, f->mfns, &f->err), &f->err);
	if (width == 8) {
		point(f, 1, 0, 2);
		point(f, 2, 0, 3);
	} else {
		set_pte(f, 1, 3, f->mfns[3] << 12 | 1);
	}
	point(f, 3, 0, 4);
	point(f, 4, 0, 5); /* writable */
}

static void close_domain(struct fixture *f)
{
	gw_control_destroy(f->d->control);
	gw_host_close(f->host);
}

static int pin(struct fixture *f, unsigned pfn, unsigned level)
{
	uint8_t type = GW_PAGE_PINNED | level;

	return gw_domain_pin(f->d, 1, &f->mfns[pfn], &type, &f->err);
}

static void assert_types(struct fixture *f, const unsigned types[6])
{
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(gw_memory_page_type(f->d, i), types[i]);
}

static void test_pin64(void **state)
{
	struct fixture f;
	void *pages[1];
	struct gw_mapping mapping;

	open_domain(&f, 8);
	set_pte(&f, 1, 256, 0xdead);
	assert_ok(pin(&f, 1, 4), &f.err);
	assert_types(&f, (unsigned[]){0, 0xc, 3, 2, 1, 0});
	assert_true(pte(&f, 1, 256) & 1);
	assert_true(pte(&f, 1, 271) & 1);
	assert_int_equal(pte(&f, 1, 255), 0);
	assert_int_equal(pte(&f, 1, 272), 0);
	assert_fails(pin(&f, 1, 4), &f.err, GW_USAGE, "pinned already");
	assert_fails(pin(&f, 3, 1), &f.err, GW_INVALID,
		     "pfn 0x3 cannot be an L1 table: it is in use as an L2 table");
	assert_ok(pin(&f, 3, 2), &f.err);
	assert_int_equal(gw_domain_get_width(f.d, &(unsigned){0}, &f.err), 0);
	assert_fails(gw_domain_set_width(f.d, 4, &f.err), &f.err, GW_USAGE, "has memory");

	/* A page table in use cannot be mapped for writing or removed. */
	assert_fails(gw_domain_map(f.d, 1, &f.mfns[4], true, pages, &mapping, &f.err), &f.err,
		     GW_INVALID, "cannot be mapped for writing");
	assert_ok(gw_domain_map(f.d, 1, &f.mfns[4], false, pages, &mapping, &f.err), &f.err);
	gw_domain_unmap(f.d, &mapping);
	assert_fails(gw_memory_depopulate(f.d, 1, &f.mfns[4], &f.err), &f.err, GW_USAGE, "in use");

	assert_ok(gw_memory_unpin(f.d, 1, &f.err), &f.err);
	assert_types(&f, (unsigned[]){0, 0, 0, 0xa, 1, 0});
	assert_ok(gw_memory_unpin(f.d, 3, &f.err), &f.err);
	assert_types(&f, (unsigned[]){0, 0, 0, 0, 0, 0});
	assert_fails(gw_memory_unpin(f.d, 3, &f.err), &f.err, GW_USAGE, "not pinned");
	close_domain(&f);
}

static void test_refused(void **state)
{
	struct fixture f;
	const unsigned none[6] = {0};

	open_domain(&f, 8);
	/* After valid entries, so that there is something to undo. */
	set_pte(&f, 4, 511, UINT64_C(0xfffff) << 12 | 1);
	assert_fails(pin(&f, 1, 4), &f.err, GW_INVALID,
		     "pfn 0x4 (L1), entry 511: mfn 0xfffff is not the guest's memory");
	assert_types(&f, none);
	set_pte(&f, 4, 511, UINT64_C(0xfffff) << 12);
	set_pte(&f, 3, 511, f.mfns[6] << 12 | 0x81);
	assert_fails(pin(&f, 1, 4), &f.err, GW_INVALID, "superpage");
	assert_types(&f, none);
	point(&f, 3, 511, 3);
	assert_fails(pin(&f, 1, 4), &f.err, GW_INVALID,
		     "pfn 0x3 (L2), entry 511: shows pfn 0x3 (L2 table) writable");
	assert_types(&f, none);
	set_pte(&f, 3, 511, 0);
	assert_fails(pin(&f, 1, 0), &f.err, GW_USAGE, "as type 0x8");
	assert_ok(pin(&f, 1, 4), &f.err);
	close_domain(&f);
}

static void test_pin32(void **state)
{
	struct fixture f;
	uint64_t compat;

	open_domain(&f, 4);
	/* The unused slots of a PAE L3 are ignored; Xen's slots in the last L2 are overwritten. */
	set_pte(&f, 1, 4, UINT64_C(0xfffff) << 12 | 1);
	set_pte(&f, 3, 428, 0xe3);
	set_pte(&f, 3, 511, 0xe3);
	/* Xen skips the pin of a level that the guest does not have. */
	assert_ok(pin(&f, 1, 4), &f.err);
	assert_types(&f, (unsigned[]){0, 0, 0, 0, 0, 0});
	assert_ok(pin(&f, 1, 3), &f.err);
	assert_types(&f, (unsigned[]){0, 0xb, 0, 2, 1, 0});
	assert_ok(gw_domain_compat_m2p_mfn0(f.d, &compat, &f.err), &f.err);
	assert_true(compat != GW_INVALID_PFN);
	assert_int_equal(pte(&f, 3, 428) >> 12, compat);
	assert_int_equal(pte(&f, 3, 511), 0);
	close_domain(&f);
}

static void test_vcpu(void **state)
{
	struct fixture f;
	const struct gw_pv_layout *l = gw_pv_layout(8);
	static uint8_t context[5168];
	void *blob;
	size_t len;
	bool online;

	open_domain(&f, 8);
	memset(context, 0x5a, sizeof(context));
	gw_put_le32(context + l->vcpu_flags, GW_PV_VCPU_ONLINE);
	gw_put_le64(context + l->vcpu_gdt_ents, 513);
	gw_put_le64(context + l->vcpu_gdt, f.mfns[6]);
	gw_put_le64(context + l->vcpu_gdt + 8, f.mfns[9]);
	gw_put_le64(context + l->vcpu_cr + 24, f.mfns[1] << 12);
	gw_put_le64(context + l->vcpu_cr + 8, f.mfns[7] << 12);
	assert_fails(gw_domain_set_vcpu(f.d, 0, GW_REC_X86_PV_VCPU_BASIC, context, 5167, &f.err),
		     &f.err, GW_INVALID, "expected 5168");
	assert_fails(gw_domain_set_vcpu(f.d, 2, GW_REC_X86_PV_VCPU_BASIC, context, 5168, &f.err),
		     &f.err, GW_USAGE, "has 2 vCPUs");
	assert_ok(gw_domain_set_vcpu(f.d, 0, GW_REC_X86_PV_VCPU_BASIC, context, 5168, &f.err),
		  &f.err);
	assert_int_equal(gw_memory_page_type(f.d, 1), 4);
	assert_int_equal(gw_memory_page_type(f.d, 7), 4);
	/* Page 4 is a table by now. */
	gw_put_le64(context + l->vcpu_gdt + 8, f.mfns[4]);
	assert_fails(gw_domain_set_vcpu(f.d, 1, GW_REC_X86_PV_VCPU_BASIC, context, 5168, &f.err),
		     &f.err, GW_INVALID, "GDT frame 1");
	gw_put_le64(context + l->vcpu_gdt_ents, 7169);
	assert_fails(gw_domain_set_vcpu(f.d, 1, GW_REC_X86_PV_VCPU_BASIC, context, 5168, &f.err),
		     &f.err, GW_INVALID, "7169 entries");
	gw_put_le64(context + l->vcpu_gdt_ents, 0);
	gw_put_le64(context + l->vcpu_cr + 24, f.mfns[4] << 12);
	assert_fails(gw_domain_set_vcpu(f.d, 0, GW_REC_X86_PV_VCPU_BASIC, context, 5168, &f.err),
		     &f.err, GW_INVALID,
		     "pfn 0x4 cannot be an L4 table: it is in use as an L1 table");
	assert_int_equal(gw_memory_page_type(f.d, 1), 4);
	/* With another root the old tables are free again. */
	gw_put_le64(context + l->vcpu_cr + 24, f.mfns[8] << 12);
	gw_put_le64(context + l->vcpu_cr + 8, 0);
	assert_ok(gw_domain_set_vcpu(f.d, 0, GW_REC_X86_PV_VCPU_BASIC, context, 5168, &f.err),
		  &f.err);
	assert_types(&f, (unsigned[]){0, 0, 0, 0, 0, 0});
	assert_ok(gw_domain_vcpu_online(f.d, 0, &online, &f.err), &f.err);
	assert_true(online);
	assert_ok(gw_domain_vcpu_online(f.d, 1, &online, &f.err), &f.err);
	assert_false(online);
	assert_ok(gw_domain_get_vcpu(f.d, 0, GW_REC_X86_PV_VCPU_BASIC, &blob, &len, &f.err),
		  &f.err);
	assert_int_equal(len, 5168);
	assert_memory_equal(blob, context, 5168);
	free(blob);
	assert_ok(gw_domain_get_vcpu(f.d, 0, GW_REC_X86_PV_VCPU_MSRS, &blob, &len, &f.err), &f.err);
	assert_int_equal(len, 0);
	assert_null(blob);
	assert_fails(gw_domain_set_vcpu(f.d, 0, GW_REC_X86_PV_VCPU_EXTENDED, context, 129, &f.err),
		     &f.err, GW_INVALID, "129 bytes");
	assert_fails(gw_domain_set_vcpu(f.d, 0, GW_REC_X86_PV_VCPU_XSAVE, context, 15, &f.err),
		     &f.err, GW_INVALID, "15 bytes");
	assert_fails(gw_domain_set_vcpu(f.d, 0, GW_REC_X86_PV_VCPU_MSRS, context, 17, &f.err),
		     &f.err, GW_INVALID, "17 bytes");
	assert_fails(gw_domain_set_vcpu(f.d, 0, GW_REC_SHARED_INFO, context, 16, &f.err), &f.err,
		     GW_USAGE, "state 0x7");
	close_domain(&f);
}

/* A root may show itself or a valid sibling, read-only; what shows others is not shown. */
static void test_linear(void **state)
{
	struct fixture f;

	open_domain(&f, 8);
	set_pte(&f, 1, 300, f.mfns[1] << 12 | 0x67);
	assert_fails(pin(&f, 1, 4), &f.err, GW_INVALID,
		     "pfn 0x1 (L4), entry 300: shows pfn 0x1 (L4 table) writable");
	set_pte(&f, 1, 300, f.mfns[1] << 12 | 0x65);
	assert_ok(pin(&f, 1, 4), &f.err);
	/* pfn 10 shows the valid pfn 1; then pfn 11 may not show pfn 10. */
	set_pte(&f, 10, 300, f.mfns[1] << 12 | 0x65);
	assert_ok(pin(&f, 10, 4), &f.err);
	set_pte(&f, 11, 300, f.mfns[10] << 12 | 0x65);
	assert_fails(pin(&f, 11, 4), &f.err, GW_INVALID, "shows and is shown");
	assert_ok(gw_memory_unpin(f.d, 10, &f.err), &f.err);
	assert_ok(gw_memory_unpin(f.d, 1, &f.err), &f.err);
	assert_types(&f, (unsigned[]){0, 0, 0, 0, 0, 0});
	close_domain(&f);
}

static void test_writable(void **state)
{
	struct fixture f;

	open_domain(&f, 8);
	point(&f, 4, 7, 3);
	assert_fails(pin(&f, 1, 4), &f.err, GW_INVALID,
		     "pfn 0x4 (L1), entry 7: maps pfn 0x3 (L2 table) writable");
	set_pte(&f, 4, 7, f.mfns[3] << 12 | 0x65);
	set_pte(&f, 4, 8, f.mfns[6] << 12 | 0x75);
	assert_fails(pin(&f, 1, 4), &f.err, GW_INVALID, "pfn 0x4 (L1), entry 8: flags 0x10 of");
	set_pte(&f, 4, 8, 0);
	assert_ok(pin(&f, 1, 4), &f.err);
	assert_fails(
		pin(&f, 5, 1), &f.err, GW_INVALID,
		"pfn 0x5 cannot be an L1 table: it is mapped writable by pfn 0x4 (L1), entry 0");
	close_domain(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pin64),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_pin32),  cmocka_unit_test(test_vcpu),
		cmocka_unit_test(test_linear), cmocka_unit_test(test_writable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
