/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Restores an HVM or PVH guest. Context and params are kept until the round is complete, so that
 * their order makes no difference and a round is applied as a whole.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/util.h"
#include "guest/x86.h"
#include "hypervisor/domain.h"

enum {
	PARAM_STORE_PFN = 1,
	PARAM_STORE_EVTCHN = 2,
	PARAM_PAE_ENABLED = 4,
	PARAM_IOREQ_PFN = 5,
	PARAM_BUFIOREQ_PFN = 6,
	PARAM_VM86_TSS = 15,
	PARAM_CONSOLE_PFN = 17,
	PARAM_CONSOLE_EVTCHN = 18,
	PARAM_VM86_TSS_SIZED = 37,
};

struct hvm_restore {
	struct gw_x86_stash x86;
	uint64_t *populated; /* by pfn; NULL until static data is complete */
	struct gw_buffer context;
	uint64_t params[GW_HVM_NR_PARAMS], have_params; /* have_params: a bit for each */
	uint8_t order[GW_HVM_NR_PARAMS];		/* the params that came, as they came */
	size_t nr_order;
};

static int setup(struct gw_restore_guest *g, struct gw_error *err)
{
	g->store_gfn = g->console_gfn = GW_INVALID_PFN;
	g->priv = calloc(1, sizeof(struct hvm_restore));
	return g->priv ? 0 : gw_fail_errno(err, "the state of a restore");
}

static void cleanup(struct gw_restore_guest *g)
{
	struct hvm_restore *r = g->priv;

	if (!r)
		return;
	gw_x86_stash_free(&r->x86, g);
	gw_buffer_free(&r->context);
	free(r->populated);
	free(r);
	g->priv = NULL;
}

static uint64_t nr_pfns(const struct gw_restore_guest *g)
{
	const struct hvm_restore *r = g->priv;

	return r->populated ? g->max_pfns : 0;
}

static uint64_t pfn_to_gfn(struct gw_restore_guest *g, uint64_t pfn)
{
	struct hvm_restore *r = g->priv;

	return pfn < nr_pfns(g) && gw_bitmap_test(r->populated, pfn) ? pfn : GW_INVALID_PFN;
}

static void set_gfn(struct gw_restore_guest *g, uint64_t pfn, uint64_t gfn)
{
	struct hvm_restore *r = g->priv;

	if (pfn < nr_pfns(g))
		gw_bitmap_set(r->populated, pfn);
}

static bool needs_localise(unsigned type)
{
	return false;
}

static int localise(struct gw_restore_guest *g, uint64_t pfn, unsigned type, void *page,
		    struct gw_error *err)
{
	return 0;
}

static void keep(struct hvm_restore *r, uint64_t index, uint64_t value)
{
	if (!(r->have_params >> index & 1))
		r->order[r->nr_order++] = (uint8_t)index;
	r->params[index] = value;
	r->have_params |= UINT64_C(1) << index;
}

/*
 * The form before Xen 4.11: only an address. The segment's size was always 128 bytes then. Xen
 * keeps both forms in one place, so the last one counts.
 */
static int keep_vm86_tss(struct hvm_restore *r, uint64_t value, struct gw_error *err)
{
	if (value > UINT32_MAX)
		return gw_fail(err, GW_INVALID, "HVM param VM86_TSS: 0x%" PRIx64 " is above 4 GiB",
			       value);
	keep(r, PARAM_VM86_TSS_SIZED, value ? UINT64_C(128) << 32 | value : 0);
	return 0;
}

/* The rules decide which params a stream may set. */
static int keep_param(struct hvm_restore *r, uint64_t index, uint64_t value, struct gw_error *err)
{
	if (index == PARAM_PAE_ENABLED) /* obsolete; old versions sent it */
		return 0;
	if (index == PARAM_VM86_TSS)
		return keep_vm86_tss(r, value, err);
	if (index >= GW_HVM_NR_PARAMS)
		return gw_fail(err, GW_INVALID, "HVM param %" PRIu64 ": there are %u", index,
			       GW_HVM_NR_PARAMS);
	keep(r, index, value);
	return 0;
}

static int keep_params(struct hvm_restore *r, const struct gw_record *rec, struct gw_error *err)
{
	uint32_t count;

	if (gw_hvm_params_decode(rec, &count, err) < 0)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t index, value;

		gw_hvm_params_get(rec, i, &index, &value);
		if (keep_param(r, index, value, err) < 0)
			return -1;
	}
	return 0;
}

static int record(struct gw_restore_guest *g, const struct gw_record *rec, struct gw_error *err)
{
	struct hvm_restore *r = g->priv;

	switch (rec->type) {
	case GW_REC_HVM_CONTEXT:
		if (rec->length == 0)
			return gw_fail(err, GW_INVALID, "the HVM context is empty");
		return gw_x86_keep(&r->context, rec->data, rec->length, err) < 0 ? -1 : 1;
	case GW_REC_HVM_PARAMS:
		return keep_params(r, rec, err) < 0 ? -1 : 1;
	default:
		return gw_x86_stash_record(&r->x86, g, rec, err);
	}
}

static int static_data_complete(struct gw_restore_guest *g, unsigned *missing, struct gw_error *err)
{
	struct hvm_restore *r = g->priv;

	if (!g->domain->hvm)
		return gw_fail(err, GW_UNSUPPORTED, "domain %u is not an HVM domain",
			       g->domain->domid);
	if (g->max_pfns == 0 && gw_domain_nr_pfns(g->domain, &g->max_pfns, err) < 0)
		return -1;
	if (!r->populated)
		r->populated = gw_bitmap_new(g->max_pfns);
	if (!r->populated)
		return gw_fail(err, GW_NO_MEMORY, "a bitmap of %" PRIu64 " pages", g->max_pfns);
	return gw_x86_apply_policy(&r->x86, g, missing, err);
}

/*
 * The pages that Xen, the toolstack and the device model share with the guest start empty, because
 * their other end is new. One that has no page is left alone, as Xen does: its reader ignores it,
 * and takes the ioreq pages from the guest's memory while a device model uses them.
 */
static int clear_special(struct gw_restore_guest *g, unsigned param, struct gw_error *err)
{
	struct hvm_restore *r = g->priv;
	uint64_t pfn = r->params[param];
	struct gw_mapping mapping;
	void *page;

	if (!(r->have_params >> param & 1) || pfn == 0 || pfn_to_gfn(g, pfn) == GW_INVALID_PFN)
		return 0;
	if (gw_domain_map(g->domain, 1, &pfn, true, &page, &mapping, err) < 0)
		return gw_fail_in(err, "clearing the page of HVM param %s",
				  gw_hvm_param_name(param));
	memset(page, 0, GW_PAGE_SIZE);
	gw_domain_unmap(g->domain, &mapping);
	return 0;
}

static int clear_specials(struct gw_restore_guest *g, struct gw_error *err)
{
	if (clear_special(g, PARAM_STORE_PFN, err) < 0 ||
	    clear_special(g, PARAM_CONSOLE_PFN, err) < 0 ||
	    clear_special(g, PARAM_IOREQ_PFN, err) < 0)
		return -1;
	return clear_special(g, PARAM_BUFIOREQ_PFN, err);
}

static int apply_params(struct gw_restore_guest *g, struct gw_error *err)
{
	struct hvm_restore *r = g->priv;

	for (size_t i = 0; i < r->nr_order; i++)
		if (gw_domain_set_param(g->domain, r->order[i], r->params[r->order[i]], err) < 0)
			return gw_fail_in(err, "HVM param %s", gw_hvm_param_name(r->order[i]));
	return 0;
}

/* A stream never has these params: their values are this host's. */
static int set_port(struct gw_restore_guest *g, unsigned param, const struct gw_ring_end *end,
		    struct gw_error *err)
{
	if (end->port == 0)
		return 0;
	if (gw_domain_set_param(g->domain, param, end->port, err) < 0)
		return gw_fail_in(err, "HVM param %s", gw_hvm_param_name(param));
	return 0;
}

static uint64_t result_of(const struct hvm_restore *r, unsigned param)
{
	return r->params[param] ? r->params[param] : GW_INVALID_PFN;
}

static int stream_complete(struct gw_restore_guest *g, struct gw_error *err)
{
	struct hvm_restore *r = g->priv;

	if (r->context.len == 0)
		return gw_fail(err, GW_INVALID, "the stream has no HVM context");
	if (clear_specials(g, err) < 0 || apply_params(g, err) < 0 ||
	    set_port(g, PARAM_STORE_EVTCHN, &g->store, err) < 0 ||
	    set_port(g, PARAM_CONSOLE_EVTCHN, &g->console, err) < 0 ||
	    gw_x86_apply_state(&r->x86, g, err) < 0 ||
	    gw_domain_set_context(g->domain, r->context.data, r->context.len, err) < 0)
		return -1;
	g->store_gfn = result_of(r, PARAM_STORE_PFN);
	g->console_gfn = result_of(r, PARAM_CONSOLE_PFN);
	return gw_restore_seed_grants(g, err);
}

const struct gw_restore_guest_ops gw_x86_hvm_restore = {
	.setup = setup,
	.cleanup = cleanup,
	.nr_pfns = nr_pfns,
	.pfn_to_gfn = pfn_to_gfn,
	.set_gfn = set_gfn,
	.needs_localise = needs_localise,
	.localise = localise,
	.record = record,
	.static_data_complete = static_data_complete,
	.stream_complete = stream_complete,
};
