/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Detects the guest type and the width of the saving tools from the first bytes of a legacy image,
 * which has no field for either.
 */
#include "format/legacy/internal.h"

#include "base/bytes.h"

/* The first bytes, read with one width. */
struct reading {
	unsigned width;
	uint64_t p2m_size;
	bool marker;	/* of the extended info, which only a PV guest has */
	uint64_t value; /* the long after p2m_size */
	int32_t id;	/* the int after p2m_size: a chunk's id, if a chunk is there */
};

const char *gw_legacy_kind_text(const struct gw_legacy_kind *kind)
{
	bool wide = kind->width == 8;

	switch (kind->guest) {
	case GW_GUEST_X86_PV:
		return wide ? "a PV guest saved by 64-bit tools"
			    : "a PV guest saved by 32-bit tools";
	case GW_GUEST_X86_HVM:
		return wide ? "an HVM guest saved by 64-bit tools"
			    : "an HVM guest saved by 32-bit tools";
	default:
		return wide ? "a guest saved by 64-bit tools" : "a guest saved by 32-bit tools";
	}
}

static struct reading read_as(const uint8_t *first, unsigned width)
{
	struct reading as = {.width = width};

	as.id = (int32_t)gw_get_le32(first + width);
	if (width == 8) {
		as.p2m_size = gw_get_le64(first);
		as.value = gw_get_le64(first + 8);
		as.marker = as.value == UINT64_MAX;
	} else {
		as.p2m_size = gw_get_le32(first);
		as.value = gw_get_le32(first + 4);
		as.marker = as.value == UINT32_MAX;
	}
	return as;
}

/* A PV image without a marker has the first frame of the P2M there, which is never pfn 0. */
static bool may_be_frame(const struct reading *as)
{
	return as->value > 0 && as->value < as->p2m_size;
}

static enum gw_guest_type looks_like(const struct reading *as)
{
	if (as->marker)
		return GW_GUEST_X86_PV;
	return gw_legacy_id_is_known(as->id) ? GW_GUEST_X86_HVM : GW_GUEST_NONE;
}

static int check_width(const uint8_t *first, const struct gw_legacy_kind *seen, unsigned forced,
		       struct gw_error *err)
{
	if (forced == 0 || forced == seen->width)
		return 0;
	if (forced == 8)
		return gw_fail(err, GW_INVALID,
			       "read as 64-bit, the size is 0x%llx pages; it looks like %s",
			       (unsigned long long)gw_get_le64(first), gw_legacy_kind_text(seen));
	return gw_fail(err, GW_INVALID,
		       "32-bit tools never write 0 after the size of the guest; it looks like %s",
		       gw_legacy_kind_text(seen));
}

static int not_pv(const struct reading *as, const struct gw_legacy_kind *seen, struct gw_error *err)
{
	return gw_fail(
		err, GW_INVALID,
		"0x%llx is where a PV guest has its extended info or, in Xen 3.0, its first P2M frame (below 0x%llx); it looks like %s",
		(unsigned long long)as->value, (unsigned long long)as->p2m_size,
		gw_legacy_kind_text(seen));
}

static int check_guest(const struct reading *as, const struct gw_legacy_kind *seen,
		       enum gw_guest_type forced, struct gw_error *err)
{
	if (forced == GW_GUEST_X86_PV && !as->marker && !may_be_frame(as))
		return not_pv(as, seen, err);
	if (forced == GW_GUEST_X86_HVM && as->marker)
		return gw_fail(
			err, GW_INVALID,
			"the extended info of a PV guest is where an HVM guest has its first chunk; it looks like %s",
			gw_legacy_kind_text(seen));
	if (forced != GW_GUEST_X86_PV && seen->guest == GW_GUEST_NONE)
		return gw_fail(
			err, GW_INVALID,
			"0x%llx after the size of the guest is neither the extended info of a PV guest nor a chunk of an HVM guest (%d)%s",
			(unsigned long long)as->value, as->id,
			may_be_frame(as) && forced == GW_GUEST_NONE
				? "; it may be a PV guest saved by Xen 3.0"
				: "");
	return 0;
}

int gw_legacy_detect(const uint8_t *first, size_t len, struct gw_legacy_kind *kind,
		     struct gw_error *err)
{
	struct gw_legacy_kind seen;
	struct reading as;

	if (len < 8)
		return gw_fail(err, GW_TRUNCATED, "%zu bytes are too few for a legacy image", len);
	if (gw_get_le64(first) == UINT64_MAX)
		return gw_fail(err, GW_INVALID,
			       "it begins with the marker of an image of version 2 or 3");
	/* No guest has 2^32 pages, and the word after the size is never 0. */
	seen.width = gw_get_le32(first + 4) ? 4 : 8;
	if (len < 2 * (size_t)seen.width)
		return gw_fail(err, GW_TRUNCATED, "%zu bytes are too few for a legacy image", len);
	as = read_as(first, seen.width);
	seen.guest = looks_like(&as);
	if (as.p2m_size == 0 || as.p2m_size > GW_LEGACY_P2M_MAX)
		return gw_fail(
			err, GW_INVALID,
			"it begins with 0x%llx, expected the size of a guest, 1 to 0x%x pages",
			(unsigned long long)as.p2m_size, GW_LEGACY_P2M_MAX);
	if (check_width(first, &seen, kind->width, err) < 0 ||
	    check_guest(&as, &seen, kind->guest, err) < 0)
		return -1;
	kind->width = seen.width;
	if (kind->guest == GW_GUEST_NONE)
		kind->guest = seen.guest;
	return 0;
}
