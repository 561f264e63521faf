/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the budget of a receiver.
 */
#include "cli/budget.h"

#include <string.h>
#include <sys/random.h>

#include "base/util.h"
#include "migrate/site.h"

static const struct gw_option settings[] = {GW_BUDGET_OPTIONS};

static int take_setting(void *opaque, const char *key, const char *value, const char *path,
			struct gw_error *err)
{
	struct gw_budget *budget = opaque;
	uint64_t number;

	for (size_t i = 0; i < GW_ARRAY_SIZE(settings); i++) {
		if (strcmp(key, settings[i].name) != 0)
			continue;
		if (gw_setting_number(&settings[i], value, &number, err) < 0)
			return -1;
		if (i == 0)
			budget->max_memory = number;
		else
			budget->max_domains = (unsigned)number;
	}
	return 0;
}

int gw_budget_read(struct gw_budget *budget, const struct gw_args *args, struct gw_error *err)
{
	*budget = (struct gw_budget){0};
	if (getrandom(budget->id, sizeof(budget->id), 0) != sizeof(budget->id))
		return gw_fail_errno(err, "a random number");
	if (gw_site_read(take_setting, budget, err) < 0)
		return -1;
	budget->max_memory = gw_args_number(args, "max-memory", budget->max_memory);
	budget->max_domains = (unsigned)gw_args_number(args, "max-domains", budget->max_domains);
	return 0;
}
