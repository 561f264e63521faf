/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the settings of the save helper (settings.h).
 */
#include "helper/save_helper/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings.h"
#include "base/util.h"

enum setting { DOWNTIME, TIMEOUT, MAX_ROUNDS, BANDWIDTH, ON_STALL, REPORT, NR_SETTINGS };

static const struct {
	const char *key, *variable;
	uint64_t max;
} table[NR_SETTINGS] = {
	[DOWNTIME] = {"downtime", "GODWIT_DOWNTIME", 3600000},
	[TIMEOUT] = {"timeout", "GODWIT_TIMEOUT", 1000000},
	[MAX_ROUNDS] = {"max-rounds", "GODWIT_MAX_ROUNDS", 1000000},
	[BANDWIDTH] = {"bandwidth", "GODWIT_BANDWIDTH", UINT64_C(1) << 60},
	[ON_STALL] = {"on-stall", "GODWIT_ON_STALL", 0},
	[REPORT] = {"report", "GODWIT_REPORT", 0},
};

/* A number, of bytes with K, M or G (powers of 1024) after it. */
static int parse_number(enum setting setting, const char *text, uint64_t *value,
			struct gw_error *err)
{
	static const char units[] = "KMG";
	unsigned long long number;
	const char *unit;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	unit = setting == BANDWIDTH && *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (unit && !gw_mul_overflows(number, UINT64_C(1) << 10 * (unit - units + 1), &number))
		end++;
	if (!isdigit((unsigned char)*text) || *end || errno || number == 0 ||
	    number > table[setting].max)
		return gw_fail(err, GW_USAGE, "%s is \"%.40s\", expected a number from 1 to %llu%s",
			       table[setting].key, text, (unsigned long long)table[setting].max,
			       setting == BANDWIDTH ? ", or one with K, M or G" : "");
	*value = number;
	return 0;
}

static int set_report(struct gw_helper_settings *s, const char *text, struct gw_error *err)
{
	if (*text != '/' || strlen(text) >= sizeof(s->report))
		return gw_fail(err, GW_USAGE, "report is \"%.40s\", expected an absolute path",
			       text);
	strcpy(s->report, text);
	return 0;
}

/* libxl's domains cannot be slowed: that is said here, before a save begins. */
static int set_on_stall(struct gw_helper_settings *s, const char *text, struct gw_error *err)
{
	if (!gw_on_stall_from_name(text, &s->precopy.on_stall))
		return gw_fail(err, GW_USAGE, "on-stall is \"%.40s\", expected switch or abort",
			       text);
	if (s->precopy.on_stall == GW_ON_STALL_THROTTLE)
		return gw_fail(err, GW_USAGE,
			       "on-stall is \"throttle\", but Xen cannot slow a domain's vCPUs");
	return 0;
}

static int set(struct gw_helper_settings *s, enum setting setting, const char *text,
	       struct gw_error *err)
{
	uint64_t value = 0;

	if (setting == REPORT)
		return set_report(s, text, err);
	if (setting == ON_STALL)
		return set_on_stall(s, text, err);
	if (parse_number(setting, text, &value, err) < 0)
		return -1;
	switch (setting) {
	case DOWNTIME:
		s->precopy.downtime_ms = (unsigned)value;
		break;
	case TIMEOUT:
		s->precopy.timeout_ms = value * 1000;
		break;
	case MAX_ROUNDS:
		s->precopy.max_rounds = (unsigned)value;
		break;
	default:
		s->precopy.bandwidth = value;
	}
	return 0;
}

static int on_setting(void *opaque, const char *key, const char *value, const char *path,
		      struct gw_error *err)
{
	for (unsigned i = 0; i < NR_SETTINGS; i++)
		if (strcmp(table[i].key, key) == 0)
			return set(opaque, (enum setting)i, value, err);
	return gw_fail(err, GW_USAGE, "unknown setting \"%.40s\"", key);
}

static int read_environment(struct gw_helper_settings *s, struct gw_error *err)
{
	for (unsigned i = 0; i < NR_SETTINGS; i++) {
		const char *value = getenv(table[i].variable);

		if (value && *value && set(s, (enum setting)i, value, err) < 0)
			return gw_fail_in(err, "the environment's %s", table[i].variable);
	}
	return 0;
}

int gw_helper_settings_load(struct gw_helper_settings *settings, struct gw_error *err)
{
	*settings = (struct gw_helper_settings){0};
	if (gw_settings_read("GODWIT_HELPER_CONF", GW_HELPER_CONF, on_setting, settings, err) < 0 ||
	    read_environment(settings, err) < 0)
		return -1;
	return gw_acceptance_load(&settings->acceptance, err);
}

bool gw_helper_settings_have_target(const struct gw_helper_settings *settings)
{
	return settings->precopy.downtime_ms || settings->precopy.max_rounds ||
	       settings->precopy.on_stall != GW_ON_STALL_SWITCH;
}
