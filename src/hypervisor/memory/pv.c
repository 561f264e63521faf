/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of a PV domain of the memory backend: width, shared info and vCPUs, kept as blobs but
 * checked where Xen checks them.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "format/libxc/image.h"
#include "hypervisor/memory/domain.h"

static int get_width(struct gw_domain *d, unsigned *width, struct gw_error *err)
{
	*width = gw_memory_of(d)->pv.layout->width;
	return 0;
}

static int set_width(struct gw_domain *d, unsigned width, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	const struct gw_pv_layout *layout = gw_pv_layout(width);

	if (!layout)
		return gw_fail(err, GW_UNSUPPORTED, "a PV guest of width %u: expected 4 or 8",
			       width);
	if (layout != m->pv.layout && m->frames.populated > 0)
		return gw_fail(err, GW_USAGE,
			       "the guest width cannot change: the domain has memory already");
	m->pv.layout = m->pv.tables.layout = layout;
	return 0;
}

static int m2p(struct gw_domain *d, const uint64_t **table, uint64_t *max_mfn, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);

	*table = m->pv.m2p;
	*max_mfn = m->frames.nr - 1;
	return 0;
}

static int compat_m2p_mfn0(struct gw_domain *d, uint64_t *mfn, struct gw_error *err)
{
	*mfn = gw_memory_of(d)->pv.compat_mfn0;
	return 0;
}

static int shared_info(struct gw_domain *d, void **page, uint64_t *mfn, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);

	*page = m->pv.shared;
	*mfn = m->pv.shared_mfn;
	return 0;
}

struct gw_buffer *gw_memory_pv_vcpu(struct gw_memory_domain *m, uint32_t vcpu, uint32_t record)
{
	static const uint32_t kinds[GW_MEMORY_VCPU_RECORDS] = {
		GW_REC_X86_PV_VCPU_BASIC,
		GW_REC_X86_PV_VCPU_EXTENDED,
		GW_REC_X86_PV_VCPU_XSAVE,
		GW_REC_X86_PV_VCPU_MSRS,
	};

	for (unsigned i = 0; vcpu < m->vcpus && i < GW_MEMORY_VCPU_RECORDS; i++)
		if (kinds[i] == record)
			return &m->pv.vcpus[vcpu * GW_MEMORY_VCPU_RECORDS + i];
	return NULL;
}

static struct gw_buffer *find_vcpu(struct gw_memory_domain *m, uint32_t vcpu, uint32_t record,
				   struct gw_error *err)
{
	struct gw_buffer *blob = gw_memory_pv_vcpu(m, vcpu, record);

	if (!blob)
		gw_fail(err, GW_USAGE, "vCPU %u, state %#x: the domain has %u vCPUs", vcpu, record,
			m->vcpus);
	return blob;
}

static int vcpu_online(struct gw_domain *d, uint32_t vcpu, bool *online, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	struct gw_buffer *blob = find_vcpu(m, vcpu, GW_REC_X86_PV_VCPU_BASIC, err);

	if (!blob)
		return -1;
	*online = blob->len > 0 &&
		  (gw_get_le32(blob->data + m->pv.layout->vcpu_flags) & GW_PV_VCPU_ONLINE);
	return 0;
}

static int get_vcpu(struct gw_domain *d, uint32_t vcpu, uint32_t record, void **blob, size_t *len,
		    struct gw_error *err)
{
	struct gw_buffer *kept = find_vcpu(gw_memory_of(d), vcpu, record, err);

	*blob = NULL;
	*len = 0;
	if (!kept)
		return -1;
	if (kept->len == 0)
		return 0;
	*blob = malloc(kept->len);
	if (!*blob)
		return gw_fail_errno(err, "the state of vCPU %u", vcpu);
	memcpy(*blob, kept->data, kept->len);
	*len = kept->len;
	return 0;
}

/* Roots of the page tables a context refers to; 0 for none. */
static void roots(const struct gw_pv_layout *l, const struct gw_buffer *basic, uint64_t mfns[2])
{
	mfns[0] = mfns[1] = 0;
	if (basic->len == 0)
		return;
	const uint8_t *cr = basic->data + l->vcpu_cr;

	mfns[0] = gw_pv_cr3_to_frame(l, gw_pv_get_word(l, gw_pv_word_at(l, cr, 3)));
	if (l->width == 8)
		mfns[1] = gw_pv_cr3_to_frame(l, gw_get_le64(cr + 8));
}

static unsigned nr_gdt_frames(const struct gw_pv_layout *l, const struct gw_buffer *basic)
{
	return basic->len
		       ? (unsigned)(gw_pv_get_word(l, basic->data + l->vcpu_gdt_ents) + 511) / 512
		       : 0;
}

static uint64_t gdt_frame(const struct gw_pv_layout *l, const struct gw_buffer *basic, unsigned i)
{
	return gw_pv_get_word(l, gw_pv_word_at(l, basic->data + l->vcpu_gdt, i));
}

static void put_gdt(struct gw_memory_domain *m, const struct gw_buffer *basic, unsigned frames)
{
	for (unsigned i = 0; i < frames; i++)
		gw_pv_use_put(&m->pv.tables, gdt_frame(m->pv.layout, basic, i));
}

static int get_gdt_frame(struct gw_memory_domain *m, uint64_t mfn, struct gw_error *err)
{
	if (!gw_memory_is_guests(m, mfn))
		return gw_fail(err, GW_INVALID,
			       "mfn 0x%" PRIx64 " is not an ordinary page of the domain's", mfn);
	return gw_pv_use_get(&m->pv.tables, mfn, GW_PV_USE_DESCRIPTORS, err);
}

/* The pages of a GDT are in use as such: nothing may map them writable. */
static int get_gdt(struct gw_memory_domain *m, const struct gw_buffer *basic, struct gw_error *err)
{
	const struct gw_pv_layout *l = m->pv.layout;
	uint64_t ents = gw_pv_get_word(l, basic->data + l->vcpu_gdt_ents);

	if (ents > GW_PV_GDT_ENTS_MAX)
		return gw_fail(err, GW_INVALID, "GDT of %" PRIu64 " entries: at most %u", ents,
			       GW_PV_GDT_ENTS_MAX);
	for (unsigned i = 0; i < nr_gdt_frames(l, basic); i++) {
		if (get_gdt_frame(m, gdt_frame(l, basic, i), err) == 0)
			continue;
		put_gdt(m, basic, i);
		if (err)
			err->rule = "pv-vcpu-gdt";
		return gw_fail_in(err, "GDT frame %u", i);
	}
	return 0;
}

static int get_roots(struct gw_memory_domain *m, const uint64_t mfns[2], struct gw_error *err)
{
	for (unsigned i = 0; i < 2; i++) {
		if (i > 0 && mfns[i] == 0)
			continue;
		if (gw_memory_get_table(m, mfns[i], m->pv.layout->levels, err) < 0) {
			if (i > 0)
				gw_memory_put_table(m, mfns[0]);
			return -1;
		}
	}
	return 0;
}

/* As Xen does: what a context refers to is in use from then on, its GDT and all below its roots. */
static int set_basic(struct gw_memory_domain *m, struct gw_buffer *kept, const void *blob,
		     size_t len, struct gw_error *err)
{
	const struct gw_pv_layout *l = m->pv.layout;
	struct gw_buffer fresh = {.data = (uint8_t *)(uintptr_t)blob, .len = len};
	uint64_t old[2], new[2];

	if (len != l->vcpu_size)
		return gw_fail(err, GW_INVALID, "vCPU context of %zu bytes: expected %u", len,
			       l->vcpu_size);
	if (get_gdt(m, &fresh, err) < 0)
		return -1;
	roots(l, kept, old);
	roots(l, &fresh, new);
	if (get_roots(m, new, err) < 0) {
		put_gdt(m, &fresh, nr_gdt_frames(l, &fresh));
		return -1;
	}
	for (unsigned i = 0; i < 2; i++)
		if (old[i])
			gw_memory_put_table(m, old[i]);
	put_gdt(m, kept, nr_gdt_frames(l, kept));
	return 0;
}

static int check_size(uint32_t record, size_t len, struct gw_error *err)
{
	if (record == GW_REC_X86_PV_VCPU_EXTENDED && (len < 8 || len > GW_PV_EXTENDED_MAX))
		return gw_fail(err, GW_INVALID, "extended vCPU context of %zu bytes: at most %u",
			       len, GW_PV_EXTENDED_MAX);
	if (record == GW_REC_X86_PV_VCPU_XSAVE && len < GW_PV_XSAVE_MIN)
		return gw_fail(err, GW_INVALID, "XSAVE state of %zu bytes: at least %u", len,
			       GW_PV_XSAVE_MIN);
	if (record == GW_REC_X86_PV_VCPU_MSRS && len % GW_PV_MSR_SIZE)
		return gw_fail(err, GW_INVALID, "vCPU MSRs of %zu bytes: not a multiple of %u", len,
			       GW_PV_MSR_SIZE);
	return 0;
}

static int set_vcpu(struct gw_domain *d, uint32_t vcpu, uint32_t record, const void *blob,
		    size_t len, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	struct gw_buffer *kept = find_vcpu(m, vcpu, record, err);

	if (!kept || check_size(record, len, err) < 0 ||
	    (len > 0 && !gw_buffer_reserve(kept, len, err)))
		return -1;
	if (record == GW_REC_X86_PV_VCPU_BASIC) {
		gw_memory_lock(m);
		int r = set_basic(m, kept, blob, len, err);
		gw_memory_unlock(m);
		if (r < 0)
			return -1;
	}
	gw_buffer_reset(kept);
	return gw_buffer_append(kept, blob, len, err);
}

const struct gw_x86_pv_ops gw_memory_pv_ops = {
	.head = GW_TABLE_HEAD(struct gw_x86_pv_ops),
	.get_width = get_width,
	.set_width = set_width,
	.m2p = m2p,
	.compat_m2p_mfn0 = compat_m2p_mfn0,
	.shared_info = shared_info,
	.vcpu_online = vcpu_online,
	.get_vcpu = get_vcpu,
	.set_vcpu = set_vcpu,
	.pin = gw_memory_pin,
};

int gw_memory_pv_init(struct gw_memory_domain *m, unsigned width, uint64_t seed,
		      struct gw_error *err)
{
	struct gw_memory_pv *pv = &m->pv;

	pv->layout = gw_pv_layout(width ? width : 8);
	if (!pv->layout)
		return gw_fail(err, GW_USAGE, "a PV guest of width %u: expected 4 or 8", width);
	pv->vcpus = calloc((size_t)m->vcpus * GW_MEMORY_VCPU_RECORDS, sizeof(*pv->vcpus));
	pv->shared = aligned_alloc(GW_PAGE_SIZE, GW_PAGE_SIZE);
	if (!pv->vcpus || !pv->shared)
		return gw_fail_errno(err, "a PV domain of %u vCPUs", m->vcpus);
	memset(pv->shared, 0, GW_PAGE_SIZE);
	return gw_memory_mfn_init(m, seed, err);
}

void gw_memory_pv_free(struct gw_memory_domain *m)
{
	for (size_t i = 0; m->pv.vcpus && i < (size_t)m->vcpus * GW_MEMORY_VCPU_RECORDS; i++)
		gw_buffer_free(&m->pv.vcpus[i]);
	free(m->pv.vcpus);
	free(m->pv.shared);
	gw_memory_mfn_free(m);
}
