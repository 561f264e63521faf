/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Turns a broken rule into a finding, a text and an error. The rules are in table.c, the checkers
 * in the other files of this folder.
 */
#include "format/rules/internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

const struct gw_rule *gw_rules(size_t *count)
{
	*count = GW_NR_RULES;
	return gw_rules_table;
}

const char *gw_level_name(enum gw_level level)
{
	static const char *const names[] = {"note", "warning", "error"};

	return (size_t)level < GW_ARRAY_SIZE(names) ? names[level] : "unknown";
}

const char *gw_layer_name(enum gw_layer layer)
{
	static const char *const names[] = {"file",	    "xl header",	"xend header",
					    "libxl stream", "libxc image",	"legacy image",
					    "QEMU stream",  "libvirt save file"};

	return (size_t)layer < GW_ARRAY_SIZE(names) ? names[layer] : "unknown";
}

enum gw_level gw_rule_level(const struct gw_rule *rule, unsigned xen)
{
	unsigned since = GW_MAX(rule->since, GW_XEN_FIRST);
	unsigned until = rule->until ? rule->until : GW_XEN_LAST;

	if (xen == 0 && rule->level == GW_LEVEL_ERROR)
		return since == GW_XEN_FIRST && until == GW_XEN_LAST ? GW_LEVEL_ERROR
								     : GW_LEVEL_WARNING;
	return xen == 0 || (since <= xen && xen <= until) ? rule->level : GW_LEVEL_NOTE;
}

char *gw_rule_releases(const struct gw_rule *rule, char *text, size_t size)
{
	unsigned since = GW_MAX(rule->since, GW_XEN_FIRST);
	unsigned until = rule->until ? rule->until : GW_XEN_LAST;

	if (since == GW_XEN_FIRST && until == GW_XEN_LAST)
		snprintf(text, size, "%s", "");
	else if (since == until)
		snprintf(text, size, "Xen 4.%u", since);
	else if (until == GW_XEN_LAST)
		snprintf(text, size, "Xen 4.%u and later", since);
	else
		snprintf(text, size, "Xen 4.%u to 4.%u", since, until);
	return text;
}

int gw_xen_release(const char *name)
{
	char known[16];

	if (!strcmp(name, "any"))
		return 0;
	for (unsigned xen = GW_XEN_FIRST; xen <= GW_XEN_LAST; xen++) {
		snprintf(known, sizeof(known), "xen-4.%u", xen);
		if (!strcmp(name, known))
			return (int)xen;
	}
	return -1;
}

static const char *type_name(enum gw_layer layer, uint32_t type, char unknown[24])
{
	const char *name;

	switch (layer) {
	case GW_LAYER_LIBXL:
		name = gw_stream_record_name(type);
		break;
	case GW_LAYER_LEGACY:
		name = gw_legacy_id_name((int32_t)type);
		break;
	default:
		name = gw_record_name(type);
	}
	if (name)
		return name;
	if (layer == GW_LAYER_LEGACY)
		snprintf(unknown, 24, "id %d", (int32_t)type);
	else
		snprintf(unknown, 24, "type 0x%08x", type);
	return unknown;
}

/* The name of a part of the layer. */
static const char *part_name(enum gw_layer layer)
{
	switch (layer) {
	case GW_LAYER_LIBXL:
		return "stream record";
	case GW_LAYER_LEGACY:
		return "legacy image chunk";
	default:
		return "image record";
	}
}

char *gw_finding_format(const struct gw_finding *finding, char *text, size_t size)
{
	enum gw_layer layer = finding->rule->layer;
	unsigned long long offset = finding->offset;
	char unknown[24];

	if (finding->has_record)
		snprintf(text, size, "%s %llu (%s) at offset 0x%llx: %s", part_name(layer),
			 (unsigned long long)finding->record_number,
			 type_name(layer, finding->record_type, unknown), offset, finding->text);
	else
		snprintf(text, size, "%s at offset 0x%llx: %s", gw_layer_name(layer), offset,
			 finding->text);
	return text;
}

/* Truncated input has another error code than invalid input. */
static enum gw_code code_of(const struct gw_rule *rule)
{
	size_t number = (size_t)(rule - gw_rules_table);

	return number == R_XL_TRUNCATED || number == R_XEND_TRUNCATED ||
			       number == R_STREAM_TRUNCATED || number == R_IMAGE_TRUNCATED ||
			       number == R_LEGACY_TRUNCATED || number == R_SAVEVM_CUT ||
			       number == R_LIBVIRT_TRUNCATED
		       ? GW_TRUNCATED
		       : GW_INVALID;
}

/* Who makes the demand, where not every Xen does. */
static void name_releases(struct gw_finding *finding)
{
	size_t len = strlen(finding->text);
	char releases[40];

	if (*gw_rule_releases(finding->rule, releases, sizeof(releases)) &&
	    len < sizeof(finding->text))
		snprintf(finding->text + len, sizeof(finding->text) - len, " (refused by %s)",
			 releases);
}

int gw_finding_report(const struct gw_findings *out, struct gw_finding *finding,
		      struct gw_error *err)
{
	struct gw_error broken = GW_ERROR_INIT;
	char text[600];

	finding->level = gw_rule_level(finding->rule, out ? out->xen : 0);
	name_releases(finding);
	if (out && out->report)
		out->report(out->opaque, finding);
	if (finding->level < GW_LEVEL_ERROR)
		return 0;
	gw_fail(&broken, code_of(finding->rule), "%s",
		gw_finding_format(finding, text, sizeof(text)));
	broken.rule = finding->rule->id;
	return gw_fail_as(err, &broken);
}

int gw_broken(struct gw_reporter *reporter, enum gw_rule_number number, uint64_t offset,
	      const struct gw_record *rec, struct gw_error *err, const char *fmt, ...)
{
	struct gw_finding finding = {
		.rule = &gw_rules_table[number],
		.offset = reporter->layer_start + offset,
		.has_record = rec,
		.record_number = rec ? rec->number : 0,
		.record_type = rec ? rec->type : 0,
	};
	bool shown = reporter->times[number] < GW_FINDINGS_PER_RULE;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(finding.text, sizeof(finding.text), fmt, ap);
	va_end(ap);
	if (shown && ++reporter->times[number] == GW_FINDINGS_PER_RULE) {
		size_t len = strlen(finding.text);

		snprintf(finding.text + len, sizeof(finding.text) - len,
			 " (further findings of this rule are not reported)");
	}
	const struct gw_findings silent = {.xen = reporter->out ? reporter->out->xen : 0};

	return gw_finding_report(shown ? reporter->out : &silent, &finding, err);
}

int gw_cut(struct gw_reporter *reporter, enum gw_rule_number number, const struct gw_record *inside,
	   uint64_t offset, struct gw_error *err, const char *fmt, ...)
{
	char text[sizeof(((struct gw_finding *)NULL)->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!inside)
		return gw_broken(reporter, number, offset, NULL, err, "%s", text);
	return gw_broken(reporter, number, inside->offset, inside, err, "%s (at 0x%llx)", text,
			 (unsigned long long)(reporter->layer_start + offset));
}

const struct gw_rule *gw_rule_find(const char *id)
{
	size_t i = 0;

	while (i < GW_NR_RULES && strcmp(gw_rules_table[i].id, id) != 0)
		i++;
	assert(i < GW_NR_RULES);
	return &gw_rules_table[i];
}

int gw_rules_report(const struct gw_findings *out, const char *id, uint64_t offset,
		    struct gw_error *err, const char *fmt, ...)
{
	struct gw_finding finding = {.rule = gw_rule_find(id), .offset = offset};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(finding.text, sizeof(finding.text), fmt, ap);
	va_end(ap);
	return gw_finding_report(out, &finding, err);
}

bool gw_padding_is_zero(const struct gw_record *rec)
{
	for (uint32_t i = 0; i < gw_record_padding(rec->length); i++)
		if (rec->padding[i])
			return false;
	return true;
}
