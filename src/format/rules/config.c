/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for a domain's config: what libxl refuses of it, or reads otherwise than it is written.
 */
#include <string.h>

#include "base/util.h"
#include "format/rules/internal.h"

/* Offset of the config's text in the xl header. */
#define AT_TEXT (GW_XLFILE_HEADER_SIZE + 4u)

/* The rule that each fault breaks. */
static const enum gw_rule_number rule_of[] = {
	[GW_CONFIG_SIZE] = R_CONFIG_SIZE,
	[GW_CONFIG_SYNTAX] = R_CONFIG_SYNTAX,
	[GW_CONFIG_TRAILING] = R_CONFIG_TRAILING,
	[GW_CONFIG_TWICE] = R_CONFIG_TWICE,
	[GW_CONFIG_SECTIONS] = R_CONFIG_SECTIONS,
	[GW_CONFIG_TYPE] = R_CONFIG_TYPE,
	[GW_CONFIG_BUILD_TYPE] = R_CONFIG_BUILD_TYPE,
	[GW_CONFIG_UUID] = R_CONFIG_UUID,
	[GW_CONFIG_NAME] = R_CONFIG_NAME,
	[GW_CONFIG_NAME_HERE] = R_CONFIG_NAME_HERE,
	[GW_CONFIG_MEMORY] = R_CONFIG_MEMORY,
	[GW_CONFIG_TARGET] = R_CONFIG_TARGET,
	[GW_CONFIG_VCPUS] = R_CONFIG_VCPUS,
	[GW_CONFIG_VCPUS_ZERO] = R_CONFIG_VCPUS_ZERO,
	[GW_CONFIG_FIELD_TYPE] = R_CONFIG_FIELD_TYPE,
	[GW_CONFIG_TRADITIONAL] = R_CONFIG_TRADITIONAL,
	[GW_CONFIG_WORD] = R_CONFIG_WORD,
	[GW_CONFIG_LIST] = R_CONFIG_LIST,
	[GW_CONFIG_NUMBER] = R_CONFIG_NUMBER,
	[GW_CONFIG_SCHEDULER] = R_CONFIG_SCHEDULER,
	[GW_CONFIG_DISK] = R_CONFIG_DISK,
	[GW_CONFIG_PAGING] = R_CONFIG_PAGING,
};

struct judge {
	struct gw_reporter reporter;
	const struct gw_config_text *from;
	struct gw_error *err;
	int rc;
};

static void on_fault(void *opaque, enum gw_config_fault fault, size_t at, const char *text)
{
	struct judge *j = opaque;

	if (j->from->named && (fault == GW_CONFIG_NAME || fault == GW_CONFIG_NAME_HERE))
		return;
	j->rc |= gw_broken(&j->reporter, rule_of[fault], j->from->offset + at, NULL, j->err,
			   "the config: %s", text);
}

int gw_config_rules(const struct gw_config_text *from, struct gw_config *config,
		    const struct gw_findings *out, struct gw_error *err)
{
	struct judge j = {.reporter = {.out = out}, .from = from, .err = err};
	const struct gw_config_faults faults = {.found = on_fault, .opaque = &j};
	int rc = from->json ? gw_config_read_json(config, from->text, from->len, &faults, err)
			    : gw_config_read_text(config, from->text, from->len, &faults, err);

	return rc < 0 ? -1 : j.rc;
}

void gw_config_facts_of(const struct gw_config *config, struct gw_config_facts *facts)
{
	*facts = (struct gw_config_facts){
		.known = config->type != GW_GUEST_NONE,
		.type = config->type,
		.pvh = config->pvh,
		.stubdom = config->stubdom,
		.qemu_traditional = config->qemu_traditional,
		.vcpus = config->max_vcpus,
		.max_pages = gw_config_max_pages(config),
	};
}

int gw_xlfile_config_rules(const struct gw_xlfile *xl, bool named, struct gw_config_facts *facts,
			   const struct gw_findings *out, uint64_t layer_start,
			   struct gw_error *err)
{
	struct gw_config_text from = {
		.json = xl->mandatory_flags & GW_XLFILE_JSON,
		.named = named,
		.offset = layer_start + AT_TEXT,
	};
	struct gw_config config = {0};
	int rc;

	*facts = (struct gw_config_facts){0};
	/* The rules of the header say so if it is cut, or in another byte order. */
	from.text = gw_xlfile_config(xl, &from.len);
	if (!from.text || xl->byteorder != GW_XLFILE_BYTEORDER)
		return 0;
	rc = gw_config_rules(&from, &config, out, err);
	gw_config_facts_of(&config, facts);
	gw_config_free(&config);
	return rc;
}
