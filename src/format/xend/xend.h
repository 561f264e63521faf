/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The header that xend, the toolstack of Xen 3.x to 4.4, puts before a legacy image that it saves
 * ("xm save") or migrates: a signature, a length, and the domain's config as an S-expression. The
 * image alone follows; for an HVM guest the device model's state ends the file (legacy.h). No
 * current Xen reads it. sxp.h reads S-expressions.
 */
#ifndef GW_FORMAT_XEND_XEND_H
#define GW_FORMAT_XEND_XEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>
#include <godwit/guest.h>

#include "base/buffer.h"

#define GW_XEND_MAGIC_SIZE  16
#define GW_XEND_HEADER_SIZE 20
/* Limit of a config; larger ones are refused. xend has no limit, but its configs have some KiB. */
#define GW_XEND_CONFIG_MAX (1u << 20)

extern const char gw_xend_magic[GW_XEND_MAGIC_SIZE + 1];

/* Zeroed, then filled by want() and got(). */
struct gw_xend {
	bool has_header;    /* the first 20 bytes were read */
	int32_t config_len; /* the length field */
	struct gw_buffer config;

	/* private */
	uint8_t raw[GW_XEND_HEADER_SIZE];
	size_t wanted;
};

bool gw_xend_is_magic(const void *first_bytes, size_t len); /* at least 8 bytes decide */

/*
 * Returns where the next bytes of header and config go, and exactly how many; *len 0: no more are
 * needed, because all came or because the length is invalid (gw_xend_rules()). Memory grows only
 * with the bytes that arrive. 0 or -1.
 */
int gw_xend_want(struct gw_xend *xend, void **to, size_t *len, struct gw_error *err);
/* Those bytes have arrived. -1: the magic is wrong. */
int gw_xend_got(struct gw_xend *xend, struct gw_error *err);
void gw_xend_free(struct gw_xend *xend);

#define GW_XEND_TEXT_MAX  256u
#define GW_XEND_KINDS_MAX 16u

struct gw_xend_devices {
	char kind[16]; /* "vbd", "vif", "tap2", "vfb", ... */
	uint32_t count;
};

/* The values in a config. Where a value is repeated, the first counts, as in xend. */
struct gw_xend_config {
	/* "" if the config has no such value, or it is too long or not text. */
	char name[GW_XEND_TEXT_MAX], uuid[GW_XEND_TEXT_MAX], kernel[GW_XEND_TEXT_MAX];
	uint64_t memory, maxmem, vcpus; /* memory and maxmem in MiB; 0: not in the config */
	uint64_t videoram; /* MiB, in addition to an HVM guest's maxmem; 0: not in the config */
	enum gw_guest_type guest; /* NONE: not in the config */
	/* In the order of the config; kinds without room are left out. */
	struct gw_xend_devices devices[GW_XEND_KINDS_MAX];
	size_t nr_devices;
};

/* -1 (GW_INVALID): it is not one list that begins with "domain"; *config is then empty. */
int gw_xend_config_read(const char *text, size_t len, struct gw_xend_config *config,
			struct gw_error *err);

#endif
