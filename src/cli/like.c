/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the stream of --like and the file of --schema.
 */
#include "cli/like.h"

#include "cli/input.h"
#include "read/savevm.h"

const struct gw_savevm_description *gw_cli_like(struct gw_cli *cli, const struct gw_args *args,
						struct gw_savevm_stream *like, struct gw_error *err)
{
	const struct gw_savevm_listener listener = {0};
	const char *path = gw_args_text(args, "like");
	struct gw_channel *ch;
	struct gw_input in = {0};
	int rc;

	if (!path)
		return NULL;
	ch = gw_cli_open(cli, path, err);
	if (!ch)
		return NULL;
	in.ch = ch;
	rc = gw_savevm_read(&in, &listener, like, err);
	gw_channel_close(ch);
	if (rc < 0)
		return NULL;
	if (like->has_description)
		return &like->description;
	gw_fail(err, GW_INVALID,
		"%s: it is no QEMU stream with a description of its devices, which --like needs",
		path);
	return NULL;
}

/* All of a file that has at most max bytes. */
static int read_all(struct gw_cli *cli, const char *path, size_t max, struct gw_buffer *to,
		    struct gw_error *err)
{
	struct gw_channel *ch = gw_cli_open(cli, path, err);
	ssize_t n = ch ? 1 : -1;

	while (n > 0 && to->len <= max) {
		void *room = gw_buffer_reserve(to, 65536, err);

		n = room ? gw_channel_read_some(ch, room, 65536, err) : -1;
		if (n > 0)
			to->len += (size_t)n;
	}
	gw_channel_close(ch);
	if (n < 0)
		return -1;
	return to->len <= max ? 0 : gw_fail(err, GW_INVALID, "it has more than %zu bytes", max);
}

int gw_cli_schema(struct gw_cli *cli, const struct gw_args *args, struct gw_schema *schema,
		  struct gw_error *err)
{
	const char *path = gw_args_text(args, "schema");
	struct gw_buffer json = {0};
	int rc;

	if (!path)
		return 0;
	rc = read_all(cli, path, GW_SCHEMA_MAX, &json, err);
	if (rc == 0)
		rc = gw_schema_parse(schema, json.data, json.len, err);
	gw_buffer_free(&json);
	return rc < 0 ? gw_fail_in(err, "the schema %s", path) : 0;
}
