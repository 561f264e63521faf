/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests that a damaged image of any layer and kind ends in a verdict of verify and an error of
 * restore: every place where it can be cut, and bits that are flipped in headers and records. No
 * crash, no input that takes long, no more memory than a bound, and no write to a page that is not
 * the domain's: another domain lies beside it, and no page before and after its memory can be
 * touched. GODWIT_FLIPS sets the number of flips.
 */
#include "lib/gwtest.h"

#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "bound.h"
#include "convert/convert.h"
#include "examine/examine.h"
#include "hypervisor/control.h"
#include "hypervisor/memory/domain.h"
#include "input.h"
#include "lib/random.h"
#include "lib/realdata.h"
#include "machine.h"
#include "migrate/restore.h"

#if defined(__SANITIZE_ADDRESS__)
#define FLIPS	 10000ul
#define CUT_STEP 7u /* every cut in the first bytes, every seventh after them */
#else
#define FLIPS	 100000ul
#define CUT_STEP 1u
#endif

#define CASE_S	  20  /* an input that takes longer hangs */
#define IN_A_PAGE 64u /* one in so many cuts inside of a page is also tried with a restore */
#define HEAD	  600u
#define PAGES	  2048u

struct sample {
	const char *name; /* in the corpus */
	/* A cut between two checkpoints leaves an image that can be restored. */
	bool may_end_early;
	bool is_bad; /* verify refuses it as it is: some of its state was cut or made up */
	struct gw_buffer bytes;
	uint32_t *places; /* offsets of all bytes but the contents of pages */
	size_t nr_places;
	bool *contents; /* of each byte: it is in a page */
	bool legacy;
};

static struct sample samples[] = {
	{.name = "image/v2_46_hvm_w64_1024"},
	{.name = "image/v2_46_pv64_w64_live_1024"},
	{.name = "image/v3_422_hvm_1024"},
	{.name = "image/v3_422_hvm_verify_1024"},
	{.name = "image/v3_422_pv32_live_1024"},
	{.name = "image/v3_422_pv64_1024"},
	{.name = "image/v3_422_hvm_remus3_1024", .may_end_early = true},
	{.name = "stream/v3_422_libxl_hvm_1024"},
	{.name = "stream/v3_422_libxl_hvm_remus3_1024", .may_end_early = true},
	{.name = "xlfile/tiny-pv.save"},
	{.name = "xlfile/tiny-pvh.save"},
	{.name = "xlfile/tiny-hvm.save", .is_bad = true},
	{.name = "xlfile/xend_hvm", .is_bad = true},
	{.name = "xlfile/xend_pv", .is_bad = true},
	{.name = "xlfile/xl45_hvm_w64_1024", .is_bad = true},
	{.name = "legacy/leg40_hvm_w64_1024", .is_bad = true},
	{.name = "legacy/leg42_hvm_w32_1024", .is_bad = true},
	{.name = "legacy/leg45_hvm_w64_chunks_1024", .is_bad = true},
	{.name = "legacy/leg45_hvm_w64_qemutrad_1024", .is_bad = true},
	{.name = "legacy/leg45_pv32_w32_1024"},
	{.name = "legacy/leg45_pv64_w64_1024"},
	{.name = "compressed/gzip"},
	{.name = "compressed/xz"},
	{.name = "compressed/zstd"},
};
#define NR GW_ARRAY_SIZE(samples)

/* The case at hand, for the message if it hangs. */
static struct {
	const char *name, *what;
	unsigned long number;
} at_hand;

static void hangs(int signal)
{
	char text[200];
	int n = snprintf(text, sizeof(text), "%s, %s %lu takes more than %d s\n", at_hand.name,
			 at_hand.what, at_hand.number, CASE_S);

	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(1);
	_exit(1);
}

struct verdict {
	uint64_t errors;
	char first[600];
	uint64_t layer; /* offset of the libxl stream or the bare image */
	bool has_layer, libxl, legacy;
	enum gw_guest_type type;
	struct sample *learn; /* where its pages' contents are; NULL: not wanted */
};

static void on_layer(struct verdict *v, uint64_t offset)
{
	if (!v->has_layer)
		v->layer = offset;
	v->has_layer = true;
}

static void on_stream(void *opaque, uint64_t offset, const struct gw_stream_header *header)
{
	on_layer(opaque, offset);
	((struct verdict *)opaque)->libxl = true;
}

static void on_image(void *opaque, uint64_t offset, const struct gw_image_header *header)
{
	struct verdict *v = opaque;

	on_layer(v, offset);
	v->type = (enum gw_guest_type)header->type;
}

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	struct verdict *v = opaque;

	if (finding->level == GW_LEVEL_ERROR && !v->errors++)
		gw_finding_format(finding, v->first, sizeof(v->first));
}

static void learn(struct sample *s, uint64_t from, uint64_t until)
{
	for (uint64_t i = from; i < until && i < s->bytes.len; i++)
		s->contents[i] = true;
}

static void on_record(void *opaque, const struct gw_examine_record *record)
{
	struct verdict *v = opaque;
	uint64_t head;

	if (!v->learn || v->legacy || !record->pages)
		return;
	head = 16 + 8 * (uint64_t)record->pages->nr_entries;
	learn(v->learn, record->offset + head, record->offset + 8 + record->rec->length);
}

static void on_item(void *opaque, const struct gw_examine_item *item)
{
	struct verdict *v = opaque;

	v->legacy = true;
	if (v->learn && item->id > 0)
		learn(v->learn, item->offset + 4 + 8 * (uint64_t)item->id,
		      item->offset + item->length);
}

/* Reads bytes from offset from on, decompressed if they are compressed. NULL with err. */
static struct gw_channel *reader(const struct gw_buffer *bytes, uint64_t from, struct gw_error *err)
{
	struct gw_channel *in = peer_channel(bytes->data, bytes->len, 0);
	struct gw_channel *ch = gw_channel_decompress(in, err);

	if (!ch) {
		gw_channel_close(in);
		return NULL;
	}
	if (from && gw_channel_skip(ch, from, err) <= 0) {
		gw_channel_close(ch);
		return NULL;
	}
	return ch;
}

/* The verdict of verify; false if the input could not be read, which err says. */
static bool examine(const struct gw_buffer *bytes, struct verdict *v, struct gw_error *err)
{
	const struct gw_examine_sink sink = {.opaque = v,
					     .with_config = true,
					     .stream = on_stream,
					     .image = on_image,
					     .record = on_record,
					     .item = on_item,
					     .finding = on_finding};
	struct gw_channel *in = reader(bytes, 0, err);
	struct gw_examination examination;
	int rc = in ? gw_examine(in, &sink, &examination, err) : -1;

	if (rc == 0)
		v->legacy = examination.has_legacy;
	gw_channel_close(in);
	return rc == 0;
}

static struct gw_channel *converted(struct gw_channel *in, struct gw_error *err)
{
	const struct gw_convert_args args = {
		.in = in, .to = GW_CONVERT_LIBXC, .from = GW_CONVERT_LEGACY};
	struct gw_channel *ch = gw_convert_channel(&args, NULL, err);

	if (!ch)
		gw_channel_close(in);
	return ch;
}

/* 0, or -1 with err. */
static int restore(const struct gw_buffer *bytes, const struct verdict *v, struct gw_error *err)
{
	struct gw_restore_args args = {.in = reader(bytes, v->layer, err)};
	struct machine m;
	int rc;

	if (args.in && v->legacy)
		args.in = converted(args.in, err);
	if (!args.in)
		return -1;
	machine_open(&m, v->type == GW_GUEST_X86_PV ? GW_GUEST_X86_PV : GW_GUEST_X86_HVM, PAGES);
	args.domain = m.d;
	rc = v->libxl ? gw_restore_stream(&args, NULL, NULL, err)
		      : gw_restore_image(&args, NULL, err);
	if (rc == 0)
		rc = gw_control_restored(m.d->control, err);
	gw_channel_close(args.in);
	machine_close(&m);
	return rc;
}

struct tally {
	unsigned long refused, accepted, only_restore;
	char first[600]; /* the first error that verify found, of the last case */
};

/* Verify and, if wanted, restore of one input. True: verify finds no error. */
static bool try(const struct gw_buffer *bytes, struct tally *tally, bool with_restore)
{
	struct gw_error err = GW_ERROR_INIT;
	struct verdict v = {0};
	bool clean;
	int rc = -1;

	alarm(CASE_S);
	bound_begin();
	clean = examine(bytes, &v, &err) && !v.errors;
	if (!clean && !v.errors && !err.text[0])
		fail_msg("%s, %s %lu: no verdict", at_hand.name, at_hand.what, at_hand.number);
	/* A restore finds at its end what is wrong there. */
	if (v.has_layer && with_restore) {
		gw_error_clear(&err);
		rc = restore(bytes, &v, &err);
		if (rc < 0 && !err.text[0])
			fail_msg("%s, %s %lu: no reason", at_hand.name, at_hand.what,
				 at_hand.number);
	}
	if (bound_most() > BOUND_OF_IMAGE(bytes->len))
		fail_msg("%s, %s %lu: %zu bytes of memory for %zu of input", at_hand.name,
			 at_hand.what, at_hand.number, bound_most(), bytes->len);
	alarm(0);
	memcpy(tally->first, v.first, sizeof(v.first));
	tally->refused += !clean;
	tally->accepted += clean && rc == 0;
	tally->only_restore += clean && rc < 0;
	return clean;
}

/* A block of exactly that size: a sanitizer sees any access beyond it. */
static struct gw_buffer exact(const struct gw_buffer *from, size_t len)
{
	struct gw_buffer bytes = {.data = malloc(len ? len : 1), .len = len};

	assert_non_null(bytes.data);
	if (len)
		memcpy(bytes.data, from->data, len);
	return bytes;
}

static void whole_samples_are_clean(void **state)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < NR; i++) {
		struct tally tally = {0};

		at_hand.name = samples[i].name;
		at_hand.what = "whole";
		at_hand.number = i;
		if (try(&samples[i].bytes, &tally, true) != samples[i].is_bad)
			continue;
		print_message("%s is %s %s\n", samples[i].name,
			      samples[i].is_bad ? "accepted" : "refused:", tally.first);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* The first len bytes. A cut image is an error to verify, unless it ends after a checkpoint. */
static void cut(struct sample *s, size_t len, struct tally *tally)
{
	/* Most bytes are in pages, where a restore does the same for one cut as for the next. */
	bool with_restore = !s->contents[len] || len % IN_A_PAGE == 0;
	struct gw_buffer bytes = exact(&s->bytes, len);

	at_hand.number = len;
	if (try(&bytes, tally, with_restore) && !s->may_end_early)
		fail_msg("%s, cut after %zu of %zu bytes: no error", s->name, len, s->bytes.len);
	free(bytes.data);
}

static void every_cut_is_a_verdict(void **state)
{
	struct tally all = {0};
	unsigned long cuts = 0;

	for (size_t i = 0; i < NR; i++) {
		struct sample *s = &samples[i];

		at_hand.name = s->name;
		at_hand.what = "cut";
		for (size_t len = 0; len < s->bytes.len; len += len < HEAD ? 1 : CUT_STEP) {
			if (CUT_STEP > 1 && s->contents[len] && len % IN_A_PAGE)
				continue;
			cut(s, len, &all);
			cuts++;
		}
	}
	print_message("%lu cuts of %zu images: %lu refused, %lu end after a checkpoint\n", cuts, NR,
		      all.refused, all.accepted + all.only_restore);
	assert_true(all.refused > cuts / 2);
}

static void every_flip_is_a_verdict(void **state)
{
	const char *env = getenv("GODWIT_FLIPS");
	unsigned long flips = env ? strtoul(env, NULL, 0) : FLIPS;
	struct tally all = {0};

	at_hand.what = "flip";
	for (unsigned long i = 0; i < flips; i++) {
		struct sample *s = &samples[i % NR];
		struct gw_buffer bytes = exact(&s->bytes, s->bytes.len);

		at_hand.name = s->name;
		at_hand.number = i;
		for (size_t n = 1 + (random_below(4) ? 0 : random_below(4)); n; n--)
			bytes.data[s->places[random_below(s->nr_places)]] ^=
				(uint8_t)(1u << random_below(8));
		try(&bytes, &all, true);
		free(bytes.data);
	}
	print_message("%lu flips, seed %llu: %lu refused by verify, %lu only by restore, %lu "
		      "restored\n",
		      flips, (unsigned long long)random_program_seed(), all.refused,
		      all.only_restore, all.accepted);
	assert_true(flips < 1000 || (all.refused > flips / 10 && all.accepted > flips / 100));
}

/* Without this the tests above could not see a write beyond a domain's memory. */
static void beyond_the_memory_is_nothing(void **state)
{
	struct machine m;
	int status = 0;
	pid_t pid;

	machine_open(&m, GW_GUEST_X86_HVM, 16);
	for (int side = 0; side < 2; side++) {
		struct gw_memory_frames *f = &gw_memory_of(m.d)->frames;
		volatile uint8_t *beyond = side ? f->base + f->nr * GW_PAGE_SIZE : f->base - 1;

		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			signal(SIGSEGV, SIG_DFL);
			*beyond = 1;
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	}
	machine_close(&m);
}

static int load(void **state)
{
	const char *corpus = getenv("GODWIT_FUZZ_CORPUS");

	if (!corpus) {
		print_message("GODWIT_FUZZ_CORPUS is not set\n");
		exit(77);
	}
	signal(SIGALRM, hangs);
	for (size_t i = 0; i < NR; i++) {
		struct sample *s = &samples[i];
		struct verdict v = {.learn = s};
		struct gw_error err = GW_ERROR_INIT;
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", corpus, s->name);
		s->bytes = realdata_load(path);
		s->contents = calloc(s->bytes.len, sizeof(*s->contents));
		s->places = calloc(s->bytes.len, sizeof(*s->places));
		assert_true(s->contents && s->places);
		/* Offsets in what is compressed say nothing of its bytes. */
		v.learn = strncmp(s->name, "compressed", 10) ? s : NULL;
		examine(&s->bytes, &v, &err);
		for (uint32_t k = 0; k < s->bytes.len; k++)
			if (!s->contents[k])
				s->places[s->nr_places++] = k;
		assert_true(s->nr_places > 100);
	}
	return 0;
}

static int unload(void **state)
{
	for (size_t i = 0; i < NR; i++) {
		gw_buffer_free(&samples[i].bytes);
		free(samples[i].contents);
		free(samples[i].places);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_samples_are_clean),
		cmocka_unit_test(every_cut_is_a_verdict),
		cmocka_unit_test(every_flip_is_a_verdict),
		cmocka_unit_test(beyond_the_memory_is_nothing),
	};

	/* Most of a case's time would be that of giving memory back to the kernel. */
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	return cmocka_run_group_tests_name("hostile_streams", tests, load, unload);
}
