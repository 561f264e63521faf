/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The fixed parts of a libxc image: the two headers, the head of PAGE_DATA, names of records.
 * Bodies are in body.c, the reader in reader.c.
 */
#include "format/libxc/image.h"

#include "base/bytes.h"
#include "base/util.h"

#define IMAGE_MARKER UINT64_C(0xffffffffffffffff)
#define IMAGE_ID     UINT32_C(0x58454e46) /* "XENF" */
#define OPTION_BE    1u

const char *gw_record_name(uint32_t type)
{
	static const char *const names[] = {
		[GW_REC_END] = "END",
		[GW_REC_PAGE_DATA] = "PAGE_DATA",
		[GW_REC_X86_PV_INFO] = "X86_PV_INFO",
		[GW_REC_X86_PV_P2M_FRAMES] = "X86_PV_P2M_FRAMES",
		[GW_REC_X86_PV_VCPU_BASIC] = "X86_PV_VCPU_BASIC",
		[GW_REC_X86_PV_VCPU_EXTENDED] = "X86_PV_VCPU_EXTENDED",
		[GW_REC_X86_PV_VCPU_XSAVE] = "X86_PV_VCPU_XSAVE",
		[GW_REC_SHARED_INFO] = "SHARED_INFO",
		[GW_REC_X86_TSC_INFO] = "X86_TSC_INFO",
		[GW_REC_HVM_CONTEXT] = "HVM_CONTEXT",
		[GW_REC_HVM_PARAMS] = "HVM_PARAMS",
		[GW_REC_TOOLSTACK] = "TOOLSTACK",
		[GW_REC_X86_PV_VCPU_MSRS] = "X86_PV_VCPU_MSRS",
		[GW_REC_VERIFY] = "VERIFY",
		[GW_REC_CHECKPOINT] = "CHECKPOINT",
		[GW_REC_CHECKPOINT_DIRTY_PFN_LIST] = "CHECKPOINT_DIRTY_PFN_LIST",
		[GW_REC_STATIC_DATA_END] = "STATIC_DATA_END",
		[GW_REC_X86_CPUID_POLICY] = "X86_CPUID_POLICY",
		[GW_REC_X86_MSR_POLICY] = "X86_MSR_POLICY",
	};

	if (type == GW_REC_GODWIT_XENABI)
		return "GODWIT_XENABI";
	if (type == GW_REC_GODWIT_KVM)
		return "GODWIT_KVM";
	return type < GW_ARRAY_SIZE(names) ? names[type] : NULL;
}

/*
 * The image header is big-endian always; the domain header has the byte order that the image
 * header announces (libxc-migration-stream, "Image Header" and "Domain Header").
 */
void gw_image_header_encode(const struct gw_image_header *h, uint8_t *raw)
{
	bool be = h->options & OPTION_BE;
	uint8_t *d = raw + GW_IMAGE_HEADER_SIZE;

	gw_put_be64(raw, IMAGE_MARKER);
	gw_put_be32(raw + 8, IMAGE_ID);
	gw_put_be32(raw + 12, h->version);
	gw_put_be16(raw + 16, h->options);
	gw_put_be16(raw + 18, h->reserved1);
	gw_put_be32(raw + 20, h->reserved2);
	(be ? gw_put_be32 : gw_put_le32)(d, h->type);
	(be ? gw_put_be16 : gw_put_le16)(d + 4, h->page_shift);
	(be ? gw_put_be16 : gw_put_le16)(d + 6, h->reserved3);
	(be ? gw_put_be32 : gw_put_le32)(d + 8, h->xen_major);
	(be ? gw_put_be32 : gw_put_le32)(d + 12, h->xen_minor);
}

int gw_image_header_decode(const uint8_t *raw, struct gw_image_header *h, struct gw_error *err)
{
	const uint8_t *d = raw + GW_IMAGE_HEADER_SIZE;

	if (gw_get_be64(raw) != IMAGE_MARKER)
		return gw_fail(err, GW_INVALID,
			       "image header: marker is 0x%016llx, expected all ones",
			       (unsigned long long)gw_get_be64(raw));
	if (gw_get_be32(raw + 8) != IMAGE_ID)
		return gw_fail(err, GW_INVALID,
			       "image header: id is 0x%08x, expected 0x%08x (\"XENF\")",
			       gw_get_be32(raw + 8), IMAGE_ID);
	h->version = gw_get_be32(raw + 12);
	h->options = gw_get_be16(raw + 16);
	h->reserved1 = gw_get_be16(raw + 18);
	h->reserved2 = gw_get_be32(raw + 20);

	bool be = h->options & OPTION_BE;

	h->type = (be ? gw_get_be32 : gw_get_le32)(d);
	h->page_shift = (be ? gw_get_be16 : gw_get_le16)(d + 4);
	h->reserved3 = (be ? gw_get_be16 : gw_get_le16)(d + 6);
	h->xen_major = (be ? gw_get_be32 : gw_get_le32)(d + 8);
	h->xen_minor = (be ? gw_get_be32 : gw_get_le32)(d + 12);
	return 0;
}

size_t gw_page_data_head_encode(uint8_t *raw, size_t n, const uint64_t *entries, size_t nr_pages)
{
	size_t head = 8 + 8 * n;

	gw_record_header_encode(raw, GW_REC_PAGE_DATA, (uint32_t)(head + nr_pages * GW_PAGE_SIZE));
	gw_put_le32(raw + 8, (uint32_t)n);
	gw_put_le32(raw + 12, 0);
	for (size_t i = 0; i < n; i++)
		gw_put_le64(raw + 16 + 8 * i, entries[i]);
	return GW_RECORD_HEADER_SIZE + head;
}
