/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The legacy reader: the guest's size and, for a PV guest, the extended info and the list of P2M
 * frames.
 */
#include "format/legacy/internal.h"

#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/pv_layout.h"

#define BLOCK_HEAD	  8u
#define VMASST_EXTENDED	  (UINT32_C(1) << 3) /* VMASST_TYPE_pae_extended_cr3 */
#define XSAVE_HEAD	  16u		     /* at the start of a vCPU's xsave: mask and size */
#define VM_ASSIST_FROM_64 5136u
#define VM_ASSIST_FROM_32 2796u

const char *gw_legacy_doubt(const struct gw_legacy_reader *r)
{
	/* If a PV guest is read as HVM, the item after the first pages is already wrong. */
	return r->doubtful && r->item < 2 ? "; it may be a PV guest saved by Xen 3.0" : "";
}

/* Gives back the last n bytes that were read: they come after the header. */
static void carry(struct gw_legacy_reader *r, unsigned n)
{
	memcpy(r->carry, r->buf.data + r->buf.len - n, n);
	r->carried = n;
	r->offset -= n;
}

static int tell_header(struct gw_legacy_reader *r, enum gw_legacy_event *event,
		       struct gw_error *err)
{
	/* An image without a VCPU_INFO has one vCPU. */
	uint64_t *map = gw_buffer_reserve(&r->map, sizeof(uint64_t), err);

	if (!map)
		return -1;
	map[0] = 1;
	r->vcpu_map = map;
	gw_legacy_expect(r, GW_LEGS_CHUNK, 4);
	*event = GW_LEGACY_HEADER;
	return 0;
}

static int begin_frames(struct gw_legacy_reader *r, bool one_is_in)
{
	struct gw_legacy_header *h = &r->header;
	uint64_t size;

	if (h->guest_width == 0)
		h->guest_width = h->kind.width;
	h->p2m_frames =
		(h->p2m_size + GW_PAGE_SIZE / h->guest_width - 1) / (GW_PAGE_SIZE / h->guest_width);
	size = h->p2m_frames * h->kind.width;
	if (one_is_in)
		gw_legacy_expect_more(r, GW_LEGS_FRAMES, size - h->kind.width);
	else
		gw_legacy_expect(r, GW_LEGS_FRAMES, size);
	return 0;
}

/* The first bytes have arrived, which is enough for detection. */
static int got_first_bytes(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			   struct gw_error *err)
{
	struct gw_legacy_header *h = &r->header;
	uint64_t value;

	h->kind = r->forced;
	if (gw_legacy_detect(r->buf.data, r->buf.len, &h->kind, err) < 0)
		return -1;
	h->p2m_size = gw_legacy_long(r, r->buf.data);
	value = gw_legacy_long(r, r->buf.data + h->kind.width);
	r->doubtful = r->forced.guest == GW_GUEST_NONE && h->kind.guest == GW_GUEST_X86_HVM &&
		      value > 0 && value < h->p2m_size;
	carry(r, h->kind.width);
	if (h->kind.guest == GW_GUEST_X86_HVM)
		return tell_header(r, event, err);
	gw_legacy_expect(r, GW_LEGS_FIRST, h->kind.width);
	return 0;
}

int gw_legacy_got_start(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			struct gw_error *err)
{
	if (gw_get_le32(r->buf.data + 4) == 0) {
		gw_legacy_expect_more(r, GW_LEGS_MARKER, 8);
		return 0;
	}
	return got_first_bytes(r, event, err);
}

int gw_legacy_got_marker(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			 struct gw_error *err)
{
	return got_first_bytes(r, event, err);
}

int gw_legacy_got_first(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			struct gw_error *err)
{
	uint64_t ones = r->header.kind.width == 8 ? UINT64_MAX : UINT32_MAX;

	if (gw_legacy_long(r, r->buf.data) != ones)
		return begin_frames(r, true);
	r->header.has_extended_info = true;
	gw_legacy_expect(r, GW_LEGS_TOTAL, 4);
	return 0;
}

static int next_block(struct gw_legacy_reader *r, struct gw_error *err)
{
	if (r->info_left == 0)
		return begin_frames(r, false);
	if (r->info_left < BLOCK_HEAD)
		return gw_fail(err, GW_INVALID,
			       "%u bytes are left of the extended info, a block needs at least %u",
			       r->info_left, BLOCK_HEAD);
	gw_legacy_expect(r, GW_LEGS_BLOCK, BLOCK_HEAD);
	return 0;
}

int gw_legacy_got_total(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			struct gw_error *err)
{
	r->info_left = gw_get_le32(r->buf.data);
	return next_block(r, err);
}

/* A block's id as text, for messages. */
static const char *id_text(const uint8_t *id, char text[5])
{
	for (unsigned i = 0; i < 4; i++)
		text[i] = (char)(id[i] >= 0x20 && id[i] < 0x7f ? id[i] : '?');
	text[4] = '\0';
	return text;
}

static bool is_block(const uint8_t *head, const char *id)
{
	return memcmp(head, id, 4) == 0;
}

static int check_block(const uint8_t *head, uint32_t size, struct gw_error *err)
{
	if (is_block(head, "vcpu") && size != gw_pv_layout(8)->vcpu_size &&
	    size != gw_pv_layout(4)->vcpu_size)
		return gw_fail(
			err, GW_INVALID,
			"the block \"vcpu\" of the extended info has %u bytes, expected %u (64-bit guest) or %u",
			size, gw_pv_layout(8)->vcpu_size, gw_pv_layout(4)->vcpu_size);
	if (is_block(head, "xcnt") && size != 4)
		return gw_fail(err, GW_INVALID,
			       "the block \"xcnt\" of the extended info has %u bytes, expected 4",
			       size);
	return 0;
}

int gw_legacy_got_block(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			struct gw_error *err)
{
	const uint8_t *head = r->buf.data;
	uint32_t size = gw_get_le32(head + 4);
	char text[5];

	r->info_left -= BLOCK_HEAD;
	if (size > r->info_left)
		return gw_fail(err, GW_INVALID,
			       "the block \"%s\" of the extended info has %u bytes, %u are left",
			       id_text(head, text), size, r->info_left);
	r->info_left -= size;
	if (check_block(head, size, err) < 0)
		return -1;
	if (is_block(head, "vcpu") || is_block(head, "xcnt")) {
		gw_legacy_expect_more(r, GW_LEGS_BLOCK_DATA, size);
		return 0;
	}
	if (is_block(head, "extv"))
		r->header.has_ext_contexts = true;
	else
		r->header.unknown_blocks++;
	if (size == 0)
		return next_block(r, err);
	gw_legacy_skip(r, GW_LEGS_BLOCK_SKIP, size);
	return 0;
}

int gw_legacy_got_block_skip(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			     struct gw_error *err)
{
	return gw_legacy_skipped(r) ? next_block(r, err) : 0;
}

int gw_legacy_got_block_data(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			     struct gw_error *err)
{
	struct gw_legacy_header *h = &r->header;
	const uint8_t *data = r->buf.data + BLOCK_HEAD;
	uint32_t vm_assist;

	if (is_block(r->buf.data, "xcnt")) {
		h->xsave_bytes = gw_get_le32(data);
		if (h->xsave_bytes && h->xsave_bytes < XSAVE_HEAD)
			return gw_fail(
				err, GW_INVALID,
				"the block \"xcnt\" gives %u bytes for each vCPU, expected at least %u",
				h->xsave_bytes, XSAVE_HEAD);
		return next_block(r, err);
	}
	h->guest_width = r->buf.len - BLOCK_HEAD == gw_pv_layout(8)->vcpu_size ? 8 : 4;
	vm_assist =
		gw_get_le32(data + (h->guest_width == 8 ? VM_ASSIST_FROM_64 : VM_ASSIST_FROM_32));
	if (vm_assist & VMASST_EXTENDED)
		h->pae_extended_cr3 = true;
	return next_block(r, err);
}

int gw_legacy_got_frames(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			 struct gw_error *err)
{
	const struct gw_legacy_header *h = &r->header;

	/* An image that has no mark of a PV guest is accepted as one if its frames are valid. */
	for (uint64_t i = 0; !h->has_extended_info && i < h->p2m_frames; i++)
		if (gw_legacy_p2m_frame(r, i) >= h->p2m_size)
			return gw_fail(
				err, GW_INVALID,
				"entry %llu of the list of P2M frames is 0x%llx, the guest has 0x%llx pages: this does not look like %s without extended info",
				(unsigned long long)i,
				(unsigned long long)gw_legacy_p2m_frame(r, i),
				(unsigned long long)h->p2m_size, gw_legacy_kind_text(&h->kind));
	return tell_header(r, event, err);
}

uint64_t gw_legacy_p2m_frame(const struct gw_legacy_reader *r, uint64_t i)
{
	return gw_legacy_long(r, r->buf.data + i * r->header.kind.width);
}
