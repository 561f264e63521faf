/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the text config of xl before 4.5, line by line: what such an image needs of it.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "format/xl/config_internal.h"

#define MIB_END (UINT64_C(1) << 30) /* no config has that much memory */

/* The numbers of the text, before they are judged. */
struct text {
	struct gw_config_reader r;
	uint64_t memory, maxmem; /* MiB; 0: the line is missing */
	int64_t vcpus;
};

static void read_number(struct text *t, const char *key, const char *value)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(value, &end, 10);
	if (end == value || *end || errno || number >= MIB_END || (number == 0 && *key != 'v')) {
		gw_config_fault(&t->r, *key == 'v' ? GW_CONFIG_VCPUS : GW_CONFIG_MEMORY, 0,
				"%s = %.40s is not a number for a domain", key, value);
		return;
	}
	if (*key == 'v')
		t->vcpus = (int64_t)number;
	else if (strcmp(key, "maxmem") == 0)
		t->maxmem = number;
	else
		t->memory = number;
}

/* One "key = value" line; value loses its quotes. */
static int read_line(struct text *t, const char *key, char *value, struct gw_error *err)
{
	struct gw_config *config = t->r.config;
	size_t len;

	if (*value == '"' || *value == '\'') {
		char *end = strchr(value + 1, *value);

		if (end)
			*end = '\0';
		value++;
	}
	len = strlen(value);
	while (len && isspace((unsigned char)value[len - 1]))
		value[--len] = '\0';

	if (strcmp(key, "name") == 0)
		return gw_config_set_string(&config->name, value, err);
	if (strcmp(key, "kernel") == 0)
		return gw_config_set_string(&config->kernel, value, err);
	if (strcmp(key, "type") == 0 || strcmp(key, "builder") == 0)
		gw_config_type(&t->r, strcmp(value, "generic") == 0 ? "pv" : value);
	else if (strcmp(key, "uuid") == 0 && !gw_uuid_parse(value, config->uuid))
		gw_config_fault(&t->r, GW_CONFIG_UUID, 0, "\"%.60s\" is not a uuid", value);
	else if (strcmp(key, "memory") == 0 || strcmp(key, "maxmem") == 0 ||
		 strcmp(key, "vcpus") == 0)
		read_number(t, key, value);
	return 0;
}

static int read_lines(struct text *t, char *copy, struct gw_error *err)
{
	char *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *key = line + strspn(line, " \t");
		char *equals = strchr(line, '=');

		if (*key == '#' || !equals)
			continue;
		key[strcspn(key, " \t=")] = '\0';
		if (read_line(t, key, equals + 1 + strspn(equals + 1, " \t"), err) < 0)
			return -1;
	}
	return 0;
}

int gw_config_read_text(struct gw_config *config, const char *text, size_t len,
			const struct gw_config_faults *faults, struct gw_error *err)
{
	GW_FREE_ON_EXIT char *copy = strndup(text, len);
	struct text t = {.r = {.config = config, .faults = faults}, .vcpus = 1};
	int ret;

	*config = (struct gw_config){.type = GW_GUEST_X86_PV};
	if (!copy)
		return gw_fail(err, GW_NO_MEMORY, "no memory for the domain's config");
	ret = read_lines(&t, copy, err);
	if (ret < 0) {
		gw_config_free(config);
		return -1;
	}
	config->target_memkb = t.memory ? t.memory * 1024 : t.maxmem * 1024;
	config->max_memkb = t.maxmem ? t.maxmem * 1024 : t.memory * 1024;
	if (!config->max_memkb)
		config->max_memkb = config->target_memkb = GW_CONFIG_DEFAULT_MEMKB;
	gw_config_check_memory(&t.r);
	gw_config_check_vcpus(&t.r, t.vcpus);
	gw_config_check_name(&t.r);
	return 0;
}
