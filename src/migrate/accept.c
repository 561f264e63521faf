/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parses lists of generations, and decides whether an image is accepted.
 */
#include "migrate/accept.h"

#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "migrate/site.h"

#define SEPARATORS ", \t"

static const struct {
	const char *name, *title;
} generations[GW_NR_GENERATIONS] = {
	[GW_GENERATION_V3] = {"v3", "version 3"},
	[GW_GENERATION_V2] = {"v2", "version 2, which Xen 4.6 to 4.13 wrote"},
	[GW_GENERATION_LEGACY] = {"legacy", "the legacy format of Xen 4.5 or older"},
	[GW_GENERATION_CONVERTED] = {"converted", "version 3, converted from a legacy image"},
};

const char *gw_generation_name(enum gw_generation generation)
{
	return generations[generation].name;
}

enum gw_generation gw_generation_of(const struct gw_image_header *header)
{
	if (header->xen_major == 0)
		return GW_GENERATION_CONVERTED;
	return header->version < 3 ? GW_GENERATION_V2 : GW_GENERATION_V3;
}

static int find(const char *word, size_t len)
{
	for (int i = 0; i < GW_NR_GENERATIONS; i++)
		if (strlen(generations[i].name) == len && !memcmp(generations[i].name, word, len))
			return i;
	return -1;
}

int gw_generations_parse(const char *list, unsigned *set, struct gw_error *err)
{
	unsigned found = 0;

	for (const char *at = list + strspn(list, SEPARATORS); *at;) {
		size_t len = strcspn(at, SEPARATORS);
		int generation = find(at, len);

		if (generation < 0)
			return gw_fail(
				err, GW_USAGE,
				"\"%.*s\" is not a generation of images, expected v3, v2, legacy or converted",
				(int)GW_MIN(len, (size_t)40), at);
		found |= 1u << generation;
		at += len;
		at += strspn(at, SEPARATORS);
	}
	if (!found)
		return gw_fail(err, GW_USAGE,
			       "an empty list, expected some of v3, v2, legacy, converted");
	*set = found;
	return 0;
}

static int take_setting(void *opaque, const char *key, const char *value, const char *path,
			struct gw_error *err)
{
	struct gw_acceptance *a = opaque;
	unsigned accept = 0;

	if (!strcmp(key, "warn")) {
		a->warn = 0;
		return *value ? gw_generations_parse(value, &a->warn, err) : 0;
	}
	if (strcmp(key, "accept") != 0)
		return 0;
	if (gw_generations_parse(value, &accept, err) < 0)
		return -1;
	a->refuse = GW_GENERATIONS_ALL & ~accept;
	snprintf(a->refused_by, sizeof(a->refused_by), "accept = %.60s in %.120s", value, path);
	return 0;
}

int gw_acceptance_load(struct gw_acceptance *acceptance, struct gw_error *err)
{
	*acceptance = (struct gw_acceptance){0};
	return gw_site_read(take_setting, acceptance, err);
}

int gw_acceptance_override(struct gw_acceptance *acceptance, const char *list, struct gw_error *err)
{
	unsigned accept = 0;

	if (!list)
		return 0;
	if (gw_generations_parse(list, &accept, err) < 0)
		return gw_fail_in(err, "--accept");
	acceptance->refuse = GW_GENERATIONS_ALL & ~accept;
	snprintf(acceptance->refused_by, sizeof(acceptance->refused_by), "--accept %.120s", list);
	return 0;
}

int gw_acceptance_check(const struct gw_acceptance *acceptance, enum gw_generation generation,
			const struct gw_log *log, struct gw_error *err)
{
	const char *title = generations[generation].title;

	if (acceptance->refuse & (1u << generation))
		return gw_fail(err, GW_REFUSED,
			       "the image is of %s: this host does not accept it (%s)", title,
			       acceptance->refused_by);
	if (acceptance->warn & (1u << generation))
		gw_logf(log, GW_LOG_WARNING,
			"the image is of %s: accepted with a warning, this host may soon refuse it",
			title);
	return 0;
}
