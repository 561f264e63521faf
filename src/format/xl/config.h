/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A domain's config as an image carries it: the libxl_domain_config in JSON of current xl, or the
 * text of xl before 4.5. Only the few fields that godwit uses are read; format/xl/file.h has the
 * header around the text.
 */
#ifndef GW_FORMAT_XL_CONFIG_H
#define GW_FORMAT_XL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>
#include <godwit/guest.h>

#define GW_NAME_MAX 64 /* bytes of a domain's name here, terminator included */

/* libxl's own default for max_memkb (libxl__domain_build_info_setdefault). */
#define GW_CONFIG_DEFAULT_MEMKB (32u * 1024)
/* What libxl lets a domain have beyond target_memkb (LIBXL_MAXMEM_CONSTANT). */
#define GW_CONFIG_SLACK_MEMKB 1024u

/* Zeroed is empty. Strings are owned; NULL if the config does not have them. */
struct gw_config {
	char *text; /* JSON without its NUL, text_len bytes (a NUL follows all the same) */
	size_t text_len;
	char *name;
	uint8_t uuid[16];
	enum gw_guest_type type; /* PVH counts as HVM; NONE: not known */
	bool pvh;
	bool stubdom;	       /* the device model runs in a domain of its own */
	bool qemu_traditional; /* the device model is Xen's own old fork of QEMU */
	uint64_t max_memkb, target_memkb;
	unsigned max_vcpus;
	char *kernel;
	char *cmdline;
};

/* What can be wrong with a config; format/rules/config.c has a rule for each. */
enum gw_config_fault {
	GW_CONFIG_SIZE,	       /* more values than a config has: it is not parsed */
	GW_CONFIG_SYNTAX,      /* it is no JSON */
	GW_CONFIG_TRAILING,    /* something follows the JSON value */
	GW_CONFIG_TWICE,       /* an object has a key twice */
	GW_CONFIG_SECTIONS,    /* c_info or b_info is missing */
	GW_CONFIG_TYPE,	       /* the guest type is missing or unknown */
	GW_CONFIG_BUILD_TYPE,  /* b_info is not that of this guest type */
	GW_CONFIG_UUID,	       /* it is no uuid */
	GW_CONFIG_NAME,	       /* there is no name */
	GW_CONFIG_NAME_HERE,   /* the name is one for Xen, but none for a domain of godwit */
	GW_CONFIG_MEMORY,      /* an amount of memory that no domain has */
	GW_CONFIG_TARGET,      /* target_memkb is above max_memkb */
	GW_CONFIG_VCPUS,       /* a number of vCPUs that no domain has */
	GW_CONFIG_VCPUS_ZERO,  /* no vCPU */
	GW_CONFIG_FIELD_TYPE,  /* a field of the wrong JSON type, which libxl takes as missing */
	GW_CONFIG_TRADITIONAL, /* the device model is qemu-xen-traditional */
	GW_CONFIG_WORD,	       /* a word that libxl does not know */
	GW_CONFIG_LIST,	       /* a list with an element of the wrong JSON type */
	GW_CONFIG_NUMBER,      /* a number that libxl does not take for the field */
	GW_CONFIG_SCHEDULER,   /* a weight, cap or affinity that the scheduler refuses */
	GW_CONFIG_DISK,	       /* a disk's name in the guest that libxl does not know */
	GW_CONFIG_PAGING,      /* libxl cannot tell the memory for the guest's paging */
};

/* Receives each fault; at: its offset in the text, 0 if it has no place. */
struct gw_config_faults {
	void (*found)(void *opaque, enum gw_config_fault fault, size_t at, const char *text);
	void *opaque;
};

/*
 * Fill *config with the fields that can be read, and report the faults; text and text_len of the
 * config stay empty. A field that is missing has libxl's default. 0, or -1 only if there is no
 * memory; then *config is empty.
 */
int gw_config_read_json(struct gw_config *config, const char *text, size_t len,
			const struct gw_config_faults *faults, struct gw_error *err);
/* Of xl's text the lines name, memory, maxmem, vcpus, type, builder, uuid, kernel. */
int gw_config_read_text(struct gw_config *config, const char *text, size_t len,
			const struct gw_config_faults *faults, struct gw_error *err);

void gw_config_free(struct gw_config *config);
/* *to, a string of a config, becomes a copy of from, which may be NULL. 0 or -1. */
int gw_config_set_string(char **to, const char *from, struct gw_error *err);

/* Most pages that libxl lets the domain have. */
uint64_t gw_config_max_pages(const struct gw_config *config);

/* Letters, digits and ._+- with no dot or hyphen in front, shorter than GW_NAME_MAX: safe as a file
 * name. */
bool gw_name_is_valid(const char *name);

/* Of 32 hex digits in the five groups of a uuid, as libuuid reads it. */
bool gw_uuid_parse(const char *text, uint8_t uuid[16]);
/* 36 characters and a NUL. */
void gw_uuid_format(const uint8_t uuid[16], char out[37]);

#endif
