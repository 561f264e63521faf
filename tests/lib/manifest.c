/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads manifests.
 */
#include "lib/gwtest.h"

#include <inttypes.h>
#include <nettle/sha2.h>

#include <godwit/channel.h>

#include "base/buffer.h"
#include "lib/manifest.h"

static struct gw_buffer load(const char *name)
{
	struct gw_error err = GW_ERROR_INIT;
	const char *dir = getenv("GODWIT_TEST_DATA");
	struct gw_buffer text = {0};
	struct gw_channel *ch;
	char path[4096];
	ssize_t n;

	if (!dir) {
		print_message("GODWIT_TEST_DATA is not set\n");
		exit(77);
	}
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ch = gw_channel_open(path, &err);
	if (ch)
		ch = gw_channel_decompress(ch, &err);
	if (!ch)
		fail_msg("%s", err.text);
	do {
		void *to = gw_buffer_reserve(&text, 65536, &err);

		assert_non_null(to);
		n = gw_channel_read_some(ch, to, 65536, &err);
		assert_ok(n, &err);
		text.len += (size_t)n;
	} while (n > 0);
	gw_channel_close(ch);
	assert_ok(gw_buffer_append(&text, "", 1, &err), &err);
	return text;
}

static struct manifest_page parse_line(const char *line)
{
	struct manifest_page page = {0};
	char hash[32];
	uint32_t type;

	assert_int_equal(sscanf(line, "%" SCNx64 " %x %31s", &page.pfn, &type, hash), 3);
	page.type = (uint8_t)(type >> 28);
	page.has_data = hash[0] != '-';
	for (size_t i = 0; page.has_data && i < MANIFEST_HASH; i++) {
		unsigned byte;

		assert_int_equal(sscanf(hash + 2 * i, "%2x", &byte), 1);
		page.hash[i] = (uint8_t)byte;
	}
	return page;
}

struct manifest manifest_load(const char *name)
{
	struct gw_buffer text = load(name);
	struct manifest m = {0};
	char *save = NULL;

	for (char *line = strtok_r((char *)text.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (line[0] == '#')
			continue;
		m.pages = room_for_one(m.pages, m.nr, sizeof(*m.pages));
		m.pages[m.nr] = parse_line(line);
		assert_true(m.nr == 0 || m.pages[m.nr - 1].pfn < m.pages[m.nr].pfn);
		m.nr++;
	}
	gw_buffer_free(&text);
	assert_true(m.nr > 0);
	return m;
}

void manifest_free(struct manifest *m)
{
	free(m->pages);
	*m = (struct manifest){0};
}

static int by_pfn(const void *key, const void *page)
{
	uint64_t a = *(const uint64_t *)key, b = ((const struct manifest_page *)page)->pfn;

	return a < b ? -1 : a > b;
}

const struct manifest_page *manifest_find(const struct manifest *m, uint64_t pfn)
{
	return bsearch(&pfn, m->pages, m->nr, sizeof(*m->pages), by_pfn);
}

void manifest_hash(const void *page, uint8_t hash[MANIFEST_HASH])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, 4096, page);
	sha256_digest(&ctx, MANIFEST_HASH, hash);
}
