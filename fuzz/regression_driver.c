/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs a fuzz target without a fuzzer, on the seeds and on inputs that a fuzzer once found.
 * Arguments are files, and folders whose files are all read.
 */
#define _XOPEN_SOURCE 700

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"

static unsigned files;

/* The file's bytes in a block of exactly that size, so that a sanitizer sees any access beyond
 * it. */
static uint8_t *load(const char *path, size_t size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(size ? size : 1);

	if (!f || !data || fread(data, 1, size, f) != size) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	fclose(f);
	return data;
}

static int run(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	uint8_t *data;

	(void)ftw;
	if (kind != FTW_F)
		return 0;
	data = load(path, (size_t)st->st_size);
	LLVMFuzzerTestOneInput(data, (size_t)st->st_size);
	free(data);
	files++;
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (nftw(argv[i], run, 16, FTW_PHYS) != 0) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
			return 1;
		}
	}
	if (files == 0) {
		fprintf(stderr, "no files among the arguments\n");
		return 1;
	}
	printf("%u inputs\n", files);
	return 0;
}
