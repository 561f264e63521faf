/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reporting a difference of texts, numbers, named bits, or bytes.
 */
#include "examine/diff/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

#define SHOWN 16u /* bytes in hex */

const char *gw_diff_part_name(enum gw_diff_part part)
{
	static const char *const names[GW_DIFF_NR_PARTS] = {
		[GW_DIFF_GUEST] = "guest",
		[GW_DIFF_CONFIG] = "config",
		[GW_DIFF_PV] = "pv",
		[GW_DIFF_P2M] = "p2m",
		[GW_DIFF_CPUID] = "cpuid",
		[GW_DIFF_MSR_POLICY] = "msr_policy",
		[GW_DIFF_TSC] = "tsc",
		[GW_DIFF_PARAM] = "hvm_param",
		[GW_DIFF_VCPU] = "vcpu",
		[GW_DIFF_PLATFORM] = "platform",
		[GW_DIFF_SHARED_INFO] = "shared_info",
		[GW_DIFF_XENABI] = "xenabi",
		[GW_DIFF_KVM] = "kvm",
		[GW_DIFF_EMULATOR] = "emulator",
		[GW_DIFF_XENSTORE] = "xenstore",
		[GW_DIFF_MACHINE] = "machine",
		[GW_DIFF_SECTION] = "section",
		[GW_DIFF_BLOCK] = "block",
	};

	return names[part];
}

void gw_diff_report(struct gw_diff *d, const struct gw_difference *difference)
{
	struct gw_difference whole = *difference;

	if (!whole.only_a)
		whole.only_a = "";
	if (!whole.only_b)
		whole.only_b = "";
	d->found->differences++;
	d->sink->difference(d->sink->opaque, &whole);
}

void gw_diff_texts(struct gw_diff *d, const struct gw_difference *what, const char *a,
		   const char *b)
{
	struct gw_difference x = *what;

	if (a == b || (a && b && strcmp(a, b) == 0))
		return;
	x.a = a;
	x.b = b;
	gw_diff_report(d, &x);
}

void gw_diff_numbers(struct gw_diff *d, const struct gw_difference *what, const char *field,
		     uint64_t a, uint64_t b)
{
	struct gw_difference x = *what;
	char text_a[24], text_b[24];

	snprintf(text_a, sizeof(text_a), "%" PRIu64, a);
	snprintf(text_b, sizeof(text_b), "%" PRIu64, b);
	x.field = field;
	gw_diff_texts(d, &x, text_a, text_b);
}

/* Names of the bits of set, with spaces between. Sets that are shown have few: cut if they do not
 * fit. True if all have one. */
static bool name_bits(uint64_t set, const char *(*name)(const void *opaque, unsigned bit),
		      const void *opaque, char *buf, size_t size)
{
	bool all = true;
	size_t len = 0;

	buf[0] = 0;
	for (unsigned bit = 0; bit < 64; bit++) {
		const char *text = set >> bit & 1 ? name(opaque, bit) : NULL;

		all &= text || !(set >> bit & 1);
		if (text && len + strlen(text) + 2 < size)
			len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? " " : "",
						text);
	}
	return all;
}

void gw_diff_bits(struct gw_diff *d, const struct gw_difference *what, uint64_t a, uint64_t b,
		  const char *(*name)(const void *opaque, unsigned bit), const void *opaque)
{
	struct gw_difference x = *what;
	char only_a[1024], only_b[1024], text_a[24], text_b[24];

	if (a == b)
		return;
	snprintf(text_a, sizeof(text_a), "0x%" PRIx64, a);
	snprintf(text_b, sizeof(text_b), "0x%" PRIx64, b);
	x.all_named = name_bits(a & ~b, name, opaque, only_a, sizeof(only_a));
	x.all_named &= name_bits(b & ~a, name, opaque, only_b, sizeof(only_b));
	x.only_a = only_a;
	x.only_b = only_b;
	x.a = text_a;
	x.b = text_b;
	gw_diff_report(d, &x);
}

static void show(char *to, const uint8_t *bytes, size_t len)
{
	to[0] = 0;
	for (size_t i = 0; i < GW_MIN(len, (size_t)SHOWN); i++)
		snprintf(to + 2 * i, 3, "%02x", bytes[i]);
	if (len > SHOWN)
		memcpy(to + 2 * SHOWN, "...", 4);
}

void gw_diff_bytes_add(struct gw_diff_bytes *bytes, uint64_t offset, const uint8_t *a, size_t a_len,
		       const uint8_t *b, size_t b_len)
{
	size_t both = GW_MIN(a_len, b_len), most = GW_MAX(a_len, b_len), first = most;

	for (size_t i = 0; i < both; i++) {
		if (a[i] == b[i])
			continue;
		bytes->differing += 1;
		first = GW_MIN(first, i);
	}
	if (a_len != b_len)
		first = GW_MIN(first, both);
	bytes->differing += most - both;
	if (first == most || bytes->a[0] || bytes->b[0])
		return;
	bytes->offset = offset + first;
	if (first < a_len)
		show(bytes->a, a + first, a_len - first);
	if (first < b_len)
		show(bytes->b, b + first, b_len - first);
}

void gw_diff_bytes_report(struct gw_diff *d, const struct gw_difference *what,
			  const struct gw_diff_bytes *bytes)
{
	struct gw_difference x = *what;

	if (!bytes->differing)
		return;
	x.bytes = true;
	x.offset = bytes->offset;
	x.differing = bytes->differing;
	x.a = bytes->a;
	x.b = bytes->b;
	gw_diff_report(d, &x);
}

void gw_diff_buffers(struct gw_diff *d, const struct gw_difference *what, const void *a,
		     size_t a_len, const void *b, size_t b_len)
{
	struct gw_diff_bytes bytes = {0};

	gw_diff_bytes_add(&bytes, 0, a, a_len, b, b_len);
	gw_diff_bytes_report(d, what, &bytes);
}
