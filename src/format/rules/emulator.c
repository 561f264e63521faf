/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Judges a device model's state. libxl hands it to QEMU unread, and QEMU ends where it cannot read
 * it.
 */
#include "format/rules/emulator.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/qemu/whole.h"

int gw_emulator_rules_begin(struct gw_emulator_rules *e, const struct gw_record *rec,
			    const uint8_t *head, const struct gw_config_facts *config,
			    struct gw_error *err)
{
	gw_emulator_rules_free(e);
	/* The format of qemu-xen-traditional is another one. */
	if (rec->type != GW_STREAM_EMULATOR_CONTEXT || rec->length < 8 ||
	    gw_get_le32(head) == GW_EMULATOR_TRADITIONAL || config->qemu_traditional)
		return 0;
	e->qemu = calloc(1, sizeof(*e->qemu));
	if (!e->qemu)
		return gw_fail_errno(err, "the rules of a device model's state");
	e->left = rec->length - 8;
	gw_qemu_sections_begin(e->qemu, e->left);
	return 0;
}

int gw_emulator_rules_bytes(struct gw_emulator_rules *e, const uint8_t *data, size_t len,
			    struct gw_error *err)
{
	size_t n = (size_t)GW_MIN((uint64_t)len, e->left);

	if (!e->qemu || n == 0)
		return 0;
	e->left -= n;
	if (gw_qemu_sections_add(e->qemu, data, n, err) < 0)
		return -1;
	return e->left ? 0 : gw_qemu_sections_end(e->qemu, err);
}

static enum gw_rule_number rule_of(enum gw_qemu_fault fault)
{
	switch (fault) {
	case GW_QEMU_NO_MAGIC:
		return R_QEMU_MAGIC;
	case GW_QEMU_BAD_VERSION:
		return R_QEMU_VERSION;
	case GW_QEMU_NO_SECTION:
		return R_QEMU_SECTION;
	default:
		return R_QEMU_END;
	}
}

int gw_emulator_rules_end(struct gw_emulator_rules *e, struct gw_reporter *reporter,
			  const struct gw_record *rec, struct gw_error *err)
{
	enum gw_qemu_fault fault;
	char text[400];
	int rc = 0;

	if (!e->qemu)
		return 0;
	fault = gw_qemu_judge(e->qemu, text, sizeof(text));
	if (fault != GW_QEMU_WHOLE)
		rc = gw_broken(reporter, rule_of(fault), rec->offset, rec, err, "QEMU's state: %s",
			       text);
	gw_emulator_rules_free(e);
	return rc;
}

void gw_emulator_rules_free(struct gw_emulator_rules *e)
{
	if (e->qemu)
		gw_qemu_sections_free(e->qemu);
	free(e->qemu);
	*e = (struct gw_emulator_rules){0};
}
