/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests readers, rules and decoders with thousands of damaged streams: no crash, no read beyond the
 * end, no more memory than the input's size. The parents are the fuzz targets' seeds, made of real
 * streams. GODWIT_MUTANTS sets the number for each of the four layers.
 */
#include "lib/gwtest.h"

#include <dirent.h>

#include "base/bytes.h"
#include "base/util.h"
#include "drive.h"
#include "lib/realdata.h"
#include "lib/random.h"

#define MAX_SEEDS 32

typedef void drive_fn(const uint8_t *data, size_t len, struct drive_result *result);

struct family {
	struct gw_buffer seed[MAX_SEEDS];
	char name[MAX_SEEDS][256];
	size_t n;
};

static struct family load_family(const char *layer)
{
	const char *corpus = getenv("GODWIT_FUZZ_CORPUS");
	struct family family = {.n = 0};
	struct dirent *entry;
	char path[4096];
	DIR *dir;

	if (!corpus) {
		print_message("GODWIT_FUZZ_CORPUS is not set\n");
		exit(77);
	}
	snprintf(path, sizeof(path), "%s/%s", corpus, layer);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)) && family.n < MAX_SEEDS) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", corpus, layer, entry->d_name);
		snprintf(family.name[family.n], sizeof(family.name[0]), "%s", entry->d_name);
		family.seed[family.n++] = realdata_load(path);
	}
	closedir(dir);
	assert_true(family.n > 0);
	return family;
}

static void free_family(struct family *family)
{
	while (family->n)
		gw_buffer_free(&family->seed[--family->n]);
}

/* Values at which checks are likely to go wrong. */
static uint32_t interesting(void)
{
	static const uint32_t values[] = {
		0,	    1,		2,	    7,		8,	    9,		15,
		16,	    23,		24,	    4095,	4096,	    0x7fffffff, 0x80000000,
		0xfffffff8, 0xffffffff, 0x08000000, 0x08000001, 0x80675801, 0xfffff000, 0x10000,
		0x20000000, 0xfffffff4, 0xfffffff3, 0xfffffffb, 0xffffffee,
	};
	size_t i = random_below(GW_ARRAY_SIZE(values) + 24);

	/* Sometimes a record type. */
	return i < GW_ARRAY_SIZE(values) ? values[i] : (uint32_t)(i - GW_ARRAY_SIZE(values));
}

/* A random offset at which a record header may be: an 8-byte boundary, more often an early one. */
static size_t some_place(size_t len)
{
	size_t at = random_below(4) ? random_below(len) : random_below(GW_MIN(len, (size_t)256));

	return at & ~(size_t)7;
}

static void cut_out(struct gw_buffer *buf, size_t at, size_t len)
{
	if (at >= buf->len)
		return;
	len = GW_MIN(len, buf->len - at);
	memmove(buf->data + at, buf->data + at + len, buf->len - at - len);
	buf->len -= len;
}

static void put_in(struct gw_buffer *buf, size_t at, const uint8_t *data, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;

	at = GW_MIN(at, buf->len);
	assert_ok(gw_buffer_append(buf, NULL, len, &err), &err);
	memmove(buf->data + at + len, buf->data + at, buf->len - len - at);
	memcpy(buf->data + at, data, len);
}

static void damage(struct gw_buffer *buf, const struct gw_buffer *other)
{
	size_t at = some_place(buf->len), from = some_place(other->len);
	size_t len = 8 + (random_below(8) ? 8 * random_below(4) : 8 * random_below(600));

	if (buf->len < 16)
		return;
	switch (random_below(8)) {
	case 0:
		buf->data[random_below(buf->len)] ^= (uint8_t)(1u << random_below(8));
		break;
	case 1:
		buf->data[random_below(buf->len)] = (uint8_t)random64();
		break;
	case 2:
	case 3:
		gw_put_le32(buf->data + GW_MIN(at, buf->len - 4), interesting());
		break;
	case 4:
		gw_put_le32(buf->data + GW_MIN(at + 4, buf->len - 4), interesting());
		break;
	case 5:
		cut_out(buf, at, len);
		break;
	case 6:
		put_in(buf, at, other->data + from, GW_MIN(len, other->len - from));
		break;
	default:
		if (random_below(4) == 0)
			buf->len = random_below(buf->len);
		break;
	}
}

static void check(const struct gw_buffer *mutant, drive_fn *drive, struct drive_result *result)
{
	/* A block of exactly that size: a sanitizer sees any access beyond it. */
	uint8_t *exact = malloc(mutant->len ? mutant->len : 1);

	assert_non_null(exact);
	memcpy(exact, mutant->data, mutant->len);
	drive(exact, mutant->len, result);
	free(exact);
	assert_true(result->consumed <= mutant->len);
	assert_true(result->most_memory <= 3 * mutant->len + (256u << 10));
}

static void run(const char *layer, drive_fn *drive)
{
	const char *env = getenv("GODWIT_MUTANTS");
	unsigned long mutants = env ? strtoul(env, NULL, 0) : 3000;
	struct family family = load_family(layer);
	struct gw_error err = GW_ERROR_INIT;
	struct drive_result result;
	struct gw_buffer mutant = {0};
	unsigned long bad = 0;

	/* The parents must be valid, or the mutants prove little. */
	for (size_t i = 0; i < family.n; i++) {
		check(&family.seed[i], drive, &result);
		if (result.errors)
			fail_msg("%s: %s", family.name[i], result.first_error);
	}
	for (unsigned long i = 0; i < mutants; i++) {
		const struct gw_buffer *parent = &family.seed[random_below(family.n)];

		gw_buffer_reset(&mutant);
		assert_ok(gw_buffer_append(&mutant, parent->data, parent->len, &err), &err);
		for (size_t n = 1 + random_below(4); n; n--)
			damage(&mutant, &family.seed[random_below(family.n)]);
		check(&mutant, drive, &result);
		bad += result.errors > 0;
	}
	print_message("%s: %lu of %lu mutants refused\n", layer, bad, mutants);
	/* Some damage is in page contents or opaque state, where no rule can find it. */
	assert_true(mutants < 100 || (bad > mutants / 5 && bad < mutants));
	gw_buffer_free(&mutant);
	free_family(&family);
}

static void mutants_of_images(void **state)
{
	run("image", drive_image);
}

static void mutants_of_streams(void **state)
{
	run("stream", drive_stream);
}

static void mutants_of_files(void **state)
{
	run("xlfile", drive_xlfile);
}

static void mutants_of_legacy_images(void **state)
{
	run("legacy", drive_legacy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutants_of_images),
		cmocka_unit_test(mutants_of_streams),
		cmocka_unit_test(mutants_of_files),
		cmocka_unit_test(mutants_of_legacy_images),
	};

	return cmocka_run_group_tests_name("mutants", tests, NULL, NULL);
}
