/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the readers of both kinds of config share. Other files include config.h.
 */
#ifndef GW_FORMAT_XL_CONFIG_INTERNAL_H
#define GW_FORMAT_XL_CONFIG_INTERNAL_H

#include <jansson.h>

#include "format/xl/config.h"

/* Xen's limits: HVM_MAX_VCPUS, and MAX_VIRT_CPUS for PV guests. */
#define GW_CONFIG_HVM_VCPUS 128
#define GW_CONFIG_PV_VCPUS  8192

/* The config that is being filled, and where its faults go. */
struct gw_config_reader {
	struct gw_config *config;
	const struct gw_config_faults *faults;
};

/* config_fault.c */
void gw_config_fault(struct gw_config_reader *r, enum gw_config_fault fault, size_t at,
		     const char *fmt, ...) GW_PRINTF(4, 5);
/* pv, hvm or pvh, in any case of letters. */
void gw_config_type(struct gw_config_reader *r, const char *type);
/* Judges the name, which has been read. */
void gw_config_check_name(struct gw_config_reader *r);
/* Judges max_memkb and target_memkb. */
void gw_config_check_memory(struct gw_config_reader *r);
/* Judges and sets the number of vCPUs; the type is known. */
void gw_config_check_vcpus(struct gw_config_reader *r, int64_t vcpus);
/* What godwit has no use for; type and vCPUs are known. */
void gw_config_check_values(struct gw_config_reader *r, const json_t *b_info);
void gw_config_check_schema(struct gw_config_reader *r, const json_t *root);
void gw_config_check_disks(struct gw_config_reader *r, const json_t *root);

#endif
