/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The options of a save or migration as members of its request.
 */
#include "cli/save_options.h"

#include <string.h>

static void set_number(json_t *request, const char *member, const struct gw_args *args,
		       const char *option, unsigned scale)
{
	if (gw_args_text(args, option))
		json_object_set_new(
			request, member,
			json_integer((json_int_t)(gw_args_number(args, option, 0) * scale)));
}

json_t *gw_save_options_request(const struct gw_args *args, const char *name, bool live)
{
	bool force_pause = gw_args_flag(args, "force-pause") > 0;
	json_t *request =
		json_pack("{s:s, s:b, s:b, s:b}", "request", name, "live", live, "force_pause",
			  force_pause, "allow_loss", gw_args_flag(args, "allow-loss") > 0);

	set_number(request, "suspend_timeout_ms", args, "suspend-timeout", 1000);
	set_number(request, "downtime_ms", args, "downtime", 1);
	set_number(request, "timeout_ms", args, "timeout", 1000);
	set_number(request, "max_rounds", args, "max-rounds", 1);
	set_number(request, "bandwidth", args, "bandwidth", 1);
	if (!strcmp(name, "save") && (force_pause || gw_args_flag(args, "allow-forced") > 0))
		json_object_set_new(request, "allow_forced", json_true());
	if (!strcmp(name, "migrate"))
		set_number(request, "silence_ms", args, "silence", 1000);
	return request;
}
