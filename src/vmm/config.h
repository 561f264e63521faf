/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The config of a domain that this process holds: format/xl/config.h reads it, here it is built and
 * changed. The text is kept byte for byte and only spliced where a field changes, so that xl gets
 * its own text back. format/xend/xend.h reads xend's language.
 */
#ifndef GW_VMM_CONFIG_H
#define GW_VMM_CONFIG_H

#include <godwit/error.h>
#include <godwit/hypervisor.h>

#include "format/xend/xend.h"
#include "format/xl/config.h"

/* Reads the JSON that xl saves, which obeys the rules (format/rules/config.c) except that it needs
 * no name; fields without a member in the config are ignored. */
int gw_config_parse_json(struct gw_config *config, const char *text, size_t len,
			 struct gw_error *err);

/* Reads the text config of xl before 4.5, likewise, and builds JSON from it. */
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

/* Another VM generation id, in the text; a config of a guest that is not of type hvm has none, and
 * does not change. 0 or -1. */
int gw_config_set_genid(struct gw_config *config, const uint8_t genid[16], struct gw_error *err);

/* The pages that a domain of this config normally has, for the progress. */
uint64_t gw_config_pages(const struct gw_config *config);

/* The config for creating the domain on a host. Borrows the name. */
void gw_config_to_hypervisor(const struct gw_config *config, struct gw_domain_config *out);

#endif
