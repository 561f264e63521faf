/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Comparing two stored images: what differs in the domains that a restore of each would give. How
 * an image was sent is not compared: versions, the layers around it, the order of records, batches,
 * pages that were sent again, rounds that a later checkpoint made good. An image with checkpoints
 * stands for the state of its last complete one.
 */
#ifndef GW_EXAMINE_DIFF_DIFF_H
#define GW_EXAMINE_DIFF_DIFF_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/channel.h>
#include <godwit/error.h>
#include <godwit/progress.h>

#include "examine/examine.h"

/* An image to compare. */
struct gw_diff_input {
	struct gw_channel *in;
	/* What stood before a legacy image that in converts, for its config. NULL: nothing did; the
	 * header of xl is in in. */
	const struct gw_xend *xend;
	/* Of a stream of QEMU without a description, that of another; or NULL. */
	const struct gw_savevm_description *like;
};

/* What of a domain differs. */
enum gw_diff_part {
	GW_DIFF_GUEST,	    /* its type */
	GW_DIFF_CONFIG,	    /* in the header in front; field: the member's path in the JSON */
	GW_DIFF_PV,	    /* width and page-table levels */
	GW_DIFF_P2M,	    /* frames of a PV guest's P2M */
	GW_DIFF_CPUID,	    /* number, subleaf: of the leaf; field: the register */
	GW_DIFF_MSR_POLICY, /* number: of the MSR; field: its name */
	GW_DIFF_TSC,
	GW_DIFF_PARAM,	     /* number: its index; field: its name */
	GW_DIFF_VCPU,	     /* number: its id; entry: "CPU", "LAPIC", "BASIC", ... */
	GW_DIFF_PLATFORM,    /* an entry of HVM_CONTEXT that is no vCPU's; number: its instance */
	GW_DIFF_SHARED_INFO, /* of a PV guest */
	GW_DIFF_XENABI,	     /* GODWIT_XENABI */
	GW_DIFF_KVM,	     /* GODWIT_KVM */
	GW_DIFF_EMULATOR, /* device model state; entry: "section", one of QEMU's, field: its name */
	GW_DIFF_XENSTORE, /* the device model's; field: the key */
	GW_DIFF_MACHINE,  /* the configuration of a stream of QEMU */
	GW_DIFF_SECTION,  /* entry: its name, number: its instance; field: the path */
	GW_DIFF_BLOCK,	  /* entry: the name of the RAM block */
	GW_DIFF_NR_PARTS,
};

/* "guest", "config", "cpuid", ...: for programs. */
const char *gw_diff_part_name(enum gw_diff_part part);

/* One difference outside pages. Borrowed for the call. Texts may contain any byte but NUL. */
struct gw_difference {
	enum gw_diff_part part;
	uint32_t number, subleaf; /* subleaf GW_CPUID_NO_SUBLEAF: the leaf has none */
	/* NULL: all of the vCPU or of HVM_CONTEXT, or the part has none */
	const char *entry;
	/* Named as inspect names it. NULL: all of the entry; or, with bytes, what has no name. */
	const char *field;
	const char *a, *b; /* in words; NULL: that image has none */
	/* Bits with names that are set in one image only, by name, with spaces between; "" if there
	 * are none. all_named: and no other bit differs. */
	const char *only_a, *only_b;
	bool all_named;
	/* a and b are bytes in hex, some from the first that differs on: at this offset; so many
	 * differ in all. */
	bool bytes;
	uint64_t offset, differing;
};

/* Neighbouring pfns of which the same can be said. */
struct gw_page_difference {
	uint64_t first, last;
	bool only_a, only_b;
	bool contents;
	bool type;		 /* as the image gave it last; types of page tables in PV images */
	unsigned type_a, type_b; /* if type: enum gw_page_type */
	/* With details, one pfn each: the first byte of its contents that differs, and how many do.
	 */
	uint32_t offset, differing;
};

/* What a comparison found. */
struct gw_comparison {
	struct gw_examination a, b;
	uint64_t checkpoints_a, checkpoints_b; /* complete ones; 0: a plain image */
	uint64_t differences;		       /* other than of pages */
	/* pfns; what differs in contents and type counts in both */
	uint64_t pages_a, pages_b;
	uint64_t contents, types, only_a, only_b;
	uint64_t pages; /* that differ in any way */
};

/* Receives what is found, in this order. */
struct gw_diff_sink {
	void *opaque;
	/* Both were read and are whole. Only those members of found are filled that are known then:
	 * a, b and checkpoints. NULL: not wanted. */
	void (*images)(void *opaque, const struct gw_comparison *found);
	void (*difference)(void *opaque, const struct gw_difference *difference);
	void (*pages)(void *opaque, const struct gw_page_difference *run); /* lowest pfn first */
	bool page_details;
};

static inline bool gw_diff_is_equal(const struct gw_comparison *found)
{
	return found->differences == 0 && found->pages == 0;
}

/*
 * Reads a, then b, each to its end, then compares. A rule of level error that one of them breaks
 * ends it (GW_INVALID), and so do checkpoints of which none is complete (GW_TRUNCATED). A
 * legacy image is compared through gw_convert_channel() only (else GW_UNSUPPORTED). Contents
 * are compared byte for byte: those of a file that can be sought in are read by place, only where
 * they count; those of anything else wait in an unlinked file, of the domain's size at most and
 * sparse where they are zero (a round of checkpoints in another). In memory there are at most some
 * bytes per page. A cut-off round is a warning to observer->log, other broken rules are
 * information; progress goes to observer->progress.
 */
int gw_diff(const struct gw_diff_input *a, const struct gw_diff_input *b,
	    const struct gw_diff_sink *sink, const struct gw_observer *observer,
	    struct gw_comparison *found, struct gw_error *err);

#endif
