/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A domain's config: the libxl_domain_config JSON before a saved image, and the few fields that
 * godwit uses. The text is kept byte for byte and only spliced where a field changes, so that xl
 * gets its own text back. format/xl/file.h has the header around the text; format/xend/xend.h reads
 * xend's language.
 */
#ifndef GW_VMM_CONFIG_H
#define GW_VMM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>
#include <godwit/hypervisor.h>

#include "format/xend/xend.h"

#define GW_NAME_MAX 64 /* bytes of a name, terminator included */

/* Zeroed is empty. Strings are owned; NULL if the config does not have them. */
struct gw_config {
	char *text; /* JSON without its NUL, text_len bytes (a NUL follows all the same) */
	size_t text_len;
	char *name;
	uint8_t uuid[16];
	enum gw_guest_type type; /* PVH counts as HVM */
	bool pvh;
	uint64_t max_memkb;
	unsigned max_vcpus;
	char *kernel;
	char *cmdline;
};

/* Reads the JSON that xl saves: c_info and b_info must be there; fields without a member here are
 * ignored. */
int gw_config_parse_json(struct gw_config *config, const char *text, size_t len,
			 struct gw_error *err);

/*
 * Reads the text config of xl before 4.5 (name, memory, maxmem, vcpus, type, builder, pvh, uuid,
 * kernel; other lines are ignored), and builds JSON from it.
 */
int gw_config_parse_text(struct gw_config *config, const char *text, size_t len,
			 struct gw_error *err);

/*
 * Takes the values of xend's config (name, uuid, guest, memory, vCPUs, kernel); all others keep
 * their defaults. Builds no text: the caller can change values first, then calls gw_config_build().
 */
int gw_config_from_xend(struct gw_config *config, const struct gw_xend_config *xend,
			struct gw_error *err);

/* Builds text from the fields, as xl would save it for such a domain. A zeroed uuid gets a random
 * one. */
int gw_config_build(struct gw_config *config, struct gw_error *err);

/* Another name, in the field and in the text; nothing else of the text changes. */
int gw_config_rename(struct gw_config *config, const char *name, struct gw_error *err);

/* The config for creating the domain on a host. Borrows the name. */
void gw_config_to_hypervisor(const struct gw_config *config, struct gw_domain_config *out);

void gw_config_free(struct gw_config *config);

/* 36 characters and a NUL. */
void gw_uuid_format(const uint8_t uuid[16], char out[37]);

#endif
