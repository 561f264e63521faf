/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Loads real streams for tests. Its own simple walk over records shares no code with the readers it
 * helps to test.
 */
#include "lib/gwtest.h"

#include <godwit/channel.h>

#include "base/bytes.h"
#include "lib/realdata.h"

const char *realdata_path(const char *name)
{
	static char path[4096];
	const char *dir = getenv("GODWIT_TEST_DATA");

	if (!dir) {
		print_message("GODWIT_TEST_DATA is not set\n");
		exit(77);
	}
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void read_all(const char *path, struct gw_buffer *buf)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_open(path, &err);
	ssize_t n;

	if (ch)
		ch = gw_channel_decompress(ch, &err);
	if (!ch)
		fail_msg("%s", err.text);
	gw_buffer_reset(buf);
	do {
		void *to = gw_buffer_reserve(buf, 1 << 20, &err);

		assert_non_null(to);
		n = gw_channel_read_some(ch, to, 1 << 20, &err);
		assert_ok(n, &err);
		buf->len += (size_t)n;
	} while (n > 0);
	gw_channel_close(ch);
}

struct gw_buffer realdata_load(const char *path)
{
	/* The last file that was loaded, which is often the next one as well. */
	static struct gw_buffer last;
	static char *last_path;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer buf = {0};

	if (!last_path || strcmp(path, last_path) != 0) {
		free(last_path);
		last_path = strdup(path);
		read_all(path, &last);
	}
	assert_ok(gw_buffer_append(&buf, last.data, last.len, &err), &err);
	return buf;
}

size_t realdata_image(const struct gw_buffer *file)
{
	static const char head[] = "\xff\xff\xff\xff\xff\xff\xff\xff"
				   "XENF";
	const uint8_t *at = memmem(file->data, file->len, head, sizeof(head) - 1);

	assert_non_null(at);
	return (size_t)(at - file->data);
}

struct gw_record realdata_record(const struct gw_buffer *file, size_t image, uint32_t type)
{
	size_t at = image + 40;

	while (at + 8 <= file->len) {
		struct gw_record rec = {
			.type = gw_get_le32(file->data + at),
			.length = gw_get_le32(file->data + at + 4),
			.data = file->data + at + 8,
			.offset = at - image,
		};

		if (rec.type == type)
			return rec;
		at += 8 + ((rec.length + 7u) & ~7u);
	}
	fail_msg("the image has no record of type 0x%x", type);
	return (struct gw_record){0};
}
