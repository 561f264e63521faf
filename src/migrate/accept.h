/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Acceptance of images: the generations that this host restores, and those that it warns of. They
 * come from the command line, or from the site's /etc/godwit/godwit.conf. This file reads no image.
 */
#ifndef GW_MIGRATE_ACCEPT_H
#define GW_MIGRATE_ACCEPT_H

#include <godwit/error.h>
#include <godwit/log.h>

#include "format/libxc/image.h"

/* The writers of images that an operator may want to exclude. Each image belongs to one. */
enum gw_generation {
	GW_GENERATION_V3,	 /* Xen 4.14 and later */
	GW_GENERATION_V2,	 /* Xen 4.6 to 4.13 */
	GW_GENERATION_LEGACY,	 /* Xen 4.5 and before: converted by the restore */
	GW_GENERATION_CONVERTED, /* was converted before it came here (xen_major is 0) */
	GW_NR_GENERATIONS,
};

/* Sets of generations are bits, 1u << generation. */
#define GW_GENERATIONS_ALL ((1u << GW_NR_GENERATIONS) - 1)

/* Zeroed: all are accepted. */
struct gw_acceptance {
	unsigned refuse, warn;
	char refused_by[200]; /* the setting that refuses, for messages: "--accept v3" */
};

/* "v3", "v2", "legacy", "converted" */
const char *gw_generation_name(enum gw_generation generation);
/* The generation of an image with a header. */
enum gw_generation gw_generation_of(const struct gw_image_header *header);

/* "v3,v2": a list of names separated by commas and spaces, at least one. GW_USAGE names the
 * fault. */
int gw_generations_parse(const char *list, unsigned *set, struct gw_error *err);

/*
 * The site's settings: without a file everything is accepted and nothing warned of. An invalid
 * line fails (GW_USAGE), because it could otherwise admit images that it was meant to exclude.
 */
int gw_acceptance_load(struct gw_acceptance *acceptance, struct gw_error *err);
/* Replaces the host's setting by --accept (NULL: not given). */
int gw_acceptance_override(struct gw_acceptance *acceptance, const char *list,
			   struct gw_error *err);

/* Returns 0, and logs a warning if one is set; or -1 with GW_REFUSED. */
int gw_acceptance_check(const struct gw_acceptance *acceptance, enum gw_generation generation,
			const struct gw_log *log, struct gw_error *err);

#endif
