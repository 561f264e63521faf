/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Saves an HVM or PVH guest: pages are sent unchanged, its state is a context and params.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "guest/x86.h"
#include "hypervisor/domain.h"

struct hvm_save {
	bool later_round; /* an optional record is only allowed before the first CHECKPOINT */
};

static int setup(struct gw_save_guest *g, struct gw_error *err)
{
	if (!g->domain->hvm)
		return gw_fail(err, GW_UNSUPPORTED, "domain %u is not an HVM domain",
			       g->domain->domid);
	g->priv = calloc(1, sizeof(struct hvm_save));
	if (!g->priv)
		return gw_fail_errno(err, "the state of a save");
	return gw_domain_nr_pfns(g->domain, &g->nr_pfns, err);
}

static void cleanup(struct gw_save_guest *g)
{
	free(g->priv);
	g->priv = NULL;
}

static int pfn_to_gfn(struct gw_save_guest *g, size_t n, const uint64_t *pfns, uint64_t *gfns,
		      struct gw_error *err)
{
	memcpy(gfns, pfns, n * sizeof(*gfns));
	return 0;
}

static bool needs_normalise(unsigned type)
{
	return false;
}

static int normalise(struct gw_save_guest *g, uint64_t pfn, unsigned type, const void *src,
		     void *dst, bool final, struct gw_error *err)
{
	memcpy(dst, src, GW_PAGE_SIZE);
	return 0;
}

static int static_data(struct gw_save_guest *g, struct gw_buffer *records, struct gw_error *err)
{
	return gw_x86_save_policy(g->domain, records, err);
}

static int nothing(struct gw_save_guest *g, struct gw_buffer *records, struct gw_error *err)
{
	return 0;
}

static int save_params(struct gw_domain *d, struct gw_buffer *records, struct gw_error *err)
{
	uint64_t index[GW_ARRAY_SIZE(gw_hvm_params_saved)], value[GW_ARRAY_SIZE(index)];
	uint32_t count = 0;

	for (size_t i = 0; i < GW_ARRAY_SIZE(gw_hvm_params_saved); i++) {
		index[count] = gw_hvm_params_saved[i];
		if (gw_domain_get_param(d, gw_hvm_params_saved[i], &value[count], err) < 0)
			return -1;
		if (value[count])
			count++;
	}
	return count ? gw_hvm_params_append(records, count, index, value, err) : 0;
}

static int save_context(struct gw_domain *d, struct gw_buffer *records, struct gw_error *err)
{
	void *blob = NULL;
	size_t len = 0;

	if (gw_domain_get_context(d, &blob, &len, err) < 0)
		return -1;
	int r = gw_record_append(records, GW_REC_HVM_CONTEXT, blob, len, err);

	free(blob);
	return r;
}

/* Params before the context: the specification's order. Xen writes the other order, and reads
 * both. */
static int end_of_checkpoint(struct gw_save_guest *g, struct gw_buffer *records,
			     struct gw_error *err)
{
	struct hvm_save *s = g->priv;
	bool first = !s->later_round;

	s->later_round = true;
	if (gw_x86_save_tsc(g->domain, records, err) < 0 ||
	    save_params(g->domain, records, err) < 0 || save_context(g->domain, records, err) < 0)
		return -1;
	return first ? gw_x86_save_extra(g->domain, records, err) : 0;
}

static int check_state(struct gw_save_guest *g, struct gw_error *err)
{
	return 0;
}

const struct gw_save_guest_ops gw_x86_hvm_save = {
	.setup = setup,
	.cleanup = cleanup,
	.pfn_to_gfn = pfn_to_gfn,
	.needs_normalise = needs_normalise,
	.normalise = normalise,
	.static_data = static_data,
	.start_of_stream = nothing,
	.start_of_checkpoint = nothing,
	.end_of_checkpoint = end_of_checkpoint,
	.check_state = check_state,
};
