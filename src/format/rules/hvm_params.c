/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for HVM params: what hvm_set_param() in xen/arch/x86/hvm/hvm.c accepts from a
 * toolstack. Xen's reader sets each param as it comes, so their order and that of the rounds
 * counts.
 */
#include "format/rules/hvm_internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/util.h"

enum {
	STORE_PFN = 1,
	PAE_ENABLED = 4,
	IOREQ_PFN = 5,
	BUFIOREQ_PFN = 6,
	VIRIDIAN = 9,
	TIMER_MODE = 10,
	DM_DOMAIN = 13,
	ACPI_S_STATE = 14,
	VM86_TSS = 15,
	CONSOLE_PFN = 17,
	ACPI_IOPORTS_LOCATION = 19,
	MEMORY_EVENT_CR0 = 20, /* CR3: 21, CR4: 22 */
	MEMORY_EVENT_INT3 = 23,
	NESTEDHVM = 24,
	MEMORY_EVENT_SINGLE_STEP = 25,
	BUFIOREQ_EVTCHN = 26,
	PAGING_RING_PFN = 27,
	SHARING_RING_PFN = 29,
	MEMORY_EVENT_MSR = 30,
	TRIPLE_FAULT_REASON = 31,
	IOREQ_SERVER_PFN = 32,
	NR_IOREQ_SERVER_PAGES = 33,
	ALTP2M = 35,
	X87_FIP_WIDTH = 36,
	VM86_TSS_SIZED = 37,
	MCA_CAP = 38,
	NR_PARAMS = GW_HVM_NR_PARAMS,
};

#define BIT(n) (UINT64_C(1) << (n))

/* Sets of params. */
#define DEPRECATED                                                                                 \
	(BIT(DM_DOMAIN) | BIT(MEMORY_EVENT_CR0) | BIT(21) | BIT(22) | BIT(MEMORY_EVENT_INT3) |     \
	 BIT(MEMORY_EVENT_SINGLE_STEP) | BIT(BUFIOREQ_EVTCHN) | BIT(MEMORY_EVENT_MSR))
#define PFNS                                                                                       \
	(BIT(STORE_PFN) | BIT(IOREQ_PFN) | BIT(BUFIOREQ_PFN) | BIT(CONSOLE_PFN) |                  \
	 BIT(PAGING_RING_PFN) | BIT(28) | BIT(SHARING_RING_PFN) | BIT(IOREQ_SERVER_PFN))
/* Of those, the ones that only a monitor of the guest uses. */
#define RINGS (BIT(PAGING_RING_PFN) | BIT(28) | BIT(SHARING_RING_PFN))
/* Once they are not 0 they keep their value. */
#define SET_ONCE                                                                                   \
	(BIT(VIRIDIAN) | BIT(IOREQ_PFN) | BIT(BUFIOREQ_PFN) | BIT(IOREQ_SERVER_PFN) |              \
	 BIT(NR_IOREQ_SERVER_PAGES) | BIT(ALTP2M) | BIT(MCA_CAP))

#define VIRIDIAN_BASE  UINT64_C(0x1)
#define VIRIDIAN_KNOWN UINT64_C(0x1fff)
#define VIRIDIAN_NEWER UINT64_C(0x1c00) /* since 4.15 */
#define TSS_SIZE       104u		/* struct tss32 */
#define NR_IOREQ_MAX   64u

/* Params with a greatest value. */
static const struct {
	uint8_t index;
	uint8_t min, max;
} ranges[] = {
	{TIMER_MODE, 0, 3},
	{ACPI_IOPORTS_LOCATION, 0, 1},
	{TRIPLE_FAULT_REASON, 0, 5},
	{NR_IOREQ_SERVER_PAGES, 1, NR_IOREQ_MAX},
	{ALTP2M, 0, 3},
	{MCA_CAP, 0, 1},
};

/* Params that Xen sends or sent: images of Xen 4.x and converted ones have the older two. */
static bool is_sent(uint64_t index)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(gw_hvm_params_saved); i++)
		if (gw_hvm_params_saved[i] == index)
			return true;
	return index == PAE_ENABLED || index == VM86_TSS;
}

struct param {
	struct gw_image_rules *rules;
	const struct gw_record *rec;
	struct gw_error *err;
	uint32_t i;
	uint64_t index, value;
};

/* "entry 3: STORE_PFN is 0x1234: TEXT" */
static int broken(const struct param *p, enum gw_rule_number number, const char *text)
{
	const char *name = gw_hvm_param_name(p->index);

	return gw_broken(&p->rules->reporter, number, p->rec->offset, p->rec, p->err,
			 "entry %u: param %" PRIu64 " (%s) is 0x%" PRIx64 ", %s", p->i, p->index,
			 name ? name : "unknown", p->value, text);
}

/* Xen's own reader skips PAE_ENABLED. */
static int check_index(const struct param *p)
{
	if (p->index >= NR_PARAMS)
		return broken(p, R_PARAMS_INDEX, "there are 39 params");
	if (DEPRECATED >> p->index & 1)
		return broken(p, R_PARAMS_INDEX, "which may not be set any more");
	if (p->index == NESTEDHVM)
		return broken(p, R_PARAMS_NESTEDHVM, "which the domain's creation sets now");
	if (p->index == ALTP2M)
		return broken(p, R_PARAMS_ALTP2M, "which the domain's creation sets now");
	if (!is_sent(p->index))
		return broken(p, R_PARAMS_UNSENT, "which no writer sends");
	return 0;
}

static int check_range(const struct param *p)
{
	char text[64];

	for (size_t i = 0; i < GW_ARRAY_SIZE(ranges); i++) {
		if (ranges[i].index != p->index ||
		    (ranges[i].min <= p->value && p->value <= ranges[i].max))
			continue;
		snprintf(text, sizeof(text), "expected %u to %u", ranges[i].min, ranges[i].max);
		return broken(p, R_PARAMS_VALUE, text);
	}
	return 0;
}

static int check_viridian(const struct param *p)
{
	if ((p->value & ~VIRIDIAN_KNOWN) || !(p->value & VIRIDIAN_BASE))
		return broken(p, R_PARAMS_VIRIDIAN,
			      "expected bit 0 and none above 12: the enlightenments of Xen");
	if (p->value & VIRIDIAN_NEWER)
		return broken(p, R_PARAMS_VIRIDIAN_NEW, "with enlightenments that came later");
	return 0;
}

static int check_value(const struct param *p)
{
	switch (p->index) {
	case VIRIDIAN:
		return check_viridian(p);
	case ACPI_S_STATE:
		return p->value == 0 || p->value == 3
			       ? 0
			       : broken(p, R_PARAMS_VALUE, "expected 0 or 3");
	case X87_FIP_WIDTH:
		return p->value == 0 || p->value == 4 || p->value == 8
			       ? 0
			       : broken(p, R_PARAMS_VALUE, "expected 0, 4 or 8");
	case VM86_TSS:
		return p->value <= UINT32_MAX
			       ? 0
			       : broken(p, R_PARAMS_VM86, "at most 0xffffffff expected");
	case VM86_TSS_SIZED:
		return p->value >> 32 >= TSS_SIZE
			       ? 0
			       : broken(p, R_PARAMS_VM86,
					"expected a size of at least 104 in the upper half");
	default:
		return check_range(p);
	}
}

static int check_pfn(const struct param *p)
{
	char text[64];

	if (!(PFNS >> p->index & 1) || p->value < p->rules->max_pfns)
		return 0;
	/* Xen does not look at such a page before a monitor asks for it. */
	if (RINGS >> p->index & 1)
		return broken(p, R_PARAMS_RING_PFN, "no pfn, so it has no page");
	snprintf(text, sizeof(text), "a pfn of at most 0x%" PRIx64 " expected",
		 p->rules->max_pfns - 1);
	return broken(p, R_PARAMS_PFN, text);
}

/* In stream order, over all rounds. */
static int check_once(const struct param *p)
{
	uint64_t before = p->rules->params[p->index];
	char text[64];

	if (!(SET_ONCE >> p->index & 1) || before == 0 || before == p->value)
		return 0;
	snprintf(text, sizeof(text), "it was set to 0x%" PRIx64 " and may not change", before);
	return broken(p, R_PARAMS_CHANGED, text);
}

static int check_repeated(const struct param *p)
{
	bool again = p->rules->round_params >> p->index & 1;

	p->rules->round_params |= BIT(p->index);
	return again ? broken(p, R_PARAMS_REPEATED, "and came before") : 0;
}

int gw_hvm_check_param(struct gw_image_rules *rules, const struct gw_record *rec, uint32_t i,
		       struct gw_error *err)
{
	struct param p = {.rules = rules, .rec = rec, .err = err, .i = i};
	int rc;

	gw_hvm_params_get(rec, i, &p.index, &p.value);
	rc = check_index(&p);
	if (p.index >= NR_PARAMS)
		return rc;
	rc |= check_repeated(&p) | check_pfn(&p) | check_value(&p) | check_once(&p);
	if (p.index == ACPI_IOPORTS_LOCATION && rules->config.known && rules->config.pvh)
		rc |= broken(&p, R_PARAMS_PVH, "a PVH guest has no ACPI ports");
	rules->params[p.index] = p.value;
	rules->store_seen |= p.index == STORE_PFN;
	return rc;
}
