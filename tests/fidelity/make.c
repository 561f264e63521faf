/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes patched images by seed, for tests/xen/fidelity.py:
 *
 *   fidelity_make --slim FILE OUT        the base of the others, from a stored domain
 *   fidelity_make BASE SEED OUT          the image of this seed; prints
 * "kind<TAB>checksum<TAB>patch" fidelity_make BASE FIRST-LAST        prints that for each of these
 * seeds, with its number before it
 *
 * FILE and BASE may be compressed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <godwit/channel.h>

#include "fidelity/generate.h"

static bool read_file(const char *path, struct bytes *file)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_open(path, &err);
	uint8_t piece[1 << 16];
	ssize_t n = -1;

	if (ch)
		ch = gw_channel_decompress(ch, &err);
	while (ch && (n = gw_channel_read_some(ch, piece, sizeof(piece), &err)) > 0)
		bytes_append(file, piece, (size_t)n);
	gw_channel_close(ch);
	if (n < 0)
		fprintf(stderr, "fidelity_make: %s\n", err.text);
	return n == 0;
}

static bool load(const char *path, struct image *img)
{
	struct bytes file = {0};
	bool ok = read_file(path, &file) && image_load(img, file.data, file.len);

	free(file.data);
	if (ok)
		image_slim(img);
	else
		fprintf(stderr, "fidelity_make: %s is no stored domain\n", path);
	return ok;
}

static bool write_file(const char *path, const struct bytes *file)
{
	FILE *f = fopen(path, "wb");
	bool ok = f && fwrite(file->data, 1, file->len, f) == file->len;

	if (f && fclose(f) != 0)
		ok = false;
	if (!ok)
		perror(path);
	return ok;
}

/* prefix NULL: only prints. */
static int make(const struct image *base, uint32_t first, uint32_t last, const char *prefix)
{
	struct generated g = {0};
	char path[4096];
	bool ok = true;

	for (uint32_t seed = first; seed <= last && ok; seed++) {
		generate(base, seed, &g);
		printf("%u\t%s\t%08x\t%s\n", seed, g.kind, g.checksum, g.text);
		snprintf(path, sizeof(path), "%s.%u", prefix ? prefix : "", seed);
		ok = !prefix || write_file(path, &g.file);
	}
	free(g.file.data);
	return !ok;
}

static int slim(const struct image *base, const char *path)
{
	struct bytes file = {0};
	bool ok;

	image_write(base, &file);
	ok = write_file(path, &file);
	free(file.data);
	return !ok;
}

int main(int argc, char **argv)
{
	bool slimming = argc == 4 && !strcmp(argv[1], "--slim");
	struct image base = {0};
	int status;

	if (argc < 3 || argc > 4) {
		fprintf(stderr,
			"usage: fidelity_make --slim FILE OUT | BASE FIRST[-LAST] [PREFIX]\n");
		return 2;
	}
	if (!load(argv[slimming ? 2 : 1], &base))
		return 1;
	if (slimming) {
		status = slim(&base, argv[3]);
	} else {
		char *end;
		uint32_t first = (uint32_t)strtoul(argv[2], &end, 10);

		status = make(&base, first, *end ? (uint32_t)strtoul(end + 1, NULL, 10) : first,
			      argc > 3 ? argv[3] : NULL);
	}
	image_free(&base);
	return status;
}
