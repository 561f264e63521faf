/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes that image, record by record.
 */
#include "guest_image.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/libxc/image.h"
#include "format/x86/pv_layout.h"
#include "input.h"

enum { ROOT, L3, LAST = L3, L2, L1, START_INFO, STORE, CONSOLE, P2M, GDT, FIRST_FREE, PFNS = 16 };

#define PTE_TABLE   0x067u
#define PTE_DATA    0x063u
#define BODY_HEAD   8
#define GDT_ENTRIES 512u

static void put(struct gw_buffer *image, uint32_t type, const void *body, size_t len)
{
	if (gw_record_append(image, type, body, len, NULL) < 0)
		exit(1);
}

static void put_headers(struct gw_buffer *image, const struct gw_pv_layout *l)
{
	uint8_t head[40] = {0}, info[8] = {0}, frames[16] = {0};

	memset(head, 0xff, 8);
	memcpy(head + 8, "XENF\0\0\0\3", 8);
	gw_put_le32(head + 24, GW_GUEST_X86_PV);
	gw_put_le16(head + 28, 12);
	gw_put_le32(head + 32, 4);
	gw_put_le32(head + 36, 17);
	if (gw_buffer_append(image, head, sizeof(head), NULL) < 0)
		exit(1);
	info[0] = (uint8_t)l->width;
	info[1] = (uint8_t)l->levels;
	put(image, GW_REC_X86_PV_INFO, info, sizeof(info));
	put(image, GW_REC_STATIC_DATA_END, NULL, 0);
	gw_put_le32(frames + 4, PFNS - 1);
	gw_put_le64(frames + 8, P2M);
	put(image, GW_REC_X86_PV_P2M_FRAMES, frames, sizeof(frames));
}

/* The contents of a pfn. The root of a 32-bit guest is an L3, and LAST the L2 of its last GiB,
 * which Xen demands. */
static void fill_page(const struct gw_pv_layout *l, unsigned pfn, uint8_t *page)
{
	memset(page, 0, GW_PAGE_SIZE);
	switch (pfn) {
	case ROOT:
		if (l->width == 8) {
			gw_put_le64(page, L3 << 12 | PTE_TABLE);
		} else {
			gw_put_le64(page, L2 << 12 | GW_PV_PTE_PRESENT);
			gw_put_le64(page + 3 * 8, LAST << 12 | GW_PV_PTE_PRESENT);
		}
		break;
	case L3:
		gw_put_le64(page, l->width == 8 ? L2 << 12 | PTE_TABLE : 0);
		break;
	case L2:
		gw_put_le64(page, L1 << 12 | PTE_TABLE);
		break;
	case L1:
		for (unsigned i = START_INFO; i < PFNS; i++)
			if (i != GDT)
				gw_put_le64(page + 8 * (size_t)i, i << 12 | PTE_DATA);
		break;
	case START_INFO:
		gw_pv_put_word(l, page + l->start_store, STORE);
		gw_pv_put_word(l, page + l->start_console, CONSOLE);
		break;
	default:
		break;
	}
}

static uint64_t type_of(const struct gw_pv_layout *l, unsigned pfn)
{
	if (pfn == ROOT)
		return GW_PAGE_PINNED | l->levels;
	if (pfn == L3)
		return l->width == 8 ? GW_PAGE_L3TAB : GW_PAGE_L2TAB;
	return pfn == L2 ? GW_PAGE_L2TAB : pfn == L1 ? GW_PAGE_L1TAB : GW_PAGE_NOTAB;
}

static void put_pages(struct gw_buffer *image, const struct gw_pv_layout *l)
{
	size_t len = BODY_HEAD + PFNS * (sizeof(uint64_t) + GW_PAGE_SIZE);
	uint8_t *body = calloc(1, len);
	uint8_t *entry, *page;

	if (!body)
		exit(1);
	gw_put_le32(body, PFNS);
	entry = body + BODY_HEAD;
	page = entry + PFNS * sizeof(uint64_t);
	for (unsigned pfn = 0; pfn < PFNS; pfn++) {
		gw_put_le64(entry + 8 * (size_t)pfn, type_of(l, pfn) << 60 | pfn);
		fill_page(l, pfn, page + pfn * GW_PAGE_SIZE);
	}
	put(image, GW_REC_PAGE_DATA, body, len);
	free(body);
}

static void put_vcpu(struct gw_buffer *image, const struct gw_pv_layout *l)
{
	uint8_t body[8 + 8192] = {0}, *context = body + 8;

	gw_put_le32(context + l->vcpu_flags, GW_PV_VCPU_KERNEL | GW_PV_VCPU_ONLINE);
	gw_pv_put_word(l, context + l->vcpu_edx, START_INFO);
	gw_pv_put_word(l, context + l->vcpu_gdt, GDT);
	gw_pv_put_word(l, context + l->vcpu_gdt_ents, GDT_ENTRIES);
	gw_pv_put_word(l, context + l->vcpu_cr + 3 * l->width, gw_pv_frame_to_cr3(l, ROOT));
	put(image, GW_REC_X86_PV_VCPU_BASIC, body, 8 + l->vcpu_size);
}

static void put_shared_info(struct gw_buffer *image, const struct gw_pv_layout *l)
{
	uint8_t page[GW_PAGE_SIZE] = {0};

	gw_pv_put_word(l, page + l->shared_arch + l->arch_max_pfn, PFNS);
	put(image, GW_REC_SHARED_INFO, page, sizeof(page));
}

static struct guest_image make(unsigned width)
{
	const struct gw_pv_layout *l = gw_pv_layout(width);
	struct gw_buffer image = {0};

	put_headers(&image, l);
	put_pages(&image, l);
	put_shared_info(&image, l);
	put_vcpu(&image, l);
	put(&image, GW_REC_END, NULL, 0);
	return (struct guest_image){image.data, image.len};
}

const struct guest_image *guest_image(int wide)
{
	static struct guest_image made[2];

	if (!made[wide].data)
		made[wide] = make(wide ? 8 : 4);
	return &made[wide];
}

int guest_image_is_patched(const uint8_t *data, size_t size)
{
	return size && (data[0] == 'n' || data[0] == 'w');
}

/* The pages are the middle of the image: offsets from the top half count from its end. */
static size_t place(const struct guest_image *image, uint32_t offset)
{
	if (offset & 0x8000)
		return image->len - 1 - (offset & 0x7fff) % image->len;
	return offset % image->len;
}

struct guest_image guest_image_patch(const uint8_t *data, size_t size)
{
	const struct guest_image *from = guest_image(data[0] == 'w');
	struct guest_image image = {malloc(from->len), from->len};
	struct input in = {data + 1, size - 1};

	if (!image.data)
		exit(1);
	memcpy(image.data, from->data, image.len);
	while (in.len) {
		size_t at = place(&image, input_u16(&in) | (uint32_t)input_u8(&in) << 16);
		size_t len = input_u8(&in) % 32;
		const uint8_t *bytes = input_bytes(&in, &len);

		if (len)
			memcpy(image.data + at, bytes, GW_MIN(len, image.len - at));
	}
	return image;
}
