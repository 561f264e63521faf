/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the save helper's command line (arguments.h).
 */
#include "helper/save_helper/arguments.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* Bits of the flags of --save-domain: XCFLAGS_ in xenguest.h. */
#define FLAG_LIVE  1u
#define FLAG_DEBUG 2u

#define SAVE_ARGUMENTS	  7 /* arguments after argv[0] */
#define RESTORE_ARGUMENTS 10

struct place {
	const char *name;
	unsigned long max;
};

static const struct place save_places[] = {
	{"the domain's id", UINT32_MAX},
	{"the flags", UINT32_MAX},
	{"the callback flags", UINT32_MAX},
	{"the stream type", GW_STREAM_COLO},
};
static const struct place restore_places[] = {
	{"the domain's id", UINT32_MAX},	   {"the event channel of xenstore", UINT32_MAX},
	{"the domain of xenstore", UINT32_MAX},	   {"the event channel of the console", UINT32_MAX},
	{"the domain of the console", UINT32_MAX}, {"the callback flags", UINT32_MAX},
	{"the stream type", GW_STREAM_COLO},
};

static int parse_number(const char *text, const struct place *place, unsigned long *value,
			struct gw_error *err)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || *value > place->max)
		return gw_fail(err, GW_USAGE, "%s is \"%.40s\", expected a number up to %lu",
			       place->name, text, place->max);
	return 0;
}

/* -1 stands for "none"; io_fd is checked when it is opened. */
static int parse_fd(const char *text, const char *name, int *fd, struct gw_error *err)
{
	const struct place place = {name, INT_MAX};
	unsigned long value;

	*fd = -1;
	if (strcmp(text, "-1") == 0)
		return 0;
	if (parse_number(text, &place, &value, err) < 0)
		return -1;
	*fd = (int)value;
	return 0;
}

static int parse_all(char **texts, const struct place *places, size_t n, unsigned long *values,
		     struct gw_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (parse_number(texts[i], &places[i], &values[i], err) < 0)
			return -1;
	return 0;
}

static int parse_save(struct gw_helper_arguments *args, char **texts, struct gw_error *err)
{
	unsigned long v[GW_ARRAY_SIZE(save_places)];

	if (parse_all(texts, save_places, GW_ARRAY_SIZE(save_places), v, err) < 0)
		return -1;
	args->domid = (uint32_t)v[0];
	args->live = v[1] & FLAG_LIVE;
	args->debug = v[1] & FLAG_DEBUG;
	args->callbacks = (uint32_t)v[2];
	args->stream_type = (enum gw_stream_type)v[3];
	return 0;
}

static int parse_restore(struct gw_helper_arguments *args, char **texts, struct gw_error *err)
{
	unsigned long v[GW_ARRAY_SIZE(restore_places)];

	if (parse_all(texts, restore_places, GW_ARRAY_SIZE(restore_places), v, err) < 0)
		return -1;
	args->domid = (uint32_t)v[0];
	args->store = (struct gw_ring_end){.port = (uint32_t)v[1], .domid = (uint32_t)v[2]};
	args->console = (struct gw_ring_end){.port = (uint32_t)v[3], .domid = (uint32_t)v[4]};
	args->callbacks = (uint32_t)v[5];
	args->stream_type = (enum gw_stream_type)v[6];
	return 0;
}

static int check_count(const struct gw_helper_arguments *args, int given, struct gw_error *err)
{
	int expected = args->restore ? RESTORE_ARGUMENTS : SAVE_ARGUMENTS;

	if (given == expected)
		return 0;
	return gw_fail(err, GW_USAGE,
		       "%d arguments, expected %d: libxl of Xen 4.14 or later passes these", given,
		       expected);
}

int gw_helper_arguments_parse(struct gw_helper_arguments *args, int argc, char **argv,
			      struct gw_error *err)
{
	const char *mode = argc > 1 ? argv[1] : "";

	*args = (struct gw_helper_arguments){.restore = strcmp(mode, "--restore-domain") == 0};
	if (!args->restore && strcmp(mode, "--save-domain") != 0)
		return gw_fail(err, GW_USAGE,
			       "the mode is \"%.40s\", expected --save-domain or --restore-domain",
			       mode);
	if (check_count(args, argc - 1, err) < 0 ||
	    parse_fd(argv[2], "the stream's descriptor", &args->io_fd, err) < 0 ||
	    parse_fd(argv[3], "the back channel's descriptor", &args->back_fd, err) < 0)
		return -1;
	return args->restore ? parse_restore(args, argv + 4, err) : parse_save(args, argv + 4, err);
}
