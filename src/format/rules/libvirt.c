/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Judges the header and the XML of a libvirt save file.
 */
#include <string.h>

#include "format/rules/internal.h"

static int rules(struct gw_reporter *r, const struct gw_libvirt_save *s, struct gw_error *err)
{
	size_t len;
	const char *xml = gw_libvirt_xml(s, &len);
	int rc = 0;

	if (!s->complete)
		rc |= gw_broken(
			r, R_LIBVIRT_PART, 0, NULL, err,
			"it begins with \"LibvirtQemudPart\": virsh save did not come to its end");
	if (s->version > GW_LIBVIRT_VERSION)
		rc |= gw_broken(r, R_LIBVIRT_VERSION, 16, NULL, err,
				"its version is %u, expected at most %u", s->version,
				GW_LIBVIRT_VERSION);
	if (!gw_libvirt_format_name(s->format))
		rc |= gw_broken(r, R_LIBVIRT_FORMAT, 28, NULL, err,
				"its stream has format %u, expected 0 to %u", s->format,
				GW_LIBVIRT_NR_FORMATS - 1);
	if (s->data_len == 0)
		rc |= gw_broken(r, R_LIBVIRT_LENGTH, 20, NULL, err,
				"it has no XML: its length is 0");
	if (s->cookie_offset > s->data_len)
		rc |= gw_broken(r, R_LIBVIRT_COOKIE, 32, NULL, err,
				"its cookie is at %u of the %u bytes of data", s->cookie_offset,
				s->data_len);
	if (s->data_len && (len == 0 || memmem(xml, len, "<domain", 7) == NULL))
		rc |= gw_broken(r, R_LIBVIRT_XML, GW_LIBVIRT_HEADER_SIZE, NULL, err,
				"after the header comes no XML of a domain");
	return rc;
}

int gw_libvirt_rules(const struct gw_libvirt_save *save, const struct gw_findings *out,
		     uint64_t layer_start, struct gw_error *err)
{
	struct gw_reporter reporter = {.out = out, .layer_start = layer_start};

	return rules(&reporter, save, err);
}
