/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Draws the kind of a patch for each seed, and what all kinds share.
 */
#include "fidelity/generate.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/util.h"
#include "fidelity/patch.h"

struct kind {
	const char *name;
	void (*patch)(struct patch *p);
	unsigned weight;
};

static const struct kind pv_kinds[] = {
	{"header", patch_headers, 4},	 {"record", patch_records, 11},
	{"stream", patch_stream, 4},	 {"config", patch_config, 10},
	{"policy", patch_policy, 10},	 {"tsc", patch_tsc, 3},
	{"pages", patch_pages, 13},	 {"vcpu", patch_vcpu, 20},
	{"extended", patch_extended, 8}, {"tables", patch_tables, 17},
	{"p2m", patch_p2m, 4},		 {"shared", patch_shared, 5},
};

static const struct kind pvh_kinds[] = {
	{"header", patch_headers, 4}, {"record", patch_records, 9},   {"stream", patch_stream, 5},
	{"config", patch_config, 9},  {"policy", patch_policy, 9},    {"tsc", patch_tsc, 3},
	{"pages", patch_pages, 8},    {"context", patch_context, 22}, {"cpu", patch_cpu, 21},
	{"params", patch_params, 16},
};

static const struct kind hvm_kinds[] = {
	{"header", patch_headers, 3}, {"record", patch_records, 7},    {"stream", patch_stream, 4},
	{"config", patch_config, 9},  {"policy", patch_policy, 7},     {"tsc", patch_tsc, 2},
	{"pages", patch_pages, 6},    {"context", patch_context, 34},  {"cpu", patch_cpu, 12},
	{"params", patch_params, 14}, {"emulator", patch_emulator, 8},
};

uint64_t draw64(struct patch *p)
{
	uint64_t z = p->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint32_t draw(struct patch *p, uint32_t n)
{
	return (uint32_t)(draw64(p) % n);
}

bool one_in(struct patch *p, uint32_t n)
{
	return draw(p, n) == 0;
}

static uint64_t of_width(uint64_t value, unsigned width)
{
	return width == 8 ? value : value & ((UINT64_C(1) << 8 * width) - 1);
}

uint64_t draw_value(struct patch *p, uint64_t old, unsigned width)
{
	static const uint64_t borders[] = {
		0,
		1,
		2,
		7,
		UINT64_MAX,
		UINT64_C(1) << 63,
		0x80000000,
		0xffffffff,
		UINT64_C(0x100000000),
		UINT64_C(0x00007fffffffffff),
		UINT64_C(0x0000800000000000),
		UINT64_C(0xffff800000000000),
		UINT64_C(0xffff87ffffffffff),
		UINT64_C(0xffff880000000000),
		UINT64_C(0xffff7fffffffffff),
	};
	uint64_t value;

	switch (draw(p, 8)) {
	case 0:
	case 1:
	case 2:
		value = borders[draw(p, GW_ARRAY_SIZE(borders))];
		break;
	case 3:
	case 4:
		value = old ^ UINT64_C(1) << draw(p, 8 * width);
		break;
	case 5:
		value = old + 1 + draw(p, 16);
		break;
	case 6:
		value = draw(p, 4096);
		break;
	default:
		value = draw64(p);
	}
	value = of_width(value, width);
	return value == of_width(old, width) ? value ^ 1 : value;
}

uint64_t get_number(const uint8_t *at, unsigned width)
{
	uint64_t value = 0;

	for (unsigned i = width; i-- > 0;)
		value = value << 8 | at[i];
	return value;
}

void put_number(uint8_t *at, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

void set_number(struct patch *p, const char *what, uint8_t *at, unsigned width, uint64_t value)
{
	uint64_t old = get_number(at, width);

	put_number(at, width, value);
	say(p, "%s 0x%" PRIx64 " -> 0x%" PRIx64, what, old, of_width(value, width));
}

void change_number(struct patch *p, const char *what, uint8_t *at, unsigned width)
{
	set_number(p, what, at, width, draw_value(p, get_number(at, width), width));
}

void say(struct patch *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, args);
	va_end(args);
}

struct bytes *body_of(struct patch *p, uint32_t type)
{
	size_t i = parts_find(&p->img->inner, type);

	return i < p->img->inner.nr ? &p->img->inner.list[i].body : NULL;
}

static const struct kind *draw_kind(struct patch *p)
{
	static const struct {
		const struct kind *list;
		size_t nr;
	} of[] = {
		[GUEST_PV] = {pv_kinds, GW_ARRAY_SIZE(pv_kinds)},
		[GUEST_PVH] = {pvh_kinds, GW_ARRAY_SIZE(pvh_kinds)},
		[GUEST_HVM] = {hvm_kinds, GW_ARRAY_SIZE(hvm_kinds)},
	};
	const struct kind *kinds = of[p->img->guest].list;
	unsigned all = 0, at;
	size_t i = 0;

	for (size_t k = 0; k < of[p->img->guest].nr; k++)
		all += kinds[k].weight;
	for (at = draw(p, all); at >= kinds[i].weight; i++)
		at -= kinds[i].weight;
	return kinds + i;
}

void generate(const struct image *base, uint32_t seed, struct generated *to)
{
	struct image img;
	struct patch p = {.img = &img, .state = UINT64_C(0x66696465) << 32 | seed};

	image_copy(&img, base);
	to->kind = "base";
	if (seed) {
		const struct kind *kind = draw_kind(&p);

		to->kind = kind->name;
		kind->patch(&p);
	}
	memcpy(to->text, p.text, sizeof(p.text));
	image_write(&img, &to->file);
	to->checksum = (uint32_t)crc32(0, to->file.data, (unsigned)to->file.len);
	image_free(&img);
}
