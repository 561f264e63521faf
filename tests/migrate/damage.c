/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Damages images for test_agreement.c.
 */
#include "damage.h"

#include <stdlib.h>
#include <string.h>

#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/libxl/stream.h"
#include "lib/random.h"

static uint32_t interesting(void)
{
	static const uint32_t values[] = {
		0,	    1,		2,	    7,		8,	    9,	     15,
		16,	    23,		24,	    4095,	4096,	    8191,    8192,
		0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff, 0x08000000, 0x10000, 0x80675801,
		0x400,	    0x3ff,	0x20000000, 0x90000000, 0xf0000000,
	};

	return random_below(3) ? values[random_below(GW_ARRAY_SIZE(values))]
			       : (uint32_t)random_below(24);
}

/* Inserts a small record of any type before another. */
static void insert_new(struct parent *p, size_t at)
{
	uint8_t raw[8 + 32] = {0};
	size_t len = 8 * random_below(5);

	gw_put_le32(raw, random_below(4) ? (uint32_t)random_below(20) : interesting());
	gw_put_le32(raw + 4, (uint32_t)len);
	for (size_t i = 0; i < len && random_below(2); i++)
		raw[8 + i] = (uint8_t)random64();
	part_insert(p, at, raw, 8 + len);
}

/* A field of a part; more often one near its start, where counts and ids are. */
static uint8_t *field(const struct part *part, size_t size)
{
	size_t span = random_below(3) ? GW_MIN(part->len, (size_t)64) : part->len;

	return part->len < size ? NULL : part->data + random_below((span - size) / 4 + 1) * 4;
}

/* Lengthens or shortens the body, with its length field. */
static void resize(struct part *part)
{
	size_t body = part->len - 8;
	size_t len = random_below(2) ? body + 8 * random_below(4)
				     : body - GW_MIN(body, 8 * random_below(4));
	uint8_t *data = realloc(part->data, 8 + len);

	assert_non_null(data);
	if (len > body)
		memset(data + 8 + body, random_below(2) ? 0 : 0x11, len - body);
	gw_put_le32(data + 4, (uint32_t)(len - random_below(2) * GW_MIN(len, random_below(8))));
	*part = (struct part){data, 8 + len};
}

/* A field of a random entry of an HVM context: of its descriptor or its data. */
static uint8_t *context_field(const struct part *part)
{
	size_t at = 8, chosen = 8, len = 0, n = 0;

	while (at + 8 <= part->len && gw_get_le32(part->data + at + 4) <= part->len - at - 8) {
		if (random_below(++n) == 0) {
			chosen = at;
			len = gw_get_le32(part->data + at + 4);
		}
		at += 8 + (size_t)gw_get_le32(part->data + at + 4);
	}
	if (chosen + 8 > part->len)
		return NULL;
	/* The first fields and the last are those with rules, as are registers in between. */
	return part->data + chosen + random_below((len + 8) / 4) * 4;
}

/* The ids, the header or the end of a device model's state; or it ends early. */
static uint8_t *model_field(struct part *part)
{
	if (random_below(3) == 0) {
		part->len = 40 + random_below(part->len - 40) / 8 * 8;
		gw_put_le32(part->data + 4, (uint32_t)part->len - 8);
	}
	return part->data + (random_below(4) ? 8 + random_below(6) * 4 : part->len - 4);
}

/* Damages the state of an HVM guest: an entry of a context, a param, the device model. */
static void damage_state(struct parent *p)
{
	size_t from = random_below(p->n);

	for (size_t i = 0; i < p->n; i++) {
		struct part *part = &p->parts[(from + i) % p->n];
		uint32_t type = part->len >= 32 ? gw_get_le32(part->data) : 0;
		uint8_t *f = NULL;

		if (type == GW_REC_HVM_CONTEXT)
			f = context_field(part);
		else if (type == GW_REC_HVM_PARAMS)
			f = part->data + 16 + random_below((part->len - 16) / 4) * 4;
		else if (type == GW_STREAM_EMULATOR_CONTEXT && p->libxl && part->len >= 1000)
			f = model_field(part);
		if (!f)
			continue;
		if (random_below(2))
			gw_put_le32(f, interesting());
		else
			f[random_below(4)] ^= (uint8_t)(1u << random_below(8));
		return;
	}
}

void damage_any(struct parent *p, const struct parent *other)
{
	size_t at = p->first_record + random_below(p->n - p->first_record), to;
	struct part *part;
	uint8_t *f;

	if (p->n <= p->first_record + 1)
		return;
	part = &p->parts[random_below(12) ? at : 0];
	if (part->len < 8 || p->parts[at].len < 8)
		return;
	switch (random_below(14)) {
	case 12:
	case 13:
		damage_state(p);
		break;
	case 0:
		part->data[random_below(random_below(2) ? part->len
							: GW_MIN(part->len, (size_t)48))] ^=
			(uint8_t)(1u << random_below(8));
		break;
	case 1:
	case 2:
		if ((f = field(part, 4)))
			gw_put_le32(f, interesting());
		break;
	case 3:
		gw_put_le32(p->parts[at].data, interesting());
		break;
	case 4:
		resize(&p->parts[at]);
		break;
	case 5:
		part_drop(p, at);
		break;
	case 6:
		part_insert(p, p->first_record + random_below(p->n - p->first_record),
			    p->parts[at].data, p->parts[at].len);
		break;
	case 7:
		to = p->first_record + random_below(p->n - p->first_record);
		part_swap(&p->parts[at], &p->parts[to]);
		break;
	case 8:
		to = other->first_record + random_below(other->n - other->first_record);
		part_insert(p, at, other->parts[to].data, other->parts[to].len);
		break;
	case 9:
		insert_new(p, at);
		break;
	case 10:
		if (random_below(3) == 0)
			while (p->n > at + 1)
				part_drop(p, p->n - 1);
		if (random_below(4) == 0 && p->parts[p->n - 1].len)
			p->parts[p->n - 1].len = random_below(p->parts[p->n - 1].len);
		break;
	default:
		/* Types and pfns of pages, roots and frames of vCPUs: 64-bit fields. */
		f = part->data + random_below(part->len / 8) * 8;
		gw_put_le32(f + 4 * random_below(2), interesting());
		break;
	}
}
/* Changes one entry of a policy: its number, its subleaf or flags, or its contents. */
void damage_policy(struct part *policy)
{
	static const uint32_t numbers[] = {
		0,	    1,		4,	    7,		0xb,  0xd,   0xe,  0x40000000,
		0x40000001, 0x80000000, 0x80000021, 0x80000022, 0xce, 0x10a, 0x10b};
	static const uint32_t values[] = {
		0,  1,	2,	    3,		5,	    6,		7,	    0xd,     0xe,
		62, 63, UINT32_MAX, 0x80000000, 0x80000008, 0x80000021, 0x80000022, 1u << 31};
	size_t size = gw_get_le32(policy->data) == GW_REC_X86_CPUID_POLICY ? 24 : 16;
	uint32_t length = gw_get_le32(policy->data + 4);
	size_t n = length / size;
	uint8_t *entry = policy->data + 8 + (n ? random_below(n) : 0) * size;

	if (n == 0)
		return;
	switch (random_below(4)) {
	case 0:
		gw_put_le32(entry, numbers[random_below(GW_ARRAY_SIZE(numbers))]);
		break;
	case 1: /* one entry in the place of another */
		memmove(entry, policy->data + 8 + random_below(n) * size, size);
		break;
	case 2: /* leaf 0, or the first MSR */
		entry = policy->data + 8;
		/* fall through */
	default:
		gw_put_le32(entry + 4 + 4 * random_below(size / 4 - 1),
			    values[random_below(GW_ARRAY_SIZE(values))]);
	}
}

/* Makes the record longer by entries of one that it has, up to more than Xen takes. */
void lengthen_policy(struct part *policy)
{
	size_t size = gw_get_le32(policy->data) == GW_REC_X86_CPUID_POLICY ? 24 : 16;
	uint32_t length = gw_get_le32(policy->data + 4);
	size_t more = size == 24 ? 8 * random_below(15) : 2 * random_below(2);
	uint8_t *data = realloc(policy->data, policy->len + more * size);

	assert_non_null(data);
	if (length < size || length % 8)
		more = 0;
	for (size_t i = 0; i < more; i++)
		memcpy(data + 8 + length + i * size, data + 8, size);
	gw_put_le32(data + 4, length + (uint32_t)(more * size));
	*policy = (struct part){data, policy->len + more * size};
}

/* Values of a vCPU's fields: addresses at the limits of Xen's checks, sizes, masks. */
static uint64_t interesting_word(void)
{
	static const uint64_t values[] = {
		UINT64_C(0x00007fffffffffff), UINT64_C(0x0000800000000000),
		UINT64_C(0xffff7fffffffffff), UINT64_C(0xffff800000000000),
		UINT64_C(0xffff87fffffff000), UINT64_C(0xffff880000000000),
		UINT64_C(0x0000000100000000), UINT64_C(0x8000000000000000),
		UINT64_C(0x00007ffffffff000), UINT64_MAX,
	};

	return random_below(2) ? values[random_below(GW_ARRAY_SIZE(values))]
			       : UINT64_C(1) << random_below(64);
}

bool is_vcpu(const struct part *part)
{
	uint32_t type = part->len > 24 ? gw_get_le32(part->data) : 0;

	return (type >= GW_REC_X86_PV_VCPU_BASIC && type <= GW_REC_X86_PV_VCPU_XSAVE) ||
	       type == GW_REC_X86_PV_VCPU_MSRS;
}

/* Changes a word inside the blob of some vCPU record, more often one that is not a trap handler. */
void damage_blob(struct parent *p)
{
	size_t at = random_below(p->n);
	struct part *part;
	size_t word;

	while (!is_vcpu(&p->parts[at]))
		at = (at + 1) % p->n;
	part = &p->parts[at];
	word = random_below((part->len - 16) / 8);
	if (part->len > 5000 && random_below(4))
		word = random_below(2) ? 64 + random_below(26) : 602 + random_below(44);
	gw_put_le64(part->data + 16 + 8 * word,
		    random_below(4) ? interesting_word() : (uint64_t)interesting());
}
