/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Patches of the CPU policies and the TSC. A leaf or an MSR is never raised above what the machine
 * of the base gives: whether a host gives more is nothing that an image shows.
 */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "fidelity/patch.h"

#define LEAF_SIZE 24u
#define MSR_SIZE  16u

static const char *const registers[] = {"leaf", "subleaf", "eax", "ebx", "ecx", "edx"};

static uint8_t *draw_leaf(struct patch *p, struct bytes *leaves, char *name, size_t size)
{
	uint8_t *at =
		leaves->data + (size_t)draw(p, (uint32_t)(leaves->len / LEAF_SIZE)) * LEAF_SIZE;

	snprintf(name, size, "CPUID 0x%x.%x", gw_get_le32(at), gw_get_le32(at + 4));
	return at;
}

/* These say how many leaves there are. */
static bool is_maximum(const uint8_t *leaf, unsigned reg)
{
	uint32_t number = gw_get_le32(leaf);

	return reg == 2 && (number == 0 || number == 0x80000000 || number == 7 ||
			    number == 0x40000000 || number == 0x40000100);
}

static void change_leaf(struct patch *p, struct bytes *leaves)
{
	char leaf[40], name[60];
	uint8_t *at = draw_leaf(p, leaves, leaf, sizeof(leaf));
	unsigned reg = one_in(p, 3) ? draw(p, 2) : 2 + draw(p, 4);

	snprintf(name, sizeof(name), "%s %s", leaf, registers[reg]);
	at += 4 * (size_t)reg;
	if (is_maximum(at - 4 * (size_t)reg, reg)) {
		uint32_t old = gw_get_le32(at);

		set_number(p, name, at, 4,
			   (old & 0xff) > 1 ? old - 1 - draw(p, old & 0xf ? old & 0xf : 1) : old);
	} else if (reg == 1 && one_in(p, 2)) {
		set_number(p, name, at, 4, draw(p, 4));
	} else {
		change_number(p, name, at, 4);
	}
}

static void add_leaf(struct patch *p, struct bytes *leaves)
{
	static const uint32_t numbers[] = {
		0x1,	    0x4,	0x7,	    0xb,	0xd,	    0xe,
		0x10,	    0x1d,	0x40000000, 0x40000001, 0x40000100, 0x80000000,
		0x80000021, 0x80000022, 0x80000100, 0xc0000000, 0x20000000};
	uint8_t leaf[LEAF_SIZE] = {0};
	size_t at = draw(p, (uint32_t)(leaves->len / LEAF_SIZE) + 1) * (size_t)LEAF_SIZE;
	uint32_t number = numbers[draw(p, GW_ARRAY_SIZE(numbers))], subleaf = UINT32_MAX;

	if (one_in(p, 2))
		subleaf = draw(p, one_in(p, 2) ? 4 : 70);
	gw_put_le32(leaf, number);
	gw_put_le32(leaf + 4, subleaf);
	bytes_splice(leaves, at, 0, leaf, LEAF_SIZE);
	say(p, "CPUID 0x%x.%x, all zero, comes at place %zu", number, subleaf, at / LEAF_SIZE);
}

static void patch_leaves(struct patch *p, struct bytes *leaves)
{
	char leaf[40];
	uint8_t *at;
	uint32_t n;

	switch (draw(p, 8)) {
	case 0:
	case 1:
	case 2:
		change_leaf(p, leaves);
		break;
	case 3:
	case 4:
		add_leaf(p, leaves);
		break;
	case 5:
		at = draw_leaf(p, leaves, leaf, sizeof(leaf));
		if (one_in(p, 2)) {
			say(p, "%s is left out", leaf);
			bytes_splice(leaves, (size_t)(at - leaves->data), LEAF_SIZE, NULL, 0);
		} else {
			bytes_append(leaves, NULL, LEAF_SIZE);
			at = leaves->data +
			     draw(p, (uint32_t)(leaves->len / LEAF_SIZE - 1)) * (size_t)LEAF_SIZE;
			memcpy(leaves->data + leaves->len - LEAF_SIZE, at, LEAF_SIZE);
			say(p, "CPUID 0x%x.%x comes twice", gw_get_le32(at), gw_get_le32(at + 4));
		}
		break;
	case 6:
		n = 1 + draw(p, 100);
		/* The number of leaf 2: leaf 0 with zeros would set the maximum to 0. */
		for (uint32_t i = 0; i < n; i++) {
			bytes_append(leaves, NULL, LEAF_SIZE);
			at = leaves->data + leaves->len - LEAF_SIZE;
			gw_put_le32(at, 2);
			gw_put_le32(at + 4, UINT32_MAX);
		}
		say(p, "leaf 2 comes %u times more", n);
		break;
	default:
		n = one_in(p, 4) ? (uint32_t)leaves->len : 1 + draw(p, 60);
		bytes_resize(leaves, leaves->len - n);
		say(p, "CPUID: %u bytes shorter", n);
	}
}

static void patch_msrs(struct patch *p, struct bytes *msrs)
{
	static const uint32_t numbers[] = {0xce, 0x10a, 0x48, 0x10, 0xc0000080, 0xc0010020, 0};
	uint8_t entry[MSR_SIZE] = {0};
	uint8_t *at = msrs->data + (size_t)draw(p, (uint32_t)(msrs->len / MSR_SIZE)) * MSR_SIZE;

	switch (draw(p, 6)) {
	case 0:
		set_number(p, "MSR index", at, 4, numbers[draw(p, GW_ARRAY_SIZE(numbers))]);
		break;
	case 1:
		set_number(p, "MSR flags", at + 4, 4, 1u << draw(p, 32));
		break;
	case 2:
		/* Above 32 bits of PLATFORM_INFO nothing fits. */
		set_number(p, "MSR 0xce value", msrs->data + 8, 8,
			   UINT64_C(1) << (32 + draw(p, 32)));
		break;
	case 3:
		gw_put_le32(entry, numbers[draw(p, 3)]);
		bytes_append(msrs, entry, MSR_SIZE);
		say(p, "MSR 0x%x is added", gw_get_le32(entry));
		break;
	case 4:
		say(p, "MSR 0x%x is left out", gw_get_le32(at));
		bytes_splice(msrs, (size_t)(at - msrs->data), MSR_SIZE, NULL, 0);
		break;
	default:
		bytes_resize(msrs, msrs->len - 1 - draw(p, (uint32_t)msrs->len));
		say(p, "MSRs: %zu bytes are left", msrs->len);
	}
}

void patch_policy(struct patch *p)
{
	if (one_in(p, 4))
		patch_msrs(p, body_of(p, REC_MSR_POLICY));
	else
		patch_leaves(p, body_of(p, REC_CPUID_POLICY));
}

void patch_tsc(struct patch *p)
{
	static const struct place fields[] = {
		{"TSC mode", 0, 4},	    {"TSC kHz", 4, 4},	     {"TSC ns", 8, 8},
		{"TSC incarnation", 16, 4}, {"TSC reserved", 20, 4},
	};
	const struct place *f = fields + draw(p, GW_ARRAY_SIZE(fields));
	uint8_t *body = body_of(p, REC_TSC_INFO)->data;

	if (f->offset == 0 && !one_in(p, 3))
		set_number(p, f->name, body, 4, draw(p, 6));
	else
		change_number(p, f->name, body + f->offset, f->width);
}
