/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Legacy images, part by part: each function appends a part as libxc of Xen 4.5 and before laid it
 * out, valid or not as its arguments say. Shares no code with the reader that it helps to test.
 * legacy_writer.h makes whole random images with their meaning.
 */
#ifndef GW_TESTS_LEGACY_PUT_H
#define GW_TESTS_LEGACY_PUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/hypervisor.h>

#include "base/buffer.h"

/* The image, and the width of the tools that save it. Zeroed but for what the test sets. */
struct legacy_out {
	struct gw_buffer bytes;
	unsigned width; /* of the tools: 4 or 8 */
};

void legacy_put(struct legacy_out *o, const void *data, size_t len); /* data NULL: appends zeros */
void legacy_put32(struct legacy_out *o, uint32_t v);
void legacy_put64(struct legacy_out *o, uint64_t v);
void legacy_put_long(struct legacy_out *o, uint64_t v);

/* The extended info of a PV guest. */
struct legacy_info {
	bool vcpu, extv, xcnt; /* the blocks that it has */
	unsigned guest_width;  /* of block vcpu */
	bool extended_cr3;
	uint32_t xsave_bytes; /* of block xcnt */
	unsigned unknown;     /* unknown blocks before, between and after the others */
};
void legacy_put_info(struct legacy_out *o, const struct legacy_info *info);
/* The list of P2M frames: the first is pfn first, the next ones count up. */
void legacy_put_frames(struct legacy_out *o, uint64_t p2m_size, unsigned guest_width,
		       uint64_t first);

void legacy_put_id(struct legacy_out *o, int32_t id); /* a chunk, or its first part */
void legacy_put_param(struct legacy_out *o, int32_t id, uint64_t value);
void legacy_put_vcpu_info(struct legacy_out *o, uint32_t max, const uint64_t *map);
void legacy_put_tsc(struct legacy_out *o, const struct gw_tsc_info *tsc);
void legacy_put_blob(struct legacy_out *o, int32_t id, const void *data, uint32_t len);
/* Count and entries, each type << 28 | pfn; the caller appends the pages. */
void legacy_put_batch(struct legacy_out *o, const uint32_t *entries, uint32_t n);
/* TMEM with these pools, each of so many pages of 4 KiB; says_more: each pool claims one page more
 * than it has, and ends its list. */
void legacy_put_tmem(struct legacy_out *o, const uint32_t *pool_pages, unsigned pools,
		     bool says_more);
void legacy_put_tmem_extra(struct legacy_out *o, unsigned flushes);

/* Parts of the tails. */
void legacy_put_context(struct legacy_out *o, const void *data, uint32_t len);
void legacy_put_model(struct legacy_out *o, const char *signature, const void *data, uint32_t len);

#endif
