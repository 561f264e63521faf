/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests compressed input: the output is right, plain input passes unchanged, and damaged or cut
 * input never counts as complete.
 */
#include "tools.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buffer.h"
#include "channel/fault.h"
#include "channel/memory.h"
#include "channel/position.h"
#include "lib/random.h"

static struct gw_buffer gzip(const void *data, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer out = {0};
	z_stream z = {0};

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	z.avail_out = (uInt)deflateBound(&z, len);
	z.next_out = gw_buffer_reserve(&out, z.avail_out, &err);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out.len = z.total_out;
	deflateEnd(&z);
	return out;
}

static struct gw_buffer xz(const void *data, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer out = {0};
	size_t bound = lzma_stream_buffer_bound(len);
	uint8_t *to = gw_buffer_reserve(&out, bound, &err);

	assert_int_equal(
		lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, data, len, to, &out.len, bound),
		LZMA_OK);
	return out;
}

static struct gw_buffer zstd(const void *data, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer out = {0};
	size_t bound = ZSTD_compressBound(len);
	void *to = gw_buffer_reserve(&out, bound, &err);
	ZSTD_CCtx *ctx = ZSTD_createCCtx();

	ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
	out.len = ZSTD_compress2(ctx, to, bound, data, len);
	assert_false(ZSTD_isError(out.len));
	ZSTD_freeCCtx(ctx);
	return out;
}

static const struct {
	const char *name;
	size_t magic;
	size_t padding; /* zeros come in multiples of this; 0: never */
	struct gw_buffer (*pack)(const void *data, size_t len);
} packers[] = {{"gzip", 3, 1, gzip}, {"xz", 6, 4, xz}, {"zstd", 4, 0, zstd}};

#define SIZE  300000u
#define SMALL 9000u

/* Half of it compresses well, the other half does not. */
static uint8_t *sample(size_t len)
{
	uint64_t random = random_seed();
	uint8_t *data = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		data[i] = i / 1000 % 2 ? (uint8_t)random_next(&random) : (uint8_t)(i / 4000);
	return data;
}

static struct gw_channel *holding(const void *data, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_memory("image.x", &err);

	assert_ok(gw_channel_write(ch, data, len, &err), &err);
	return ch;
}

static struct gw_channel *unpack(struct gw_channel *below)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_decompress(below, &err);

	if (!ch)
		fail_msg("%s", err.text);
	return ch;
}

/* Reads everything in pieces of random size and compares it with data, as far as data goes. Returns
 * the number of bytes, or -1. */
static ssize_t drain(struct gw_channel *ch, const uint8_t *data, size_t len, bool *same,
		     struct gw_error *err)
{
	static uint8_t buf[70000];
	uint64_t random = random_seed();
	size_t total = 0;

	*same = true;
	for (;;) {
		size_t want =
			1 + random_next(&random) % (random_next(&random) % 4 ? 100 : sizeof(buf));
		ssize_t got = gw_channel_read_some(ch, buf, want, err);

		if (got <= 0) {
			*same = *same && total == len;
			return got < 0 ? -1 : (ssize_t)total;
		}
		if (total + (size_t)got > len || memcmp(buf, data + total, (size_t)got) != 0)
			*same = false;
		total += (size_t)got;
		if (!*same && total > 2 * len + 1000000)
			return -1;
	}
}

static void assert_gives(struct gw_channel *ch, const uint8_t *data, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;
	bool same;

	assert_ok(drain(ch, data, len, &same, &err), &err);
	assert_true(same);
	assert_int_equal(ch->read_pos, len);
	gw_channel_close(ch);
}

static void unpacks(void **state)
{
	static const size_t sizes[] = {SIZE, 0, 1, 65536, 3u << 20};
	struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
	struct gw_error err = GW_ERROR_INIT;
	uint8_t *data = sample(3u << 20);

	plan.seed = random_seed();
	plan.read.most = 300;
	for (size_t i = 0; i < GW_ARRAY_SIZE(packers); i++)
		for (size_t j = 0; j < GW_ARRAY_SIZE(sizes); j++) {
			struct gw_buffer packed = packers[i].pack(data, sizes[j]);
			struct gw_channel *ch = unpack(holding(packed.data, packed.len));

			assert_false(ch->seekable);
			assert_string_equal(ch->name, "image.x");
			assert_gives(ch, data, sizes[j]);
			/* Short reads from the channel below. */
			ch = gw_channel_fault(holding(packed.data, packed.len), &plan, &err);
			assert_gives(unpack(ch), data, sizes[j]);
			gw_buffer_free(&packed);
		}
	free(data);
}

static void exact_reads_and_skips(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t *data = malloc(3u << 20);

	fill(data, 3u << 20, 0);
	for (size_t i = 0; i < GW_ARRAY_SIZE(packers); i++) {
		struct gw_buffer packed = packers[i].pack(data, 3u << 20);
		struct half r = {.total = 3u << 20,
				 .random = random_seed(),
				 .largest = 20000,
				 .err = GW_ERROR_INIT};

		r.ch = unpack(holding(packed.data, packed.len));
		read_half(&r);
		assert_int_equal(gw_channel_skip(r.ch, 1, &err), 0);
		assert_fails(gw_channel_write(r.ch, "x", 1, &err), &err, GW_USAGE, "decompressed");
		assert_ok(gw_channel_finish(r.ch, &err), &err);
		gw_channel_close(r.ch);

		r.ch = unpack(holding(packed.data, packed.len));
		assert_fails(gw_channel_skip(r.ch, UINT64_MAX, &err), &err, GW_TRUNCATED,
			     "image.x ends at byte 3145728");
		gw_channel_close(r.ch);
		gw_buffer_free(&packed);
	}
	free(data);
}

/* Zeros after the first or the last of two members. */
static void padding(void **state)
{
	uint8_t *data = sample(SMALL), *twice = malloc(2 * SMALL);

	memcpy(twice, data, SMALL);
	memcpy(twice + SMALL, data, SMALL);
	for (size_t i = 0; i < GW_ARRAY_SIZE(packers); i++) {
		struct gw_buffer one = packers[i].pack(data, SMALL);

		for (size_t zeros = 1; zeros < 1100; zeros += zeros < 12 ? 1 : 509) {
			size_t unit = packers[i].padding;

			for (int at_end = 0; at_end < 2; at_end++) {
				struct gw_error err = GW_ERROR_INIT;
				struct gw_buffer two = {0};
				struct gw_channel *ch;
				bool same;

				gw_buffer_append(&two, one.data, one.len, &err);
				gw_buffer_append(&two, NULL, at_end ? 0 : zeros, &err);
				gw_buffer_append(&two, one.data, one.len, &err);
				gw_buffer_append(&two, NULL, at_end ? zeros : 0, &err);
				ch = unpack(holding(two.data, two.len));
				if (unit && zeros % unit == 0) {
					assert_gives(ch, twice, 2 * SMALL);
				} else {
					assert_fails(drain(ch, twice, 2 * SMALL, &same, &err), &err,
						     GW_INVALID,
						     unit ? "multiple of" : "other data");
					gw_channel_close(ch);
				}
				gw_buffer_free(&two);
			}
		}
		gw_buffer_free(&one);
	}
	free(data);
	free(twice);
}

/* Concatenated files; any other data after the end is an error. */
static void members(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t *data = sample(SIZE), *twice = malloc(2 * SIZE);
	bool same;

	memcpy(twice, data, SIZE);
	memcpy(twice + SIZE, data, SIZE);
	for (size_t i = 0; i < GW_ARRAY_SIZE(packers); i++) {
		struct gw_buffer one = packers[i].pack(data, SIZE), two = {0};
		struct gw_channel *ch;

		gw_buffer_append(&two, one.data, one.len, &err);
		gw_buffer_append(&two, one.data, one.len, &err);
		assert_gives(unpack(holding(two.data, two.len)), twice, 2 * SIZE);

		two.len = one.len;
		gw_buffer_append(&two, "more", 4, &err);
		ch = unpack(holding(two.data, two.len));
		assert_fails(drain(ch, data, SIZE, &same, &err), &err, GW_INVALID,
			     "other data follows");
		gw_channel_close(ch);

		/* Cut inside the magic of the second member. */
		two.len = one.len;
		gw_buffer_append(&two, one.data, packers[i].magic - 1, &err);
		ch = unpack(holding(two.data, two.len));
		assert_fails(drain(ch, data, SIZE, &same, &err), &err, GW_TRUNCATED, "cut off");
		gw_channel_close(ch);
		gw_buffer_free(&one);
		gw_buffer_free(&two);
	}
	free(data);
	free(twice);
}

static void cut_off(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	uint64_t random = random_seed();
	uint8_t *data = sample(SIZE);

	for (size_t i = 0; i < GW_ARRAY_SIZE(packers); i++) {
		struct gw_buffer packed = packers[i].pack(data, SIZE);

		for (int n = 0; n < 100; n++) {
			/* Cuts at the first and last few bytes, and at random places between. */
			size_t len = n < 30   ? packers[i].magic + (size_t)n
				     : n < 60 ? packed.len - (size_t)(n - 29)
					      : packers[i].magic +
							random_next(&random) %
								(packed.len - packers[i].magic);
			struct gw_channel *ch = unpack(holding(packed.data, len));
			char where[64];
			bool same;

			snprintf(where, sizeof(where),
				 "image.x is cut off: it ends at compressed byte %zu", len);
			ssize_t rc = drain(ch, data, SIZE, &same, &err);
			if (rc >= 0)
				fail_msg("%s cut at %zu of %zu gives %zd bytes", packers[i].name,
					 len, packed.len, rc);
			assert_non_null(strstr(err.text, packers[i].name));
			assert_fails(rc, &err, GW_TRUNCATED, where);
			gw_channel_close(ch);
		}
		gw_buffer_free(&packed);
	}
	free(data);
}

/*
 * One flipped bit gives an error, or has no effect (the time in a gzip header). In the magic it
 * makes the input plain.
 */
static void damaged(void **state)
{
	uint64_t random = random_seed();
	uint8_t *data = sample(SIZE);

	for (size_t i = 0; i < GW_ARRAY_SIZE(packers); i++) {
		struct gw_buffer packed = packers[i].pack(data, SIZE);
		int found = 0;

		for (int n = 0; n < 150; n++) {
			struct gw_error err = GW_ERROR_INIT;
			struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
			size_t at = n < 30   ? packers[i].magic + (size_t)n
				    : n < 50 ? packed.len - (size_t)(n - 29)
					     : packers[i].magic +
						       random_next(&random) %
							       (packed.len - packers[i].magic);
			struct gw_channel *ch;
			bool same;

			plan.read.corrupt_at = at;
			plan.read.corrupt_with = (uint8_t)(1 << random_next(&random) % 8);
			ch = gw_channel_fault(holding(packed.data, packed.len), &plan, &err);
			ch = unpack(ch);
			if (drain(ch, data, SIZE, &same, &err) >= 0) {
				if (!same)
					fail_msg("%s: byte %zu ^ %02x is not noticed",
						 packers[i].name, at, plan.read.corrupt_with);
			} else {
				assert_true(err.code == GW_INVALID || err.code == GW_TRUNCATED ||
					    err.code == GW_UNSUPPORTED);
				assert_non_null(strstr(err.text, packers[i].name));
				assert_non_null(strstr(err.text, "image.x"));
				found++;
			}
			gw_channel_close(ch);
		}
		print_message("%s: %d of 150 changes are errors\n", packers[i].name, found);
		assert_true(found > 120);
		gw_buffer_free(&packed);
	}
	free(data);
}

static void plain_input(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} plain[] = {
		{"", 0},
		{"x", 1},
		{"XenSavedDomain", 14},
		{"\x1f", 1},
		{"\x1f\x8b", 2},
		{"\x1f\x8b\x07more", 7},
		{"\x28\xb5\x2f", 3},
		{"\x28\xb5\x2f\xfc", 4},
		{"\xfd"
		 "7zXZ",
		 5},
		{"\xfd"
		 "7zXZ\x01",
		 6},
		{"\xff\xff\xff\xff\xff\xff\xff\xffXENF", 12},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(plain); i++) {
		struct gw_channel *below = holding(plain[i].bytes, plain[i].len);
		struct gw_channel *ch = unpack(below);

		assert_ptr_equal(ch, below);
		assert_int_equal(ch->read_pos, 0);
		assert_gives(ch, (const uint8_t *)plain[i].bytes, plain[i].len);
	}
}

/* The writer of the pipe waits for an answer to its first byte, so detection must not wait for more
 * bytes than it needs. */
static void plain_pipe(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	char buf[3];
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "\x1fzz", 3), 3);
	struct gw_channel *below = gw_channel_from_fd(fds[0], true, "pipe", &err);
	struct gw_channel *ch = unpack(below);
	assert_ptr_equal(ch, below);
	assert_int_equal(gw_channel_read(ch, buf, 3, &err), 1);
	assert_memory_equal(buf, "\x1fzz", 3);

	/* No compressed format begins with it: it is not waited for more. */
	assert_int_equal(write(fds[1], "A", 1), 1);
	assert_ptr_equal(unpack(ch), below);
	assert_int_equal(gw_channel_read(ch, buf, 1, &err), 1);
	assert_int_equal(buf[0], 'A');
	close(fds[1]);
	gw_channel_close(ch);
}

static void failures_below(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t *data = sample(SIZE);
	struct gw_buffer packed = zstd(data, SIZE);
	struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
	bool same;

	plan.read.error_at = 2;
	struct gw_channel *ch = gw_channel_fault(holding(packed.data, packed.len), &plan, &err);
	assert_null(gw_channel_decompress(ch, &err));
	assert_fails(-1, &err, GW_SYSTEM, "reading image.x at byte 2: Input/output error");

	plan.read.error_at = 5000;
	ch = unpack(gw_channel_fault(holding(packed.data, packed.len), &plan, &err));
	assert_fails(drain(ch, data, SIZE, &same, &err), &err, GW_SYSTEM, "at byte 5000: Input");
	gw_channel_close(ch);
	gw_buffer_free(&packed);
	free(data);
}

/* A header that asks for more memory than any real compressor does is refused before memory is
 * allocated. */
static void too_large(void **state)
{
	/* RFC 8878, 3.1.1.1.2: no content size, a window of 2^30. */
	static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 0x01, 0x00, 0x00};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = unpack(holding(frame, sizeof(frame)));
	lzma_options_lzma options;
	lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
	lzma_stream stream = LZMA_STREAM_INIT;
	uint8_t out[200];
	bool same;

	assert_fails(drain(ch, NULL, 0, &same, &err), &err, GW_UNSUPPORTED,
		     "image.x: decompressing its zstd data takes more than 512 MiB");
	gw_channel_close(ch);

	/* The dictionary's size is in the block header, so the encoder does not need a dictionary
	 * that large. */
	lzma_lzma_preset(&options, 0);
	assert_int_equal(lzma_stream_encoder(&stream, filters, LZMA_CHECK_NONE), LZMA_OK);
	stream.next_out = out;
	stream.avail_out = sizeof(out);
	stream.next_in = (const uint8_t *)"x";
	stream.avail_in = 1;
	assert_int_equal(lzma_code(&stream, LZMA_FINISH), LZMA_STREAM_END);
	/* .xz format 3.1 and 5.3.1: the filter's one property byte, and the header's CRC-32 after
	 * it.
	 */
	assert_int_equal(out[12 + 2], 0x21);
	out[12 + 4] = 38; /* 2^(38/2 + 12) bytes = 2 GiB */
	uint32_t crc = lzma_crc32(out + 12, 8, 0);
	memcpy(out + 12 + 8, &crc, 4);
	ch = unpack(holding(out, stream.total_out));
	assert_fails(drain(ch, NULL, 0, &same, &err), &err, GW_UNSUPPORTED, "its xz data takes");
	gw_channel_close(ch);
	lzma_end(&stream);
}

/* pzstd writes a skippable frame before each frame; 16 magics begin one. A file may also have
 * nothing else, and one that is cut inside is cut off. */
static void skippable_frames(void **state)
{
	uint8_t *data = sample(SIZE);
	struct gw_buffer frame = zstd(data, SIZE / 2),
			 last = zstd(data + SIZE / 2, SIZE - SIZE / 2);

	for (unsigned i = 0; i < 18; i++) {
		uint8_t skip[] = {
			(uint8_t)(0x50 + i % 16), 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4};
		struct gw_error err = GW_ERROR_INIT;
		struct gw_buffer file = {0};
		struct gw_channel *ch;
		bool same;

		if (i == 16)
			skip[0] = 0x60;
		assert_ok(gw_buffer_append(&file, skip, sizeof(skip), &err), &err);
		if (i < 17) {
			assert_ok(gw_buffer_append(&file, frame.data, frame.len, &err), &err);
			assert_ok(gw_buffer_append(&file, skip, sizeof(skip), &err), &err);
			assert_ok(gw_buffer_append(&file, last.data, last.len, &err), &err);
		} else {
			file.len -= 2;
		}
		ch = unpack(holding(file.data, file.len));
		if (i < 16) {
			assert_int_equal(drain(ch, data, SIZE, &same, &err), SIZE);
			assert_true(same);
		} else if (i == 16) {
			/* No frame begins so: it is not compressed. */
			assert_int_equal(drain(ch, file.data, file.len, &same, &err), file.len);
			assert_true(same);
		} else {
			assert_int_equal(drain(ch, data, 0, &same, &err), -1);
			assert_int_equal(err.code, GW_TRUNCATED);
		}
		gw_channel_close(ch);
		gw_buffer_free(&file);
	}
	gw_buffer_free(&frame);
	gw_buffer_free(&last);
	free(data);
}

#define LONG (4u << 20)

/* A channel that reads a file of these bytes, decompressed. */
static struct gw_channel *open_packed(const struct gw_buffer *packed)
{
	struct gw_error err = GW_ERROR_INIT;
	char path[] = "/tmp/godwit-packed.XXXXXX";
	int fd = mkstemp(path);
	struct gw_channel *ch;

	assert_int_equal(write(fd, packed->data, packed->len), packed->len);
	close(fd);
	ch = gw_channel_open(path, &err);
	unlink(path);
	assert_non_null(ch);
	ch = gw_channel_decompress(ch, &err);
	assert_non_null(ch);
	return ch;
}

/* The size of a compressed file's contents is estimated while it is read. */
static void test_expected_size(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t *data = sample(LONG), *back = malloc(LONG);

	for (size_t i = 0; i < GW_ARRAY_SIZE(packers); i++) {
		struct gw_buffer packed = packers[i].pack(data, LONG);
		struct gw_channel *ch = open_packed(&packed);

		assert_int_equal(gw_channel_read(ch, back, LONG / 2, &err), 1);
		assert_in_range(gw_channel_expected_size(ch), LONG * 3 / 4, LONG * 5 / 4);
		assert_int_equal(gw_channel_read(ch, back, LONG / 2, &err), 1);
		assert_int_equal(gw_channel_expected_size(ch), LONG);
		gw_channel_close(ch);
		gw_buffer_free(&packed);
	}
	free(data);
	free(back);
}

/* A file says it exactly, from the start; whatever else there is, never. */
static void test_expected_size_of_others(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer plain = {0};
	struct gw_channel *ch = gw_channel_memory("memory", &err);

	assert_int_equal(gw_channel_write(ch, "12345678", 8, &err), 0);
	assert_int_equal(gw_channel_expected_size(ch), 0);
	gw_channel_close(ch);
	assert_int_equal(gw_buffer_append(&plain, "0123456789", 10, &err), 0);
	ch = open_packed(&plain);
	assert_int_equal(gw_channel_expected_size(ch), 10);
	gw_channel_close(ch);
	gw_buffer_free(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expected_size),
		cmocka_unit_test(test_expected_size_of_others),
		cmocka_unit_test(skippable_frames),
		cmocka_unit_test(unpacks),
		cmocka_unit_test(exact_reads_and_skips),
		cmocka_unit_test(members),
		cmocka_unit_test(padding),
		cmocka_unit_test(cut_off),
		cmocka_unit_test(damaged),
		cmocka_unit_test(plain_input),
		cmocka_unit_test(plain_pipe),
		cmocka_unit_test(failures_below),
		cmocka_unit_test(too_large),
	};

	return cmocka_run_group_tests_name("decompress", tests, NULL, NULL);
}
