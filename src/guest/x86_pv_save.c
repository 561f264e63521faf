/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Saving a PV guest: the hooks. What they do is in x86_pv_p2m.c, x86_pv_pagetable.c, x86_pv_vcpu.c.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/util.h"
#include "guest/x86_pv.h"

struct pv_save {
	struct gw_pv_p2m p2m;
	bool later_round; /* an optional record may only stand before the first CHECKPOINT */
};

static int setup(struct gw_save_guest *g, struct gw_error *err)
{
	if (!g->domain->pv)
		return gw_fail(err, GW_UNSUPPORTED, "domain %u is not a PV domain",
			       g->domain->domid);
	struct pv_save *s = calloc(1, sizeof(*s));

	g->priv = s;
	if (!s)
		return gw_fail_errno(err, "the state of a save");
	if (gw_pv_p2m_open(&s->p2m, g->domain, err) < 0)
		return -1;
	g->nr_pfns = s->p2m.nr_pfns;
	g->pv_width = s->p2m.layout->width;
	return 0;
}

static void cleanup(struct gw_save_guest *g)
{
	struct pv_save *s = g->priv;

	if (s)
		gw_pv_p2m_close(&s->p2m);
	free(s);
	g->priv = NULL;
}

static const struct gw_pv_p2m *p2m_of(const struct gw_save_guest *g)
{
	return &((const struct pv_save *)g->priv)->p2m;
}

static int pfn_to_gfn(struct gw_save_guest *g, size_t n, const uint64_t *pfns, uint64_t *gfns,
		      struct gw_error *err)
{
	for (size_t i = 0; i < n; i++)
		gfns[i] = pfns[i] < g->nr_pfns ? gw_pv_p2m_get(p2m_of(g), pfns[i]) : GW_INVALID_PFN;
	return 0;
}

static bool needs_normalise(unsigned type)
{
	return gw_page_table_level(type) > 0;
}

static int normalise(struct gw_save_guest *g, uint64_t pfn, unsigned type, const void *src,
		     void *dst, bool final, struct gw_error *err)
{
	return gw_pv_normalise(p2m_of(g), pfn, gw_page_table_level(type), src, dst, final, err);
}

static int static_data(struct gw_save_guest *g, struct gw_buffer *records, struct gw_error *err)
{
	struct gw_pv_info info = {
		.guest_width = (uint8_t)p2m_of(g)->layout->width,
		.pt_levels = (uint8_t)p2m_of(g)->layout->levels,
	};
	uint8_t raw[8];

	gw_pv_info_encode(raw, &info);
	if (gw_record_append(records, GW_REC_X86_PV_INFO, raw, sizeof(raw), err) < 0)
		return -1;
	return gw_x86_save_policy(g->domain, records, err);
}

/* Where the P2M is, so that the restorer can write the new one there. */
static int start_of_stream(struct gw_save_guest *g, struct gw_buffer *records, struct gw_error *err)
{
	const struct gw_pv_p2m *p2m = p2m_of(g);
	struct gw_p2m_frames frames = {
		.end_pfn = (uint32_t)(p2m->nr_pfns - 1),
		.count = (uint32_t)p2m->nr_leaves,
	};
	GW_FREE_ON_EXIT uint64_t *pfns = calloc(p2m->nr_leaves, sizeof(*pfns));

	if (!pfns)
		return gw_fail_errno(err, "the list of the guest's P2M frames");
	for (size_t i = 0; i < p2m->nr_leaves; i++) {
		pfns[i] = gw_pv_mfn_to_pfn(p2m, p2m->leaf_mfns[i]);
		if (pfns[i] == GW_INVALID_PFN)
			return gw_fail(err, GW_GUEST,
				       "frame %zu of the guest's P2M: mfn 0x%" PRIx64
				       " is not the guest's memory",
				       i, p2m->leaf_mfns[i]);
	}
	return gw_p2m_frames_append(records, &frames, pfns, err);
}

static int start_of_checkpoint(struct gw_save_guest *g, struct gw_buffer *records,
			       struct gw_error *err)
{
	return 0;
}

static int end_of_checkpoint(struct gw_save_guest *g, struct gw_buffer *records,
			     struct gw_error *err)
{
	struct pv_save *s = g->priv;
	bool first = !s->later_round;

	s->later_round = true;
	if (gw_x86_save_tsc(g->domain, records, err) < 0 ||
	    gw_record_append(records, GW_REC_SHARED_INFO, s->p2m.shared_info, GW_PAGE_SIZE, err) <
		    0 ||
	    gw_pv_save_vcpus(&s->p2m, records, err) < 0)
		return -1;
	return first ? gw_x86_save_extra(g->domain, records, err) : 0;
}

static int check_state(struct gw_save_guest *g, struct gw_error *err)
{
	struct pv_save *s = g->priv;

	return gw_pv_p2m_check(&s->p2m, err);
}

const struct gw_save_guest_ops gw_x86_pv_save = {
	.setup = setup,
	.cleanup = cleanup,
	.pfn_to_gfn = pfn_to_gfn,
	.needs_normalise = needs_normalise,
	.normalise = normalise,
	.static_data = static_data,
	.start_of_stream = start_of_stream,
	.start_of_checkpoint = start_of_checkpoint,
	.end_of_checkpoint = end_of_checkpoint,
	.check_state = check_state,
};
