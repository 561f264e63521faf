/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Patches of PAGE_DATA: entries, their types, counts; not the contents.
 */
#include <inttypes.h>

#include "base/bytes.h"
#include "base/util.h"
#include "fidelity/patch.h"

#define PFN_MASK UINT64_C(0x000fffffffffffff)

static bool has_page(unsigned type)
{
	return type < 13;
}

static struct bytes *draw_batch(struct patch *p)
{
	uint32_t nr = 0, chosen;

	for (size_t i = 0; i < p->img->inner.nr; i++)
		nr += p->img->inner.list[i].type == REC_PAGE_DATA;
	chosen = draw(p, nr);
	for (size_t i = 0;; i++)
		if (p->img->inner.list[i].type == REC_PAGE_DATA && chosen-- == 0)
			return &p->img->inner.list[i].body;
}

/* The offset of entry i's page; where it would be if it has none. */
static size_t page_at(const struct bytes *body, uint32_t count, uint32_t i)
{
	size_t at = 8 + 8 * (size_t)count;

	for (uint32_t k = 0; k < i; k++)
		at += has_page((unsigned)(gw_get_le64(body->data + 8 + 8 * (size_t)k) >> 60))
			      ? PAGE_SIZE
			      : 0;
	return at;
}

/* Changes the type; a page comes or goes with it, so that the record stays well formed. */
static void set_type(struct patch *p, struct bytes *body, uint32_t count, uint32_t i, unsigned type)
{
	uint8_t *entry = body->data + 8 + 8 * (size_t)i;
	uint64_t old = gw_get_le64(entry);
	size_t at = page_at(body, count, i);

	gw_put_le64(entry, (old & ~(UINT64_C(15) << 60)) | (uint64_t)type << 60);
	if (has_page((unsigned)(old >> 60)) && !has_page(type))
		bytes_splice(body, at, PAGE_SIZE, NULL, 0);
	else if (!has_page((unsigned)(old >> 60)) && has_page(type))
		bytes_splice(body, at, 0, NULL, PAGE_SIZE);
	say(p, "pfn 0x%" PRIx64 ": type %u -> %u", old & PFN_MASK, (unsigned)(old >> 60), type);
}

static uint32_t draw_entry(struct patch *p, uint32_t count)
{
	/* Half of a PV guest's patches are at its page tables, or pages near them. */
	if (p->img->guest == GUEST_PV && count > 0x1a0 && one_in(p, 2))
		return 0x194 + draw(p, 10);

	return draw(p, count);
}

static void remove_entry(struct bytes *body, uint32_t count, uint32_t i)
{
	size_t at = page_at(body, count, i), end = page_at(body, count, i + 1);

	bytes_splice(body, at, end - at, NULL, 0);
	bytes_splice(body, 8 + 8 * (size_t)i, 8, NULL, 0);
	gw_put_le32(body->data, count - 1);
}

static void set_pfn(struct patch *p, uint8_t *entry)
{
	static const uint64_t pfns[] = {
		0,	  0x1ff,     0x3ff,	 0x400,	      0x7ff,	       0x800,	0xfff,
		0x1000,	  0x20000,   0xa0,	 0xfee00,     0xfefff,	       0xff000, 0xfffff,
		0x100000, 0x1000000, 0xffffffff, 0x100000000, 0xfffffffffffff,
	};
	uint64_t old = gw_get_le64(entry), pfn = pfns[draw(p, GW_ARRAY_SIZE(pfns))];

	gw_put_le64(entry, (old & ~PFN_MASK) | pfn);
	say(p, "the entry of pfn 0x%" PRIx64 " is for 0x%" PRIx64, old & PFN_MASK, pfn);
}

void patch_pages(struct patch *p)
{
	struct bytes *body = draw_batch(p);
	uint32_t count = gw_get_le32(body->data), i = draw_entry(p, count);
	uint8_t *entry = body->data + 8 + 8 * (size_t)i;
	uint64_t old = gw_get_le64(entry);

	switch (draw(p, 12)) {
	case 0:
		set_number(p, "PAGE_DATA count", body->data, 4, count + draw(p, 5) - 2);
		break;
	case 1:
		change_number(p, one_in(p, 2) ? "PAGE_DATA reserved" : "PAGE_DATA's reserved",
			      body->data + 4, 4);
		break;
	case 2:
		gw_put_le64(entry, old | UINT64_C(1) << (52 + draw(p, 8)));
		say(p, "entry %u: 0x%" PRIx64 " -> 0x%" PRIx64, i, old, gw_get_le64(entry));
		break;
	case 3:
	case 4:
		set_pfn(p, entry);
		break;
	case 5:
		remove_entry(body, count, i);
		say(p, "pfn 0x%" PRIx64 " (type %u) is left out", old & PFN_MASK,
		    (unsigned)(old >> 60));
		break;
	case 6:
		bytes_resize(body, body->len - 1 - draw(p, one_in(p, 2) ? PAGE_SIZE : 16));
		say(p, "PAGE_DATA: a part of the last page is missing");
		break;
	case 7:
		set_type(p, body, count, i, 13 + draw(p, 3));
		break;
	default:
		set_type(p, body, count, i, draw(p, 16));
	}
}
