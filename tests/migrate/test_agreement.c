/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests that verify and restore agree on thousands of damaged images, made of real ones with a few
 * pages left. What verify calls an error, restore refuses. What restore refuses, verify calls an
 * error, or restore names a rule that only a restore can check. GODWIT_MUTANTS sets the number.
 */
#include "lib/gwtest.h"

#include <time.h>

#include "base/bytes.h"
#include "base/util.h"
#include "examine/examine.h"
#include "format/libxl/stream.h"
#include "hypervisor/control.h"
#include "damage.h"
#include "stored.h"
#include "lib/random.h"

#define MAX_PFNS  2048
#define MANY_PFNS (UINT64_C(1) << 16) /* no domain of a mutant gets more */

/* The result of examining an image, and the pfns that a domain for it must have. */
struct verdict {
	uint64_t errors;
	char first[600];
	uint64_t nr_pfns;
	uint32_t vcpus;
};

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	struct verdict *v = opaque;

	if (finding->level == GW_LEVEL_ERROR && !v->errors++)
		gw_finding_format(finding, v->first, sizeof(v->first));
}

static void on_record(void *opaque, const struct gw_examine_record *record)
{
	struct verdict *v = opaque;
	const struct gw_image_reader *r = record->pages;

	for (size_t i = 0; r && i < r->nr_entries; i++)
		v->nr_pfns = GW_MAX(v->nr_pfns, gw_page_entry_pfn(r->entries[i]) + 1);
	if (record->layer == GW_LAYER_LIBXC && record->rec->data &&
	    record->rec->type == GW_REC_X86_PV_P2M_FRAMES && record->rec->length >= 8)
		v->nr_pfns = GW_MAX(v->nr_pfns, (uint64_t)gw_get_le32(record->rec->data + 4) + 1);
}

static struct verdict examine(const struct gw_buffer *bytes)
{
	struct verdict v = {0};
	const struct gw_examine_sink sink = {
		.opaque = &v, .finding = on_finding, .record = on_record};
	struct gw_channel *in = stored_bytes(bytes->data, bytes->len);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_examination examination;

	assert_ok(gw_examine(in, &sink, &examination, &err), &err);
	assert_int_equal(v.errors > 0, examination.errors > 0);
	gw_channel_close(in);
	return v;
}

static int restore(const struct gw_buffer *bytes, bool libxl, const struct verdict *v,
		   struct gw_refusal *refusal, struct gw_error *err)
{
	/* The guest type is the mutant's, as in a domain made for it. */
	const uint8_t *mark = memmem(bytes->data, bytes->len, "XENF", 4);
	size_t at = mark ? (size_t)(mark - bytes->data) + 16 : bytes->len;
	uint32_t type = at + 4 <= bytes->len ? gw_get_le32(bytes->data + at) : 0;
	uint64_t nr = GW_MIN(GW_MAX(v->nr_pfns, UINT64_C(1)), MANY_PFNS);
	struct gw_restore_args args = {
		.domain =
			stored_domain(type == GW_GUEST_X86_PV ? GW_GUEST_X86_PV : GW_GUEST_X86_HVM,
				      GW_MAX(nr, (uint64_t)MAX_PFNS)),
		.in = stored_bytes(bytes->data, bytes->len),
	};
	struct gw_restore_result result;
	int rc = restore_as_owner(&args, libxl, &result, err);

	*refusal = result.refusal;
	gw_channel_close(args.in);
	gw_control_destroy(args.domain->control);
	return rc;
}

static const struct gw_rule *rule_of(const char *id)
{
	size_t n;
	const struct gw_rule *rules = gw_rules(&n);

	for (size_t i = 0; id && i < n; i++)
		if (!strcmp(rules[i].id, id))
			return &rules[i];
	return NULL;
}

struct tally {
	unsigned long taken, refused, deep;
};

/* True if the two agree. */
static bool agree(const struct parent *p, const struct gw_buffer *bytes, struct tally *tally)
{
	struct verdict v = examine(bytes);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_refusal refusal;
	int rc = restore(bytes, p->libxl, &v, &refusal, &err);
	const struct gw_rule *rule = rule_of(refusal.rule);

	if (rc == 0 && v.errors) {
		print_message("%s: restored, although verify says: %s\n", p->name, v.first);
		return false;
	}
	if (rc == 0) {
		tally->taken++;
		return true;
	}
	if (err.code != GW_INVALID && err.code != GW_TRUNCATED && !v.errors) {
		print_message("%s: refused with code %d: %s\n", p->name, err.code, err.text);
		return false;
	}
	if (v.errors) {
		tally->refused++;
		return true;
	}
	if (!rule || !rule->deep || rule->level != GW_LEVEL_ERROR || !refusal.text[0]) {
		print_message("%s: verify says ok, but restore: %s [%s]\n", p->name, err.text,
			      refusal.rule ? refusal.rule : "no rule");
		return false;
	}
	tally->deep++;
	if (getenv("GODWIT_VERBOSE"))
		print_message("%s: only a restore: %s [%s]\n", p->name, err.text, rule->id);
	return true;
}

static const char *const names[] = {
	"xen-code/v2_46_hvm_w64_1024.xz",
	"xen-code/v2_46_pv64_w64_live_1024.xz",
	"xen-code/v3_422_hvm_1024.xz",
	"xen-code/v3_422_pv64_1024.xz",
	"xen-code/v3_422_pv32_live_1024.xz",
	"xen-code/v3_422_hvm_remus3_1024.xz",
	"xen-code/v3_422_hvm_verify_1024.xz",
	"xen-code/v3_422_libxl_hvm_1024.xz",
	"xen-code/v3_422_libxl_hvm_remus3_1024.xz",
	"xen417/tiny-pv.save.xz",
	"xen417/tiny-pvh.save.xz",
};
#define NR GW_ARRAY_SIZE(names)

static struct parent parents[NR];

static void parents_restore(void **state)
{
	struct gw_buffer bytes = {0};
	struct tally tally = {0};

	for (size_t i = 0; i < NR; i++) {
		parent_join(&parents[i], &bytes);
		if (getenv("GODWIT_VERBOSE"))
			print_message("%s: %zu parts, %zu bytes\n", names[i], parents[i].n,
				      bytes.len);
		assert_true(agree(&parents[i], &bytes, &tally));
		assert_int_equal(tally.taken, i + 1);
	}
	gw_buffer_free(&bytes);
}

static void mutants_agree(void **state)
{
	const char *env = getenv("GODWIT_MUTANTS");
	unsigned long mutants = env ? strtoul(env, NULL, 0) : 3000, wrong = 0;
	struct gw_buffer bytes = {0};
	struct tally tally = {0};

	for (unsigned long i = 0; i < mutants; i++) {
		struct parent mutant;

		parent_copy(&parents[i % NR], &mutant);
		for (size_t n = 1 + (random_below(3) ? 0 : random_below(3)); n; n--)
			damage_any(&mutant, &parents[random_below(NR)]);
		parent_join(&mutant, &bytes);
		if (!agree(&mutant, &bytes, &tally))
			print_message("  (mutant %lu)\n", i), wrong++;
		parent_free(&mutant);
	}
	print_message("%lu mutants: %lu restored, %lu errors to both, %lu only to a restore\n",
		      mutants, tally.taken, tally.refused, tally.deep);
	gw_buffer_free(&bytes);
	assert_int_equal(wrong, 0);
	/* Otherwise the mutants prove little. */
	assert_true(mutants < 1000 || (tally.taken > mutants / 20 && tally.refused > mutants / 5 &&
				       tally.deep > mutants / 300));
}

static void policies_agree(void **state)
{
	const char *env = getenv("GODWIT_MUTANTS");
	unsigned long mutants = (env ? strtoul(env, NULL, 0) : 3000) / 4, wrong = 0;
	struct gw_buffer bytes = {0};
	struct tally tally = {0};

	for (unsigned long i = 0; i < mutants; i++) {
		struct parent mutant;

		parent_copy(&parents[2 + i % (NR - 2)], &mutant);
		for (size_t k = mutant.first_record; k < mutant.n; k++) {
			uint32_t type = gw_get_le32(mutant.parts[k].data);

			if (type != GW_REC_X86_CPUID_POLICY && type != GW_REC_X86_MSR_POLICY)
				continue;
			if (random_below(4) == 0)
				lengthen_policy(&mutant.parts[k]);
			else if (random_below(2))
				damage_policy(&mutant.parts[k]);
		}
		parent_join(&mutant, &bytes);
		if (!agree(&mutant, &bytes, &tally))
			print_message("  (mutant %lu)\n", i), wrong++;
		parent_free(&mutant);
	}
	print_message("%lu policies: %lu restored, %lu errors to both, %lu only to a restore\n",
		      mutants, tally.taken, tally.refused, tally.deep);
	gw_buffer_free(&bytes);
	assert_int_equal(wrong, 0);
	/* No fault of a policy is found by a restore alone. */
	assert_int_equal(tally.deep, 0);
	assert_true(mutants < 250 || (tally.taken > mutants / 10 && tally.refused > mutants / 10));
}

/* Records as they were, with other contents in the vCPUs' blobs. */
static void blobs_agree(void **state)
{
	unsigned long wrong = 0, done = 0;
	struct gw_buffer bytes = {0};
	struct tally tally = {0};

	for (size_t i = 0; done < 1200; i++) {
		struct parent mutant;

		if (parents[i % NR].type != GW_GUEST_X86_PV)
			continue;
		parent_copy(&parents[i % NR], &mutant);
		for (size_t n = 1 + random_below(2); n; n--)
			damage_blob(&mutant);
		parent_join(&mutant, &bytes);
		if (!agree(&mutant, &bytes, &tally))
			print_message("  (mutant %lu)\n", done), wrong++;
		parent_free(&mutant);
		done++;
	}
	print_message("%lu mutants: %lu restored, %lu errors to both, %lu only to a restore\n",
		      done, tally.taken, tally.refused, tally.deep);
	gw_buffer_free(&bytes);
	assert_int_equal(wrong, 0);
	assert_true(tally.taken > done / 5 && tally.refused > done / 20 && tally.deep > 0);
}

static int load_parents(void **state)
{
	for (size_t i = 0; i < NR; i++)
		parents[i] = parent_load(names[i]);
	return 0;
}

static int free_parents(void **state)
{
	for (size_t i = 0; i < NR; i++)
		parent_free(&parents[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parents_restore),
		cmocka_unit_test(mutants_agree),
		cmocka_unit_test(policies_agree),
		cmocka_unit_test(blobs_agree),
	};

	return cmocka_run_group_tests_name("agreement", tests, load_parents, free_parents);
}
