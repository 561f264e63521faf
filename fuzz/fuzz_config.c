/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as a domain's config, in JSON and as xl's text. A config that was
 * read can be given another name and another generation id, and is then read again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "format/rules/rules.h"
#include "input.h"
#include "vmm/config.h"

static void report(void *opaque, const struct gw_finding *finding)
{
	char text[600];

	if (!gw_finding_format(finding, text, sizeof(text))[0])
		abort();
}

static void judge(const char *text, size_t len, bool json)
{
	const struct gw_findings out = {.report = report};
	const struct gw_config_text from = {.text = text, .len = len, .json = json, .named = true};
	struct gw_config config = {0};
	struct gw_config_facts facts;

	gw_config_rules(&from, &config, &out, NULL);
	gw_config_facts_of(&config, &facts);
	gw_config_free(&config);
}

static void fail(const char *what, const struct gw_error *err)
{
	fprintf(stderr, "%s: %s\n", what, err->text);
	abort();
}

/* What was read stays readable after a change of one value. */
static void change(struct gw_config *config)
{
	static const uint8_t genid[16] = {1, 2, 3};
	struct gw_config again = {0};
	struct gw_error err = GW_ERROR_INIT;

	if (gw_config_rename(config, "other", &err) < 0 ||
	    gw_config_set_genid(config, genid, &err) < 0)
		return;
	if (gw_config_parse_json(&again, config->text, config->text_len, &err) < 0)
		fail("a changed config", &err);
	if (!again.name || strcmp(again.name, "other") != 0)
		fail("the new name is not in the config", &err);
	gw_config_free(&again);
}

static void use(const char *text, size_t len, bool json)
{
	struct gw_domain_config created;
	struct gw_config config = {0};
	struct gw_error err = GW_ERROR_INIT;
	int rc = json ? gw_config_parse_json(&config, text, len, &err)
		      : gw_config_parse_text(&config, text, len, &err);

	if (rc == 0) {
		gw_config_to_hypervisor(&config, &created);
		gw_config_pages(&config);
		gw_config_max_pages(&config);
		change(&config);
	} else if (!err.text[0]) {
		abort();
	}
	gw_config_free(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	bound_begin();
	for (int json = 0; json < 2; json++) {
		judge(text, size, json);
		use(text, size, json);
	}
	bound_check("a config", 64 * size + (1u << 20));
	return 0;
}
