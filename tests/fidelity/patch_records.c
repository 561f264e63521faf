/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Patches of the framing: headers of every layer, records of the libxc image and of the libxl
 * stream.
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "fidelity/patch.h"

void patch_headers(struct patch *p)
{
	static const struct place xl[] = {{"xl byteorder", 32, 4},
					  {"xl mandatory flags", 36, 4},
					  {"xl optional flags", 40, 4},
					  {"xl magic", 20, 1}};
	static const struct place stream[] = {
		{"libxl ident", 0, 1}, {"libxl version", 8, 4}, {"libxl options", 12, 4}};
	static const struct place image[] = {
		{"image marker", 0, 1},	  {"image id", 8, 4},	     {"image version", 12, 4},
		{"image options", 16, 2}, {"image reserved", 18, 2}, {"image reserved2", 20, 4},
		{"domain type", 24, 4},	  {"page shift", 28, 2},     {"domain reserved", 30, 2},
		{"Xen's major", 32, 4},	  {"Xen's minor", 36, 4},
	};
	const struct place *f;
	uint8_t *at;

	switch (draw(p, 6)) {
	case 0:
		f = xl + draw(p, GW_ARRAY_SIZE(xl));
		at = p->img->xl_header;
		break;
	case 1:
		f = stream + draw(p, GW_ARRAY_SIZE(stream));
		at = p->img->stream_header;
		break;
	default:
		f = image + draw(p, GW_ARRAY_SIZE(image));
		at = p->img->headers;
	}
	/* This header is big-endian: a small number is in the last byte. */
	if (at == p->img->stream_header && f->width == 4 && one_in(p, 2)) {
		uint8_t *number = at + f->offset;

		number[3] = (uint8_t)draw(p, 8);
		say(p, "%s: last byte %u", f->name, number[3]);
		return;
	}
	if (one_in(p, 2))
		set_number(p, f->name, at + f->offset, f->width, draw(p, 8));
	else
		change_number(p, f->name, at + f->offset, f->width);
}

static const char *const record_names[] = {
	"END",		 "PAGE_DATA",	"PV_INFO",     "P2M_FRAMES", "VCPU_BASIC",
	"VCPU_EXTENDED", "VCPU_XSAVE",	"SHARED_INFO", "TSC_INFO",   "HVM_CONTEXT",
	"HVM_PARAMS",	 "TOOLSTACK",	"VCPU_MSRS",   "VERIFY",     "CHECKPOINT",
	"DIRTY_PFNS",	 "STATIC_DATA", "CPUID",       "MSR",
};

static const char *name_of(uint32_t type)
{
	return type < GW_ARRAY_SIZE(record_names) ? record_names[type] : "?";
}

static uint32_t draw_type(struct patch *p)
{
	switch (draw(p, 3)) {
	case 0:
		return draw(p, 24);
	case 1:
		return REC_OPTIONAL | (0x1000 + draw(p, 64));
	default:
		return 0x100 + draw(p, 1024);
	}
}

static void insert_record(struct patch *p, struct parts *in, size_t at)
{
	uint8_t body[64] = {0};
	uint32_t type = draw_type(p), len = 8 * draw(p, 9);

	if (one_in(p, 2))
		memset(body, (int)draw(p, 256), sizeof(body));
	parts_insert(in, at, type, body, len);
	say(p, "record 0x%x of %u bytes at place %zu", type, len, at);
}

static void change_length(struct patch *p, struct parts *in, size_t i)
{
	struct part *part = in->list + i;
	uint32_t n = one_in(p, 2) ? 8 : 1 + draw(p, 24);

	switch (draw(p, 4)) {
	case 0:
		bytes_resize(&part->body, part->body.len + n);
		say(p, "record %zu (%s) longer by %u", i, name_of(part->type), n);
		break;
	case 1:
		n = n > part->body.len ? (uint32_t)part->body.len : n;
		bytes_resize(&part->body, part->body.len - n);
		say(p, "record %zu (%s) shorter by %u", i, name_of(part->type), n);
		break;
	case 2:
		part->claim_more = one_in(p, 4) ? 0x08000001 : n;
		say(p, "record %zu (%s) claims 0x%x bytes more", i, name_of(part->type),
		    part->claim_more);
		break;
	default:
		part->claim_more = -n;
		say(p, "record %zu (%s) claims %u bytes less", i, name_of(part->type), n);
	}
}

static void repeat_record(struct patch *p, struct parts *in, size_t i)
{
	struct part part = in->list[i];
	size_t to = one_in(p, 2) ? i + 1 : draw(p, (uint32_t)in->nr + 1);

	parts_insert(in, to, part.type, part.body.data, part.body.len);
	say(p, "record %zu (%s) again at place %zu", i, name_of(part.type), to);
}

static void swap_records(struct patch *p, struct parts *in, size_t i)
{
	size_t j = i ? i - 1 : in->nr > 1;
	struct part part = in->list[i];

	if (one_in(p, 3))
		j = draw(p, (uint32_t)in->nr);
	in->list[i] = in->list[j];
	in->list[j] = part;
	say(p, "records %zu (%s) and %zu (%s) swapped", i, name_of(part.type), j,
	    name_of(in->list[i].type));
}

void patch_records(struct patch *p)
{
	struct parts *in = &p->img->inner;
	size_t i = draw(p, (uint32_t)in->nr);
	uint32_t type = in->list[i].type;

	switch (draw(p, 9)) {
	case 0:
		parts_remove(in, i);
		say(p, "record %zu (%s) is left out", i, name_of(type));
		break;
	case 1:
		repeat_record(p, in, i);
		break;
	case 2:
		swap_records(p, in, i);
		break;
	case 3:
		in->list[i].type = draw_type(p);
		say(p, "record %zu: type 0x%x -> 0x%x", i, type, in->list[i].type);
		break;
	case 4:
	case 5:
		insert_record(p, in, i);
		break;
	case 6:
		in->list[i].pad = (uint8_t)(1 + draw(p, 255));
		say(p, "record %zu (%s): padding 0x%x", i, name_of(type), in->list[i].pad);
		if (-in->list[i].body.len & 7)
			break;
		bytes_resize(&in->list[i].body, in->list[i].body.len + 4);
		say(p, "record %zu (%s): 4 bytes more and padding 0x%x", i, name_of(type),
		    in->list[i].pad);
		break;
	default:
		change_length(p, in, i);
	}
}

static void insert_stream_record(struct patch *p)
{
	static const uint32_t types[] = {2, 3, 4, 5, 6, 0x100, REC_OPTIONAL | 1, REC_OPTIONAL | 3,
					 1, 0};
	uint32_t type = types[draw(p, GW_ARRAY_SIZE(types))];
	size_t at = draw(p, (uint32_t)p->img->outer.nr + 1);
	uint8_t body[16] = {0};
	size_t len = 8 * (size_t)draw(p, 3);

	gw_put_le32(body, draw(p, 4));
	parts_insert(&p->img->outer, at, type, body, len);
	say(p, "libxl record 0x%x of %zu bytes, first word %u, at place %zu", type, len,
	    gw_get_le32(body), at);
}

void patch_stream(struct patch *p)
{
	struct parts *outer = &p->img->outer;
	size_t i = draw(p, (uint32_t)outer->nr);

	switch (draw(p, 8)) {
	case 0:
	case 1:
	case 2:
		insert_stream_record(p);
		break;
	case 3:
		p->img->cut = 1 + draw(p, one_in(p, 2) ? 64 : 8000);
		say(p, "the last %zu bytes are missing", p->img->cut);
		break;
	case 4:
	case 5:
		bytes_resize(&p->img->tail, 1 + draw(p, 64));
		memset(p->img->tail.data, (int)draw(p, 256), p->img->tail.len);
		say(p, "%zu bytes after the end", p->img->tail.len);
		break;
	case 6:
		say(p, "libxl record %zu (type %u) is left out", i, outer->list[i].type);
		parts_remove(outer, i);
		break;
	default:
		bytes_resize(&outer->list[i].body, outer->list[i].body.len + 8);
		say(p, "libxl record %zu (type %u): 8 bytes more", i, outer->list[i].type);
	}
}
