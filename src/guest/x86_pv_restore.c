/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Restoring a PV guest: the hooks, and what is kept of the records until the stream is complete.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"
#include "guest/x86_pv.h"
#include "hypervisor/domain.h"

static int setup(struct gw_restore_guest *g, struct gw_error *err)
{
	g->store_gfn = g->console_gfn = GW_INVALID_PFN;
	g->priv = calloc(1, sizeof(struct gw_pv_restore));
	return g->priv ? 0 : gw_fail_errno(err, "the state of a restore");
}

static void release(void *array, size_t size, size_t n)
{
	if (array)
		munmap(array, n * size);
}

static void cleanup(struct gw_restore_guest *g)
{
	struct gw_pv_restore *r = g->priv;

	if (!r)
		return;
	for (size_t i = 0; i < (size_t)r->nr_vcpus * GW_PV_VCPU_KINDS; i++)
		gw_buffer_free(&r->vcpus[i]);
	free(r->vcpus);
	release(r->mfns, sizeof(*r->mfns), r->mapped_pfns);
	release(r->types, sizeof(*r->types), r->nr_pfns);
	release(r->frames, sizeof(*r->frames), r->nr_frames);
	gw_buffer_free(&r->shared_info);
	gw_x86_stash_free(&r->x86, g);
	free(r);
	g->priv = NULL;
}

static uint64_t nr_pfns(const struct gw_restore_guest *g)
{
	return ((const struct gw_pv_restore *)g->priv)->nr_pfns;
}

static uint64_t pfn_to_gfn(struct gw_restore_guest *g, uint64_t pfn)
{
	return gw_pv_new_mfn(g->priv, pfn);
}

static void set_gfn(struct gw_restore_guest *g, uint64_t pfn, uint64_t gfn)
{
	struct gw_pv_restore *r = g->priv;

	if (pfn < r->nr_pfns)
		r->mfns[pfn] = gfn + 1;
}

static void set_page_type(struct gw_restore_guest *g, uint64_t pfn, unsigned type)
{
	struct gw_pv_restore *r = g->priv;

	if (pfn >= r->nr_pfns)
		return;
	r->types[pfn] = (uint8_t)type;
	if (gw_page_table_level(type))
		r->tables_end = GW_MAX(r->tables_end, pfn + 1);
}

static bool needs_localise(unsigned type)
{
	return gw_page_table_level(type) > 0;
}

static int localise(struct gw_restore_guest *g, uint64_t pfn, unsigned type, void *page,
		    struct gw_error *err)
{
	return gw_pv_localise(g, pfn, gw_page_table_level(type), page, err);
}

static int take_info(struct gw_pv_restore *r, const struct gw_record *rec, struct gw_error *err)
{
	struct gw_pv_info info;

	if (gw_pv_info_decode(rec, &info, err) < 0)
		return -1;
	if (r->layout)
		return gw_fail(err, GW_INVALID, "a second X86_PV_INFO");
	const struct gw_pv_layout *layout = gw_pv_layout(info.guest_width);

	if (!layout || layout->levels != info.pt_levels)
		return gw_fail(
			err, GW_INVALID,
			"width %u with %u levels of page tables: expected 4 with 3 or 8 with 4",
			info.guest_width, info.pt_levels);
	r->layout = layout;
	return 0;
}

/* A bigger array with the old contents, the rest zero. It takes memory only where it is written. */
static int grow(void *array, size_t size, size_t old, size_t n, struct gw_error *err)
{
	void **p = array;
	void *bigger = *p ? mremap(*p, old * size, n * size, MREMAP_MAYMOVE)
			  : mmap(NULL, n * size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (bigger == MAP_FAILED)
		return gw_fail_errno(err, "a P2M of %zu entries", n);
	*p = bigger;
	return 0;
}

static int grow_p2m(struct gw_pv_restore *r, uint64_t nr_pfns, size_t nr_frames,
		    struct gw_error *err)
{
	if (nr_pfns > r->nr_pfns) {
		if (r->mapped_pfns < nr_pfns &&
		    grow(&r->mfns, sizeof(*r->mfns), r->mapped_pfns, nr_pfns, err) < 0)
			return -1;
		r->mapped_pfns = nr_pfns;
		if (grow(&r->types, sizeof(*r->types), r->nr_pfns, nr_pfns, err) < 0)
			return -1;
		r->nr_pfns = nr_pfns;
	}
	if (nr_frames > r->nr_frames) {
		if (grow(&r->frames, sizeof(*r->frames), r->nr_frames, nr_frames, err) < 0)
			return -1;
		for (size_t i = r->nr_frames; i < nr_frames; i++)
			r->frames[i] = GW_INVALID_PFN;
		r->nr_frames = nr_frames;
	}
	return 0;
}

/*
 * May come again, longer: guests grow. The record's own length stands for the size it claims. There
 * is no other bound: pfns without a page cost nothing, so a sparse guest may have many more of them
 * than its memory, and only its pages are counted (x86_pv_p2m_frames of Xen's libxc).
 */
static int take_p2m_frames(struct gw_restore_guest *g, const struct gw_record *rec,
			   struct gw_error *err)
{
	struct gw_pv_restore *r = g->priv;
	struct gw_p2m_frames frames;

	if (!r->layout)
		return gw_fail(err, GW_INVALID, "X86_PV_P2M_FRAMES before X86_PV_INFO");
	if (gw_p2m_frames_decode(rec, r->layout->width, &frames, err) < 0)
		return -1;

	size_t first = frames.start_pfn / r->layout->fpp;

	if (grow_p2m(r, (uint64_t)frames.end_pfn + 1, first + frames.count, err) < 0)
		return -1;
	for (uint32_t i = 0; i < frames.count; i++)
		r->frames[first + i] = gw_p2m_frames_get(rec, i);
	return 0;
}

static int check_extended(const struct gw_vcpu_blob *vcpu, struct gw_error *err)
{
	/*
	 * The blob names its vCPU and its size once more. Xen believes the former; the latter it
	 * only wants to be no smaller than the fields it reads, whatever more it says.
	 */
	if (vcpu->blob_len < 8)
		return gw_fail(err, GW_INVALID, "extended context of %u bytes, at least 8 expected",
			       vcpu->blob_len);
	if (gw_get_le32(vcpu->blob) != vcpu->vcpu_id)
		return gw_fail(err, GW_INVALID,
			       "extended context is of vCPU %u with %u bytes, expected vCPU %u",
			       gw_get_le32(vcpu->blob), gw_get_le32(vcpu->blob + 4), vcpu->vcpu_id);
	return 0;
}

static unsigned kind_of(uint32_t type)
{
	return type == GW_REC_X86_PV_VCPU_MSRS ? 3 : type - GW_REC_X86_PV_VCPU_BASIC;
}

static int take_vcpu(struct gw_restore_guest *g, const struct gw_record *rec, struct gw_error *err)
{
	struct gw_pv_restore *r = g->priv;
	struct gw_vcpu_blob vcpu;

	if (!r->layout)
		return gw_fail(err, GW_INVALID, "a vCPU before X86_PV_INFO");
	if (gw_vcpu_blob_decode(rec, r->layout->width, &vcpu, err) < 0)
		return -1;
	/* Savers of 4.6 to 4.8 wrote empty ones, even for vCPUs that there are not. */
	if (vcpu.blob_len == 0)
		return 0;
	g->rule = "domain-size";
	if (vcpu.vcpu_id >= r->nr_vcpus)
		return gw_fail(err, GW_INVALID, "vCPU %u: the domain has %u", vcpu.vcpu_id,
			       r->nr_vcpus);
	g->rule = NULL;
	if (rec->type == GW_REC_X86_PV_VCPU_EXTENDED && check_extended(&vcpu, err) < 0)
		return -1;
	return gw_x86_keep(&r->vcpus[(size_t)vcpu.vcpu_id * GW_PV_VCPU_KINDS + kind_of(rec->type)],
			   vcpu.blob, vcpu.blob_len, err);
}

static int take_shared_info(struct gw_pv_restore *r, const struct gw_record *rec,
			    struct gw_error *err)
{
	if (!r->layout)
		return gw_fail(err, GW_INVALID, "SHARED_INFO before X86_PV_INFO");
	if (rec->length != GW_PAGE_SIZE)
		return gw_fail(err, GW_INVALID, "length is %u, expected %u", rec->length,
			       GW_PAGE_SIZE);
	return gw_x86_keep(&r->shared_info, rec->data, rec->length, err);
}

static int record(struct gw_restore_guest *g, const struct gw_record *rec, struct gw_error *err)
{
	struct gw_pv_restore *r = g->priv;
	int rc;

	switch (rec->type) {
	case GW_REC_X86_PV_INFO:
		rc = take_info(r, rec, err);
		break;
	case GW_REC_X86_PV_P2M_FRAMES:
		rc = take_p2m_frames(g, rec, err);
		break;
	case GW_REC_X86_PV_VCPU_BASIC:
	case GW_REC_X86_PV_VCPU_EXTENDED:
	case GW_REC_X86_PV_VCPU_XSAVE:
	case GW_REC_X86_PV_VCPU_MSRS:
		rc = take_vcpu(g, rec, err);
		break;
	case GW_REC_SHARED_INFO:
		rc = take_shared_info(r, rec, err);
		break;
	default:
		return gw_x86_stash_record(&r->x86, g, rec, err);
	}
	return rc < 0 ? -1 : 1;
}

static int make_vcpus(struct gw_restore_guest *g, struct gw_error *err)
{
	struct gw_pv_restore *r = g->priv;
	struct gw_domain_info info;

	if (r->nr_vcpus > 0)
		return 0;
	if (gw_domain_info(g->domain, &info, err) < 0)
		return -1;
	r->vcpus = calloc(((size_t)info.max_vcpu_id + 1) * GW_PV_VCPU_KINDS, sizeof(*r->vcpus));
	if (!r->vcpus)
		return gw_fail_errno(err, "the state of %u vCPUs", info.max_vcpu_id + 1);
	r->nr_vcpus = info.max_vcpu_id + 1;
	return 0;
}

static int set_width(struct gw_restore_guest *g, struct gw_error *err)
{
	struct gw_pv_restore *r = g->priv;
	unsigned width;

	if (!r->layout)
		return gw_fail(err, GW_INVALID, "the static data has no X86_PV_INFO");
	if (gw_domain_get_width(g->domain, &width, err) < 0)
		return -1;
	return width == r->layout->width ? 0
					 : gw_domain_set_width(g->domain, r->layout->width, err);
}

static int static_data_complete(struct gw_restore_guest *g, unsigned *missing, struct gw_error *err)
{
	struct gw_pv_restore *r = g->priv;

	if (!g->domain->pv)
		return gw_fail(err, GW_UNSUPPORTED, "domain %u is not a PV domain",
			       g->domain->domid);
	if (set_width(g, err) < 0 || make_vcpus(g, err) < 0 ||
	    gw_domain_m2p(g->domain, &r->m2p, &r->max_mfn, err) < 0)
		return -1;
	return gw_x86_apply_policy(&r->x86, g, missing, err);
}

const struct gw_restore_guest_ops gw_x86_pv_restore = {
	.setup = setup,
	.cleanup = cleanup,
	.nr_pfns = nr_pfns,
	.pfn_to_gfn = pfn_to_gfn,
	.set_gfn = set_gfn,
	.set_page_type = set_page_type,
	.needs_localise = needs_localise,
	.localise = localise,
	.record = record,
	.static_data_complete = static_data_complete,
	.stream_complete = gw_pv_apply,
};
