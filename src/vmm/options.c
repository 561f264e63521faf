/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads members of a request.
 */
#include "vmm/options.h"

int gw_option_bool(const json_t *message, const char *name, bool *value, struct gw_error *err)
{
	const json_t *member = json_object_get(message, name);

	if (!member)
		return 0;
	if (!json_is_boolean(member))
		return gw_fail(err, GW_USAGE, "%s: expected true or false", name);
	*value = json_is_true(member);
	return 0;
}

int gw_option_number(const json_t *message, const char *name, uint64_t max, uint64_t *value,
		     struct gw_error *err)
{
	const json_t *member = json_object_get(message, name);

	if (!member)
		return 0;
	if (!json_is_integer(member) || json_integer_value(member) < 0 ||
	    (uint64_t)json_integer_value(member) > max)
		return gw_fail(err, GW_USAGE, "%s: expected a number from 0 to %llu", name,
			       (unsigned long long)max);
	*value = (uint64_t)json_integer_value(member);
	return 0;
}
